//! The threads of the executors: started together, pinned, and never ended by a panic without a word.

use super::plan::Plan;
use super::running::RunError;
use crate::component::{ComponentError, Sections};
use crate::executor::{Control, Culprit, Executor, Snapshot};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// What came of an executor.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) snapshot: Snapshot,
    pub(super) sections: Sections,
    pub(super) error: Option<ComponentError>,
    /// What panicked, if anything did, and what it said.
    pub(super) panic: Option<(Option<Culprit>, String)>,
}

/// The threads of the executors.
pub(super) struct Threads {
    handles: Vec<std::thread::JoinHandle<Ended>>,
}

impl Threads {
    /// Starts them.
    ///
    /// # Errors
    /// One cannot be started or pinned.
    pub(super) fn start(executors: Vec<Executor>, plan: &Plan, control: &Arc<Control>) -> Result<Threads, RunError> {
        let (told, hear) = mpsc::channel();
        let go = Arc::new(Mutex::new(()));
        // No executor steps before all are pinned: a refusal ends the run before anything was read.
        let held = go.lock().unwrap_or_else(PoisonError::into_inner);
        let mut handles = Vec::new();
        for executor in executors {
            let (core, told, go, control) = (plan.cores[executor.index], told.clone(), go.clone(), control.clone());
            let body = move || {
                let pinned = core.is_none_or(|id| core_affinity::set_for_current(core_affinity::CoreId { id }));
                // The receiver waits for exactly one message of each executor.
                let _ = told.send((executor.index, core, pinned));
                drop(go.lock());
                live(executor, &control)
            };
            let name = format!("sferic-{}", handles.len());
            let handle = std::thread::Builder::new().name(name).spawn(body);
            handles.push(handle.map_err(|e| ComponentError::io("a thread for an executor cannot be started", e))?);
        }
        for _ in 0..handles.len() {
            if let Ok((index, Some(core), false)) = hear.recv() {
                control.abort.store(true, Ordering::Relaxed);
                let why = std::io::Error::last_os_error().to_string();
                return Err(RunError::Pin { index, core, why });
            }
        }
        drop(held);
        Ok(Threads { handles })
    }

    /// Whether all have ended.
    pub(super) fn have_ended(&self) -> bool {
        self.handles.iter().all(std::thread::JoinHandle::is_finished)
    }

    /// What came of each.
    pub(super) fn join(self) -> Vec<Ended> {
        let lost = |payload: Box<dyn Any + Send>| Ended { panic: Some((None, said(&*payload))), ..Ended::default() };
        self.handles.into_iter().map(|handle| handle.join().unwrap_or_else(lost)).collect()
    }
}

/// Runs an executor to its end on this thread.
///
/// What a panic leaves behind is not used again: nothing of the executor but its numbers is looked at, all of it is
/// dropped, and whoever goes on does so from the last durable epoch with everything made anew.
fn live(mut executor: Executor, control: &Control) -> Ended {
    let mut sections = Sections::default();
    let ran = catch_unwind(AssertUnwindSafe(|| match control.abort.load(Ordering::Relaxed) {
        true => Ok(()),
        false => executor.run(&mut sections),
    }));
    let panic = match ran {
        Ok(result) => {
            return Ended { snapshot: executor.snapshot(), sections, error: result.err(), panic: None };
        }
        Err(payload) => said(&*payload),
    };
    // The others would wait for its tuples for ever.
    control.abort.store(true, Ordering::Relaxed);
    control.wake_all();
    let culprit = catch_unwind(AssertUnwindSafe(|| executor.culprit())).ok();
    let snapshot = catch_unwind(AssertUnwindSafe(|| executor.snapshot())).unwrap_or_default();
    // What is dropped may panic, too; the first panic is the one to tell of.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(executor)));
    Ended { snapshot, sections, error: None, panic: Some((culprit, panic)) }
}

/// The words of a panic.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without a word".to_owned())
}
