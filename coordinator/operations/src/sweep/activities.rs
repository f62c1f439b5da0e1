//! The activities of a sweep, in the form that the SDK needs.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::collections::BTreeSet;
use std::sync::Arc;

use interlock_domain::attempt::INTERRUPTED;
use interlock_domain::ids::TargetId;
use interlock_domain::sweep::{Ledger, News};
use interlock_workflows::{AnnounceActivity, LookActivity, ReviveActivity, SweepSeen};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::data_converters::{SerializationContextData, WorkflowSerializationContext};
use temporalio_common::protos::temporal::api::common::v1::{Payload, WorkflowExecution};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryRequest;
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tonic::{IntoRequest, Status};

use super::Sweeper;
use crate::targets::Targets;

/// Implements [`interlock_workflows::Sweeping`].
pub struct SweepActivities(pub Sweeper);

#[activities]
impl SweepActivities {
    /// Looks at everything that waits.
    #[activity(definition = LookActivity)]
    pub async fn look(self: Arc<Self>, context: ActivityContext) -> Result<SweepSeen, ActivityError> {
        let info = context.info();
        let execution = WorkflowExecution {
            workflow_id: info.workflow_id.clone().unwrap_or_default(),
            run_id: info.workflow_run_id.clone().unwrap_or_default(),
        };
        let ledger = self.0.remembered(execution).await?;
        let leases = ledger.leases.clone();
        let (looked, leases) = tokio::select! {
            both = async { tokio::join!(self.0.look(ledger, true), self.0.compare_leases(leases)) } => both,
            () = context.cancelled() => return Err(interrupted("The worker is shutting down, and the sweep has not finished.")),
        };
        if let Some(error) = &looked.blind {
            tracing::warn!(code = %error.code(), %error, "a sweep cannot read the waiting orders");
        }
        Ok(SweepSeen { leases: Some(leases), ..looked.bounded() })
    }

    /// Reports what is new.
    #[activity(definition = AnnounceActivity)]
    pub async fn announce(self: Arc<Self>, context: ActivityContext, news: News) -> Result<(), ActivityError> {
        self.0.announce(&context, &news).await
    }

    /// Starts the entities of targets again.
    #[activity(definition = ReviveActivity)]
    pub async fn revive(
        self: Arc<Self>,
        _context: ActivityContext,
        targets: BTreeSet<TargetId>,
    ) -> Result<(), ActivityError> {
        match Targets::new(self.0.installation.clone()).revive(&targets).await {
            Ok(revived) => {
                for target in revived {
                    tracing::warn!(%target, "the entity of a target was not running; it was started again");
                }
                Ok(())
            }
            Err(error) => {
                tracing::warn!(code = %error.code(), %error, "cannot restart the entity of a target");
                Err(error.into())
            }
        }
    }
}

/// A failure after which another worker continues.
pub(super) fn interrupted(detail: &str) -> ActivityError {
    ActivityError::application(ApplicationFailure::builder(detail).type_name(INTERRUPTED.to_owned()).build())
}

impl Sweeper {
    /// What the previous sweep remembered: the server put its result into the first event of this run's history. The SDK does
    /// not pass it to the workflow.
    async fn remembered(&self, execution: WorkflowExecution) -> Result<Ledger, Status> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace.clone(),
            execution: Some(execution),
            maximum_page_size: 1,
            ..Default::default()
        };
        let mut client = self.installation.client.clone();
        let history = client.get_workflow_execution_history(request.into_request()).await?.into_inner().history;
        let first = history.and_then(|history| history.events.into_iter().next()).and_then(|event| event.attributes);
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = first else {
            return Ok(Ledger::default());
        };
        let last: Vec<Payload> = started.last_completion_result.map(|result| result.payloads).unwrap_or_default();
        if last.is_empty() {
            return Ok(Ledger::default());
        }
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let ledger = self.installation.client.options().data_converter.from_payloads(&context, last).await;
        Ok(ledger.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read what the last sweep remembered; its findings are reported again");
            Ledger::default()
        }))
    }
}
