//! Calls to entities: signal-with-start, signal, update-with-start.
//!
//! The service is called directly where the SDK's typed calls make a new request id each time: a call that is made
//! again, because its activity is, must be recognised by the server.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, ResourceId, TargetId, TenantId};
use interlock_domain::message::{ClaimAnswer, Delivery, Envelope, Ticket};
use interlock_domain::routing::{EntityAddress, EntityRoute, Routing};
use interlock_domain::target::TargetRules;
use interlock_workflows::{StartArgument, names};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::request_extensions::NoRetryOnMatching;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::data_converters::{
    PayloadConversionError, SerializationContextData, WorkflowSerializationContext,
};
use temporalio_common::protos::temporal::api::common::v1::{
    Payload, Payloads, Priority, SearchAttributes, WorkflowExecution, WorkflowType,
};
use temporalio_common::protos::temporal::api::enums::v1::{
    TaskQueueKind, UpdateWorkflowExecutionLifecycleStage, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};
use temporalio_common::protos::temporal::api::query::v1::WorkflowQuery;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::update::v1 as update;
use temporalio_common::protos::temporal::api::workflowservice::v1 as service;
use thiserror::Error;
use tonic::{Code, Request, Status};

use crate::failure_text::failure_text;
use crate::search_attribute_gate::{Registration, SearchAttributeGate};
use crate::sending_lanes::SendingLanes;
use crate::target_client::TargetClient;
use crate::tenant_gate::TenantGate;

/// How often a call is made again that the entity cannot take just now.
const BUSY_RETRIES: usize = 6;
/// How long it waits first; it doubles each time.
const BUSY_WAIT_MIN: Duration = Duration::from_millis(50);

/// Why a call to an entity failed.
#[derive(Debug, Error)]
pub enum EntityCallError {
    /// Temporal refused or did not answer.
    #[error("Temporal did not accept the call to '{workflow_id}': {status}")]
    Refused {
        /// The entity.
        workflow_id: String,
        /// What Temporal said.
        status: Box<Status>,
    },
    /// The argument could not be written, or the answer not be read.
    #[error("the payload of a call to '{workflow_id}' cannot be converted: {detail}")]
    Payload {
        /// The entity.
        workflow_id: String,
        /// Why.
        detail: String,
    },
    /// The entity took the claim and did not answer it.
    #[error("'{workflow_id}' did not answer the claim")]
    NotAnswered {
        /// The entity.
        workflow_id: String,
    },
}

impl EntityCallError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { .. } => ErrorCode::TemporalRefused,
            Self::Payload { .. } => ErrorCode::PayloadUnreadable,
            Self::NotAnswered { .. } => ErrorCode::ClaimNotAnswered,
        }
    }

    /// Whether the entity could only not take the call just then: its run was ending, or had all the signals it may have.
    pub fn will_pass(&self) -> bool {
        self.status().is_some_and(is_busy)
    }

    /// What Temporal said, where it said something.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { status, .. } => Some(status),
            Self::Payload { .. } | Self::NotAnswered { .. } => None,
        }
    }
}

/// Where an entity is, and what it is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityTarget {
    /// Where it is.
    pub route: EntityRoute,
    /// What it is started with.
    pub start: StartArgument,
}

/// Reaches entities, of whatever tenant.
#[derive(Clone)]
pub struct EntityClient {
    client: Client,
    routing: Arc<Routing>,
    search_attributes: SearchAttributeGate,
    lanes: SendingLanes,
    tenants: Arc<TenantGate>,
}

impl EntityClient {
    /// Reaches entities through this connection.
    pub fn new(client: Client, routing: Arc<Routing>) -> Self {
        let search_attributes = SearchAttributeGate::new(client.clone());
        let tenants = Arc::new(TenantGate::new(client.clone(), Arc::clone(&routing)));
        Self { client, routing, search_attributes, lanes: SendingLanes::new(), tenants }
    }

    /// Whether a tenant was off-boarded, so that its new events are refused: known a few seconds late, and without a call to
    /// Temporal for each event.
    pub async fn is_tenant_closed(&self, tenant: &TenantId) -> bool {
        self.tenants.is_closed(tenant).await
    }

