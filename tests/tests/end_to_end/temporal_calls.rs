//! Calls to Temporal that any client in any language can make, including those that no client should make.

use interlock_coordinator::local::LocalPlatform;
use interlock_domain::routing::EntityRoute;
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::{
    EventType, UpdateWorkflowExecutionLifecycleStage, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowTaskFailedCause,
};
use temporalio_common::protos::temporal::api::history::v1::{HistoryEvent, history_event::Attributes};
use temporalio_common::protos::temporal::api::query::v1::WorkflowQuery;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::update::v1 as update;
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse, GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest, QueryWorkflowRequest, SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
};
use tonic::IntoRequest;
use uuid::Uuid;

/// A payload of this encoding.
pub fn payload(encoding: &str, data: impl Into<Vec<u8>>) -> Payload {
    let metadata = [("encoding".to_owned(), encoding.as_bytes().to_vec())].into();
    Payload { metadata, data: data.into(), ..Payload::default() }
}

/// A payload of JSON, or of bytes that claim to be JSON.
pub fn json_payload(data: impl Into<Vec<u8>>) -> Payload {
    payload("json/plain", data)
}

/// One entity, as a Temporal client sees it.
pub struct RawEntity {
    pub(crate) client: Client,
    pub(crate) route: EntityRoute,
}

impl RawEntity {
    /// The entity at this route.
    pub fn new(platform: &LocalPlatform, route: EntityRoute) -> Self {
        Self { client: platform.installation.client_for(&route.namespace).unwrap(), route }
    }

    /// Its workflow id.
    pub fn workflow_id(&self) -> &str {
        &self.route.workflow_id
    }

    pub(crate) fn execution(&self, run_id: &str) -> WorkflowExecution {
        WorkflowExecution { workflow_id: self.route.workflow_id.clone(), run_id: run_id.to_owned() }
    }

    /// The number of events of its current run, if it is idle.
    pub async fn length_at_rest(&self) -> Option<i64> {
        let entity = self.described().await?;
        let at_rest = entity.pending_workflow_task.is_none() && entity.pending_activities.is_empty();
        Some(entity.workflow_execution_info?.history_length).filter(|_| at_rest)
    }

    /// The number of events of its current run, if it has no open workflow task. Calls may be in flight.
    pub async fn length_without_task(&self) -> Option<i64> {
        let entity = self.described().await?;
        let has_no_task = entity.pending_workflow_task.is_none();
        Some(entity.workflow_execution_info?.history_length).filter(|_| has_no_task)
    }

    /// Signals it with these payloads, valid or not.
    ///
    /// # Panics
    /// If the server rejects the signal.
    pub async fn signal(&self, signal: &str, payloads: Vec<Payload>) {
        self.try_to_signal(signal, payloads).await.unwrap();
    }

