//! Telling whoever watches what an entity's machine saw: outside of history, and only where it happens, not where it is
//! replayed. A workflow task that is done again because its answer was lost is told of again.

use std::cell::RefCell;
use std::sync::Arc;

use interlock_domain::observation::{Observation, Observer};
use temporalio_workflow::WorkflowContext;

thread_local! {
    /// Who watches. One worker runs all its workflow code on one thread, and each worker has a thread of its own.
    static WATCHER: RefCell<Option<Arc<dyn Observer>>> = const { RefCell::new(None) };
}

/// From now on `observer` is told what the entities see that this thread runs. To be called before its worker runs.
pub fn watch_on_this_thread(observer: Arc<dyn Observer>) {
    WATCHER.set(Some(observer));
}

/// Tells what was seen. Issues no command.
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
