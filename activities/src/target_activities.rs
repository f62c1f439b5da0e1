//! The activities on the targets' queues, in the form that the SDK needs.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_adapters::trace_context;
use interlock_domain::message::ProvisionRequest;
use interlock_domain::outcome::{ProvenHolderAnswer, ProvenOutcome};
use interlock_domain::outgoing::{DeliveryAnswer, OutgoingBatch};
use interlock_workflows::{DeliverActivity, LookUp, LookUpActivity, ProvisionActivity};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::Instrument;

use crate::worker_context::WorkerContext;
use crate::{deliver, look_up, provision, spans};

/// Implements [`interlock_workflows::TargetActivities`].
pub struct AtTargets(pub(crate) Arc<WorkerContext>);

#[activities]
impl AtTargets {
    /// Runs one attempt of a step.
    #[activity(definition = ProvisionActivity)]
    pub async fn provision(
        self: Arc<Self>,
        context: ActivityContext,
        request: ProvisionRequest,
    ) -> Result<ProvenOutcome, ActivityError> {
        let (span, proof) = (spans::provision(&request, context.info().attempt), request.proof);
        let attempted =
            trace_context::within(span, request.trace_parent, provision::provision(&self.0, &context, request)).await;
        attempted.map(|(outcome, calls)| ProvenOutcome { outcome: outcome.kept(), proof, calls: Some(calls) })
    }

    /// Asks the authority who has a resource.
    #[activity(definition = LookUpActivity)]
    pub async fn look_up(
        self: Arc<Self>,
        context: ActivityContext,
        question: LookUp,
    ) -> Result<ProvenHolderAnswer, ActivityError> {
        let (span, proof) = (spans::look_up(&question, context.info().attempt), question.proof);
        let answered = look_up::look_up(&self.0, &context, question).instrument(span).await;
        answered.map(|answer| ProvenHolderAnswer { answer: answer.kept(), proof })
    }

    /// Delivers events to a subscription's receiver.
    #[activity(definition = DeliverActivity)]
    pub async fn deliver(
        self: Arc<Self>,
        context: ActivityContext,
        batch: OutgoingBatch,
    ) -> Result<DeliveryAnswer, ActivityError> {
        let span = spans::deliver(&batch, context.info().attempt);
        deliver::deliver(&self.0, &context, &batch).instrument(span).await?;
        Ok(DeliveryAnswer { proof: batch.proof })
    }
}