    /// A tenant's own workflow.
    pub fn tenant(&self, tenant: &TenantId) -> EntityTarget {
        let start = StartArgument { tenant_id: tenant.to_string(), entity_id: tenant.to_string() };
        EntityTarget { route: self.routing.tenant_entity(tenant), start }
    }

    /// The entity of a target.
    pub fn target(&self, target: &TargetId) -> EntityTarget {
        let scope = self.routing.settings().prefix.as_str().to_owned();
        let start = StartArgument { tenant_id: scope, entity_id: target.to_string() };
        EntityTarget { route: self.routing.target(target), start }
    }

    /// Reaches target entities through the same connection; those that do not run are started with these rules.
    pub fn targets(&self, rules: BTreeMap<TargetId, TargetRules>) -> TargetClient {
        TargetClient::new(self.client.clone(), Arc::clone(&self.routing), rules)
    }

    /// Whether Interlock's search attributes are known to be registered in a namespace.
    pub async fn has_search_attributes(&self, namespace: &str) -> bool {
        self.search_attributes.of(namespace).await == Registration::Registered
    }

    /// Whether Interlock's search attributes are registered in the namespaces.
    pub fn search_attributes(&self) -> &SearchAttributeGate {
        &self.search_attributes
    }

    /// Where everything is.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The entity of a customer.
    pub fn customer(&self, tenant: &TenantId, customer: &CustomerId) -> EntityTarget {
        let start = StartArgument { tenant_id: tenant.to_string(), entity_id: customer.to_string() };
        EntityTarget { route: self.routing.customer(tenant, customer), start }
    }

    /// The entity of a resource, as this tenant means it.
    pub fn resource(&self, tenant: &TenantId, resource: &ResourceId) -> EntityTarget {
        let address = self.routing.resource_address(tenant, resource);
        let start = StartArgument { tenant_id: address.scope().to_owned(), entity_id: resource.to_string() };
        EntityTarget { route: self.routing.route(tenant, &address), start }
    }

    /// A message to an entity in its envelope.
    pub fn envelope<M>(&self, entity: &EntityTarget, message: M) -> Envelope<M> {
        Envelope::new(message).with_home(self.routing.home(&entity.route))
    }

    /// Signals an entity, and starts it where it does not run. The same `request_id` again does nothing.
    ///
    /// # Errors
    /// [`EntityCallError`]; the signal may have been taken all the same, and may be sent again.
    pub async fn signal_with_start<M: Serialize + Sync>(
        &self,
        entity: &EntityTarget,
        signal: &str,
        message: &M,
        request_id: &str,
    ) -> Result<(), EntityCallError> {
        match self.signal_with_start_of(entity, signal, message, request_id, Birth::First).await {
            Err(error) if is_reborn(entity, &error) => {
                self.signal_with_start_of(entity, signal, message, request_id, Birth::Again).await
            }
            answer => answer,
        }
    }

