//! What a customer tells subscribers: how its orders stand and end, and which leases it gets and gives back.

use super::identities::step_key;
use super::subscribers::outgoing_id;
use super::view::step_view;
use super::{Customer, Effect, JournalEntry, Lease, Order};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::{OrderId, ResourceId, SubscriptionId, Timestamp};
use crate::message::GiveBack;
use crate::observation::Observation;
use crate::order::{OrderState, Rejection};
use crate::outgoing::{About, LeaseChange, OrderReport, OutgoingEvent, ReportedStep, TellAgain};
use crate::subscription::{OutgoingType, Subscription};

impl Customer {
    /// An admission named the subscriptions of the tenant. `None`: its worker is of a build that knows none. While such workers run, a
    /// customer that has learned of no subscription tells nothing.
    pub(super) fn learn_subscriptions(&mut self, subscriptions: Option<Vec<Subscription>>) {
        let subscriptions = subscriptions.or_else(|| (!self.subscribers.are_known()).then(Vec::new));
        if let Some(subscriptions) = subscriptions {
            self.subscribers.learn(&self.me.customer, subscriptions);
        }
    }

    /// An order was planned.
    pub(super) fn tell_acknowledged(&mut self, now: Timestamp, id: &OrderId) {
        self.tell_of_open(now, id, OutgoingType::OrderAcknowledged, None);
    }

    /// An order ended in this state, and is about to be forgotten.
    pub(super) fn tell_end(&mut self, now: Timestamp, order: &Order, state: OrderState, code: Option<String>) {
        if let Some(event_type) = OutgoingType::of_end(state).filter(|_| self.subscribers.may_want()) {
            let report = self.report(order, code, None);
            let id = outgoing_id(&self.me, &format!("{} {}", order.key.order, event_type.as_str()));
            self.tell(OutgoingEvent { id, event_type, at: now, about: About::Order(report) });
        }
    }

    /// An event was rejected before it became an order.
    pub(super) fn tell_rejected(
        &mut self,
        now: Timestamp,
        order: Option<&OrderId>,
        event: Option<&Event>,
        rejection: &Rejection,
    ) {
        if !self.subscribers.may_want() {
            return;
        }
        let read = event.map(|event| (event.id.clone(), event.event_type.clone())).or_else(|| rejection.event.clone());
        let (event_id, event_type) = read.unzip();
        let report = OrderReport {
            order_id: order.cloned(),
            event_id,
            event_type: event_type.filter(|name| !name.is_empty()),
            code: Some(rejection.code.to_string()),
            detail: Some(rejection.detail.clone()),
            due_at: None,
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        };
        let event_type = OutgoingType::OrderRejected;
        // The same event may be rejected several times. The number tells apart those that came in the same millisecond.
        let (order, number) = (order.map_or("", OrderId::as_str), self.counts.rejected);
        let id = outgoing_id(&self.me, &format!("{order} {} {} {number}", event_type.as_str(), now.0));
        self.tell(OutgoingEvent { id, event_type, at: now, about: About::Order(report) });
    }

    /// The customer got a lease.
    pub(super) fn tell_granted(&mut self, now: Timestamp, resource: &ResourceId) {
        if let Some(lease) = self.leases.get(resource) {
            let change = LeaseChange {
                resource: resource.clone(),
                epoch: lease.epoch,
                order_id: lease.key.order.clone(),
                how: None,
                proof: None,
            };
            self.tell_lease(now, OutgoingType::LeaseGranted, change);
        }
    }

    /// The customer gave this lease back.
    pub(super) fn tell_given_back(&mut self, now: Timestamp, resource: &ResourceId, lease: &Lease, how: GiveBack) {
        let change = LeaseChange {
            resource: resource.clone(),
            epoch: lease.epoch,
            order_id: lease.key.order.clone(),
            how: Some(how),
            proof: lease.proof.clone(),
        };
        self.tell_lease(now, OutgoingType::LeaseReleased, change);
    }

    fn tell_lease(&mut self, now: Timestamp, event_type: OutgoingType, change: LeaseChange) {
        if self.subscribers.have(event_type) {
            let words = format!("{} {} {}", change.resource, change.epoch, event_type.as_str());
            let id = outgoing_id(&self.me, &words);
            self.tell(OutgoingEvent { id, event_type, at: now, about: About::Lease(change) });
        }
    }

