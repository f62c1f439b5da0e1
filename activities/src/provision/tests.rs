use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use interlock_adapters::{Capabilities as AdapterCapabilities, Fence};
use interlock_client::EntityCallError;
use interlock_domain::attempt::LeftBy;
use interlock_domain::ids::{CustomerRef, OrderId, ResourceId, TenantId};
use interlock_domain::outcome::HolderAnswer;
use interlock_domain::retry::RetryPolicy;
use temporalio_macros::activities;
use temporalio_sdk::testing::{ActivityEnvironment, ActivityEnvironmentError, TestActivityInfoOptions};

use super::*;

/// How long a request may take effect late at the target of these tests.
const LANDS_WITHIN: Duration = Duration::from_millis(60);

/// A target that gives the configured answers and records its requests.
struct Told {
    calls: Mutex<VecDeque<Outcome>>,
    verifications: Mutex<VecDeque<Verification>>,
    asked: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Adapter for Told {
    fn capabilities(&self, _operation: &str) -> AdapterCapabilities {
        AdapterCapabilities {
            fence: Fence::None,
            verify: true,
            idempotency_keys: false,
            on_ambiguous: AdapterOnAmbiguous::Verify,
            max_apply_delay: LANDS_WITHIN,
        }
    }

    async fn call(&self, _call: &Call) -> Outcome {
        self.asked.lock().unwrap().push("call");
        self.calls.lock().unwrap().pop_front().unwrap()
    }

    async fn verify(&self, _call: &Call) -> Verification {
        self.asked.lock().unwrap().push("verify");
        self.verifications.lock().unwrap().pop_front().unwrap()
    }

    async fn find_holder(&self, _tenant: &TenantId, _resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
        Ok(HolderAnswer::Nobody)
    }

    async fn health(&self) -> Result<(), Outcome> {
        Ok(())
    }
}

impl Ledger for Told {
    fn holder<'a>(
        &'a self,
        _tenant: &'a TenantId,
        _resource: &'a ResourceId,
    ) -> futures_util::future::BoxFuture<'a, Result<Option<CustomerRef>, EntityCallError>> {
        Box::pin(async { Ok(None) })
    }
}

/// The attempt as an activity, without a server.
pub struct Attempts(Arc<Told>);

#[activities]
#[allow(missing_docs, reason = "a test")]
impl Attempts {
    #[activity]
    pub async fn attempt(
        self: Arc<Self>,
        context: ActivityContext,
        request: ProvisionRequest,
    ) -> Result<Outcome, ActivityError> {
        let attempt = ProvisionAttempt::of(
            &context,
            self.0.as_ref(),
            self.0.as_ref(),
            Breaker::new(&interlock_domain::target_entity::TargetRules::default(), |_| {}, drop),
            request,
        );
        attempt.trace.alive(attempt.carry_out()).await
    }
}

/// The result of one attempt.
struct Came {
    outcome: Result<Outcome, String>,
    asked: Vec<&'static str>,
    left: Option<LeftBy>,
    took: Duration,
}

fn request() -> ProvisionRequest {
    let (tenant, customer) = ("t".parse().unwrap(), "c".parse().unwrap());
    let order = OrderId::derive(&tenant, &customer, "s", "1", None);
    ProvisionRequest {
        tenant,
        customer,
        idempotency_key: order.step_key("hss.assign_number"),
        order,
        step: "hss.assign_number".to_owned(),
        target: "hss".parse().unwrap(),
        operation: "assign_number".to_owned(),
        data: serde_json::Map::new(),
        epoch: None,
        epochs: std::collections::BTreeMap::new(),
        unproven: Vec::new(),
        dispatch: 0,
        maybe_sent: false,
        proof: None,
        attempt_timeout_ms: 40,
        retry: RetryPolicy::default(),
        expires_at: None,
        trace_parent: None,
    }
}

async fn attempt(number: u32, left: Option<LeftBy>, calls: &[Outcome], read_back: &[Verification]) -> Came {
    let scheduled = SystemTime::now();
    let called = scheduled - Duration::from_mins(1) * (number - 1);
    attempt_scheduled(number, called, scheduled, left, calls, read_back).await
}

/// A first attempt that the server handed out at `started`. Its worker was suspended then, and continues now.
async fn attempt_started(started: SystemTime, calls: &[Outcome]) -> Came {
    attempt_scheduled(1, started, started, None, calls, &[]).await
}

/// An attempt of a call that was scheduled at `called`; the attempt itself at `scheduled`.
async fn attempt_scheduled(
    number: u32,
    called: SystemTime,
    scheduled: SystemTime,
    left: Option<LeftBy>,
    calls: &[Outcome],
    read_back: &[Verification],
) -> Came {
    let told = Arc::new(Told {
        calls: Mutex::new(calls.iter().cloned().collect()),
        verifications: Mutex::new(read_back.iter().cloned().collect()),
        asked: Mutex::default(),
    });
    let last = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&last);
    let info = TestActivityInfoOptions::builder()
        .attempt(number)
        .scheduled_time(Some(called))
        .current_attempt_scheduled_time(Some(scheduled))
        .started_time(Some(scheduled))
        .build();
    let environment = ActivityEnvironment::builder_with_default();
    let environment = match left {
        Some(left) => environment.heartbeat_details(left).unwrap(),
        None => environment,
    };
    let environment = environment
        .info(info)
        .register_activities(Attempts(Arc::clone(&told)))
        .on_heartbeat(move |details| *noted.lock().unwrap() = *details.downcast::<Option<LeftBy>>().unwrap())
        .build();
    let began = std::time::Instant::now();
    let outcome = match environment.run(Attempts::attempt, request()).await {
        Ok(outcome) => Ok(outcome),
        Err(ActivityEnvironmentError::Activity(ActivityError::Application(failure))) => {
            Err(failure.type_name().unwrap_or_default().to_owned())
        }
        Err(other) => panic!("{other}"),
    };
    let asked = told.asked.lock().unwrap().clone();
    let left = *last.lock().unwrap();
    Came { outcome, asked, left, took: began.elapsed() }
}

