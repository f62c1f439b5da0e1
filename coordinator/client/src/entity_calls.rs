//! The calls themselves: signal, signal-with-start, update-with-start, query, describe.
//!
//! The SDK's typed calls create a new request id each time, so this module calls the service directly: when an activity is retried, the
//! server must recognise its repeated calls.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use interlock_domain::message::Delivery;
use interlock_domain::routing::EntityRoute;
use serde::Serialize;
use serde_json::Value;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::request_extensions::NoRetryOnMatching;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::data_converters::{
    PayloadConversionError, SerializationContextData, WorkflowSerializationContext,
};
use temporalio_common::protos::temporal::api::common::v1::{
    Payloads, Priority, SearchAttributes, WorkflowExecution, WorkflowType,
};
use temporalio_common::protos::temporal::api::enums::v1::{
    TaskQueueKind, UpdateWorkflowExecutionLifecycleStage, WorkflowExecutionStatus, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::query::v1::WorkflowQuery;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::update::v1 as update;
use temporalio_common::protos::temporal::api::workflowservice::v1 as service;
use tonic::{Request, Status};

use crate::call_status::{is_busy, is_busy_or_maybe_sent, is_gone, takes_updates_soon};
use crate::entity_call_error::EntityCallError;
use crate::failure_text::failure_text;
use crate::runs;
use crate::sending_lanes::SendingLanes;

/// How often a call is retried that the entity cannot accept now.
const BUSY_RETRIES: usize = 6;
/// The first pause before a retry. It doubles each time.
const BUSY_WAIT_MIN: Duration = Duration::from_millis(50);

/// The pause before an update is retried that a running entity could not accept.
const UPDATE_PAUSE: Duration = Duration::from_millis(50);

/// How to start an entity that does not run.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The argument of its workflow.
    pub(crate) input: Payloads,
    /// Whether it may have run before.
    pub(crate) reuse_policy: WorkflowIdReusePolicy,
    /// Its search attributes. `None` if the server does not know them.
    pub(crate) search_attributes: Option<SearchAttributes>,
}

/// Calls entities through one connection, and sends each only as many calls at a time as it can handle.
#[derive(Clone)]
pub(crate) struct EntityCalls {
    client: Client,
    lanes: SendingLanes,
}

