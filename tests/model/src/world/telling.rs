//! What a subscriber is told (P11): each end of an order, at least once, and the events of an order in their order.
//!
//! A world of a [`subscribed`](crate::scenario::Scenario::subscribed) scenario has one receiver. A delivery is an activity: a command, which
//! exists only once the workflow task that wants it is recorded. The receiver takes one event after the other. The worker may die on
//! the way, so that it takes some of them again.

use std::collections::BTreeSet;

use interlock_domain::customer::Input;
use interlock_domain::ids::OrderId;
use interlock_domain::outgoing::{About, OutgoingBatch, OutgoingEvent};
use interlock_domain::subscription::{OutgoingType, Subscription, SubscriptionSettings};
use serde_json::json;
use uuid::Uuid;

use super::perform::Checked;
use super::{Action, World};
use crate::broken::Broken;
use crate::sighting::{Sighting, Sightings};
use crate::violation::{Check, Violation};

/// One event, as the receiver knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told {
    /// Its id.
    pub id: Uuid,
    /// The order that it is about. `None` for a rejected event that made none.
    pub order: Option<OrderId>,
    /// What it says.
    pub event_type: OutgoingType,
}

/// A delivery in flight.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Delivering {
    /// The events.
    pub(super) events: Vec<Told>,
    /// How many of them the receiver has taken in this attempt.
    pub(super) taken: usize,
}

/// The subscription of a subscribed scenario.
pub(super) fn subscription() -> Subscription {
    let settings: SubscriptionSettings =
        serde_json::from_value(json!({ "target": "crm-hook" })).expect("settings without a filter");
    Subscription { id: "crm".parse().expect("a short name"), settings }
}

impl Told {
    fn of(event: &OutgoingEvent) -> Self {
        let order = match &event.about {
            About::Order(report) => report.order_id.clone(),
            About::Lease(_) | About::Lost(_) | About::Test => None,
        };
        Self { id: event.id, order, event_type: event.event_type }
    }
}

impl World {
    /// A customer's machine wants a batch to be delivered.
    pub(super) fn delivers(&mut self, customer: usize, batch: &OutgoingBatch) -> Checked {
        if !self.scenario.is_subscribed {
            let detail = format!("events for {}, who is not subscribed", batch.subscription);
            return Err(Violation::new(Check::NotTold, detail));
        }
        let delivering = Delivering { events: batch.events.iter().map(Told::of).collect(), taken: 0 };
        if self.customers[customer].delivering.replace(delivering).is_some() {
            return Err(Violation::new(Check::OneDelivery, format!("of customer {customer}")));
        }
        Ok(())
    }

    pub(super) fn deliveries(&self, customer: usize, actions: &mut Vec<Action>) {
        let slot = &self.customers[customer];
        let Some(delivering) = &slot.delivering else { return };
        if slot.task.as_ref().is_some_and(|task| task.delivers) {
            return;
        }
        if delivering.taken < delivering.events.len() {
            actions.push(Action::Deliver(customer));
        }
        let is_taken = delivering.taken == delivering.events.len();
        if is_taken || self.scenario.broken == Some(Broken::TakesDeliveriesForDone) {
            actions.push(Action::DeliveryDone(customer));
        }
        if delivering.taken > 0 && self.left.rerun > 0 {
            actions.push(Action::DeliverAgain(customer));
        }
        if self.left.by_hand > 0 {
            actions.push(Action::EndDeliveryByHand(customer));
        }
    }

    pub(super) fn act_delivery(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        let (Action::Deliver(customer)
        | Action::DeliverAgain(customer)
        | Action::DeliveryDone(customer)
        | Action::EndDeliveryByHand(customer)) = *action
        else {
            return Ok(());
        };
        let id = subscription().id;
        match action {
            Action::Deliver(_) => {
                let next = self.customers[customer].delivering.as_mut().and_then(|delivering| {
                    delivering.taken += 1;
                    delivering.events.get(delivering.taken - 1).cloned()
                });
                seen.see(Sighting::Told);
                next.map_or(Ok(()), |told| self.receives(told))
            }
            Action::DeliverAgain(_) => {
                self.left.rerun -= 1;
                seen.see(Sighting::ToldAgain);
                self.customers[customer].delivering.iter_mut().for_each(|delivering| delivering.taken = 0);
                Ok(())
            }
            Action::EndDeliveryByHand(_) => {
                self.left.by_hand -= 1;
                seen.see(Sighting::ResultByHand);
                self.customers[customer].delivering = None;
                self.tell_customer(customer, Input::NotDelivered { subscription: id }, seen)
            }
            _ => {
                self.customers[customer].delivering = None;
                self.tell_customer(customer, Input::Delivered { subscription: id }, seen)
            }
        }
    }

    /// The receiver takes an event. It knows by the id if it has it already.
    fn receives(&mut self, told: Told) -> Checked {
        if self.truth.told.contains(&told) {
            return Ok(());
        }
        // After a reset an order may take another course than the one that was told.
        let is_as_it_was = self.left.customers_reset == self.scenario.faults.customers_reset
            && self.left.customers_terminated == self.scenario.faults.customers_terminated;
        let ended = |known: &Told| known.order == told.order && is_end(known.event_type);
        if let Some(earlier) = self.truth.told.iter().find(|known| is_as_it_was && told.order.is_some() && ended(known))
        {
            let detail = format!("{:?} was told after {:?}", told, earlier.event_type);
            return Err(Violation::new(Check::ToldOutOfOrder, detail));
        }
        self.truth.told.insert(told);
        Ok(())
    }

    /// At rest, the receiver knows how every order of a customer's present life ended.
    pub(super) fn check_told(&self) -> Checked {
        if !self.scenario.is_subscribed {
            return Ok(());
        }
        let told: BTreeSet<_> = self.truth.told.iter().map(|told| (told.order.as_ref(), told.event_type)).collect();
        for ((order, life), state) in &self.truth.ended {
            let customer = self.scenario.customers.iter().position(|known| known.customer == order.customer());
            let Some(event_type) = OutgoingType::of_end(*state) else { continue };
            let is_present = customer.is_some_and(|customer| self.customers[customer].life == *life);
            if is_present && !told.contains(&(Some(order), event_type)) {
                let detail = format!("{order} ended as {state:?}, and the subscriber does not know it");
                return Err(Violation::new(Check::NotTold, detail));
            }
        }
        Ok(())
    }
}

fn is_end(event_type: OutgoingType) -> bool {
    use interlock_domain::order::OrderState;
    OrderState::ALL.into_iter().filter_map(OutgoingType::of_end).any(|end| end == event_type)
}
