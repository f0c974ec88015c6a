//! Random numbers that are functions of a counter, and Zipf's distribution out of them.

/// 64 random bits that depend on a counter and a seed alone. Source: the finalizer of SplitMix64 (Steele, Lea, Flood,
/// "Fast splittable pseudorandom number generators", 2014).
#[inline(always)]
pub(super) fn mix(seed: u64, counter: u64) -> u64 {
    let mut z = seed.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A whole number below `bound` out of 32 random bits.
#[inline(always)]
pub(super) fn below(bits: u32, bound: u64) -> u64 {
    (u64::from(bits) * bound) >> 32
}

const CELLS: usize = 1 << 13;
const FRACTION_BITS: u32 = 32 - CELLS.trailing_zeros();
/// Ranks whose probabilities are summed one by one; beyond, the sum is the integral.
const HEAD: u64 = 1 << 16;

/// Zipf's distribution over the ranks 0 to n - 1: the probability of rank r is proportional to 1 / (r + 1)^skew.
///
/// 1. The cumulated probability, linear within a rank, is a continuous function; its inverse maps a uniform number to a
///    position, whose whole part is the rank.
/// 2. The inverse is tabulated at 8192 equidistant places (64 KiB) and interpolated between them: one look-up for a
///    rank, exact for the frequent ranks but for their borders, smooth for the rare ones.
#[derive(Debug)]
pub(super) struct Zipf {
    /// Positions in units of 2^-16.
    positions: Box<[u64]>,
}

impl Zipf {
    /// Tabulates it; some milliseconds.
    pub fn new(ranks: u64, skew: f64) -> Zipf {
        let head = ranks.min(HEAD);
        let mut cumulated = Vec::with_capacity(head as usize + 1);
        let mut sum = 0.0;
        cumulated.push(0.0);
        for rank in 0..head {
            sum += (rank as f64 + 1.0).powf(-skew);
            cumulated.push(sum);
        }
        // The integral of x^-skew from the middle of the last rank of the head on.
        let from = head as f64 + 0.5;
        let near_one = (skew - 1.0).abs() < 1e-9;
        let power = 1.0 - skew;
        let integral = |to: f64| if near_one { (to / from).ln() } else { (to.powf(power) - from.powf(power)) / power };
        let inverse = |mass: f64| {
            if near_one { from * mass.exp() } else { (mass * power + from.powf(power)).max(0.0).powf(1.0 / power) }
        };
        let total = sum + integral(ranks as f64 + 0.5).max(0.0);
        let last = ranks * 65_536 - 1;
        let position = |cell: usize| {
            let mass = total * cell as f64 / CELLS as f64;
            let at = if mass < sum {
                let rank = cumulated.partition_point(|c| *c <= mass) - 1;
                rank as f64 + (mass - cumulated[rank]) / (cumulated[rank + 1] - cumulated[rank])
            } else {
                inverse(mass - sum) - 0.5
            };
            ((at * 65_536.0) as u64).min(last)
        };
        let mut positions: Box<[u64]> = (0..=CELLS).map(position).collect();
        positions[CELLS] = last;
        Zipf { positions }
    }

    /// A rank out of 32 random bits.
    #[inline(always)]
    pub fn rank(&self, bits: u32) -> u64 {
        let cell = (bits >> FRACTION_BITS) as usize & (CELLS - 1);
        let fraction = u64::from(bits & ((1 << FRACTION_BITS) - 1));
        let (low, high) = (self.positions[cell], self.positions[cell + 1]);
        (low + (((high - low) * fraction) >> FRACTION_BITS)) >> 16
    }
}
