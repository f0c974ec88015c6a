//! Where the columns of a stream are found in a record, by format.

use super::fields::FieldSpec;
use super::plan::{Candidate, DecoderCheck, Format, Header, Place};
use crate::component::{Node, Options};
use crate::problem::{Problem, nearest};
use crate::tuple::codec::{JsonPath, RegexSplitter, Root, Step};
use crate::tuple::{Column, DataType};
use regex::Regex;

/// Index of the name `wanted`, as it is written or else without regard to case.
pub(super) fn position(names: &[String], wanted: &str) -> Option<usize> {
    let exact = names.iter().position(|n| n == wanted);
    exact.or_else(|| names.iter().position(|n| n.eq_ignore_ascii_case(wanted)))
}

/// A list of names for people.
pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
}

/// The option `name` as the size of a record in bytes.
pub fn record_size(options: &Options<'_>, name: &str) -> Option<usize> {
    let bytes = options.size(name)?;
    if bytes > 1 << 27 {
        options.wrong(name, options.node(name)?, "a size from 1 byte to 128 MiB, such as \"1MiB\"");
        return None;
    }
    Some(bytes as usize)
}

/// A format and the columns that can be had from its records.
pub(super) struct Found {
    pub(super) format: Format,
    pub(super) candidates: Vec<Candidate>,
}

/// Looks for the fields that are read (not computed) and for what else a record has.
pub(super) struct Finder<'a, 'c> {
    pub(super) check: &'c DecoderCheck<'a>,
    /// Records stand alone in texts.
    pub(super) alone: bool,
    pub(super) fields: &'c [FieldSpec<'a>],
    /// Whether a name is that of an added column.
    pub(super) computed: &'c dyn Fn(&str) -> bool,
    pub(super) paths: Vec<(&'a str, &'a Node, &'a str)>,
}

