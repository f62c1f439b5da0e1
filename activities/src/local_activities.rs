//! The local activities of the entities, in the form that the SDK needs.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_adapters::trace_context;
use interlock_client::EntityCallError;
use interlock_domain::customer::{Admission, AdmissionAnswer};
use interlock_domain::message::Delivery;
use interlock_workflows::{AdmitActivity, Notification, NotifyActivity, SendActivity, Sending};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::Instrument;

use crate::worker_context::WorkerContext;
use crate::{admit, notify, send, spans};

/// Runs [`admit::admit`] within the traces of the events of its batch.
pub(crate) async fn admit(
    worker: &WorkerContext,
    context: &ActivityContext,
    admission: Admission,
) -> Result<AdmissionAnswer, EntityCallError> {
    let span = spans::admit(&admission);
    // It continues the trace of the batch's first event, and links to those of the others.
    let mut parents = admission.events.iter().filter_map(|waiting| waiting.event.trace_parent);
    let first = parents.next();
    parents.for_each(|other| trace_context::link(&span, other));
    trace_context::within(span, first, admit::admit(worker, context, admission)).await
}

/// Runs [`send::send`] in its span.
pub(crate) async fn send(
    worker: &WorkerContext,
    context: &ActivityContext,
    sending: Sending,
) -> Result<(), EntityCallError> {
    let span = spans::send(&sending);
    send::send(worker, context, sending).instrument(span).await
}

/// Runs [`notify::notify`] in its span.
pub(crate) async fn notify(
    worker: &WorkerContext,
    context: &ActivityContext,
    notification: Notification,
) -> Result<Vec<Delivery>, EntityCallError> {
    let span = spans::notify(&notification);
    notify::notify(worker, context, notification).instrument(span).await
}

/// Implements [`interlock_workflows::LocalActivities`].
pub struct CarriedOut(pub(crate) Arc<WorkerContext>);

#[activities]
impl CarriedOut {
    /// Plans events and claims what the plans want.
    #[activity(definition = AdmitActivity)]
    pub async fn admit(
        self: Arc<Self>,
        context: ActivityContext,
        admission: Admission,
    ) -> Result<AdmissionAnswer, ActivityError> {
        Ok(admit(&self.0, &context, admission).await?)
    }

    /// Sends a customer's messages.
    #[activity(definition = SendActivity)]
    pub async fn send(self: Arc<Self>, context: ActivityContext, sending: Sending) -> Result<(), ActivityError> {
        Ok(send(&self.0, &context, sending).await?)
    }

    /// Sends a resource's messages.
    #[activity(definition = NotifyActivity)]
    pub async fn notify(
        self: Arc<Self>,
        context: ActivityContext,
        notification: Notification,
    ) -> Result<Vec<Delivery>, ActivityError> {
        Ok(notify(&self.0, &context, notification).await?)
    }
}
