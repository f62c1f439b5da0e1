//! The activities of a sweep, in the form that the SDK needs.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::collections::BTreeSet;
use std::sync::Arc;

use interlock_client::{ServerError, histories};
use interlock_domain::attempt::INTERRUPTED;
use interlock_domain::ids::TargetId;
use interlock_domain::sweep::{Ledger, News};
use interlock_workflows::{AnnounceActivity, LookActivity, ReviveActivity, SweepSeen};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

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
    /// What the sweep before remembered: its result.
    async fn remembered(&self, execution: WorkflowExecution) -> Result<Ledger, ServerError> {
        match histories::last_completion_result(&self.installation.client, &self.namespace, execution).await {
            Ok(ledger) => Ok(ledger.unwrap_or_default()),
            Err(ServerError::Payload(error)) => {
                tracing::warn!(%error, "cannot read what the last sweep remembered; its findings are reported again");
                Ok(Ledger::default())
            }
            Err(error) => Err(error),
        }
    }
}
