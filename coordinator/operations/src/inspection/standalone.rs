//! The view of a standalone order, made from what Temporal knows about its activity.

use interlock_client::standalone_activities::{ActivityExecutionStatus, StandaloneActivity, describe};
use interlock_connection::Installation;
use interlock_domain::customer::waiting::WaitingFor;
use interlock_domain::customer::{OrderView, StepStateName, StepView};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::order::OrderState;
use interlock_domain::outcome::Outcome;
use interlock_fault::with_causes;

use super::{ANSWER_LIMIT, InspectionError};

/// The view; none if there is no such activity.
pub(super) async fn standalone_view(
    installation: &Installation,
    tenant: &TenantId,
    order: &OrderId,
) -> Result<Option<OrderView>, InspectionError> {
    let what = format!("The order {order}");
    let client = installation.client_for(installation.routing.namespace(tenant));
    let client =
        client.map_err(|fault| InspectionError::Refused { what: what.clone(), reason: with_causes(&fault) })?;
    match tokio::time::timeout(ANSWER_LIMIT, describe(&client, order)).await {
        // Tenants may share a namespace: an order of another tenant counts as never seen.
        Ok(Ok(known)) => {
            let known = known.filter(|known| known.request.tenant == *tenant);
            Ok(known.map(|known| view(order, &known)))
        }
        Ok(Err(error)) => Err(InspectionError::of_server(&what, &error)),
        Err(_) => Err(InspectionError::Away("it did not answer in time".to_owned())),
    }
}

fn view(order: &OrderId, known: &StandaloneActivity) -> OrderView {
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
            attempts: known.calls.unwrap_or(if known.begun { known.attempt } else { 0 }),
            outcome: known.outcome.as_ref().map(|outcome| outcome.class().to_owned()),
            identity: None,
        }],
        claims: Vec::new(),
        actions: Vec::new(),
        code,
        detail: known.failure.clone(),
        no_longer_kept: false,
        entity_ended: None,
    }
}

/// The state of the order, that of its step, and a code if it did not have its effect.
fn states(known: &StandaloneActivity) -> (OrderState, StepStateName, Option<String>) {
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
    use interlock_domain::attempt::{Unanswered, of_unanswered};
    use interlock_domain::customer::WaitView;
    use interlock_domain::ids::Timestamp;
    use interlock_domain::message::ProvisionRequest;

    use super::*;

    fn known(status: ActivityExecutionStatus, outcome: Option<Outcome>) -> StandaloneActivity {
        let tenant = TenantId::default();
        let order = OrderId::derive(&tenant, &"A1".parse().unwrap(), "s", "1", None);
        StandaloneActivity {
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
                priority: None,
                trace_parent: None,
                order,
            },
            status,
            attempt: 1,
            calls: None,
            begun: true,
            since: Timestamp(0),
            outcome,
            failure: None,
        }
    }

    #[test]
    fn an_order_that_stands_alone_is_shown_as_any_other() {
        let shown = |known: &StandaloneActivity| view(&known.request.order.clone(), known);
        let done = shown(&known(ActivityExecutionStatus::Completed, Some(Outcome::Done)));
        assert_eq!((done.state.known(), done.waiting_for), (Some(OrderState::Completed), None));
        assert_eq!(done.steps[0].state, StepStateName::Done);
        let running = shown(&known(ActivityExecutionStatus::Running, None));
        let waiting = running.waiting_for.as_ref().and_then(WaitView::known);
        assert!(matches!(waiting, Some(WaitingFor::Target { .. })), "{running:?}");
        let waiting = shown(&StandaloneActivity { begun: false, ..known(ActivityExecutionStatus::Running, None) });
        assert_eq!(waiting.state, OrderState::Acknowledged);
        assert_eq!((waiting.steps[0].state.known(), waiting.steps[0].attempts), (Some(StepStateName::Open), 0));
        let completed = known(ActivityExecutionStatus::Completed, Some(Outcome::Done));
        let after_two_calls = StandaloneActivity { attempt: 5, calls: Some(2), ..completed };
        assert_eq!(shown(&after_two_calls).steps[0].attempts, 2);
        let late = of_unanswered(Unanswered::NeverAttempted, true);
        let late = shown(&known(ActivityExecutionStatus::TimedOut, Some(late)));
        assert_eq!((late.state.known(), late.code.as_deref()), (Some(OrderState::Cancelled), Some("expired")));
        let doubtful = of_unanswered(Unanswered::Vanished, true);
        let doubtful = shown(&known(ActivityExecutionStatus::TimedOut, Some(doubtful)));
        assert_eq!((doubtful.state.known(), doubtful.code.as_deref()), (Some(OrderState::Failed), Some("ambiguous")));
    }
}
