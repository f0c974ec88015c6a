//! Kind `timer`: a tuple at every full so many seconds.
//!
//! Tick n lies n times `every` after tick 0, which is the first multiple of `every` since 1970 after the first start. So
//! the position is the number of the next tick, and where tick 0 lies is the split's identity: a restart goes on with
//! the same numbers and times. Where `every` has changed, the numbers go on at multiples of the new one.

use crate::component::{
    ComponentError, Intake, OptionSpec, Polled, Sections, SplitName, Spout, SpoutBuild, SpoutCheck, SpoutFactory,
    SpoutPlan,
};
use crate::tuple::{Column, DataType, Slot};

/// The kind `timer`.
pub struct Timer;

impl SpoutFactory for Timer {
    fn kind(&self) -> &'static str {
        "timer"
    }

    fn elsewhere(&self) -> &'static [&'static str] {
        &["cron", "interval", "tick"]
    }

    fn doc(&self) -> &'static str {
        "ticks: a tuple at every full so many seconds"
    }

    fn notes(&self) -> Vec<String> {
        vec![
            "Columns: `tick` bigint, the number of the tick from 0; `ts` timestamp, when it was due, which is its event time. `every = \"10s\"` ticks at 12:00:00, 12:00:10, ... UTC.".to_owned(),
            "With a data directory the numbers go on where they were after a restart. Ticks that were missed, because the topology stood still or was busy, are left out by default, all but the latest: a gap in `tick` shows how many.".to_owned(),
            "In tests of a file it is fed like any stream.".to_owned(),
        ]
    }

    fn example(&self) -> &'static str {
        r#"[spouts.clock]
kind  = "timer"
every = "10ms"
count = 3                          # by default it never ends

[bolts.out]
kind = "console"
from = "clock"

[[tests]]
name   = "a tick is a row like any other"
given  = [ { at = "0s", clock = { tick = 0 } }, { at = "10s", clock = { tick = 1 } } ]
expect = [ { at = "0s", clock = { tick = 0, ts = "+0s" } }, { at = "10s", clock = { tick = 1 } } ]
"#
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::required("every", "the time between two ticks, such as \"10s\""),
            OptionSpec::optional(
                "missed",
                "what becomes of ticks that were missed: \"skip\" (default), all but the latest are left out; \"all\": they \
                 come late",
            ),
            OptionSpec::optional("count", "number of the tick at which it ends; absent: it never does"),
        ];
        OPTIONS
    }

    fn check(&self, check: &SpoutCheck<'_>) -> Option<Box<dyn SpoutPlan>> {
        let options = &check.options;
        let every = options.duration("every");
        let all = options.choice("missed", &["skip", "all"]) == Some("all");
        let count = options.integer("count", 0).map(i64::unsigned_abs);
        let every = every?;
        if every == 0 {
            options.wrong("every", options.node("every")?, "a duration longer than zero");
            return None;
        }
        let columns =
            vec![Column::new("tick", DataType::Bigint).not_null(), Column::new("ts", DataType::Timestamp).not_null()];
        Some(Box::new(Plan { columns, every, all, count }))
    }
}

struct Plan {
    columns: Vec<Column>,
    every: i64,
    all: bool,
    count: Option<u64>,
}

impl SpoutPlan for Plan {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn time(&self) -> Option<usize> {
        Some(1)
    }

    fn finite(&self) -> bool {
        self.count.is_some()
    }

    fn splits(&self) -> Result<Vec<SplitName>, ComponentError> {
        Ok(vec!["all".to_owned()])
    }

    fn describe(&self) -> Vec<String> {
        let mut every = String::new();
        crate::time::format_interval(self.every, &mut every);
        vec![format!("ticks every {every}; missed ones {}", if self.all { "come late" } else { "are left out" })]
    }

    fn open(&self, build: &SpoutBuild<'_>) -> Result<Box<dyn Spout>, ComponentError> {
        Ok(Box::new(Ticks {
            name: build.name.to_owned(),
            split_id: build.split_id,
            slots: [build.columns[0], build.columns[1]],
            every: self.every,
            all: self.all,
            end: self.count.unwrap_or(u64::MAX),
            next: build.position,
            zero: zero_of(build.identity, self.every),
            skipped: 0,
            ticks: 0,
        }))
    }
}

/// When tick 0 was, according to an identity of a timer with the same `every`.
fn zero_of(identity: &str, every: i64) -> Option<i64> {
    let (known, zero) = identity.split_once('@')?;
    (known.parse() == Ok(every)).then(|| zero.parse().ok())?
}

