//! Calls to the entities of customers, resources and tenants.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::Retryable;
use interlock_domain::callback::{CallPlace, PendingCall};
use interlock_domain::ids::{CustomerId, ResourceId, TargetId, TenantId};
use interlock_domain::message::{ClaimAnswer, Delivery, Envelope, Ticket};
use interlock_domain::routing::{EntityAddress, EntityRoute, Routing};
use interlock_domain::target_entity::TargetRules;
use interlock_domain::tenant::OwnSubscriptions;
use interlock_workflows::{StartArgument, names};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::common::v1::{SearchAttributes, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowIdReusePolicy;
use tonic::Code;

use crate::entity_call_error::{EntityCallError, NotSubmitted};
use crate::entity_calls::{EntityCalls, Repeats, Start, busy_waits, execution};
use crate::entity_handle::EntityHandle;
use crate::entity_run::EntityRun;
use crate::payloads::plain_json;
use crate::search_attribute_gate::{Registration, SearchAttributeGate};
use crate::server_error::ServerError;
use crate::target_client::TargetClient;
use crate::tenant_gate::{TenantGate, TenantNews};

/// The first pause before an event is submitted again. It doubles.
const SUBMIT_PAUSE_MIN: Duration = Duration::from_millis(100);

/// Calls the entities of all tenants.
///
/// Clones share what this process knows about search attributes and closed tenants, and the number of signals in flight.
#[derive(Clone)]
pub struct EntityClient {
    calls: EntityCalls,
    routing: Arc<Routing>,
    search_attributes: SearchAttributeGate,
    tenants: Arc<TenantGate>,
}

impl EntityClient {
    /// Calls entities through this connection.
    pub fn new(client: Client, routing: Arc<Routing>) -> Self {
        let search_attributes = SearchAttributeGate::new(client.clone());
        let tenants = Arc::new(TenantGate::new(client.clone(), Arc::clone(&routing)));
        Self { calls: EntityCalls::new(client), routing, search_attributes, tenants }
    }

    /// Whether a tenant was off-boarded, so that its new events are rejected, and which subscriptions it made itself. The answer may be a few
    /// seconds old, so it does not need a call to Temporal for each event.
    pub async fn tenant_news(&self, tenant: &TenantId) -> TenantNews {
        self.tenants.news(tenant).await
    }

    /// The subscriptions that a tenant made itself, as they are now.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn own_subscriptions(&self, tenant: &TenantId) -> Result<Arc<OwnSubscriptions>, ServerError> {
        Ok(self.tenants.look(tenant).await?.subscriptions)
    }

    /// A tenant's own workflow.
    pub fn tenant(&self, tenant: &TenantId) -> EntityHandle {
        let start = StartArgument { tenant_id: tenant.to_string(), entity_id: tenant.to_string() };
        EntityHandle { route: self.routing.tenant_entity(tenant), start }
    }

    /// The log of a tenant's actions; of those on targets, if no tenant is named.
    pub fn action_log(&self, tenant: Option<&TenantId>) -> EntityHandle {
        let prefix = self.routing.settings().prefix.as_str();
        let scope = tenant.map_or(prefix, TenantId::as_str).to_owned();
        let start = StartArgument { tenant_id: scope, entity_id: "actions".to_owned() };
        EntityHandle { route: self.routing.action_log(tenant), start }
    }

    /// The entity of a target.
    pub fn target(&self, target: &TargetId) -> EntityHandle {
        let scope = self.routing.settings().prefix.as_str().to_owned();
        let start = StartArgument { tenant_id: scope, entity_id: target.to_string() };
        EntityHandle { route: self.routing.target(target), start }
    }

    /// Calls target entities through the same connection. Those that do not run are started with these rules.
    pub fn targets(&self, rules: BTreeMap<TargetId, TargetRules>) -> TargetClient {
        TargetClient::new(self.calls.clone(), Arc::clone(&self.routing), rules)
    }

    /// Whether Interlock's search attributes are known to be registered in a namespace.
    pub async fn has_search_attributes(&self, namespace: &str) -> bool {
        self.search_attributes.of(namespace).await == Registration::Registered
    }

    /// Whether Interlock's search attributes are registered in the namespaces.
    pub fn search_attributes(&self) -> &SearchAttributeGate {
        &self.search_attributes
    }

    /// The routing: the place of each entity.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The entity of a customer.
    pub fn customer(&self, tenant: &TenantId, customer: &CustomerId) -> EntityHandle {
        let start = StartArgument { tenant_id: tenant.to_string(), entity_id: customer.to_string() };
        EntityHandle { route: self.routing.customer(tenant, customer), start }
    }

    /// The entity of a resource, as this tenant means it.
    pub fn resource(&self, tenant: &TenantId, resource: &ResourceId) -> EntityHandle {
        let address = self.routing.resource_address(tenant, resource);
        let start = StartArgument { tenant_id: address.scope().to_owned(), entity_id: resource.to_string() };
        EntityHandle { route: self.routing.route(tenant, &address), start }
    }

    /// Wraps a message to an entity in its envelope.
    pub fn envelope<M>(&self, entity: &EntityHandle, message: M) -> Envelope<M> {
        Envelope::new(message).with_queue_assignment(self.routing.queue_assignment(&entity.route))
    }

    /// Signals an entity, and starts it if it does not run. A repeated call with the same `request_id` has no effect.
    ///
    /// Waits while this process has as many signals in flight to the entity as it can handle.
    ///
    /// # Errors
    /// [`EntityCallError`]. The signal may have been accepted anyway, and it is safe to send it again.
    pub async fn signal_with_start<M: Serialize + Sync>(
        &self,
        entity: &EntityHandle,
        signal: &str,
        message: &M,
        request_id: &str,
    ) -> Result<(), EntityCallError> {
        self.signal_with_start_repeating(entity, signal, message, request_id, Repeats::Sdks).await
    }

    async fn signal_with_start_repeating<M: Serialize + Sync>(
        &self,
        entity: &EntityHandle,
        signal: &str,
        message: &M,
        request_id: &str,
        repeats: Repeats,
    ) -> Result<(), EntityCallError> {
        let route = &entity.route;
        let start = self.start(entity, StartMode::First).await?;
        match self.calls.signal_with_start(route, start, signal, message, request_id, repeats).await {
            Err(error) if is_reborn(entity, &error) => {
                let start = self.start(entity, StartMode::Recreated).await?;
                self.calls.signal_with_start(route, start, signal, message, request_id, repeats).await
            }
            answer => answer,
        }
    }

    /// Submits an event to its customer's entity, which accepts it durably. It is sent again for up to `limit` while Temporal is
    /// unavailable. A repeated call with the same `request_id` has no effect.
    ///
    /// # Errors
    /// [`NotSubmitted`], which says whether the event may have been accepted anyway. It is safe to submit it again.
    pub async fn submit<M: Serialize + Sync>(
        &self,
        entity: &EntityHandle,
        event: &M,
        request_id: &str,
        limit: Duration,
    ) -> Result<(), NotSubmitted> {
        let deadline = Instant::now() + limit;
        let (mut maybe_accepted, mut pause) = (false, SUBMIT_PAUSE_MIN);
        loop {
            let sent =
                self.signal_with_start_repeating(entity, names::SUBMIT, event, request_id, Repeats::NotSent).await;
            let Err(error) = sent else { return Ok(()) };
            let is_away = error.status().is_some_and(|status| status.code() == Code::Unavailable);
            maybe_accepted |= error.may_have_been_accepted();
            if !is_away || Instant::now() + pause >= deadline {
                return Err(NotSubmitted { error, maybe_accepted });
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Signals a running entity. A repeated call with the same `request_id` has no effect.
    ///
    /// Waits while this process has as many signals in flight to the entity as it can handle.
    ///
    /// # Errors
    /// [`EntityCallError`]. The signal may have been accepted anyway, and it is safe to send it again.
    pub async fn signal<M: Serialize + Sync>(
        &self,
        entity: &EntityHandle,
        signal: &str,
        message: &M,
        request_id: &str,
    ) -> Result<Delivery, EntityCallError> {
        self.calls.signal(&entity.route, signal, message, request_id).await
    }

    /// Claims a resource and waits for its answer. Starts the resource's entity if it does not run. A call with the same `update_id` in
    /// the same run of the entity gets the same answer. There is no retry if the entity is busy, since a claim can be sent as a signal
    /// instead.
    ///
    /// # Errors
    /// [`EntityCallError`]. The claim may have been accepted anyway, and it is safe to send it again.
    pub async fn claim(
        &self,
        entity: &EntityHandle,
        ticket: &Ticket,
        update_id: &str,
    ) -> Result<ClaimAnswer, EntityCallError> {
        let argument = to_value(entity, &self.envelope(entity, ticket))?;
        from_value(entity, self.update(entity, names::CLAIM, &argument, update_id).await?)
    }

    /// Updates an entity and waits for its answer. Starts it if it does not run. A call with the same `update_id` in the same run of
    /// the entity gets the same answer. If the entity is busy, the call is retried for a few seconds.
    ///
    /// # Errors
    /// [`EntityCallError`]. The update may have been accepted anyway, and it is safe to send it again.
    pub async fn update_with_start<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        entity: &EntityHandle,
        update: &str,
        message: &M,
        update_id: &str,
    ) -> Result<A, EntityCallError> {
        let argument = to_value(entity, message)?;
        let ask = || self.update(entity, update, &argument, update_id);
        from_value(entity, ask.retry(busy_waits()).when(EntityCallError::will_pass).await?)
    }

    async fn update(
        &self,
        entity: &EntityHandle,
        name: &str,
        argument: &Value,
        update_id: &str,
    ) -> Result<Value, EntityCallError> {
        let route = &entity.route;
        let start = self.start(entity, StartMode::First).await?;
        match self.calls.update_with_start(route, start, name, argument, update_id).await {
            Err(error) if is_reborn(entity, &error) => {
                let start = self.start(entity, StartMode::Recreated).await?;
                self.calls.update_with_start(route, start, name, argument, update_id).await
            }
            answer => answer,
        }
    }

    /// Sends a query without an argument to an entity and returns its answer, or `None` if there is no such entity. An entity whose
    /// workflow has ended answers, too.
    ///
    /// # Errors
    /// [`EntityCallError`]: Temporal, or the entity's worker, did not answer.
    pub async fn query<A: DeserializeOwned>(
        &self,
        entity: &EntityHandle,
        query: &str,
    ) -> Result<Option<A>, EntityCallError> {
        let answer = self.calls.query(&entity.route, query, &Value::Null).await?;
        answer.map(|answer| from_value(entity, answer)).transpose()
    }

    /// Updates a running entity and waits for its answer within this time. While the entity cannot accept the update, since its run is
    /// ending or it is busy, it is retried with the same id.
    ///
    /// # Errors
    /// [`EntityCallError`]; `no_worker` if no answer comes in time. The update may be accepted later anyway.
    pub async fn update_running<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        entity: &EntityHandle,
        update: &str,
        message: &M,
        update_id: &str,
        limit: Duration,
    ) -> Result<A, EntityCallError> {
        let answer = self.calls.update_running(&entity.route, update, message, update_id, limit).await?;
        understood(&entity.route.workflow_id, answer)
    }

    /// An entity's answer to a query, and the state of its run. The query waits until the entity has no open workflow task, so that it
    /// adds no events to the history. An entity that has ended answers, too.
    ///
    /// # Errors
    /// [`EntityCallError`]; `no_worker` if no answer comes within 3 s.
    pub async fn ask<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        entity: &EntityHandle,
        query: &str,
        argument: &M,
    ) -> Result<(A, EntityRun), EntityCallError> {
        self.ask_execution(&entity.route.namespace, execution(&entity.route), query, argument).await
    }

    /// Like [`ask`](Self::ask), for any run of any entity.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_execution<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        namespace: &str,
        execution: WorkflowExecution,
        query: &str,
        argument: &M,
    ) -> Result<(A, EntityRun), EntityCallError> {
        let workflow_id = execution.workflow_id.clone();
        let (answer, run) = self.calls.ask(namespace, execution, query, argument).await?;
        Ok((understood(&workflow_id, answer)?, run))
    }

    /// Whether this entity runs. A terminated entity still answers queries.
    ///
    /// # Errors
    /// [`EntityCallError`]: Temporal did not answer.
    pub async fn runs(&self, route: &EntityRoute) -> Result<bool, EntityCallError> {
        self.calls.runs(route).await
    }

    /// Lets an activity of an entity continue that an operator paused in Temporal. The server dispatches it as another attempt.
    /// `identity` is recorded as that of the caller. An activity that is not pending any more needs nothing.
    ///
    /// # Errors
    /// [`EntityCallError`]. The activity may still be paused, and it is safe to call this again.
    pub async fn unpause_activity(
        &self,
        entity: &EntityHandle,
        activity_id: &str,
        identity: &str,
    ) -> Result<(), EntityCallError> {
        self.calls.unpause_activity(&entity.route, activity_id, identity).await
    }

    /// How a call at a target stands. `None` if it is over.
    ///
    /// # Errors
    /// [`EntityCallError`]: Temporal did not answer.
    pub async fn pending_call(&self, place: &CallPlace) -> Result<Option<PendingCall>, EntityCallError> {
        self.calls.pending_call(place).await
    }

    /// Lets the next attempt of a call begin now, with all that its attempts left behind. A call that is over needs nothing. Call this
    /// only right after the [pending call](Self::pending_call) was seen to wait for its next attempt. Returns whether the server took it;
    /// `false` if it is busy: then look again.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn bring_forward(&self, place: &CallPlace) -> Result<bool, EntityCallError> {
        self.calls.bring_forward(place).await
    }

    async fn start(&self, entity: &EntityHandle, mode: StartMode) -> Result<Start, EntityCallError> {
        Ok(Start {
            input: self.calls.payloads(&entity.route.workflow_id, &mode.argument(&entity.start)).await?,
            reuse_policy: mode.reuse_policy(entity),
            search_attributes: self.search_attributes_of(entity).await?,
        })
    }

    /// The search attributes that an entity is started with. They contain no personal data. `None` if it is unknown whether the server
    /// accepts them; a customer's entity sets them itself when it admits its first event.
    async fn search_attributes_of(&self, entity: &EntityHandle) -> Result<Option<SearchAttributes>, EntityCallError> {
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
            let data = serde_json::to_vec(text)
                .map_err(|fault| EntityCallError::payload(&entity.route.workflow_id, &fault))?;
            let mut payload = plain_json(data);
            payload.metadata.insert("type".to_owned(), b"Keyword".to_vec());
            indexed_fields.insert(name.to_owned(), payload);
        }
        Ok(Some(SearchAttributes { indexed_fields }))
    }
}

