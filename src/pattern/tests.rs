//! Patterns against their definition ([`naive`]), all small ones on all small inputs, larger ones at random.

mod examples;
mod generate;
mod text;

use super::naive::{Found, Naive, Sample, Steps};
use super::*;
use generate::{Patterns, Random};

/// A row of a test: which letters it is, and a number.
#[derive(Clone, Copy)]
struct Cx<'a> {
    rows: &'a [Sample],
    row: usize,
    condition: fn(usize, &[Sample], usize, &Steps) -> bool,
    until: fn(usize, &[Sample], usize, &Steps) -> bool,
}

fn steps<R>(path: Path<'_, R>) -> Steps {
    let mut steps: Steps = path.backwards().map(|(variable, row)| (variable, row.id as usize)).collect();
    steps.reverse();
    steps
}

impl Conditions for Cx<'_> {
    type Row = ();
    type Error = ();

    fn test(&mut self, variable: usize, path: Path<'_, ()>) -> Result<bool, ()> {
        Ok((self.condition)(variable, self.rows, self.row, &steps(path)))
    }

    fn until(&mut self, variable: usize, path: Path<'_, ()>) -> Result<bool, ()> {
        Ok((self.until)(variable, self.rows, self.row, &steps(path)))
    }

    fn id(&self) -> u64 {
        self.row as u64
    }

    fn store(&mut self, _: &mut ()) {}
}

/// The row is the variable's letter: bit `n` of its value says that it is letter `n`.
fn letter(variable: usize, rows: &[Sample], row: usize, _: &Steps) -> bool {
    rows[row].value >> variable & 1 == 1
}

/// The same, and what was taken before must leave the same rest: a condition that looks back.
fn letter_and_rest(variable: usize, rows: &[Sample], row: usize, steps: &Steps) -> bool {
    letter(variable, rows, row, steps)
        && steps.last().is_none_or(|(_, last)| (rows[*last].value >> 4) <= (rows[row].value >> 4) + variable as i64 % 2)
}

fn fourth_letter(_: usize, rows: &[Sample], row: usize, _: &Steps) -> bool {
    rows[row].value >> 3 & 1 == 1
}

fn settings(variables: usize, skip: Skip) -> Settings {
    Settings {
        within: i64::MAX,
        gaps: vec![i64::MAX; variables],
        until: 0,
        own: u64::MAX,
        skip,
        partials_max: usize::MAX,
        overflow: Overflow::Error,
        timed_out: false,
    }
}

/// Everything that a matcher reports, its state going through bytes before row `stored`, time passing early before
/// rows of `early`.
fn online(automaton: &Automaton, settings: &Settings, cx: Cx<'_>, stored: usize, early: u64) -> Vec<Found> {
    let mut matcher = Matcher::new(automaton.clone(), settings.clone());
    let (mut buffer, mut partials, mut numbers) = (Buffer::default(), Partials::default(), Numbers::default());
    let (mut out, mut found) = (Vec::new(), Vec::new());
    let mut report = |buffer: &mut Buffer<()>, out: &mut Vec<Emission>| {
        for emission in out.drain(..) {
            found.push((steps(emission.path(buffer)), emission.time));
            emission.release(buffer);
        }
    };
    for (row, sample) in cx.rows.iter().enumerate() {
        if row == stored {
            let mut bytes = Vec::new();
            partials.write(&buffer, &mut numbers, &mut bytes);
            let stored = (buffer.rows(), buffer.steps());
            partials.clear(&mut buffer);
            assert_eq!((buffer.rows(), buffer.steps()), (0, 0));
            assert!(bytes.len() < 2 || Partials::read(&mut &bytes[..bytes.len() - 1], &mut buffer).is_none());
            let mut from = bytes.as_slice();
            partials = Partials::read(&mut from, &mut buffer).unwrap();
            assert!(from.is_empty() && partials.fits(automaton));
            assert_eq!((buffer.rows(), buffer.steps()), stored);
        }
        if early >> (row % 64) & 1 == 1 {
            matcher.expire(&mut buffer, &mut partials, sample.time, &mut out);
            report(&mut buffer, &mut out);
        }
        matcher.expire(&mut buffer, &mut partials, sample.time, &mut out);
        let mut cx = Cx { row, ..cx };
        if out.is_empty() && partials.is_idle() && !matcher.begins(&buffer, &mut cx).unwrap() {
            continue;
        }
        matcher.row(&mut buffer, &mut partials, sample.time, &mut cx, &mut out).unwrap();
        report(&mut buffer, &mut out);
    }
    matcher.expire(&mut buffer, &mut partials, i64::MAX, &mut out);
    report(&mut buffer, &mut out);
    if settings.within != i64::MAX {
        assert!(partials.is_idle(), "rows are left over: {partials:?}");
        assert!(buffer.rows() == 0 && buffer.steps() == 0);
    }
    found
}

