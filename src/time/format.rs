//! Timestamps as the sources of the world write them.

use super::civil::{self, DAY};
use super::timestamp::{fixed_offset, in_range, out_of_range, parse_local, parse_offset};
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// How far a time without a year may lie after now before it is taken for one of last year, in microseconds: clocks
/// of machines differ a little, and a second ahead must not become a year behind.
const AHEAD: i64 = 3_600_000_000;

/// How many years back a time without a year is looked for: a weekday and a 29th of February together recur within 40.
const YEARS_BACK: i16 = 40;

/// How timestamps of a source are written.
#[derive(Clone, Debug)]
pub struct TimestampFormat {
    layout: Layout,
    zone: Zone,
}

#[derive(Clone, Debug)]
enum Layout {
    Rfc3339,
    /// A count of units since 1970; so many of them are a second.
    Epoch {
        per_second: i64,
    },
    Pattern {
        pattern: String,
        year: Year,
    },
}

/// Where the year of a pattern comes from.
#[derive(Clone, Copy, Debug)]
enum Year {
    Text,
    Fixed(i16),
    Latest,
}

#[derive(Clone, Debug)]
enum Zone {
    /// East of Greenwich, in microseconds.
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    fn new(name: &str) -> Result<Zone, String> {
        if let Some(seconds) = fixed_offset(name) {
            return Ok(Zone::Fixed(seconds * 1_000_000));
        }
        TimeZone::get(name).map(Zone::Named).map_err(|_| {
            format!("`{name}` is not a time zone; write an IANA name such as `Europe/Berlin` or an offset as `+02:00`")
        })
    }

    /// UTC of a local time.
    #[inline]
    fn utc(&self, local: i64) -> Option<i64> {
        match self {
            Zone::Fixed(offset) => Some(local - offset),
            Zone::Named(zone) => zone_micros(local, zone),
        }
    }
}

/// UTC of a local time in a zone. A time that occurs twice (clocks are put back) is the first of the two, one that is
/// skipped is moved forward by the gap. None where it is out of range.
pub(super) fn zone_micros(local: i64, zone: &TimeZone) -> Option<i64> {
    let (days, of_day) = civil::split(local);
    let (year, month, day) = civil::date(days);
    let seconds = of_day / 1_000_000;
    let local = DateTime::new(
        i16::try_from(year).ok()?,
        month as i8,
        day as i8,
        (seconds / 3600) as i8,
        (seconds / 60 % 60) as i8,
        (seconds % 60) as i8,
        (of_day % 1_000_000 * 1000) as i32,
    );
    let found = zone.to_ambiguous_timestamp(local.ok()?).compatible().ok()?;
    Some(found.as_microsecond())
}

impl TimestampFormat {
    /// `rfc3339` (the default; also what [`super::parse_timestamp`] reads), `epoch_s`, `epoch_ms`, `epoch_us`,
    /// `epoch_ns`, or a strptime pattern with `%`. `zone` is an IANA name or offset for texts that say none (default
    /// UTC); `year` for those without a year (absent: the latest year that puts the time not after `now`, up to an
    /// hour for clocks that differ).
    ///
    /// # Errors
    /// What is wrong with the pattern or the zone, for people.
    pub fn new(pattern: &str, zone: Option<&str>, year: Option<i16>) -> Result<TimestampFormat, String> {
        let epoch = match pattern {
            "epoch_s" => Some(1),
            "epoch_ms" => Some(1000),
            "epoch_us" => Some(1_000_000),
            "epoch_ns" => Some(1_000_000_000),
            _ => None,
        };
        let layout = match epoch {
            Some(_) if zone.is_some() => {
                return Err(format!("`{pattern}` counts from 1970 UTC and has no zone; leave `zone` out"));
            }
            Some(per_second) => Layout::Epoch { per_second },
            None if pattern == "rfc3339" => Layout::Rfc3339,
            None if pattern.contains('%') => {
                Layout::Pattern { pattern: pattern.to_owned(), year: check(pattern, year)? }
            }
            None => {
                return Err(format!(
                    "`{pattern}` is not a format of timestamps; allowed are rfc3339, epoch_s, epoch_ms, epoch_us, \
                     epoch_ns, or a pattern such as `%d/%b/%Y:%H:%M:%S %z`"
                ));
            }
        };
        if year.is_some() && !matches!(layout, Layout::Pattern { .. }) {
            return Err(format!("`year` is for patterns without a year, not for `{pattern}`"));
        }
        let zone = zone.map_or(Ok(Zone::Fixed(0)), Zone::new)?;
        Ok(TimestampFormat { layout, zone })
    }

