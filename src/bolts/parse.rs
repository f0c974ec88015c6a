//! `parse`: the columns that stand in a text.
//!
//! A text column is decoded as a spout would decode a record ([`crate::decoder`]): the same formats, the same words for
//! what is wrong. The decoder writes into a frame of the bolt's own, from which the columns are taken over; pieces of
//! the text are pointed to, what the decoder made is copied. With `each` a text becomes a row for each element.

use super::adds::{Adds, Computing};
use super::path_of_row;
use crate::component::{
    Bolt, BoltBuild, BoltCheck, BoltFactory, BoltPlan, ColumnSource, ComponentError, ERRORS, Flow, Intake, OptionSpec,
    OutputColumn, OutputStream, Reject, Step,
};
use crate::decoder::{DecoderCheck, DecoderPlan, Numbered, RECORD_OPTIONS, Taken};
use crate::problem::{Problem, nearest};
use crate::tuple::{Arena, Column, DataType, Frame, Layout, Run, Slot, TextWord};

/// The kind `parse`.
pub struct Parse;

static OPTIONS: [OptionSpec; 15] = [
    OptionSpec::required("column", "the text column"),
    RECORD_OPTIONS[0],
    RECORD_OPTIONS[2],
    RECORD_OPTIONS[4],
    OptionSpec::optional(
        "columns",
        "csv: list of the names of the columns by position; by default the fields in their order",
    ),
    RECORD_OPTIONS[7],
    RECORD_OPTIONS[8],
    RECORD_OPTIONS[9],
    RECORD_OPTIONS[10],
    RECORD_OPTIONS[11],
    RECORD_OPTIONS[12],
    OptionSpec::optional(
        "year",
        "year of timestamps without one; by default the latest that is not after the tuple's time",
    ),
    OptionSpec::optional("keep", "columns of the input that stay: a list of names, or `stream.*`; all by default"),
    OptionSpec::optional("add", "new columns: add.NAME = \"expression\", also of the fields"),
    OptionSpec::optional("having", "condition on the output row"),
];

impl BoltFactory for Parse {
    fn kind(&self) -> &'static str {
        "parse"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["extract", "grok"]
    }

    fn doc(&self) -> &'static str {
        "reads columns out of a text column: csv, json, regular expressions"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Columns: `keep`, then `fields`, then `add`; a field replaces a kept column of its name. The text must be one record of the format.".to_owned(),
            "A text that cannot be read, or is NULL, leaves on `.errors`, with the column and what stands there. With format \"regex\" a text that no expression matches leaves on `.unmatched` with all columns of the input.".to_owned(),
            "With `each` (json) a text becomes a row for each element of the array, none for an empty one.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[bolts.lines]
kind = "select"
from = "payments"
keep = []
add.line = "'card=' || card || ' amount=' || amount"

[bolts.read]
kind   = "parse"
from   = "lines"
column = "line"
format = "regex"
regex  = '''^card=(?<card>\d+) amount=(?<amount>\S+)$'''
keep   = []
fields.card   = "bigint not null"
fields.amount = "double"

[bolts.out]
kind  = "console"
from  = "read"
limit = 3

[[tests]]
name  = "a line is read, another is not"
given = [
  { at = "0s", lines = { line = "card=7 amount=1.5" } },
  { at = "1s", lines = { line = "nothing of the kind" } },
]
expect = [
  { at = "0s", read = { card = 7, amount = 1.5 } },
  { at = "1s", "read.unmatched" = { line = "nothing of the kind" } },
]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn check(&self, check: &BoltCheck<'_>) -> Option<Box<dyn BoltPlan>> {
        let options = &check.options;
        let input = check.inputs.first()?;
        let text = column(check);
        let decoder =
            DecoderCheck { name: check.name, options: *options, environment: check.environment, header: &|_| None };
        let decoder = DecoderPlan::check_alone(&decoder)?;
        let adds = Adds::check(check, decoder.columns());
        let (text, adds) = (text?, adds?);
        let mut outputs = vec![OutputStream::new("", adds.columns.clone())];
        if !decoder.side_streams().is_empty() {
            let passed = |(at, column): (usize, &Column)| OutputColumn {
                column: column.clone(),
                source: ColumnSource::Input(at),
            };
            outputs.push(OutputStream::new("unmatched", input.columns.iter().enumerate().map(passed).collect()));
        }
        let places = decoder.columns().iter().map(|column| adds.place(column)).collect();
        Some(Box::new(Plan { outputs, adds, places, text, decoder }))
    }
}

