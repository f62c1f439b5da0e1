//! One attempt of one step at its target. [`interlock_domain::attempt`] decides what it does about earlier attempts.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlock_adapters::{Adapter, Call, OnAmbiguous as AdapterOnAmbiguous, Verification};
use interlock_domain::attempt::{
    ATTEMPT_CLASSES, AfterCall, AfterVerification, Capabilities, INTERRUPTED, Left, MaySend, Move, OnAmbiguous,
    READ_BACK, ReadBack, Situation, TOO_LATE, after_call, after_poll, after_verification, first_move, left_just_before,
    may_send, not_let_through,
};
use interlock_domain::callback::{CallPlace, WorkflowRun};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{ResourceId, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::observation::Observation;
use interlock_domain::outcome::Outcome;
use interlock_domain::retry::{RetryPolicy, Wait};
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::breaker::{Breaker, LetsNothingThrough, SpeaksOfTarget};
use crate::clock::{millis, now, timestamp};
use crate::heartbeat::{Trace, left_before};
use crate::rights::{self, Found, Ledger};
use crate::worker_context::WorkerContext;

/// How long an adapter may exceed the time of its call before the call counts as ambiguous.
const OVERRUN: Duration = Duration::from_secs(5);
/// The longest wait within an attempt. A later attempt does longer waits, so that they do not hold a slot.
const WAIT_MAX: Duration = Duration::from_secs(90);
/// The pause before an attempt that does not need to wait.
const MOMENT: Duration = Duration::from_millis(50);

/// Runs one attempt. Returns the outcome, and how often the request was sent by this attempt and those before it.
///
/// # Errors
/// A retryable failure if another attempt must be made. Its type is the outcome class.
pub(crate) async fn provision(
    worker: &WorkerContext,
    context: &ActivityContext,
    request: ProvisionRequest,
) -> Result<(Outcome, u32), ActivityError> {
    let adapter = match worker.adapters.get(&request.target) {
        Ok(adapter) => adapter,
        Err(error) => {
            let key = &request.idempotency_key;
            let delay_ms = request.retry.delay_ms(context.info().attempt, key, Wait::Pause);
            return Err(again(
                ErrorCode::TargetUnknown.as_str(),
                error.to_string(),
                Some(Duration::from_millis(delay_ms)),
            ));
        }
    };
    let breaker = worker.breakers.of(&request.target);
    let (target, began) = (request.target.clone(), Instant::now());
    let mut attempt = ProvisionAttempt::of(context, &adapter, &worker.entities, breaker, request);
    attempt.call.callback_url = worker.callbacks.as_ref().and_then(|callbacks| callbacks.of(&place_of(context)));
    let ended = attempt.trace.alive(attempt.carry_out()).await;
    let (outcome, took_ms) = (class_of(&ended), millis(began.elapsed()));
    if matches!(&ended, Ok(outcome) if outcome.is_effective()) {
        tracing::debug!(outcome, took_ms, "an attempt ended");
    } else {
        tracing::info!(outcome, took_ms, "an attempt ended");
    }
    worker.observer.observe(&Observation::StepAttempted { target, outcome, took_ms });
    ended.map(|outcome| (outcome, attempt.trace.calls()))
}

/// The place of this call in Temporal.
fn place_of(context: &ActivityContext) -> CallPlace {
    let info = context.info();
    // The SDK says that a standalone activity belongs to a workflow without a name.
    let workflow_id = info.workflow_id.clone().filter(|id| !id.is_empty());
    let run = workflow_id.zip(info.workflow_run_id.clone());
    CallPlace {
        namespace: info.namespace.clone(),
        workflow: run.map(|(workflow_id, run_id)| WorkflowRun { workflow_id, run_id }),
        activity_id: info.activity_id.clone(),
    }
}

/// The outcome of an attempt, in one of a few words.
fn class_of(ended: &Result<Outcome, ActivityError>) -> &'static str {
    match ended {
        Ok(outcome) => outcome.class(),
        Err(ActivityError::Application(failure)) => {
            let class = failure.type_name().unwrap_or_default();
            ATTEMPT_CLASSES.into_iter().find(|known| *known == class).unwrap_or("other")
        }
        Err(_) => "other",
    }
}