    /// Microseconds since 1970 UTC of a text; `now` is the wall clock in the same unit.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    #[inline]
    pub fn parse(&self, text: &str, now: i64) -> Result<i64, String> {
        match &self.layout {
            Layout::Rfc3339 => {
                let (local, rest) = parse_local(text)?;
                match rest.trim_start() {
                    "" => self.zone.utc(local).map_or_else(|| Err(out_of_range(text)), |utc| in_range(utc, text)),
                    "Z" => in_range(local, text),
                    _ => parse_offset(local, rest, text),
                }
            }
            Layout::Epoch { per_second } => parse_epoch(text.trim(), *per_second),
            Layout::Pattern { pattern, year } => self
                .parse_pattern(pattern, *year, text.trim(), now)
                .map_err(|reason| format!("`{text}` is not a timestamp of the form `{pattern}`: {reason}"))
                .and_then(|micros| in_range(micros, text)),
        }
    }

    /// The same for a JSON number: seconds, milliseconds, ... for the epoch formats (fractions allowed).
    ///
    /// # Errors
    /// The format is not one of numbers, or the number is out of range.
    pub fn parse_number(&self, number: f64) -> Result<i64, String> {
        let Layout::Epoch { per_second } = self.layout else {
            return Err(format!("the number {number} is not a timestamp; for numbers say `timestamps = \"epoch_s\"`"));
        };
        let micros = (number * (1_000_000.0 / per_second as f64)).round();
        // Written so that NaN is refused as well; the limits themselves are exact enough as doubles.
        if !(micros >= super::MIN_TIMESTAMP as f64 && micros < (super::MAX_TIMESTAMP + 1) as f64) {
            return Err(out_of_range(&number.to_string()));
        }
        Ok(micros as i64)
    }

    fn parse_pattern(&self, pattern: &str, year: Year, text: &str, now: i64) -> Result<i64, String> {
        let mut parts = BrokenDownTime::parse(pattern, text).map_err(reason)?;
        match year {
            Year::Text => self.resolve(&parts),
            Year::Fixed(year) => {
                parts.set_year(Some(year)).map_err(reason)?;
                self.resolve(&parts)
            }
            Year::Latest => self.resolve_latest(&mut parts, now),
        }
    }

    fn resolve_latest(&self, parts: &mut BrokenDownTime, now: i64) -> Result<i64, String> {
        let now = now.clamp(super::MIN_TIMESTAMP, super::MAX_TIMESTAMP);
        // An offset may put the local year ahead of the year in UTC.
        let first = civil::date(now.div_euclid(DAY) + 1).0.min(9999) as i16;
        let mut why = None;
        for year in (first.saturating_sub(YEARS_BACK).max(1)..=first).rev() {
            parts.set_year(Some(year)).map_err(reason)?;
            match self.resolve(parts) {
                Ok(micros) if micros <= now.saturating_add(AHEAD) => return Ok(micros),
                Ok(_) => {}
                Err(reason) => why = Some(reason),
            }
        }
        Err(why.unwrap_or_else(|| "it lies in the future in every year".to_owned()))
    }

