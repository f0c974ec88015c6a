//! Executors: pinned threads that own pipelines.
//!
//! Owns the stepping of pipelines ([`Pipeline`]), the program that a tuple goes through ([`Program`]), channels between
//! pipelines, and the waiting around the steps. Never knows a concrete spout or bolt, nor the config file.

mod at;
mod careful;
mod channel;
mod control;
mod dispatch;
mod input;
mod letters;
mod meter;
mod pipeline;
mod program;
mod route;
mod sides;
mod thread;
mod wait;

pub use at::At;
pub use careful::Careful;
pub use channel::{Columns, Item, Receiver, Sender, record_words};
pub use control::{Control, Seen};
pub use dispatch::Dispatch;
pub use input::{Channel, Input, RejectColumn, Side, Source, Split, split_key};
pub use letters::{Letters, Shown};
pub use meter::{ExecutorMeter, TaskMeter};
pub use pipeline::{Culprit, Order, Pipeline, Progress};
pub use program::{Around, ErrorSlots, Node, Program, Target, Targets, Task};
pub use route::{Destination, Mechanism, Router, SHARDS};
pub use thread::{Executor, Snapshot};
pub use wait::{Parker, Wait};
