//! What a topology file may say: loading, merging, substitution, checking.
//!
//! Owns the typed text as the user wrote it ([`Model`]) and the pure function from it and a registry to a checked
//! topology ([`Checked`]). Reports every problem at once. Never starts anything, never knows threads or plans.

mod checked;
mod model;

pub use checked::{
    Checked, CheckedBolt, CheckedSpout, Edge, Grouping, Objective, Owner, Runtime, Stream, StreamId, Wait,
};
pub use model::{ExpectRow, GivenRow, Model, TestModel};
