//! The core budget: which cores of the machine the process may use, and how many executors that allows.

use crate::config::Runtime;
use thiserror::Error;

/// Cores for executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreBudget {
    /// The core of each executor; none: not pinned.
    pub cores: Vec<Option<usize>>,
    /// Whether executors share cores, with each other or with the system: then none may spin.
    pub shared: bool,
}

/// Why a core budget cannot be had.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BudgetError {
    /// A core of `cores` that the process may not use.
    #[error(
        "core {core} of `runtime.cores` is not available: this process may use the cores {allowed}; \
         choose among them, or widen its set (taskset, cgroup cpuset)"
    )]
    NotAllowed {
        /// The core asked for.
        core: usize,
        /// The cores of the process.
        allowed: String,
    },
    /// More executors than cores were listed.
    #[error("`runtime.threads` is {threads}, but `runtime.cores` lists {listed} cores; list one core for each thread")]
    TooFewListed {
        /// Executors.
        threads: usize,
        /// Cores listed.
        listed: usize,
    },
}

impl CoreBudget {
    /// A budget of `executors` executors without pinning: for tests and simulations.
    pub fn unpinned(executors: usize) -> CoreBudget {
        CoreBudget { cores: vec![None; executors], shared: true }
    }

    /// The budget that `[runtime]` asks for on a process that may use the cores `allowed` (ascending). By default all
    /// but the first core get an executor: one is left to the system and to commits.
    ///
    /// # Errors
    /// A core was asked for that the process may not use, or too few were listed.
    pub fn new(runtime: &Runtime, allowed: &[usize]) -> Result<CoreBudget, BudgetError> {
        let threads = runtime.threads.or(runtime.cores.as_ref().map(Vec::len));
        let threads = threads.unwrap_or(allowed.len().saturating_sub(1)).max(1);
        if !runtime.pin {
            return Ok(CoreBudget { cores: vec![None; threads], shared: threads >= allowed.len() });
        }
        if let Some(listed) = &runtime.cores {
            if listed.len() < threads {
                return Err(BudgetError::TooFewListed { threads, listed: listed.len() });
            }
            if let Some(core) = listed.iter().find(|c| !allowed.contains(c)) {
                return Err(BudgetError::NotAllowed { core: *core, allowed: list(allowed) });
            }
            let mut distinct = listed[..threads].to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            let cores = listed[..threads].iter().copied().map(Some).collect();
            return Ok(CoreBudget { cores, shared: distinct.len() < threads });
        }
        // The last cores first: the first one is where the system's own work usually is.
        let cores =
            (0..threads).map(|n| allowed.get(allowed.len().wrapping_sub(1 + n % allowed.len().max(1))).copied());
        Ok(CoreBudget { cores: cores.collect(), shared: threads > allowed.len() })
    }

    /// Number of executors.
    pub fn executors(&self) -> usize {
        self.cores.len()
    }
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
