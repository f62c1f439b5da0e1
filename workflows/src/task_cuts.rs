//! How the SDK's core cut the history of each cached run into workflow tasks.
//!
//! The core (0.10.1) may run several workflow tasks as one, and cut them otherwise when it replays them. Which way it was the
//! first time is known here alone: the run sees the length of its history in each task. The process's connection to the
//! server reads it from here, and has it recorded with the task (the query guard of the worker pool).
//!
//! This is not state of a workflow: nothing that a workflow does depends on it.

use std::collections::BTreeMap;
#[allow(clippy::disallowed_types, reason = "it is read by other threads, and no workflow reads it")]
use std::sync::Mutex;
use std::sync::PoisonError;

use temporalio_workflow::WorkflowContext;

#[allow(clippy::disallowed_types, reason = "it is read by other threads, and no workflow reads it")]
static RUNS: Mutex<BTreeMap<String, Cuts>> = Mutex::new(BTreeMap::new());

/// The last two tasks of a run, each by the id of the event with which it started.
#[derive(Debug, Clone, Copy, Default)]
struct Cuts {
    last: u32,
    before: u32,
}

/// The id of the event with which the workflow task started that the core gave to a cached run before the task that started
/// with the event `started`; 0 if that is the run's first task. `None` if the run is not cached here, or has not taken that
/// task.
pub fn task_before(run_id: &str, started: i64) -> Option<i64> {
    let runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    runs.get(run_id).filter(|cuts| i64::from(cuts.last) == started).map(|cuts| i64::from(cuts.before))
}

/// Notes the tasks of one run while it is cached.
pub(crate) struct TaskCuts {
    run_id: String,
    last: u32,
}

impl TaskCuts {
    pub(crate) fn of<W: 'static>(context: &WorkflowContext<W>) -> Self {
        Self { run_id: context.run_id().to_owned(), last: 0 }
    }

    /// The run is in the task that started with the last event of a history of this length.
    pub(crate) fn reached(&mut self, length: u32) {
        if length == self.last {
            return;
        }
        let cuts = Cuts { last: length, before: self.last };
        self.last = length;
        RUNS.lock().unwrap_or_else(PoisonError::into_inner).insert(self.run_id.clone(), cuts);
    }
}

impl Drop for TaskCuts {
    fn drop(&mut self) {
        RUNS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.run_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(run_id: &str) -> TaskCuts {
        TaskCuts { run_id: run_id.to_owned(), last: 0 }
    }

    #[test]
    fn the_task_before_is_the_one_that_the_run_was_given_before() {
        let mut cuts = cuts("the task before");
        assert_eq!(task_before("the task before", 3), None);
        cuts.reached(3);
        assert_eq!(task_before("the task before", 3), Some(0));
        cuts.reached(3);
        cuts.reached(21);
        cuts.reached(33);
        cuts.reached(33);
        assert_eq!(task_before("the task before", 33), Some(21));
        assert_eq!(task_before("the task before", 34), None, "it has not taken that one");
    }

    #[test]
    fn a_run_that_is_evicted_is_forgotten() {
        let mut cuts = cuts("evicted");
        cuts.reached(3);
        drop(cuts);
        assert_eq!(task_before("evicted", 3), None);
    }
}
