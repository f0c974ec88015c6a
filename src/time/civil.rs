//! Days of the proleptic Gregorian calendar.
//!
//! Source: the day-count formulas of H. Hinnant, "chrono-compatible low-level date algorithms".

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// Days from 1970-01-01 to a date. Month 1 to 12, day 1 to 31; not checked.
#[inline]
pub fn days(year: i64, month: u32, day: u32) -> i64 {
    // The year starts in March, so that the day of a leap year comes last.
    let early = i64::from(month <= 2);
    let year = year - early;
    let month = i64::from(month) + 12 * early - 3;
    let century = year.div_euclid(100);
    (year * 1461).div_euclid(4) - century + century.div_euclid(4) + (153 * month + 2) / 5 + i64::from(day) - 719_469
}

/// Year, month (1 to 12) and day (1 to 31) of the day this many days after 1970-01-01.
#[inline]
pub fn date(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u32, day as u32)
}

/// Day of the week of the day this many days after 1970-01-01: 0 is Sunday, 6 Saturday.
#[inline]
pub fn weekday(days: i64) -> u32 {
    (days + 4).rem_euclid(7) as u32
}

/// Whether the year has a 29th of February.
#[inline]
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month; month 1 to 12.
#[inline]
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Day and microsecond of the day of a time.
#[inline]
pub fn split(micros: i64) -> (i64, i64) {
    (micros.div_euclid(DAY), micros.rem_euclid(DAY))
}
