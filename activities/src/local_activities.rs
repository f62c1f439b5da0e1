//! The local activities of the entities, as the SDK wants them.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_domain::customer::{Admission, AdmissionAnswer};
use interlock_domain::message::Delivery;
use interlock_workflows::{AdmitActivity, Notification, NotifyActivity, SendActivity, Sending};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::worker_context::WorkerContext;
use crate::{admit, notify, send};

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
        Ok(admit::admit(&self.0, &context, admission).await?)
    }

    /// Sends a customer's messages.
    #[activity(definition = SendActivity)]
    pub async fn send(self: Arc<Self>, context: ActivityContext, sending: Sending) -> Result<(), ActivityError> {
        Ok(send::send(&self.0, &context, sending).await?)
    }

    /// Sends a resource's messages.
    #[activity(definition = NotifyActivity)]
    pub async fn notify(
        self: Arc<Self>,
        context: ActivityContext,
        notification: Notification,
    ) -> Result<Vec<Delivery>, ActivityError> {
        Ok(notify::notify(&self.0, &context, notification).await?)
    }
}
