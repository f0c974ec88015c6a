//! Approximate percentiles: counts of values in buckets whose bounds grow by two percent, so that an answer is at most
//! one percent off.
//! Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees".

use super::{Asked, Item};
use crate::store::Codec;
use crate::window::Overflow;
use std::collections::BTreeMap;

/// How far an answer may be off.
const ERROR: f64 = 0.01;

/// Counts of values by bucket. A bucket is told by a number that grows with its values.
#[derive(Debug, Default)]
pub struct Sketch {
    counts: BTreeMap<i32, u32>,
    len: u64,
}

/// Bucket of what is neither NaN nor infinite has a number below this.
const INFINITE: i32 = 1 << 20;
const NAN: i32 = INFINITE + 1;
/// Values this near to zero are zero.
const TINY: f64 = 1e-300;

fn growth() -> f64 {
    (1.0 + ERROR) / (1.0 - ERROR)
}

fn bucket(x: f64) -> i32 {
    if x.is_nan() {
        return NAN;
    }
    if x.abs() < TINY {
        return 0;
    }
    let size = if x.is_infinite() { INFINITE } else { (x.abs().ln() / growth().ln()).ceil() as i32 + INFINITE / 2 };
    if x < 0.0 { -size } else { size }
}

fn value(bucket: i32) -> f64 {
    let size = match bucket.abs() {
        NAN => return f64::NAN,
        INFINITE => f64::INFINITY,
        0 => 0.0,
        size => 2.0 * growth().powi(size - INFINITE / 2) / (growth() + 1.0),
    };
    if bucket < 0 { -size } else { size }
}

impl Sketch {
    fn change(&mut self, bucket: i32, by: u32) {
        let count = self.counts.entry(bucket).or_insert(0);
        *count = count.saturating_add(by);
        self.len += u64::from(by);
    }

    pub fn add(&mut self, item: Item<'_>) {
        self.change(bucket(f64::from_bits(item.word)), 1);
    }

    pub fn remove_first(&mut self, item: Item<'_>) {
        let bucket = bucket(f64::from_bits(item.word));
        if let Some(count) = self.counts.get_mut(&bucket) {
            self.len -= 1;
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&bucket);
            }
        }
    }

    pub fn merge(&mut self, other: &Sketch) {
        other.counts.iter().for_each(|(bucket, count)| self.change(*bucket, *count));
    }

    pub fn result(&self, asked: Asked<'_>, with: Option<Item<'_>>) -> Result<Option<u64>, Overflow> {
        let mut extra = with.map(|item| bucket(f64::from_bits(item.word)));
        let n = self.len + u64::from(extra.is_some());
        if n == 0 {
            return Ok(None);
        }
        let mut left = (asked.number() * (n - 1) as f64).round() as u64;
        for (bucket, count) in &self.counts {
            if let Some(of_row) = extra.filter(|of_row| of_row <= bucket) {
                extra = None;
                if left == 0 {
                    return Ok(Some(value(of_row).to_bits()));
                }
                left -= 1;
            }
            if left < u64::from(*count) {
                return Ok(Some(value(*bucket).to_bits()));
            }
            left -= u64::from(*count);
        }
        Ok(extra.map(|bucket| value(bucket).to_bits()))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        (self.counts.len() as u32).write(out);
        self.counts.iter().for_each(|(bucket, count)| (*bucket as u32, *count).write(out));
    }

    pub fn read_back(&mut self, from: &mut &[u8]) -> Option<()> {
        for _ in 0..u32::read(from)? {
            let (bucket, count) = <(u32, u32)>::read(from)?;
            self.change(bucket as i32, count);
        }
        Some(())
    }
}
