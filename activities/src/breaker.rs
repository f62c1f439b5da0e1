//! The circuit breaker of one target in one worker process. After some consecutive failures it blocks all calls for a while, then lets
//! one call at a time through until one succeeds. It reports its transitions to the target's entity.
//!
//! Calls that are in flight when it opens are not cancelled. So if a target goes down, a process makes as many attempts as it takes to
//! open the breaker, plus those in flight then (at most its slots for the target).

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use interlock_adapters::Verification;
use interlock_domain::observation::BreakerState;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::target_entity::{BreakerTransition, TargetRules};
use tokio::sync::oneshot;
use tower::util::{BoxCloneSyncService, ServiceExt};
use tower::{Layer, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer, CircuitState};

/// The result of a call: `Err` with a sentence if the target seems to be down.
type CallResult = Result<(), String>;

/// A call that passes through the breaker: it learns when it may start, and reports its result.
struct Passage {
    go: oneshot::Sender<()>,
    result: oneshot::Receiver<CallResult>,
}

/// The breaker is open and blocks the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LetsNothingThrough;

/// A transition of a breaker, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) transition: BreakerTransition,
    pub(crate) reason: String,
}

/// The breaker of one target.
#[derive(Clone)]
pub(crate) struct Breaker {
    gate: BoxCloneSyncService<Passage, (), CircuitBreakerError<String>>,
    last_failure: Arc<Mutex<String>>,
    open_for: Duration,
}

impl Breaker {
    /// A closed breaker. The rules say after how many consecutive failures it opens, and for how long. `report` is called each time it
    /// opens or closes. `show` is also called now, and when the breaker lets a first call through again.
    pub(crate) fn new(
        rules: &TargetRules,
        show: impl Fn(BreakerState) + Send + Sync + 'static,
        report: impl Fn(Transition) + Send + Sync + 'static,
    ) -> Self {
        show(BreakerState::Closed);
        let last_failure = Arc::new(Mutex::new(String::new()));
        let reason = Arc::clone(&last_failure);
        let open_for = Duration::from_millis(rules.breaker_open_ms.max(1));
        let layer = CircuitBreakerLayer::builder()
            .consecutive_failures(rules.breaker_failures.max(1) as usize)
            .wait_duration_in_open(open_for)
            .permitted_calls_in_half_open(1)
            .on_state_transition(move |_from, to| {
                let (state, transition) = match to {
                    CircuitState::Open => (BreakerState::Open, Some(BreakerTransition::Opened)),
                    CircuitState::Closed => (BreakerState::Closed, Some(BreakerTransition::Closed)),
                    CircuitState::HalfOpen => (BreakerState::HalfOpen, None),
                };
                show(state);
                let Some(transition) = transition else { return };
                let reason = reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
                report(Transition { transition, reason });
            })
            .build()
            .expect("constants that make a breaker");
        let gate = BoxCloneSyncService::new(layer.layer(service_fn(pass)));
        Self { gate, last_failure, open_for }
    }

    /// How long it blocks calls after it opens.
    pub(crate) fn open_for(&self) -> Duration {
        self.open_for
    }

    /// Makes a call, unless the breaker is open. A call that is dropped before its end counts neither for nor against the target.
    pub(crate) async fn call<T: SpeaksOfTarget>(&self, call: impl Future<Output = T>) -> Result<T, LetsNothingThrough> {
        let (go, may_go) = oneshot::channel();
        let (tell, result) = oneshot::channel();
        let mut passage = pin!(self.gate.clone().oneshot(Passage { go, result }));
        tokio::select! {
            biased;
            // The breaker blocked the call before it started.
            _refused = &mut passage => return Err(LetsNothingThrough),
            gone = may_go => if gone.is_err() { return Err(LetsNothingThrough) },
        }
        let became = call.await;
        let failure = became.failure();
        if let Some(detail) = &failure {
            self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone_from(detail);
        }
        // The other end is the passage below, which waits for it.
        let _told = tell.send(failure.map_or(Ok(()), Err));
        let _counted = passage.await;
        Ok(became)
    }
}

/// Signals that the call may start, and waits for its result.
fn pass(passage: Passage) -> BoxFuture<'static, Result<(), String>> {
    async move {
        if passage.go.send(()).is_err() {
            return Ok(());
        }
        passage.result.await.unwrap_or(Ok(()))
    }
    .boxed()
}

/// A result that shows whether its target is up.
pub(crate) trait SpeaksOfTarget {
    /// Why the target may be down. `None` if it is up, whatever its answer was.
    fn failure(&self) -> Option<String>;
}

impl SpeaksOfTarget for Outcome {
    fn failure(&self) -> Option<String> {
        match self {
            Self::Unavailable { detail, .. } | Self::Transient { detail } | Self::Ambiguous { detail } => {
                Some(format!("{}: {detail}", self.class()))
            }
            // The target answered, even if only to ask for fewer requests.
            Self::Done | Self::AlreadyDone | Self::InUse { .. } | Self::Throttled { .. } | Self::Permanent { .. } => {
                None
            }
        }
    }
}

impl SpeaksOfTarget for Verification {
    fn failure(&self) -> Option<String> {
        match self {
            Self::Unclear { detail } => Some(format!("unclear: {detail}")),
            Self::Applied | Self::NotApplied | Self::InUse { .. } => None,
        }
    }
}

impl SpeaksOfTarget for Result<HolderAnswer, Outcome> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().and_then(Outcome::failure)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use interlock_domain::error_code::ErrorCode;

    use super::*;

    const FAILURES_MAX: usize = 5;

    fn down() -> Outcome {
        Outcome::unavailable("refused")
    }

    fn watched() -> (Breaker, Arc<Mutex<Vec<Transition>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let by_breaker = Arc::clone(&seen);
        let rules = TargetRules::default();
        (Breaker::new(&rules, |_| {}, move |transition| by_breaker.lock().unwrap().push(transition)), seen)
    }

    #[tokio::test]
    async fn it_opens_after_consecutive_failures_and_then_blocks_all_calls() {
        let (breaker, seen) = watched();
        let calls = AtomicUsize::new(0);
        let mut refused = 0;
        for _ in 0..3 * FAILURES_MAX {
            let call = async {
                calls.fetch_add(1, Ordering::Relaxed);
                down()
            };
            refused += usize::from(breaker.call(call).await.is_err());
        }
        assert_eq!((calls.load(Ordering::Relaxed), refused), (FAILURES_MAX, 2 * FAILURES_MAX));
        let seen = seen.lock().unwrap().clone();
        let reason = "unavailable: refused".to_owned();
        assert_eq!(seen, [Transition { transition: BreakerTransition::Opened, reason }]);
    }

    #[tokio::test]
    async fn any_answer_counts_as_a_sign_that_the_target_is_up() {
        let (breaker, seen) = watched();
        let refusal = || Outcome::Permanent { code: ErrorCode::Expired.into(), detail: String::new() };
        for _ in 0..FAILURES_MAX {
            for _ in 1..FAILURES_MAX {
                assert!(breaker.call(async { down() }).await.is_ok());
            }
            assert!(breaker.call(async { refusal() }).await.is_ok());
        }
        assert_eq!(*seen.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_counts_neither_for_nor_against_the_target() {
        let (breaker, seen) = watched();
        for _ in 0..3 * FAILURES_MAX {
            let given_up = tokio::time::timeout(Duration::ZERO, breaker.call(std::future::pending::<Outcome>()));
            assert!(given_up.await.is_err());
        }
        assert_eq!(breaker.call(async { Outcome::Done }).await, Ok(Outcome::Done));
        assert_eq!(*seen.lock().unwrap(), []);
    }
}