/// `column`: a text column of the input.
fn column(check: &BoltCheck<'_>) -> Option<usize> {
    let (name, node) = (check.options.text("column")?, check.options.node("column")?);
    let input = check.inputs.first()?;
    let names = || input.columns.iter().filter(|c| c.ty == DataType::Text).map(|c| c.name.as_str());
    match input.columns.iter().position(|c| c.is(name)) {
        Some(at) if input.columns[at].ty == DataType::Text => return Some(at),
        Some(at) => {
            let message = format!("`column` must name a text, `{name}` is a {}", input.columns[at].ty);
            check.options.problem(Problem::error(message).at(node.span).label("must be a text column"));
        }
        None => {
            let mut problem = Problem::error(format!("`{}` has no column `{name}`", input.name)).at(node.span);
            if let Some(near) = nearest(name, names()) {
                problem = problem.label(format!("did you mean `{near}`?"));
            }
            let list = names().collect::<Vec<_>>().join(", ");
            check.options.problem(problem.hint(format!("its text columns are {list}")));
        }
    }
    None
}

struct Plan {
    outputs: Vec<OutputStream>,
    adds: Adds,
    /// Where each field stands among the outputs; a private slot holds it where an entry of `add` has replaced it.
    places: Vec<Option<usize>>,
    /// The column of the text.
    text: usize,
    decoder: DecoderPlan,
}

impl BoltPlan for Plan {
    fn outputs(&self) -> &[OutputStream] {
        &self.outputs
    }

    fn reads(&self, _input: usize) -> Option<Vec<usize>> {
        let mut read = self.adds.reads();
        read.push(self.text);
        Some(read)
    }

    fn scratch(&self) -> usize {
        self.places.iter().filter(|place| place.is_none()).count()
    }

    fn build(&self, build: &BoltBuild<'_>) -> Result<Box<dyn Bolt>, ComponentError> {
        let (inputs, outputs) = (&build.inputs[0], &build.outputs[0]);
        let mut scratch = build.scratch.iter();
        let own: Vec<Slot> = self
            .places
            .iter()
            .map(|place| {
                place.map_or_else(|| *scratch.next().expect("a slot for each field without a place"), |at| outputs[at])
            })
            .collect();
        let layout = Layout::new(own.len());
        let from: Vec<Slot> = (0..own.len()).map(|at| layout.slot(at)).collect();
        let columns = self.decoder.columns().iter().zip(&from).zip(&own);
        Ok(Box::new(Task {
            text: inputs[self.text],
            records: Numbered::new(&self.decoder, &from, "", 0)?,
            several: self.decoder.has_elements(),
            run: Run::new(layout),
            rejects: Vec::new(),
            columns: columns.map(|((c, from), to)| (*from, *to, c.ty == DataType::Text)).collect(),
            computing: self.adds.compile(inputs, &own, outputs),
            next: 0,
            part: false,
            path: 0,
            row: 0,
        }))
    }
}

struct Task {
    text: Slot,
    records: Numbered,
    /// A text may make several rows.
    several: bool,
    /// What was decoded, and what could not be.
    run: Run,
    rejects: Vec<Reject>,
    /// For each field: where it was decoded to, where it goes, whether it is text.
    columns: Vec<(Slot, Slot, bool)>,
    computing: Computing,
    /// The next row of the run that leaves, and whether the text has more than those.
    next: usize,
    part: bool,
    path: u64,
    row: u64,
}

