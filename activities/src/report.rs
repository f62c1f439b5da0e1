//! Reports the transitions of this process's breakers to target entities: only the latest transition, at most one signal for each
//! target in a while, and without delaying calls.

use std::sync::Arc;
use std::time::Duration;

use interlock_client::TargetClient;
use interlock_domain::ids::TargetId;
use interlock_domain::observation::{Observation, Observer};
use interlock_domain::target_entity::{BreakerReport, BreakerTransition};
use tokio::sync::watch;

use crate::breaker::{Breaker, Transition};

/// The least time between two signals of this process to one target entity.
const PAUSE: Duration = Duration::from_secs(5);

/// Sends reports in the name of this process.
#[derive(Clone)]
pub(crate) struct Reporter {
    targets: TargetClient,
    observer: Arc<dyn Observer>,
    /// Identifies this process among all running processes.
    process: Arc<str>,
}

impl Reporter {
    pub(crate) fn new(targets: TargetClient, observer: Arc<dyn Observer>) -> Self {
        let process = format!("{} {:08x}", targets.identity(), uuid::Uuid::new_v4().as_fields().0);
        Self { targets, observer, process: process.into() }
    }

    /// A breaker of one target. A separate task reports its transitions; the task ends with the breaker.
    pub(crate) fn breaker(&self, target: &TargetId) -> Breaker {
        let (tell, told) = watch::channel(None);
        tokio::spawn(report(self.clone(), target.clone(), told));
        let (observer, shown) = (Arc::clone(&self.observer), target.clone());
        let show = move |state| observer.observe(&Observation::BreakerChanged { target: shown.clone(), state });
        // If the receiver is gone, the runtime is ending.
        Breaker::new(&self.targets.rules(target), show, move |transition| drop(tell.send(Some(transition))))
    }
}

async fn report(reporter: Reporter, target: TargetId, mut told: watch::Receiver<Option<Transition>>) {
    let mut last = BreakerTransition::Closed;
    while told.changed().await.is_ok() {
        let latest = told.borrow_and_update().clone();
        let Some(Transition { transition, reason }) = latest.filter(|latest| is_news(last, latest.transition)) else {
            continue;
        };
        // The target's own words may name subscribers. Only the target's entity gets them, where they are encrypted.
        let class = reason.split(':').next().unwrap_or_default();
        tracing::warn!(%target, ?transition, class, "the breaker of a target changed its state");
        let report = BreakerReport { process: reporter.process.to_string(), transition, reason };
        match reporter.targets.report(&target, &report).await {
            Ok(()) => last = transition,
            // While Temporal is unavailable, no steps arrive either. The next transition is reported again.
            Err(error) => tracing::error!(%target, %error, "cannot report a breaker to the entity of its target"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a transition must be signalled: every opening, since it may be a different failure or happen in a ramp; a closing only after
/// an opening.
fn is_news(last: BreakerTransition, now: BreakerTransition) -> bool {
    now == BreakerTransition::Opened || last == BreakerTransition::Opened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_is_reported_only_after_an_opening() {
        use BreakerTransition::{Closed, Opened};
        assert!(is_news(Closed, Opened) && is_news(Opened, Opened) && is_news(Opened, Closed));
        assert!(!is_news(Closed, Closed));
    }
}