struct Ticks {
    name: String,
    split_id: u32,
    slots: [Slot; 2],
    every: i64,
    all: bool,
    /// The number at which it ends.
    end: u64,
    /// The next tick.
    next: u64,
    /// When tick 0 was or would have been, microseconds since 1970 UTC; none before the first poll.
    zero: Option<i64>,
    skipped: u64,
    ticks: u64,
}

impl Ticks {
    /// When a tick is due, given when tick 0 was.
    fn time_of(&self, zero: i64, tick: u64) -> i64 {
        let since = i64::try_from(tick).unwrap_or(i64::MAX).saturating_mul(self.every);
        zero.saturating_add(since)
    }

    /// When tick 0 was or would have been, if the next tick is the next multiple of `every`.
    fn aligned(&self, wall: i64) -> i64 {
        let over = wall.rem_euclid(self.every);
        let next = if over == 0 { wall } else { wall.saturating_add(self.every - over) };
        next.saturating_sub(self.time_of(0, self.next))
    }
}

impl Spout for Ticks {
    fn poll(&mut self, intake: &mut Intake<'_>) -> Result<Polled, ComponentError> {
        let zero = self.zero.unwrap_or_else(|| self.aligned(intake.wall));
        self.zero = Some(zero);
        let before = intake.run.len();
        while self.next < self.end && !intake.run.is_full() {
            let mut time = self.time_of(zero, self.next);
            if time > intake.wall {
                if intake.run.len() > before {
                    break;
                }
                let wait = time.abs_diff(intake.wall).saturating_mul(1000);
                return Ok(Polled::Nothing(Some(intake.now.saturating_add(wait))));
            }
            if !self.all {
                let missed = intake.wall.abs_diff(time) / self.every.unsigned_abs();
                let missed = missed.min(self.end - 1 - self.next);
                (self.skipped, self.next) = (self.skipped + missed, self.next + missed);
                time = self.time_of(zero, self.next);
            }
            let late = intake.wall.abs_diff(time).saturating_mul(1000);
            let (frame, _) = intake.run.push();
            frame.set_due(intake.now.saturating_sub(late));
            frame.set_time(time);
            frame.set_origin(self.split_id, self.next);
            frame.set(self.slots[0], self.next);
            frame.set(self.slots[1], time as u64);
            self.next += 1;
            self.ticks += 1;
        }
        Ok(if intake.run.len() > before { Polled::Some } else { Polled::End })
    }