fn compare(pattern: &Pattern, automaton: &Automaton, settings: &Settings, cx: Cx<'_>, stored: usize, early: u64) {
    let naive = Naive { root: &pattern.root, settings, rows: cx.rows, test: &cx.condition, until: &cx.until };
    let (mut wanted, mut found) = (naive.search(), online(automaton, settings, cx, stored, early));
    if matches!(settings.skip, Skip::None | Skip::ToNext) {
        wanted.sort();
        found.sort();
    }
    if settings.skip == Skip::None && pattern.root.ends_absent() {
        // Two absences behind the same rows that are certain for different reasons are two matches.
        found.dedup();
    }
    let rows: Vec<(i64, i64)> = cx.rows.iter().map(|row| (row.time, row.value)).collect();
    assert_eq!(found, wanted, "{pattern} on {rows:?} with {settings:?}");
}

/// The automata of a pattern: of preferred matches, of all.
fn automata(pattern: &Pattern) -> [Automaton; 2] {
    [false, true].map(|all| Automaton::new(pattern, all).unwrap())
}

const SKIPS: [Skip; 6] = [Skip::PastLast, Skip::ToNext, Skip::None, Skip::ToFirst(1), Skip::ToLast(0), Skip::ToLast(1)];

/// Inputs of exactly `length` rows, each one of `letters`.
fn inputs(length: usize, letters: &[i64], mut each: impl FnMut(&[Sample])) {
    for number in 0..letters.len().pow(length as u32) {
        let mut rest = number;
        let rows = (0..length).map(|at| {
            let value = letters[rest % letters.len()];
            rest /= letters.len();
            Sample { time: at as i64, value }
        });
        each(&rows.collect::<Vec<_>>());
    }
}

/// Within little, and within more than there is.
fn both(settings: Settings) -> [Settings; 2] {
    [Settings { within: 3, ..settings.clone() }, Settings { within: 1000, ..settings }]
}

#[test]
fn every_small_pattern_on_every_input_of_up_to_six_rows() {
    let patterns = Patterns::up_to(2);
    assert!(patterns.len() > 300, "{}", patterns.len());
    for pattern in &patterns {
        let [preferred, all] = automata(pattern);
        for length in 1..=6 {
            let letters: &[i64] = if length < 5 { &[1, 2, 4] } else { &[1, 2] };
            inputs(length, letters, |rows| {
                let cx = Cx { rows, row: 0, condition: letter, until: fourth_letter };
                for skip in SKIPS {
                    let automaton = if skip == Skip::None { &all } else { &preferred };
                    let [little, ever] = both(settings(pattern.variables.len(), skip));
                    compare(pattern, automaton, &ever, cx, length / 2, 0);
                    if length < 5 {
                        compare(pattern, automaton, &little, cx, length / 2, 0);
                    }
                }
            });
        }
    }
}

#[test]
fn larger_patterns_on_inputs_where_letters_overlap() {
    let mut random = Random(7);
    for pattern in Patterns::up_to(3) {
        for _ in 0..30 {
            let skip = SKIPS[random.below(SKIPS.len())];
            let length = 1 + random.below(7);
            let rows: Vec<Sample> =
                (0..length).map(|at| Sample { time: at as i64, value: [1, 2, 3, 4, 6, 7][random.below(6)] }).collect();
            let cx = Cx { rows: &rows, row: 0, condition: letter, until: fourth_letter };
            let [little, ever] = both(settings(pattern.variables.len(), skip));
            let settings = if random.below(2) == 0 { little } else { ever };
            compare(
                &pattern,
                &automata(&pattern)[usize::from(skip == Skip::None)],
                &settings,
                cx,
                random.below(7),
                random.next(),
            );
        }
    }
}

#[test]
fn patterns_with_gaps_stops_and_conditions_that_look_back() {
    let mut random = Random(11);
    for round in 0..60_000 {
        let pattern = Patterns::random(&mut random, 6);
        let variables = pattern.variables.len();
        let skip = SKIPS[random.below(SKIPS.len())];
        let mut settings = settings(variables, skip);
        settings.within = [2, 5, 9, 1000][random.below(4)];
        settings.gaps = (0..variables).map(|_| [1, 2, 4, i64::MAX, i64::MAX][random.below(5)]).collect();
        settings.until = random.next() & random.next();
        let looks_back = round % 2 == 0;
        settings.own = if looks_back { 0 } else { u64::MAX };
        let mut time = 0;
        let rows: Vec<Sample> = (0..1 + random.below(8))
            .map(|_| {
                time += random.below(3) as i64;
                let letters = [1, 2, 3, 4, 6, 7][random.below(6)] | (random.below(6) as i64 / 5) << 3;
                Sample { time, value: letters | (random.below(3) as i64) << 4 }
            })
            .collect();
        let condition = if looks_back { letter_and_rest } else { letter };
        let cx = Cx { rows: &rows, row: 0, condition, until: fourth_letter };
        compare(
            &pattern,
            &automata(&pattern)[usize::from(skip == Skip::None)],
            &settings,
            cx,
            random.below(9),
            random.next(),
        );
    }
}

