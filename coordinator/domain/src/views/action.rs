//! The results of a person's actions: as entities return them, and as the caller gets them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action_log::ActionObject;
use crate::action_words::Refusal;
use crate::customer::{ActionDone, ListedOrder, OrderView};
use crate::error_code::ReasonCode;
use crate::ids::{OrderId, ResourceId, TargetId, TenantId};
use crate::order::OrderState;
use crate::resource::ResourceView;
use crate::target_entity::{TargetActionDone, TargetStateName, TargetView};
use crate::tenant::{TenantActionDone, TenantState, TenantView};
use crate::views::ActionForecast;
use crate::wire::WireName;

/// The result of an action on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionTaken {
    /// The order.
    pub order_id: OrderId,
    /// The action's id.
    pub action_id: String,
    /// The order's state after the action.
    #[cfg_attr(feature = "openapi", schema(value_type = OrderState))]
    pub state: WireName<OrderState>,
    /// Whether this action id was already applied, so that nothing changed.
    #[serde(default)]
    pub repeated: bool,
}

/// An action that a second person confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionConfirmed {
    /// The name of its entry in the list of actions.
    pub entry: String,
    /// The kind of thing that it is on.
    #[cfg_attr(feature = "openapi", schema(value_type = ActionObject))]
    pub on: WireName<ActionObject>,
    /// The thing.
    pub id: String,
    /// The action.
    pub action: String,
    /// The action's id.
    pub action_id: String,
    /// Who proposed it.
    pub actor: String,
    /// Who confirmed it.
    pub confirmed_by: String,
    /// The state of the thing after the action.
    pub state: String,
}

/// The answer of a customer entity to an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OrderActionAnswer {
    /// It was taken.
    Taken {
        /// The result.
        done: ActionDone,
    },
    /// It was refused.
    Refused {
        /// Why.
        refused: Refusal,
    },
}

/// The result for one of many orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BulkResult {
    /// The action was taken.
    Taken(ActionTaken),
    /// It was refused.
    Refused {
        /// The order.
        order_id: OrderId,
        /// The action's id.
        action_id: String,
        /// A stable code.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
    },
}

/// The forecast for one of many orders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BulkPreview {
    /// What would happen.
    Foreseen(Box<ActionForecast>),
    /// It would be refused.
    Refused {
        /// The order.
        order_id: OrderId,
        /// A stable code.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
    },
}

/// What an amendment would change: the names of arguments, by step. Their values are personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AmendmentView(pub BTreeMap<String, Vec<String>>);

/// What an action would do with one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForetoldAction {
    /// The order.
    pub order_id: OrderId,
    /// The name of the action.
    pub would: String,
    /// The order's present state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ForetoldOrder>,
    /// For an amendment: the arguments that it changes, by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended: Option<AmendmentView>,
    /// A stable code, if it would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ReasonCode>,
    /// The reason as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The state of an order before an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ForetoldOrder {
    /// As its customer lists it.
    Listed(Box<ListedOrder>),
    /// Its full view.
    Shown(Box<OrderView>),
}

/// The result of a forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForceTaken {
    /// The resource.
    pub resource: ResourceId,
    /// The action's id.
    pub action_id: String,
    /// The resource's state after the action: the body of `GET …/resources/{kind}/{id}`.
    pub state: ResourceView,
    /// Whether this action id was already applied, so that nothing changed.
    #[serde(default)]
    pub repeated: bool,
}

/// The answer of a resource entity to an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceActionAnswer {
    /// Its state after the action.
    pub state: ResourceView,
    /// For a forced release: whether this action id was already taken, and nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<bool>,
    /// Whether the resource was released.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// Whether the result is not known yet: the run ended meanwhile, and the next one must be asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
}

/// The result of an action on a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetActionTaken {
    /// The target.
    pub target: TargetId,
    /// The action's id.
    pub action_id: String,
    /// The target's state after the action.
    #[cfg_attr(feature = "openapi", schema(value_type = TargetStateName))]
    pub state: WireName<TargetStateName>,
    /// Whether this action id was already applied, so that nothing changed.
    #[serde(default)]
    pub repeated: bool,
    /// The view of the target.
    pub view: TargetView,
}

/// The answer of a target entity to an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetActionAnswer {
    /// It was taken.
    Taken {
        /// The result.
        done: TargetActionDone,
        /// The target after it.
        target: Box<TargetView>,
    },
    /// It was refused.
    Refused {
        /// Why.
        refused: Refusal,
    },
}

/// The result of an action on a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantActionTaken {
    /// The tenant.
    pub tenant: TenantId,
    /// The action's id.
    pub action_id: String,
    /// The tenant's state after the action.
    #[cfg_attr(feature = "openapi", schema(value_type = TenantState))]
    pub state: WireName<TenantState>,
    /// Whether this action id was already applied, so that nothing changed.
    #[serde(default)]
    pub repeated: bool,
    /// The view of the tenant.
    pub view: TenantView,
}

/// The answer of a tenant's workflow to an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TenantActionAnswer {
    /// It was taken.
    Taken {
        /// The result.
        done: TenantActionDone,
        /// The tenant after it.
        tenant: Box<TenantView>,
    },
    /// It was refused.
    Refused {
        /// Why.
        refused: Refusal,
    },
}
