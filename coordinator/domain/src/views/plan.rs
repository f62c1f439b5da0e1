//! What an event would do: the body of `POST …/plan`, and the output of `interlock plan`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::customer::WaitView;
use crate::error_code::ReasonCode;
use crate::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId};
use crate::order::{ClaimMode, OnFailure, OrderState};
use crate::order_parts::ClaimStateName;
use crate::target_entity::TargetStateName;
use crate::wire::{WireName, wire_words};

wire_words! {
    /// What becomes of an event at once.
    Verdict {
        /// It makes an order.
        Accepted = "accepted",
        /// It is known: nothing happens.
        Duplicate = "duplicate",
        /// It ends as rejected, for the reason in `code` and `detail`.
        Rejected = "rejected",
    }
}

wire_words! {
    /// What a claim would find.
    ClaimOutlook {
        /// The customer has the lease already.
        Held = "held",
        /// The lease is free.
        Granted = "granted",
        /// A target is first asked who is registered.
        LookUp = "look_up",
        /// Others are before it.
        Queued = "queued",
        /// To a release: another customer holds the resource.
        NotHolder = "not_holder",
        /// The queue of the resource is full.
        QueueFull = "queue_full",
        /// The resource did not answer.
        Unanswered = "unanswered",
    }
}

/// What an event would do. Nothing is sent, and nothing changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanView {
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The customer whose order it makes.
    pub customer_id: CustomerId,
    /// The order that it makes.
    pub order_id: OrderId,
    /// What becomes of it at once.
    #[cfg_attr(feature = "openapi", schema(value_type = Verdict))]
    pub verdict: WireName<Verdict>,
    /// The stable code of a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ReasonCode>,
    /// A sentence about the verdict, if it is not `accepted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether it takes no turn and claims nothing, so that it needs no customer entity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stands_alone: bool,
    /// The first 16 hex digits of the SHA-256 of the catalog that planned it.
    pub catalog_digest: String,
    /// The resources that it claims.
    #[serde(default)]
    pub claims: Vec<PlannedClaimView>,
    /// The resources that the customer must have before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<ResourceId>,
    /// What it would wait for right after its acceptance; null if it would end at once.
    #[serde(default)]
    pub waits_for: Option<WaitView>,
    /// Its steps, in the order of their calls.
    #[serde(default)]
    pub steps: Vec<PlannedStepView>,
    /// How it would end, if every call succeeded and every lease came; absent if it makes no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<PlannedEnd>,
    /// The order of the other customer, if the event makes two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub passed_on: Option<Box<PlanView>>,
    /// What this forecast does not know, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// A claim of a planned order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedClaimView {
    /// The resource.
    pub resource: ResourceId,
    /// What is wanted of it.
    #[cfg_attr(feature = "openapi", schema(value_type = ClaimMode))]
    pub mode: WireName<ClaimMode>,
    /// What the claim would find.
    #[cfg_attr(feature = "openapi", schema(value_type = ClaimOutlook))]
    pub outlook: WireName<ClaimOutlook>,
    /// Who has the resource now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<AheadView>,
    /// Who is in its queue before this order, next first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<AheadView>,
    /// Why the resource did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Somebody who has a resource, or waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AheadView {
    /// The tenant; absent if only a target knows the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The customer; null if only a target knows the holder, or the caller may not see it.
    pub customer_id: Option<CustomerId>,
    /// The order; null if there is none, or the caller may not see it.
    pub order_id: Option<OrderId>,
    /// Since when, RFC 3339.
    pub since: String,
}

/// A step of a planned order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedStepView {
    /// The step's name within the order.
    pub name: String,
    /// The target.
    pub target: TargetId,
    /// The state of the target; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TargetStateName>))]
    pub target_state: Option<WireName<TargetStateName>>,
    /// The adapter operation.
    pub operation: String,
    /// The steps of the order that must have ended before it.
    #[serde(default)]
    pub after: Vec<String>,
    /// The resources whose leases protect it.
    #[serde(default)]
    pub resources: Vec<ResourceId>,
    /// Whether its call would start at once.
    pub at_once: bool,
    /// Whether the order would make the call. If not, it would be skipped, or something else comes first.
    pub called: bool,
    /// The key of its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub idempotency_key: Option<Uuid>,
    /// What happens if it fails for good.
    #[cfg_attr(feature = "openapi", schema(value_type = OnFailure))]
    pub on_failure: WireName<OnFailure>,
    /// The operation that undoes it if the order is aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<String>,
    /// The requests of one attempt, if the target answers as expected. Where a value is not known yet there is its name in braces, for
    /// example `{epoch}`.
    #[serde(default)]
    pub requests: Vec<RequestView>,
    /// Why the requests are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_unknown: Option<String>,
}

/// A request that a target would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestView {
    /// The HTTP method.
    pub method: String,
    /// The URL, with its query.
    pub url: String,
    /// The headers. The value of a header with credentials is `[hidden]`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, or a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub body: Option<Value>,
    /// Whether it only reads.
    pub reads: bool,
    /// When it is sent, if not always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if: Option<String>,
}

/// How a planned order would end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedEnd {
    /// Its state then.
    #[cfg_attr(feature = "openapi", schema(value_type = OrderState))]
    pub state: WireName<OrderState>,
    /// A stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it would still wait for, if only a person can help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitView>,
    /// How its claims stand then.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, ClaimStateName>))]
    pub claims: BTreeMap<ResourceId, WireName<ClaimStateName>>,
}
