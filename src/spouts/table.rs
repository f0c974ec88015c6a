//! Reference tables from files.
//!
//! A table is read whole, from the start, and counts only if every record of it is sound: a half-read block list would be
//! worse than the old one.

use super::file::{Patterns, read_all};
use crate::component::{ComponentError, Intake, OptionSpec, Options, Reject, SpoutCheck, TableFactory, TablePlan};
use crate::decoder::{DecoderCheck, DecoderPlan, RECORD_OPTIONS, Window};
use crate::problem::{Problem, nearest};
use crate::tuple::{Column, Layout, Run, Slot, Value};
use std::path::{Path, PathBuf};

static OPTIONS: [OptionSpec; 13] = [
    OptionSpec::required("path", "the file, plain or packed with gzip or zstd"),
    OptionSpec::required(
        "key",
        "the column, or list of columns, by which expressions find a row: name[column].other, name[(a, b)].other",
    ),
    OptionSpec::optional("reload", "\"on change\" of the file, or \"never\" (default)"),
    RECORD_OPTIONS[0],
    RECORD_OPTIONS[1],
    RECORD_OPTIONS[2],
    RECORD_OPTIONS[4],
    RECORD_OPTIONS[5],
    RECORD_OPTIONS[6],
    RECORD_OPTIONS[7],
    RECORD_OPTIONS[8],
    RECORD_OPTIONS[11],
    RECORD_OPTIONS[12],
];

/// Reads reference tables from files.
pub struct FileTableFactory;

impl TableFactory for FileTableFactory {
    fn options(&self) -> &'static [OptionSpec] {
        &OPTIONS
    }

    fn example(&self) -> &'static str {
        r#"[spouts.payments]
kind  = "generate"
what  = "payments"
count = 20000
cards = 500

[tables.blocked]
path   = "blocked.csv"             # card,reason
format = "csv"
key    = "card"
reload = "on change"
fields.card   = "bigint not null"
fields.reason = "text"

[bolts.hits]
kind  = "select"
from  = "payments"
where = "blocked[card] is not null"
keep  = ["id", "card"]
add.reason = "blocked[card].reason"

[bolts.out]
kind = "console"
from = "hits"
limit = 3
"#
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn TablePlan>> {
        let options = &check.options;
        let path = options.text("path").map(|path| check.folder.join(path));
        let patterns = options.text("path").and_then(|_| Patterns::of(options, "path", check.folder));
        let reload = options.choice("reload", &["on change", "never"]) == Some("on change");
        let decoder =
            DecoderCheck { name: check.name, options: *options, environment: check.environment, header: &|_| None };
        let decoder = DecoderPlan::check(&decoder)?;
        let key = key(options, decoder.columns())?;
        patterns?.warn(options);
        Some(Box::new(FileTable { path: path?, decoder, key, reload }))
    }
}

fn key(options: &Options<'_>, columns: &[Column]) -> Option<Vec<usize>> {
    let texts = options.texts("key")?;
    let mut key = Vec::new();
    for (name, node) in &texts {
        match columns.iter().position(|c| c.is(name)) {
            Some(column) => key.push(column),
            None => {
                let mut problem = Problem::error(format!("`{}` has no column `{name}` for its key", options.component));
                if let Some(near) = nearest(name, columns.iter().map(|c| c.name.as_str())) {
                    problem = problem.label(format!("did you mean `{near}`?"));
                }
                options.problem(problem.at(node.span));
            }
        }
    }
    if texts.is_empty()
        && let Some(node) = options.node("key")
    {
        options.wrong("key", node, "a column or a list of columns");
    }
    (!key.is_empty() && key.len() == texts.len()).then_some(key)
}

struct FileTable {
    path: PathBuf,
    decoder: DecoderPlan,
    key: Vec<usize>,
    reload: bool,
}

impl TablePlan for FileTable {
    fn columns(&self) -> &[Column] {
        self.decoder.columns()
    }

    fn key(&self) -> &[usize] {
        &self.key
    }

    fn watched(&self) -> Option<PathBuf> {
        self.reload.then(|| self.path.clone())
    }

    fn load(&self) -> Result<Vec<Vec<Value>>, ComponentError> {
        load(&self.decoder, &self.path, &self.key)
    }
}

