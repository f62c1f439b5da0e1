//! Calls to target entities: signal-with-start, and update-with-start for a person's action.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlock_domain::ids::TargetId;
use interlock_domain::message::Envelope;
use interlock_domain::routing::{EntityRoute, Routing, target_of_workflow};
use interlock_domain::target::{BreakerReport, TargetAction, TargetRules};
use interlock_workflows::{TargetStart, names};
use serde::Serialize;
use serde_json::Value;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::data_converters::{SerializationContextData, WorkflowSerializationContext};
use temporalio_common::protos::temporal::api::common::v1::{Payloads, Priority, WorkflowExecution, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::{
    UpdateWorkflowExecutionLifecycleStage, WorkflowExecutionStatus, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::update::v1 as update;
use temporalio_common::protos::temporal::api::workflowservice::v1 as service;
use tonic::{Code, Request};

use crate::entity_client::EntityCallError;
use crate::failure_text::failure_text;
use crate::request_id;

/// Reaches the entities of targets.
#[derive(Clone)]
pub struct TargetClient {
    client: Client,
    routing: Arc<Routing>,
    rules: Arc<BTreeMap<TargetId, TargetRules>>,
}

impl TargetClient {
    /// Reaches them through this connection, and starts those that do not run with these rules.
    pub fn new(client: Client, routing: Arc<Routing>, rules: BTreeMap<TargetId, TargetRules>) -> Self {
        Self { client, routing, rules: Arc::new(rules) }
    }

    /// The targets whose rules are known, sorted.
    pub fn targets(&self) -> impl Iterator<Item = &TargetId> {
        self.rules.keys()
    }

    /// What Temporal knows this process as.
    pub(crate) fn identity(&self) -> String {
        self.client.identity()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn routing(&self) -> &Routing {
        &self.routing
    }

    /// What is configured of a target, or the usual.
    pub fn rules(&self, target: &TargetId) -> TargetRules {
        self.rules.get(target).cloned().unwrap_or_default()
    }

    /// The targets whose entities run, as far as Temporal's visibility knows by now.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn running(&self) -> Result<Vec<TargetId>, EntityCallError> {
        let prefix = format!("{}/target/", self.routing.settings().prefix.as_str());
        let mut request = service::ListWorkflowExecutionsRequest {
            namespace: self.routing.settings().namespace.clone(),
            query: format!("WorkflowType = '{}' AND ExecutionStatus = 'Running'", names::TARGET_ENTITY),
            ..Default::default()
        };
        let mut running = Vec::new();
        loop {
            let page = self.client.clone().list_workflow_executions(Request::new(request.clone())).await;
            let page = page
                .map_err(|status| EntityCallError::Refused { workflow_id: prefix.clone(), status: Box::new(status) })?;
            let page = page.into_inner();
            let ids = page.executions.into_iter().filter_map(|info| Some(info.execution?.workflow_id));
            running.extend(ids.filter(|id| id.starts_with(&prefix)).filter_map(|id| target_of_workflow(&id)));
            if page.next_page_token.is_empty() {
                return Ok(running);
            }
            request.next_page_token = page.next_page_token;
        }
    }

    /// Tells a target's entity what is configured; starts it where it does not run.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn configure(&self, target: &TargetId) -> Result<(), EntityCallError> {
        self.signal(target, names::CONFIGURE, self.rules(target)).await
    }

    /// Whether a target's entity runs.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn runs(&self, target: &TargetId) -> Result<bool, EntityCallError> {
        let route = self.routing.target(target);
        let request = service::DescribeWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            execution: Some(execution(&route)),
        };
        match self.client.clone().describe_workflow_execution(Request::new(request)).await {
            Ok(answer) => {
                let info = answer.into_inner().workflow_execution_info;
                Ok(info.is_some_and(|info| info.status() == WorkflowExecutionStatus::Running))
            }
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(refused(&route, status)),
        }
    }

    /// Starts a target's entity again where it does not run, since somebody terminated it, and says whether it did not.
    /// The new one asks how target and queue stand, and opens the queue that the old one left closed.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn revive(&self, target: &TargetId) -> Result<bool, EntityCallError> {
        let is_running = self.runs(target).await?;
        if !is_running {
            self.configure(target).await?;
        }
        Ok(!is_running)
    }

    /// Tells a target's entity what a breaker did; starts it where it does not run.
    pub(crate) async fn report(&self, target: &TargetId, report: &BreakerReport) -> Result<(), EntityCallError> {
        self.signal(target, names::REPORT, report).await
    }

    async fn signal<M: Serialize + Sync>(
        &self,
        target: &TargetId,
        signal: &str,
        message: M,
    ) -> Result<(), EntityCallError> {
        let route = self.routing.target(target);
        let message = Envelope::new(message).with_home(self.routing.home(&route));
        let request = service::SignalWithStartWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_id: route.workflow_id.clone(),
            workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
            task_queue: Some(TaskQueue { name: route.task_queue.clone(), ..TaskQueue::default() }),
            input: Some(self.start(target, &route).await?),
            identity: self.client.identity(),
            request_id: uuid::Uuid::new_v4().to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            signal_name: signal.to_owned(),
            signal_input: Some(self.payloads(&route, &message).await?),
            priority: Some(priority(&route)),
            ..Default::default()
        };
        let signalled = self.client.clone().signal_with_start_workflow_execution(Request::new(request)).await;
        signalled.map(|_| ()).map_err(|status| refused(&route, status))
    }

    /// Carries out a person's action, and answers what the entity answers: `{"done":…,"target":…}` or
    /// `{"refused":{"code","detail"}}`. Starts the entity where it does not run.
    ///
    /// # Errors
    /// [`EntityCallError`]; the action may have been taken all the same, and may be sent again with its id.
    pub async fn act(&self, target: &TargetId, action: &TargetAction) -> Result<Value, EntityCallError> {
        use service::execute_multi_operation_request::{Operation, operation};
        use service::execute_multi_operation_response::response;
        let route = self.routing.target(target);
        let update_id = request_id::of(&[&route.workflow_id, &action.mark().to_string()]);
        let start = service::StartWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_id: route.workflow_id.clone(),
            workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
            task_queue: Some(TaskQueue { name: route.task_queue.clone(), ..TaskQueue::default() }),
            input: Some(self.start(target, &route).await?),
            identity: self.client.identity(),
            request_id: update_id.clone(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            priority: Some(priority(&route)),
            ..Default::default()
        };
        let completed = UpdateWorkflowExecutionLifecycleStage::Completed;
        let act = service::UpdateWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_execution: Some(execution(&route)),
            wait_policy: Some(update::WaitPolicy { lifecycle_stage: completed.into() }),
            request: Some(update::Request {
                meta: Some(update::Meta { update_id, identity: self.client.identity() }),
                input: Some(update::Input {
                    name: names::ACT.to_owned(),
                    args: Some(self.payloads(&route, action).await?),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let operations = [operation::Operation::StartWorkflow(start), operation::Operation::UpdateWorkflow(act)];
        let request = service::ExecuteMultiOperationRequest {
            namespace: route.namespace.clone(),
            operations: operations.into_iter().map(|operation| Operation { operation: Some(operation) }).collect(),
            resource_id: route.workflow_id.clone(),
        };
        let answer = self.client.clone().execute_multi_operation(Request::new(request)).await;
        let answer = answer.map_err(|status| refused(&route, status))?.into_inner();
        let outcome = answer.responses.into_iter().find_map(|part| match part.response {
            Some(response::Response::UpdateWorkflow(update)) => update.outcome,
            _ => None,
        });
        match outcome.and_then(|outcome| outcome.value) {
            Some(update::outcome::Value::Success(payloads)) => {
                let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
                let converter = &self.client.options().data_converter;
                let read = converter.from_payloads::<Value>(&context, payloads.payloads).await;
                read.map_err(|fault| unreadable(&route, fault.to_string()))
            }
            Some(update::outcome::Value::Failure(failure)) => {
                Err(unreadable(&route, failure_text(&self.client.options().data_converter, failure).await))
            }
            None => Err(EntityCallError::NotAnswered { workflow_id: route.workflow_id }),
        }
    }

    async fn start(&self, target: &TargetId, route: &EntityRoute) -> Result<Payloads, EntityCallError> {
        self.payloads(route, &TargetStart { target: target.to_string(), rules: self.rules(target) }).await
    }

    /// An argument as payloads, encoded as the client's converter says.
    async fn payloads<M: Serialize>(&self, route: &EntityRoute, message: &M) -> Result<Payloads, EntityCallError> {
        let value = serde_json::to_value(message).map_err(|fault| unreadable(route, fault.to_string()))?;
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let payloads = self.client.options().data_converter.to_payloads(&context, &value).await;
        payloads.map(|payloads| Payloads { payloads }).map_err(|fault| unreadable(route, fault.to_string()))
    }
}

fn execution(route: &EntityRoute) -> WorkflowExecution {
    WorkflowExecution { workflow_id: route.workflow_id.clone(), run_id: String::new() }
}

fn priority(route: &EntityRoute) -> Priority {
    Priority {
        fairness_key: route.priority.fairness_key.clone(),
        fairness_weight: route.priority.fairness_weight,
        ..Default::default()
    }
}

fn refused(route: &EntityRoute, status: tonic::Status) -> EntityCallError {
    EntityCallError::Refused { workflow_id: route.workflow_id.clone(), status: Box::new(status) }
}

fn unreadable(route: &EntityRoute, detail: String) -> EntityCallError {
    EntityCallError::Payload { workflow_id: route.workflow_id.clone(), detail }
}
