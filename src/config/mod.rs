//! What a topology file may say: loading, merging, substitution, checking.
//!
//! Owns the text as the user wrote it ([`Model`]) and the pure function from it and a registry to a checked topology
//! ([`Checked`]). Reports every problem at once. Never starts anything, never knows threads or plans.

mod cell;
mod check;
mod checked;
mod load;
mod model;
mod parse;
mod schema;
mod substitute;

pub use cell::cell;
pub use check::{BOLT_KEYS, GROUPINGS, RUNTIME_OPTIONS, SPOUT_KEYS, TEST_OPTIONS, check};
pub use checked::{
    Checked, CheckedBolt, CheckedSpout, DeadLetters, Edge, Grouping, Objective, Owner, Runtime, Stream, StreamId, Wait,
};
pub use load::{Loader, SECTIONS, load_file, load_text};
pub use model::{ExpectRow, GivenRow, Item, Model, TestModel};
pub use schema::schema;
