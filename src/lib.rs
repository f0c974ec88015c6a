//! Sferic: a record-at-a-time, low-latency event processor.

#![deny(missing_docs)]

pub mod bolts;
pub mod component;
pub mod config;
pub mod executor;
pub mod expr;
pub mod filetest;
pub mod latency;
pub mod problem;
pub mod ring;
pub mod store;
pub mod time;
pub mod topology;
pub mod tuple;
pub mod window;