impl<'a> Finder<'a, '_> {
    fn read_fields(&self) -> impl Iterator<Item = &FieldSpec<'a>> {
        self.fields.iter().filter(|f| !(self.computed)(f.name))
    }

    fn path_of(&self, name: &str) -> Option<&'a str> {
        self.paths.iter().find(|(n, _, _)| n.eq_ignore_ascii_case(name)).map(|(_, _, path)| *path)
    }

    fn is_read(&self, name: &str) -> bool {
        self.read_fields().any(|f| f.name.eq_ignore_ascii_case(name))
    }

    fn field_problem(&self, field: &FieldSpec<'_>, message: String, names: &[String], wanted: &str) {
        let mut problem = Problem::error(message).at(field.node.span);
        match nearest(wanted, names.iter().map(String::as_str)) {
            Some(near) => {
                problem = problem.hint(format!("did you mean \"{near}\"? (`paths.{} = \"{near}\"`)", field.name))
            }
            None => problem = problem.hint(format!("there are {}", quoted(names))),
        }
        self.check.options.problem(problem);
    }

    /// CSV: names come from `columns`, from the header, or are the fields in their order.
    pub(super) fn csv(&self) -> Option<Found> {
        let options = &self.check.options;
        let delimiter = self.delimiter()?;
        let columns = options.texts("columns").map(|t| t.into_iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>());
        let default = if columns.is_some() || self.alone { "none" } else { "use" };
        let choice = if options.has("header") && !self.alone {
            options.choice("header", &["use", "skip", "none"])?
        } else {
            default
        };
        let header = match choice {
            "use" => Header::Use,
            "skip" => Header::Skip,
            _ => Header::None,
        };
        if header == Header::Use {
            if let Some(node) = options.node("columns") {
                let problem = Problem::error("`columns` cannot stand beside `header = \"use\"`: the header names them");
                options.problem(problem.at(node.span).hint("to ignore the header's names, write `header = \"skip\"`"));
            }
            return Some(self.csv_by_header(delimiter));
        }
        let names = columns.unwrap_or_else(|| self.read_fields().map(|f| f.name.to_owned()).collect());
        let mut sound = true;
        let mut candidates = Vec::new();
        for field in self.read_fields() {
            let wanted = self.path_of(field.name).unwrap_or(field.name);
            match position(&names, wanted) {
                Some(cell) => candidates.push(Candidate::of(field, Place::Cell(cell))),
                None => {
                    let message = format!("`{}` has no column \"{wanted}\" in `columns`", options.component);
                    self.field_problem(field, message, &names, wanted);
                    sound = false;
                }
            }
        }
        for (cell, name) in names.iter().enumerate().filter(|(_, n)| !self.is_read(n)) {
            candidates.push(Candidate::text(name, Place::Cell(cell)));
        }
        let format = Format::Csv { delimiter, header, columns: names.len() };
        sound.then_some(Found { format, candidates })
    }

    fn csv_by_header(&self, delimiter: u8) -> Found {
        let options = &self.check.options;
        let known = (self.check.header)(delimiter);
        let mut candidates = Vec::new();
        for field in self.read_fields() {
            let wanted = self.path_of(field.name).unwrap_or(field.name);
            candidates.push(Candidate::of(field, Place::Header(wanted.to_owned())));
            let Some(known) = known.as_ref().filter(|k| position(k, wanted).is_none()) else { continue };
            let message = format!("the header of `{}` has no column \"{wanted}\"", options.component);
            if field.not_null && field.default.is_none() {
                self.field_problem(field, message, known, wanted);
            } else {
                let problem = Problem::warning(message).at(field.node.span).label("always NULL, or its default");
                options.problem(problem.hint(format!("the header has {}", quoted(known))));
            }
        }
        let undeclared = self.paths.iter().map(|(name, _, path)| (*name, *path));
        let of_header = known.iter().flatten().map(|n| (n.as_str(), n.as_str()));
        for (name, path) in undeclared.chain(of_header) {
            if !self.is_read(name) && !candidates.iter().any(|c| c.column.is(name)) {
                candidates.push(Candidate::text(name, Place::Header(path.to_owned())));
            }
        }
        Found { format: Format::Csv { delimiter, header: Header::Use, columns: 0 }, candidates }
    }

    fn delimiter(&self) -> Option<u8> {
        let options = &self.check.options;
        let Some(text) = options.text("delimiter") else { return Some(b',') };
        match text.as_bytes() {
            [b] if b.is_ascii() && !matches!(b, b'"' | b'\n' | b'\r' | 0) => Some(*b),
            _ => {
                let node = options.node("delimiter")?;
                options.wrong("delimiter", node, "one ASCII character such as \";\" or \"\\t\"");
                None
            }
        }
    }

    /// JSON: a path for each column, by default its name.
    pub(super) fn json(&self) -> Option<Found> {
        let options = &self.check.options;
        let each = match options.text("each") {
            Some(text) => Some(self.each(text)?),
            None => None,
        };
        let root = if each.is_some() { Root::Element } else { Root::Document };
        let mut sound = true;
        let mut paths: Vec<JsonPath> = Vec::new();
        let mut written = Vec::new();
        for (name, node, text) in &self.paths {
            match self.json_path(text, each.is_some()) {
                Ok(path) => written.push((*name, path)),
                Err(why) => {
                    let problem = Problem::error(format!("`paths.{name}` of `{}`: {why}", options.component));
                    options.problem(problem.at(node.span));
                    sound = false;
                }
            }
        }
        let mut candidates = Vec::new();
        let mut place = |name: &str| {
            let path = written.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, path)| path.clone());
            paths.push(path.unwrap_or_else(|| JsonPath::of_key(root, name)));
            Place::Cell(paths.len() - 1)
        };
        for field in self.fields {
            let cell = place(field.name);
            let read = self.is_read(field.name);
            candidates.push(if read { Candidate::of(field, cell) } else { Candidate::text(field.name, cell) });
        }
        for (name, _, _) in &self.paths {
            if !self.fields.iter().any(|f| f.name.eq_ignore_ascii_case(name)) {
                candidates.push(Candidate::text(name, place(name)));
            }
        }
        let format = Format::Json { paths, each };
        sound.then_some(Found { format, candidates })
    }

    fn json_path(&self, text: &str, each: bool) -> Result<JsonPath, String> {
        let path = JsonPath::parse(text)?;
        if path.steps.contains(&Step::Every) {
            return Err("`[*]` makes several rows and belongs in `each`; elements are then `@`".to_owned());
        }
        if path.root == Root::Element && !each {
            return Err("`@` is an element of `each`, which is not given".to_owned());
        }
        Ok(path)
    }

    fn each(&self, text: &str) -> Option<Vec<Step>> {
        let options = &self.check.options;
        let why = match JsonPath::parse(text) {
            Err(why) => why,
            Ok(JsonPath { root: Root::Element, .. }) => "it starts from the document, `$`".to_owned(),
            Ok(JsonPath { mut steps, .. }) => {
                if steps.pop() == Some(Step::Every) && !steps.contains(&Step::Every) {
                    return Some(steps);
                }
                "it ends with `[*]`, which stands nowhere else, such as \"$.data[*]\"".to_owned()
            }
        };
        let node = options.node("each")?;
        options.problem(Problem::error(format!("`each` of `{}`: {why}", options.component)).at(node.span));
        None
    }

    /// Regular expressions: named groups are the columns.
    pub(super) fn regex(&self) -> Option<Found> {
        let options = &self.check.options;
        if !options.has("regex") {
            let problem = Problem::error(format!("`regex` of `{}` is missing", options.component)).at(options.span);
            options.problem(problem.hint("give one expression or a list; its named groups `(?<name>...)` are columns"));
            return None;
        }
        let texts = options.texts("regex")?;
        let mut expressions = Vec::new();
        for (text, node) in &texts {
            match Regex::new(text) {
                Ok(expression) => expressions.push(expression),
                Err(why) => {
                    let problem =
                        Problem::error(format!("an expression of `regex` of `{}` is wrong", options.component));
                    options.problem(problem.at(node.span).hint(why.to_string()));
                }
            }
        }
        let mut names: Vec<String> = Vec::new();
        for name in expressions.iter().flat_map(|e| e.capture_names().flatten()) {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
        let mut sound = expressions.len() == texts.len();
        let mut candidates = Vec::new();
        for field in self.read_fields() {
            match position(&names, field.name) {
                Some(cell) => candidates.push(Candidate::of(field, Place::Cell(cell))),
                None if !sound => {}
                None => {
                    let message =
                        format!("no expression of `{}` has a group called `{}`", options.component, field.name);
                    self.field_problem(field, message, &names, field.name);
                    sound = false;
                }
            }
        }
        for (cell, name) in names.iter().enumerate().filter(|(_, n)| !self.is_read(n)) {
            candidates.push(Candidate::text(name, Place::Cell(cell)));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        sound.then(|| Found { format: Format::Regex(RegexSplitter::new(expressions, &names), names.len()), candidates })
    }

    /// Text: the whole line.
    pub(super) fn text(&self) -> Option<Found> {
        let mut sound = true;
        for field in self.read_fields().filter(|f| !f.name.eq_ignore_ascii_case("line")) {
            let message = format!("format \"text\" has the one column `line`, not `{}`", field.name);
            let problem = Problem::error(message).at(field.node.span);
            self.check
                .options
                .problem(problem.hint(format!("`add.{} = \"...\"` can compute it from `line`", field.name)));
            sound = false;
        }
        let line = self.read_fields().next().map(|f| Candidate::of(f, Place::Cell(0)));
        let column = Column::new("line", DataType::Text).not_null();
        let candidates = vec![line.unwrap_or(Candidate { column, place: Place::Cell(0), default: None })];
        sound.then_some(Found { format: Format::Text, candidates })
    }
}