    async fn signal_with_start_of<M: Serialize + Sync>(
        &self,
        entity: &EntityTarget,
        signal: &str,
        message: &M,
        request_id: &str,
        birth: Birth,
    ) -> Result<(), EntityCallError> {
        let route = &entity.route;
        let request = service::SignalWithStartWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_id: route.workflow_id.clone(),
            workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
            task_queue: Some(task_queue(route)),
            input: Some(self.payloads(entity, &birth.argument(&entity.start)).await?),
            identity: self.client.identity(),
            request_id: request_id.to_owned(),
            workflow_id_reuse_policy: birth.reuse_policy(entity).into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            signal_name: signal.to_owned(),
            signal_input: Some(self.payloads(entity, message).await?),
            search_attributes: self.search_attributes_of(entity).await?,
            priority: Some(priority(route)),
            ..Default::default()
        };
        self.while_busy(|mut client| {
            let request = request.clone();
            async move {
                // Let go between tries: who waits for one entity's next run must not hold up others.
                let _permit = self.lanes.enter(&route.workflow_id).await;
                client.signal_with_start_workflow_execution(unthrottled(request)).await
            }
        })
        .await
        .map(|_| ())
        .map_err(|status| refused(entity, status))
    }

    /// Signals an entity that runs. The same `request_id` again does nothing.
    ///
    /// # Errors
    /// [`EntityCallError`]; the signal may have been taken all the same, and may be sent again.
    pub async fn signal<M: Serialize + Sync>(
        &self,
        entity: &EntityTarget,
        signal: &str,
        message: &M,
        request_id: &str,
    ) -> Result<Delivery, EntityCallError> {
        let request = service::SignalWorkflowExecutionRequest {
            namespace: entity.route.namespace.clone(),
            workflow_execution: Some(execution(&entity.route)),
            signal_name: signal.to_owned(),
            input: Some(self.payloads(entity, message).await?),
            identity: self.client.identity(),
            request_id: request_id.to_owned(),
            ..Default::default()
        };
        let signalled = self
            .while_busy(|mut client| {
                let request = request.clone();
                async move { client.signal_workflow_execution(unthrottled(request)).await }
            })
            .await;
        match signalled {
            Ok(_) => Ok(Delivery::Delivered),
            Err(status) if is_gone(&status) => Ok(Delivery::Lost),
            Err(status) => Err(refused(entity, status)),
        }
    }

    /// Claims a resource and waits for its answer, which starts its entity where it does not run. A call with the same
    /// `update_id` in the same run of the entity is answered as the first was.
    ///
    /// # Errors
    /// [`EntityCallError`]; the claim may have been taken all the same, and may be sent again.
    pub async fn claim(
        &self,
        entity: &EntityTarget,
        ticket: &Ticket,
        update_id: &str,
    ) -> Result<ClaimAnswer, EntityCallError> {
        self.update_with_start(entity, names::CLAIM, &self.envelope(entity, ticket), update_id).await
    }

    /// Updates an entity and waits for its answer; starts it where it does not run. A call with the same `update_id` in the
    /// same run of the entity is answered as the first was.
    ///
    /// # Errors
    /// [`EntityCallError`]; the update may have been taken all the same, and may be sent again.
    pub async fn update_with_start<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        entity: &EntityTarget,
        update: &str,
        message: &M,
        update_id: &str,
    ) -> Result<A, EntityCallError> {
        let argument = serde_json::to_value(message).map_err(|fault| unreadable(entity, fault.to_string()))?;
        let answer = match self.update_of(entity, update, &argument, update_id, Birth::First).await {
            Err(error) if is_reborn(entity, &error) => {
                self.update_of(entity, update, &argument, update_id, Birth::Again).await
            }
            answer => answer,
        };
        serde_json::from_value(answer?).map_err(|fault| unreadable(entity, fault.to_string()))
    }

    async fn update_of(
        &self,
        entity: &EntityTarget,
        name: &str,
        argument: &Value,
        update_id: &str,
        birth: Birth,
    ) -> Result<Value, EntityCallError> {
        use service::execute_multi_operation_request::{Operation, operation};
        use service::execute_multi_operation_response::response;
        let route = &entity.route;
        let start = service::StartWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_id: route.workflow_id.clone(),
            workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
            task_queue: Some(task_queue(route)),
            input: Some(self.payloads(entity, &birth.argument(&entity.start)).await?),
            identity: self.client.identity(),
            request_id: update_id.to_owned(),
            workflow_id_reuse_policy: birth.reuse_policy(entity).into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            search_attributes: self.search_attributes_of(entity).await?,
            priority: Some(priority(route)),
            ..Default::default()
        };
        let completed = UpdateWorkflowExecutionLifecycleStage::Completed;
        let update = service::UpdateWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_execution: Some(execution(route)),
            wait_policy: Some(update::WaitPolicy { lifecycle_stage: completed.into() }),
            request: Some(update::Request {
                meta: Some(update::Meta { update_id: update_id.to_owned(), identity: self.client.identity() }),
                input: Some(update::Input {
                    name: name.to_owned(),
                    args: Some(self.payloads(entity, argument).await?),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let operations = [operation::Operation::StartWorkflow(start), operation::Operation::UpdateWorkflow(update)];
        let request = service::ExecuteMultiOperationRequest {
            namespace: route.namespace.clone(),
            operations: operations.into_iter().map(|operation| Operation { operation: Some(operation) }).collect(),
            resource_id: route.workflow_id.clone(),
        };
        let answer = self.client.clone().execute_multi_operation(unthrottled(request)).await;
        let answer = answer.map_err(|status| refused(entity, status))?.into_inner();
        let outcome = answer.responses.into_iter().find_map(|part| match part.response {
            Some(response::Response::UpdateWorkflow(update)) => update.outcome,
            _ => None,
        });
        match outcome.and_then(|outcome| outcome.value) {
            Some(update::outcome::Value::Success(payloads)) => self.read(entity, payloads).await,
            Some(update::outcome::Value::Failure(failure)) => {
                Err(unreadable(entity, failure_text(&self.client.options().data_converter, failure).await))
            }
            None => Err(EntityCallError::NotAnswered { workflow_id: route.workflow_id.clone() }),
        }
    }

    /// Sends a query without an argument to an entity and returns its answer, or `None` if there is no such entity. An entity whose
    /// workflow has ended answers, too.
    ///
    /// # Errors
    /// [`EntityCallError`]: Temporal, or the entity's worker, did not answer.
    pub async fn query<A: DeserializeOwned>(
        &self,
        entity: &EntityTarget,
        query: &str,
    ) -> Result<Option<A>, EntityCallError> {
        let request = service::QueryWorkflowRequest {
            namespace: entity.route.namespace.clone(),
            execution: Some(execution(&entity.route)),
            query: Some(WorkflowQuery {
                query_type: query.to_owned(),
                query_args: Some(self.payloads(entity, &Value::Null).await?),
                header: None,
            }),
            ..Default::default()
        };
        let answer = match self.client.clone().query_workflow(unthrottled(request)).await {
            Ok(answer) => answer.into_inner().query_result,
            Err(status) if is_gone(&status) => return Ok(None),
            Err(status) => return Err(refused(entity, status)),
        };
        let payloads = answer.ok_or_else(|| unreadable(entity, "the query result is empty".to_owned()))?;
        let answer = self.read(entity, payloads).await?;
        serde_json::from_value(answer).map(Some).map_err(|fault| unreadable(entity, fault.to_string()))
    }

    /// Makes a call again while the entity cannot take it: its run is just ending, or has all the signals it may take
    /// and is about to.
    async fn while_busy<T, F, C>(&self, call: C) -> Result<T, Status>
    where
        C: Fn(Client) -> F,
        F: Future<Output = Result<T, Status>>,
    {
        // With jitter: many that were refused at the same moment do not all come back at the same moment.
        let waits =
            ExponentialBuilder::default().with_min_delay(BUSY_WAIT_MIN).with_max_times(BUSY_RETRIES).with_jitter();
        (|| call(self.client.clone())).retry(waits).when(is_busy).await
    }

    /// An argument as payloads, encoded as the client's converter says.
    async fn payloads<M: Serialize>(&self, entity: &EntityTarget, message: &M) -> Result<Payloads, EntityCallError> {
        let value = serde_json::to_value(message).map_err(|fault| unreadable(entity, fault.to_string()))?;
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let payloads = self.client.options().data_converter.to_payloads(&context, &value).await;
        let payloads = payloads.map_err(|fault: PayloadConversionError| unreadable(entity, fault.to_string()))?;
        Ok(Payloads { payloads })
    }

    async fn read(&self, entity: &EntityTarget, payloads: Payloads) -> Result<Value, EntityCallError> {
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let converter = &self.client.options().data_converter;
        converter
            .from_payloads::<Value>(&context, payloads.payloads)
            .await
            .map_err(|fault| unreadable(entity, fault.to_string()))
    }

    /// The search attributes that an entity is started with: no personal data. None where it is not known that the server takes
    /// them: a customer's entity sets them itself when it admits its first event.
    async fn search_attributes_of(&self, entity: &EntityTarget) -> Result<Option<SearchAttributes>, EntityCallError> {
        if !self.has_search_attributes(&entity.route.namespace).await {
            return Ok(None);
        }
        let kind = match entity.route.workflow_id.parse() {
            Ok(EntityAddress::Resource { .. }) => "resource",
            Ok(EntityAddress::Customer(_)) => "customer",
            Err(_) => "tenant_ops",
        };
        let mut indexed_fields = HashMap::new();
        for (name, text) in [("InterlockTenant", entity.start.tenant_id.as_str()), ("InterlockEntityKind", kind)] {
            let data = serde_json::to_vec(text).map_err(|fault| unreadable(entity, fault.to_string()))?;
            let mut payload = Payload { data, ..Payload::default() };
            payload.metadata.insert("encoding".to_owned(), b"json/plain".to_vec());
            payload.metadata.insert("type".to_owned(), b"Keyword".to_vec());
            indexed_fields.insert(name.to_owned(), payload);
        }
        Ok(Some(SearchAttributes { indexed_fields }))
    }
}

/// Whether there may have been an entity of this id before that does not run any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Birth {
    /// None that the server remembers: a resource that had one is refused.
    First,
    /// There was one: who is started now is told so.
    Again,
}

impl Birth {
    /// A customer's new life is known by its incarnation; a resource's has to be told.
    fn reuse_policy(self, entity: &EntityTarget) -> WorkflowIdReusePolicy {
        match self {
            Self::First if is_resource(entity) => WorkflowIdReusePolicy::RejectDuplicate,
            Self::First | Self::Again => WorkflowIdReusePolicy::AllowDuplicate,
        }
    }

    fn argument(self, start: &StartArgument) -> BornArgument<'_> {
        BornArgument { start, earlier_life: self == Self::Again }
    }
}

