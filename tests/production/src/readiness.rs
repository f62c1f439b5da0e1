//! Waiting until all roles of the server answer: the front end, and through it history and matching.

use std::time::Duration;

use interlock_fault::with_causes;
use temporalio_client::{Connection, ConnectionOptions};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest,
};
use tonic::{Code, IntoRequest};
use url::Url;

/// The namespace that every server has.
const NAMESPACE: &str = "temporal-system";

/// The time limit of one attempt.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);

/// Asks once. The error says which role did not answer, and how.
pub(crate) async fn ask(target: &Url) -> Result<(), String> {
    match tokio::time::timeout(ATTEMPT_LIMIT, ask_roles(target)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("a call took more than {} s", ATTEMPT_LIMIT.as_secs())),
    }
}

async fn ask_roles(target: &Url) -> Result<(), String> {
    let options = ConnectionOptions::new(target.clone()).identity("interlock-readiness".to_owned()).build();
    let connection =
        Connection::connect(options).await.map_err(|error| format!("frontend: {}", with_causes(&error)))?;
    let nobody = WorkflowExecution { workflow_id: "interlock-readiness".to_owned(), run_id: String::new() };
    let workflow = DescribeWorkflowExecutionRequest { namespace: NAMESPACE.to_owned(), execution: Some(nobody) };
    match connection.workflow_service().describe_workflow_execution(workflow.into_request()).await {
        Ok(_) => {}
        Err(status) if status.code() == Code::NotFound => {}
        Err(status) => return Err(format!("history: {}", status.message())),
    }
    let queue = DescribeTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: Some(TaskQueue { name: "interlock-readiness".to_owned(), ..Default::default() }),
        task_queue_type: TaskQueueType::Workflow.into(),
        ..Default::default()
    };
    let described = connection.workflow_service().describe_task_queue(queue.into_request()).await;
    described.map(drop).map_err(|status| format!("matching: {}", status.message()))
}