/// Feeds letters, a second each, to a matcher with these settings.
fn feed(pattern: &str, letters: &str, change: impl Fn(&mut Settings)) -> (Vec<Found>, Matcher, Partials, Buffer<()>) {
    let pattern = parse(pattern).unwrap();
    let mut settings = settings(pattern.variables.len(), Skip::PastLast);
    change(&mut settings);
    let mut matcher = Matcher::new(Automaton::new(&pattern, settings.skip == Skip::None).unwrap(), settings);
    let (mut buffer, mut partials) = (Buffer::default(), Partials::default());
    let (mut out, mut found) = (Vec::new(), Vec::new());
    let rows: Vec<Sample> = letters
        .chars()
        .enumerate()
        .map(|(at, letter)| {
            let variable = pattern.variables.iter().position(|v| v.name.starts_with(letter));
            Sample { time: at as i64, value: variable.map_or(0, |v| 1 << v) }
        })
        .collect();
    for row in 0..rows.len() {
        let mut cx = Cx { rows: &rows, row, condition: letter, until: fourth_letter };
        matcher.expire(&mut buffer, &mut partials, rows[row].time, &mut out);
        let _ = matcher.row(&mut buffer, &mut partials, rows[row].time, &mut cx, &mut out);
        for emission in out.drain(..) {
            found.push((steps(emission.path(&buffer)), emission.time));
            emission.release(&mut buffer);
        }
    }
    (found, matcher, partials, buffer)
}

#[test]
fn a_match_is_reported_as_soon_as_none_can_be_preferred_to_it() {
    let count = |pattern: &str, letters: &str| feed(pattern, letters, |_| {}).0.len();
    // With a reluctant end at once, with a greedy one when the loop is over.
    assert_eq!(count("a b+?", "ab"), 1);
    assert_eq!(count("a b+", "ab"), 0);
    assert_eq!(count("a b+", "abb"), 0);
    assert_eq!(count("a b+", "abba"), 1);
    // With an arrow at the end of the group, what follows ends the loop at once.
    assert_eq!(count("(a ->){2,} b", "axab"), 1);
    assert_eq!(count("a{2,} b", "aab"), 1);
}

#[test]
fn too_many_partial_matches_are_dropped_as_said_and_counted() {
    let with = |overflow, letters: &str| {
        feed("a ->> b", letters, |settings| {
            settings.partials_max = 2;
            settings.overflow = overflow;
            settings.skip = Skip::ToNext;
        })
    };
    let starts = |found: &[Found]| found.iter().map(|(steps, _)| steps[0].1).collect::<Vec<_>>();
    let (found, matcher, ..) = with(Overflow::DropOldest, "aaaab");
    assert_eq!((starts(&found), matcher.dropped()), (vec![2, 3], 2));
    let (found, matcher, ..) = with(Overflow::DropNewest, "aaaab");
    assert_eq!((starts(&found), matcher.dropped()), (vec![0, 1], 2));
    // A row that fails changes nothing.
    let (found, matcher, ..) = with(Overflow::Error, "aaaab");
    assert_eq!((starts(&found), matcher.dropped()), (vec![0, 1], 0));
}

#[test]
fn rows_are_stored_once_and_go_with_the_last_that_needs_them() {
    let (found, _, partials, buffer) = feed("(a ->)+ b", &"a".repeat(50), |settings| settings.within = 100);
    assert_eq!((found.len(), partials.len()), (0, 50));
    assert_eq!((buffer.rows(), buffer.steps()), (50, 50 * 51 / 2));
    let (found, _, partials, buffer) = feed("(a ->)+ b", &("a".repeat(50) + "b"), |settings| settings.within = 100);
    assert_eq!((found.len(), partials.is_idle()), (1, true));
    assert_eq!((buffer.rows(), buffer.steps()), (0, 0));
}

#[test]
fn partial_matches_whose_time_is_over_are_reported_where_that_is_wanted() {
    let run = |letters: &str, timed_out| {
        let change = |settings: &mut Settings| (settings.within, settings.timed_out) = (3, timed_out);
        feed("a -> b -> c", letters, change).0
    };
    assert_eq!(run("abxxxxx", true), [(vec![(0, 0), (1, 1)], 3)]);
    assert_eq!(run("abxxxxx", false), []);
    assert_eq!(run("abcxxxx", true), [(vec![(0, 0), (1, 1), (2, 2)], 2)]);
}

#[test]
fn a_match_has_the_same_id_after_a_replay_and_another_one_with_other_rows() {
    let id = |pattern: &str, letters: &str| {
        let pattern = parse(pattern).unwrap();
        let mut matcher = Matcher::new(Automaton::new(&pattern, false).unwrap(), settings(2, Skip::PastLast));
        let (mut buffer, mut partials, mut out) = (Buffer::default(), Partials::default(), Vec::new());
        let rows: Vec<Sample> =
            letters.chars().enumerate().map(|(t, c)| Sample { time: t as i64, value: 1 << (c as i64 - 97) }).collect();
        for row in 0..rows.len() {
            let mut cx = Cx { rows: &rows, row, condition: letter, until: fourth_letter };
            matcher.row(&mut buffer, &mut partials, rows[row].time, &mut cx, &mut out).unwrap();
        }
        out[0].path(&buffer).id()
    };
    assert_eq!(id("a -> b", "acb"), id("a -> b", "acb"));
    assert_ne!(id("a -> b", "acb"), id("a -> b", "ab"));
}
