//! How activities are scheduled: time-outs, retries, queues.

use std::time::Duration;

use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::retry;
use temporalio_common::{ActivityCloseTimeouts, Priority};
use temporalio_workflow::{
    ActivityCancellationType, ActivityOptions, LocalActivityOptions, RetryPolicy, WorkflowCancellationToken,
};

/// How long a worker may be silent about a call before it is given up for dead. It speaks every 5 s.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(15);
/// What one attempt may take beyond its attempt time-out: settling an earlier request that may still land. The
/// heartbeat finds dead workers; this is only the backstop.
pub const SETTLING_MARGIN: Duration = Duration::from_mins(2);
/// How long one look-up may take.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one attempt of a local activity may take: the workflow task, and with it every signal, waits for it.
const LOCAL_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a local activity may take with its attempts. It then ends as failed, and the shell begins it again, so
/// that the workflow task ends in between and signals come in.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts of a local activity before the workflow task ends.
const LOCAL_ATTEMPTS: u32 = 3;

/// The server's part of a step's retry policy: without end, and without jitter, which the activity puts into the delay that
/// it asks for. The server's own pauses count where an attempt could not ask for any: its worker died.
pub fn endless_retries(policy: &retry::RetryPolicy) -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(Duration::from_millis(policy.initial_ms))
        .backoff_coefficient(f64::from(policy.factor_percent) / 100.0)
        .maximum_interval(Duration::from_millis(policy.cap_ms))
        .build()
}

/// Options of a step's call: it is retried without end, and its cancellation waits until the call is over.
pub(crate) fn provision(
    task_queue: String,
    request: &ProvisionRequest,
    now: Timestamp,
    interrupt: &WorkflowCancellationToken,
) -> ActivityOptions {
    at_target(task_queue, close_timeouts(request, now), &request.tenant, &request.retry, interrupt)
}

/// How long an attempt of a call may take, and the call as a whole: without limit for an ordered step, which is never given
/// up. What expires gets the time of one more attempt on top, in which an attempt that began in time ends by itself: it looks
/// at `expires_at` right before it sends.
pub fn close_timeouts(request: &ProvisionRequest, now: Timestamp) -> ActivityCloseTimeouts {
    let start_to_close = Duration::from_millis(request.attempt_timeout_ms).saturating_add(SETTLING_MARGIN);
    match request.expires_at {
        None => ActivityCloseTimeouts::StartToClose(start_to_close),
        Some(expires_at) => {
            let left_ms = u64::try_from(expires_at.0.saturating_sub(now.0)).unwrap_or(0);
            let schedule_to_close = Duration::from_millis(left_ms).saturating_add(start_to_close);
            ActivityCloseTimeouts::ScheduleAndStartToClose { schedule_to_close, start_to_close }
        }
    }
}

/// Options of a look-up.
pub(crate) fn look_up(task_queue: String, tenant: &TenantId, interrupt: &WorkflowCancellationToken) -> ActivityOptions {
    at_target(
        task_queue,
        ActivityCloseTimeouts::StartToClose(LOOK_UP_TIMEOUT),
        tenant,
        &retry::RetryPolicy::default(),
        interrupt,
    )
}

fn at_target(
    task_queue: String,
    timeouts: ActivityCloseTimeouts,
    tenant: &TenantId,
    retry: &retry::RetryPolicy,
    interrupt: &WorkflowCancellationToken,
) -> ActivityOptions {
    // The weight is inherited from the workflow: its starter knows the tenant's plan.
    let mut priority = Priority::default();
    priority.fairness_key = Some(tenant.as_str().to_owned());
    ActivityOptions::with_close_timeouts(timeouts)
        .task_queue(task_queue)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(interrupt.clone())
        .retry_policy(endless_retries(retry))
        .priority(priority)
        // A call handed to this worker directly would pass by the queue's rate limit, which is how a target is parked.
        .do_not_eagerly_execute(true)
        .build()
}

/// How long one attempt at a target's upkeep may take.
const UPKEEP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a target's upkeep may take with all attempts. It then ends as failed, and the machine says what is wanted by then.
const UPKEEP_LIMIT: Duration = Duration::from_mins(1);

/// Options of what a target entity asks for, on its own queue.
pub(crate) fn upkeep(interrupt: &WorkflowCancellationToken) -> ActivityOptions {
    let timeouts = ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: UPKEEP_LIMIT,
        start_to_close: UPKEEP_TIMEOUT,
    };
    ActivityOptions::with_close_timeouts(timeouts)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(interrupt.clone())
        .build()
}

/// How long a look at all that waits may take: a sweep looks at so much only as it can see in half of that.
pub const SWEEPING_TIMEOUT: Duration = Duration::from_mins(2);

/// How long the activities of a sweep may take, and an attempt of them.
const SWEEPING_TIMEOUTS: ActivityCloseTimeouts = ActivityCloseTimeouts::ScheduleAndStartToClose {
    schedule_to_close: SWEEPING_TIMEOUT.saturating_mul(2),
    start_to_close: SWEEPING_TIMEOUT,
};

/// Options of the activities of a sweep. What fails again and again is left to the next sweep.
pub(crate) fn sweeping() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(SWEEPING_TIMEOUTS).retry_policy(sweeping_retries()).build()
}

/// Options of telling what a sweep found: an attempt says how far it is, and the next one goes on there.
pub(crate) fn announcing() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(SWEEPING_TIMEOUTS)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(sweeping_retries())
        .build()
}

fn sweeping_retries() -> RetryPolicy {
    RetryPolicy::builder().initial_interval(Duration::from_secs(1)).backoff_coefficient(2.0).maximum_attempts(3).build()
}

/// How long one attempt at a part of an import may take; a worker that is silent is found by its heartbeat long before.
const IMPORTING_TIMEOUT: Duration = Duration::from_hours(6);

/// Options of an import's activity: it is tried again without end, and goes on where the attempt before was.
pub(crate) fn importing() -> ActivityOptions {
    let retry = RetryPolicy::builder()
        .initial_interval(Duration::from_secs(1))
        .backoff_coefficient(2.0)
        .maximum_interval(Duration::from_secs(30))
        .build();
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::StartToClose(IMPORTING_TIMEOUT))
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(retry)
        .build()
}

/// Options of what an entity tells others after its workflow task was recorded, on its own queue: retried without end, and its
/// cancellation waits until it is over.
pub(crate) fn recorded(interrupt: &WorkflowCancellationToken) -> ActivityOptions {
    let retry = RetryPolicy::builder()
        .initial_interval(Duration::from_millis(200))
        .backoff_coefficient(2.0)
        .maximum_interval(Duration::from_secs(10))
        .build();
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::StartToClose(LOCAL_ATTEMPT_TIMEOUT))
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(interrupt.clone())
        .retry_policy(retry)
        .build()
}

/// Options of every local activity. A cancelled workflow does not cancel them: nothing of an entity ends half-done.
pub(crate) fn local() -> LocalActivityOptions {
    let retry = RetryPolicy::builder()
        .initial_interval(Duration::from_millis(200))
        .backoff_coefficient(2.0)
        .maximum_interval(Duration::from_secs(1))
        .maximum_attempts(LOCAL_ATTEMPTS)
        .build();
    LocalActivityOptions::builder()
        .retry_policy(retry)
        .cancellation_token(WorkflowCancellationToken::new())
        .schedule_to_close_timeout(LOCAL_TIMEOUT)
        .start_to_close_timeout(LOCAL_ATTEMPT_TIMEOUT)
        .build()
}