/// One attempt.
struct ProvisionAttempt<'a> {
    context: &'a ActivityContext,
    adapter: &'a Arc<dyn Adapter>,
    ledger: &'a dyn Ledger,
    breaker: Breaker,
    capabilities: Capabilities,
    call: Call,
    /// The resources that the call acts on although its customer is not known to have them.
    unproven: Vec<ResourceId>,
    situation: Situation,
    retry: RetryPolicy,
    trace: Trace<'a>,
    /// The job as which the target accepted the call in an earlier attempt.
    job: Option<String>,
    /// When the attempt began: the server's time, and a local clock to measure from.
    started_at: Timestamp,
    began: Instant,
}

impl<'a> ProvisionAttempt<'a> {
    fn of(
        context: &'a ActivityContext,
        adapter: &'a Arc<dyn Adapter>,
        ledger: &'a dyn Ledger,
        breaker: Breaker,
        request: ProvisionRequest,
    ) -> Self {
        let info = context.info();
        let now = now();
        let (left, job) = left_before(context).map(|kept| (kept.left, kept.job)).unzip();
        let job = job.flatten();
        // Without its job, an accepted call is in doubt like any other.
        let left = left.filter(|left| job.is_some() || !matches!(left.left, Left::Accepted { .. }));
        let situation = Situation {
            attempt: info.attempt,
            maybe_sent: request.maybe_sent,
            has_details: !context.heartbeat_details().raw().is_empty(),
            left,
            first_scheduled_at: info.scheduled_time.map(timestamp),
            scheduled_at: info.current_attempt_scheduled_time.or(info.scheduled_time).map_or(now, timestamp),
            started_at: info.started_time.map_or(now, timestamp),
            attempt_timeout_ms: request.attempt_timeout_ms,
            expires_at: request.expires_at,
            now,
        };
        let capabilities = capabilities(adapter.as_ref(), &request.operation);
        let call = Call {
            tenant: request.tenant,
            order: request.order,
            target: request.target,
            operation: request.operation,
            data: request.data,
            idempotency_key: request.idempotency_key,
            epoch: request.epoch,
            epochs: request.epochs,
            attempt: info.attempt,
            callback_url: None,
            timeout: Duration::from_millis(request.attempt_timeout_ms),
        };
        Self {
            context,
            adapter,
            ledger,
            breaker,
            capabilities,
            call,
            unproven: request.unproven,
            situation,
            retry: request.retry,
            trace: Trace::new(context),
            job,
            started_at: situation.started_at,
            began: Instant::now(),
        }
    }

    async fn carry_out(&self) -> Result<Outcome, ActivityError> {
        let (wait_ms, verify) = match first_move(&self.situation, &self.capabilities) {
            Move::Report(outcome) => return Ok(outcome),
            Move::Send => (0, false),
            Move::SendLater { wait_ms } => (wait_ms, false),
            Move::Verify { wait_ms } => (wait_ms, true),
            Move::Poll { since } => return self.poll(since).await,
        };
        // The next attempt waits until the time in which this attempt may send is over.
        let deadline = self.situation.deadline();
        if wait_ms > 0 {
            self.wait(Duration::from_millis(wait_ms)).await?;
        }
        if verify && let Some(outcome) = self.settle().await? {
            return Ok(outcome);
        }
        if self.context.is_cancelled() {
            let detail = "The call was cancelled before it was sent.";
            return Err(self.again(Left::Settled, INTERRUPTED, detail, Wait::Pause).await);
        }
        if wait_ms > 0 {
            return Err(self.leave_sending_to_the_next(verify).await);
        }
        if let Some(refused) = self.refused(verify).await? {
            return Ok(refused);
        }
        match may_send(now(), deadline, self.situation.expires_at, true) {
            MaySend::Yes => self.send(deadline, verify).await,
            MaySend::Expired(outcome) => Ok(outcome),
            MaySend::TooLate => {
                let detail = "The attempt ran out of time before its call was sent.";
                Err(self.again(Left::Settled, TOO_LATE, detail, Wait::Pause).await)
            }
        }
    }

    /// Asks about the job as which the target accepted the call.
    async fn poll(&self, since: Timestamp) -> Result<Outcome, ActivityError> {
        let job = self.job.as_deref().unwrap_or_default();
        let Ok(answer) = self.through_breaker(self.adapter.poll(&self.call, job)).await else {
            return Err(self.not_let_through(false).await);
        };
        self.conclude(after_poll(answer, job, since, &self.capabilities, now())).await
    }

