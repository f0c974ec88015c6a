//! Many conditions on one tuple: only those that may be true are evaluated.
//!
//! 1. In each condition a **guard** is looked for ([`guard`]): a part joined with `and` that compares a column with
//!    constants. Where the guard is not true, neither is the condition, and nothing in it can fail.
//! 2. The guards of one column become an index: equality (`=`, `in`) by hash, ranges (`<`, `between`, ...) by order.
//! 3. On a tuple the indexes give the candidates, as bits; conditions without guard always are. Candidates are evaluated
//!    in the order in which they were given, unless the guard is all there is.
//!
//! Invariant: what is reported is the same as if every condition were evaluated, failures included: a guard stands
//! behind nothing that may fail, and where its column is NULL, conditions that may still fail are candidates.
//!
//! Source: the counting and clustering algorithms of publish/subscribe matching (Fabret and others, 2001), reduced to one
//! predicate for each condition.

mod equal;
mod guard;
mod order;
#[cfg(test)]
mod tests;

use super::{Compiled, EvalError, Expr};
use crate::tuple::{Arena, Frame, Slot};
use equal::EqualIndex;
use guard::{Guard, Test};
use order::OrderIndex;

/// From how many conditions on a column's equality on an index costs less than evaluating them.
const EQUAL_MIN: usize = 6;
/// The same of ranges.
const ORDER_MIN: usize = 12;

/// One of many conditions.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The condition; none is always true.
    pub expr: Option<Expr>,
    /// Whether it is reported on each tuple, also where it is not true.
    pub every: bool,
}

/// Conditions over one scope, and by what each is found.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    list: Vec<(Condition, Option<Guard>)>,
}

impl Conditions {
    /// Looks for guards. Conditions are numbered from 0, in this order.
    pub fn new(list: impl IntoIterator<Item = Condition>) -> Conditions {
        let guarded = |condition: Condition| {
            let guard = condition.expr.as_ref().filter(|_| !condition.every).and_then(guard::of);
            (condition, guard)
        };
        let mut list: Vec<(Condition, Option<Guard>)> = list.into_iter().map(guarded).collect();
        // Few conditions on a column are cheaper to evaluate than to look up.
        let kinds: Vec<_> = list.iter().map(|(_, guard)| guard.as_ref().map(Guard::index)).collect();
        for (at, (_, guard)) in list.iter_mut().enumerate() {
            let alike = kinds.iter().filter(|kind| **kind == kinds[at]).count();
            let min = if matches!(guard, Some(Guard { test: Test::Equal(_), .. })) { EQUAL_MIN } else { ORDER_MIN };
            if alike < min {
                *guard = None;
            }
        }
        Conditions { list }
    }

    /// Number of conditions.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether any of them is found by an index.
    pub fn has_index(&self) -> bool {
        self.list.iter().any(|(_, guard)| guard.is_some())
    }

    /// The numbers of the columns that they read, ascending.
    pub fn columns(&self) -> Vec<usize> {
        let all = self.list.iter().filter_map(|(condition, _)| condition.expr.as_ref());
        let mut columns: Vec<usize> = all.flat_map(|expr| expr.columns().iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// For people, a line for each index: how many conditions it finds, by which column. Empty without an index.
    pub fn describe(&self, column: &dyn Fn(usize) -> String) -> Vec<String> {
        let mut lines = Vec::new();
        for (index, numbers) in self.indexes() {
            let (by, how) = (column(index.0), if index.1 { "equality" } else { "range" });
            lines.push(format!("{} of {} conditions are found by {how} of {by}", numbers.len(), self.len()));
        }
        lines
    }

    /// The indexes, each with the numbers of its conditions: in the order of their first conditions.
    fn indexes(&self) -> Vec<((usize, bool), Vec<usize>)> {
        let mut indexes: Vec<((usize, bool), Vec<usize>)> = Vec::new();
        for (number, (_, guard)) in self.list.iter().enumerate() {
            let Some(index) = guard.as_ref().map(Guard::index) else { continue };
            match indexes.iter_mut().find(|(known, _)| *known == index) {
                Some((_, numbers)) => numbers.push(number),
                None => indexes.push((index, vec![number])),
            }
        }
        indexes
    }

    /// Compiles them for frames where column `n` stands in `slots(n)`.
    pub fn compile(&self, slots: &dyn Fn(usize) -> Slot) -> CompiledConditions {
        let words = self.len().div_ceil(64);
        let mut always = vec![0; words].into_boxed_slice();
        let mut live = Vec::with_capacity(self.len());
        for (number, (condition, guard)) in self.list.iter().enumerate() {
            if guard.is_none() {
                set(&mut always, number as u32);
            }
            let expr = condition.expr.as_ref().filter(|_| !guard.as_ref().is_some_and(|guard| guard.whole));
            live.push(Live { when: expr.map(|expr| expr.compile(slots)), every: condition.every });
        }
        let (mut equals, mut orders) = (Vec::new(), Vec::new());
        for ((column, equality), numbers) in self.indexes() {
            let guards = numbers.iter().filter_map(|n| Some((*n as u32, self.list[*n].1.as_ref()?)));
            let guards: Vec<(u32, &Guard)> = guards.collect();
            if equality {
                equals.push(EqualIndex::new(slots(column), &guards));
            } else {
                let blocks = guards.chunks(order::BLOCK).map(|guards| OrderIndex::new(slots(column), guards));
                orders.extend(blocks);
            }
        }
        CompiledConditions { live, bits: always.clone(), always, equals, orders }
    }
}

/// A condition ready to run.
struct Live {
    /// None: it is true wherever it is a candidate.
    when: Option<Compiled>,
    every: bool,
}

/// Conditions ready to run. Owned by one executor.
#[derive(Default)]
pub struct CompiledConditions {
    live: Vec<Live>,
    /// The conditions that are always candidates.
    always: Box<[u64]>,
    /// The candidates of the current tuple.
    bits: Box<[u64]>,
    equals: Vec<EqualIndex>,
    orders: Vec<OrderIndex>,
}

impl CompiledConditions {
    /// Gives `see` the number of each condition that is true, that fails, or that is reported on each tuple, in ascending
    /// order, until it answers false.
    #[inline]
    pub fn test(&mut self, frame: &Frame, arena: &Arena, mut see: impl FnMut(usize, Result<bool, EvalError>) -> bool) {
        self.bits.copy_from_slice(&self.always);
        for index in &self.equals {
            index.find(frame, &mut self.bits);
        }
        for index in &self.orders {
            index.find(frame, &mut self.bits);
        }
        for (at, word) in self.bits.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                let number = at * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                let live = &self.live[number];
                let result = match &live.when {
                    None => Ok(true),
                    Some(when) => when.test(frame, arena),
                };
                if (live.every || !matches!(result, Ok(false))) && !see(number, result) {
                    return;
                }
            }
        }
    }
}

/// Sets the bit of a condition.
#[inline(always)]
fn set(bits: &mut [u64], number: u32) {
    bits[number as usize / 64] |= 1 << (number % 64);
}
