//! Reads customers, resources and orders, for the gateway and the command line alike.

use std::time::Duration;

use interlock_client::{
    CallUnderWay, EntityCallError, EntityHandle, EntityRun, ListError, Paused, ServerError, StatusMeaning,
    VISIBILITY_SILENT,
};
use interlock_connection::Installation;
use interlock_domain::customer::{
    self, CustomerView, OrderMemory, OrderView, RememberedOrder, StepStateName, StepView, WaitView,
};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, OrderId, RealmId, ResourceId, ResourceKind, TargetId, TenantId};
use interlock_domain::resource::ResourceView;
use interlock_domain::views::WhyUnanswered;
use interlock_domain::wire::WireName;
use interlock_fault::{Fault, with_causes};
use interlock_workflows::names;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use thiserror::Error;
use tonic::Status;

use crate::misplaced::misplaced_run;
use standalone::standalone_view;

mod action_log;
mod chain;
mod cursor;
pub mod forecast;
pub mod listing;
mod order_filter;
mod running;
mod standalone;
mod standing_alone;
mod target;
mod tenant;
pub mod why;
mod windows;

/// How long an entity may take to answer. Without a worker, no entity answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// Why something cannot be shown.
#[derive(Debug, Error)]
pub enum InspectionError {
    /// It was never seen, or its history is gone.
    #[error("{0} was never seen")]
    NeverSeen(String),
    /// It ended, and its customer no longer shows it.
    #[error(
        "{0} ended, and is no longer kept: its customer shows the orders that ended last, and only knows that it had this one"
    )]
    NoLongerKept(String),
    /// It was never seen, or ended and is forgotten.
    #[error("{0} was never seen, or it ended so long ago that it is no longer kept")]
    SeenOrForgotten(String),
    /// No worker answered.
    #[error("{0} did not answer: no worker serves its queue, or all workers are busy")]
    NoWorker(String),
    /// Somebody started the entity where no worker executes it.
    #[error("{what} did not answer. {misplaced}. Next: '{remedy}'")]
    Misplaced {
        /// The requested object.
        what: String,
        /// What is wrong with the run.
        misplaced: String,
        /// The command that makes the entity work again.
        remedy: String,
    },
    /// Temporal is unavailable.
    #[error("Temporal is unavailable: {0}")]
    Away(String),
    /// Temporal accepts no more such queries at the moment.
    #[error("Temporal limits the rate of such queries at the moment: {0}")]
    Busy(String),
    /// Temporal cannot find entities by their state.
    #[error("Interlock's search attributes are not registered in the namespace '{0}'")]
    NotRegistered(String),
    /// The cursor is not one of ours.
    #[error("the cursor was not issued by this API")]
    BadCursor,
    /// The state is not one of an open order.
    #[error("'{0}' is not a state of an open order: use acknowledged, pending, inProgress or held")]
    NotOpen(String),
    /// An operator paused the entity's workflow in Temporal: then the server does not query it.
    #[error("{what} cannot be shown. {paused}")]
    Paused {
        /// The requested object.
        what: String,
        /// By whom, and why.
        paused: String,
    },
    /// Temporal, or the entity, rejected the query.
    #[error("{what} cannot be shown: {reason}")]
    Refused {
        /// The requested object.
        what: String,
        /// Why.
        reason: String,
    },
}

