//! Bringing together what the tasks of a bolt have to show at the end.
//!
//! Owned by the plan, which makes the tasks; each task holds a share. The last one to hand in gets the parts of all, in
//! the order of tasks, and reports them as one. Locked once per task, at the end.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Parts by task.
type Parts<T> = Mutex<Vec<Option<T>>>;

/// In a plan: where the tasks of one run of the bolt meet. A plan that is built again (the next run, the next test)
/// starts afresh once the tasks of the run before are gone.
pub struct Gather<T> {
    current: Mutex<Weak<Parts<T>>>,
}

impl<T> Default for Gather<T> {
    fn default() -> Gather<T> {
        Gather { current: Mutex::new(Weak::new()) }
    }
}

impl<T> Gather<T> {
    /// The share of task `task` of `tasks`.
    pub fn join(&self, task: usize, tasks: usize) -> Share<T> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = current.upgrade().unwrap_or_else(|| {
            let parts = Arc::new(Mutex::new((0..tasks).map(|_| None).collect()));
            *current = Arc::downgrade(&parts);
            parts
        });
        Share { parts, task }
    }
}

/// In a task: where it hands in its part.
pub struct Share<T> {
    parts: Arc<Parts<T>>,
    task: usize,
}

impl<T> Share<T> {
    /// Hands in this task's part; all parts, in the order of tasks, if it was the last to come.
    pub fn put(&self, part: T) -> Option<Vec<T>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = parts.get_mut(self.task) {
            *place = Some(part);
        }
        if parts.iter().any(Option::is_none) {
            return None;
        }
        Some(parts.iter_mut().filter_map(Option::take).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Gather;

    #[test]
    fn the_last_task_gets_all_parts_and_an_aborted_run_leaves_none() {
        let gather = Gather::default();
        let aborted = [gather.join(0, 2), gather.join(1, 2)];
        assert_eq!(aborted[1].put('x'), None);
        drop(aborted);
        let shares = [gather.join(0, 2), gather.join(1, 2)];
        assert_eq!(shares[1].put('b'), None);
        assert_eq!(shares[0].put('a'), Some(vec!['a', 'b']));
    }
}
