//! The activity that delivers events: its input and its answer.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OutgoingEvent;
use crate::ids::{CustomerId, SubscriptionId, TargetId, TenantId, Timestamp};
use crate::subscription::Subscription;

/// Events of one customer for one subscription, to be delivered in this order. The input of the activity `deliver`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingBatch {
    /// The tenant.
    pub tenant: TenantId,
    /// The customer.
    pub customer: CustomerId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The target that is the receiver.
    pub target: TargetId,
    /// The events, oldest first.
    pub events: Vec<OutgoingEvent>,
    /// How often batches of this subscription were scheduled before with this first event.
    pub dispatch: u32,
    /// What the answer must repeat, which tells it from a result that an operator entered in Temporal.
    pub proof: Uuid,
}

/// A request that a receiver is told again how orders ended: the argument of the signal `tell_again` of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellAgain {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// From when on, in milliseconds since 1970.
    pub since: Timestamp,
    /// All subscriptions of the tenant.
    pub subscriptions: Vec<Subscription>,
}

/// The answer of the activity `deliver`: the receiver has taken the whole batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAnswer {
    /// The proof of the batch.
    pub proof: Uuid,
}