fn load(plan: &DecoderPlan, path: &Path, key: &[usize]) -> Result<Vec<Vec<Value>>, ComponentError> {
    let bytes = read_all(path)?;
    let name = path.display().to_string();
    let layout = Layout::new(plan.columns().len());
    let slots: Vec<Slot> = (0..layout.slots()).map(|n| layout.slot(n)).collect();
    let mut decoder = plan.decoder(&slots, &name, 0);
    let named = |e: ComponentError| ComponentError { message: format!("{name}: {}", e.message), ..e };
    let broken = |position: u64, text: &str| {
        let line = memchr::memchr_iter(b'\n', &bytes[..position as usize]).count() + 1;
        ComponentError::new(format!("{name}, line {line}: {text}; correct the file, nothing of it was taken"))
    };
    let begin = Window { bytes: &bytes, position: 0, last: true };
    let mut at = decoder.begin(begin).map_err(named)?.unwrap_or(bytes.len());
    let mut run = Run::new(layout);
    let mut rejects = Vec::new();
    let mut rows = Vec::new();
    loop {
        run.clear();
        rejects.clear();
        let mut intake = Intake { run: &mut run, rejects: &mut rejects, now: 0, wall: 0 };
        let window = Window { bytes: &bytes[at..], position: at as u64, last: true };
        // SAFETY: `bytes` outlives the run and is not changed.
        let decoded = unsafe { decoder.decode(window, usize::MAX, &mut intake) };
        at += decoded.consumed;
        // People who write such files by hand leave empty lines.
        let empty = |reject: &&Reject| reject.reason == "columns" && reject.record.trim().is_empty();
        if let Some(reject) = rejects.iter().find(|r| !empty(r)) {
            return Err(broken(reject.position, &reject.text));
        }
        for frame in (0..run.len()).map(|n| run.frame(n)) {
            let row: Vec<Value> =
                slots.iter().zip(plan.columns()).map(|(s, c)| Value::from_slot(frame, *s, c.ty)).collect();
            if let Some(column) = key.iter().find(|k| row[**k] == Value::Null) {
                let text = format!("column `{}` is part of the key, but has no value", plan.columns()[*column].name);
                return Err(broken(frame.position(), &text));
            }
            rows.push(row);
        }
        if decoded.starved {
            return Ok(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::fixture::checked;

    fn table(bytes: &[u8], key: &str) -> (Result<Vec<Vec<Value>>, ComponentError>, Vec<Problem>) {
        let folder = std::env::temp_dir();
        let name = format!("sferic-table-{}-{:x}.csv", std::process::id(), bytes.as_ptr() as usize);
        std::fs::write(folder.join(&name), bytes).unwrap();
        let options = format!(
            "path = \"{name}\"\nkey = {key}\nreload = \"on change\"\nformat = \"csv\"\nfields.m = \"text not null\"\nfields.k = \"bigint\""
        );
        let (plan, problems) = checked(&options, |options, environment| {
            FileTableFactory.check(&SpoutCheck {
                name: "tables.t",
                options,
                environment,
                folder: &folder,
                data_dir: None,
            })
        });
        let loaded = plan.map_or(Ok(Vec::new()), |plan| {
            assert_eq!(plan.watched(), Some(folder.join(&name)));
            plan.load()
        });
        std::fs::remove_file(folder.join(&name)).unwrap();
        (loaded, problems)
    }

    #[test]
    fn a_sound_table_is_loaded_whole() {
        let mut bytes = b"k,m\n".to_vec();
        (0..500).for_each(|n| bytes.extend(format!("{n},m{n}\n").bytes()));
        bytes.extend(b"\n \n");
        let rows = table(&bytes, "[\"k\", \"M\"]").0.unwrap();
        assert_eq!(rows.len(), 500);
        assert_eq!(rows[499], [Value::Text("m499".into()), Value::Bigint(499)]);
    }

    #[test]
    fn a_broken_record_or_key_is_an_error_with_its_line() {
        let message = |bytes: &[u8], key: &str| table(bytes, key).0.unwrap_err().message;
        assert!(message(b"k,m\n1,a\nx,b\n", "\"m\"").contains(", line 3: column `k`: `x` is not a bigint"));
        assert!(message(b"k,m\n1,a\n,b\n", "\"k\"").contains(", line 3: column `k` is part of the key"));
        assert!(table(b"k,m\n", "\"kk\"").1[0].message.contains("no column `kk`"));
    }
}
