//! The integration tests, one module for each behaviour.

mod postgres;
mod tidy;
