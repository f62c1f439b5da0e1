//! The circuit breaker of one target in one worker process. After some consecutive failures it blocks all calls for a while, then lets
//! one call at a time through until one succeeds. It reports its transitions to the target's entity.
//!
//! A target is down if different orders find so, or if it says so itself: an order that fails again and again, for a locked record for
//! example, counts once. Whenever it fails again before any other call succeeds, the target is asked whether it is up, and only if it is
//! not, that counts.
//!
//! Calls that are in flight when it opens are not cancelled. So if a target goes down, a process makes as many attempts as it takes to
//! open the breaker, plus those in flight then (at most its slots for the target).

use std::collections::BTreeSet;
use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use interlock_adapters::{Adapter, Verification};
use interlock_domain::attempt::JobAnswer;
use interlock_domain::observation::BreakerState;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::target_entity::{BreakerTransition, TargetRules};
use tokio::sync::oneshot;
use tower::util::{BoxCloneSyncService, ServiceExt};
use tower::{Layer, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer, CircuitState};

/// How long the target's answer to the question whether it is up is awaited.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// The most orders and resources that are remembered as failed. With so many, the target is down by any setting that is of use.
const FAILED_MAX: usize = 1_000;

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
    /// Whose calls failed since the last success.
    failed: Arc<Mutex<BTreeSet<String>>>,
    /// Whether the next call decides if it closes.
    half_open: Arc<AtomicBool>,
    /// Whether the target is being asked.
    asking: Arc<AtomicBool>,
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
        let half_open = Arc::new(AtomicBool::new(false));
        let is_half_open = Arc::clone(&half_open);
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
                is_half_open.store(state == BreakerState::HalfOpen, Ordering::Relaxed);
                show(state);
                let Some(transition) = transition else { return };
                let reason = reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
                report(Transition { transition, reason });
            })
            .build()
            .expect("constants that make a breaker");
        let gate = BoxCloneSyncService::new(layer.layer(service_fn(pass)));
        let (failed, asking) = (Arc::default(), Arc::default());
        Self { gate, last_failure, failed, half_open, asking, open_for }
    }

    /// How long it blocks calls after it opens.
    pub(crate) fn open_for(&self) -> Duration {
        self.open_for
    }

    /// Makes a call for an order or a resource, unless the breaker is open. A call that is dropped before its end counts neither for nor
    /// against the target.
    pub(crate) async fn call<T: SpeaksOfTarget>(
        &self,
        on_behalf_of: impl Display,
        asked: &Arc<dyn Adapter>,
        call: impl Future<Output = T>,
    ) -> Result<T, LetsNothingThrough> {
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
            if !self.counts(on_behalf_of.to_string()) {
                self.ask(Arc::clone(asked));
                return Ok(became);
            }
        } else {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        // The other end is the passage below, which waits for it.
        let _told = tell.send(failure.map_or(Ok(()), Err));
        let _counted = passage.await;
        Ok(became)
    }
}

impl Breaker {
    /// Whether a failed call counts: the first one of this order or resource since the last success.
    fn counts(&self, on_behalf_of: String) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= FAILED_MAX {
            // An order that fails again is then counted a second time, which makes no difference after so many failures.
            failed.clear();
        }
        let is_first = failed.insert(on_behalf_of);
        is_first || self.half_open.load(Ordering::Relaxed)
    }

    /// Asks the target whether it is up, in the background and once at a time. If it is not, that counts as a failure.
    fn ask(&self, target: Arc<dyn Adapter>) {
        if self.asking.swap(true, Ordering::Relaxed) {
            return;
        }
        let breaker = self.clone();
        tokio::spawn(async move {
            let asked = tokio::time::timeout(ANSWER_LIMIT, target.health()).await;
            let failure = match asked {
                Ok(Ok(())) => None,
                Ok(Err(outcome)) => outcome.failure(),
                Err(_) => Some(format!("it did not answer within {} s", ANSWER_LIMIT.as_secs())),
            };
            if let Some(detail) = failure {
                breaker.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&detail);
                breaker.count(detail).await;
            }
            breaker.asking.store(false, Ordering::Relaxed);
        });
    }

    /// Counts a failure that no call found.
    async fn count(&self, detail: String) {
        let (go, may_go) = oneshot::channel();
        let (tell, result) = oneshot::channel();
        // The receivers are in the passage, which ends at once.
        drop(tell.send(Err(detail)));
        let _counted = self.gate.clone().oneshot(Passage { go, result }).await;
        drop(may_go);
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
            Self::Unavailable { cause: Some(cause), detail, .. } => Some(format!("{cause}: {detail}")),
            Self::Unavailable { detail, .. } | Self::Transient { detail } | Self::Ambiguous { detail } => {
                Some(format!("{}: {detail}", self.class()))
            }
            // The target answered, even if only to ask for fewer requests.
            Self::Done
            | Self::AlreadyDone
            | Self::Accepted { .. }
            | Self::InUse { .. }
            | Self::Throttled { .. }
            | Self::Permanent { .. } => None,
        }
    }
}

impl SpeaksOfTarget for Verification {
    fn failure(&self) -> Option<String> {
        match self {
            Self::Unclear { detail } => Some(format!("unclear: {detail}")),
            Self::Applied | Self::NotApplied | Self::Accepted { .. } | Self::InUse { .. } => None,
        }
    }
}

