//! The windows of a key as the store keeps them: where it stands in time, then each pane, session or part with its
//! running results. What a sliding window has merged follows from them.

use super::counted::{self, Counted, Part};
use super::sessions::{self, Session};
use super::{Closing, Pane, Windows, panes};
use crate::store::{Codec, Content, Index, ListsOf, Space, StoreError};

/// What entry numbers and lists take beside keys and cells, bytes.
const AROUND: usize = 64;

fn damaged() -> StoreError {
    StoreError::Damaged { what: "the windows of a key".to_owned(), why: "they are cut".to_owned() }
}

impl Closing {
    fn write(&self, entry: u32, out: &mut Vec<u8>) {
        match &self.windows {
            Windows::Panes(panes) => {
                let key = panes.keys.get(entry);
                [key.open, key.early, key.newest].iter().for_each(|time| time.write(out));
                (key.panes.len() as u32).write(out);
                for pane in &key.panes {
                    (pane.number, pane.changed).write(out);
                    self.cells.write(pane.cell, out);
                }
                key.left.write(out);
            }
            Windows::Sessions(sessions) => {
                let key = sessions.keys.get(entry);
                [key.early, key.newest].iter().for_each(|time| time.write(out));
                (key.sessions.len() as u32).write(out);
                for session in &key.sessions {
                    ((session.first, session.last), session.left).write(out);
                    (session.closed, session.changed).write(out);
                    self.cells.write(session.cell, out);
                }
            }
            Windows::Counted(counted) => {
                let key = counted.keys.get(entry);
                [key.open, key.newest].iter().for_each(|time| time.write(out));
                (key.parts.len() as u32).write(out);
                for part in &key.parts {
                    ((part.number, part.rows), (part.first, part.last)).write(out);
                    self.cells.write(part.cell, out);
                }
            }
        }
    }

    fn read_back(&mut self, entry: u32, from: &mut &[u8]) -> Option<()> {
        let cells = &mut self.cells;
        match &mut self.windows {
            Windows::Panes(panes) => {
                let key: &mut panes::Key = panes.keys.get_mut(entry);
                (key.open, key.early, key.newest) = (i64::read(from)?, i64::read(from)?, i64::read(from)?);
                for _ in 0..u32::read(from)? {
                    let (number, changed) = Codec::read(from)?;
                    key.panes.push_back(Pane { number, cell: cells.read_back(from)?, changed });
                }
                key.left = Codec::read(from)?;
            }
            Windows::Sessions(sessions) => {
                let key: &mut sessions::Key = sessions.keys.get_mut(entry);
                (key.early, key.newest) = (i64::read(from)?, i64::read(from)?);
                for _ in 0..u32::read(from)? {
                    let ((first, last), left) = Codec::read(from)?;
                    let (closed, changed) = Codec::read(from)?;
                    let cell = cells.read_back(from)?;
                    key.sessions.push_back(Session { first, last, cell, left, closed, changed });
                }
            }
            Windows::Counted(counted) => {
                let key: &mut counted::Key = counted.keys.get_mut(entry);
                (key.open, key.newest) = (i64::read(from)?, i64::read(from)?);
                for _ in 0..u32::read(from)? {
                    let ((number, rows), (first, last)) = Codec::read(from)?;
                    key.parts.push_back(Part { number, cell: cells.read_back(from)?, rows, first, last });
                }
                Counted::list(key);
            }
        }
        Some(())
    }
}

impl Content for Closing {
    fn encode(&mut self, entry: u32, _: &mut ListsOf<'_>, out: &mut Vec<u8>) {
        self.write(entry, out);
    }

    fn decode(&mut self, entry: u32, mut bytes: &[u8], _: &Space) -> Result<(), StoreError> {
        self.read_back(entry, &mut bytes).ok_or_else(damaged)
    }

    fn reset(&mut self, entry: u32) {
        Closing::reset(self, entry);
    }

    fn touched(&self, entry: u32) -> i64 {
        self.newest(entry)
    }

    fn used_bytes(&self, entries: usize) -> usize {
        let (key, cell) = self.bytes();
        Index::bytes_of(entries) + entries * (key + AROUND) + self.cells.live() * cell
    }
}
