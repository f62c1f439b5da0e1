//! Queries an entity while it is idle, and reads the state of its run.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use tonic::{Request, Status};

use crate::entity_call_error::EntityCallError;
use crate::entity_calls::{EntityCalls, query_request};
use crate::entity_run::EntityRun;
use crate::runs::describe_execution;

/// A worker's answer to a query that would have to wait too long.
pub const IN_A_TASK: &str = "the entity has been in a workflow task for too long to be queried now; try again";
/// The time limit of an entity's answer. Without a worker, no entity answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// The pause between two checks whether an entity is idle.
const REST_PAUSE: Duration = Duration::from_millis(10);

impl EntityCalls {
    /// An entity's answer, and the state of its run. An entity that has ended answers, too.
    pub(crate) async fn ask(
        &self,
        namespace: &str,
        execution: WorkflowExecution,
        query: &str,
        argument: &(impl Serialize + Sync),
    ) -> Result<(Value, EntityRun), EntityCallError> {
        let workflow_id = execution.workflow_id.clone();
        let argument = self.payloads(&workflow_id, argument).await?;
        let request = query_request(namespace, execution.clone(), query, argument);
        let asked = async {
            loop {
                let run = self.until_at_rest(namespace, execution.clone()).await?;
                match self.client().clone().query_workflow(Request::new(request.clone())).await {
                    Ok(answer) => return Ok::<_, Status>((answer.into_inner(), run)),
                    // It was idle, and then no longer.
                    Err(status) if status.message().contains(IN_A_TASK) => tokio::time::sleep(REST_PAUSE).await,
                    Err(status) => return Err(status),
                }
            }
        };
        let (answer, run) = match tokio::time::timeout(ANSWER_LIMIT, asked).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(status)) => return Err(EntityCallError::refused(&workflow_id, status)),
            Err(_) => return Err(EntityCallError::no_answer(&workflow_id)),
        };
        if let Some(paused) = run.paused().filter(|_| answer.query_result.is_none()) {
            return Err(EntityCallError::Paused { workflow_id, paused: paused.sentence() });
        }
        let no_answer = || EntityCallError::payload(&workflow_id, "the query result is empty");
        let payloads = answer.query_result.ok_or_else(no_answer)?;
        Ok((self.read(&workflow_id, payloads).await?, run))
    }

    /// Waits until the entity has no open workflow task. A query during a workflow task is answered within the task, even while a local
    /// activity runs, and adds events to the history: the task ends with the answer, and another one begins.
    async fn until_at_rest(&self, namespace: &str, execution: WorkflowExecution) -> Result<EntityRun, Status> {
        loop {
            let described = describe_execution(self.client(), namespace, execution.clone()).await?;
            let has_task = described.pending_workflow_task.is_some();
            let run = EntityRun::of(described);
            // The task of a paused workflow waits until the workflow is unpaused.
            if !has_task || run.paused().is_some() {
                return Ok(run);
            }
            tokio::time::sleep(REST_PAUSE).await;
        }
    }
}
