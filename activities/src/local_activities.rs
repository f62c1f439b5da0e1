//! The local activities of the entities, as the SDK wants them.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_adapters::trace_context;
use interlock_domain::customer::{Admission, AdmissionAnswer};
use interlock_domain::message::Delivery;
use interlock_workflows::{AdmitActivity, Notification, NotifyActivity, SendActivity, Sending};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::Instrument;

use crate::worker_context::WorkerContext;
use crate::{admit, notify, send, spans};

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
        let span = spans::admit(&admission);
        // It goes on in the trace of the first event of the batch, and names those of the others.
        let mut parents = admission.events.iter().filter_map(|waiting| waiting.event.trace_parent);
        let first = parents.next();
        parents.for_each(|other| trace_context::link(&span, other));
        Ok(trace_context::within(span, first, admit::admit(&self.0, &context, admission)).await?)
    }

    /// Sends a customer's messages.
    #[activity(definition = SendActivity)]
    pub async fn send(self: Arc<Self>, context: ActivityContext, sending: Sending) -> Result<(), ActivityError> {
        let span = spans::send(&sending);
        Ok(send::send(&self.0, &context, sending).instrument(span).await?)
    }

    /// Sends a resource's messages.
    #[activity(definition = NotifyActivity)]
    pub async fn notify(
        self: Arc<Self>,
        context: ActivityContext,
        notification: Notification,
    ) -> Result<Vec<Delivery>, ActivityError> {
        let span = spans::notify(&notification);
        Ok(notify::notify(&self.0, &context, notification).instrument(span).await?)
    }
}
