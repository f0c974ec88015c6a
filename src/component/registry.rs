//! The kinds that a binary understands: an explicit list.

use super::{BoltFactory, SpoutFactory, TableFactory};
use crate::problem::nearest;

/// Factories by kind.
#[derive(Default)]
pub struct Registry {
    spouts: Vec<Box<dyn SpoutFactory>>,
    bolts: Vec<Box<dyn BoltFactory>>,
    table: Option<Box<dyn TableFactory>>,
}

impl Registry {
    /// No kinds at all; see [`crate::registry`] for Sferic's own.
    pub fn empty() -> Registry {
        Registry::default()
    }

    /// Adds a kind of spout; a kind of the same name is replaced.
    pub fn spout(mut self, factory: impl SpoutFactory + 'static) -> Registry {
        self.spouts.retain(|f| f.kind() != factory.kind());
        self.spouts.push(Box::new(factory));
        self
    }

    /// Adds a kind of bolt; a kind of the same name is replaced.
    pub fn bolt(mut self, factory: impl BoltFactory + 'static) -> Registry {
        self.bolts.retain(|f| f.kind() != factory.kind());
        self.bolts.push(Box::new(factory));
        self
    }

    /// Sets what reads reference tables.
    pub fn table(mut self, factory: impl TableFactory + 'static) -> Registry {
        self.table = Some(Box::new(factory));
        self
    }

    /// What reads reference tables, if anything does.
    pub fn table_factory(&self) -> Option<&dyn TableFactory> {
        self.table.as_deref()
    }

    /// The factory of a kind of spout.
    pub fn spout_of(&self, kind: &str) -> Option<&dyn SpoutFactory> {
        self.spouts.iter().find(|f| f.kind() == kind).map(|f| &**f)
    }

    /// The factory of a kind of bolt.
    pub fn bolt_of(&self, kind: &str) -> Option<&dyn BoltFactory> {
        self.bolts.iter().find(|f| f.kind() == kind).map(|f| &**f)
    }

    /// All kinds of spouts, in the order of registration.
    pub fn spouts(&self) -> impl Iterator<Item = &dyn SpoutFactory> + Clone {
        self.spouts.iter().map(|f| &**f)
    }

    /// All kinds of bolts, in the order of registration.
    pub fn bolts(&self) -> impl Iterator<Item = &dyn BoltFactory> + Clone {
        self.bolts.iter().map(|f| &**f)
    }

    /// The nearest kind to a misspelt one.
    pub fn nearest<'a>(wanted: &str, kinds: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        nearest(wanted, kinds)
    }
}