    /// Ends the attempt as a call or an answer about its job demands.
    async fn conclude(&self, after: AfterCall) -> Result<Outcome, ActivityError> {
        match after {
            AfterCall::Report(outcome) => Ok(outcome),
            AfterCall::Retry { left, wait, outcome } => {
                if let Outcome::Accepted { job, .. } = &outcome {
                    self.trace.keep_job(job.clone());
                }
                let detail = serde_json::to_string(&outcome).unwrap_or_else(|_| outcome.class().to_owned());
                Err(self.again(left, outcome.class(), detail, wait).await)
            }
        }
    }

    /// Earlier requests can no longer take effect. An attempt that waited does not send: it cannot know whether the server has started
    /// another attempt meanwhile.
    async fn leave_sending_to_the_next(&self, is_read_back: bool) -> ActivityError {
        let detail = "No earlier request can arrive any more: the next attempt sends.";
        let (left, class) = if is_read_back {
            (Left::Settled, READ_BACK)
        } else {
            (Left::MaybeSent { until: self.landing_by(Duration::ZERO) }, "settling")
        };
        self.again_in(left, class, detail, MOMENT).await
    }

    /// Waits until an earlier request can no longer take effect.
    async fn wait(&self, wait: Duration) -> Result<(), ActivityError> {
        let earlier = left_just_before(&self.situation).unwrap_or(Left::MaybeSent { until: self.landing_by(wait) });
        if wait > WAIT_MAX {
            let wait = Wait::AtLeast(millis(wait));
            let detail = "An earlier request may still arrive at the target.";
            return Err(self.again(earlier, "settling", detail, wait).await);
        }
        self.trace.leave(earlier, None).await;
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.context.cancelled() => {
                let detail = "The call was cancelled while an earlier request might still arrive.";
                Err(self.again(earlier, "settling", detail, Wait::Pause).await)
            }
        }
    }

    /// Until when an earlier request may have been sent, given how long it may still take effect.
    fn landing_by(&self, wait: Duration) -> Timestamp {
        let lands_until = self.situation.now.plus_ms(millis(wait));
        Timestamp(lands_until.0.saturating_sub_unsigned(self.capabilities.max_apply_delay_ms))
    }

    /// Reads back the effect of an earlier request. Returns its outcome, or `None` if the request must be sent.
    async fn settle(&self) -> Result<Option<Outcome>, ActivityError> {
        let Ok(verification) = self.through_breaker(self.adapter.verify(&self.call)).await else {
            return Err(self.not_let_through(false).await);
        };
        let read_back = match verification {
            Verification::Applied => ReadBack::Applied,
            Verification::NotApplied => ReadBack::NotApplied,
            Verification::InUse { holder } => ReadBack::InUse { holder },
            Verification::Accepted { job } => ReadBack::Accepted { job },
            Verification::Unclear { detail } => ReadBack::Unclear { detail },
        };
        let is_expired = self.situation.expires_at.is_some_and(|at| now() >= at);
        match after_verification(read_back, is_expired) {
            AfterVerification::Report(outcome) => Ok(Some(outcome)),
            AfterVerification::Send => Ok(None),
            AfterVerification::Poll { job } => {
                let detail = "The target works on the call as a job.".to_owned();
                let outcome = Outcome::Accepted { job, poll_after_ms: None, detail };
                self.conclude(after_call(outcome, &self.capabilities, now())).await.map(Some)
            }
            AfterVerification::AskAgain { detail } => {
                // The earlier request can no longer take effect, so the next attempt need not wait.
                let left = Left::MaybeSent { until: self.landing_by(Duration::ZERO) };
                Err(self.again(left, "unclear", detail, Wait::Pause).await)
            }
        }
    }

    /// Checks that no other customer has what the call acts on. Returns the outcome that refuses the step if another one has it, and
    /// `None` if the call may be sent.
    async fn refused(&self, is_read_back: bool) -> Result<Option<Outcome>, ActivityError> {
        if self.unproven.is_empty() {
            return Ok(None);
        }
        let looked = rights::look(self.ledger, self.adapter.as_ref(), &self.call, &self.unproven);
        let Ok(found) = self.through_breaker(looked).await else {
            return Err(self.not_let_through(is_read_back).await);
        };
        let earlier = left_just_before(&self.situation).unwrap_or(Left::Settled);
        match found {
            Ok(Found::Free) => Ok(None),
            Ok(Found::Anothers(detail)) => Ok(Some(Found::refusal(detail))),
            Ok(Found::LedgerSilent(detail)) => Err(self.again(earlier, "unclear", detail, Wait::Pause).await),
            Err(refused @ Outcome::Permanent { .. }) => Ok(Some(refused)),
            Err(outcome) => {
                let detail = serde_json::to_string(&outcome).unwrap_or_else(|_| outcome.class().to_owned());
                let wait = outcome.retry_after_ms().map_or(Wait::Pause, Wait::AskedFor);
                Err(self.again(earlier, outcome.class(), detail, wait).await)
            }
        }
    }

    async fn send(&self, deadline: Timestamp, is_read_back: bool) -> Result<Outcome, ActivityError> {
        let call = async {
            let left_ms = u64::try_from(deadline.0.saturating_sub(now().0)).unwrap_or(0);
            let call = Call { timeout: self.call.timeout.min(Duration::from_millis(left_ms)), ..self.call.clone() };
            self.trace.called();
            let called = tokio::time::timeout(call.timeout + OVERRUN, self.adapter.call(&call)).await;
            called.unwrap_or_else(|_| Outcome::Ambiguous {
                detail: "The adapter did not respond before the attempt's timeout.".to_owned(),
            })
        };
        let Ok(outcome) = self.through_breaker(call).await else {
            return Err(self.not_let_through(is_read_back).await);
        };
        self.conclude(after_call(outcome, &self.capabilities, now())).await
    }

    /// Makes a call of this order through the breaker.
    async fn through_breaker<T: SpeaksOfTarget>(&self, call: impl Future<Output = T>) -> Result<T, LetsNothingThrough> {
        self.breaker.call(&self.call.order, self.adapter, call).await
    }

    /// The target counts as down in this process: the step returns to its queue and waits there without attempts.
    async fn not_let_through(&self, is_read_back: bool) -> ActivityError {
        let (class, left) = not_let_through(&self.situation, is_read_back);
        let wait = Wait::AtLeast(millis(self.breaker.open_for()));
        let detail = "The target is not called at the moment: too many calls to it failed in a row.";
        self.again(left, class, detail, wait).await
    }

    /// A failure after which the server makes another attempt, after the pause that the step's policy and `wait` require. `left` is the
    /// state that this attempt leaves for the next one.
    async fn again(&self, left: Left, class: &str, detail: impl Into<String>, wait: Wait) -> ActivityError {
        let delay_ms = self.retry.delay_ms(self.situation.attempt, &self.call.idempotency_key, wait);
        self.again_in(left, class, detail, Duration::from_millis(delay_ms)).await
    }

    /// The same after a pause of this length.
    async fn again_in(&self, left: Left, class: &str, detail: impl Into<String>, delay: Duration) -> ActivityError {
        // In server time, since that is the time of the next attempt's schedule.
        let ends_at = self.started_at.plus_ms(millis(self.began.elapsed()));
        self.trace.leave(left, Some(ends_at.plus_ms(millis(delay)))).await;
        again(class, detail, Some(delay))
    }
}

/// A failure that the retry policy retries, not earlier than after `delay` if one is given. The server never retries a cancelled call.
pub(crate) fn again(class: &str, detail: impl Into<String>, delay: Option<Duration>) -> ActivityError {
    let detail: String = detail.into();
    let failure = ApplicationFailure::builder(detail).type_name(class.to_owned()).maybe_next_retry_delay(delay).build();
    ActivityError::application(failure)
}

fn capabilities(adapter: &dyn Adapter, operation: &str) -> Capabilities {
    let known = adapter.capabilities(operation);
    Capabilities {
        verify: known.verify,
        idempotency_keys: known.idempotency_keys,
        on_ambiguous: match known.on_ambiguous {
            AdapterOnAmbiguous::Verify => OnAmbiguous::Verify,
            AdapterOnAmbiguous::Resend => OnAmbiguous::Resend,
            AdapterOnAmbiguous::Hold => OnAmbiguous::Hold,
            AdapterOnAmbiguous::GiveUp => OnAmbiguous::GiveUp,
        },
        max_apply_delay_ms: millis(known.max_apply_delay),
    }
}

#[cfg(test)]
mod tests;
