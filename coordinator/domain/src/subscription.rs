//! Who is told of what happens to a tenant's orders.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, SubscriptionId, TargetId, TenantId, decode_part};
use crate::order::OrderState;
use crate::wire::wire_words;

wire_words! {
    /// The type of an event for subscribers: the `type` of its CloudEvent.
    OutgoingType {
        /// The order has a plan, and its place in all queues.
        OrderAcknowledged = "interlock.order.acknowledged",
        /// The order waits for a person.
        OrderHeld = "interlock.order.held",
        /// Every step had its effect.
        OrderCompleted = "interlock.order.completed",
        /// Some steps were skipped.
        OrderPartial = "interlock.order.partial",
        /// The order was aborted.
        OrderFailed = "interlock.order.failed",
        /// The order ended, and nothing took effect.
        OrderCancelled = "interlock.order.cancelled",
        /// The event was rejected.
        OrderRejected = "interlock.order.rejected",
        /// A younger order of the customer had already replaced it.
        OrderSuperseded = "interlock.order.superseded",
        /// The order has not ended by the time at which it should be done.
        OrderOverdue = "interlock.order.overdue",
        /// The customer got the lease of a resource.
        LeaseGranted = "interlock.lease.granted",
        /// The customer gave the lease of a resource back.
        LeaseReleased = "interlock.lease.released",
        /// More events waited for this receiver than a customer keeps: the oldest were dropped.
        EventsLost = "interlock.events.lost",
        /// A person tests whether the receiver takes events.
        SubscriptionTest = "interlock.subscription.test",
    }
}

wire_words! {
    /// How events are written.
    OutgoingFormat {
        /// A CloudEvent in structured JSON.
        CloudEvents = "cloudevents",
        /// A CloudEvent in binary mode.
        CloudEventsBinary = "cloudevents_binary",
        /// An event of TMF641.
        Tmf641 = "tmf641",
        /// A status for PortaOne's ESPF.
        Espf = "espf",
    }
}

#[allow(clippy::derivable_impls, reason = "the macro makes the variants")]
impl Default for OutgoingFormat {
    fn default() -> Self {
        Self::CloudEvents
    }
}

impl OutgoingType {
    /// The type for an order that ended in this state. `None` if the state is not terminal.
    pub fn of_end(state: OrderState) -> Option<Self> {
        Some(match state {
            OrderState::Completed => Self::OrderCompleted,
            OrderState::Partial => Self::OrderPartial,
            OrderState::Failed => Self::OrderFailed,
            OrderState::Cancelled => Self::OrderCancelled,
            OrderState::Rejected => Self::OrderRejected,
            OrderState::Superseded => Self::OrderSuperseded,
            OrderState::Acknowledged | OrderState::Pending | OrderState::InProgress | OrderState::Held => return None,
        })
    }

    /// Whether it is about an order.
    pub fn is_of_order(self) -> bool {
        !matches!(self, Self::LeaseGranted | Self::LeaseReleased | Self::EventsLost | Self::SubscriptionTest)
    }

    /// The last part of its name: the state of an order, e.g. `completed`.
    pub fn state(self) -> &'static str {
        self.as_str().rsplit('.').next().unwrap_or_default()
    }
}

/// `[tenants.NAME.subscriptions.NAME]`: who is told of outcomes, and of which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// The target that receives the events: one with `adapter = "webhook"`.
    pub target: TargetId,
    /// The types of the events that it gets, e.g. `interlock.order.completed`. Default: all that are about orders.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub types: BTreeSet<OutgoingType>,
    /// Only orders made by events of these types, e.g. `number.assigned`. Default: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub event_types: BTreeSet<String>,
    /// Only orders with a step at one of these targets. Default: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<TargetId>))]
    pub step_targets: BTreeSet<TargetId>,
    /// Only these customers. Default: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<CustomerId>))]
    pub customers: BTreeSet<CustomerId>,
}

/// A subscription, as a customer's entity knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id, unique in its tenant.
    pub id: SubscriptionId,
    /// The rest.
    #[serde(flatten)]
    pub settings: SubscriptionSettings,
}

impl SubscriptionSettings {
    /// Whether it has events of this type, if nothing else excludes them.
    pub fn has_type(&self, event_type: OutgoingType) -> bool {
        // Whoever gets anything must know if something is missing.
        event_type == OutgoingType::EventsLost
            || if self.types.is_empty() { event_type.is_of_order() } else { self.types.contains(&event_type) }
    }

    /// Whether it may have events about orders that events of this type make, for any customer.
    pub fn may_want(&self, event_type: &str) -> bool {
        self.event_types.is_empty() || self.event_types.contains(event_type)
    }

    /// Whether it has an event of this type about this customer. `order` is the type of the event that made the order, and the targets
    /// of its steps, as far as they are known: `None` for a lease. Filters by event type and by target leave out what they cannot judge.
    pub fn wants(
        &self,
        customer: &CustomerId,
        event_type: OutgoingType,
        order: Option<(Option<&str>, &BTreeSet<&TargetId>)>,
    ) -> bool {
        if event_type == OutgoingType::EventsLost {
            return true;
        }
        let (made_by, targets) = order.unzip();
        let is_one_of = |wanted: &BTreeSet<String>| made_by.flatten().is_some_and(|made_by| wanted.contains(made_by));
        let has_one_of = |wanted: &BTreeSet<TargetId>| {
            targets.is_some_and(|targets| wanted.iter().any(|target| targets.contains(target)))
        };
        self.has_type(event_type)
            && (self.customers.is_empty() || self.customers.contains(customer))
            && (self.event_types.is_empty() || is_one_of(&self.event_types))
            && (self.step_targets.is_empty() || has_one_of(&self.step_targets))
    }
}