    /// The same for signals that the server itself may reject.
    pub async fn try_to_signal(&self, signal: &str, payloads: Vec<Payload>) -> Result<(), tonic::Status> {
        let request = SignalWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_execution: Some(self.execution("")),
            signal_name: signal.to_owned(),
            input: Some(Payloads { payloads }),
            request_id: Uuid::new_v4().to_string(),
            ..Default::default()
        };
        self.client.clone().signal_workflow_execution(request.into_request()).await.map(|_| ())
    }

    /// Signals it, and starts it with these arguments if it does not run.
    pub async fn signal_with_start(&self, arguments: Vec<Payload>, signal: &str, payloads: Vec<Payload>) {
        let request = SignalWithStartWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_id: self.route.workflow_id.clone(),
            workflow_type: Some(WorkflowType { name: self.route.workflow_type.to_owned() }),
            task_queue: Some(TaskQueue { name: self.route.task_queue.clone(), ..TaskQueue::default() }),
            input: Some(Payloads { payloads: arguments }),
            signal_name: signal.to_owned(),
            signal_input: Some(Payloads { payloads }),
            request_id: Uuid::new_v4().to_string(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            ..Default::default()
        };
        self.client.clone().signal_with_start_workflow_execution(request.into_request()).await.unwrap();
    }

    /// The history of one of its runs. Without an argument, of the current one.
    pub async fn history(&self, run_id: &str) -> Vec<HistoryEvent> {
        let mut events = Vec::new();
        let mut next_page_token = Vec::new();
        loop {
            let request = GetWorkflowExecutionHistoryRequest {
                namespace: self.route.namespace.clone(),
                execution: Some(self.execution(run_id)),
                next_page_token,
                ..Default::default()
            };
            let answer = self.client.clone().get_workflow_execution_history(request.into_request()).await;
            let answer = answer.unwrap().into_inner();
            events.extend(answer.history.into_iter().flat_map(|history| history.events));
            next_page_token = answer.next_page_token;
            if next_page_token.is_empty() {
                return events;
            }
        }
    }

    /// The histories of its current run and of the earlier runs that it continues, the current one first.
    pub async fn runs(&self) -> Vec<Vec<HistoryEvent>> {
        let mut runs = vec![self.history("").await];
        while let Some(before) = runs.last().and_then(|run| continued_from(run)) {
            runs.push(self.history(&before).await);
        }
        runs
    }

    /// The server's description of it, without a query. `None` if it does not exist, or if the server does not answer.
    pub(crate) async fn described(&self) -> Option<DescribeWorkflowExecutionResponse> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            execution: Some(self.execution("")),
        };
        let answer = self.client.clone().describe_workflow_execution(request.into_request()).await;
        answer.ok().map(tonic::Response::into_inner)
    }

    /// The activities that it waits for.
    pub async fn pending_activities(&self) -> Vec<PendingActivityInfo> {
        self.described().await.map(|entity| entity.pending_activities).unwrap_or_default()
    }

    /// A value that is returned only if it has no open workflow task. Calls may be in flight.
    pub async fn task_is_done(&self) -> Option<()> {
        self.described().await?.pending_workflow_task.is_none().then_some(())
    }

    /// Updates it, and waits for the answer.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn update(&self, update: &str, argument: &serde_json::Value) -> serde_json::Value {
        self.try_to_update(update, argument, &Uuid::new_v4().to_string()).await.unwrap()
    }

    /// The same with an update of this id, at once, even if the entity is busy.
    ///
    /// # Errors
    /// The server's status if there is no answer. It can be asked again with the same id.
    ///
    /// # Panics
    /// If the update fails.
    pub async fn try_to_update(
        &self,
        update: &str,
        argument: &serde_json::Value,
        update_id: &str,
    ) -> Result<serde_json::Value, tonic::Status> {
        let completed = UpdateWorkflowExecutionLifecycleStage::Completed;
        let request = UpdateWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_execution: Some(self.execution("")),
            wait_policy: Some(update::WaitPolicy { lifecycle_stage: completed.into() }),
            request: Some(update::Request {
                meta: Some(update::Meta { update_id: update_id.to_owned(), identity: "test".to_owned() }),
                input: Some(update::Input {
                    name: update.to_owned(),
                    args: Some(Payloads { payloads: vec![json_payload(argument.to_string())] }),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let answer = self.client.clone().update_workflow_execution(request.into_request()).await?;
        match answer.into_inner().outcome.and_then(|outcome| outcome.value) {
            Some(update::outcome::Value::Success(answer)) => {
                Ok(serde_json::from_slice(&answer.payloads[0].data).unwrap())
            }
            None => Err(tonic::Status::deadline_exceeded("the update has no response yet")),
            // The server's own words after a lost task.
            Some(update::outcome::Value::Failure(failure)) if failure.source == "Server" => {
                Err(tonic::Status::unavailable(failure.message))
            }
            other => panic!("'{update}' was not answered: {other:?}"),
        }
    }

    /// Queries it at once, even if it is busy, like Temporal's UI.
    ///
    /// # Errors
    /// The server's status if there is no answer.
    pub async fn query(&self, query: &str) -> Result<serde_json::Value, tonic::Status> {
        let request = QueryWorkflowRequest {
            namespace: self.route.namespace.clone(),
            execution: Some(self.execution("")),
            query: Some(WorkflowQuery { query_type: query.to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let answer = self.client.clone().query_workflow(request.into_request()).await?.into_inner();
        let payloads = answer.query_result.map(|result| result.payloads).unwrap_or_default();
        Ok(serde_json::from_slice(&payloads[0].data).unwrap())
    }

    /// The build of the workers that ran its last workflow task, if they are versioned.
    pub async fn build_id(&self) -> Option<String> {
        let versioning = self.described().await?.workflow_execution_info?.versioning_info?;
        Some(versioning.deployment_version?.build_id)
    }

    /// The task queue of its current run, as the server knows it. `None` if it does not exist.
    pub async fn task_queue(&self) -> Option<String> {
        Some(self.described().await?.workflow_execution_info?.task_queue)
    }

    /// Its state in lists: the search attribute `InterlockState`, which its own workflow sets.
    pub async fn shown_state(&self) -> Option<String> {
        let attributes = self.described().await?.workflow_execution_info?.search_attributes?;
        serde_json::from_slice(&attributes.indexed_fields.get("InterlockState")?.data).ok()
    }

    /// Whether it was ever started.
    pub async fn exists(&self) -> bool {
        self.described().await.is_some()
    }
}

/// The histories of all completed executions of a workflow type that the server's visibility store knows by now.
pub async fn completed_histories(platform: &LocalPlatform, workflow_type: &str) -> Vec<Vec<HistoryEvent>> {
    let mut client = platform.installation.client.clone();
    let request = ListWorkflowExecutionsRequest {
        namespace: platform.server.namespace().to_owned(),
        query: format!("WorkflowType = '{workflow_type}' AND ExecutionStatus = 'Completed'"),
        ..Default::default()
    };
    let executions = client.list_workflow_executions(request.into_request()).await.unwrap().into_inner().executions;
    let mut histories = Vec::with_capacity(executions.len());
    for execution in executions {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: platform.server.namespace().to_owned(),
            execution: execution.execution,
            ..Default::default()
        };
        let answer = client.get_workflow_execution_history(request.into_request()).await.unwrap().into_inner();
        assert!(answer.next_page_token.is_empty(), "a history longer than a page");
        histories.push(answer.history.unwrap().events);
    }
    histories
}

/// The run that this one continues.
fn continued_from(run: &[HistoryEvent]) -> Option<String> {
    match run.first()?.attributes.as_ref()? {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => {
            Some(started.continued_execution_run_id.clone()).filter(|run| !run.is_empty())
        }
        _ => None,
    }
}

/// The types of a history's events, in order.
pub fn event_types(history: &[HistoryEvent]) -> Vec<EventType> {
    history.iter().map(HistoryEvent::event_type).collect()
}

/// Why workflow tasks failed. An input that arrives when a run wants to end is not a failure: the server then repeats the task. The
/// point of a reset is not a failure, either.
pub fn failed_tasks(history: &[HistoryEvent]) -> Vec<String> {
    let failed = history.iter().filter_map(|event| match event.attributes.as_ref()? {
        Attributes::WorkflowTaskFailedEventAttributes(failed) => Some(failed),
        _ => None,
    });
    let expected = [WorkflowTaskFailedCause::UnhandledCommand, WorkflowTaskFailedCause::ResetWorkflow];
    let failed = failed.filter(|failed| !expected.contains(&failed.cause()));
    failed.map(|failed| format!("{}: {:?}", failed.cause().as_str_name(), failed.failure)).collect()
}
