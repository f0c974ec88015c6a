//! Timestamps in the layouts of RFC 3339 and PostgreSQL.

use super::civil::{self, DAY};
use super::format::zone_micros;

/// The first instant that can be written: 0001-01-01 00:00 UTC.
pub const MIN_TIMESTAMP: i64 = -62_135_596_800_000_000;
/// The last instant that can be written: the microsecond before the year 10000.
pub const MAX_TIMESTAMP: i64 = 253_402_300_799_999_999;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Parses a timestamp as PostgreSQL reads it and RFC 3339 writes it: `2024-01-02`, `20240102`, `2024-01-02 03:04`,
/// `2024-01-02 03:04:05.678`, `2024-01-02T03:04:05Z`, `2024-01-02 03:04:05+02`, `2024-01-02 03:04:05 Europe/Berlin`;
/// UTC without an offset. Years 0001 to 9999.
///
/// # Errors
/// What is wrong with it, for people.
#[inline]
pub fn parse_timestamp(text: &str) -> Result<i64, String> {
    let (local, rest) = parse_local(text)?;
    match rest {
        "" | "Z" => in_range(local, text),
        _ => parse_offset(local, rest, text),
    }
}

/// Refuses what lies outside the years 0001 to 9999.
#[inline]
pub(super) fn in_range(micros: i64, text: &str) -> Result<i64, String> {
    if (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&micros) { Ok(micros) } else { Err(out_of_range(text)) }
}

#[cold]
pub(super) fn out_of_range(text: &str) -> String {
    format!("`{text}` is out of range: a timestamp lies in the years 0001 to 9999")
}

#[cold]
fn not_a_timestamp(text: &str) -> String {
    format!("`{text}` is not a timestamp such as `2024-01-02 03:04:05.678` or `2024-01-02T03:04:05Z`")
}

/// Reads date and clock. Gives the microseconds as if they were UTC, and what stands behind them (an offset, or
/// nothing).
#[inline]
pub(super) fn parse_local(text: &str) -> Result<(i64, &str), String> {
    let bytes = text.as_bytes();
    if let Some(head) = bytes.first_chunk::<19>()
        && let Some(seconds) = fixed(head)
    {
        let (fraction, end) = if matches!(bytes.get(19), Some(b'.' | b',')) { fraction(bytes, 20) } else { (0, 19) };
        if end != 20 {
            return Ok((seconds * SECOND + fraction, &text[end..]));
        }
    }
    loose(text)
}

/// `YYYY-MM-DD HH:MM:SS` or with a `T`, in seconds; none if it has another form or is no date.
#[inline]
fn fixed(b: &[u8; 19]) -> Option<i64> {
    let digit = |i: usize| u32::from(b[i].wrapping_sub(b'0'));
    let mut digits = true;
    let mut two = |i: usize| {
        digits &= digit(i) < 10 && digit(i + 1) < 10;
        digit(i) * 10 + digit(i + 1)
    };
    let (century, year, month, day) = (two(0), two(2), two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let marks = b[4] == b'-' && b[7] == b'-' && (b[10] == b' ' || b[10] == b'T') && b[13] == b':' && b[16] == b':';
    if !digits || !marks {
        return None;
    }
    let year = i64::from(century * 100 + year);
    let date = year > 0 && month.wrapping_sub(1) < 12 && day.wrapping_sub(1) < 28;
    let date = date || (year > 0 && (1..=12).contains(&month) && day > 0 && day <= civil::days_in_month(year, month));
    if !date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(civil::days(year, month, day) * 86_400 + i64::from(hour * 3600 + minute * 60 + second))
}

/// Digits from `start` on as a fraction of a second, in microseconds, rounded; and where they end.
#[inline]
fn fraction(bytes: &[u8], start: usize) -> (i64, usize) {
    let mut at = start;
    let mut value = 0i64;
    let mut unit = 1_000_000i64;
    while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        if unit > 1 {
            unit /= 10;
            value += i64::from(digit) * unit;
        } else if at == start + 6 {
            value += i64::from(digit >= 5);
        }
        at += 1;
    }
    (value, at)
}

/// A run of one to `most` digits from `at` on, and where it ends.
fn number(bytes: &[u8], at: usize, most: usize) -> Option<(i64, usize)> {
    let len = bytes[at.min(bytes.len())..].iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    let value = bytes[at.min(bytes.len())..].iter().take(len).fold(0, |n, b| n * 10 + i64::from(b - b'0'));
    (len > 0).then_some((value, at + len))
}

/// The forms beside the fixed one: a date only, no seconds, single digits, `24:00`, second 60, `t` in lower case.
#[cold]
fn loose(text: &str) -> Result<(i64, &str), String> {
    loose_parts(text.trim()).ok_or_else(|| not_a_timestamp(text))?.ok_or_else(|| no_such_time(text))
}

#[cold]
fn no_such_time(text: &str) -> String {
    format!("`{text}` is not a timestamp: there is no such day or time of day")
}

/// Year, month and day as `2024-01-02` or `20240102`, and where they end.
fn date(b: &[u8]) -> Option<(i64, i64, i64, usize)> {
    let whole = |end: usize| b.get(end).is_none_or(|c| !c.is_ascii_digit());
    if let Some((packed, 8)) = number(b, 0, 8)
        && whole(8)
    {
        return Some((packed / 10_000, packed / 100 % 100, packed % 100, 8));
    }
    let (year, at) = number(b, 0, 4).filter(|(_, end)| *end == 4 && b.get(4) == Some(&b'-'))?;
    let (month, at) = number(b, at + 1, 2).filter(|(_, end)| b.get(*end) == Some(&b'-'))?;
    let (day, at) = number(b, at + 1, 2).filter(|(_, end)| whole(*end))?;
    Some((year, month, day, at))
}

