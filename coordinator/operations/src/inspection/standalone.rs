//! The view of a standalone order, made from what Temporal knows about its activity.

use std::time::{SystemTime, UNIX_EPOCH};

use interlock_connection::Installation;
use interlock_domain::attempt::of_unanswered;
use interlock_domain::customer::waiting::WaitingFor;
use interlock_domain::customer::{OrderView, StepStateName, StepView};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{OrderId, TenantId, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::order::OrderState;
use interlock_domain::outcome::Outcome;
use interlock_fault::with_causes;
use interlock_workflows::{TargetActivities, unanswered};
use temporalio_client::errors::ActivityInteractionError;
use temporalio_client::{
    ActivityDescribeOptions, ActivityExecutionInfoLike, ActivityExecutionStatus, PendingActivityState,
};

use super::{ANSWER_LIMIT, InspectionError, of_status};

/// What is known of the activity.
struct Known {
    event_id: String,
    event_type: String,
    request: ProvisionRequest,
    status: ActivityExecutionStatus,
    attempt: u32,
    /// Whether a worker has started it: a new activity also counts as being at its first attempt.
    begun: bool,
    /// When it was accepted.
    since: Timestamp,
    /// The outcome, if it has ended.
    outcome: Option<Outcome>,
    /// Why it failed, or why its last attempt did.
    failure: Option<String>,
}

/// The view; none if there is no such activity.
pub(super) async fn standalone_view(
    installation: &Installation,
    tenant: &TenantId,
    order: &OrderId,
) -> Result<Option<OrderView>, InspectionError> {
    let described = tokio::time::timeout(ANSWER_LIMIT, known(installation, tenant, order)).await;
    let what = format!("The order {order}");
    match described {
        // Tenants may share a namespace: an order of another tenant counts as never seen.
        Ok(Ok(known)) if known.request.tenant != *tenant => Ok(None),
        Ok(Ok(known)) => Ok(Some(view(order, &known))),
        Ok(Err(ActivityInteractionError::NotFound(_))) => Ok(None),
        Ok(Err(ActivityInteractionError::Rpc(status))) => Err(of_status(&what, &status)),
        Ok(Err(error)) => Err(InspectionError::Refused { what, reason: with_causes(&error) }),
        Err(_) => Err(InspectionError::Away("it did not answer in time".to_owned())),
    }
}

async fn known(
    installation: &Installation,
    tenant: &TenantId,
    order: &OrderId,
) -> Result<Known, ActivityInteractionError> {
    let namespace = installation.routing.namespace(tenant);
    let client =
        installation.client_for(namespace).map_err(|fault| ActivityInteractionError::Other(Box::new(fault)))?;
    let options =
        ActivityDescribeOptions::builder().include_input(true).include_outcome(true).include_last_failure(true);
    let handle = client.get_activity_handle(TargetActivities::provision, order.as_str(), None);
    let description = handle.describe(options.build()).await?;
    let request = description.input().await?;
    let request = request.ok_or_else(|| ActivityInteractionError::Other("the activity has no input".into()))?;
    let (outcome, failure) = match description.outcome().await? {
        Some(Ok(answer)) => (Some(answer.outcome), None),
        Some(Err(failure)) => {
            let outcome = of_unanswered(unanswered(Some(&failure)), request.expires_at.is_some());
            (Some(outcome), Some(failure.to_string()))
        }
        None => (None, description.last_failure()?.map(|failure| failure.to_string())),
    };
    Ok(Known {
        event_id: description.static_details().await?.unwrap_or_default(),
        event_type: description.static_summary().await?.unwrap_or_default(),
        request,
        status: description.status(),
        attempt: description.attempt(),
        begun: description.attempt() > 1 || description.run_state() != PendingActivityState::Scheduled,
        since: description.schedule_time().map_or(Timestamp(0), timestamp),
        outcome,
        failure,
    })
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

fn view(order: &OrderId, known: &Known) -> OrderView {
    let (state, step, code) = states(known);
    let request = &known.request;
    let waits = || WaitingFor::Target {
        target: request.target.clone(),
        step: request.step.clone(),
        since: known.since.to_rfc3339(),
    };
    OrderView {
        order_id: order.clone(),
        event_id: known.event_id.clone(),
        customer_id: request.customer.clone(),
        event_type: known.event_type.clone(),
        state: state.into(),
        waiting_for: (!state.is_terminal()).then(|| waits().into()),
        due_at: None,
        reset_at: None,
        steps: vec![StepView {
            name: request.step.clone(),
            target: request.target.clone(),
            operation: request.operation.clone(),
            state: step.into(),
            attempts: known.attempt,
            outcome: known.outcome.as_ref().map(|outcome| outcome.class().to_owned()),
            identity: None,
        }],
        claims: Vec::new(),
        actions: Vec::new(),
        code,
        detail: known.failure.clone(),
        entity_ended: None,
    }
}

/// The state of the order, that of its step, and a code if it did not have its effect.
fn states(known: &Known) -> (OrderState, StepStateName, Option<String>) {
    match (known.status, &known.outcome) {
        (ActivityExecutionStatus::Running, _) if known.begun => (OrderState::InProgress, StepStateName::Running, None),
        (ActivityExecutionStatus::Running, _) => (OrderState::Acknowledged, StepStateName::Open, None),
        (ActivityExecutionStatus::Paused, _) => (OrderState::Held, StepStateName::Held, Some(ErrorCode::Paused.into())),
        (ActivityExecutionStatus::Canceled | ActivityExecutionStatus::Terminated, _) => {
            (OrderState::Cancelled, StepStateName::Cancelled, None)
        }
        (_, Some(outcome)) => over(outcome),
        (ActivityExecutionStatus::Completed, None) => {
            (OrderState::Failed, StepStateName::Skipped, Some(ErrorCode::OutcomeUnreadable.into()))
        }
        (_, None) => (OrderState::Failed, StepStateName::Skipped, Some(ErrorCode::ActivityFailed.into())),
    }
}

/// The same for an order that has ended with this outcome.
fn over(outcome: &Outcome) -> (OrderState, StepStateName, Option<String>) {
    match outcome {
        outcome if outcome.is_effective() => (OrderState::Completed, StepStateName::Done, None),
        Outcome::Permanent { code, .. } if ErrorCode::Expired == code.as_str() => {
            (OrderState::Cancelled, StepStateName::Cancelled, Some(code.to_string()))
        }
        Outcome::Permanent { code, .. } => (OrderState::Failed, StepStateName::Skipped, Some(code.to_string())),
        outcome => (OrderState::Failed, StepStateName::Skipped, Some(outcome.class().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::attempt::Unanswered;
    use interlock_domain::customer::WaitView;

    use super::*;

    fn known(status: ActivityExecutionStatus, outcome: Option<Outcome>) -> Known {
        let tenant = TenantId::default();
        let order = OrderId::derive(&tenant, &"A1".parse().unwrap(), "s", "1", None);
        Known {
            event_id: "1".to_owned(),
            event_type: "quota.exceeded".to_owned(),
            request: ProvisionRequest {
                tenant,
                customer: order.customer(),
                step: "notify.send_sms".to_owned(),
                target: "notify".parse().unwrap(),
                operation: "send_sms".to_owned(),
                data: serde_json::Map::new(),
                idempotency_key: order.step_key("notify.send_sms"),
                epoch: None,
                epochs: std::collections::BTreeMap::new(),
                unproven: Vec::new(),
                dispatch: 0,
                maybe_sent: false,
                proof: None,
                attempt_timeout_ms: 1,
                retry: interlock_domain::retry::RetryPolicy::default(),
                expires_at: None,
                trace_parent: None,
                order,
            },
            status,
            attempt: 1,
            begun: true,
            since: Timestamp(0),
            outcome,
            failure: None,
        }
    }

    #[test]
    fn an_order_that_stands_alone_is_shown_as_any_other() {
        let shown = |known: &Known| view(&known.request.order.clone(), known);
        let done = shown(&known(ActivityExecutionStatus::Completed, Some(Outcome::Done)));
        assert_eq!((done.state.known(), done.waiting_for), (Some(OrderState::Completed), None));
        assert_eq!(done.steps[0].state, StepStateName::Done);
        let running = shown(&known(ActivityExecutionStatus::Running, None));
        let waiting = running.waiting_for.as_ref().and_then(WaitView::known);
        assert!(matches!(waiting, Some(WaitingFor::Target { .. })), "{running:?}");
        let waiting = shown(&Known { begun: false, ..known(ActivityExecutionStatus::Running, None) });
        assert_eq!(waiting.state, OrderState::Acknowledged);
        assert_eq!(waiting.steps[0].state, StepStateName::Open);
        let late = of_unanswered(Unanswered::NeverAttempted, true);
        let late = shown(&known(ActivityExecutionStatus::TimedOut, Some(late)));
        assert_eq!((late.state.known(), late.code.as_deref()), (Some(OrderState::Cancelled), Some("expired")));
        let doubtful = of_unanswered(Unanswered::Vanished, true);
        let doubtful = shown(&known(ActivityExecutionStatus::TimedOut, Some(doubtful)));
        assert_eq!((doubtful.state.known(), doubtful.code.as_deref()), (Some(OrderState::Failed), Some("ambiguous")));
    }
}
