//! Accepting events: de-duplication and limits; and remembering the orders that have ended.

use super::journal::JournalEntry;
use super::place::Place;
use super::state::remember_bounded;
use super::{
    Customer, Dating, EarlierCalls, Effect, EventToAdmit, KeyRule, Local, Order, OrderStep, Remembered, StepState,
};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::{OrderId, Timestamp};
use crate::kept_text::kept;
use crate::limits::REMEMBERED_MS_MAX;
use crate::order::{OrderKey, OrderState, PlannedStep, Rejection};
use crate::recording::Edition;

impl Customer {
    /// Puts a signalled event into the inbox, rejects it, or recognises it as a duplicate.
    pub(super) fn submitted(&mut self, now: Timestamp, event: Result<Event, Rejection>) {
        let event = match event {
            Ok(event) => event,
            Err(rejection) => {
                self.counts.accepted = self.counts.accepted.saturating_add(1);
                self.reject(now, None, None, &rejection);
                return;
            }
        };
        self.begin_digests();
        let order = event.order_id(&self.me.tenant, event.half);
        if self.knows(&order, &event) {
            self.counts.duplicates = self.counts.duplicates.saturating_add(1);
            return;
        }
        self.counts.accepted = self.counts.accepted.saturating_add(1);
        let place = Place::of(self.edition, now, &event);
        if let Err(rejection) = self.may_take(now, place.accepted_at, &event) {
            self.reject(now, Some(&order), Some(&event), &rejection);
            return;
        }
        let key = OrderKey::of_edition(self.edition, event.time, event.sequence.as_deref(), place.tie_break, order)
            .arrived(self.counts.accepted);
        self.weight_bytes = self.weight_bytes.saturating_add(event.bytes);
        let fixed = if let Local::Admitting(count) = self.local { count } else { 0 };
        let at = fixed + self.inbox.iter().skip(fixed).take_while(|waiting| waiting.key < key).count();
        let taken_at = (place.accepted_at != place.tie_break).then_some(place.accepted_at);
        self.inbox.insert(
            at,
            EventToAdmit {
                event,
                key,
                taken_at,
                clock_bound: place.clock_bound,
                after_reset: self.reset_at == Some(now),
            },
        );
    }

    /// The start argument names another entity: the workflow id decides, so that one wrong start does not block the customer for all
    /// other producers.
    pub(super) fn misidentified(&mut self, now: Timestamp, claimed: String) {
        let claimed = kept(claimed);
        let says = if claimed.is_empty() { "missing or empty".to_owned() } else { format!("'{claimed}'") };
        self.misidentified = Some(claimed);
        if self.edition < Edition::V0_2 {
            return;
        }
        let me = &self.me;
        let detail = format!(
            "the entity was started with an argument that does not name it: {says}; by its workflow id it is {me}, \
             which is what counts"
        );
        self.note(JournalEntry {
            at: now,
            key: None,
            order: None,
            event: None,
            what: "start_argument".to_owned(),
            code: Some(ErrorCode::IdentityMismatch.to_string()),
            detail: Some(detail),
            by: None,
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        });
    }

    /// Whether an order was accepted before. One that was rejected had no effect: an event with its id that says something else is taken.
    pub(super) fn knows(&self, order: &OrderId, event: &Event) -> bool {
        let is_corrected = |remembered: &Remembered| match &remembered.rejected {
            Some(content) => self.edition >= Edition::V0_2 && *content != event.content(),
            None => false,
        };
        let last = self.remembered.iter().rev().find(|remembered| remembered.order == *order);
        self.orders.contains_key(order)
            || self.inbox.iter().any(|waiting| waiting.key.order == *order)
            || last.is_some_and(|remembered| !is_corrected(remembered))
            || (self.edition >= Edition::V0_2 && self.digests.contains(order))
    }

    /// Checks the limits and conditions on accepting an event.
    pub(super) fn may_take(&mut self, now: Timestamp, accepted_at: Timestamp, event: &Event) -> Result<(), Rejection> {
        if let Some(workflow_id) = &self.foreign_id {
            let detail = format!("the workflow id of this entity, '{workflow_id}', is not that of a customer");
            return Err(Rejection::new(ErrorCode::IdentityMismatch, detail));
        }
        if let Some(claimed) = self.misidentified.as_ref().filter(|_| self.edition < Edition::V0_2) {
            let detail =
                format!("this entity is {} by its workflow id, but its start argument says {claimed}", self.me);
            return Err(Rejection::new(ErrorCode::IdentityMismatch, detail));
        }
        if event.subject != self.me.customer {
            let detail = format!("the event's subject is {}, but this entity is {}", event.subject, self.me.customer);
            return Err(Rejection::new(ErrorCode::WrongSubject, detail));
        }
        if event.time.is_some_and(|time| time.0 < accepted_at.0.saturating_sub(REMEMBERED_MS_MAX)) {
            let detail = "the event is older than 30 days; duplicates are recognised only within that time";
            return Err(Rejection::new(ErrorCode::TooOld, detail));
        }
        let horizon = self.digests.horizon().filter(|_| self.edition >= Edition::V0_2);
        if event.time.is_some_and(|time| horizon.is_some_and(|horizon| time < horizon)) {
            let detail = "the event is older than the orders of this customer for which duplicates are recognised";
            return Err(Rejection::new(ErrorCode::TooOld, detail));
        }
        if Dating::of(event.time, accepted_at) != Dating::Past && !self.may_take_undated(now) {
            let detail = "the event has no 'time' before its acceptance, and the customer has had so many such events \
                          within 30 days that duplicates of further ones would not be recognised";
            return Err(Rejection::new(ErrorCode::TooOld, detail));
        }
        if event.bytes > self.limits.event_bytes_max {
            let detail = format!("the event has {} bytes; the limit is {}", event.bytes, self.limits.event_bytes_max);
            return Err(Rejection::new(ErrorCode::EventTooLarge, detail));
        }
        let open = self.orders.len() + self.inbox.len();
        if open >= self.limits.open_orders_max {
            let detail = format!("the customer has {open} open orders, which is the limit");
            return Err(Rejection::new(ErrorCode::BacklogFull, detail));
        }
        if self.weight_bytes.saturating_add(event.bytes) > self.limits.state_bytes_max {
            let detail = format!("the customer's open orders reach the limit of {} bytes", self.limits.state_bytes_max);
            return Err(Rejection::new(ErrorCode::BacklogFull, detail));
        }
        Ok(())
    }