/// A start argument that says whether there was an earlier life.
#[derive(Serialize)]
struct BornArgument<'a> {
    #[serde(flatten)]
    start: &'a StartArgument,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    earlier_life: bool,
}

fn is_resource(entity: &EntityTarget) -> bool {
    entity.route.workflow_type == names::RESOURCE_ENTITY
}

/// Whether a resource's entity was not started because an earlier life of it was terminated.
fn is_reborn(entity: &EntityTarget, error: &EntityCallError) -> bool {
    is_resource(entity) && error.status().is_some_and(|status| status.code() == Code::AlreadyExists)
}

/// A request that is answered at once where the entity is busy. The SDK's own wait for such answers begins at a second,
/// which is long for a run that is just ending.
fn unthrottled<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(NoRetryOnMatching { predicate: is_busy });
    request
}

/// Whether the entity cannot take a call just now, and can soon.
fn is_busy(status: &Status) -> bool {
    match status.code() {
        // BUSY_WORKFLOW among others; all of them pass.
        Code::ResourceExhausted => true,
        // The limit of signals in one run: the entity is about to begin a new one.
        Code::InvalidArgument => status.message().contains("limit") && status.message().contains("signal"),
        _ => false,
    }
}

/// Whether there is no such entity that runs; a namespace that is not there is another matter.
fn is_gone(status: &Status) -> bool {
    status.code() == Code::NotFound && !status.message().to_ascii_lowercase().contains("namespace")
}

