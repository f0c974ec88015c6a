//! The integration tests, one module for each behaviour.

mod bad_config;
mod postgres;
mod tidy;
