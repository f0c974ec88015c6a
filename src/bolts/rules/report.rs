//! What a `rules` bolt has to show at the end: how often each rule fired.

use super::super::{Align, TextTable};
use super::rule::{Mode, Rule};
use serde_json::{Value, json};

/// Counts of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Rows it emitted.
    pub fired: u64,
    /// Tuples on which an expression of it failed.
    pub errors: u64,
}

/// Counts of one task.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Tuples by input: each rule of an input is evaluated on each of them.
    pub evaluated: Vec<u64>,
    /// By rule, in the order of the file.
    pub rules: Vec<RuleCount>,
    /// Keys with state.
    pub keys: u64,
}

impl Counts {
    /// Zero for so many inputs and rules.
    pub fn new(inputs: usize, rules: usize) -> Counts {
        Counts { evaluated: vec![0; inputs], rules: vec![RuleCount::default(); rules], keys: 0 }
    }
}

/// The rules that are counted: name, input, mode, in the order of the file.
#[derive(Clone, Debug)]
pub struct Report(Vec<(String, usize, Mode)>);

impl Report {
    /// A report on these rules.
    pub fn new(rules: &[Rule]) -> Report {
        Report(rules.iter().map(|r| (r.name.clone(), r.input, r.mode)).collect())
    }

    /// Number of rules.
    pub fn rules(&self) -> usize {
        self.0.len()
    }

    /// The sums of all tasks as text and as JSON.
    pub fn show(&self, parts: &[Counts]) -> (String, Value) {
        use Align::{Left, Right};
        let headings = [("rule", Left), ("mode", Left), ("evaluated", Right), ("fired", Right), ("errors", Right)];
        let mut table = TextTable::new(headings);
        let mut rules = serde_json::Map::new();
        for (number, (name, input, mode)) in self.0.iter().enumerate() {
            let sum = |of: &dyn Fn(&Counts) -> u64| parts.iter().map(of).sum::<u64>();
            let evaluated = if *mode == Mode::Off { 0 } else { sum(&|part| part.evaluated[*input]) };
            let (fired, errors) = (sum(&|part| part.rules[number].fired), sum(&|part| part.rules[number].errors));
            table.row([name, mode.name(), &evaluated.to_string(), &fired.to_string(), &errors.to_string()]);
            let counts = json!({ "mode": mode.name(), "evaluated": evaluated, "fired": fired, "errors": errors });
            rules.insert(name.clone(), counts);
        }
        let keys: u64 = parts.iter().map(|part| part.keys).sum();
        let mut text = table.render();
        if keys > 0 {
            text.push_str(&format!("{keys} keys counted for `for`\n"));
        }
        (text, json!({ "rules": rules, "keys": keys }))
    }
}
