//! How activities are scheduled: time-outs, retries, queues.

use std::time::Duration;

use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::order::OrderPriority;
use interlock_domain::retry;
use temporalio_common::{ActivityCloseTimeouts, Priority};
use temporalio_workflow::{
    ActivityCancellationType, ActivityOptions, LocalActivityOptions, RetryPolicy, WorkflowCancellationToken,
};

/// The heartbeat time-out of a call. After this silence the server considers the worker dead. A heartbeat comes every 5 s.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(15);
/// The time of one attempt beyond its attempt time-out, to settle an earlier request that may still take effect. The heartbeat detects
/// dead workers; this is only the backstop.
pub const SETTLING_MARGIN: Duration = Duration::from_mins(2);
/// The time limit of one look-up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit of one attempt of a local activity. The workflow task, and so every signal, waits for it.
const LOCAL_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit of a local activity with all its attempts. It then ends as failed, and the shell starts it again, so that the
/// workflow task ends in between and signals are received.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(30);
/// The attempts of a local activity before the workflow task ends.
const LOCAL_ATTEMPTS: u32 = 3;

/// The server's part of a step's retry policy: unlimited and without jitter. The activity adds the jitter to the delay that it
/// requests. The server's own pauses apply if an attempt could not request one, since its worker died.
pub fn endless_retries(policy: &retry::RetryPolicy) -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(Duration::from_millis(policy.initial_ms))
        .backoff_coefficient(f64::from(policy.factor_percent) / 100.0)
        .maximum_interval(Duration::from_millis(policy.cap_ms))
        .build()
}

/// Options of a step's call. It is retried without limit, and its cancellation waits until the call is over.
pub(crate) fn provision(
    task_queue: String,
    request: &ProvisionRequest,
    now: Timestamp,
    interrupt: &WorkflowCancellationToken,
) -> ActivityOptions {
    let place = CallQueue { task_queue, tenant: &request.tenant, priority: request.priority };
    at_target(place, close_timeouts(request, now), &request.retry, interrupt)
}

/// Where a call waits for a worker, and how soon it leaves.
struct CallQueue<'a> {
    task_queue: String,
    tenant: &'a TenantId,
    priority: Option<OrderPriority>,
}

/// The time limits of an attempt of a call, and of the whole call. An ordered step has no limit, since it is never given up. A call
/// that expires gets the time of one more attempt, in which an attempt that began in time can finish: it checks `expires_at` right
/// before it sends.
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
        CallQueue { task_queue, tenant, priority: None },
        ActivityCloseTimeouts::StartToClose(LOOK_UP_TIMEOUT),
        &retry::RetryPolicy::default(),
        interrupt,
    )
}

/// The time limit of one attempt to deliver a batch. It ends by itself when its events would take longer.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a batch may wait for its receiver before the customer decides whether it is still wanted: its subscription may have been
/// removed, and its receiver with it.
const DELIVERY_LIMIT: Duration = Duration::from_hours(7 * 24);

/// Options of the delivery of events to a receiver.
pub(crate) fn deliver(task_queue: String, tenant: &TenantId, interrupt: &WorkflowCancellationToken) -> ActivityOptions {
    let timeouts = ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: DELIVERY_LIMIT,
        start_to_close: DELIVERY_TIMEOUT,
    };
    let place = CallQueue { task_queue, tenant, priority: None };
    at_target(place, timeouts, &retry::RetryPolicy::default(), interrupt)
}

fn at_target(
    place: CallQueue<'_>,
    timeouts: ActivityCloseTimeouts,
    retry: &retry::RetryPolicy,
    interrupt: &WorkflowCancellationToken,
) -> ActivityOptions {
    // The weight is inherited from the workflow, since its starter knows the tenant's plan.
    let mut priority = Priority::default();
    priority.fairness_key = Some(place.tenant.as_str().to_owned());
    priority.priority_key = place.priority.map(|priority| priority.key().into());
    ActivityOptions::with_close_timeouts(timeouts)
        .task_queue(place.task_queue)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(interrupt.clone())
        .retry_policy(endless_retries(retry))
        .priority(priority)
        // An eager call to this worker would bypass the queue's rate limit, which is how a target is parked.
        .do_not_eagerly_execute(true)
        .build()
}

/// The time limit of one attempt of a target's upkeep.
const UPKEEP_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit of a target's upkeep with all attempts. It then ends as failed, and the machine decides what is needed by then.
const UPKEEP_LIMIT: Duration = Duration::from_mins(1);

/// Options of the activities of a target entity, on its own queue.
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

/// The time limit of the look at all waiting orders. A sweep looks only at as much as it can see in half of this time.
pub const SWEEPING_TIMEOUT: Duration = Duration::from_mins(2);

/// The time limit of a sweep's activities, with all attempts.
const SWEEPING_TIMEOUTS: ActivityCloseTimeouts = ActivityCloseTimeouts::ScheduleAndStartToClose {
    schedule_to_close: SWEEPING_TIMEOUT.saturating_mul(2),
    start_to_close: SWEEPING_TIMEOUT,
};

/// Options of a sweep's activities. If one keeps failing, the next sweep does the work.
pub(crate) fn sweeping() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(SWEEPING_TIMEOUTS).retry_policy(sweeping_retries()).build()
}

/// Options of reporting a sweep's findings. An attempt reports its progress, and the next one continues there.
pub(crate) fn announcing() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(SWEEPING_TIMEOUTS)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(sweeping_retries())
        .build()
}

fn sweeping_retries() -> RetryPolicy {
    RetryPolicy::builder().initial_interval(Duration::from_secs(1)).backoff_coefficient(2.0).maximum_attempts(3).build()
}

/// The time limit of one attempt at a part of an import. The heartbeat detects a dead worker long before.
const IMPORTING_TIMEOUT: Duration = Duration::from_hours(6);

/// Options of an import's activity. It is retried without limit, and continues where the previous attempt stopped.
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

/// Options of the messages that an entity sends after its workflow task was recorded, on its own queue. They are retried without limit,
/// and a cancellation waits until they are over.
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

/// Options of all local activities. Cancelling the workflow does not cancel them, so that an entity never leaves work half done.
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
