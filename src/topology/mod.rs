//! Topologies: the only place where config meets executors. Plans (pure), assembles, runs, explains.

mod assemble;
mod budget;
mod columns;
mod durable;
mod explain;
mod panics;
mod partition;
mod place;
mod plan;
mod replay;
mod report;
mod running;
mod shared;
mod slots;
mod state_report;
mod threads;

pub use assemble::{Letterbox, Parts, assemble};
pub use budget::{BudgetError, CoreBudget};
pub use durable::{Commits, Committed, Durable, state_folder};
pub use explain::{breaks, explain};
pub use panics::Panic;
pub use place::Placement;
pub use plan::{ChannelPlan, Entry, Hop, PipelinePlan, Plan, ReplayEntry, TaskId, Way, plan, senders};
pub use replay::{Counted, Replay, Selection};
pub use report::{Before, Facts, interim, report};
pub use running::{Ran, RunError, RunOptions, TableTail, allowed_cores, entries, load_tables, replay, run};
