//! OBD-II readings of a fleet of cars.
//!
//! A car drives round a loop near its home: its speed is v = 30 (1 + sin t)^2 km/h with a period of 20 to 40 minutes of
//! event time, so it stands for a while, sets off, reaches 120 km/h and stops again. The place is the integral of the
//! speed, the rest follows from both. Now and then a car brakes hard, and one in 64 overheats at times.

use super::digits::write_digits;
use super::random::mix;
use super::spout::Source;
use crate::tuple::{Arena, Column, DataType, Frame, Slot};
use std::f64::consts::TAU;

const SINES: usize = 1024;
/// A car brakes hard once in so many seconds.
const BRAKING_EVERY: u64 = 512;
/// What is left of the speed, second by second, in a hard braking.
const BRAKING: [f64; 10] = [1.0, 0.62, 0.25, 0.04, 0.02, 0.1, 0.3, 0.55, 0.8, 1.0];

/// The columns of a reading.
pub(super) fn columns(car: DataType) -> Vec<Column> {
    [
        ("car", car),
        ("ts", DataType::Timestamp),
        ("speed_kmh", DataType::Double),
        ("rpm", DataType::Double),
        ("coolant_c", DataType::Double),
        ("throttle_pct", DataType::Double),
        ("maf_gs", DataType::Double),
        ("lat", DataType::Double),
        ("lon", DataType::Double),
    ]
    .map(|(name, ty)| Column::new(name, ty).not_null())
    .into()
}

/// Periods that cars differ by.
const LOOPS: usize = 256;

/// A loop that cars drive.
#[derive(Clone, Copy, Debug)]
struct Loop {
    /// Units of 2^-64 turns in a microsecond.
    speed: u64,
    /// Its radius in degrees of latitude and of longitude (at 50 degrees north).
    radius: (f64, f64),
}

/// What readings are computed from: one turn of the sine, tabulated, and the loops.
#[derive(Debug)]
pub(super) struct Tables {
    sine: Box<[f64]>,
    loops: Box<[Loop]>,
}

impl Tables {
    pub fn new() -> Tables {
        let one = |i: usize| {
            // 20 to 40 minutes, at 45 km/h on the average.
            let hours = (1.0 + i as f64 / LOOPS as f64) / 3.0;
            let radius_km = 45.0 * hours / TAU;
            let radius = (radius_km / 110.6, radius_km / (111.3 * 0.64));
            Loop { speed: (TURN / (hours * 3.6e9)) as u64, radius }
        };
        Tables {
            sine: (0..=SINES).map(|i| (TAU * i as f64 / SINES as f64).sin()).collect(),
            loops: (0..LOOPS).map(one).collect(),
        }
    }

    /// The sine of an angle in units of 2^-64 turns.
    #[inline(always)]
    fn sin(&self, angle: u64) -> f64 {
        let at = (angle >> 54) as usize & (SINES - 1);
        let fraction = ((angle >> 22) as u32) as f64 * (1.0 / 4_294_967_296.0);
        self.sine[at] + (self.sine[at + 1] - self.sine[at]) * fraction
    }
}

const QUARTER: u64 = 1 << 62;
const TURN: f64 = 18_446_744_073_709_551_616.0;

/// Makes readings: tuple i is of car i modulo the number of cars.
pub(super) struct Obd {
    pub seed: u64,
    pub cars: u64,
    pub car_text: bool,
    pub tables: Tables,
}

/// A whole number as a double, of a value that is not negative.
#[inline(always)]
fn whole(x: f64) -> f64 {
    (x + 0.5) as i64 as f64
}

/// The share of a speed that is left by a hard braking.
#[inline(always)]
fn braking(h: u64, time: i64) -> f64 {
    let micros = (time as u64).wrapping_add(h >> 1) % (BRAKING_EVERY * 1_000_000);
    let second = (micros / 1_000_000) as usize;
    match BRAKING.get(second..second + 2) {
        Some([from, to]) => from + (to - from) * (micros % 1_000_000) as f64 * 1e-6,
        _ => 1.0,
    }
}

/// Revolutions per km/h in the gear that suits the speed.
#[inline(always)]
fn gear(speed: f64) -> f64 {
    match speed as u32 {
        0..20 => 110.0,
        20..35 => 65.0,
        35..55 => 45.0,
        55..80 => 33.0,
        _ => 25.0,
    }
}

impl Source for Obd {
    #[inline(always)]
    fn fill(&mut self, i: u64, time: i64, slots: &[Slot], frame: &mut Frame, arena: &Arena) {
        let car = i % self.cars;
        let h = mix(self.seed, car);
        let tables = &self.tables;
        let road = tables.loops[h as usize & (LOOPS - 1)];
        let angle = (time as u64).wrapping_mul(road.speed).wrapping_add(h);
        let (sin, cos) = (tables.sin(angle), tables.sin(angle.wrapping_add(QUARTER)));
        let sin2 = 2.0 * sin * cos;
        let cruising = 30.0 * (1.0 + sin) * (1.0 + sin);
        // A ripple of 4 % with a period of some 23 s: traffic.
        let ripple = 1.0 + 0.04 * tables.sin((time as u64).wrapping_mul(800_000_000_000).wrapping_add(h << 8));
        let speed = cruising * ripple * braking(h, time);
        let speed = if speed < 1.0 { 0.0 } else { whole(speed) };
        let rpm = whole((speed * gear(speed)).max(800.0 + (h & 63) as f64));
        let pushing = if speed > 0.0 { 25.0 * cos.max(0.0) } else { 0.0 };
        let throttle = whole(12.0 + 0.35 * speed + pushing).min(100.0);
        let slow = tables.sin(angle / 2 + (h << 3));
        let heat = if h >> 58 == 0 { 26.0 * slow.max(0.0) } else { 0.0 };
        let coolant = whole(88.0 + 4.0 * slow + heat);
        let maf = whole((1.2 + rpm * throttle * 0.000_35) * 100.0) / 100.0;
        // The integral of (1 + sin)^2 is 1.5 t - 2 cos t - 0.25 sin 2t; one turn is once round the loop.
        let ahead = (2.0 * cos + 0.25 * sin2) / (1.5 * TAU);
        let round = angle.wrapping_sub((ahead * TURN) as i64 as u64);
        let lat = 47.5 + ((h >> 24) & 0xFFFF) as f64 * (6.5 / 65_536.0) + road.radius.0 * tables.sin(round);
        let lon = 7.0
            + ((h >> 40) & 0xFFFF) as f64 * (6.0 / 65_536.0)
            + road.radius.1 * tables.sin(round.wrapping_add(QUARTER));
        let car = if self.car_text { car_text(car, self.cars, arena) } else { car };
        let values = [speed, rpm, coolant, throttle, maf, lat, lon];
        let [car_slot, ts, rest @ ..] = slots else {
            return;
        };
        frame.fill(*car_slot, car);
        frame.fill(*ts, time as u64);
        for (slot, value) in rest.iter().zip(values) {
            frame.fill(*slot, value.to_bits());
        }
    }
}

/// `car-00042`; more digits where there are more cars.
fn car_text(car: u64, cars: u64, arena: &Arena) -> u64 {
    let mut name = *b"car-000000000";
    let end = if cars <= 100_000 { 9 } else { name.len() };
    write_digits(car, &mut name[4..end]);
    arena.store(std::str::from_utf8(&name[..end]).unwrap_or_default()).0
}
