//! Looking at customers, resources and orders: one way for the gateway and the command line.

use std::time::Duration;

use interlock_client::{CallUnderWay, EntityCallError, EntityHandle, EntityRun, ListError, StatusMeaning};
use interlock_connection::Installation;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, OrderId, RealmId, ResourceId, ResourceKind, TargetId, TenantId};
use interlock_fault::Fault;
use interlock_workflows::names;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use thiserror::Error;
use tonic::Status;

use standalone::standalone_view;

mod chain;
mod cursor;
pub mod listing;
mod order_filter;
mod running;
mod standalone;
mod standing_alone;
mod target;
mod tenant;
pub mod why;

/// How long an entity may take to answer. Without a worker, no entity answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// Why there is nothing to see.
#[derive(Debug, Error)]
pub enum InspectionError {
    /// It was never seen, or its history is gone.
    #[error("{0} was never seen")]
    NeverSeen(String),
    /// No worker answered.
    #[error("{0} did not answer: no worker serves its queue, or all workers are busy")]
    NoWorker(String),
    /// Temporal is away.
    #[error("Temporal is unavailable: {0}")]
    Away(String),
    /// Temporal takes no more such questions just now.
    #[error("Temporal limits the rate of such queries at the moment: {0}")]
    Busy(String),
    /// Temporal cannot find entities by their state.
    #[error("Interlock's search attributes are not registered in the namespace '{0}'")]
    NotRegistered(String),
    /// The cursor is none of ours.
    #[error("the cursor was not issued by this API")]
    BadCursor,
    /// The state is none of an open order.
    #[error("'{0}' is not a state of an open order: use acknowledged, pending, inProgress or held")]
    NotOpen(String),
    /// An operator paused the entity's workflow in Temporal: the server asks it nothing then.
    #[error("{what} cannot be shown. {paused}")]
    Paused {
        /// What was asked for.
        what: String,
        /// By whom, and why.
        paused: String,
    },
    /// Temporal, or the entity, refused.
    #[error("{what} cannot be shown: {reason}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Why.
        reason: String,
    },
}

impl InspectionError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NeverSeen(_) => ErrorCode::NeverSeen,
            Self::NoWorker(_) => ErrorCode::NoWorker,
            Self::Away(_) => ErrorCode::TemporalUnavailable,
            Self::Busy(_) => ErrorCode::TemporalBusy,
            Self::NotRegistered(_) => ErrorCode::SearchAttributesMissing,
            Self::BadCursor => ErrorCode::BadCursor,
            Self::NotOpen(_) => ErrorCode::StateNotOpen,
            Self::Refused { .. } | Self::Paused { .. } => ErrorCode::QueryRefused,
        }
    }

    /// Why `what` did not answer a call.
    pub(crate) fn of_call(what: &str, error: EntityCallError) -> Self {
        let what = what.to_owned();
        match error {
            EntityCallError::Refused { status, .. } => of_status(&what, &status),
            EntityCallError::Payload { detail, .. } => Self::Refused { what, reason: detail },
            EntityCallError::NoAnswer { .. } => Self::NoWorker(what),
            EntityCallError::Paused { paused, .. } => Self::Paused { what, paused },
            EntityCallError::NotAnswered { .. } => Self::Refused { what, reason: error.to_string() },
        }
    }

    /// What to do next.
    pub fn next(&self) -> &'static str {
        self.code().next()
    }
}

impl From<ListError> for InspectionError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::NotRegistered(namespace) => Self::NotRegistered(namespace),
            ListError::BadToken => Self::BadCursor,
            ListError::Busy(message) => Self::Busy(message),
            ListError::Away(message) => Self::Away(message),
            ListError::Refused(reason) => Self::Refused { what: "The list of orders".to_owned(), reason },
        }
    }
}

impl From<InspectionError> for Fault {
    fn from(error: InspectionError) -> Self {
        let message = format!("{}.", error.to_string().trim_end_matches('.'));
        match error {
            InspectionError::BadCursor | InspectionError::NotOpen(_) => Fault::wrong_use(error.code(), message),
            _ => Fault::failed(error.code(), message),
        }
    }
}

/// Looks at things.
#[derive(Clone)]
pub struct Inspection {
    installation: Installation,
}

