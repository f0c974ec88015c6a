//! The meaning of patterns by example.
