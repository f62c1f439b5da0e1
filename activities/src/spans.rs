//! The spans of activities: what every record that is logged within one says of itself.
//!
//! They are on the level of errors, so that a record has its fields whatever the level of logs is.

use interlock_domain::customer::Admission;
use interlock_domain::message::ProvisionRequest;
use interlock_workflows::{LookUp, Notification, Sending};
use tracing::{Span, error_span};

/// One attempt of a step.
pub(crate) fn provision(request: &ProvisionRequest, attempt: u32) -> Span {
    error_span!(
        "provision",
        otel.name = format!("{} {}", request.target, request.operation),
        tenant = %request.tenant,
        customer = %request.customer,
        order = %request.order,
        step = request.step,
        target = %request.target,
        attempt,
        dispatch = request.dispatch,
        epoch = request.epoch.map(|epoch| epoch.0),
    )
}

/// The admission of some events of a customer.
pub(crate) fn admit(admission: &Admission) -> Span {
    let first = admission.events.first();
    error_span!(
        "admit",
        tenant = %admission.customer.tenant,
        customer = %admission.customer.customer,
        order = first.map(|first| tracing::field::display(&first.key.order)),
        events = admission.events.len(),
    )
}

/// What a customer tells resources.
pub(crate) fn send(sending: &Sending) -> Span {
    let messages = sending.messages.len();
    error_span!("send", tenant = %sending.from.tenant, customer = %sending.from.customer, messages)
}

/// What a resource tells customers.
pub(crate) fn notify(notification: &Notification) -> Span {
    error_span!("notify", realm = %notification.realm, messages = notification.messages.len())
}

/// The question who has a resource.
pub(crate) fn look_up(question: &LookUp, attempt: u32) -> Span {
    error_span!(
        "look_up",
        tenant = %question.tenant,
        resource = %question.resource,
        target = %question.authority.target,
        attempt,
    )
}
