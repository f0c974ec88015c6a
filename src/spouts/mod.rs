//! The kinds of spouts.

pub mod generate;
