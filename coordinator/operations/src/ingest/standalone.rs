//! Orders that need no turn: one call to a target, started as a standalone activity whose id is the order's, so that a
//! thousand of them run concurrently and none of them passes through an entity.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use interlock_client::standalone_activities::StandaloneStart;
use interlock_client::{EntityCallError, ServerError};
use interlock_connection::Installation;
use interlock_domain::catalog::PlanContext;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event::Event;
use interlock_domain::ids::{OrderId, TenantId, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::order::{OrderKey, Plan, Rejection};
use interlock_domain::routing::Priority as TenantPriority;
use interlock_fault::with_causes;
use tonic::Status;

/// An order that consists of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct StandaloneOrder {
    /// The event's type: it is stored with the activity, so that the order can be shown.
    pub event_type: String,
    /// The event's id.
    pub event_id: String,
    /// The call.
    pub request: ProvisionRequest,
    /// The task queue of the call.
    pub task_queue: String,
    namespace: String,
    priority: TenantPriority,
}

/// The standalone order of an event without ordering; none if its plan is more than one call, or has claims: then
/// its customer's entity runs it, at once and outside the lanes.
///
/// # Errors
/// The catalog's [`Rejection`], or `expired` if the event had expired when it arrived.
pub fn standalone_order(
    installation: &Installation,
    tenant: &TenantId,
    event: &Event,
    order: &OrderId,
) -> Result<Option<StandaloneOrder>, Rejection> {
    let accepted_at = now();
    let of_tenant = installation.routing.tenant(tenant);
    let context = PlanContext {
        tenant,
        customer: &event.subject,
        accepted_at,
        targets: &of_tenant.targets,
        holdings: &BTreeMap::new(),
        limits: &installation.settings.limits,
    };
    let plan = installation.catalog.plan(&context, event)?.plan;
    let occurred_at = OrderKey::new(event.time, None, accepted_at, order.clone()).occurred_at;
    let expires_at = expires_at(&plan, occurred_at, accepted_at)?;
    let [step] = plan.steps.as_slice() else { return Ok(None) };
    if !plan.claims.is_empty() {
        return Ok(None);
    }
    Ok(Some(StandaloneOrder {
        event_type: event.event_type.clone(),
        event_id: event.id.clone(),
        task_queue: installation.routing.provisioning_queue(&step.target),
        namespace: installation.routing.namespace(tenant).to_owned(),
        priority: installation.routing.priority(tenant),
        request: ProvisionRequest {
            tenant: tenant.clone(),
            customer: event.subject.clone(),
            order: order.clone(),
            step: step.name.clone(),
            target: step.target.clone(),
            operation: step.operation.clone(),
            data: step.data.clone(),
            idempotency_key: order.step_key(&step.name),
            epoch: None,
            epochs: BTreeMap::new(),
            unproven: Vec::new(),
            dispatch: 0,
            maybe_sent: false,
            proof: None,
            attempt_timeout_ms: step.attempt_timeout_ms,
            retry: step.retry,
            expires_at,
            priority: plan.priority,
            trace_parent: interlock_adapters::trace_context::outgoing().or(event.trace_parent),
        },
    }))
}

/// After what time the order is no longer worth doing; none if it always is.
fn expires_at(plan: &Plan, occurred_at: Timestamp, now: Timestamp) -> Result<Option<Timestamp>, Rejection> {
    let expires_at = plan.expires_after_ms.map(|after_ms| occurred_at.plus_ms(after_ms));
    if expires_at.is_some_and(|at| now >= at) {
        return Err(Rejection::new(ErrorCode::Expired, "The event had already expired when it arrived."));
    }
    Ok(expires_at)
}

impl StandaloneOrder {
    /// The namespace in which it is started.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Starts it. If it was started before, this changes nothing.
    ///
    /// # Errors
    /// [`EntityCallError`]; it may still have been started, and may be started again.
    pub async fn start(&self, installation: &Installation) -> Result<(), EntityCallError> {
        let id = self.request.order.to_string();
        let client = installation.client_for(&self.namespace).map_err(|fault| unsent(&id, fault.to_string()))?;
        let start = StandaloneStart {
            request: &self.request,
            task_queue: &self.task_queue,
            priority: &self.priority,
            event_type: &self.event_type,
            event_id: &self.event_id,
            with_tenant: installation.entities.has_search_attributes(&self.namespace).await,
            now: now(),
        };
        start.start(&client).await.map_err(|error| match error {
            ServerError::Refused(status) => EntityCallError::Refused { workflow_id: id, status },
            error => unsent(&id, with_causes(&error)),
        })
    }
}

fn unsent(id: &str, detail: String) -> EntityCallError {
    EntityCallError::Refused { workflow_id: id.to_owned(), status: Box::new(Status::unknown(detail)) }
}

pub(super) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_lives_as_long_as_the_catalog_says_from_when_it_happened() {
        let plan = |expires_after_ms| Plan {
            requires: Vec::new(),
            first_use: Vec::new(),
            catalog_digest: String::new(),
            urgent: false,
            priority: None,
            unordered: true,
            expires_after_ms,
            due_within_ms: None,
            late: interlock_domain::order::Late::Apply,
            claims: Vec::new(),
            steps: Vec::new(),
        };
        let expires = |expires_after_ms, occurred_at| {
            expires_at(&plan(expires_after_ms), Timestamp(occurred_at), Timestamp(10_000))
        };
        assert_eq!(expires(None, 0).unwrap(), None);
        assert_eq!(expires(Some(6_000), 9_000).unwrap(), Some(Timestamp(15_000)));
        assert_eq!(expires(Some(6_000), 4_001).unwrap(), Some(Timestamp(10_001)));
        assert_eq!(expires(Some(6_000), 4_000).unwrap_err().code, "expired");
    }
}
