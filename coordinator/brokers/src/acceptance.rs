//! Accepting one event.

use async_trait::async_trait;
use interlock_domain::event_result::EventResult;
use interlock_domain::ids::TenantId;
use interlock_operations::ingest::Ingest;
use serde_json::Value;

/// Accepts events.
#[async_trait]
pub trait Acceptance: Send + Sync {
    /// Accepts an event, or says why not. Accepting it again changes nothing.
    async fn accept(&self, event: Value) -> EventResult;
}

/// Accepts the events of one tenant.
pub struct OfTenant {
    ingest: Ingest,
    tenant: TenantId,
}

impl OfTenant {
    /// All events are this tenant's.
    pub fn new(ingest: Ingest, tenant: TenantId) -> Self {
        Self { ingest, tenant }
    }
}

#[async_trait]
impl Acceptance for OfTenant {
    async fn accept(&self, event: Value) -> EventResult {
        self.ingest.one(&self.tenant, event).await
    }
}