/// Whether an earlier entity with this id may have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartMode {
    /// None that the server remembers. The server rejects the start of a resource that had one.
    First,
    /// There was one. The new entity is told about it.
    Recreated,
}

impl StartMode {
    /// A customer's new life is recognised by its incarnation. A resource has to be told about it.
    fn reuse_policy(self, entity: &EntityHandle) -> WorkflowIdReusePolicy {
        match self {
            Self::First if is_resource(entity) => WorkflowIdReusePolicy::RejectDuplicate,
            Self::First | Self::Recreated => WorkflowIdReusePolicy::AllowDuplicate,
        }
    }

    fn argument(self, start: &StartArgument) -> StartModeArgument<'_> {
        StartModeArgument { start, earlier_life: self == Self::Recreated }
    }
}

/// A start argument that tells whether there was an earlier life.
#[derive(Serialize)]
struct StartModeArgument<'a> {
    #[serde(flatten)]
    start: &'a StartArgument,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    earlier_life: bool,
}

fn is_resource(entity: &EntityHandle) -> bool {
    entity.route.workflow_type == names::RESOURCE_ENTITY
}

/// Whether a resource's entity was not started because its earlier life was terminated.
fn is_reborn(entity: &EntityHandle, error: &EntityCallError) -> bool {
    is_resource(entity) && error.status().is_some_and(|status| status.code() == Code::AlreadyExists)
}

fn to_value<M: Serialize>(entity: &EntityHandle, message: &M) -> Result<Value, EntityCallError> {
    serde_json::to_value(message).map_err(|fault| EntityCallError::payload(&entity.route.workflow_id, &fault))
}

/// An answer, as the type that it is of.
fn understood<A: DeserializeOwned>(workflow_id: &str, answer: Value) -> Result<A, EntityCallError> {
    serde_json::from_value(answer).map_err(|fault| {
        let detail = format!("its answer cannot be read: {fault}");
        EntityCallError::payload(workflow_id, &detail)
    })
}

fn from_value<A: DeserializeOwned>(entity: &EntityHandle, answer: Value) -> Result<A, EntityCallError> {
    serde_json::from_value(answer).map_err(|fault| EntityCallError::payload(&entity.route.workflow_id, &fault))
}
