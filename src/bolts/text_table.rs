//! Tables of text for reports: aligned columns, one line each row.

use std::fmt::Write;

/// Which side of its column a cell stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table that is printed once all rows are there.
#[derive(Clone, Debug, Default)]
pub struct TextTable {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// A table with these headings.
    pub fn new<'a>(headings: impl IntoIterator<Item = (&'a str, Align)>) -> TextTable {
        let (names, aligns) = headings.into_iter().map(|(name, align)| (clean(name), align)).unzip();
        TextTable { aligns, rows: vec![names] }
    }

    /// Adds a row; control characters are written as escapes, so that a text cannot break the table.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.rows.push(cells.into_iter().map(|cell| clean(cell.as_ref())).collect());
    }

    /// The table, two blanks between columns, no blanks at ends of lines, a line feed after each.
    pub fn render(&self) -> String {
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.aligns.len()).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let start = out.len();
            for (i, (cell, align)) in row.iter().zip(&self.aligns).enumerate() {
                if i > 0 {
                    out.push_str("  ");
                }
                let width = widths[i];
                // Writing to a string cannot fail.
                let _ = match align {
                    Align::Left => write!(out, "{cell:<width$}"),
                    Align::Right => write!(out, "{cell:>width$}"),
                };
            }
            out.truncate(start + out[start..].trim_end().len());
            out.push('\n');
        }
        out
    }
}

fn clean(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_rows_stay_lines() {
        let mut table = TextTable::new([("rule", Align::Left), ("n", Align::Right)]);
        table.row(["velocity", "7"]);
        table.row(["a\nb", "1200"]);
        assert_eq!(table.render(), "rule         n\nvelocity     7\na\\nb      1200\n");
    }
}
