//! The spans of activities, whose fields appear in every log record within them.
//!
//! The spans have the level `ERROR`, so that records have these fields at every log level.

use interlock_domain::customer::Admission;
use interlock_domain::message::ProvisionRequest;
use interlock_domain::outgoing::OutgoingBatch;
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

/// A customer's messages to resources.
pub(crate) fn send(sending: &Sending) -> Span {
    let messages = sending.messages.len();
    error_span!("send", tenant = %sending.from.tenant, customer = %sending.from.customer, messages)
}

/// A resource's messages to customers.
pub(crate) fn notify(notification: &Notification) -> Span {
    error_span!("notify", realm = %notification.realm, messages = notification.messages.len())
}

/// The look-up of a resource's holder.
pub(crate) fn look_up(question: &LookUp, attempt: u32) -> Span {
    error_span!(
        "look_up",
        tenant = %question.tenant,
        resource = %question.resource,
        target = %question.authority.target,
        attempt,
    )
}

/// One attempt to deliver events to a subscription's receiver.
pub(crate) fn deliver(batch: &OutgoingBatch, attempt: u32) -> Span {
    error_span!(
        "deliver",
        tenant = %batch.tenant,
        customer = %batch.customer,
        subscription = %batch.subscription,
        target = %batch.target,
        events = batch.events.len(),
        attempt,
        dispatch = batch.dispatch,
    )
}
