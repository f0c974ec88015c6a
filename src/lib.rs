//! Sferic: a record-at-a-time, low-latency event processor.

#![deny(missing_docs)]

pub mod bolts;
pub mod cli;
pub mod component;
pub mod config;
pub mod executor;
pub mod expr;
pub mod filetest;
pub mod latency;
pub mod problem;
pub mod ring;
pub mod spouts;
pub mod store;
pub mod time;
pub mod topology;
pub mod tuple;
pub mod window;

/// Sferic's own kinds of spouts and bolts. Add your own with [`component::Registry::spout`] and
/// [`component::Registry::bolt`], and hand the registry to [`cli::main`].
pub fn registry() -> component::Registry {
    bolts::register(spouts::register(component::Registry::empty()))
}
