//! The output of a sweep.

use serde::{Deserialize, Serialize};

use crate::error_code::ReasonCode;
use crate::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId};
use crate::sweep::Finding;

/// The output of `interlock sweep`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepView {
    /// What is worth an alert.
    #[serde(default)]
    pub findings: Vec<FindingView>,
    /// Who did not answer: `TENANT CUSTOMER`, `TENANT KIND/ID`, or a target's name after a space.
    #[serde(default)]
    pub unanswered: Vec<String>,
    /// How many orders were not asked whether they wait for each other, because there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rings_left_out: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A finding as it is shown; fields that do not apply are null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    /// A stable code: the reason for the alert.
    pub code: ReasonCode,
    /// Whose it is.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The customer, if it is about no single order of it.
    #[serde(default)]
    pub customer_id: Option<CustomerId>,
    /// The order.
    #[serde(default)]
    pub order_id: Option<OrderId>,
    /// The resource.
    #[serde(default)]
    pub resource: Option<ResourceId>,
    /// The target.
    #[serde(default)]
    pub target: Option<TargetId>,
    /// Since when, RFC 3339.
    pub since: String,
    /// A sentence for a person.
    pub detail: String,
    /// What to do next.
    pub next: String,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.cause.code().into(),
            tenant_id: finding.tenant.clone(),
            customer_id: finding.customer.clone(),
            order_id: finding.order.clone(),
            resource: finding.resource.clone(),
            target: finding.target.clone(),
            since: finding.since.to_rfc3339(),
            detail: finding.detail.clone(),
            next: finding.cause.code().next().to_owned(),
        }
    }
}