impl SpeaksOfTarget for JobAnswer {
    fn failure(&self) -> Option<String> {
        match self {
            Self::NotTold(outcome) => outcome.failure(),
            Self::Running { .. } | Self::Ended(_) | Self::Unknown { .. } => None,
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
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;
    use interlock_adapters::{Call, Capabilities, Fence, OnAmbiguous};
    use interlock_domain::error_code::ErrorCode;
    use interlock_domain::ids::{ResourceId, TenantId};

    use super::*;

    const FAILURES_MAX: usize = 5;

    /// A target of which only the answer to "are you up?" matters.
    struct Target {
        is_up: bool,
        asked: AtomicUsize,
    }

    impl Target {
        fn new(is_up: bool) -> (Arc<Self>, Arc<dyn Adapter>) {
            let target = Arc::new(Self { is_up, asked: AtomicUsize::new(0) });
            (Arc::clone(&target), target)
        }
    }

    #[async_trait]
    impl Adapter for Target {
        fn capabilities(&self, _operation: &str) -> Capabilities {
            Capabilities {
                fence: Fence::None,
                verify: false,
                idempotency_keys: false,
                on_ambiguous: OnAmbiguous::Hold,
                max_apply_delay: Duration::ZERO,
            }
        }

        async fn call(&self, _call: &Call) -> Outcome {
            Outcome::Done
        }

        async fn verify(&self, _call: &Call) -> Verification {
            Verification::Applied
        }

        async fn find_holder(&self, _tenant: &TenantId, _resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
            Ok(HolderAnswer::Nobody)
        }

        async fn health(&self) -> Result<(), Outcome> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_up { Ok(()) } else { Err(down()) }
        }
    }

    fn down() -> Outcome {
        Outcome::unavailable("refused")
    }

    fn watched() -> (Breaker, Arc<Mutex<Vec<Transition>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let by_breaker = Arc::clone(&seen);
        let rules = TargetRules::default();
        (Breaker::new(&rules, |_| {}, move |transition| by_breaker.lock().unwrap().push(transition)), seen)
    }

    /// Makes a call that fails, then waits until the target has answered, if it is asked.
    async fn fails(breaker: &Breaker, order: usize, target: &Arc<dyn Adapter>) -> bool {
        let was_let_through = breaker.call(order, target, async { down() }).await.is_ok();
        while breaker.asking.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        was_let_through
    }

    #[tokio::test]
    async fn it_opens_after_consecutive_failures_of_different_orders_and_then_blocks_all_calls() {
        let (breaker, seen) = watched();
        let (asked, target) = Target::new(true);
        let mut made = 0;
        for order in 0..3 * FAILURES_MAX {
            made += usize::from(fails(&breaker, order, &target).await);
        }
        assert_eq!(made, FAILURES_MAX);
        assert_eq!(asked.asked.load(Ordering::Relaxed), 0);
        let seen = seen.lock().unwrap().clone();
        let reason = "unavailable: refused".to_owned();
        assert_eq!(seen, [Transition { transition: BreakerTransition::Opened, reason }]);
    }

    #[tokio::test]
    async fn an_order_that_fails_again_and_again_counts_once_while_its_target_is_up() {
        let (breaker, seen) = watched();
        let (asked, target) = Target::new(true);
        for _ in 0..3 * FAILURES_MAX {
            assert!(fails(&breaker, 1, &target).await, "a locked record delays nobody else");
        }
        assert_eq!(*seen.lock().unwrap(), []);
        assert_eq!(asked.asked.load(Ordering::Relaxed), 3 * FAILURES_MAX - 1);
        for order in 2..FAILURES_MAX {
            assert!(fails(&breaker, order, &target).await);
        }
        assert_eq!(*seen.lock().unwrap(), []);
        assert!(fails(&breaker, FAILURES_MAX, &target).await);
        assert_eq!(seen.lock().unwrap().len(), 1, "the fifth order");
    }

    #[tokio::test]
    async fn a_target_that_does_not_answer_is_down_although_only_one_order_finds_so() {
        let (breaker, seen) = watched();
        let (_, target) = Target::new(false);
        for _ in 0..FAILURES_MAX {
            assert!(fails(&breaker, 1, &target).await);
        }
        assert!(!fails(&breaker, 1, &target).await);
        assert_eq!(seen.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn any_answer_counts_as_a_sign_that_the_target_is_up() {
        let (breaker, seen) = watched();
        let (_, target) = Target::new(true);
        let refusal = || Outcome::Permanent { code: ErrorCode::Expired.into(), detail: String::new() };
        for _ in 0..FAILURES_MAX {
            for order in 1..FAILURES_MAX {
                assert!(fails(&breaker, order, &target).await);
            }
            assert!(breaker.call(0, &target, async { refusal() }).await.is_ok());
        }
        assert_eq!(*seen.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_counts_neither_for_nor_against_the_target() {
        let (breaker, seen) = watched();
        let (_, target) = Target::new(true);
        for order in 0..3 * FAILURES_MAX {
            let given_up =
                tokio::time::timeout(Duration::ZERO, breaker.call(order, &target, std::future::pending::<Outcome>()));
            assert!(given_up.await.is_err());
        }
        assert_eq!(breaker.call(0, &target, async { Outcome::Done }).await, Ok(Outcome::Done));
        assert_eq!(*seen.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn when_it_is_half_open_the_next_call_decides_whoever_makes_it() {
        let (breaker, _) = watched();
        assert!(breaker.counts("A".to_owned()));
        assert!(!breaker.counts("A".to_owned()));
        assert!((1..FAILED_MAX).all(|order| breaker.counts(order.to_string())));
        assert!(breaker.counts("A".to_owned()), "the memory is bounded");
        breaker.half_open.store(true, Ordering::Relaxed);
        assert!(breaker.counts("A".to_owned()));
    }
}
