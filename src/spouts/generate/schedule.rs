//! When tuples are due: exact arithmetic on rates.

use crate::time::parse_interval;

/// So many tuples in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// Tuples, at least 1.
    pub tuples: u64,
    /// Length of the period, nanoseconds.
    pub period_ns: u64,
}

impl Rate {
    /// Parses `100000/s`, `2.5/s`, `10/m`, `1/10s`.
    pub fn parse(text: &str) -> Result<Rate, String> {
        let wrong = || format!("`{text}` is not a rate; write one such as `100000/s` or `10/m`");
        let (number, period) = text.split_once('/').ok_or_else(wrong)?;
        let (number, period) = (number.trim().replace('_', ""), period.trim());
        let per_one = period.starts_with(|c: char| c.is_alphabetic());
        let micros = if per_one { parse_interval(&format!("1{period}")) } else { parse_interval(period) };
        let micros = micros.map_err(|_| wrong())?;
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || fraction.len() > 6 {
            return Err(wrong());
        }
        let tuples: u64 = digits.parse().map_err(|_| wrong())?;
        let nanos = u64::try_from(micros).ok().and_then(|m| m.checked_mul(1000));
        let period_ns = nanos.and_then(|n| n.checked_mul(10u64.pow(fraction.len() as u32)));
        match period_ns {
            Some(period_ns) if period_ns > 0 && tuples > 0 && tuples <= period_ns => Ok(Rate { tuples, period_ns }),
            Some(_) => Err(format!("`{text}` is out of range: a rate is above 0 and at most 1000000000/s")),
            None => Err(wrong()),
        }
    }
}

/// The multiples of a step that need not be a whole number: n * period / tuples, rounded down, one after the other
/// without a division.
#[derive(Clone, Debug)]
pub(super) struct Multiples {
    at: u64,
    rest: u64,
    whole: u64,
    part: u64,
    divisor: u64,
}

impl Multiples {
    /// Starts at multiple `first` and goes on in strides.
    pub fn new(step: Rate, first: u64, stride: u64) -> Multiples {
        let period = u128::from(step.period_ns);
        let divisor = u128::from(step.tuples);
        let start = u128::from(first) * period;
        let stride = u128::from(stride) * period;
        let clamp = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        Multiples {
            at: clamp(start / divisor),
            rest: (start % divisor) as u64,
            whole: clamp(stride / divisor),
            part: (stride % divisor) as u64,
            divisor: step.tuples,
        }
    }

    /// The current multiple.
    #[inline(always)]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Goes on to the next.
    #[inline(always)]
    pub fn advance(&mut self) {
        self.at = self.at.saturating_add(self.whole);
        self.rest += self.part;
        if self.rest >= self.divisor {
            self.rest -= self.divisor;
            self.at = self.at.saturating_add(1);
        }
    }
}
