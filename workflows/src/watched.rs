//! Passes a machine's observations to the observer: outside of history, and only in the first execution, not in replay. A workflow task
//! that is repeated because its answer was lost reports again.

use std::cell::RefCell;
use std::sync::Arc;

use interlock_domain::observation::{Observation, Observer};
use temporalio_workflow::WorkflowContext;

thread_local! {
    /// The observer. Each worker has a thread of its own, which runs all its workflow code.
    static WATCHER: RefCell<Option<Arc<dyn Observer>>> = const { RefCell::new(None) };
}

/// From now on, `observer` receives the observations of the entities on this thread. Call this before the thread's worker runs.
pub fn watch_on_this_thread(observer: Arc<dyn Observer>) {
    WATCHER.set(Some(observer));
}

/// Passes on observations. It issues no command.
pub(crate) fn tell<W: 'static>(context: &WorkflowContext<W>, observations: &[Observation]) {
    if observations.is_empty() || context.is_replaying_history_events() {
        return;
    }
    WATCHER.with_borrow(|watcher| {
        if let Some(watcher) = watcher {
            for observation in observations {
                watcher.observe(observation);
            }
        }
    });
}