fn ambiguous() -> Outcome {
    Outcome::Ambiguous { detail: "cut".to_owned() }
}

#[tokio::test]
async fn a_first_attempt_sends_at_once_and_reports() {
    let came = attempt(1, None, &[Outcome::Done], &[]).await;
    assert_eq!((came.outcome, came.asked), (Ok(Outcome::Done), vec!["call"]));
}

#[tokio::test]
async fn an_attempt_whose_worker_was_stopped_before_it_began_sends_nothing_once_the_server_has_given_it_up() {
    let timeout = Duration::from_millis(request().attempt_timeout_ms);
    let late = attempt_started(SystemTime::now() - timeout, &[Outcome::Done]).await;
    assert_eq!(
        (late.outcome, late.asked),
        (Err(TOO_LATE.to_owned()), vec![]),
        "a later attempt relies on the end of this one"
    );
    let just = attempt_started(SystemTime::now() - timeout / 2, &[Outcome::Done]).await;
    assert_eq!((just.outcome, just.asked), (Ok(Outcome::Done), vec!["call"]));
}

#[tokio::test]
async fn a_rejection_without_effect_is_retried_and_recorded_as_settled() {
    let refused = Outcome::unavailable("down");
    let came = attempt(1, None, &[refused], &[]).await;
    assert_eq!(came.outcome, Err("unavailable".to_owned()));
    assert_eq!(came.left.map(|left| (left.attempt, left.left)), Some((1, Left::Settled)));
    let next = attempt(2, came.left, &[Outcome::Done], &[]).await;
    assert_eq!((next.outcome, next.asked), (Ok(Outcome::Done), vec!["call"]));
}

#[tokio::test]
async fn after_an_ambiguous_attempt_the_next_one_waits_and_reads_back_and_the_one_after_it_sends() {
    let came = attempt(1, None, &[ambiguous()], &[]).await;
    assert_eq!(came.outcome, Err("ambiguous".to_owned()));
    let next = attempt(2, came.left, &[], &[Verification::NotApplied]).await;
    assert_eq!((next.outcome, next.asked), (Err(READ_BACK.to_owned()), vec!["verify"]));
    let last = attempt(3, next.left, &[Outcome::Done], &[]).await;
    assert_eq!((last.outcome, last.asked), (Ok(Outcome::Done), vec!["call"]));
}

#[tokio::test]
async fn an_attempt_after_a_lost_one_waits_until_no_request_can_take_effect_any_more() {
    let came = attempt(2, None, &[], &[Verification::Applied]).await;
    assert_eq!((came.outcome, came.asked), (Ok(Outcome::AlreadyDone), vec!["verify"]));
    assert!(came.took >= LANDS_WITHIN, "{:?}", came.took);
}

#[tokio::test]
async fn the_state_left_by_an_older_attempt_than_the_last_is_not_trusted() {
    let stale = Some(LeftBy { attempt: 1, left: Left::Settled, next_at: Some(now()) });
    let came = attempt(3, stale, &[], &[Verification::NotApplied]).await;
    assert_eq!((came.outcome, came.asked), (Err(READ_BACK.to_owned()), vec!["verify"]));
}

#[tokio::test]
async fn if_reading_back_is_unclear_the_next_attempt_reads_back_without_waiting() {
    let unclear = Verification::Unclear { detail: "away".to_owned() };
    let came = attempt(2, None, &[], &[unclear]).await;
    assert_eq!((came.outcome, came.asked), (Err("unclear".to_owned()), vec!["verify"]));
    let next = attempt(3, came.left, &[], &[Verification::Applied]).await;
    assert!(next.took < LANDS_WITHIN, "{:?}", next.took);
    assert_eq!(next.outcome, Ok(Outcome::AlreadyDone));
}

#[tokio::test]
async fn an_attempt_that_waited_does_not_send_but_leaves_it_to_the_next_one() {
    let came = attempt(2, None, &[], &[Verification::NotApplied]).await;
    assert_eq!((came.outcome, came.asked), (Err(READ_BACK.to_owned()), vec!["verify"]));
    let next = attempt(3, came.left, &[Outcome::Done], &[]).await;
    assert_eq!((next.outcome, next.asked), (Ok(Outcome::Done), vec!["call"]));
}

#[tokio::test]
async fn an_attempt_1_that_was_scheduled_after_its_call_reads_back_before_it_sends() {
    let now = SystemTime::now();
    let called = now - Duration::from_millis(1);
    let came = attempt_scheduled(1, called, now, None, &[], &[Verification::Applied]).await;
    assert_eq!((came.outcome, came.asked), (Ok(Outcome::AlreadyDone), vec!["verify"]));
    assert!(came.took >= LANDS_WITHIN, "{:?}", came.took);
}
