//! A reference table from a file.
//!
//! A table is read whole, from the start, and counts only if every record of it is sound: a half-read block list would be
//! worse than the old one.

use crate::component::{ComponentError, Intake, Reject, TablePlan};
use crate::decoder::{DecoderPlan, Window};
use crate::spouts::file::read_all;
use crate::tuple::{Column, Layout, Run, Slot, Value};
use std::path::{Path, PathBuf};

/// A checked table from a file.
pub(super) struct FileTable {
    pub(super) path: PathBuf,
    pub(super) decoder: DecoderPlan,
    pub(super) key: Vec<usize>,
    /// Whether it is read again when the file changes.
    pub(super) reload: bool,
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
    use crate::component::{SpoutCheck, TableFactory};
    use crate::decoder::fixture::checked;
    use crate::problem::Problem;
    use crate::spouts::ReferenceTables;

    fn table(bytes: &[u8], key: &str) -> (Result<Vec<Vec<Value>>, ComponentError>, Vec<Problem>) {
        let folder = std::env::temp_dir();
        let name = format!("sferic-table-{}-{:x}.csv", std::process::id(), bytes.as_ptr() as usize);
        std::fs::write(folder.join(&name), bytes).unwrap();
        let options = format!(
            "path = \"{name}\"\nkey = {key}\nreload = \"on change\"\nformat = \"csv\"\nfields.m = \"text not null\"\nfields.k = \"bigint\""
        );
        let (plan, problems) = checked(&options, |options, environment| {
            ReferenceTables.check(&SpoutCheck {
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