impl EntityCalls {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, lanes: SendingLanes::new() }
    }

    /// The connection.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Signals an entity, and starts it if it does not run.
    pub(crate) async fn signal_with_start(
        &self,
        route: &EntityRoute,
        start: Start,
        signal: &str,
        message: &(impl Serialize + Sync),
        request_id: &str,
        repeats: Repeats,
    ) -> Result<(), EntityCallError> {
        let request = service::SignalWithStartWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_id: route.workflow_id.clone(),
            workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
            task_queue: Some(task_queue(route)),
            input: Some(start.input),
            identity: self.client.identity(),
            request_id: request_id.to_owned(),
            workflow_id_reuse_policy: start.reuse_policy.into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            signal_name: signal.to_owned(),
            signal_input: Some(self.payloads(&route.workflow_id, message).await?),
            search_attributes: start.search_attributes,
            priority: Some(priority(route)),
            ..Default::default()
        };
        self.while_busy(|mut client| {
            let request = request.clone();
            async move {
                // Released between retries: a caller that waits for one entity's next run must not delay others.
                let _permit = self.lanes.enter(&route.workflow_id).await;
                client.signal_with_start_workflow_execution(repeats.of(request)).await
            }
        })
        .await
        .map(|_| ())
        .map_err(|status| EntityCallError::refused(&route.workflow_id, status))
    }

    /// Signals a running entity.
    pub(crate) async fn signal(
        &self,
        route: &EntityRoute,
        signal: &str,
        message: &(impl Serialize + Sync),
        request_id: &str,
    ) -> Result<Delivery, EntityCallError> {
        let request = service::SignalWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_execution: Some(execution(route)),
            signal_name: signal.to_owned(),
            input: Some(self.payloads(&route.workflow_id, message).await?),
            identity: self.client.identity(),
            request_id: request_id.to_owned(),
            ..Default::default()
        };
        let signalled = self
            .while_busy(|mut client| {
                let request = request.clone();
                async move {
                    let _permit = self.lanes.enter(&route.workflow_id).await;
                    client.signal_workflow_execution(unthrottled(request)).await
                }
            })
            .await;
        match signalled {
            Ok(_) => Ok(Delivery::Delivered),
            Err(status) if is_gone(&status) => Ok(Delivery::Lost),
            Err(status) => Err(EntityCallError::refused(&route.workflow_id, status)),
        }
    }

    /// Updates an entity and waits for its answer. Starts it if it does not run. It does not retry if the entity is busy: the server
    /// reports this only after a while, and the caller may have something else to do then.
    pub(crate) async fn update_with_start(
        &self,
        route: &EntityRoute,
        start: Start,
        name: &str,
        argument: &(impl Serialize + Sync),
        update_id: &str,
    ) -> Result<Value, EntityCallError> {
        use service::execute_multi_operation_request::{Operation, operation};
        let start = service::StartWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_id: route.workflow_id.clone(),
            workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
            task_queue: Some(task_queue(route)),
            input: Some(start.input),
            identity: self.client.identity(),
            request_id: update_id.to_owned(),
            workflow_id_reuse_policy: start.reuse_policy.into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            search_attributes: start.search_attributes,
            priority: Some(priority(route)),
            ..Default::default()
        };
        let update = self.update_request(route, name, argument, update_id).await?;
        let operations = [operation::Operation::StartWorkflow(start), operation::Operation::UpdateWorkflow(update)];
        let request = service::ExecuteMultiOperationRequest {
            namespace: route.namespace.clone(),
            operations: operations.into_iter().map(|operation| Operation { operation: Some(operation) }).collect(),
            resource_id: route.workflow_id.clone(),
        };
        self.multi_operation(route, request).await
    }

    async fn multi_operation(
        &self,
        route: &EntityRoute,
        request: service::ExecuteMultiOperationRequest,
    ) -> Result<Value, EntityCallError> {
        use service::execute_multi_operation_response::response;
        let answer = self.client.clone().execute_multi_operation(unthrottled(request)).await;
        let answer = answer.map_err(|status| EntityCallError::refused(&route.workflow_id, status))?.into_inner();
        let outcome = answer.responses.into_iter().find_map(|part| match part.response {
            Some(response::Response::UpdateWorkflow(update)) => update.outcome,
            _ => None,
        });
        let not_answered = || EntityCallError::NotAnswered { workflow_id: route.workflow_id.clone() };
        self.answer(route, outcome.and_then(|outcome| outcome.value).ok_or_else(not_answered)?).await
    }

    /// The entity's answer to an update.
    async fn answer(&self, route: &EntityRoute, outcome: update::outcome::Value) -> Result<Value, EntityCallError> {
        let workflow_id = &route.workflow_id;
        match outcome {
            update::outcome::Value::Success(payloads) => self.read(workflow_id, payloads).await,
            update::outcome::Value::Failure(failure) if is_given_up(&failure) => {
                Err(EntityCallError::GivenUp { workflow_id: workflow_id.clone(), detail: failure.message })
            }
            update::outcome::Value::Failure(failure) => {
                let detail = failure_text(&self.client.options().data_converter, failure).await;
                Err(EntityCallError::payload(workflow_id, &detail))
            }
        }
    }

    /// Updates a running entity and waits for its answer within this time. While the entity cannot accept the update, since its run is
    /// ending or it is busy, it is retried with the same id.
    pub(crate) async fn update_running(
        &self,
        route: &EntityRoute,
        name: &str,
        argument: &(impl Serialize + Sync),
        update_id: &str,
        limit: Duration,
    ) -> Result<Value, EntityCallError> {
        let request = self.update_request(route, name, argument, update_id).await?;
        self.outcome_within(route, &request, limit).await
    }

    async fn outcome_within(
        &self,
        route: &EntityRoute,
        request: &service::UpdateWorkflowExecutionRequest,
        limit: Duration,
    ) -> Result<Value, EntityCallError> {
        let began = Instant::now();
        let refused = |status| EntityCallError::refused(&route.workflow_id, status);
        loop {
            let left = limit.saturating_sub(began.elapsed());
            let mut client = self.client.clone();
            let asked = client.update_workflow_execution(Request::new(request.clone()));
            let error = match tokio::time::timeout(left, asked).await {
                Ok(Ok(answer)) => match answer.into_inner().outcome.and_then(|outcome| outcome.value) {
                    Some(outcome) => match self.answer(route, outcome).await {
                        Err(error @ EntityCallError::GivenUp { .. }) => error,
                        answer => return answer,
                    },
                    // The server's wait has ended: the update was accepted but not answered yet.
                    None => refused(Status::deadline_exceeded("the update has no response yet")),
                },
                Ok(Err(status)) => refused(status),
                Err(_) => return Err(EntityCallError::no_answer(&route.workflow_id)),
            };
            let comes_soon = error.status().is_none_or(takes_updates_soon);
            if !comes_soon || began.elapsed() + UPDATE_PAUSE >= limit {
                return Err(error);
            }
            tokio::time::sleep(UPDATE_PAUSE).await;
        }
    }

    async fn update_request(
        &self,
        route: &EntityRoute,
        name: &str,
        argument: &(impl Serialize + Sync),
        update_id: &str,
    ) -> Result<service::UpdateWorkflowExecutionRequest, EntityCallError> {
        let completed = UpdateWorkflowExecutionLifecycleStage::Completed;
        Ok(service::UpdateWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_execution: Some(execution(route)),
            wait_policy: Some(update::WaitPolicy { lifecycle_stage: completed.into() }),
            request: Some(update::Request {
                meta: Some(update::Meta { update_id: update_id.to_owned(), identity: self.client.identity() }),
                input: Some(update::Input {
                    name: name.to_owned(),
                    args: Some(self.payloads(&route.workflow_id, argument).await?),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    /// Sends a query to an entity and returns its answer, or `None` if there is no such entity.
    pub(crate) async fn query(
        &self,
        route: &EntityRoute,
        query: &str,
        argument: &(impl Serialize + Sync),
    ) -> Result<Option<Value>, EntityCallError> {
        let argument = self.payloads(&route.workflow_id, argument).await?;
        let request = query_request(&route.namespace, execution(route), query, argument);
        let answer = match self.client.clone().query_workflow(unthrottled(request)).await {
            Ok(answer) => answer.into_inner().query_result,
            Err(status) if is_gone(&status) => return Ok(None),
            Err(status) => return Err(EntityCallError::refused(&route.workflow_id, status)),
        };
        let no_answer = || EntityCallError::payload(&route.workflow_id, "the query result is empty");
        self.read(&route.workflow_id, answer.ok_or_else(no_answer)?).await.map(Some)
    }

    /// Whether an entity runs. A terminated entity still answers queries.
    pub(crate) async fn runs(&self, route: &EntityRoute) -> Result<bool, EntityCallError> {
        match runs::describe(&self.client, &route.namespace, &route.workflow_id).await {
            Ok(described) => Ok(described.is_some_and(|of| of.run.status == WorkflowExecutionStatus::Running)),
            Err(error) => Err(EntityCallError::of_server(&route.workflow_id, error)),
        }
    }

    /// Retries a call while the entity cannot accept it: its run is ending, or has its maximum of signals and will end soon.
    pub(crate) async fn while_busy<T, F, C>(&self, call: C) -> Result<T, Status>
    where
        C: Fn(Client) -> F,
        F: Future<Output = Result<T, Status>>,
    {
        (|| call(self.client.clone())).retry(busy_waits()).when(is_busy).await
    }

    /// Encodes an argument with the client's converter.
    pub(crate) async fn payloads<M: Serialize>(
        &self,
        workflow_id: &str,
        message: &M,
    ) -> Result<Payloads, EntityCallError> {
        let value = serde_json::to_value(message).map_err(|fault| EntityCallError::payload(workflow_id, &fault))?;
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let payloads = self.client.options().data_converter.to_payloads(&context, &value).await;
        let payloads =
            payloads.map_err(|fault: PayloadConversionError| EntityCallError::payload(workflow_id, &fault))?;
        Ok(Payloads { payloads })
    }

    /// Decodes an entity's answer.
    pub(crate) async fn read(&self, workflow_id: &str, payloads: Payloads) -> Result<Value, EntityCallError> {
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let converter = &self.client.options().data_converter;
        let read = converter.from_payloads::<Value>(&context, payloads.payloads).await;
        read.map_err(|fault| EntityCallError::payload(workflow_id, &fault))
    }
}

/// A query with this argument.
pub(crate) fn query_request(
    namespace: &str,
    execution: WorkflowExecution,
    query: &str,
    argument: Payloads,
) -> service::QueryWorkflowRequest {
    service::QueryWorkflowRequest {
        namespace: namespace.to_owned(),
        execution: Some(execution),
        query: Some(WorkflowQuery { query_type: query.to_owned(), query_args: Some(argument), header: None }),
        ..Default::default()
    }
}

/// The pauses between retries if an entity is busy. They have jitter, so that many calls that were rejected at once are not all retried
/// at once.
pub(crate) fn busy_waits() -> ExponentialBuilder {
    ExponentialBuilder::default().with_min_delay(BUSY_WAIT_MIN).with_max_times(BUSY_RETRIES).with_jitter()
}

/// Which failures of a call the SDK answers by repeating it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// All temporary ones, except that the entity is busy.
    Sdks,
    /// Only that there is no connection, so that the caller knows whether the call may have been accepted.
    NotSent,
}

impl Repeats {
    fn of<T>(self, message: T) -> Request<T> {
        let mut request = unthrottled(message);
        if self == Self::NotSent {
            request.extensions_mut().insert(NoRetryOnMatching { predicate: is_busy_or_maybe_sent });
        }
        request
    }
}

/// A request that returns at once if the entity is busy. The SDK's own retry starts with a pause of a second, which is long for a run
/// that is ending.
pub(crate) fn unthrottled<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(NoRetryOnMatching { predicate: is_busy });
    request
}

/// Whether an update's failure is the server's own: the worker completed a task without the update, or the run ended before the answer
/// (`service/history/workflow/update/errors_failures.go` of Temporal server 1.32). An entity never fails an update in such a way.
fn is_given_up(failure: &Failure) -> bool {
    const TYPES: [&str; 2] = ["UnprocessedUpdate", "AcceptedUpdateCompletedWorkflow"];
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => TYPES.contains(&info.r#type.as_str()),
        _ => false,
    }
}

fn task_queue(route: &EntityRoute) -> TaskQueue {
    TaskQueue { name: route.task_queue.clone(), kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
}

pub(crate) fn execution(route: &EntityRoute) -> WorkflowExecution {
    WorkflowExecution { workflow_id: route.workflow_id.clone(), run_id: String::new() }
}

fn priority(route: &EntityRoute) -> Priority {
    Priority {
        fairness_key: route.priority.fairness_key.clone(),
        fairness_weight: route.priority.fairness_weight,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::error_code::ErrorCode;
    use interlock_domain::routing::{Routing, RoutingSettings};
    use temporalio_common::protos::temporal::api::common::v1::Payload;
    use temporalio_common::protos::temporal::api::failure::v1::ApplicationFailureInfo;
    use temporalio_common::protos::temporal::api::update::v1::{Outcome, outcome};

    use super::*;
    use crate::scripted_server::ScriptedServer;

    const UPDATE: &str = "UpdateWorkflowExecution";
    const MULTI: &str = "ExecuteMultiOperation";
    const LIMIT: Duration = Duration::from_secs(10);

    fn given_up(kind: &str) -> Outcome {
        let info = ApplicationFailureInfo { r#type: kind.to_owned(), ..Default::default() };
        let failure_info = Some(FailureInfo::ApplicationFailureInfo(info));
        let failure = Failure { message: "not processed".to_owned(), failure_info, ..Default::default() };
        Outcome { value: Some(outcome::Value::Failure(failure)) }
    }

    fn answered() -> Outcome {
        let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
        let payload = Payload { metadata, data: b"\"granted\"".to_vec(), ..Default::default() };
        Outcome { value: Some(outcome::Value::Success(Payloads { payloads: vec![payload] })) }
    }

    fn of_update(outcome: Outcome) -> service::UpdateWorkflowExecutionResponse {
        service::UpdateWorkflowExecutionResponse { outcome: Some(outcome), ..Default::default() }
    }

    fn of_multi(outcome: Outcome) -> service::ExecuteMultiOperationResponse {
        use service::execute_multi_operation_response::{Response, response};
        let update = response::Response::UpdateWorkflow(of_update(outcome));
        service::ExecuteMultiOperationResponse { responses: vec![Response { response: Some(update) }] }
    }

    fn route() -> EntityRoute {
        Routing::new(RoutingSettings::default()).unwrap().customer(&"t".parse().unwrap(), &"A1".parse().unwrap())
    }

    #[tokio::test]
    async fn an_update_that_the_server_gave_up_is_sent_again_with_its_id() {
        let server = ScriptedServer::default()
            .answers(UPDATE, &of_update(given_up("UnprocessedUpdate")))
            .answers(UPDATE, &of_update(given_up("AcceptedUpdateCompletedWorkflow")))
            .answers(UPDATE, &of_update(answered()));
        let (server, client) = server.client().await;
        let calls = EntityCalls::new(client);
        let answer = calls.update_running(&route(), "act", &Value::Null, "id-1", LIMIT).await.unwrap();
        assert_eq!(answer, "granted");
        assert!(server.is_done());
        let id = |request: service::UpdateWorkflowExecutionRequest| request.request.unwrap().meta.unwrap().update_id;
        assert_eq!([id(server.request()), id(server.request()), id(server.request())], ["id-1"; 3]);
    }

    #[tokio::test]
    async fn an_update_with_start_that_the_server_gave_up_will_pass_and_may_have_been_accepted() {
        let (_, client) =
            ScriptedServer::default().answers(MULTI, &of_multi(given_up("UnprocessedUpdate"))).client().await;
        let start = Start {
            input: Payloads::default(),
            reuse_policy: WorkflowIdReusePolicy::AllowDuplicate,
            search_attributes: None,
        };
        let asked = EntityCalls::new(client).update_with_start(&route(), start, "act", &Value::Null, "id-1").await;
        let error = asked.unwrap_err();
        assert!(matches!(error, EntityCallError::GivenUp { .. }), "{error:?}");
        assert!(error.will_pass() && error.may_have_been_accepted());
    }

    #[tokio::test]
    async fn a_failure_of_the_entity_itself_is_its_answer() {
        let (_, client) = ScriptedServer::default().answers(UPDATE, &of_update(given_up("Other"))).client().await;
        let asked = EntityCalls::new(client).update_running(&route(), "act", &Value::Null, "id-1", LIMIT).await;
        assert_eq!(asked.unwrap_err().code(), ErrorCode::PayloadUnreadable);
    }
}
