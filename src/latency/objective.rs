//! Objectives: what a user demands of a latency, and who is to blame when it is missed.

use super::histogram::{Histogram, Summary};
use super::layout::nanos_text;
use serde::Serialize;

const UNITS: [(&str, f64); 5] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9)];

/// A bound on a percentile: `p99 < 500us`, `p99.9 <= 1ms`, `max < 10ms`.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The percentile, above 0 to 100; 100 is the maximum.
    pub percentile: f64,
    /// The bound, nanoseconds.
    pub limit_ns: u64,
    /// Whether the bound itself is still good (`<=`).
    pub inclusive: bool,
    /// As the user wrote it.
    pub text: String,
}

/// Time that was measured somewhere on the way to a sink, by samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spent {
    /// Where: `bolt card`, `channel card -> alerts`.
    pub place: String,
    /// How long a tuple took or waited there.
    pub time: Summary,
}

/// What has become of an objective.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The objective as the user wrote it.
    pub objective: String,
    /// Whether it was met. Without any tuple it was.
    pub met: bool,
    /// The percentile measured, nanoseconds.
    pub measured_ns: u64,
    /// The bound, nanoseconds.
    pub limit_ns: u64,
    /// How many tuples it was measured on.
    pub count: u64,
    /// The share of tuples within the bound, 0 to 1.
    pub share_within: f64,
    /// If missed: where the time went, in words; empty where nothing was sampled.
    pub blame: String,
}

impl Objective {
    /// Parses an objective: `max` or `p` with a number above 0 and up to 100, `<` or `<=`, a duration in ns, us, ms, s
    /// or m.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Objective, String> {
        let wrong = |reason: String| format!("`{text}` is not an objective: {reason}; write one such as `p99 < 500us`");
        let Some((left, right)) = text.split_once('<') else {
            return Err(wrong("`<` or `<=` is missing".to_owned()));
        };
        let (inclusive, right) = match right.strip_prefix('=') {
            Some(right) => (true, right),
            None => (false, right),
        };
        let percentile = parse_percentile(left.trim()).map_err(wrong)?;
        let limit_ns = parse_limit(right.trim()).map_err(wrong)?;
        Ok(Objective { percentile, limit_ns, inclusive, text: text.trim().to_owned() })
    }

    /// Whether a measured percentile is within the bound.
    pub fn allows(&self, measured_ns: u64) -> bool {
        measured_ns < self.limit_ns || (self.inclusive && measured_ns == self.limit_ns)
    }

    /// Judges the latencies of a sink. `spent` is what was sampled on the way there: each component's time and each
    /// channel's wait.
    pub fn verdict(&self, latency: &Histogram, spent: &[Spent]) -> Verdict {
        let measured_ns = latency.percentile(self.percentile);
        let met = latency.is_empty() || self.allows(measured_ns);
        Verdict {
            objective: self.text.clone(),
            met,
            measured_ns,
            limit_ns: self.limit_ns,
            count: latency.count(),
            share_within: latency.share_within(self.limit_ns),
            blame: if met { String::new() } else { self.blame(measured_ns, spent) },
        }
    }

    /// Where the time went: the place that took longest at the objective's percentile. Where all places together
    /// explain less than half of it, the time was lost before the first of them.
    fn blame(&self, measured_ns: u64, spent: &[Spent]) -> String {
        let at = |s: &Spent| s.time.at_least(self.percentile);
        let known = spent.iter().filter(|s| s.time.count > 0);
        let Some(most) = known.clone().max_by_key(|s| at(s)) else {
            return String::new();
        };
        let sum: u64 = known.map(at).fold(0, u64::saturating_add);
        let which = match self.percentile {
            p if p >= 100.0 => "at most".to_owned(),
            p => format!("at p{p}"),
        };
        let most_words = format!("{} took {} {which}", most.place, nanos_text(at(most)));
        if sum < measured_ns / 2 {
            return format!(
                "the way there explains {} of it ({most_words}); the rest is time before the first component: \
                 the source is behind its rate, or the machine stalled",
                nanos_text(sum)
            );
        }
        most_words
    }
}

fn parse_percentile(text: &str) -> Result<f64, String> {
    if text.eq_ignore_ascii_case("max") {
        return Ok(100.0);
    }
    let number = text.strip_prefix(['p', 'P']).filter(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    match number.and_then(|n| n.parse::<f64>().ok()) {
        Some(p) if p > 0.0 && p <= 100.0 => Ok(p),
        Some(p) => Err(format!("a percentile lies above 0 and is at most 100, not {p}")),
        None => Err(format!("`{text}` is neither `max` nor a percentile such as `p99.9`")),
    }
}

fn parse_limit(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (text[..split].parse::<f64>().ok(), text[split..].trim());
    let Some(number) = number else {
        return Err(format!("`{text}` is not a duration"));
    };
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{text}` needs a unit out of ns, us, ms, s, m"));
    };
    let nanos = (number * scale).round();
    if nanos < 1.0 || nanos > super::LONGEST_NS as f64 {
        return Err(format!("`{text}` is out of range: latencies are told apart from 1 ns to 60 s"));
    }
    Ok(nanos as u64)
}