/// None: not of the form; inner none: of the form, but there is no such day or time.
fn loose_parts(text: &str) -> Option<Option<(i64, &str)>> {
    let (year, month, day, at) = date(text.as_bytes())?;
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=i64::from(civil::days_in_month(year, month as u32))).contains(&day);
    let midnight = if valid { civil::days(year, month as u32, day as u32) * DAY } else { 0 };

    let after = &text[at..];
    let clock = after.strip_prefix(['T', 't']).unwrap_or_else(|| after.trim_start());
    if clock.len() == after.len() || !clock.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(valid.then_some((midnight, clock)));
    }
    let b = clock.as_bytes();
    let (hour, at) = number(b, 0, 2).filter(|(_, end)| b.get(*end) == Some(&b':'))?;
    let (minute, mut at) = number(b, at + 1, 2)?;
    let (mut second, mut part) = (0, 0);
    if b.get(at) == Some(&b':') {
        (second, at) = number(b, at + 1, 2)?;
        if matches!(b.get(at), Some(b'.' | b',')) {
            let (micros, end) = fraction(b, at + 1);
            if end == at + 1 {
                return None;
            }
            (part, at) = (micros, end);
        }
    }
    let of_day = hour * HOUR + minute * MINUTE + second * SECOND + part;
    // Second 60 is a leap second, which counts as the first of the next minute; 24:00 is the end of the day.
    let valid = valid && minute < 60 && second <= 60 && (hour < 24 || of_day == DAY);
    Some(valid.then_some((midnight + of_day, &clock[at..])))
}

/// What stands behind date and clock: an offset or the name of a zone.
#[cold]
pub(super) fn parse_offset(local: i64, rest: &str, text: &str) -> Result<i64, String> {
    let rest = rest.trim();
    if rest.is_empty() {
        return in_range(local, text);
    }
    if let Some(offset) = fixed_offset(rest) {
        return in_range(local - offset * SECOND, text);
    }
    let name = rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')).unwrap_or(rest);
    // RFC 9557 puts the zone's name behind the offset, which already says everything.
    if let Some(open) = rest.find('[')
        && let Some(offset) = fixed_offset(rest[..open].trim_end())
    {
        return in_range(local - offset * SECOND, text);
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!("`{text}` is not a timestamp: `{rest}` is not an offset such as `Z` or `+02:00`"));
    }
    let zone = jiff::tz::TimeZone::get(name)
        .map_err(|_| format!("`{text}` is not a timestamp: `{name}` is not an offset or the name of a time zone"))?;
    zone_micros(local, &zone).ok_or_else(|| out_of_range(text))
}

/// `Z`, `UTC`, `+02`, `+0200`, `+02:00`, `+02:00:00`, in seconds east of Greenwich.
pub(super) fn fixed_offset(text: &str) -> Option<i64> {
    if ["z", "utc", "gmt"].iter().any(|name| text.eq_ignore_ascii_case(name)) {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let b = &text.as_bytes()[1..];
    let (hour, mut at) = number(b, 0, 2)?;
    let mut seconds = hour * 3600;
    for unit in [60, 1] {
        if at == b.len() {
            break;
        }
        let start = if b[at] == b':' { at + 1 } else { at };
        let (value, end) = number(b, start, 2).filter(|(value, end)| *value < 60 && *end == start + 2)?;
        seconds += value * unit;
        at = end;
    }
    (at == b.len() && seconds < 26 * 3600).then_some(sign * seconds)
}

/// A timestamp as PostgreSQL prints it: `2024-01-02 03:04:05.678` (fraction only where there is one). A year outside
/// 0001 to 9999, which only arithmetic can make, is printed with more digits or with ` BC` behind.
pub fn format_timestamp(micros: i64, out: &mut String) {
    let (days, of_day) = civil::split(micros);
    let (year, month, day) = civil::date(days);
    let shown = if year > 0 { year } else { 1 - year } as u64;
    if shown > 9999 {
        out.push_str(&shown.to_string());
    } else {
        push_two(shown as u32 / 100, out);
        push_two(shown as u32 % 100, out);
    }
    out.push('-');
    push_two(month, out);
    out.push('-');
    push_two(day, out);
    out.push(' ');
    push_clock(of_day as u64, out);
    if year <= 0 {
        out.push_str(" BC");
    }
}

/// `hh:mm:ss[.f]` of microseconds; hours take as many digits as they need.
pub(super) fn push_clock(micros: u64, out: &mut String) {
    let (seconds, fraction) = (micros / 1_000_000, (micros % 1_000_000) as u32);
    if seconds >= 360_000 {
        out.push_str(&(seconds / 3600).to_string());
    } else {
        push_two((seconds / 3600) as u32, out);
    }
    out.push(':');
    push_two((seconds / 60 % 60) as u32, out);
    out.push(':');
    push_two((seconds % 60) as u32, out);
    if fraction > 0 {
        out.push('.');
        push_two(fraction / 10_000, out);
        push_two(fraction / 100 % 100, out);
        push_two(fraction % 100, out);
        out.truncate(out.trim_end_matches('0').len());
    }
}

fn push_two(number: u32, out: &mut String) {
    out.push((b'0' + (number / 10 % 10) as u8) as char);
    out.push((b'0' + (number % 10) as u8) as char);
}
