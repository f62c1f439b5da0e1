//! The breaker of one target in one worker process: after some failures in a row it lets nothing through for a while, and
//! then one call at a time until one succeeds. What it does is reported to the target's entity.
//!
//! Calls that are under way when it opens are not called back: of a target that goes down a process makes as many attempts
//! as it takes to open the breaker, and those that it had begun by then (at most its slots for the target).

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

/// What became of a call: `Err` with a sentence where it speaks against the target.
type CallResult = Result<(), String>;

/// A call on its way through the breaker: told when it may go, and tells what became of it.
struct Passage {
    go: oneshot::Sender<()>,
    result: oneshot::Receiver<CallResult>,
}

/// The breaker lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LetsNothingThrough;

/// What a breaker did, and why.
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
    /// A closed one, that opens after so many failures in a row for so long. `report` is told each time that it opens or
    /// closes; `show` also when it lets a first call through again, and now.
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

    /// How long it lets nothing through, once it is open.
    pub(crate) fn open_for(&self) -> Duration {
        self.open_for
    }

    /// Makes a call, unless the breaker lets nothing through. A call that is dropped before its end speaks neither for nor
    /// against the target.
    pub(crate) async fn call<T: SpeaksOfTarget>(&self, call: impl Future<Output = T>) -> Result<T, LetsNothingThrough> {
        let (go, may_go) = oneshot::channel();
        let (tell, result) = oneshot::channel();
        let mut passage = pin!(self.gate.clone().oneshot(Passage { go, result }));
        tokio::select! {
            biased;
            // It is over before it began: it was not let through.
            _refused = &mut passage => return Err(LetsNothingThrough),
            gone = may_go => if gone.is_err() { return Err(LetsNothingThrough) },
        }
        let became = call.await;
        let failure = became.failure();
        if let Some(detail) = &failure {
            self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone_from(detail);
        }
        // The other end is the passage, which is here and waits for it.
        let _told = tell.send(failure.map_or(Ok(()), Err));
        let _counted = passage.await;
        Ok(became)
    }
}

/// Tells that the call may go, and waits until it says what became of it.
fn pass(passage: Passage) -> BoxFuture<'static, Result<(), String>> {
    async move {
        if passage.go.send(()).is_err() {
            return Ok(());
        }
        passage.result.await.unwrap_or(Ok(()))
    }
    .boxed()
}

/// What says something of its target: whether it is there.
pub(crate) trait SpeaksOfTarget {
    /// Why the target may not be there; none where it is, whatever else it said.
    fn failure(&self) -> Option<String>;
}

impl SpeaksOfTarget for Outcome {
    fn failure(&self) -> Option<String> {
        match self {
            Self::Unavailable { detail, .. } | Self::Transient { detail } | Self::Ambiguous { detail } => {
                Some(format!("{}: {detail}", self.class()))
            }
            // It answered, and be it that it wants to be asked less.
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
    async fn it_opens_after_failures_in_a_row_and_then_calls_nothing() {
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
    async fn an_answer_of_whatever_kind_speaks_for_the_target() {
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
    async fn a_call_that_was_given_up_says_nothing() {
        let (breaker, seen) = watched();
        for _ in 0..3 * FAILURES_MAX {
            let given_up = tokio::time::timeout(Duration::ZERO, breaker.call(std::future::pending::<Outcome>()));
            assert!(given_up.await.is_err());
        }
        assert_eq!(breaker.call(async { Outcome::Done }).await, Ok(Outcome::Done));
        assert_eq!(*seen.lock().unwrap(), []);
    }
}