impl InspectionError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NeverSeen(_) | Self::SeenOrForgotten(_) => ErrorCode::NeverSeen,
            Self::NoLongerKept(_) => ErrorCode::NoLongerKept,
            Self::NoWorker(_) => ErrorCode::NoWorker,
            Self::Misplaced { .. } => ErrorCode::RunMisplaced,
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
            EntityCallError::NotAnswered { .. } | EntityCallError::GivenUp { .. } => {
                Self::Refused { what, reason: error.to_string() }
            }
        }
    }

    /// Why `what`, which the server itself answers, is not known. The only calls with a time limit are lists.
    pub(crate) fn of_server(what: &str, error: &ServerError) -> Self {
        match error {
            ServerError::Refused(status) => of_status(what, status),
            ServerError::NoAnswer => Self::Away(VISIBILITY_SILENT.to_owned()),
            ServerError::Payload(_) => Self::Refused { what: what.to_owned(), reason: with_causes(error) },
        }
    }

    /// The same, in place of an answer.
    pub(crate) fn why_unanswered(&self) -> WhyUnanswered {
        WhyUnanswered { code: self.code().into(), detail: format!("{self}.") }
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

/// Reads the state of things.
#[derive(Clone)]
pub struct Inspection {
    installation: Installation,
}

impl Inspection {
    /// Uses this installation's connection.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// The state of a customer: the body of `GET …/customers/{id}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn customer(&self, tenant: &TenantId, customer: &CustomerId) -> Result<CustomerView, InspectionError> {
        let entity = self.installation.entities.customer(tenant, customer);
        let what = format!("The customer {customer}");
        let (mut view, run): (CustomerView, _) = self.ask(&what, &entity, names::STATE, &()).await?;
        let windows = self.windows(|_| true).await;
        for order in &mut view.orders {
            self.count_calls(&mut order.steps, &run).await;
            windows.show_in_view(order);
        }
        Ok(CustomerView { entity_ended: run.ended().map(Into::into), ..view })
    }

    /// The state of a resource: the body of `GET …/resources/{kind}/{id}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn resource(&self, tenant: &TenantId, resource: &ResourceId) -> Result<ResourceView, InspectionError> {
        let entity = self.installation.entities.resource(tenant, resource);
        let what = format!("The resource {resource}");
        let (view, run): (ResourceView, _) = self.ask(&what, &entity, names::STATE, &()).await?;
        Ok(ResourceView { entity_ended: run.ended().map(Into::into), ..view })
    }

    /// The realm of a tenant's resources of a kind, if tenants share it.
    pub fn shared_realm(&self, tenant: &TenantId, kind: &ResourceKind) -> Option<RealmId> {
        let realm = self.installation.routing.realm(tenant, kind);
        (realm != RealmId::from(tenant)).then_some(realm)
    }

    /// The last state of a resource in a run that has ended, as long as the namespace retains it.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub(crate) async fn resource_run(
        &self,
        namespace: &str,
        execution: WorkflowExecution,
    ) -> Result<ResourceView, InspectionError> {
        let what = format!("The terminated resource {}", execution.workflow_id);
        let (view, _run) = self.ask_execution(&what, namespace, execution, names::STATE, &()).await?;
        Ok(view)
    }

    /// One order, of an entity or standalone: the body of `GET …/orders/{order_id}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn order(&self, tenant: &TenantId, order: &OrderId) -> Result<OrderView, InspectionError> {
        let what = format!("The order {order}");
        let entity = self.installation.entities.customer(tenant, &order.customer());
        let answer: Result<(Option<OrderView>, _), _> =
            self.ask(&what, &entity, names::ORDER, &json!({ "order_id": order })).await;
        match answer {
            Ok((Some(mut view), run)) => {
                if let Some(waiting_for) = &mut view.waiting_for {
                    self.show_call(waiting_for, &run).await;
                    waiting_for.paused = run.paused().map(Paused::view).or(waiting_for.paused.take());
                }
                self.count_calls(&mut view.steps, &run).await;
                self.windows_for(&view).await.show_in_view(&mut view);
                Ok(OrderView { entity_ended: run.ended().map(Into::into), ..view })
            }
            Ok((None, _)) => match self.standing_alone(tenant, order).await? {
                Some(view) => Ok(view),
                None => Err(self.why_not_shown(what, &entity, order).await),
            },
            Err(InspectionError::NeverSeen(_)) => {
                self.standing_alone(tenant, order).await?.ok_or(InspectionError::NeverSeen(what))
            }
            Err(error) => Err(error),
        }
    }

    async fn standing_alone(&self, tenant: &TenantId, order: &OrderId) -> Result<Option<OrderView>, InspectionError> {
        let Some(mut view) = standalone_view(&self.installation, tenant, order).await? else { return Ok(None) };
        self.windows_for(&view).await.show_in_view(&mut view);
        Ok(Some(view))
    }

    /// Why a customer does not show an order. Workers of an earlier build cannot tell.
    async fn why_not_shown(&self, what: String, entity: &EntityHandle, order: &OrderId) -> InspectionError {
        let argument = json!({ "order_id": order });
        let asked = self.query::<RememberedOrder>(&what, entity, names::REMEMBERS, &argument).await;
        match asked.map(|remembered| remembered.memory) {
            Ok(WireName::Known(OrderMemory::Ended)) => InspectionError::NoLongerKept(what),
            Ok(WireName::Known(OrderMemory::Uncertain)) => InspectionError::SeenOrForgotten(what),
            _ => InspectionError::NeverSeen(what),
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
    ) -> Result<customer::OrderPage, InspectionError> {
        let entity = self.installation.entities.customer(tenant, customer);
        self.query(&format!("The customer {customer}"), &entity, names::ORDERS, &json!({ "limit": limit })).await
    }

    /// Adds the state of the call to an order that waits for its target.
    async fn show_call(&self, waiting_for: &mut WaitView, run: &EntityRun) {
        if let Some(target) = waiting_for.target().filter(|_| waiting_for.is_for_call())
            && let Some(call) = self.call_at(run, target).await
        {
            call.show_in(waiting_for);
        }
    }

    /// Adds to the steps whose calls are under way how often these have sent their requests.
    async fn count_calls(&self, steps: &mut [StepView], run: &EntityRun) {
        for step in steps.iter_mut().filter(|step| step.state == StepStateName::Running) {
            let call = self.call_at(run, &step.target).await;
            step.attempts = step.attempts.saturating_add(call.map_or(0, |call| call.calls()));
        }
    }

    async fn call_at(&self, run: &EntityRun, target: &TargetId) -> Option<CallUnderWay> {
        let installation = &self.installation;
        let queue = installation.routing.provisioning_queue(target);
        run.call_at(&installation.client.options().data_converter, &queue).await
    }

    async fn query<A: DeserializeOwned>(
        &self,
        what: &str,
        entity: &EntityHandle,
        query: &str,
        argument: &(impl Serialize + Sync),
    ) -> Result<A, InspectionError> {
        self.ask(what, entity, query, argument).await.map(|(answer, _run)| answer)
    }

    /// The state of an entity's machine, for a forecast; none if no such entity runs.
    ///
    /// # Errors
    /// [`InspectionError`]: `query_refused` if its worker is of a build without forecasts of actions.
    pub(crate) async fn machine<M: DeserializeOwned>(
        &self,
        what: &str,
        entity: &EntityHandle,
    ) -> Result<Option<M>, InspectionError> {
        match self.ask::<M>(what, entity, names::MACHINE, &()).await {
            Ok((machine, run)) => Ok(run.ended().is_none().then_some(machine)),
            Err(InspectionError::NeverSeen(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An entity's answer, and the state of its run: an entity that has ended also answers.
    async fn ask<A: DeserializeOwned>(
        &self,
        what: &str,
        entity: &EntityHandle,
        query: &str,
        argument: &(impl Serialize + Sync),
    ) -> Result<(A, EntityRun), InspectionError> {
        let execution = WorkflowExecution { workflow_id: entity.route.workflow_id.clone(), run_id: String::new() };
        match self.ask_execution(what, &entity.route.namespace, execution, query, argument).await {
            Err(error) => Err(self.with_place(entity, what, error).await),
            answer => answer,
        }
    }

    /// The error of a call to an entity; or, if no worker executes its run, that.
    pub(crate) async fn with_place(
        &self,
        entity: &EntityHandle,
        what: &str,
        error: InspectionError,
    ) -> InspectionError {
        if !matches!(error, InspectionError::NoWorker(_) | InspectionError::Refused { .. }) {
            return error;
        }
        match misplaced_run(&self.installation, &entity.route).await {
            Ok(Some((_, misplacement))) => InspectionError::Misplaced {
                what: what.to_owned(),
                misplaced: misplacement.to_string(),
                remedy: misplacement.remedy(),
            },
            Ok(None) | Err(_) => error,
        }
    }

    async fn ask_execution<A: DeserializeOwned>(
        &self,
        what: &str,
        namespace: &str,
        execution: WorkflowExecution,
        query: &str,
        argument: &(impl Serialize + Sync),
    ) -> Result<(A, EntityRun), InspectionError> {
        let asked = self.installation.entities.ask_execution(namespace, execution, query, argument).await;
        asked.map_err(|error| InspectionError::of_call(what, error))
    }
}

/// What a status of Temporal means for the caller who asked for `what`.
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
