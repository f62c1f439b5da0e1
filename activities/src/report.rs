//! Telling target entities what the breakers of this process do: transitions only, the latest only, at most one signal
//! for each target in a while, and never in the way of a call.

use std::sync::Arc;
use std::time::Duration;

use interlock_client::TargetClient;
use interlock_domain::ids::TargetId;
use interlock_domain::observation::{Observation, Observer};
use interlock_domain::target_entity::{BreakerReport, BreakerTransition};
use tokio::sync::watch;

use crate::breaker::{Breaker, Transition};

/// The time between two signals of this process to one target entity.
const PAUSE: Duration = Duration::from_secs(5);

/// Reports in the name of this process.
#[derive(Clone)]
pub(crate) struct Reporter {
    targets: TargetClient,
    observer: Arc<dyn Observer>,
    /// Names this process among all that run.
    process: Arc<str>,
}

impl Reporter {
    pub(crate) fn new(targets: TargetClient, observer: Arc<dyn Observer>) -> Self {
        let process = format!("{} {:08x}", targets.identity(), uuid::Uuid::new_v4().as_fields().0);
        Self { targets, observer, process: process.into() }
    }

    /// A breaker of one target, whose transitions are reported from a task of their own, which ends with it.
    pub(crate) fn breaker(&self, target: &TargetId) -> Breaker {
        let (tell, told) = watch::channel(None);
        tokio::spawn(report(self.clone(), target.clone(), told));
        let (observer, shown) = (Arc::clone(&self.observer), target.clone());
        let show = move |state| observer.observe(&Observation::BreakerChanged { target: shown.clone(), state });
        // A receiver that is gone is one whose runtime ends.
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
        // What the target itself said may name subscribers: the target's entity has it, which is encrypted.
        let class = reason.split(':').next().unwrap_or_default();
        tracing::warn!(%target, ?transition, class, "the breaker of a target changed its state");
        let report = BreakerReport { process: reporter.process.to_string(), transition, reason };
        match reporter.targets.report(&target, &report).await {
            Ok(()) => last = transition,
            // While Temporal is away no steps come either; the next transition is told again.
            Err(error) => tracing::error!(%target, %error, "cannot report a breaker to the entity of its target"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a transition is worth a signal: each opening, since it may be a failure of another kind or in a ramp; a closing
/// only after an opening.
fn is_news(last: BreakerTransition, now: BreakerTransition) -> bool {
    now == BreakerTransition::Opened || last == BreakerTransition::Opened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_is_news_only_after_an_opening() {
        use BreakerTransition::{Closed, Opened};
        assert!(is_news(Closed, Opened) && is_news(Opened, Opened) && is_news(Opened, Closed));
        assert!(!is_news(Closed, Closed));
    }
}
