//! The activities that send messages after the decision to send them is recorded, in the form that the SDK needs.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_domain::customer::{Admission, AdmissionAnswer};
use interlock_domain::message::Delivery;
use interlock_domain::recording::{Receipted, Requested};
use interlock_workflows::{AdmitRecordedActivity, Notification, NotifyRecordedActivity, SendRecordedActivity, Sending};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::local_activities::{admit, notify, send};
use crate::worker_context::WorkerContext;

/// Implements [`interlock_workflows::RecordedActivities`].
pub struct CarriedOutRecorded(pub(crate) Arc<WorkerContext>);

#[activities]
impl CarriedOutRecorded {
    /// Plans events and claims what the plans want.
    #[activity(definition = AdmitRecordedActivity)]
    pub async fn admit_recorded(
        self: Arc<Self>,
        context: ActivityContext,
        request: Requested<Admission>,
    ) -> Result<Receipted<AdmissionAnswer>, ActivityError> {
        let output = admit(&self.0, &context, request.input).await?;
        Ok(Receipted { receipt: request.receipt, output })
    }

    /// Sends a customer's messages.
    #[activity(definition = SendRecordedActivity)]
    pub async fn send_recorded(
        self: Arc<Self>,
        context: ActivityContext,
        request: Requested<Sending>,
    ) -> Result<Receipted<()>, ActivityError> {
        send(&self.0, &context, request.input).await?;
        Ok(Receipted { receipt: request.receipt, output: () })
    }

    /// Sends a resource's messages.
    #[activity(definition = NotifyRecordedActivity)]
    pub async fn notify_recorded(
        self: Arc<Self>,
        context: ActivityContext,
        request: Requested<Notification>,
    ) -> Result<Receipted<Vec<Delivery>>, ActivityError> {
        let output = notify(&self.0, &context, request.input).await?;
        Ok(Receipted { receipt: request.receipt, output })
    }
}
