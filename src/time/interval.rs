//! Intervals: lengths of time in microseconds.

use super::civil::DAY;

/// Units with their lengths in microseconds.
const UNITS: [(&[&str], i64); 7] = [
    (&["us", "usec", "usecs", "microsecond", "microseconds", "µs", "μs"], 1),
    (&["ms", "msec", "msecs", "millisecond", "milliseconds"], 1000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000_000),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000_000),
    (&["d", "day", "days"], DAY),
    (&["w", "week", "weeks"], 7 * DAY),
];

const CALENDAR: &[&str] =
    &["y", "yr", "yrs", "year", "years", "mon", "mons", "month", "months", "decade", "decades", "century", "centuries"];

/// Parses a duration as people write it: PostgreSQL's interval input without months and years (`10m`, `1h30m`, `250ms`,
/// `2 days`, `1 day 02:03:04.5`, `-5 s`, `PT1H30M`), in microseconds.
///
/// `m` is minutes. As in PostgreSQL a sign belongs to its own number (`-1 day 2 h` is 22 hours before) and `ago` at the
/// end turns everything round. Unlike there a number needs a unit: a bare `10` is refused, as one reader would take it
/// for seconds and the next for milliseconds (`0` is fine).
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_interval(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("an empty text is not a duration; write one such as `10m`, `1h30m` or `250ms`".to_owned());
    }
    let total = match trimmed.strip_prefix(['P', 'p']) {
        Some(rest) => iso(rest),
        None => words(trimmed),
    };
    let total = total.map_err(|reason| format!("`{text}` is not a duration: {reason}"))?;
    i64::try_from(total).map_err(|_| format!("`{text}` is out of range: a duration has at most 292,000 years"))
}

/// Reads from the front of a text.
struct Cursor<'a>(&'a str);

/// A number in decimal notation, exact: `whole + fraction / scale`.
struct Number<'a> {
    negative: bool,
    whole: i128,
    fraction: i128,
    scale: i128,
    text: &'a str,
}

impl Number<'_> {
    /// In microseconds, rounded to the nearest, if the unit has `unit` of them.
    fn times(&self, unit: i64) -> i128 {
        let unit = i128::from(unit);
        let micros = self.whole * unit + (self.fraction * unit * 2 + self.scale) / (2 * self.scale);
        if self.negative { -micros } else { micros }
    }
}

impl<'a> Cursor<'a> {
    fn blanks(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn digits(&mut self) -> &'a str {
        self.take_while(|c| c.is_ascii_digit())
    }

    fn number(&mut self) -> Result<Number<'a>, String> {
        let start = self.0;
        let negative = self.eat('-');
        if !negative {
            self.eat('+');
        }
        self.blanks();
        let whole = self.digits();
        let fraction = if self.eat('.') { self.digits() } else { "" };
        let text = &start[..start.len() - self.0.len()];
        if whole.is_empty() && fraction.is_empty() {
            return Err(match start.chars().next() {
                Some(found) => format!("a number is missing before `{found}`"),
                None => "a number is missing at the end".to_owned(),
            });
        }
        if whole.len() > 19 {
            return Err(format!("`{text}` is too large"));
        }
        // A tenth of a nanosecond of a week is still below a microsecond: digits beyond cannot matter.
        let fraction = &fraction[..fraction.len().min(16)];
        let value = |digits: &str| digits.bytes().fold(0i128, |n, b| n * 10 + i128::from(b - b'0'));
        let scale = 10i128.pow(fraction.len() as u32);
        Ok(Number { negative, whole: value(whole), fraction: value(fraction), scale, text })
    }
}

/// The usual notation: numbers with units, and clocks.
fn words(text: &str) -> Result<i128, String> {
    let mut cursor = Cursor(text);
    cursor.eat('@');
    let mut total = 0i128;
    let mut any = false;
    loop {
        cursor.blanks();
        if cursor.0.is_empty() {
            break;
        }
        if any && cursor.0.eq_ignore_ascii_case("ago") {
            return Ok(-total);
        }
        let number = cursor.number()?;
        any = true;
        if cursor.0.starts_with(':') {
            total += clock(&number, &mut cursor)?;
            continue;
        }
        cursor.blanks();
        let unit = cursor.take_while(char::is_alphabetic);
        if !unit.is_empty() {
            total += number.times(unit_length(unit)?);
        } else if number.whole == 0 && number.fraction == 0 && cursor.0.is_empty() {
            continue;
        } else if let Some(odd) = cursor.0.chars().next().filter(|c| !c.is_ascii_digit() && !"+-".contains(*c)) {
            return Err(format!("`{odd}` is not expected after `{}`", number.text));
        } else {
            return Err(format!("`{}` has no unit; write `{}s` for seconds", number.text, number.text));
        }
    }
    if any { Ok(total) } else { Err("it has no number".to_owned()) }
}

