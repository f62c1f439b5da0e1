//! A workflow that keeps a value in its memo. No worker runs it.

use std::time::Duration;

use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::common::v1::{Memo, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use tonic::IntoRequest;
use uuid::Uuid;

use crate::payloads::plain_json;
use crate::server_error::ServerError;

/// The workflow.
#[derive(Debug, Clone)]
pub struct MemoWorkflow<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its id.
    pub workflow_id: &'a str,
    /// Its type.
    pub workflow_type: &'a str,
    /// Its task queue, which no worker polls.
    pub task_queue: &'a str,
    /// The time before its first workflow task. Until then, it waits in no queue.
    pub start_delay: Duration,
}

impl MemoWorkflow<'_> {
    /// Starts the workflow with this JSON in a field of its memo, in the place of one that runs. The memo is not encrypted. Read it with
    /// [`runs::describe`](crate::runs::describe).
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn replace(&self, client: &Client, field: &str, json: Vec<u8>) -> Result<(), ServerError> {
        let request = StartWorkflowExecutionRequest {
            namespace: self.namespace.to_owned(),
            workflow_id: self.workflow_id.to_owned(),
            workflow_type: Some(WorkflowType { name: self.workflow_type.to_owned() }),
            task_queue: Some(TaskQueue { name: self.task_queue.to_owned(), ..TaskQueue::default() }),
            identity: client.identity(),
            request_id: Uuid::new_v4().to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::TerminateExisting.into(),
            workflow_start_delay: self.start_delay.try_into().ok(),
            memo: Some(Memo { fields: [(field.to_owned(), plain_json(json))].into() }),
            ..StartWorkflowExecutionRequest::default()
        };
        client.clone().start_workflow_execution(request.into_request()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionResponse;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    #[tokio::test]
    async fn the_workflow_takes_the_place_of_the_one_before() {
        let started = StartWorkflowExecutionResponse::default();
        let (server, client) = ScriptedServer::default().answers("StartWorkflowExecution", &started).client().await;
        let workflow = MemoWorkflow {
            namespace: "default",
            workflow_id: "interlock/installation",
            workflow_type: "InterlockInstallation",
            task_queue: "interlock.installation",
            start_delay: Duration::from_secs(1),
        };
        workflow.replace(&client, "installation", b"{}".to_vec()).await.unwrap();
        let request: StartWorkflowExecutionRequest = server.request();
        assert_eq!(request.workflow_id_conflict_policy(), WorkflowIdConflictPolicy::TerminateExisting);
        assert_eq!(request.memo.unwrap().fields["installation"], plain_json(b"{}".to_vec()));
    }
}
