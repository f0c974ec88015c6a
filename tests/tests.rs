//! The integration tests, one module for each behaviour.

mod answers;
mod bad_config;
mod bad_input;
mod commands;
mod crash;
mod dead;
mod durable;
mod engine;
mod joins;
mod log;
mod many_filters;
mod patterns;
mod postgres;
mod program;
mod readme;
mod reference;
mod reload;
mod stop;
mod tables;
mod tcp;
mod tidy;
mod windows;
