//! Sferic: a record-at-a-time, low-latency event processor.

#![deny(missing_docs)]

pub mod bolts;
pub mod component;
pub mod config;
pub mod expr;
pub mod problem;
pub mod store;
pub mod time;
pub mod tuple;
