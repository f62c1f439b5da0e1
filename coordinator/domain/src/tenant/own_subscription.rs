//! The subscriptions that a tenant makes itself, by HTTP or on the command line. Those in the settings are not here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{SubscriptionId, Timestamp};
use crate::subscription::{OutgoingFormat, Subscription, SubscriptionSettings};

/// The most subscriptions that a tenant may make itself.
pub const OWN_SUBSCRIPTIONS_MAX: usize = 20;
/// The longest URL of a receiver, in bytes.
pub const CALLBACK_BYTES_MAX: usize = 2_000;
/// The longest subscription, with its URL and its filters, in bytes of JSON. Every customer of the tenant learns all of them.
pub const OWN_SUBSCRIPTION_BYTES_MAX: usize = 4 * 1024;

/// A subscription that a tenant made itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSubscription {
    /// The URL of the receiver.
    pub callback: String,
    /// How events are written.
    #[serde(default)]
    pub format: OutgoingFormat,
    /// Its receiver as a target, and which events it gets.
    pub settings: SubscriptionSettings,
    /// Since when it exists. In a request to make it: when the request was made.
    pub since: Timestamp,
}

impl OwnSubscription {
    /// Its size, in bytes of JSON. What cannot be written, which no value is, is too large.
    pub(super) fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |json| json.len())
    }
}

/// The subscriptions that a tenant made itself.
pub type OwnSubscriptions = BTreeMap<SubscriptionId, OwnSubscription>;

/// The same, as the tenant's customers learn them.
pub fn as_known(own: &OwnSubscriptions) -> impl Iterator<Item = Subscription> {
    own.iter().map(|(id, of)| Subscription { id: id.clone(), settings: of.settings.clone() })
}
