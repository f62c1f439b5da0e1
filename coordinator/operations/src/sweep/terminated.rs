//! Resources whose entities were terminated recently. The former holder is asked to report its lease again: a holder without open
//! orders would not be found otherwise, and the entity's next life does not know it.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use futures_util::StreamExt;
use interlock_client::{RunInfo, visibility};
use interlock_domain::ids::CustomerRef;
use interlock_domain::resource::HolderView;
use interlock_domain::routing::RESOURCE_WORKFLOW_TYPE;
use interlock_domain::sweep::TerminatedResource;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;

use super::Sweeper;
use super::look::{ASKED_AT_A_TIME, Look};
use crate::inspection::InspectionError;

/// The most terminated entities that one sweep looks at, newest first.
pub const TERMINATED_MAX: i32 = 200;
/// For how long a terminated entity is looked at: several times what its next life waits before its first grant.
pub const TERMINATED_SEEN_FOR: Duration = Duration::from_mins(15);

impl Look<'_> {
    /// Asks the last runs of terminated resource entities for their holders, and the resources for their present states.
    pub(super) async fn at_terminated(&mut self) {
        let runs = match self.sweeper.terminated().await {
            Ok(runs) => runs,
            Err(error) => {
                tracing::warn!(code = %error.code(), %error, "a sweep cannot list the terminated resources");
                return;
            }
        };
        let look = &*self;
        let asked = futures_util::stream::iter(runs).map(|run| async move {
            let workflow_id = run.workflow_id.clone();
            (workflow_id, if look.is_over() { Ok(None) } else { look.at_run(run).await })
        });
        let answers: Vec<_> = asked.buffered(ASKED_AT_A_TIME).collect().await;
        for (workflow_id, answer) in answers {
            match answer {
                Ok(seen) => self.seen.terminated.extend(seen),
                Err(error) => {
                    tracing::warn!(workflow_id, %error, "a terminated resource does not report who held its lease");
                }
            }
        }
    }

    async fn at_run(&self, run: WorkflowExecution) -> Result<Option<TerminatedResource>, InspectionError> {
        let view = self.inspection.resource_run(&self.sweeper.namespace, run).await?;
        let holder = view.holder.as_ref().and_then(HolderView::customer);
        let Some(CustomerRef { tenant, customer }) = holder else { return Ok(None) };
        let now = self.at_resource(&tenant, &view.resource).await?;
        Ok(Some(TerminatedResource { tenant, customer, resource: view.resource, now }))
    }
}

impl Sweeper {
    /// The last runs of the resource entities that ended recently, except by continuing as new.
    async fn terminated(&self) -> Result<Vec<WorkflowExecution>, InspectionError> {
        let since = (Utc::now() - TERMINATED_SEEN_FOR).to_rfc3339_opts(SecondsFormat::Secs, true);
        let query = format!(
            "WorkflowType = '{RESOURCE_WORKFLOW_TYPE}' AND ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut', \
             'Canceled') AND CloseTime > '{since}'"
        );
        let client = &self.installation.client;
        let page = visibility::page(client, &self.namespace, &query, TERMINATED_MAX, Vec::new()).await;
        let page = page.map_err(|error| InspectionError::of_server("The list of resources", &error))?;
        let execution = |run: RunInfo| WorkflowExecution { workflow_id: run.workflow_id, run_id: run.run_id };
        Ok(page.runs.into_iter().map(execution).collect())
    }
}