fn refused(entity: &EntityTarget, status: Status) -> EntityCallError {
    EntityCallError::Refused { workflow_id: entity.route.workflow_id.clone(), status: Box::new(status) }
}

pub(crate) fn unreadable(entity: &EntityTarget, detail: String) -> EntityCallError {
    EntityCallError::Payload { workflow_id: entity.route.workflow_id.clone(), detail }
}

fn task_queue(route: &EntityRoute) -> TaskQueue {
    TaskQueue { name: route.task_queue.clone(), kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_tried_again() {
        assert!(is_busy(&Status::resource_exhausted("Workflow is busy.")));
        assert!(is_busy(&Status::invalid_argument("exceeded workflow execution limit for signal events")));
        assert!(!is_busy(&Status::invalid_argument("SignalName is too long")));
        assert!(!is_busy(&Status::permission_denied("no")));
    }

    #[test]
    fn an_entity_that_is_not_there_is_told_from_a_namespace_that_is_not() {
        assert!(is_gone(&Status::not_found("workflow not found for ID: t/customer/c")));
        assert!(is_gone(&Status::not_found("workflow execution already completed")));
        assert!(!is_gone(&Status::not_found("Namespace nowhere is not found.")));
        assert!(!is_gone(&Status::unavailable("away")));
    }
}
