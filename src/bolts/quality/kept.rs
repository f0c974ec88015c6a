//! What is known of each id where there is a store: a value for each id and a number for each rule, wholly in the store
//! and in memory as far as they were used lately.

use super::ids::{Known, Label};
use crate::bolts::FOREVER;
use crate::component::{BoltBuild, ComponentError};
use crate::store::{Codec, KeyRef, Keyed, State, StoreError};
use hashbrown::HashMap;

/// What is known of one id.
#[derive(Clone, Debug, Default, PartialEq)]
struct Judged {
    label: Label,
    amount: f64,
    /// Numbers of the rules that alerted it, ascending, each once.
    rules: Vec<u32>,
}

impl Codec for Judged {
    fn write(&self, out: &mut Vec<u8>) {
        let label: u8 = match self.label {
            Label::Missing => 0,
            Label::Unknown => 1,
            Label::Negative => 2,
            Label::Positive => 3,
        };
        label.write(out);
        self.amount.to_bits().write(out);
        self.rules.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Judged> {
        let label = match u8::read(from)? {
            0 => Label::Missing,
            1 => Label::Unknown,
            2 => Label::Negative,
            3 => Label::Positive,
            _ => return None,
        };
        Some(Judged { label, amount: f64::from_bits(u64::read(from)?), rules: Vec::read(from)? })
    }

    fn heap_bytes(&self) -> usize {
        self.rules.heap_bytes()
    }
}

/// All ids and rules.
pub struct Kept {
    ids: Keyed<Judged>,
    numbers: Keyed<u32>,
}

/// Rules by name.
type Numbers = HashMap<String, u32>;

impl Kept {
    /// What the store holds, and the rules in it by name; none without a store. `meaning` tells labels, amounts and
    /// rules from those of another definition.
    ///
    /// # Errors
    /// What it holds was written by another definition, or cannot be read.
    pub fn open(build: &BoltBuild<'_>, meaning: &str) -> Result<Option<(Kept, Numbers)>, ComponentError> {
        let ids = build.life("ids", meaning, FOREVER, 0)?;
        let numbers = build.life("rules", "numbers of rules by name", FOREVER, 0)?;
        let (Some(ids), Some(numbers)) = (ids, numbers) else { return Ok(None) };
        let (mut rules, mut failed) = (Numbers::new(), None);
        let scanned = numbers.space().scan(numbers.place(), &mut |name, content| match Keyed::<u32>::read(content) {
            Ok((_, number)) => {
                rules.insert(String::from_utf8_lossy(name).into_owned(), number);
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        scanned.and(failed.map_or(Ok(()), Err)).map_err(|error| ComponentError::new(error.to_string()))?;
        let kept = Kept { ids: Keyed::new(FOREVER, Some(ids)), numbers: Keyed::new(FOREVER, Some(numbers)) };
        Ok(Some((kept, rules)))
    }

    /// A rule has this number from now on.
    pub fn number(&mut self, name: &str, number: u32) {
        *self.numbers.at(KeyRef::new(name.as_bytes()), 0) = number;
    }

    /// A row of the truth; a later one for the same id counts instead.
    pub fn judge(&mut self, id: KeyRef<'_>, label: Label, amount: f64) {
        let known = self.ids.at(id, 0);
        (known.label, known.amount) = (label, amount);
    }

    /// A rule has alerted an id; a second time counts once.
    pub fn alert(&mut self, id: KeyRef<'_>, rule: u32) {
        let rules = &mut self.ids.at(id, 0).rules;
        if let Err(at) = rules.binary_search(&rule) {
            rules.insert(at, rule);
        }
    }

    /// Gives all ids, in no order, as the last epoch knows them.
    ///
    /// # Errors
    /// The store cannot be read, or what it holds is damaged.
    pub fn each(&self, each: &mut dyn FnMut(Known<'_>)) -> Result<(), StoreError> {
        let Some(life) = self.ids.life() else { return Ok(()) };
        let mut failed = None;
        life.space().scan(life.place(), &mut |_, content| match Keyed::<Judged>::read(content) {
            Ok((_, known)) => {
                each(Known { label: known.label, rules: &known.rules, amount: known.amount });
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Its handles.
    pub fn states(&mut self, each: &mut dyn FnMut(&mut dyn State)) {
        each(&mut self.ids);
        each(&mut self.numbers);
    }
}
