//! Admission: what to send and plan next, and the orders that result.

use super::open_order::late_hold;
use super::{
    Admission, AdmissionAnswer, AdmissionBasis, Admitted, ClaimState, Customer, Dating, Effect, Ending, EventToAdmit,
    Local, Order, OrderClaim, OrderStep, TicketState, Told,
};
use crate::error_code::ErrorCode;
use crate::ids::{ResourceId, Timestamp};
use crate::limits::{ADMISSION_BATCH_MAX, SENDING_BATCH_MAX};
use crate::message::ClaimAnswer;
use crate::order::{ClaimMode, Late, Plan, Rejection};
use crate::recording::Edition;

impl Customer {
    /// Starts the local activity that is due, if none is running: sending goes before
    /// admission, so that other entities do not wait for this customer's inbox.
    pub(super) fn start_sending_or_admission(&mut self, effects: &mut Vec<Effect>) {
        if self.local != Local::Idle {
            return;
        }
        if !self.outbox.is_empty() {
            self.local = Local::Sending(self.outbox.len().min(SENDING_BATCH_MAX));
        } else if !self.inbox.is_empty() || self.must_ask_who_is_subscribed() {
            self.local = Local::Admitting(self.inbox.len().min(ADMISSION_BATCH_MAX));
            self.basis = Some(AdmissionBasis {
                incarnation: Some(self.incarnation),
                holdings: self.holdings(),
                held: self.leases.keys().cloned().collect(),
            });
        }
        effects.extend(self.local_effect());
    }

    /// Whether an admission without events is needed, because only admissions say who is subscribed.
    fn must_ask_who_is_subscribed(&self) -> bool {
        self.edition >= Edition::V0_2Tells && self.subscribers.are_to_be_asked_for()
    }

    /// What the running local activity must do.
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

    /// The resources that it holds or has an open assign of.
    pub(super) fn holdings(&self) -> std::collections::BTreeMap<ResourceId, Option<String>> {
        let mut holdings: std::collections::BTreeMap<_, _> =
            self.leases.iter().map(|(resource, lease)| (resource.clone(), lease.target_identity.clone())).collect();
        for order in self.orders.values().filter(|order| order.ending.is_none()) {
            for claim in order.claims.iter().filter(|claim| claim.state == ClaimState::Open) {
                if claim.claim.mode == ClaimMode::Assign {
                    holdings.insert(claim.claim.resource.clone(), claim.claim.target_identity.clone());
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

    /// The running admission ended.
    pub(super) fn admitted(&mut self, now: Timestamp, answer: AdmissionAnswer) {
        let Local::Admitting(count) = self.local else { return };
        self.local = Local::Idle;
        let began_in = self.basis.take().and_then(|basis| basis.incarnation);
        let is_of_life_before = began_in.is_some_and(|life| life != self.incarnation);
        self.limits = answer.limits;
        self.attributes_registered = answer.attributes_registered;
        self.learn_subscriptions(answer.subscriptions);
        let batch: Vec<_> = self.inbox.drain(..count.min(self.inbox.len())).collect();
        let mut answers = answer.admitted.into_iter();
        let mut left = Vec::new();
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
                // The plans of the rest of the batch are too large for one answer: it is admitted again.
                None => left.push(waiting),
            }
        }
        self.leave_for_the_next(left);
        self.hear_early_notices(now);
    }

    /// Puts events of a batch back into the inbox, in their order among those that have come since.
    fn leave_for_the_next(&mut self, left: Vec<EventToAdmit>) {
        if left.is_empty() {
            return;
        }
        let bytes: usize = left.iter().map(|waiting| waiting.event.bytes).fold(0, usize::saturating_add);
        self.weight_bytes = self.weight_bytes.saturating_add(bytes);
        self.inbox.extend(left);
        self.inbox.make_contiguous().sort_by(|one, other| one.key.cmp(&other.key));
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
        // A plan is larger than its event: an event that was accepted may still be too large.
        self.weight_bytes = self.weight_bytes.saturating_add(weight_bytes);
        let is_too_much = self.weight_bytes > self.limits.state_bytes_max;
        let claims = plan.claims.into_iter().map(|claim| OrderClaim {
            ticket: if answers.iter().any(|(resource, _)| *resource == claim.resource) {
                TicketState::Out
            } else {
                TicketState::None
            },
            state: ClaimState::Open,
            superseded_own_assign: false,
            claim,
        });
        let steps = plan.steps.into_iter().map(|planned| OrderStep::open(planned, after_reset, now));
        let order = Order {
            event_id: event.id,
            event_type: event.event_type,
            catalog_digest: plan.catalog_digest,
            urgent: plan.urgent,
            priority: plan.priority,
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
            told: Told::default(),
            taken_at,
            dating: Some(dating).filter(|dating| *dating != Dating::of_key(&key)),
            weight_bytes,
            key: key.clone(),
        };
        self.orders.insert(key.order.clone(), order);
        self.changed();
        self.tell_acknowledged(now, &key.order);
        for (resource, answer) in answers {
            self.take_answer(now, &key.order, &resource, answer);
        }
    }
}

/// What a plan adds to the state, in bytes of JSON. What the entities of its resources need to know of their kinds is the same
/// for all orders and hardly counts when the state travels, which is compressed.
fn weight(plan: &Plan) -> Option<usize> {
    let bytes = serde_json::to_vec(plan).ok()?.len();
    let policies = plan.claims.iter().filter_map(|claim| serde_json::to_vec(&claim.policy).ok());
    Some(bytes.saturating_sub(policies.map(|policy| policy.len()).sum()))
}
