//! What a person's action would do: the answer to `?preview=true`, and the output of `--preview`.

use serde::{Deserialize, Serialize};

use crate::customer::WaitView;
use crate::error_code::ReasonCode;
use crate::ids::{CustomerId, OrderId, ResourceId, TargetId};
use crate::order::OrderState;
use crate::target_entity::{Limit, TargetStateName};
use crate::wire::{WireName, wire_words};

wire_words! {
    /// What would happen.
    ForecastWhat {
        /// A target would be called.
        Call = "call",
        /// A lease would be granted.
        Granted = "granted",
        /// A lease would come back.
        Released = "released",
        /// An order would end.
        Ended = "ended",
        /// A target would change its state.
        Target = "target",
    }
}

/// What an action would do. Nothing was sent, and nothing has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionForecast {
    /// Always true: this is a forecast, not the result of an action.
    pub forecast: bool,
    /// The name of the action.
    pub action: String,
    /// Whether this action id was already applied, so that nothing would change.
    #[serde(default)]
    pub repeated: bool,
    /// What would happen, in its order.
    #[serde(default)]
    pub next: Vec<ForecastEvent>,
    /// Whether more would happen than `next` has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_off: bool,
    /// The orders to which something would happen, the one that is acted on first.
    #[serde(default)]
    pub orders: Vec<ForecastOrder>,
    /// The resources whose holder would change, or that are acted on.
    #[serde(default)]
    pub resources: Vec<ForecastResource>,
    /// The target that is acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ForecastTarget>,
    /// What the forecast takes for granted, in sentences.
    #[serde(default)]
    pub assumes: Vec<String>,
    /// What the forecast does not know, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

impl ActionForecast {
    /// The forecast of an action that does nothing more.
    pub fn of_nothing(action: &str, repeated: bool) -> Self {
        Self {
            forecast: true,
            action: action.to_owned(),
            repeated,
            next: Vec::new(),
            cut_off: false,
            orders: Vec::new(),
            resources: Vec::new(),
            target: None,
            assumes: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

/// One thing that would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForecastEvent {
    /// What.
    #[cfg_attr(feature = "openapi", schema(value_type = ForecastWhat))]
    pub what: WireName<ForecastWhat>,
    /// How long after the action at the earliest, in milliseconds; 0 if nothing has to be waited for but answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after_ms: u64,
    /// The customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// The step of the order that calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The operation of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The state that the order or the target would then have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An order before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForecastOrder {
    /// The order.
    pub order_id: OrderId,
    /// Its customer.
    pub customer_id: CustomerId,
    /// Its state now; absent if it does not exist yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<OrderState>))]
    pub now: Option<WireName<OrderState>>,
    /// Its state when nothing more would happen by itself; absent if it is no longer known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<OrderState>))]
    pub then: Option<WireName<OrderState>>,
    /// What it would then wait for; null if it has ended.
    #[serde(default)]
    pub waits_for: Option<WaitView>,
    /// The stable code of how it would end, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ReasonCode>,
}

/// A resource before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForecastResource {
    /// The resource.
    pub resource: ResourceId,
    /// Who has it now.
    pub now: ForecastHolder,
    /// Who would then have it.
    pub then: ForecastHolder,
    /// How many would then wait for it.
    pub waiting: usize,
}

/// Who has a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForecastHolder {
    /// Whether anybody has it.
    pub held: bool,
    /// The customer; null if nobody has it, if only a target knows who, or if it is a customer of another tenant.
    #[serde(default)]
    pub customer_id: Option<CustomerId>,
}

/// A target before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForecastTarget {
    /// The target.
    pub target: TargetId,
    /// Its state now.
    #[cfg_attr(feature = "openapi", schema(value_type = TargetStateName))]
    pub now: WireName<TargetStateName>,
    /// Its state when nothing more would happen by itself.
    #[cfg_attr(feature = "openapi", schema(value_type = TargetStateName))]
    pub then: WireName<TargetStateName>,
    /// The limit then, in requests per second; null if there is none.
    #[serde(default)]
    pub limit: Limit,
    /// Until when it would be paused or in maintenance, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}