    /// Tells of orders that wait for a person now, and of those that are overdue.
    pub(super) fn tell_of_open_orders(&mut self, now: Timestamp) {
        if self.subscribers.have(OutgoingType::OrderHeld) {
            for order in self.orders.values_mut().filter(|order| order.told.held && !order.is_held()) {
                order.told.held = false;
            }
            let held = self.orders.iter().filter(|(_, order)| order.is_held() && !order.told.held);
            for id in held.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                self.tell_of_open(now, &id, OutgoingType::OrderHeld, Some(now));
                self.mark(&id, |order| order.told.held = true);
            }
        }
        if self.wake_at().is_some_and(|due| due <= now) {
            let overdue = self.orders.iter().filter(|(_, order)| order.due_untold().is_some_and(|due| due <= now));
            for id in overdue.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                self.tell_of_open(now, &id, OutgoingType::OrderOverdue, None);
                self.mark(&id, |order| order.told.overdue = true);
            }
        }
    }

    fn mark(&mut self, id: &OrderId, mark: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.get_mut(id) {
            mark(order);
        }
    }

    /// When an order becomes overdue next, if a subscriber wants to know that.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let wants = self.subscribers.have(OutgoingType::OrderOverdue);
        if !wants {
            return None;
        }
        self.orders.values().filter_map(Order::due_untold).min()
    }

    /// Tells of an open order. `again` distinguishes the times at which the same may happen again.
    fn tell_of_open(&mut self, now: Timestamp, id: &OrderId, event_type: OutgoingType, again: Option<Timestamp>) {
        if !self.subscribers.may_want() {
            return;
        }
        let Some(order) = self.orders.get(id) else { return };
        let held = order.steps.iter().find_map(|step| step.state.held_because());
        let (code, detail) = match event_type {
            OutgoingType::OrderHeld if order.late_hold => (Some(ErrorCode::Late.to_string()), None),
            OutgoingType::OrderHeld => held.map(|(code, detail)| (code.to_string(), detail.to_owned())).unzip(),
            _ => (None, None),
        };
        let report = self.report(order, code, detail);
        let again = again.map_or_else(String::new, |again| format!(" {}", again.0));
        let id = outgoing_id(&self.me, &format!("{id} {}{again}", event_type.as_str()));
        self.tell(OutgoingEvent { id, event_type, at: now, about: About::Order(report) });
    }

    fn report(&self, order: &Order, code: Option<String>, detail: Option<String>) -> OrderReport {
        let id = &order.key.order;
        let reported = |step| ReportedStep { step: step_view(step), idempotency_key: Some(step_key(id, step)) };
        OrderReport {
            order_id: Some(id.clone()),
            event_id: Some(order.event_id.clone()),
            event_type: Some(order.event_type.clone()),
            code,
            detail,
            due_at: order.due_at,
            steps: order.steps.iter().map(reported).collect(),
            claims: order.claims.iter().map(|claim| self.claim_view(claim)).collect(),
            parts_dropped: false,
        }
    }

    fn tell(&mut self, event: OutgoingEvent) {
        for _ in 0..self.subscribers.tell(&self.me.customer, event) {
            self.observed.push(Observation::OutgoingEventDropped { tenant: self.me.tenant.clone() });
        }
    }

    /// Tells one receiver again how the orders ended that the journal has from this time on.
    pub(super) fn tell_again(&mut self, now: Timestamp, again: TellAgain) {
        let TellAgain { subscription, since, subscriptions } = again;
        self.subscribers.learn(&self.me.customer, subscriptions);
        let ended: Vec<OutgoingEvent> = self
            .journal
            .iter()
            .filter(|entry| entry.at >= since)
            .filter_map(|entry| self.ended_before(entry))
            .collect();
        let mut told = 0;
        for event in ended {
            told += usize::from(self.subscribers.tell_again(&self.me.customer, &subscription, event));
        }
        if told > 0 {
            self.note(JournalEntry {
                at: now,
                key: None,
                order: None,
                event: None,
                what: "told_again".to_owned(),
                code: None,
                detail: Some(format!("The subscription '{subscription}' is told of {told} orders again.")),
                by: None,
                steps: Vec::new(),
                claims: Vec::new(),
                parts_dropped: false,
            });
        }
    }

    /// The event that told of the end of an order, as far as the journal has it.
    fn ended_before(&self, entry: &JournalEntry) -> Option<OutgoingEvent> {
        let state = OrderState::ALL.into_iter().find(|state| state.as_str() == entry.what)?;
        let event_type = OutgoingType::of_end(state)?;
        let order = entry.order.as_ref()?;
        let (event_id, made_by) = entry.event.clone()?;
        let report = OrderReport {
            order_id: Some(order.clone()),
            event_id: Some(event_id),
            event_type: Some(made_by).filter(|name| !name.is_empty()),
            code: entry.code.clone(),
            detail: entry.detail.clone(),
            due_at: None,
            steps: entry.steps.iter().map(|step| ReportedStep { step: step.clone(), idempotency_key: None }).collect(),
            claims: entry.claims.clone(),
            parts_dropped: entry.parts_dropped,
        };
        let id = outgoing_id(&self.me, &format!("{order} {}", event_type.as_str()));
        Some(OutgoingEvent { id, event_type, at: entry.at, about: About::Order(report) })
    }

    /// Starts the deliveries that are due.
    pub(super) fn start_deliveries(&mut self, effects: &mut Vec<Effect>) {
        effects.extend(self.subscribers.start(&self.me).into_iter().map(Effect::Deliver));
    }

    /// A delivery ended, and it is not known that the receiver has taken its events.
    pub(super) fn not_delivered(&mut self, now: Timestamp, subscription: &SubscriptionId) -> Option<Effect> {
        let (again, left) = self.subscribers.not_delivered(&self.me, subscription);
        if left > 0 {
            self.note(JournalEntry {
                at: now,
                key: None,
                order: None,
                event: None,
                what: "events_not_delivered".to_owned(),
                code: None,
                detail: Some(format!(
                    "The subscription '{subscription}' was removed, and its receiver did not take {left} events in time."
                )),
                by: None,
                steps: Vec::new(),
                claims: Vec::new(),
                parts_dropped: false,
            });
        }
        again.map(Effect::Deliver)
    }
}

impl Order {
    /// When it should be done, if it was not told that this time has passed.
    fn due_untold(&self) -> Option<Timestamp> {
        self.due_at.filter(|_| !self.told.overdue)
    }
}