/// What the name of a receiver begins with, if a tenant made its subscription itself.
const RECEIVER: &str = "receiver";

/// The target that is the receiver of a subscription which a tenant made itself. `None` if the id is too long for that.
pub fn receiver_of(tenant: &TenantId, subscription: &SubscriptionId) -> Option<TargetId> {
    format!("{RECEIVER}:{}:{}", tenant.encoded(), subscription.encoded()).parse().ok()
}

/// The tenant and the subscription whose receiver a target is; none if it is another kind of target.
pub fn subscription_of(target: &TargetId) -> Option<(TenantId, SubscriptionId)> {
    let parts: Vec<&str> = target.as_str().split(':').collect();
    let [RECEIVER, tenant, subscription] = parts.as_slice() else { return None };
    Some((decode_part(tenant).ok()?.parse().ok()?, decode_part(subscription).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(more: &serde_json::Value) -> SubscriptionSettings {
        let mut all = json!({"target": "hook"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn a1() -> CustomerId {
        "a1".parse().unwrap()
    }

    #[test]
    fn every_terminal_state_has_its_type() {
        for state in OrderState::ALL {
            let of_end = OutgoingType::of_end(state);
            assert_eq!(of_end.is_some(), state.is_terminal(), "{state:?}");
            if let Some(of_end) = of_end {
                assert_eq!(of_end.state(), state.as_str());
                assert!(of_end.is_of_order());
            }
        }
    }

    #[test]
    fn without_a_filter_it_has_all_orders_and_no_leases() {
        let all = settings(&json!({}));
        for event_type in OutgoingType::ALL.iter().copied().filter(|event_type| event_type.is_of_order()) {
            assert!(all.wants(&a1(), event_type, Some((Some("number.assigned"), &BTreeSet::new()))), "{event_type:?}");
        }
        assert!(!all.wants(&a1(), OutgoingType::LeaseGranted, None));
        let leases = settings(&json!({"types": ["interlock.lease.granted"]}));
        assert!(leases.wants(&a1(), OutgoingType::LeaseGranted, None));
    }

    #[test]
    fn each_filter_leaves_out_what_does_not_match() {
        let hss: TargetId = "hss-east".parse().unwrap();
        let (targets, completed) = (BTreeSet::from([&hss]), OutgoingType::OrderCompleted);
        for (filter, wants) in [
            (json!({"types": ["interlock.order.completed"]}), true),
            (json!({"types": ["interlock.order.failed"]}), false),
            (json!({"event_types": ["number.assigned"]}), true),
            (json!({"event_types": ["sim.swapped"]}), false),
            (json!({"step_targets": ["hss-east", "crm"]}), true),
            (json!({"step_targets": ["crm"]}), false),
            (json!({"customers": ["a1"]}), true),
            (json!({"customers": ["a2"]}), false),
        ] {
            let order = Some((Some("number.assigned"), &targets));
            assert_eq!(settings(&filter).wants(&a1(), completed, order), wants, "{filter}");
        }
        let unread = Some((None, &BTreeSet::new()));
        assert!(settings(&json!({})).wants(&a1(), OutgoingType::OrderRejected, unread));
        let narrow = settings(&json!({"event_types": ["number.assigned"]}));
        assert!(!narrow.wants(&a1(), OutgoingType::OrderRejected, unread));
    }

    #[test]
    fn every_subscription_learns_that_events_are_missing() {
        let narrow = settings(&json!({"types": ["interlock.order.failed"], "event_types": ["sim.swapped"]}));
        assert!(narrow.wants(&a1(), OutgoingType::EventsLost, None));
    }

    #[test]
    fn an_unknown_key_or_type_is_an_error() {
        for fault in [json!({"target": "hook", "type": []}), json!({"target": "hook", "types": ["completed"]})] {
            assert!(serde_json::from_value::<SubscriptionSettings>(fault).is_err());
        }
    }

    #[test]
    fn a_receiver_is_found_by_its_subscription_and_the_other_way_round() {
        for (tenant, subscription) in [("blue", "crm"), ("a:b", "c/d:e")] {
            let (tenant, subscription) = (tenant.parse().unwrap(), subscription.parse().unwrap());
            let target = receiver_of(&tenant, &subscription).unwrap();
            assert_eq!(subscription_of(&target), Some((tenant, subscription)));
        }
        for other in ["hss", "receiver:blue", "receiver:blue:crm:x", "hook:blue:crm"] {
            assert_eq!(subscription_of(&other.parse().unwrap()), None, "{other}");
        }
        let long: SubscriptionId = "x".repeat(240).parse().unwrap();
        assert_eq!(receiver_of(&"blue".parse().unwrap(), &long), None);
    }
}
