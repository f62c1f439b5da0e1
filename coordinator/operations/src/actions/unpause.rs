//! Letting a call continue that an operator paused in Temporal.

use interlock_domain::ids::{OrderId, TenantId};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::workflowservice::v1::{UnpauseActivityRequest, unpause_activity_request};
use tonic::{Code, IntoRequest};

use super::{ActionError, ActionWords, Actions};
use crate::inspection::of_status;

impl Actions {
    /// Unpauses the activity with which a step of an order calls its target. The server starts another attempt, which reads
    /// back before it sends. If the activity is no longer pending, there is nothing to do.
    ///
    /// # Errors
    /// [`ActionError`]: the call may still be paused, and asking again with the same action id is safe.
    pub(super) async fn unpause(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        activity: &str,
        words: &ActionWords,
    ) -> Result<(), ActionError> {
        let entity = self.installation.entities.customer(tenant, &order.customer());
        let execution = WorkflowExecution { workflow_id: entity.route.workflow_id.clone(), run_id: String::new() };
        let request = UnpauseActivityRequest {
            namespace: entity.route.namespace.clone(),
            execution: Some(execution),
            identity: words.actor.clone(),
            activity: Some(unpause_activity_request::Activity::Id(activity.to_owned())),
            ..UnpauseActivityRequest::default()
        };
        match self.installation.client.clone().unpause_activity(request.into_request()).await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == Code::NotFound => Ok(()),
            Err(status) => Err(of_status(&format!("The order {order}"), &status).into()),
        }
    }
}
