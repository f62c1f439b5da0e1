//! The current run of any workflow, as the server describes it.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse, TerminateWorkflowExecutionRequest,
};
use tonic::{Code, Request, Status};

use crate::payloads::decode;
use crate::run_info::RunInfo;
use crate::server_error::ServerError;

/// A run, and what the server knows about it beyond a list.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedRun {
    /// The run.
    pub run: RunInfo,
    memo: HashMap<String, Payload>,
    heartbeat: Option<Payloads>,
}

impl DescribedRun {
    fn of(described: DescribeWorkflowExecutionResponse) -> Result<Self, ServerError> {
        let no_run = || ServerError::payload("the description of a workflow names no run");
        let info = described.workflow_execution_info.ok_or_else(no_run)?;
        let memo = info.memo.clone().unwrap_or_default().fields;
        let heartbeat = described.pending_activities.into_iter().find_map(|activity| activity.heartbeat_details);
        Ok(Self { run: RunInfo::of(info).ok_or_else(no_run)?, memo, heartbeat })
    }

    /// The bytes of a field of its memo as they are stored, or `None` if there is no such field.
    pub fn memo_data(&self, field: &str) -> Option<&[u8]> {
        self.memo.get(field).map(|payload| payload.data.as_slice())
    }

    /// A field of its memo that is encoded with the client's converter, or `None` if there is no such field.
    pub(crate) async fn memo_value<A: DeserializeOwned + 'static>(
        &self,
        client: &Client,
        field: &str,
    ) -> Result<Option<A>, ServerError> {
        match self.memo.get(field) {
            Some(payload) => decode(client, vec![payload.clone()]).await.map(Some),
            None => Ok(None),
        }
    }

    /// The details of the last heartbeat of its pending activity. `None` if there are none, or if they are not of this type.
    pub async fn heartbeat<A: DeserializeOwned + 'static>(&self, client: &Client) -> Option<A> {
        decode(client, self.heartbeat.clone()?.payloads).await.ok()
    }
}

/// The current run of a workflow, or its last one if it has ended. `None` if the server does not know the workflow, or the namespace.
///
/// # Errors
/// [`ServerError`].
pub async fn describe(
    client: &Client,
    namespace: &str,
    workflow_id: &str,
) -> Result<Option<DescribedRun>, ServerError> {
    let execution = WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: String::new() };
    match describe_execution(client, namespace, execution).await {
        Ok(described) => DescribedRun::of(described).map(Some),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status.into()),
    }
}

/// Terminates this run, and no other of its workflow. `reason` is recorded. Returns whether it was running.
///
/// # Errors
/// [`ServerError`]. The run may be terminated anyway, and it is safe to call this again.
pub async fn terminate(
    client: &Client,
    namespace: &str,
    execution: WorkflowExecution,
    reason: &str,
) -> Result<bool, ServerError> {
    let request = TerminateWorkflowExecutionRequest {
        namespace: namespace.to_owned(),
        workflow_execution: Some(execution),
        reason: reason.to_owned(),
        identity: client.identity(),
        ..TerminateWorkflowExecutionRequest::default()
    };
    match client.clone().terminate_workflow_execution(Request::new(request)).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(status.into()),
    }
}

/// The server's description of a run, or of the current run if the execution names none.
pub(crate) async fn describe_execution(
    client: &Client,
    namespace: &str,
    execution: WorkflowExecution,
) -> Result<DescribeWorkflowExecutionResponse, Status> {
    let request = DescribeWorkflowExecutionRequest { namespace: namespace.to_owned(), execution: Some(execution) };
    client.clone().describe_workflow_execution(Request::new(request)).await.map(tonic::Response::into_inner)
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::common::v1::Memo;
    use temporalio_common::protos::temporal::api::workflow::v1::{PendingActivityInfo, WorkflowExecutionInfo};

    use super::*;
    use crate::payloads::plain_json;
    use crate::scripted_server::ScriptedServer;

    #[test]
    fn a_description_has_the_memo_and_the_first_heartbeat() {
        let memo = Memo { fields: [("installation".to_owned(), plain_json(b"{}".to_vec()))].into() };
        let info = WorkflowExecutionInfo {
            execution: Some(WorkflowExecution::default()),
            memo: Some(memo),
            ..WorkflowExecutionInfo::default()
        };
        let heartbeat = Payloads { payloads: vec![plain_json(b"1".to_vec())] };
        let silent = PendingActivityInfo::default();
        let alive = PendingActivityInfo { heartbeat_details: Some(heartbeat.clone()), ..silent.clone() };
        let described = DescribedRun::of(DescribeWorkflowExecutionResponse {
            workflow_execution_info: Some(info),
            pending_activities: vec![silent, alive],
            ..DescribeWorkflowExecutionResponse::default()
        })
        .unwrap();
        assert_eq!((described.memo_data("installation"), described.memo_data("other")), (Some(b"{}".as_slice()), None));
        assert_eq!(described.heartbeat, Some(heartbeat));
    }

    #[tokio::test]
    async fn a_workflow_that_the_server_does_not_know_is_not_an_error() {
        const DESCRIBE: &str = "DescribeWorkflowExecution";
        let server = ScriptedServer::default().refuses(DESCRIBE, Status::not_found("workflow not found for ID: x"));
        let server = server.refuses(DESCRIBE, Status::permission_denied("no"));
        let (_, client) = server.client().await;
        assert_eq!(describe(&client, "default", "x").await.unwrap(), None);
        assert_eq!(describe(&client, "default", "x").await.unwrap_err().message(), "no");
    }

    #[test]
    fn a_description_without_a_run_is_an_error() {
        let error = DescribedRun::of(DescribeWorkflowExecutionResponse::default()).unwrap_err();
        assert_eq!(error.to_string(), "the description of a workflow names no run");
    }
}
