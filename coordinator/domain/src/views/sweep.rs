//! The output of a sweep.

use serde::{Deserialize, Serialize};

use crate::error_code::ReasonCode;
use crate::ids::{OrderId, ResourceId, TargetId, TenantId};
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
}

/// A finding as it is shown; fields that do not apply are null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    /// A stable code: the reason for the alert.
    pub code: ReasonCode,
    /// Whose it is.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
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
            order_id: finding.order.clone(),
            resource: finding.resource.clone(),
            target: finding.target.clone(),
            since: finding.since.to_rfc3339(),
            detail: finding.detail.clone(),
            next: finding.cause.code().next().to_owned(),
        }
    }
}
