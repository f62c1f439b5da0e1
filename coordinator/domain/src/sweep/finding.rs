//! What a sweep finds.

use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;
use crate::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId, Timestamp};

/// Why something is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An open order is past its due time.
    OrderOverdue,
    /// Orders wait for a lease whose holder's entity does not run.
    HolderNotRunning,
    /// Orders wait at a resource whose entity does not run.
    ResourceNotRunning,
    /// An order waits for a lease, and the resource has no ticket of it.
    TicketForgotten,
    /// Orders wait for each other.
    RingOfWaits,
    /// A target has not been called for a long time.
    TargetParked,
    /// A resource and a customer have disagreed about a lease for longer than messages take. It is reported only in the part about
    /// leases, which earlier builds do not read.
    LeaseDiffers,
    /// Two customers hold one resource. It is reported in the same part.
    ResourceHeldTwice,
    /// No worker executes the run behind an entity's workflow id. It is reported only in the part about such runs, which earlier builds do
    /// not read.
    RunMisplaced,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OrderOverdue,
        Self::HolderNotRunning,
        Self::ResourceNotRunning,
        Self::TicketForgotten,
        Self::RingOfWaits,
        Self::TargetParked,
        Self::LeaseDiffers,
        Self::ResourceHeldTwice,
        Self::RunMisplaced,
    ];

    /// The causes in the part about waits, which every build reads.
    pub const OF_WAITS: [Self; 6] = [
        Self::OrderOverdue,
        Self::HolderNotRunning,
        Self::ResourceNotRunning,
        Self::TicketForgotten,
        Self::RingOfWaits,
        Self::TargetParked,
    ];

    /// The stable code of its alert; as text also its label in metrics.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::OrderOverdue => ErrorCode::OrderOverdue,
            Self::HolderNotRunning => ErrorCode::HolderNotRunning,
            Self::ResourceNotRunning => ErrorCode::ResourceNotRunning,
            Self::TicketForgotten => ErrorCode::TicketForgotten,
            Self::RingOfWaits => ErrorCode::RingOfWaits,
            Self::TargetParked => ErrorCode::TargetParked,
            Self::LeaseDiffers => ErrorCode::LeaseDiffers,
            Self::ResourceHeldTwice => ErrorCode::ResourceHeldTwice,
            Self::RunMisplaced => ErrorCode::RunMisplaced,
        }
    }
}

/// One thing that a sweep found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Why it is reported.
    pub cause: Cause,
    /// The tenant; none for a target, which belongs to no tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The customer, if it is about no single order of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The order that waits; for a ring, the one with the smallest id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// Since when.
    pub since: Timestamp,
    /// A sentence for a person.
    pub detail: String,
}

impl Finding {
    /// What identifies it in the next sweep: cause, tenant, and what it is about.
    pub fn key(&self) -> String {
        let tenant = self.tenant.as_ref().map(TenantId::encoded).unwrap_or_default();
        let about = match (&self.order, &self.resource, &self.target) {
            // The resource for which an order waits may change while the order stays overdue.
            (Some(order), ..) => order.to_string(),
            (None, Some(resource), _) => resource.to_string(),
            (None, None, Some(target)) => target.to_string(),
            (None, None, None) => self.customer.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        format!("{} {tenant} {about}", self.cause.code())
    }

    /// The entities that must answer before it counts as over: `TENANT CUSTOMER`, `TENANT KIND/ID`, ` TARGET`.
    pub(super) fn subjects(&self) -> impl Iterator<Item = String> {
        let tenant = self.tenant.as_ref().map_or("", TenantId::as_str);
        let customer = self.order.as_ref().map(|order| format!("{tenant} {}", order.customer()));
        let resource = self.resource.as_ref().map(|resource| format!("{tenant} {resource}"));
        let target = self.target.as_ref().map(|target| format!(" {target}"));
        [customer, resource, target].into_iter().flatten()
    }
}
