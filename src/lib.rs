//! Sferic: a record-at-a-time, low-latency event processor.

#![deny(missing_docs)]

pub mod component;
pub mod config;
pub mod expr;
pub mod latency;
pub mod problem;
pub mod spouts;
pub mod store;
pub mod time;
pub mod tuple;
