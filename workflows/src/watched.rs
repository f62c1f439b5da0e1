//! Telling whoever watches what an entity's machine saw: outside of history, and only where it happens, not where it is
//! replayed. A workflow task that is done again because its answer was lost is told of again.

use std::rc::Rc;
use std::sync::Arc;

use interlock_domain::observation::{Observation, Observer};
use temporalio_workflow::{WorkflowContext, WorkflowContextKey};

/// Under which the worker keeps who watches, for the main routine of a workflow.
pub struct Watcher;

impl WorkflowContextKey for Watcher {
    type Value = Arc<dyn Observer>;
}

/// Tells what was seen. Issues no command.
pub(crate) fn tell<W: 'static>(context: &WorkflowContext<W>, observations: Vec<Observation>) {
    if observations.is_empty() || context.is_replaying_history_events() {
        return;
    }
    let watcher: Option<Rc<Arc<dyn Observer>>> = context.context_value::<Watcher>();
    if let Some(watcher) = watcher {
        observations.iter().for_each(|observation| watcher.observe(observation));
    }
}
