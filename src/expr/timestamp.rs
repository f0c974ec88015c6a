//! Parts of timestamps and intervals: `extract`, `date_trunc`, `date_bin`.
//!
//! The calendar is the proleptic Gregorian one in UTC. Days and civil dates are converted with the usual arithmetic
//! over 400-year eras that begin in March.

use super::fault::{Cx, Fault};
use super::number;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A field of a timestamp or interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Epoch,
    Dow,
    Isodow,
    Doy,
    Isoyear,
}

/// Names of the fields, the usual one first where there are several.
pub(crate) const FIELDS: &[(&str, Field)] = &[
    ("microseconds", Field::Microseconds),
    ("microsecond", Field::Microseconds),
    ("milliseconds", Field::Milliseconds),
    ("millisecond", Field::Milliseconds),
    ("second", Field::Second),
    ("seconds", Field::Second),
    ("minute", Field::Minute),
    ("minutes", Field::Minute),
    ("hour", Field::Hour),
    ("hours", Field::Hour),
    ("day", Field::Day),
    ("days", Field::Day),
    ("week", Field::Week),
    ("weeks", Field::Week),
    ("month", Field::Month),
    ("months", Field::Month),
    ("quarter", Field::Quarter),
    ("year", Field::Year),
    ("years", Field::Year),
    ("decade", Field::Decade),
    ("century", Field::Century),
    ("millennium", Field::Millennium),
    ("epoch", Field::Epoch),
    ("dow", Field::Dow),
    ("isodow", Field::Isodow),
    ("doy", Field::Doy),
    ("isoyear", Field::Isoyear),
];

/// The field of this name.
pub(crate) fn field(name: &str) -> Option<Field> {
    FIELDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, field)| *field)
}

