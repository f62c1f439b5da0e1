use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use interlock_adapters::{Capabilities as AdapterCapabilities, Fence};
use interlock_client::EntityCallError;
use interlock_domain::attempt::{JobAnswer, LeftBy, LeftWithJob};
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
    polls: Mutex<VecDeque<JobAnswer>>,
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

    async fn poll(&self, _call: &Call, job: &str) -> JobAnswer {
        assert_eq!(job, "17");
        self.asked.lock().unwrap().push("poll");
        self.polls.lock().unwrap().pop_front().unwrap()
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
        let adapter: Arc<dyn Adapter> = self.0.clone();
        let attempt = ProvisionAttempt::of(
            &context,
            &adapter,
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
    job: Option<String>,
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
        priority: None,
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
    let left = left.map(|left| LeftWithJob { left, job: None });
    attempt_with(number, called, scheduled, left, calls, read_back, &[]).await
}

/// The attempt after one whose call the target accepted as job 17.
async fn attempt_about_job(polls: &[JobAnswer]) -> Came {
    let scheduled = SystemTime::now();
    let since = now();
    let left = LeftBy { attempt: 1, left: Left::Accepted { since }, next_at: Some(timestamp(scheduled)), calls: None };
    let left = LeftWithJob { left, job: Some("17".to_owned()) };
    attempt_with(2, scheduled - Duration::from_mins(1), scheduled, Some(left), &[], &[], polls).await
}

async fn attempt_with(
    number: u32,
    called: SystemTime,
    scheduled: SystemTime,
    left: Option<LeftWithJob>,
    calls: &[Outcome],
    read_back: &[Verification],
    polls: &[JobAnswer],
) -> Came {
    let told = Arc::new(Told {
        polls: Mutex::new(polls.iter().cloned().collect()),
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
        .on_heartbeat(move |details| *noted.lock().unwrap() = *details.downcast::<Option<LeftWithJob>>().unwrap())
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
    let (left, job) = last.lock().unwrap().clone().map(|kept: LeftWithJob| (kept.left, kept.job)).unzip();
    Came { outcome, asked, left, job: job.flatten(), took: began.elapsed() }
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
    let stale = Some(LeftBy { attempt: 1, left: Left::Settled, next_at: Some(now()), calls: None });
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

fn accepted() -> Outcome {
    Outcome::Accepted { job: "17".to_owned(), poll_after_ms: Some(700), detail: "queued".to_owned() }
}

#[tokio::test]
async fn a_job_is_asked_about_by_later_attempts_and_nothing_is_sent_meanwhile() {
    let came = attempt(1, None, &[accepted()], &[]).await;
    assert_eq!((came.outcome, came.asked), (Err("accepted".to_owned()), vec!["call"]));
    assert!(matches!(came.left.map(|left| left.left), Some(Left::Accepted { .. })));
    assert_eq!(came.job.as_deref(), Some("17"));

    let running = JobAnswer::Running { poll_after_ms: None, detail: "queued".to_owned() };
    let came = attempt_about_job(&[running]).await;
    assert_eq!((came.outcome, came.asked), (Err("accepted".to_owned()), vec!["poll"]));
    assert_eq!(came.job.as_deref(), Some("17"), "the next attempt knows the job, too");

    let away = JobAnswer::NotTold(Outcome::unavailable("away"));
    let came = attempt_about_job(&[away]).await;
    assert_eq!(
        (came.outcome, came.asked, came.job.as_deref()),
        (Err("unavailable".to_owned()), vec!["poll"], Some("17"))
    );

    let came = attempt_about_job(&[JobAnswer::Ended(Outcome::Done)]).await;
    assert_eq!((came.outcome, came.asked), (Ok(Outcome::Done), vec!["poll"]));

    let came = attempt_about_job(&[JobAnswer::Unknown { detail: "gone".to_owned() }]).await;
    assert_eq!((came.outcome, came.asked), (Err("ambiguous".to_owned()), vec!["poll"]));
    assert!(matches!(came.left.map(|left| left.left), Some(Left::MaybeSent { .. })), "it is read back next");
}

#[tokio::test]
async fn a_job_that_reading_back_finds_is_asked_about() {
    let until = Timestamp(now().0 - 60_000);
    let left = LeftBy { attempt: 1, left: Left::MaybeSent { until }, next_at: Some(now()), calls: None };
    let found = Verification::Accepted { job: "17".to_owned() };
    let came = attempt(2, Some(left), &[], &[found]).await;
    assert_eq!(
        (came.outcome, came.asked, came.job.as_deref()),
        (Err("accepted".to_owned()), vec!["verify"], Some("17"))
    );
}

#[tokio::test]
async fn each_attempt_leaves_how_often_the_request_was_sent_by_then() {
    let calls = |came: &Came| came.left.and_then(|left| left.calls);
    let first = attempt(1, None, &[ambiguous()], &[]).await;
    assert_eq!(calls(&first), Some(1));
    let second = attempt(2, first.left, &[], &[Verification::NotApplied]).await;
    assert_eq!(calls(&second), Some(1), "it only read back");
    let third = attempt(3, second.left, &[Outcome::unavailable("down")], &[]).await;
    assert_eq!(calls(&third), Some(2));
    let after_a_lost_one = attempt(2, None, &[], &[Verification::NotApplied]).await;
    assert_eq!(calls(&after_a_lost_one), Some(1), "the lost one may have sent it");
}
