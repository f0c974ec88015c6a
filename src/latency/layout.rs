//! Numbers and tables as people read them.

/// A count with commas: `12,345,678`.
pub fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A latency in the unit that suits it: `210 ns`, `1.3 us`, `17 us`, `3.4 ms`, `2.0 s`.
pub fn nanos_text(nanos: u64) -> String {
    if nanos < 1000 {
        return format!("{nanos} ns");
    }
    let mut value = nanos as f64;
    for unit in ["us", "ms"] {
        value /= 1000.0;
        if value < 9.95 {
            return format!("{value:.1} {unit}");
        }
        if value < 999.5 {
            return format!("{value:.0} {unit}");
        }
    }
    format!("{:.1} s", value / 1000.0)
}

/// A length of time as a clock would say it: `12.4 s`, `3m 05s`, `2h 03m`, `4d 02h`.
pub fn duration_text(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        0 => nanos_text(nanos),
        1..60 => format!("{:.1} s", nanos as f64 / 1e9),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How many a second: `995,613/s`, `2.5/s`.
pub(super) fn rate_text(count: u64, nanos: u64) -> String {
    if nanos == 0 {
        return String::new();
    }
    let rate = count as f64 * 1e9 / nanos as f64;
    if rate >= 9.95 || rate == 0.0 { format!("{}/s", count_text(rate.round() as u64)) } else { format!("{rate:.1}/s") }
}

/// A share as a percentage that never says 100 where something is missing: `99.98 %`.
pub(super) fn share_text(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 100.0 {
        return "100 %".to_owned();
    }
    let shown = if percent > 90.0 { (percent * 1000.0).floor() / 1000.0 } else { (percent * 10.0).round() / 10.0 };
    format!("{shown} %")
}

/// A column of a table.
pub(super) struct Heading {
    /// Its title; that of the first column is the table's.
    pub title: &'static str,
    /// Which column goes first where the width does not suffice: the one with the lowest number; 255 stays.
    pub weight: u8,
}

/// A table: words flush left, numbers flush right. Columns without content are left out.
pub(super) struct Table {
    headings: Vec<Heading>,
    rows: Vec<Vec<String>>,
}

/// Columns that are kept at any width.
pub(super) const KEPT: u8 = 255;

const INDENT: usize = 2;
const GAP: usize = 2;
const NARROWEST_NAME: usize = 8;

impl Table {
    pub fn new(headings: &[(&'static str, u8)]) -> Table {
        let headings = headings.iter().map(|(title, weight)| Heading { title, weight: *weight }).collect();
        Table { headings, rows: Vec::new() }
    }

    /// Adds a row, one cell for each heading.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.headings.len());
        self.rows.push(cells);
    }

    /// Prints it; nothing without rows. Names that are too long are cut.
    pub fn print(&self, width: usize, out: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        let cell_width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let mut columns: Vec<(usize, usize)> = (0..self.headings.len())
            .map(|column| (column, cell_width(column)))
            .filter(|(column, widest)| *column == 0 || *widest > 0)
            .map(|(column, widest)| {
                let title = self.headings[column].title.chars().count();
                (column, if column == 0 { (widest + INDENT).max(title) } else { widest.max(title) })
            })
            .collect();
        let total = |columns: &[(usize, usize)]| columns.iter().map(|(_, w)| w + GAP).sum::<usize>() - GAP;
        while total(&columns) > width {
            let droppable = columns.iter().filter(|(c, _)| *c > 0 && self.headings[*c].weight < KEPT);
            let Some((lightest, _)) = droppable.min_by_key(|(c, _)| self.headings[*c].weight).copied() else {
                break;
            };
            columns.retain(|(column, _)| *column != lightest);
        }
        let over = total(&columns).saturating_sub(width);
        columns[0].1 = columns[0].1.saturating_sub(over).max(NARROWEST_NAME.min(columns[0].1));

        let titles: Vec<&str> = self.headings.iter().map(|h| h.title).collect();
        self.print_row(&columns, &titles, 0, out);
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            self.print_row(&columns, &cells, INDENT, out);
        }
    }

    /// Whether a column holds words: nothing in it starts with a digit.
    fn is_words(&self, column: usize) -> bool {
        self.rows.iter().all(|row| !row[column].starts_with(|c: char| c.is_ascii_digit()))
    }

    fn print_row(&self, columns: &[(usize, usize)], cells: &[&str], indent: usize, out: &mut String) {
        let mut line = String::new();
        for (column, width) in columns {
            if *column == 0 {
                line.push_str(&" ".repeat(indent));
                let room = width - indent.min(*width);
                line.push_str(&format!("{:<room$}", cut(cells[0], room)));
                continue;
            }
            line.push_str(&" ".repeat(GAP));
            let cell = cells[*column];
            line.push_str(&if self.is_words(*column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// The text, its end replaced by `…` where it has more than `room` characters.
pub(super) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(room.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Prints words on lines of at most `width` characters; `first` starts the first line, blanks as wide the others.
pub(super) fn wrap(first: &str, text: &str, width: usize, out: &mut String) {
    let indent = first.chars().count();
    let mut line = first.to_owned();
    let mut used = indent;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if used > indent && used + 1 + len > width {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent);
            used = indent;
        }
        if used > indent {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += len;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
