//! An event of TMF641, Service Ordering Management, version 4.

use interlock_domain::ids::CustomerRef;
use interlock_domain::order_parts::StepStateName;
use interlock_domain::outgoing::{About, OrderReport, OutgoingEvent, ReportedStep};
use interlock_domain::subscription::OutgoingType;
use serde_json::{Value, json};

/// The event; `None` if it is not about an order.
pub(super) fn event(sender: &CustomerRef, event: &OutgoingEvent) -> Option<Value> {
    let About::Order(report) = &event.about else { return None };
    let state = state(event.event_type)?;
    let event_type = match event.event_type {
        OutgoingType::OrderOverdue => "ServiceOrderJeopardyEvent",
        _ => "ServiceOrderStateChangeEvent",
    };
    Some(json!({
        "eventId": event.id,
        "eventTime": event.at.to_rfc3339(),
        "eventType": event_type,
        "event": {"serviceOrder": service_order(sender, state, report)},
    }))
}

/// The state of a service order. TMF641 has no word for an order that a younger one replaced: nothing took effect, as after a
/// cancellation.
fn state(event_type: OutgoingType) -> Option<&'static str> {
    Some(match event_type {
        OutgoingType::OrderAcknowledged => "acknowledged",
        OutgoingType::OrderHeld => "held",
        OutgoingType::OrderCompleted => "completed",
        OutgoingType::OrderPartial => "partial",
        OutgoingType::OrderFailed => "failed",
        OutgoingType::OrderCancelled | OutgoingType::OrderSuperseded => "cancelled",
        OutgoingType::OrderRejected => "rejected",
        // It is late, and still under way.
        OutgoingType::OrderOverdue => "inProgress",
        OutgoingType::LeaseGranted
        | OutgoingType::LeaseReleased
        | OutgoingType::EventsLost
        | OutgoingType::SubscriptionTest => return None,
    })
}

fn service_order(sender: &CustomerRef, state: &str, report: &OrderReport) -> Value {
    let mut order = json!({
        "@type": "ServiceOrder",
        "id": report.order_id,
        "externalId": report.event_id,
        "category": report.event_type,
        "state": state,
        "requestedCompletionDate": report.due_at.map(interlock_domain::ids::Timestamp::to_rfc3339),
        "relatedParty": [{"@type": "RelatedParty", "id": sender.customer, "role": "customer"}],
        "serviceOrderItem": report.steps.iter().map(item).collect::<Vec<_>>(),
    });
    if report.code.is_some() || report.detail.is_some() {
        order["errorMessage"] = json!([{
            "code": report.code,
            "reason": report.detail.as_ref().or(report.code.as_ref()),
        }]);
    }
    if let Some(fields) = order.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    order
}

/// A step as an item of the order.
fn item(reported: &ReportedStep) -> Value {
    let step = &reported.step;
    let state = match step.state.known() {
        Some(StepStateName::Done) => "completed",
        Some(StepStateName::Held) => "held",
        Some(StepStateName::Running) => "inProgress",
        Some(StepStateName::Skipped | StepStateName::Cancelled) => "cancelled",
        Some(StepStateName::Open) | None => "pending",
    };
    json!({"@type": "ServiceOrderItem", "id": step.name, "action": "modify", "state": state})
}
