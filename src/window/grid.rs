//! Where panes of time begin: every so many microseconds, or at days, weeks and months of a time zone.
//!
//! A pane has a number, and panes follow each other without gaps: pane n reaches from [`Grid::start`] of n to that of
//! n + 1. A window that closes is a run of panes, so that all arithmetic on windows is on whole numbers. Weeks begin on
//! Monday, also as `7d`; everything else counts from 1970, UTC or local.

use crate::time::civil;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Monday the 5th of January 1970.
const MONDAY: i64 = 4 * civil::DAY;

/// Calendar units that panes may be long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Local days.
    Day,
    /// Local months; a year is twelve.
    Month,
}

/// Panes of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Grid {
    /// Of one length, in microseconds, above zero.
    Fixed(i64),
    /// Of so many local days or months, above zero.
    Calendar(Unit, i64, TimeZone),
}

/// A pane: its number, and [start, end) in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaneTime {
    /// Its number.
    pub number: i64,
    /// Its start.
    pub start: i64,
    /// The start of the next.
    pub end: i64,
}

impl Grid {
    /// Where panes are counted from, in their own unit.
    fn origin(&self) -> i64 {
        match self {
            Grid::Fixed(length) if length % (7 * civil::DAY) == 0 => MONDAY,
            Grid::Calendar(Unit::Day, days, _) if days % 7 == 0 => MONDAY / civil::DAY,
            _ => 0,
        }
    }

    /// Number of the pane that holds a time.
    pub fn number(&self, time: i64) -> i64 {
        match self {
            Grid::Fixed(length) => time.saturating_sub(self.origin()).div_euclid(*length),
            Grid::Calendar(unit, count, zone) => {
                let offset = Timestamp::from_microsecond(time).map_or(0, |at| zone.to_offset(at).seconds());
                let (days, _) = civil::split(time.saturating_add(i64::from(offset) * 1_000_000));
                let units = match unit {
                    Unit::Day => days,
                    Unit::Month => {
                        let (year, month, _) = civil::date(days);
                        (year - 1970) * 12 + i64::from(month) - 1
                    }
                };
                (units - self.origin()).div_euclid(*count)
            }
        }
    }

    /// Start of a pane; the end of time where that is out of range.
    pub fn start(&self, number: i64) -> i64 {
        match self {
            Grid::Fixed(length) => number.saturating_mul(*length).saturating_add(self.origin()),
            Grid::Calendar(unit, count, zone) => {
                let units = number.saturating_mul(*count).saturating_add(self.origin());
                let out = if number < 0 { i64::MIN } else { i64::MAX };
                let (year, month, day) = match unit {
                    // A date has years of four digits; what is beyond is cut before it is computed with.
                    Unit::Day if units.unsigned_abs() < 4_000_000 => civil::date(units),
                    Unit::Day => return out,
                    Unit::Month => (units.div_euclid(12).saturating_add(1970), units.rem_euclid(12) as u32 + 1, 1),
                };
                let Ok(year) = i16::try_from(year) else { return out };
                let date = Date::new(year, month as i8, day as i8);
                let first = date.and_then(|date| date.to_zoned(zone.clone()));
                first.map_or(out, |first| first.timestamp().as_microsecond())
            }
        }
    }

    /// The pane that holds a time.
    pub fn pane(&self, time: i64) -> PaneTime {
        let number = self.number(time);
        let pane =
            |number: i64| PaneTime { number, start: self.start(number), end: self.start(number.saturating_add(1)) };
        let found = pane(number);
        // Clocks that are put back over midnight let a local hour of the day before come once more.
        if found.end <= time && matches!(self, Grid::Calendar(..)) { pane(number + 1) } else { found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_timestamp;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        parse_timestamp(text).unwrap()
    }

    #[test]
    fn days_weeks_and_months_begin_where_the_zone_says() {
        let berlin = || TimeZone::get("Europe/Berlin").unwrap();
        let day = Grid::Calendar(Unit::Day, 1, berlin()).pane(at("2024-03-31T12:00:00Z"));
        assert_eq!((day.start, day.end), (at("2024-03-30T23:00:00Z"), at("2024-03-31T22:00:00Z")));
        let week = Grid::Calendar(Unit::Day, 7, berlin()).pane(at("2024-03-31T12:00:00Z"));
        assert_eq!((week.start, week.end), (at("2024-03-24T23:00:00Z"), at("2024-03-31T22:00:00Z")));
        let month = Grid::Calendar(Unit::Month, 1, berlin()).pane(at("2024-02-29T23:30:00Z"));
        assert_eq!((month.start, month.end), (at("2024-02-29T23:00:00Z"), at("2024-03-31T22:00:00Z")));
        let quarter = Grid::Calendar(Unit::Month, 3, TimeZone::UTC).pane(at("1969-11-05T00:00:00Z"));
        assert_eq!((quarter.number, quarter.start), (-1, at("1969-10-01T00:00:00Z")));
        let week = Grid::Fixed(7 * civil::DAY).pane(at("2024-01-01T00:00:00Z"));
        assert_eq!(week.start, at("2024-01-01T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn panes_follow_each_other(time in -3_000_000_000_000_000i64..6_000_000_000_000_000, count in 1i64..9, zone in 0usize..4) {
            let zone = ["UTC", "Europe/Berlin", "America/Havana", "Pacific/Apia"][zone];
            let zone = || TimeZone::get(zone).unwrap();
            for grid in [Grid::Fixed(count * 7_000_001), Grid::Calendar(Unit::Day, count, zone()), Grid::Calendar(Unit::Month, count, zone())] {
                let pane = grid.pane(time);
                prop_assert!(pane.start <= time && time < pane.end, "{grid:?} {pane:?} {time}");
                prop_assert_eq!(grid.start(pane.number), pane.start);
                prop_assert_eq!(grid.start(pane.number + 1), pane.end);
                let next = grid.pane(pane.end);
                // A day that a zone has skipped has no time of its own.
                prop_assert!(next.start == pane.end && next.number > pane.number);
            }
        }
    }

    #[test]
    fn the_ends_of_time_are_no_error() {
        for grid in [Grid::Fixed(1), Grid::Fixed(i64::MAX), Grid::Calendar(Unit::Month, 1, TimeZone::UTC)] {
            for time in [i64::MIN, i64::MIN + 1, 0, i64::MAX - 1, i64::MAX] {
                grid.pane(time);
            }
        }
    }
}