    /// Whether a duplicate of one more undated event would be recognised.
    fn may_take_undated(&mut self, now: Timestamp) -> bool {
        let waiting = self.inbox.iter().filter(|waiting| waiting.dating() != Dating::Past).count();
        let open = self.orders.values().filter(|order| order.dating() != Dating::Past).count();
        let max = self.limits.order_digests_max;
        self.edition < Edition::V0_2 || self.digests.has_room_for_undated(now, waiting + open, max)
    }

    /// Ends an event as rejected, with its reason in the journal.
    pub(super) fn reject(
        &mut self,
        now: Timestamp,
        order: Option<&OrderId>,
        event: Option<&Event>,
        rejection: &Rejection,
    ) {
        self.counts.count_rejected(rejection.code == ErrorCode::BacklogFull);
        self.observe_end(OrderState::Rejected, Some(rejection.code.clone()));
        self.tell_rejected(now, order, event, rejection);
        if let Some(order) = order {
            self.show_as_over(now, order.clone(), OrderState::Rejected, event.map(Event::content));
        }
        self.note(JournalEntry {
            at: now,
            key: None,
            order: order.cloned(),
            event: match event {
                Some(event) => Some((event.id.clone(), event.event_type.clone())),
                None => rejection.event.clone(),
            },
            what: OrderState::Rejected.as_str().to_owned(),
            code: Some(rejection.code.to_string()),
            detail: Some(rejection.detail.clone()),
            by: None,
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        });
    }

    /// Remembers an order that has ended. A rejected one had no effect: its id need not be recognised for longer than
    /// it is shown.
    pub(super) fn remember(&mut self, now: Timestamp, order: &Order, state: OrderState) {
        if state != OrderState::Rejected {
            self.begin_digests();
            self.digests.insert(now, &order.key.order, order.dating(), self.limits.order_digests_max);
        }
        self.show_as_over(now, order.key.order.clone(), state, None);
    }

    /// Keeps an order that has ended for later queries. `rejected` is the content of an event that was rejected before it claimed anything.
    fn show_as_over(&mut self, now: Timestamp, order: OrderId, state: OrderState, rejected: Option<String>) {
        self.remembered.push_back(Remembered { order, state, at: now, action: None, rejected });
        while self.remembered.len() > self.limits.remembered_orders_max {
            self.remembered.pop_front();
        }
        let oldest = now.0.saturating_sub(REMEMBERED_MS_MAX);
        while self.remembered.front().is_some_and(|first| first.at.0 < oldest) {
            self.remembered.pop_front();
        }
    }

    /// A state of 0.1.0 has no digests: it recognises the orders that it shows, and has forgotten others if it shows as many
    /// as it can.
    pub(super) fn begin_digests(&mut self) {
        if !self.digests.is_new() {
            return;
        }
        let is_full = self.remembered.len() >= self.limits.remembered_orders_max;
        let oldest = self.remembered.front().filter(|_| is_full);
        let forgotten = oldest.map(|oldest| oldest.at.plus_ms(1));
        let had_effect = self.remembered.iter().filter(|over| over.state != OrderState::Rejected);
        let before = had_effect.map(|over| (over.at, &over.order));
        self.digests.begin(before, forgotten, self.limits.order_digests_max);
    }

    /// Remembers the youngest applied order of a type, to recognise late ones.
    pub(super) fn remember_applied(&mut self, event_type: String, key: OrderKey) {
        remember_bounded(&mut self.applied, event_type, key, crate::limits::RESOURCES_REMEMBERED_MAX);
    }

    /// Starts again what was running in the previous run.
    pub(super) fn under_way_again(&mut self) -> Vec<Effect> {
        self.leave_calls_to_confirmed_leases();
        let mut effects: Vec<Effect> = self.local_effect().into_iter().collect();
        let running: Vec<_> = self
            .orders
            .iter()
            .flat_map(|(id, order)| order.running().map(|step| (id.clone(), step)).collect::<Vec<_>>())
            .collect();
        effects.extend(running.into_iter().filter_map(|(order, step)| self.dispatch(&order, step)));
        effects.extend(self.subscribers.under_way_again(&self.me).into_iter().map(Effect::Deliver));
        effects
    }
}

impl OrderStep {
    /// A step that has not started. `after_reset` says whether it may have been called before the workflow was reset.
    pub(super) fn open(planned: PlannedStep, after_reset: bool, now: Timestamp) -> Self {
        Self {
            planned,
            state: StepState::Open { earlier: EarlierCalls { maybe_sent: false, after_reset } },
            dispatches: 0,
            calls: 0,
            by_hand: 0,
            amendments: 0,
            key_rule: KeyRule::default(),
            identity: None,
            left_out_by: None,
            outcome: None,
            compensates: None,
            since: now,
        }
    }
}