impl Inspection {
    /// Looks through this installation's connection.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// The state of a customer: the body of `GET …/customers/{id}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn customer(&self, tenant: &TenantId, customer: &CustomerId) -> Result<Value, InspectionError> {
        let entity = self.installation.entities.customer(tenant, customer);
        let (view, run) = self.ask(&format!("The customer {customer}"), &entity, names::STATE, &Value::Null).await?;
        Ok(with_end(view, &run))
    }

    /// The state of a resource: the body of `GET …/resources/{kind}/{id}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn resource(&self, tenant: &TenantId, resource: &ResourceId) -> Result<Value, InspectionError> {
        let entity = self.installation.entities.resource(tenant, resource);
        let (view, run) = self.ask(&format!("The resource {resource}"), &entity, names::STATE, &Value::Null).await?;
        Ok(with_end(view, &run))
    }

    /// The realm in which a kind's resources of a tenant are, where other tenants share it.
    pub fn shared_realm(&self, tenant: &TenantId, kind: &ResourceKind) -> Option<RealmId> {
        let realm = self.installation.routing.realm(tenant, kind);
        (realm != RealmId::from(tenant)).then_some(realm)
    }

    /// What a resource said of itself last in a run that is over, as long as the namespace retains it.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub(crate) async fn resource_run(
        &self,
        namespace: &str,
        execution: WorkflowExecution,
    ) -> Result<Value, InspectionError> {
        let what = format!("The terminated resource {}", execution.workflow_id);
        let (view, _run) = self.ask_execution(&what, namespace, execution, names::STATE, &Value::Null).await?;
        Ok(view)
    }

    /// One order, of an entity or standing alone: the body of `GET …/orders/{order_id}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn order(&self, tenant: &TenantId, order: &OrderId) -> Result<Value, InspectionError> {
        let what = format!("The order {order}");
        let entity = self.installation.entities.customer(tenant, &order.customer());
        let answer = match self.ask(&what, &entity, names::ORDER, &json!({ "order_id": order })).await {
            Ok((Value::Null, _)) | Err(InspectionError::NeverSeen(_)) => None,
            Ok((mut view, run)) => {
                self.show_call(&mut view["waiting_for"], &run).await;
                if let Some(paused) = run.paused() {
                    paused.show_in(&mut view["waiting_for"]);
                }
                Some(with_end(view, &run))
            }
            Err(error) => return Err(error),
        };
        match answer {
            Some(view) => Ok(view),
            None => match standalone_view(&self.installation, tenant, order).await? {
                Some(view) => Ok(json!(view)),
                None => Err(InspectionError::NeverSeen(what)),
            },
        }
    }

    /// The oldest open orders of a customer, at most `limit`, as its entity lists them.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub(crate) async fn open_orders(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        limit: usize,
    ) -> Result<Value, InspectionError> {
        let entity = self.installation.entities.customer(tenant, customer);
        self.query(&format!("The customer {customer}"), &entity, names::ORDERS, &json!({ "limit": limit })).await
    }

    /// Says of an order that waits for its target how the call fares.
    async fn show_call(&self, waiting_for: &mut Value, run: &EntityRun) {
        if !matches!(waiting_for["waits_for"].as_str(), Some("target" | "settling")) {
            return;
        }
        let target = waiting_for["target"].as_str().and_then(|target| target.parse().ok());
        if let Some(target) = target
            && let Some(call) = self.call_at(run, &target).await
        {
            call.show_in(waiting_for);
        }
    }

    async fn call_at(&self, run: &EntityRun, target: &TargetId) -> Option<CallUnderWay> {
        let installation = &self.installation;
        let queue = installation.routing.provisioning_queue(target);
        run.call_at(&installation.client.options().data_converter, &queue).await
    }

    async fn query(
        &self,
        what: &str,
        entity: &EntityHandle,
        query: &str,
        argument: &Value,
    ) -> Result<Value, InspectionError> {
        self.ask(what, entity, query, argument).await.map(|(answer, _run)| answer)
    }

    /// What an entity answers, and how its run stands: one that ended answers as well.
    async fn ask(
        &self,
        what: &str,
        entity: &EntityHandle,
        query: &str,
        argument: &Value,
    ) -> Result<(Value, EntityRun), InspectionError> {
        let execution = WorkflowExecution { workflow_id: entity.route.workflow_id.clone(), run_id: String::new() };
        self.ask_execution(what, &entity.route.namespace, execution, query, argument).await
    }

    async fn ask_execution(
        &self,
        what: &str,
        namespace: &str,
        execution: WorkflowExecution,
        query: &str,
        argument: &Value,
    ) -> Result<(Value, EntityRun), InspectionError> {
        let asked = self.installation.entities.ask_execution(namespace, execution, query, argument).await;
        asked.map_err(|error| InspectionError::of_call(what, error))
    }
}

/// A view, with how its entity ended, where that is so: nothing of what it shows goes on.
fn with_end(mut view: Value, run: &EntityRun) -> Value {
    if let (Some(ended), Some(fields)) = (run.ended(), view.as_object_mut()) {
        fields.insert("entity_ended".to_owned(), json!(ended));
    }
    view
}

/// What Temporal says, as what it means for whoever asked for `what`.
pub(crate) fn of_status(what: &str, status: &Status) -> InspectionError {
    let message = status.message();
    match StatusMeaning::of(status) {
        StatusMeaning::NoWorker => InspectionError::NoWorker(what.to_owned()),
        StatusMeaning::NeverSeen => InspectionError::NeverSeen(what.to_owned()),
        StatusMeaning::Away => InspectionError::Away(message.to_owned()),
        StatusMeaning::Refused => InspectionError::Refused { what: what.to_owned(), reason: message.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_temporal_says_is_told_apart() {
        let code = |status: Status| of_status("It", &status).code();
        assert_eq!(code(Status::not_found("workflow not found for ID: t/customer/c")), "never_seen");
        assert_eq!(code(Status::not_found("Namespace nowhere is not found.")), "query_refused");
        assert_eq!(code(Status::deadline_exceeded("too slow")), "no_worker");
        assert_eq!(code(Status::resource_exhausted("consistent query buffer is full")), "no_worker");
        assert_eq!(code(Status::failed_precondition("no poller seen for task queue recently")), "no_worker");
        assert_eq!(code(Status::unavailable("away")), "temporal_unavailable");
        assert_eq!(code(Status::invalid_argument("unknown queryType")), "query_refused");
    }
}
