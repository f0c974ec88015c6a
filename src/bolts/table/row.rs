//! A row of a table: when it was inserted, and its columns packed into bytes that are used again when the row is
//! replaced, so that an update allocates nothing.

use crate::store::Codec;

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Number of the insertion, from 1; 0 for a place without a row.
    pub order: u64,
    /// The columns, packed as [`cells`](crate::bolts::cells) says.
    pub cells: Vec<u8>,
}

impl Codec for Row {
    fn write(&self, out: &mut Vec<u8>) {
        self.order.write(out);
        out.extend_from_slice(&self.cells);
    }

    fn read(from: &mut &[u8]) -> Option<Row> {
        let order = u64::read(from)?;
        Some(Row { order, cells: std::mem::take(from).to_vec() })
    }

    fn heap_bytes(&self) -> usize {
        self.cells.capacity()
    }
}
