//! The integration tests, one module for each behaviour.

mod engine;
mod postgres;
mod tidy;