/// Days since 1970-01-01 of a civil date.
pub(crate) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month, day of days since 1970-01-01.
pub(crate) fn civil_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// ISO year and week.
fn iso_week(days: i64) -> (i64, i64) {
    // The week's Thursday lies in the year the week belongs to.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, _, _) = civil_of(thursday);
    (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
}

/// `extract(field from timestamp)`.
#[inline]
pub(crate) fn part(field: Field, micros: i64) -> f64 {
    let (days, time) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    match field {
        Field::Hour => return (time / HOUR) as f64,
        Field::Minute => return (time / MINUTE % 60) as f64,
        Field::Second => return (time % MINUTE) as f64 / SECOND as f64,
        Field::Milliseconds => return (time % MINUTE) as f64 / 1e3,
        Field::Microseconds => return (time % MINUTE) as f64,
        Field::Epoch => return micros as f64 / SECOND as f64,
        Field::Dow => return (days + 4).rem_euclid(7) as f64,
        Field::Isodow => return ((days + 3).rem_euclid(7) + 1) as f64,
        Field::Week => return iso_week(days).1 as f64,
        Field::Isoyear => return iso_week(days).0 as f64,
        _ => {}
    }
    let (year, month, day) = civil_of(days);
    // There is no year 0: 1 BC is -1.
    let shown = if year > 0 { year } else { year - 1 };
    let value = match field {
        Field::Day => day,
        Field::Month => month,
        Field::Quarter => (month - 1) / 3 + 1,
        Field::Doy => days - days_of(year, 1, 1) + 1,
        Field::Decade => year.div_euclid(10),
        Field::Century if year > 0 => (year + 99) / 100,
        Field::Century => -((99 - (year - 1)) / 100),
        Field::Millennium if year > 0 => (year + 999) / 1000,
        Field::Millennium => -((999 - (year - 1)) / 1000),
        _ => shown,
    };
    value as f64
}

/// `extract(field from interval)`: days are 24 hours, there are no months.
pub(crate) fn interval_part(cx: &Cx<'_>, field: Field, micros: i64) -> f64 {
    let time = micros % DAY;
    match field {
        Field::Epoch => micros as f64 / SECOND as f64,
        Field::Day => (micros / DAY) as f64,
        Field::Hour => (time / HOUR) as f64,
        Field::Minute => (time / MINUTE % 60) as f64,
        Field::Second => (time % MINUTE) as f64 / SECOND as f64,
        Field::Milliseconds => (time % MINUTE) as f64 / 1e3,
        Field::Microseconds => (time % MINUTE) as f64,
        Field::Month | Field::Year | Field::Decade | Field::Century | Field::Millennium => 0.0,
        Field::Quarter => 1.0,
        Field::Week | Field::Dow | Field::Isodow | Field::Doy | Field::Isoyear => {
            cx.fail_with(Fault::InvalidArgument, "an interval has no such field");
            0.0
        }
    }
}

fn fixed_length(field: Field) -> Option<i64> {
    Some(match field {
        Field::Microseconds => 1,
        Field::Milliseconds => 1000,
        Field::Second => SECOND,
        Field::Minute => MINUTE,
        Field::Hour => HOUR,
        Field::Day => DAY,
        _ => return None,
    })
}

/// Whether `date_trunc` knows this field.
pub(crate) fn truncates(field: Field) -> bool {
    !matches!(field, Field::Epoch | Field::Dow | Field::Isodow | Field::Doy | Field::Isoyear)
}

/// `date_trunc(field, timestamp)`.
pub(crate) fn truncate(cx: &Cx<'_>, field: Field, micros: i64) -> i64 {
    if let Some(length) = fixed_length(field) {
        return number::sub_i64(cx, micros, micros.rem_euclid(length));
    }
    let days = micros.div_euclid(DAY);
    let (year, month, _) = civil_of(days);
    let start = match field {
        Field::Week => days - (days + 3).rem_euclid(7),
        Field::Month => days_of(year, month, 1),
        Field::Quarter => days_of(year, (month - 1) / 3 * 3 + 1, 1),
        Field::Year => days_of(year, 1, 1),
        Field::Decade => days_of(year.div_euclid(10) * 10, 1, 1),
        Field::Century => days_of((year - 1).div_euclid(100) * 100 + 1, 1, 1),
        Field::Millennium => days_of((year - 1).div_euclid(1000) * 1000 + 1, 1, 1),
        _ => {
            cx.fail_with(Fault::InvalidArgument, "date_trunc knows no such unit");
            return 0;
        }
    };
    number::mul_i64(cx, start, DAY)
}

/// `date_trunc(field, interval)`: towards zero.
pub(crate) fn truncate_interval(cx: &Cx<'_>, field: Field, micros: i64) -> i64 {
    match field {
        Field::Month | Field::Quarter | Field::Year | Field::Decade | Field::Century | Field::Millennium => 0,
        _ => match fixed_length(field) {
            Some(length) => micros - micros % length,
            None => {
                cx.fail_with(Fault::InvalidArgument, "an interval cannot be truncated to this unit");
                0
            }
        },
    }
}

/// `date_bin(stride, time, origin)`: the start of the bin that `time` lies in.
pub(crate) fn bin(cx: &Cx<'_>, stride: i64, time: i64, origin: i64) -> i64 {
    if stride <= 0 {
        cx.fail_with(Fault::InvalidArgument, "the stride of date_bin must be greater than zero");
        return 0;
    }
    let since = number::sub_i64(cx, time, origin);
    number::sub_i64(cx, time, since.rem_euclid(stride))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_and_days_are_inverse() {
        for days in (-1_000_000..1_000_000).step_by(97) {
            let (year, month, day) = civil_of(days);
            assert_eq!(days_of(year, month, day), days);
        }
        assert_eq!(civil_of(19_782), (2024, 2, 29));
        assert_eq!(part(Field::Isodow, 0), 4.0);
        assert_eq!(iso_week(days_of(2021, 1, 3)), (2020, 53));
        assert_eq!(iso_week(days_of(2024, 12, 30)), (2025, 1));
    }
}
