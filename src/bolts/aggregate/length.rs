//! Lengths of windows as people write them: durations, numbers of rows, months of a calendar.

use crate::component::{Node, Options};
use crate::time::{self, civil};
use crate::window::Unit;
use jiff::tz::TimeZone;

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Microseconds.
    Time(i64),
    /// Rows.
    Rows(u64),
    /// Months of a calendar.
    Months(i64),
}

/// What a length may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// A duration.
    Time,
    /// A duration or a number of rows.
    Rows,
    /// These, or months and years.
    Calendar,
}

impl Kinds {
    fn wanted(self) -> &'static str {
        match self {
            Kinds::Time => "a duration such as \"10m\"",
            Kinds::Rows => "a duration such as \"10m\" or a number of rows such as \"20 rows\"",
            Kinds::Calendar => "a duration such as \"10m\", a number of rows such as \"20 rows\", or \"1 month\"",
        }
    }
}

/// Reads a length above zero; none if it is none, which has been recorded.
pub fn extent(options: &Options<'_>, name: &str, node: &Node, kinds: Kinds) -> Option<Extent> {
    let text = node.as_text().map(|text| text.trim().to_ascii_lowercase());
    let found = text.as_deref().and_then(parse);
    let fits = match found {
        Some(Extent::Time(_)) => true,
        Some(Extent::Rows(_)) => kinds != Kinds::Time,
        Some(Extent::Months(_)) => kinds == Kinds::Calendar,
        None => false,
    };
    if !fits {
        options.wrong(name, node, kinds.wanted());
    }
    found.filter(|_| fits)
}

fn parse(text: &str) -> Option<Extent> {
    let counted = |units: &[&str]| {
        let number = units.iter().find_map(|unit| text.strip_suffix(unit))?;
        number.trim().parse::<u32>().ok().filter(|n| *n > 0)
    };
    if let Some(rows) = text.strip_suffix("rows").or_else(|| text.strip_suffix("row")) {
        return rows.trim().parse().ok().filter(|rows| *rows > 0).map(Extent::Rows);
    }
    if let Some(months) = counted(&["months", "month", "mons", "mon"]) {
        return Some(Extent::Months(i64::from(months)));
    }
    if let Some(years) = counted(&["years", "year"]) {
        return Some(Extent::Months(i64::from(years) * 12));
    }
    time::parse_interval(text).ok().filter(|micros| *micros > 0).map(Extent::Time)
}

/// A duration of zero or more; none if it is none, which has been recorded.
pub fn duration(options: &Options<'_>, name: &str, node: &Node) -> Option<i64> {
    let micros = node.as_text().and_then(|text| time::parse_interval(text).ok()).filter(|micros| *micros >= 0);
    if micros.is_none() {
        options.wrong(name, node, Kinds::Time.wanted());
    }
    micros
}

/// A time zone by its name; none if there is none of this name, which has been recorded.
pub fn zone(options: &Options<'_>, name: &str, node: &Node) -> Option<TimeZone> {
    let zone = node.as_text().and_then(|text| TimeZone::get(text).ok());
    if zone.is_none() {
        options.wrong(name, node, "a time zone such as \"Europe/Berlin\"");
    }
    zone
}

/// A length in whole units of a calendar.
pub fn units(extent: Extent) -> Option<(Unit, i64)> {
    match extent {
        Extent::Time(micros) if micros % civil::DAY == 0 => Some((Unit::Day, micros / civil::DAY)),
        Extent::Months(months) => Some((Unit::Month, months)),
        _ => None,
    }
}

/// The greatest common divisor of two numbers above zero.
pub fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_durations_rows_or_months() {
        assert_eq!(parse("1h30m"), Some(Extent::Time(5_400_000_000)));
        assert_eq!(parse("20 rows"), Some(Extent::Rows(20)));
        assert_eq!(parse("1row"), Some(Extent::Rows(1)));
        assert_eq!(parse("3 months"), Some(Extent::Months(3)));
        assert_eq!(parse("1 year"), Some(Extent::Months(12)));
        for wrong in ["", "0 rows", "-1 rows", "0s", "-1 month", "month", "1.5 months", "99999999999 years", "x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
