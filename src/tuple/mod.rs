//! What flows: values, columns, the frame a tuple is decoded into, the packed record that crosses executors, codecs.
//!
//! Owns the types of columns ([`DataType`], [`Column`]), owned values ([`Value`]), the slots of a pipeline ([`Frame`],
//! [`Run`], [`Slot`]) and the memory of text ([`Arena`]). Never knows components, expressions, threads or files.

mod arena;
pub mod codec;
mod encode;
mod frame;
mod types;
mod value;

pub use arena::{Arena, TextWord};
pub use encode::{Cell, Encoder, Format, decimal, format_double, format_rfc3339, json_string, json_value};
pub use frame::{Frame, Layout, RUN_TUPLES, Run, Slot};
pub use types::{Column, DataType};
pub use value::Value;
