//! Which tenants were off-boarded. The memo of a tenant's own workflow says so. Each process reads it at most every few seconds, and
//! only for a tenant that has events. This costs one describe call and no history.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use interlock_domain::ids::TenantId;
use interlock_domain::routing::Routing;
use interlock_workflows::names;
use temporalio_client::Client;

use crate::runs;
use crate::server_error::ServerError;

/// How long an answer is used.
pub(crate) const SEEN_FOR: Duration = Duration::from_secs(5);
/// The time limit of a check, since events wait for it.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// The most tenants that are remembered. If there are more, all are checked again.
const TENANTS_MAX: usize = 10_000;

/// The last known state of a tenant.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    closed: bool,
    at: Option<Instant>,
}

/// Knows which tenants are closed.
pub(crate) struct TenantGate {
    client: Client,
    routing: Arc<Routing>,
    /// One lock for each tenant: concurrent callers for the same tenant wait for its check, and others do not.
    seen: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<Seen>>>>,
}

impl TenantGate {
    pub(crate) fn new(client: Client, routing: Arc<Routing>) -> Self {
        Self { client, routing, seen: Mutex::default() }
    }

    /// Whether a tenant's new events are rejected. A tenant without a workflow is open. If the check fails, the last known state is
    /// used.
    pub(crate) async fn is_closed(&self, tenant: &TenantId) -> bool {
        let seen = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= TENANTS_MAX && !all.contains_key(tenant) {
                all.clear();
            }
            Arc::clone(all.entry(tenant.clone()).or_default())
        };
        let mut seen = seen.lock().await;
        if seen.at.is_some_and(|at| at.elapsed() < SEEN_FOR) {
            return seen.closed;
        }
        match tokio::time::timeout(LOOK_LIMIT, self.look(tenant)).await {
            Ok(Ok(closed)) => seen.closed = closed,
            Ok(Err(error)) => tracing::warn!(%tenant, status = %error, "cannot tell whether a tenant is closed"),
            Err(_) => tracing::warn!(%tenant, "no response in time on whether a tenant is closed"),
        }
        seen.at = Some(Instant::now());
        seen.closed
    }

    async fn look(&self, tenant: &TenantId) -> Result<bool, ServerError> {
        let route = self.routing.tenant_entity(tenant);
        let Some(described) = runs::describe(&self.client, &route.namespace, &route.workflow_id).await? else {
            return Ok(false);
        };
        Ok(described.memo_value(&self.client, names::MEMO_REFUSES_EVENTS).await?.unwrap_or(false))
    }
}
