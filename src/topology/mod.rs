//! Topologies: the only place where config meets executors. Plans (pure), assembles, runs, explains.

mod assemble;
mod budget;
mod columns;
mod durable;
mod explain;
mod partition;
mod place;
mod plan;
mod report;
mod running;
mod shared;
mod slots;
mod state_report;

pub use assemble::{Parts, assemble};
pub use budget::{BudgetError, CoreBudget};
pub use durable::{Commits, Committed, Durable, state_folder};
pub use explain::{breaks, explain};
pub use place::Placement;
pub use plan::{ChannelPlan, Entry, Hop, PipelinePlan, Plan, TaskId, Way, plan, senders};
pub use report::{Before, Facts, interim, report};
pub use running::{Ran, RunError, RunOptions, TableTail, allowed_cores, entries, load_tables, run};
