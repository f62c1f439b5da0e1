//! The share of a tenant: Temporal's fairness key and weight.

use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

/// The tariff of a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantPlan {
    /// Weight 1.
    #[default]
    Free,
    /// Weight 3.
    Pro,
    /// Weight 10.
    Enterprise,
}

impl TenantPlan {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Free, Self::Pro, Self::Enterprise];

    /// The fairness weight.
    pub fn weight(self) -> f32 {
        match self {
            Self::Free => 1.0,
            Self::Pro => 3.0,
            Self::Enterprise => 10.0,
        }
    }

    /// The plan as written in settings and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }
}

/// The priority of a workflow or an activity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Priority {
    /// The tenant's id as written; at most 64 bytes, as Temporal requires, because its encoded form is.
    pub fairness_key: String,
    /// The weight of the tenant's plan.
    pub fairness_weight: f32,
}

impl Priority {
    /// The priority of a tenant with this plan.
    pub fn of(tenant: &TenantId, plan: TenantPlan) -> Self {
        Self { fairness_key: tenant.as_str().to_owned(), fairness_weight: plan.weight() }
    }
}