    fn lag(&self, _timed: bool) -> Option<i64> {
        // The next tick has not come.
        Some(0)
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn identity(&self) -> String {
        self.zero.map_or_else(String::new, |zero| format!("{}@{zero}", self.every))
    }

    fn finish(&mut self, sections: &mut Sections) {
        if self.skipped > 0 {
            let (ticks, skipped) = (self.ticks, self.skipped);
            let text = format!("{ticks} ticks, {skipped} were missed and left out\n");
            let value = serde_json::json!({ "ticks": ticks, "skipped": skipped });
            sections.sections.push((format!("ticks of {}", self.name), text, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::fixture::checked;
    use crate::tuple::{Layout, Run};
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;

    fn plan(toml: &str) -> (Option<Box<dyn SpoutPlan>>, Vec<crate::problem::Problem>) {
        checked(toml, |options, environment| {
            let folder = std::path::Path::new(".");
            Timer.check(&SpoutCheck { name: "clock", options, environment, folder, data_dir: None })
        })
    }

    struct Driven {
        spout: Box<dyn Spout>,
        run: Run,
    }

    impl Driven {
        fn open(toml: &str, position: u64, identity: &str) -> Driven {
            let layout = Layout::new(2);
            let columns = [layout.slot(0), layout.slot(1)];
            let build = SpoutBuild {
                name: "clock",
                split: "all",
                split_id: 3,
                position,
                identity,
                columns: &columns,
                space: None,
            };
            Driven { spout: plan(toml).0.unwrap().open(&build).unwrap(), run: Run::new(layout) }
        }

        /// The ticks at a time of the wall: number and seconds; or after how many seconds it wants to be asked again.
        fn at(&mut self, wall: i64) -> Result<Vec<(u64, i64)>, Option<i64>> {
            self.run.clear();
            let mut rejects = Vec::new();
            let mut intake = Intake { run: &mut self.run, rejects: &mut rejects, now: 5, wall };
            match self.spout.poll(&mut intake).unwrap() {
                Polled::Some => {}
                Polled::Nothing(due) => return Err(due.map(|due| (due as i64 - 5) / 1000 / SECOND)),
                Polled::End => return Err(None),
            }
            let layout = self.run.layout();
            let tick = |n: usize| {
                let frame = self.run.frame(n);
                assert_eq!(frame.time(), frame.word(layout.slot(1)) as i64);
                assert_eq!(frame.position(), frame.word(layout.slot(0)));
                (frame.position(), frame.time() / SECOND)
            };
            Ok((0..self.run.len()).map(tick).collect())
        }
    }

    #[test]
    fn ticks_are_aligned_and_missed_ones_are_left_out() {
        let mut driven = Driven::open("every = \"10s\"", 0, "");
        assert_eq!(driven.at(1003 * SECOND), Err(Some(7)));
        assert_eq!(driven.at(1010 * SECOND), Ok(vec![(0, 1010)]));
        assert_eq!(driven.at(1011 * SECOND), Err(Some(9)));
        assert_eq!(driven.at(1045 * SECOND), Ok(vec![(3, 1040)]));
        assert_eq!(driven.at(1044 * SECOND), Err(Some(6)), "a clock that is set back is waited for");
        let mut sections = Sections::default();
        driven.spout.finish(&mut sections);
        assert_eq!(sections.sections[0].2, serde_json::json!({ "ticks": 2, "skipped": 2 }));
    }

    #[test]
    fn missed_ticks_come_late_where_asked() {
        let mut driven = Driven::open("every = \"10s\"\nmissed = \"all\"\ncount = 5", 0, "");
        assert_eq!(driven.at(1000 * SECOND), Ok(vec![(0, 1000)]));
        assert_eq!(driven.at(1025 * SECOND), Ok(vec![(1, 1010), (2, 1020)]));
        assert_eq!(driven.at(9999 * SECOND), Ok(vec![(3, 1030), (4, 1040)]));
        assert_eq!(driven.at(9999 * SECOND), Err(None));
    }

    #[test]
    fn a_restart_goes_on_with_numbers_and_times() {
        let mut driven = Driven::open("every = \"10s\"", 0, "");
        driven.at(1000 * SECOND).unwrap();
        let (position, identity) = (driven.spout.position(), driven.spout.identity());
        let mut same = Driven::open("every = \"10s\"", position, &identity);
        assert_eq!(same.at(1032 * SECOND), Ok(vec![(3, 1030)]));
        let mut faster = Driven::open("every = \"4s\"", position, &identity);
        assert_eq!(faster.at(1002 * SECOND), Err(Some(2)));
        assert_eq!(faster.at(1004 * SECOND), Ok(vec![(1, 1004)]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (toml, wanted) in
            [("every = \"0s\"", "longer than zero"), ("every = \"10s\"\nmissed = \"al\"", "did you mean")]
        {
            let said = format!("{:?}", plan(toml).1);
            assert!(said.contains(wanted), "{said}");
        }
    }

    proptest! {
        #[test]
        fn every_tick_comes_once_in_order_at_any_moments_of_asking(
            every in 1i64..50, waits in prop::collection::vec(0i64..120, 1..40), all: bool, restart in 0usize..40,
        ) {
            let toml = format!("every = \"{every}s\"\nmissed = \"{}\"", if all { "all" } else { "skip" });
            let mut driven = Driven::open(&toml, 0, "");
            let (mut wall, mut seen) = (1_000_000 * SECOND, Vec::new());
            for (n, wait) in waits.iter().enumerate() {
                if n == restart {
                    let (position, identity) = (driven.spout.position(), driven.spout.identity());
                    driven = Driven::open(&toml, position, &identity);
                }
                wall += wait * SECOND;
                let mut last = None;
                while let Ok(ticks) = driven.at(wall) {
                    last = ticks.last().copied();
                    seen.extend(ticks);
                }
                prop_assert!(last.is_none_or(|(_, time)| wall - time * SECOND < every * SECOND), "the latest is there");
            }
            prop_assert!(seen.iter().all(|(_, time)| time % every == 0));
            let follows = |w: &[(u64, i64)]| {
                let ticks = w[1].0 - w[0].0;
                (ticks == 1 || !all && ticks > 1) && w[1].1 - w[0].1 == ticks as i64 * every
            };
            prop_assert!(seen.windows(2).all(follows), "{seen:?}");
            prop_assert!(seen.first().is_none_or(|first| first.0 == 0 || !all));
        }
    }
}
