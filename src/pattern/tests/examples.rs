//! The examples of the reference find what they say.

use super::super::examples::{EXAMPLES, Example};
use super::super::naive::Sample;
use super::super::*;
use super::{Cx, automata, online, settings};

const SECOND: i64 = 1_000_000;

/// The row has the variable's letter: variables are found by bit, letters of `u` behind them.
fn letter(variable: usize, rows: &[Sample], row: usize, _: &super::Steps) -> bool {
    rows[row].value >> variable & 1 == 1
}

fn stop(_: usize, rows: &[Sample], row: usize, _: &super::Steps) -> bool {
    rows[row].value >> 63 & 1 == 1
}

fn rows(example: &Example, variables: &[Variable]) -> Vec<Sample> {
    let mut time = -SECOND;
    let row = |word: &str| {
        let (letters, at) = word.split_once('@').unwrap_or((word, ""));
        time = at.parse().map_or(time + SECOND, |second: i64| second * SECOND);
        let has = |variable: &Variable| letters.contains(&variable.name[..1]);
        let bits = variables.iter().enumerate().filter(|(_, v)| has(v)).fold(0i64, |bits, (at, _)| bits | 1 << at);
        Sample { time, value: if letters.contains('u') { bits | i64::MIN } else { bits } }
    };
    example.rows.split_whitespace().map(row).collect()
}

fn apply(option: &str, variables: &[Variable], settings: &mut Settings) {
    let (name, value) = option.split_once(" = ").expect("an option has a value");
    let seconds = || value.trim_end_matches('s').parse::<i64>().expect("seconds") * SECOND;
    let variable = |name: &str| variables.iter().position(|v| v.name == name).expect("a variable");
    match (name.split_once('.'), name) {
        (Some((of, "gap")), _) => settings.gaps[variable(of)] = seconds(),
        (Some((of, "until")), _) => settings.until |= 1 << variable(of),
        (None, "within") => settings.within = seconds(),
        (None, "skip") => {
            settings.skip = match value.split(' ').collect::<Vec<_>>()[..] {
                ["none"] => Skip::None,
                ["to", "next"] => Skip::ToNext,
                ["to", "first", of] => Skip::ToFirst(variable(of)),
                ["to", "last", of] => Skip::ToLast(variable(of)),
                _ => panic!("{value}"),
            }
        }
        _ => panic!("{option}"),
    }
}

#[test]
fn every_example_finds_what_it_says() {
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        let pattern = parse(example.pattern).unwrap();
        let rows = rows(example, &pattern.variables);
        let mut settings = settings(pattern.variables.len(), Skip::PastLast);
        example.options.split(", ").filter(|o| !o.is_empty()).for_each(|o| apply(o, &pattern.variables, &mut settings));
        let cx = Cx { rows: &rows, row: 0, condition: letter, until: stop };
        let found = online(&automata(&pattern)[usize::from(settings.skip == Skip::None)], &settings, cx, usize::MAX, 0);
        let text = found.iter().map(|(steps, time)| {
            let step = |(variable, row): &(usize, usize)| format!("{}{}", pattern.variables[*variable].name, row + 1);
            let last = steps.last().map_or(0, |(_, row)| rows[*row].time);
            let at = if last == *time { String::new() } else { format!(" @{}", time / SECOND) };
            steps.iter().map(step).collect::<Vec<_>>().join(" ") + &at
        });
        let text = text.collect::<Vec<_>>().join("; ");
        if text != example.matches {
            wrong.push(format!("{} It finds: {text}", example.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