/// The rest of `hh:mm`, `hh:mm:ss`, `hh:mm:ss.f` or `mm:ss.f` after its first number.
fn clock(first: &Number<'_>, cursor: &mut Cursor<'_>) -> Result<i128, String> {
    let mut parts = [0i128; 2];
    let mut count = 0;
    let mut fraction = 0i128;
    let mut dotted = first.scale != 1;
    while count < 2 && !dotted && cursor.eat(':') {
        if !cursor.0.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("a clock is written `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f`".to_owned());
        }
        let part = cursor.number()?;
        if part.whole > 59 {
            return Err(format!("`{}` is more than 59", part.text));
        }
        parts[count] = part.whole;
        count += 1;
        dotted = part.text.contains('.');
        fraction = Number { whole: 0, negative: false, ..part }.times(1_000_000);
    }
    if count == 0 || cursor.0.starts_with(':') {
        return Err("a clock is written `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f`".to_owned());
    }
    // Two parts with a fraction are minutes and seconds, as in PostgreSQL.
    let seconds = match (count, dotted) {
        (1, true) => first.whole * 60 + parts[0],
        _ => first.whole * 3600 + parts[0] * 60 + parts[1],
    };
    let micros = seconds * 1_000_000 + fraction;
    Ok(if first.negative { -micros } else { micros })
}

fn unit_length(unit: &str) -> Result<i64, String> {
    let lower = unit.to_lowercase();
    if let Some((_, length)) = UNITS.iter().find(|(names, _)| names.contains(&lower.as_str())) {
        return Ok(*length);
    }
    if CALENDAR.contains(&lower.as_str()) {
        return Err("months and years have no fixed length; say it in days, such as `30 days`".to_owned());
    }
    if matches!(lower.as_str(), "ns" | "nsec" | "nanosecond" | "nanoseconds") {
        return Err("the finest unit is us, a microsecond".to_owned());
    }
    Err(format!("`{unit}` is not a unit; allowed are us, ms, s, m (minutes), h, d and w"))
}

/// ISO 8601 after the `P`.
fn iso(text: &str) -> Result<i128, String> {
    let mut cursor = Cursor(text);
    let mut total = 0i128;
    let mut clock = false;
    let mut any = false;
    while !cursor.0.is_empty() {
        if !clock && (cursor.eat('T') || cursor.eat('t')) {
            clock = true;
            any = false;
            continue;
        }
        let number = cursor.number()?;
        any = true;
        let unit = cursor.0.chars().next().map(|c| c.to_ascii_uppercase());
        let length = match (clock, unit) {
            (false, Some('W')) => 7 * DAY,
            (false, Some('D')) => DAY,
            (true, Some('H')) => 3_600_000_000,
            (true, Some('M')) => 60_000_000,
            (true, Some('S')) => 1_000_000,
            (false, Some('Y' | 'M')) => return unit_length("months").map(i128::from),
            _ => return Err(format!("`{}` needs one of W, D, and after a T one of H, M, S", number.text)),
        };
        cursor.0 = &cursor.0[1..];
        total += number.times(length);
    }
    if any { Ok(total) } else { Err("a number is missing at the end".to_owned()) }
}

/// An interval as PostgreSQL prints it after `justify_hours`, without months: `2 days 01:30:00`, `00:00:00.25`,
/// `-00:05:00`, `-1 days -02:00:00`. What we hold is one count of microseconds, so every 24 hours are a day.
pub fn format_interval(micros: i64, out: &mut String) {
    let length = micros.unsigned_abs();
    let (days, rest) = (length / DAY as u64, length % DAY as u64);
    let sign = if micros < 0 { "-" } else { "" };
    if days > 0 {
        out.push_str(sign);
        out.push_str(&days.to_string());
        out.push_str(if days == 1 && micros > 0 { " day" } else { " days" });
        if rest == 0 {
            return;
        }
        out.push(' ');
    }
    out.push_str(sign);
    super::timestamp::push_clock(rest, out);
}
