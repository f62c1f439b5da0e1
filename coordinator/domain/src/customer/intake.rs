//! Taking events in: de-duplication, limits, admission.

use super::journal::JournalEntry;
use super::open_order::late_hold;
use super::place::Place;
use super::state::remember_bounded;
use super::{
    Admission, AdmissionAnswer, AdmissionBasis, Admitted, ClaimState, Customer, Dating, Effect, Ending, EventToAdmit,
    KeyRule, Local, Order, OrderClaim, OrderStep, Remembered, StepState, TicketState,
};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::{OrderId, ResourceId, Timestamp};
use crate::limits::{ADMISSION_BATCH_MAX, REMEMBERED_MS_MAX, SENDING_BATCH_MAX};
use crate::message::ClaimAnswer;
use crate::order::{ClaimMode, Late, OrderKey, OrderState, Plan, PlannedStep, Rejection};
use crate::recording::Edition;

impl Customer {
    /// Takes a signalled event into the inbox, or rejects it, or recognises it.
    pub(super) fn submitted(&mut self, now: Timestamp, event: Result<Event, Rejection>) {
        let event = match event {
            Ok(event) => event,
            Err(rejection) => {
                self.counts.accepted += 1;
                self.reject(now, None, None, &rejection);
                return;
            }
        };
        self.begin_digests();
        let order = event.order_id(&self.me.tenant, event.half);
        if self.knows(&order) {
            self.counts.duplicates += 1;
            return;
        }
        self.counts.accepted += 1;
        let place = Place::of(self.edition, now, &event);
        if let Err(rejection) = self.may_take(now, place.accepted_at, &event) {
            self.reject(now, Some(&order), Some(&event), &rejection);
            return;
        }
        let key = OrderKey::of_edition(self.edition, event.time, event.sequence.as_deref(), place.tie_break, order)
            .arrived(self.counts.accepted);
        self.weight_bytes += event.bytes;
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

    /// Whether an order was taken in before.
    fn knows(&self, order: &OrderId) -> bool {
        self.orders.contains_key(order)
            || self.inbox.iter().any(|waiting| waiting.key.order == *order)
            || self.remembered.iter().any(|remembered| remembered.order == *order)
            || (self.edition >= Edition::V0_2 && self.digests.contains(order))
    }

    /// The limits and conditions on what is taken in.
    fn may_take(&mut self, now: Timestamp, accepted_at: Timestamp, event: &Event) -> Result<(), Rejection> {
        if let Some(claimed) = &self.misidentified {
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
        if self.weight_bytes + event.bytes > self.limits.state_bytes_max {
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
    fn reject(&mut self, now: Timestamp, order: Option<&OrderId>, event: Option<&Event>, rejection: &Rejection) {
        self.counts.rejected += 1;
        self.counts.backlog_full += u64::from(rejection.code == ErrorCode::BacklogFull);
        self.observe_end(OrderState::Rejected, Some(rejection.code.clone()));
        if let Some(order) = order {
            self.show_as_over(now, order.clone(), OrderState::Rejected);
        }
        self.note(JournalEntry {
            at: now,
            key: None,
            order: order.cloned(),
            event: event.map(|event| (event.id.clone(), event.event_type.clone())),
            what: OrderState::Rejected.as_str().to_owned(),
            code: Some(rejection.code.to_string()),
            detail: Some(rejection.detail.clone()),
            by: None,
            steps: Vec::new(),
            claims: Vec::new(),
        });
    }

    /// Remembers an order that is over. One that was rejected had no effect: its id needs not be recognised for longer than
    /// it is shown.
    pub(super) fn remember(&mut self, now: Timestamp, order: &Order, state: OrderState) {
        if state != OrderState::Rejected {
            self.begin_digests();
            self.digests.insert(now, &order.key.order, order.dating(), self.limits.order_digests_max);
        }
        self.show_as_over(now, order.key.order.clone(), state);
    }

    /// Keeps an order that is over for those who ask.
    fn show_as_over(&mut self, now: Timestamp, order: OrderId, state: OrderState) {
        self.remembered.push_back(Remembered { order, state, at: now, action: None });
        while self.remembered.len() > self.limits.remembered_orders_max {
            self.remembered.pop_front();
        }
        let oldest = now.0.saturating_sub(REMEMBERED_MS_MAX);
        while self.remembered.front().is_some_and(|first| first.at.0 < oldest) {
            self.remembered.pop_front();
        }
    }

    /// A state of 0.1.0 has no digests: it recognises the orders that it shows, and has forgotten others if those are as many
    /// as may be.
    fn begin_digests(&mut self) {
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

    /// Starts the local activity that is due, if none is under way: what is to be sent goes before what is to be
    /// admitted, so that others do not wait for our inbox.
    pub(super) fn start_sending_or_admission(&mut self, effects: &mut Vec<Effect>) {
        if self.local != Local::Idle {
            return;
        }
        if !self.outbox.is_empty() {
            self.local = Local::Sending(self.outbox.len().min(SENDING_BATCH_MAX));
        } else if !self.inbox.is_empty() {
            self.local = Local::Admitting(self.inbox.len().min(ADMISSION_BATCH_MAX));
            self.basis = Some(AdmissionBasis {
                incarnation: Some(self.incarnation),
                holdings: self.holdings(),
                held: self.leases.keys().cloned().collect(),
            });
        }
        effects.extend(self.local_effect());
    }

    /// What the local activity under way is to do.
    pub(super) fn local_effect(&self) -> Option<Effect> {
        match self.local {
            Local::Idle => None,
            Local::Sending(count) => Some(Effect::Send(self.outbox.iter().take(count).cloned().collect())),
            Local::Admitting(count) => {
                let AdmissionBasis { incarnation, holdings, held } = self.basis.clone().unwrap_or_default();
                let events = self.inbox.iter().take(count).cloned().collect();
                let (customer, incarnation) = (self.me.clone(), incarnation.unwrap_or(self.incarnation));
                Some(Effect::Admit(Admission { customer, incarnation, events, holdings, held }))
            }
        }
    }

    /// What it holds, or has an open assign of.
    fn holdings(&self) -> std::collections::BTreeMap<ResourceId, Option<String>> {
        let mut holdings: std::collections::BTreeMap<_, _> =
            self.leases.iter().map(|(resource, lease)| (resource.clone(), lease.party.clone())).collect();
        for order in self.orders.values().filter(|order| order.ending.is_none()) {
            for claim in order.claims.iter().filter(|claim| claim.state == ClaimState::Open) {
                if claim.claim.mode == ClaimMode::Assign {
                    holdings.insert(claim.claim.resource.clone(), claim.claim.party.clone());
                }
            }
        }
        holdings
    }

    /// The messages under way were sent.
    pub(super) fn sent(&mut self) {
        if let Local::Sending(count) = self.local {
            self.outbox.drain(..count.min(self.outbox.len()));
            self.local = Local::Idle;
        }
    }

    /// The admission under way ended.
    pub(super) fn admitted(&mut self, now: Timestamp, answer: AdmissionAnswer) {
        let Local::Admitting(count) = self.local else { return };
        self.local = Local::Idle;
        let began_in = self.basis.take().and_then(|basis| basis.incarnation);
        let is_of_life_before = began_in.is_some_and(|life| life != self.incarnation);
        self.limits = answer.limits;
        self.attributes_registered = answer.attributes_registered;
        let batch: Vec<_> = self.inbox.drain(..count.min(self.inbox.len())).collect();
        let mut answers = answer.admitted.into_iter();
        for waiting in batch {
            self.weight_bytes = self.weight_bytes.saturating_sub(waiting.event.bytes);
            match answers.next() {
                Some(Admitted::Planned { plan, .. }) if is_of_life_before => {
                    let order = waiting.key.order.clone();
                    self.open(now, waiting, plan, Vec::new());
                    self.claim_again_after_reset(now, &order);
                }
                Some(Admitted::Planned { plan, answers }) => self.open(now, waiting, plan, answers),
                Some(Admitted::Rejected { rejection }) => {
                    self.reject(now, Some(&waiting.key.order), Some(&waiting.event), &rejection);
                }
                // An answer too short for its batch: what it does not speak of is admitted again.
                None => {
                    self.weight_bytes += waiting.event.bytes;
                    self.inbox.push_front(waiting);
                }
            }
        }
        self.hear_early_notices(now);
    }

    /// Opens the order of an admitted event.
    fn open(&mut self, now: Timestamp, waiting: EventToAdmit, plan: Plan, answers: Vec<(ResourceId, ClaimAnswer)>) {
        let (accepted_at, dating) = (waiting.accepted_at(), waiting.dating());
        let EventToAdmit { event, key, taken_at, after_reset, .. } = waiting;
        let is_late = plan.claims.is_empty()
            && !plan.unordered
            && self.applied.get(&event.event_type).is_some_and(|last| key < *last);
        if is_late && plan.late == Late::Reject {
            let rejection = Rejection::new(ErrorCode::TooLate, "a newer event of this type was already applied");
            return self.reject(now, Some(&key.order), Some(&event), &rejection);
        }
        let weight_bytes = weight(&plan).unwrap_or(event.bytes);
        // A plan is larger than its event: what was taken in may yet be too much.
        let is_too_much = self.weight_bytes + weight_bytes > self.limits.state_bytes_max;
        self.weight_bytes += weight_bytes;
        let claims = plan.claims.into_iter().map(|claim| OrderClaim {
            ticket: if answers.iter().any(|(resource, _)| *resource == claim.resource) {
                TicketState::Out
            } else {
                TicketState::None
            },
            state: ClaimState::Open,
            claim,
        });
        let steps = plan.steps.into_iter().map(|planned| OrderStep::open(planned, after_reset, now));
        let order = Order {
            event_id: event.id,
            event_type: event.event_type,
            catalog_digest: plan.catalog_digest,
            urgent: plan.urgent,
            unordered: plan.unordered,
            expires_at: plan.expires_after_ms.map(|ms| key.occurred_at.plus_ms(ms)),
            due_at: plan.due_within_ms.map(|ms| accepted_at.plus_ms(ms)),
            claims: claims.collect(),
            requires: plan.requires,
            first_use: plan.first_use,
            steps: steps.collect(),
            started: false,
            release_first: false,
            late_hold: late_hold(plan.late, is_late),
            ending: is_too_much.then_some(Ending::BacklogFull),
            actions: Vec::new(),
            trace_parent: event.trace_parent,
            reset_at: self.reset_at.filter(|_| after_reset),
            taken_at,
            dating: Some(dating).filter(|dating| *dating != Dating::of_key(&key)),
            weight_bytes,
            key: key.clone(),
        };
        self.orders.insert(key.order.clone(), order);
        self.changed();
        for (resource, answer) in answers {
            self.take_answer(now, &key.order, &resource, answer);
        }
    }

    /// Remembers the youngest order of a type that was applied, for those that come late.
    pub(super) fn remember_applied(&mut self, event_type: String, key: OrderKey) {
        remember_bounded(&mut self.applied, event_type, key, crate::limits::RESOURCES_REMEMBERED_MAX);
    }

    /// What was under way in the run before is started again.
    pub(super) fn under_way_again(&mut self) -> Vec<Effect> {
        self.leave_calls_to_confirmed_leases();
        let mut effects: Vec<Effect> = self.local_effect().into_iter().collect();
        let running: Vec<_> = self
            .orders
            .iter()
            .flat_map(|(id, order)| order.running().map(|step| (id.clone(), step)).collect::<Vec<_>>())
            .collect();
        effects.extend(running.into_iter().filter_map(|(order, step)| self.dispatch(&order, step)));
        effects
    }
}

/// What a plan adds to the state, in bytes of JSON. What the entities of its resources need to know of their kinds is the same
/// for all orders and hardly counts where the state travels, which is compressed.
fn weight(plan: &Plan) -> Option<usize> {
    let bytes = serde_json::to_vec(plan).ok()?.len();
    let policies = plan.claims.iter().filter_map(|claim| serde_json::to_vec(&claim.policy).ok());
    Some(bytes.saturating_sub(policies.map(|policy| policy.len()).sum()))
}

impl OrderStep {
    /// A step that has not begun. Whether it may have been called before the workflow was reset is `after_reset`.
    pub(super) fn open(planned: PlannedStep, after_reset: bool, now: Timestamp) -> Self {
        Self {
            planned,
            state: StepState::Open,
            dispatches: 0,
            maybe_sent: false,
            after_reset,
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