    /// UTC of what a pattern has found.
    fn resolve(&self, parts: &BrokenDownTime) -> Result<i64, String> {
        if let Some(instant) = parts.timestamp() {
            let fraction = i64::from(parts.subsec_nanosecond().unwrap_or(0));
            return Ok(instant.as_second() * 1_000_000 + (fraction + 500) / 1000);
        }
        let local = parts.to_datetime().map_err(reason)?;
        let days = civil::days(i64::from(local.year()), local.month() as u32, local.day() as u32);
        let seconds = i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60 + i64::from(local.second());
        let fraction = (i64::from(local.subsec_nanosecond()) + 500) / 1000;
        let local = days * DAY + seconds * 1_000_000 + fraction;
        if let Some(offset) = parts.offset() {
            return Ok(local - i64::from(offset.seconds()) * 1_000_000);
        }
        let utc = match parts.iana_time_zone() {
            Some(name) => Zone::new(name)?.utc(local),
            None => self.zone.utc(local),
        };
        utc.ok_or_else(|| "a timestamp lies in the years 0001 to 9999".to_owned())
    }
}

fn reason(error: jiff::Error) -> String {
    error.to_string()
}

/// Checks a strptime pattern: what it writes it must be able to read, and a day must come out of it.
fn check(pattern: &str, year: Option<i16>) -> Result<Year, String> {
    let wrong = |reason: String| format!("`{pattern}` is not a pattern that timestamps can be read with: {reason}");
    let example = DateTime::constant(2001, 2, 3, 4, 5, 6, 789_000_000).to_zoned(TimeZone::UTC).map_err(reason)?;
    let text = jiff::fmt::strtime::format(pattern, &example).map_err(reason).map_err(wrong)?;
    let mut parts = BrokenDownTime::parse(pattern, &text).map_err(reason).map_err(wrong)?;
    let has_year = parts.year().is_some() || parts.iso_week_year().is_some() || parts.timestamp().is_some();
    let found = match year {
        Some(_) if has_year => {
            return Err(format!("`year` is for patterns without a year, and `{pattern}` has one"));
        }
        Some(year) if !(1..=9999).contains(&year) => return Err(format!("year {year} is not in 1 to 9999")),
        Some(year) => Year::Fixed(year),
        None if has_year => Year::Text,
        None => Year::Latest,
    };
    if !has_year {
        parts.set_year(Some(2001)).map_err(reason)?;
    }
    if parts.timestamp().is_none() && parts.to_datetime().is_err() {
        return Err(wrong(
            "it must say a day (such as `%Y-%m-%d`) and, before minutes and seconds, the hour".to_owned(),
        ));
    }
    Ok(found)
}

/// A decimal number of units since 1970, exact.
fn parse_epoch(text: &str, per_second: i64) -> Result<i64, String> {
    if per_second <= 1_000_000 && (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        let units = text.bytes().fold(0i64, |n, b| n * 10 + i64::from(b - b'0'));
        let micros = units.checked_mul(1_000_000 / per_second).ok_or_else(|| out_of_range(text))?;
        return in_range(micros, text);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if digits.is_empty() || digits == "." || !all_digits(whole) || !all_digits(fraction) {
        // JSON writes large numbers as 1.7e9.
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
        let number = number.ok_or_else(|| format!("`{text}` is not a number of units since 1970"))?;
        let format = TimestampFormat { layout: Layout::Epoch { per_second }, zone: Zone::Fixed(0) };
        return format.parse_number(number);
    }
    if whole.len() > 24 {
        return Err(out_of_range(text));
    }
    let fraction = &fraction[..fraction.len().min(12)];
    let scale = 10i128.pow(fraction.len() as u32);
    let value = |digits: &str| digits.bytes().fold(0i128, |n, b| n * 10 + i128::from(b - b'0'));
    let units = value(whole) * scale + value(fraction);
    let divisor = scale * i128::from(per_second);
    let units = if text.starts_with('-') { -units } else { units };
    let micros = (units * 2_000_000 + divisor).div_euclid(2 * divisor);
    i64::try_from(micros).map_err(|_| out_of_range(text)).and_then(|micros| in_range(micros, text))
}
