//! Which tenants were off-boarded, and which subscriptions they made themselves. The memo of a tenant's own workflow says so. Each process
//! reads it at most every few seconds, and only for a tenant that has events. This costs one describe call and no history.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use interlock_domain::ids::TenantId;
use interlock_domain::routing::Routing;
use interlock_domain::tenant::OwnSubscriptions;
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

/// What a tenant's own workflow says of it. A tenant without one is open, and made no subscriptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantNews {
    /// Whether its new events are rejected.
    pub is_closed: bool,
    /// The subscriptions that it made itself.
    pub subscriptions: Arc<OwnSubscriptions>,
}

/// The last known state of a tenant.
#[derive(Debug, Clone, Default)]
struct Seen {
    news: TenantNews,
    at: Option<Instant>,
}

/// Knows what tenants' own workflows say.
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

    /// What a tenant's own workflow says. If the check fails, the last known state is used.
    pub(crate) async fn news(&self, tenant: &TenantId) -> TenantNews {
        let seen = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= TENANTS_MAX && !all.contains_key(tenant) {
                all.clear();
            }
            Arc::clone(all.entry(tenant.clone()).or_default())
        };
        let mut seen = seen.lock().await;
        if seen.at.is_some_and(|at| at.elapsed() < SEEN_FOR) {
            return seen.news.clone();
        }
        match tokio::time::timeout(LOOK_LIMIT, self.look(tenant)).await {
            Ok(Ok(news)) => seen.news = news,
            Ok(Err(error)) => tracing::warn!(%tenant, status = %error, "cannot tell whether a tenant is closed"),
            Err(_) => tracing::warn!(%tenant, "no response in time on whether a tenant is closed"),
        }
        seen.at = Some(Instant::now());
        seen.news.clone()
    }

    /// The same, as it is now.
    pub(crate) async fn look(&self, tenant: &TenantId) -> Result<TenantNews, ServerError> {
        let route = self.routing.tenant_entity(tenant);
        let Some(described) = runs::describe(&self.client, &route.namespace, &route.workflow_id).await? else {
            return Ok(TenantNews::default());
        };
        let is_closed = described.memo_value(&self.client, names::MEMO_REFUSES_EVENTS).await?.unwrap_or(false);
        let subscriptions = described.memo_value(&self.client, names::MEMO_SUBSCRIPTIONS).await?.unwrap_or_default();
        Ok(TenantNews { is_closed, subscriptions: Arc::new(subscriptions) })
    }
}