impl Task {
    /// Decodes a text, or goes on with it.
    #[inline]
    fn decode(&mut self, text: &str, time: i64) {
        self.run.clear();
        self.rejects.clear();
        self.next = 0;
        let mut intake = Intake { run: &mut self.run, rejects: &mut self.rejects, now: 0, wall: time };
        // SAFETY: the text lives until the run of the tuple is over, and the own run is emptied before that.
        self.part = unsafe { self.records.take(text.as_bytes(), 0, &mut intake) } == Taken::Part;
    }

    /// Takes the next row over into the frame.
    #[inline]
    fn take_over(&mut self, text: &str, frame: &mut Frame, arena: &Arena) {
        let row = self.run.frame(self.next);
        self.next += 1;
        let bytes = text.as_bytes().as_ptr_range();
        for (from, to, is_text) in &self.columns {
            let word = match row.get(*from) {
                Some(word) if *is_text => {
                    let piece = TextWord(word).as_str();
                    // The own run's memory is used again for the next text; the text itself stays.
                    Some(match bytes.contains(&piece.as_ptr()) {
                        // SAFETY: it is a piece of a text that lives until the run of the tuple is over.
                        true => unsafe { TextWord::borrow(piece, arena) }.0,
                        false => arena.store(piece).0,
                    })
                }
                word => word,
            };
            frame.put(*to, word);
        }
    }

    /// What could not be decoded: the stream it leaves on; none for an error, which is told to `step`.
    #[cold]
    fn refuse(&mut self, step: &mut Step<'_>) -> Option<u8> {
        match self.rejects.pop() {
            Some(reject) if reject.stream == "unmatched" => return Some(1),
            Some(reject) => step.error(reject.reason, reject.text),
            None => step.error("empty", "the text is empty"),
        };
        None
    }
}

impl Bolt for Task {
    #[inline]
    fn step(&mut self, _input: usize, frame: &mut Frame, step: &mut Step<'_>) -> Flow {
        let Some(word) = frame.get(self.text) else {
            return step.error("null_text", "the text is NULL");
        };
        let text = TextWord(word).as_str();
        self.decode(text, frame.time());
        if self.several {
            (self.path, self.row) = (frame.path(), 0);
            return Flow::Many;
        }
        if self.run.is_empty() {
            return self.refuse(step).map_or(Flow::Error, Flow::Port);
        }
        self.take_over(text, frame, step.arena);
        if self.computing.run(frame, step) { Flow::Next } else { Flow::Error }
    }

