//! What a chain asks, and what it is answered.

use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use serde::Deserialize;

/// What the chain wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inspection) enum Question {
    /// What an order waits for within its customer.
    Order { tenant: TenantId, order: OrderId },
    /// Who holds a resource, as this tenant means it.
    Resource { tenant: TenantId, resource: ResourceId },
    /// Why a customer keeps a lease.
    Keeps { tenant: TenantId, customer: CustomerId, resource: ResourceId },
}

impl Question {
    /// The tenant whose entity would answer.
    pub(in crate::inspection) fn tenant(&self) -> &TenantId {
        match self {
            Self::Order { tenant, .. } | Self::Resource { tenant, .. } | Self::Keeps { tenant, .. } => tenant,
        }
    }
}

/// What was answered.
#[derive(Debug, Clone)]
pub(in crate::inspection) enum Answer {
    /// The order's chain within its customer, itself first.
    Order(Vec<OrderLink>),
    /// The resource's state.
    Resource(ResourceState),
    /// Whether and why the customer keeps the lease.
    Keeps(Keeping),
    /// Whoever was asked does not know, or is not there.
    NeverSeen,
    /// Nobody answered: a stable code and a sentence.
    Unanswered { code: String, detail: String },
    /// Whoever asks may not ask that tenant.
    Forbidden,
}

/// One link of an order's chain within its customer, as the entity says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct OrderLink {
    pub order_id: Option<OrderId>,
    pub state: Option<String>,
    pub step: Option<String>,
    pub waits_for: Option<String>,
    pub resource: Option<ResourceId>,
    pub resources: Vec<ResourceId>,
    pub target: Option<String>,
    pub behind: Option<OrderId>,
    pub since: Option<String>,
    pub code: Option<String>,
    pub detail: Option<String>,
}

/// What of a resource's state matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct ResourceState {
    pub holder: Option<HolderState>,
    pub waiting_for: Option<String>,
    pub waiting_since: Option<String>,
}

/// Who holds a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct HolderState {
    pub customer_id: Option<CustomerId>,
    pub tenant_id: Option<TenantId>,
    pub party: Option<String>,
    pub since: Option<String>,
    pub orphaned_at: Option<String>,
}

/// Why a customer keeps a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct Keeping {
    pub holds: bool,
    pub since: Option<String>,
    pub order_id: Option<OrderId>,
    pub detail: Option<String>,
}
