//! What is known of each id where state lives in memory only: its label, and which rules alerted it.
//!
//! Alerts may come before or after their truth, so every id of either side is kept until the end, in 17 bytes (25 with
//! amounts) and the index: the id as its 64-bit hash (two of a hundred million ids share one with a chance of 1 in
//! 4,000), and the set of rules as a number: there are few distinct sets, each is stored once.

use hashbrown::{HashMap, HashTable};

/// What the truth says of an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Label {
    /// No row of the truth has come.
    #[default]
    Missing,
    /// A row has come, its label is NULL.
    Unknown,
    /// Not a positive.
    Negative,
    /// A positive.
    Positive,
}

/// All ids of both sides.
#[derive(Default)]
pub struct Ids {
    index: HashTable<u32>,
    hashes: Vec<u64>,
    labels: Vec<Label>,
    sets: Vec<u32>,
    amounts: Option<Vec<f64>>,
    interner: Sets,
}

/// What is known of one id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known<'a> {
    /// The label.
    pub label: Label,
    /// Numbers of the rules that alerted it, ascending, each once.
    pub rules: &'a [u32],
    /// Its amount; 0 if not asked for or NULL.
    pub amount: f64,
}

impl Ids {
    /// None yet; `amounts` says whether amounts are kept.
    pub fn new(amounts: bool) -> Ids {
        Ids { amounts: amounts.then(Vec::new), ..Ids::default() }
    }

    /// A row of the truth; a later one for the same id counts instead.
    pub fn judge(&mut self, id: u64, label: Label, amount: f64) {
        let at = self.place(id);
        self.labels[at] = label;
        if let Some(amounts) = &mut self.amounts {
            amounts[at] = amount;
        }
    }

    /// A rule has alerted an id; a second time counts once.
    pub fn alert(&mut self, id: u64, rule: u32) {
        let at = self.place(id);
        self.sets[at] = self.interner.with(self.sets[at], rule);
    }

    /// All ids, in the order in which they were first heard of.
    pub fn iter(&self) -> impl Iterator<Item = Known<'_>> {
        (0..self.hashes.len()).map(|at| Known {
            label: self.labels[at],
            rules: &self.interner.sets[self.sets[at] as usize],
            amount: self.amounts.as_ref().map_or(0.0, |a| a[at]),
        })
    }

    fn place(&mut self, id: u64) -> usize {
        let hashes = &self.hashes;
        if let Some(at) = self.index.find(id, |at| hashes[*at as usize] == id) {
            return *at as usize;
        }
        let at = self.hashes.len();
        self.hashes.push(id);
        self.labels.push(Label::Missing);
        self.sets.push(0);
        if let Some(amounts) = &mut self.amounts {
            amounts.push(0.0);
        }
        let hashes = &self.hashes;
        self.index.insert_unique(id, at as u32, |at| hashes[*at as usize]);
        at
    }
}

/// Sets of rules by number; 0 is the empty one.
struct Sets {
    sets: Vec<Box<[u32]>>,
    /// From a set and a further rule to the set with it.
    steps: HashMap<(u32, u32), u32>,
    numbers: HashMap<Box<[u32]>, u32>,
}

impl Default for Sets {
    fn default() -> Sets {
        let empty: Box<[u32]> = Box::default();
        Sets { sets: vec![empty.clone()], steps: HashMap::new(), numbers: HashMap::from_iter([(empty, 0)]) }
    }
}

impl Sets {
    fn with(&mut self, set: u32, rule: u32) -> u32 {
        if let Some(next) = self.steps.get(&(set, rule)) {
            return *next;
        }
        let mut rules = self.sets[set as usize].to_vec();
        if let Err(at) = rules.binary_search(&rule) {
            rules.insert(at, rule);
        }
        let rules: Box<[u32]> = rules.into();
        let next = *self.numbers.entry(rules.clone()).or_insert(self.sets.len() as u32);
        if next as usize == self.sets.len() {
            self.sets.push(rules);
        }
        self.steps.insert((set, rule), next);
        next
    }
}