    fn next_row(&mut self, frame: &mut Frame, step: &mut Step<'_>) -> Option<u8> {
        let text = frame.get(self.text).map_or("", |word| TextWord(word).as_str());
        while self.next == self.run.len() && self.rejects.is_empty() && self.part {
            self.decode(text, frame.time());
        }
        if self.next == self.run.len() && self.rejects.is_empty() {
            // What follows on other branches sees the tuple as it was.
            frame.set_path(self.path);
            return None;
        }
        frame.set_path(path_of_row(self.path, self.row));
        self.row += 1;
        if self.next == self.run.len() {
            return Some(self.refuse(step).unwrap_or(ERRORS));
        }
        self.take_over(text, frame, step.arena);
        Some(if self.computing.run(frame, step) { 0 } else { ERRORS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolts::rig::{Driver, Rig};
    use crate::tuple::Value;

    fn rig() -> Rig {
        Rig::new(&[("s", &[("id", DataType::Bigint), ("line", DataType::Text)])])
    }

    fn feed(driver: &mut Driver, line: &str) -> Vec<String> {
        driver.feed(0, 0, &[Value::Bigint(7), Value::Text(line.to_owned())])
    }

    #[test]
    fn json_becomes_columns_and_what_is_broken_an_error() {
        let toml = "column = 'line'\nformat = 'json'\nkeep = 'id'\nfields.a = 'bigint not null'\nfields.t = 'text'
            paths.t = '$.x.t'\nadd.b = 'a * 2'";
        let mut driver = rig().driver(&Parse, toml);
        assert_eq!(driver.outputs(), [("".to_owned(), "id bigint, a bigint, t text, b bigint".to_owned())]);
        assert_eq!(feed(&mut driver, r#"{"a": 5, "x": {"t": "q\n\"ü"}}"#), ["main: 7 5 q\n\"ü 10"]);
        assert_eq!(feed(&mut driver, r#"{"a": 6}"#), ["main: 7 6 null 12"]);
        for (line, wanted) in [
            ("{\"a\": \"x\"}", "error bad_value: column `a`"),
            ("{}", "error not_null: column `a`"),
            ("{\"a\": 1", "error "),
            ("", "error empty: the text is empty"),
            ("{\"a\": 1}\n{\"a\": 2}", "error lines: this must be one record"),
        ] {
            let lines = feed(&mut driver, line);
            assert!(lines.len() == 1 && lines[0].starts_with(wanted), "{line}: {lines:?}");
        }
        let lines = driver.feed(0, 0, &[Value::Bigint(7), Value::Null]);
        assert_eq!(lines, ["error null_text: the text is NULL"]);
        let long = "x".repeat(70_000);
        let lines = feed(&mut driver, &format!("{{\"a\": 1, \"x\": {{\"t\": \"{long}\"}}}}"));
        assert_eq!(lines, [format!("main: 7 1 {long} 2")]);
    }

    #[test]
    fn a_text_with_several_elements_becomes_several_rows() {
        let toml = "column = 'line'\nformat = 'json'\neach = '$.data[*]'\nkeep = []\nfields.a = 'bigint not null'";
        let mut driver = rig().driver(&Parse, toml);
        let list: Vec<String> = (0..200).map(|n| format!("{{\"a\": {n}}}")).collect();
        let lines = feed(&mut driver, &format!("{{\"data\": [{}]}}", list.join(",")));
        assert_eq!(lines, (0..200).map(|n| format!("main: {n}")).collect::<Vec<_>>());
        let mut paths = driver.paths.clone();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 200, "rows are told apart");
        let lines = feed(&mut driver, r#"{"data": [{"a": 1}, {"a": "x"}, {"a": 3}]}"#);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("error bad_value")).count(), 1, "{lines:?}");
        assert_eq!(feed(&mut driver, r#"{"data": []}"#), Vec::<String>::new());
        assert_eq!(feed(&mut driver, r#"{"data": [{"a": 9}]}"#), ["main: 9"]);
    }

    #[test]
    fn csv_has_no_header_and_a_field_replaces_a_column() {
        let toml = "column = 'line'\nformat = 'csv'\ndelimiter = ';'\nfields.line = 'text'\nfields.n = 'bigint'";
        let mut driver = rig().driver(&Parse, toml);
        assert_eq!(driver.outputs()[0].1, "id bigint, line text, n bigint");
        assert_eq!(feed(&mut driver, "\"a;b\";3"), ["main: 7 a;b 3"]);
        assert!(feed(&mut driver, "a;3;4")[0].starts_with("error columns"));
    }

    #[test]
    fn what_no_expression_matches_leaves_on_a_stream_of_its_own() {
        let toml = "column = 'line'\nformat = 'regex'\nregex = '^(?<k>[a-z]+)=(?<v>.*)$'\nfields.k = 'text'\nfields.v = 'bigint'\nkeep = []";
        let mut driver = rig().driver(&Parse, toml);
        assert_eq!(driver.outputs()[1], ("unmatched".to_owned(), "id bigint, line text".to_owned()));
        assert_eq!(feed(&mut driver, "abc=5"), ["main: abc 5"]);
        assert_eq!(feed(&mut driver, "=5"), ["unmatched: 7 =5"]);
        assert!(feed(&mut driver, "abc=x")[0].starts_with("error bad_value"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let says = |toml: &str| format!("{:?}", rig().problems(&Parse, toml));
        assert!(says("column = 'lines'\nformat = 'json'\nfields.a = 'text'").contains("did you mean `line`?"));
        assert!(says("column = 'id'\nformat = 'json'\nfields.a = 'text'").contains("must name a text"));
        assert!(says("column = 'line'\nformat = 'json'").contains("`fields` of `bolts.b` is missing"));
        assert!(says("column = 'line'\nformat = 'jsn'\nfields.a = 'text'").contains("json"));
    }
}
