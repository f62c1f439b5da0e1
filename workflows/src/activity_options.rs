//! How activities are scheduled: time-outs, retries, queues.

use std::time::Duration;

use interlock_domain::ids::TenantId;
use interlock_domain::message::ProvisionRequest;
use temporalio_common::Priority;
use temporalio_workflow::{
    ActivityCancellationType, ActivityOptions, LocalActivityOptions, RetryPolicy, WorkflowCancellationToken,
};

/// How long a worker may be silent about a call before it is given up for dead.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(15);
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

/// Options of a step's call: it is retried without end, and its cancellation waits until the call is over.
pub(crate) fn provision(
    task_queue: String,
    request: &ProvisionRequest,
    interrupt: &WorkflowCancellationToken,
) -> ActivityOptions {
    let timeout = Duration::from_millis(request.attempt_timeout_ms).saturating_add(SETTLING_MARGIN);
    at_target(task_queue, timeout, &request.tenant, interrupt)
}

/// Options of a look-up.
pub(crate) fn look_up(task_queue: String, tenant: &TenantId, interrupt: &WorkflowCancellationToken) -> ActivityOptions {
    at_target(task_queue, LOOK_UP_TIMEOUT, tenant, interrupt)
}

fn at_target(
    task_queue: String,
    timeout: Duration,
    tenant: &TenantId,
    interrupt: &WorkflowCancellationToken,
) -> ActivityOptions {
    let endless = RetryPolicy::builder()
        .initial_interval(Duration::from_secs(1))
        .backoff_coefficient(2.0)
        .maximum_interval(Duration::from_mins(1))
        .build();
    // The weight is inherited from the workflow: its starter knows the tenant's plan.
    let mut priority = Priority::default();
    priority.fairness_key = Some(tenant.as_str().to_owned());
    ActivityOptions::with_start_to_close_timeout(timeout)
        .task_queue(task_queue)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(interrupt.clone())
        .retry_policy(endless)
        .priority(priority)
        // A call handed to this worker directly would pass by the queue's rate limit, which is how a target is parked.
        .do_not_eagerly_execute(true)
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
