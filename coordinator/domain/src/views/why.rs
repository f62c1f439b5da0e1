//! Why an order waits, across customers and resources.

use serde::{Deserialize, Serialize};

use crate::customer::PausedWhat;
use crate::customer::waiting::WaitKind;
use crate::error_code::ReasonCode;
use crate::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId};
use crate::order::OrderState;
use crate::target_entity::TargetStateName;
use crate::wire::WireName;

/// Why an order waits: the body of `GET …/orders/{order_id}/why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Why {
    /// The chain, starting with the order itself.
    #[serde(default)]
    pub chain: Vec<Link>,
    /// Whether the chain contains a cycle.
    #[serde(default)]
    pub ring: bool,
    /// Whether the chain was too long to be followed to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_off: bool,
}

/// One link of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Link {
    /// Distance from the requested order; a link waits for the links below it that are one level deeper.
    pub depth: usize,
    /// The tenant of the order, or of the customer.
    pub tenant_id: TenantId,
    /// The customer.
    #[serde(default)]
    pub customer_id: Option<CustomerId>,
    /// The order that waits; null if the waiting party is not an order.
    #[serde(default)]
    pub order_id: Option<OrderId>,
    /// The order's state.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<OrderState>))]
    pub state: Option<WireName<OrderState>>,
    /// The step that waits.
    #[serde(default)]
    pub step: Option<String>,
    /// What it waits for: among others `event` (an event that has not arrived), `unanswered` or `forbidden` (what it waits for
    /// could not be queried); null if the order has ended.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<WaitKind>))]
    pub waits_for: Option<WireName<WaitKind>>,
    /// The resource whose lease is waited for.
    #[serde(default)]
    pub resource: Option<ResourceId>,
    /// The holder of that resource: a customer, or the name under which a target knows the holder.
    #[serde(default)]
    pub holder: Option<String>,
    /// The target.
    #[serde(default)]
    pub target: Option<TargetId>,
    /// If it waits for the target, the target's state: `closed` (it is called), `open` or `probing` (it is down),
    /// `ramping`, `maintenance` or `paused`; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TargetStateName>))]
    pub target_state: Option<WireName<TargetStateName>>,
    /// What an operator paused in Temporal, if that is why it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<PausedWhat>))]
    pub paused: Option<WireName<PausedWhat>>,
    /// When the customer's workflow was reset, if it waits for a lease that is in doubt because of the reset, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<String>,
    /// Start of the wait, RFC 3339.
    #[serde(default)]
    pub since: Option<String>,
    /// A stable code, if it is held or was not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ReasonCode>,
    /// An explanation in one or more sentences.
    #[serde(default)]
    pub detail: Option<String>,
    /// What to do next, if all links above wait for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether it is part of a cycle of orders that wait for each other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_ring: bool,
}

impl Link {
    /// The kind of wait, if this build knows it; none also if the order has ended.
    pub fn wait(&self) -> Option<WaitKind> {
        self.waits_for.as_ref().and_then(WireName::known)
    }
}
