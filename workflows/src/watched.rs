//! Passes a machine's observations to the observer, outside of history.
//!
//! A run is executed more than once: it is replayed after its entity was evicted from the cache, and a workflow task whose completion did
//! not reach the server is repeated. What the SDK calls a replay is not passed on. But a repeated task is no replay, and neither is one
//! that the SDK's core (0.10.1) runs together with the next one: if neither of two tasks left a command, and the next one was scheduled at
//! once, for an update, then a run that is not cached is given the second and the third as one (temporalio/sdk-rust issue 1606). So each
//! observation has its number in its run, and the observer recognizes what it has received before.

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

/// The observations of one run so far.
#[derive(Default)]
pub(crate) struct Observed {
    /// How many there were of each kind that is counted by itself: a few.
    counts: Vec<(Observation, u32)>,
}

impl Observed {
    /// Passes on observations. It issues no command. In replay it only counts.
    pub(crate) fn tell<W: 'static>(&mut self, context: &WorkflowContext<W>, observations: &[Observation]) {
        for observation in observations {
            let number = self.number(observation);
            if context.is_replaying_history_events() {
                continue;
            }
            WATCHER.with_borrow(|watcher| {
                if let Some(watcher) = watcher {
                    watcher.observe_run(context.run_id(), number, observation);
                }
            });
        }
    }

    /// Counts an observation, and returns its number.
    fn number(&mut self, observation: &Observation) -> u32 {
        let counted = observation.counted_as();
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == counted) {
            *count += 1;
            return *count;
        }
        self.counts.push((counted, 1));
        1
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::order::OrderState;

    use super::*;

    #[test]
    fn observations_are_numbered_by_what_counts_them_and_not_by_what_they_measure() {
        let ended = |state| Observation::OrderEnded { tenant: "t".parse().unwrap(), state, rejected: None };
        let granted = |waited_ms| Observation::LeaseGranted { kind: "msisdn".parse().unwrap(), waited_ms };
        let mut observed = Observed::default();
        let all = [
            ended(OrderState::Completed),
            granted(7),
            ended(OrderState::Failed),
            granted(8),
            ended(OrderState::Completed),
            granted(7),
        ];
        assert_eq!(all.map(|observation| observed.number(&observation)), [1, 1, 1, 2, 2, 3]);
    }
}
