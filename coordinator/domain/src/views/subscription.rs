//! Subscriptions, as they are shown.

use serde::{Deserialize, Serialize};

use crate::ids::SubscriptionId;
use crate::subscription::{OutgoingFormat, SubscriptionSettings};
use crate::wire::{WireName, wire_words};

wire_words! {
    /// Where a subscription comes from.
    MadeBy {
        /// The settings.
        Settings = "settings",
        /// The tenant made it, by HTTP or on the command line.
        Tenant = "tenant",
    }
}

/// The body of `GET /v1/tenants/{tenant}/subscriptions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionList {
    /// The subscriptions, sorted by id.
    pub subscriptions: Vec<SubscriptionView>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionView {
    /// Its id.
    pub id: SubscriptionId,
    /// Where it comes from.
    #[cfg_attr(feature = "openapi", schema(value_type = MadeBy))]
    pub made_by: WireName<MadeBy>,
    /// The URL of its receiver. Absent if the settings have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
    /// How events are written.
    #[cfg_attr(feature = "openapi", schema(value_type = OutgoingFormat))]
    pub format: WireName<OutgoingFormat>,
    /// The target that is its receiver, and which events it gets.
    #[serde(flatten)]
    pub wants: SubscriptionSettings,
    /// When it was made, RFC 3339. Absent if the settings have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// The answer to a subscription that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionMade {
    /// The subscription.
    #[serde(flatten)]
    pub subscription: SubscriptionView,
    /// The key of its signatures, as Standard Webhooks writes it. Absent if the settings have no key for subscriptions: then nothing is
    /// signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
}
