//! The integration tests, one module for each behaviour.

mod bad_config;
mod engine;
mod postgres;
mod tidy;
