//! Lists of open orders, of targets and of tenants, including those that did not answer.

use serde::{Deserialize, Serialize};

use crate::customer::ListedOrder;
use crate::error_code::ReasonCode;
use crate::ids::{CustomerId, TargetId, TenantId};
use crate::target_entity::TargetView;
use crate::tenant::TenantView;

/// A page of open orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderPage {
    /// The orders. The orders of one customer are sorted by order key, the customers by the start of their entities'
    /// runs, newest first; standalone orders (`stands_alone`) come last, newest first.
    #[serde(default)]
    pub orders: Vec<ListedOrder>,
    /// Cursor of the next page; null at the end. A page may be short or even empty without being the last one.
    #[serde(default)]
    pub next_cursor: Option<String>,
    /// Customers whose entities did not answer: their orders are missing from this page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<Unanswered>,
}

/// A customer whose entity did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unanswered {
    /// The customer.
    pub customer_id: CustomerId,
    /// A stable code.
    pub code: ReasonCode,
    /// The reason as a sentence.
    pub detail: String,
}

/// Why a customer, target or tenant did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhyUnanswered {
    /// A stable code.
    pub code: ReasonCode,
    /// The reason as a sentence.
    pub detail: String,
}

/// Targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetList {
    /// Each as in `GET /v1/targets/{name}`; for a target that does not answer, its name, and the reason in
    /// `unanswered`.
    pub targets: Vec<TargetListed>,
}

/// A target in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum TargetListed {
    /// It answered.
    Answered(Box<TargetView>),
    /// It did not.
    Unanswered(TargetUnanswered),
}

/// A target that did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetUnanswered {
    /// The target.
    pub target: TargetId,
    /// Null: it is not known.
    #[serde(default)]
    pub state: (),
    /// Why it did not answer.
    pub unanswered: WhyUnanswered,
}

impl TargetListed {
    /// The target.
    pub fn target(&self) -> &TargetId {
        match self {
            Self::Answered(view) => &view.target,
            Self::Unanswered(unanswered) => &unanswered.target,
        }
    }

    /// A target that did not answer.
    pub fn unanswered(target: TargetId, why: WhyUnanswered) -> Self {
        Self::Unanswered(TargetUnanswered { target, state: (), unanswered: why })
    }
}

/// Tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantList {
    /// The tenants; for one that does not answer, its name, and the reason in `unanswered`.
    pub tenants: Vec<TenantListed>,
}

/// A tenant in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum TenantListed {
    /// It answered.
    Answered(Box<TenantView>),
    /// It did not.
    Unanswered(TenantUnanswered),
}

/// A tenant whose workflow did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantUnanswered {
    /// The tenant.
    pub tenant: TenantId,
    /// Null: it is not known.
    #[serde(default)]
    pub state: (),
    /// Why it did not answer.
    pub unanswered: WhyUnanswered,
}

impl TenantListed {
    /// A tenant that did not answer.
    pub fn unanswered(tenant: TenantId, why: WhyUnanswered) -> Self {
        Self::Unanswered(TenantUnanswered { tenant, state: (), unanswered: why })
    }
}
