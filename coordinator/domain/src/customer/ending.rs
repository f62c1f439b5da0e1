//! How orders end: superseding, skipping, settling claims, terminal states.

use std::collections::BTreeMap;

use super::journal::JournalEntry;
use super::view::step_view;
use super::{ClaimState, Customer, Ending, Order, StepState, TicketState};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, ResourceId, TicketId, Timestamp};
use crate::message::GiveBack;
use crate::order::{ClaimMode, OrderKey, OrderState};

impl Customer {
    /// Ends the claims that a younger order of this customer made obsolete: the younger order was settled already or has started, or it
    /// releases a resource for which an older assign has no lease yet.
    pub(super) fn supersede(&mut self) {
        let releases = self.youngest_open_releases();
        let begun = self.youngest_begun();
        let mut moot: Vec<(OrderId, ResourceId)> = Vec::new();
        for (id, order) in self.orders.iter().filter(|(_, order)| order.ending.is_none()) {
            for claim in order.open_claims().filter(|claim| claim.claim.mode != ClaimMode::Lock) {
                let resource = &claim.claim.resource;
                let settled = self.settled.get(resource).is_some_and(|last| *last > order.key);
                let released = claim.claim.mode == ClaimMode::Assign
                    && !self.leases.contains_key(resource)
                    && releases.get(resource).is_some_and(|release| **release > order.key);
                let younger_has_begun = begun.get(resource).is_some_and(|youngest| **youngest > order.key);
                if (settled || released || younger_has_begun) && !order.begun_on(resource) {
                    moot.push((id.clone(), resource.clone()));
                }
            }
        }
        for (id, resource) in moot {
            self.note_superseding_release(&id, &resource);
            self.supersede_claim(&id, &resource);
        }
    }

    /// Marks the younger releases for which an assign is superseded: if they find nothing to release, that is why.
    fn note_superseding_release(&mut self, assign: &OrderId, resource: &ResourceId) {
        let Some(order) = self.orders.get(assign) else { return };
        if order.claim_on(resource).is_none_or(|claim| claim.claim.mode != ClaimMode::Assign) {
            return;
        }
        let key = order.key.clone();
        let settled = self.settled.get(resource).cloned();
        let youngest_begun = self.youngest_begun().get(resource).map(|key| (*key).clone());
        let has_lease = self.leases.contains_key(resource);
        for order in self.orders.values_mut().filter(|order| order.key > key && order.ending.is_none()) {
            let is_cause = Some(&order.key) == settled.as_ref() || Some(&order.key) == youngest_begun.as_ref();
            for claim in order.claims.iter_mut().filter(|claim| claim.claim.resource == *resource) {
                let is_cause = match claim.state {
                    ClaimState::Open => is_cause || !has_lease,
                    ClaimState::NotHolder => is_cause,
                    ClaimState::Settled | ClaimState::Superseded => false,
                };
                claim.superseded_own_assign |= is_cause && claim.claim.mode == ClaimMode::Release;
            }
        }
    }

    /// Whether a younger order has started to take or to give up the resource: on several targets that takes a while.
    pub(super) fn younger_has_begun(&self, key: &OrderKey, resource: &ResourceId) -> bool {
        self.orders
            .values()
            .filter(|order| order.key > *key && order.begun_on(resource))
            .any(|order| order.takes_or_gives_up(resource))
    }

    /// Per resource, the key of the youngest order that has started to take it or to give it up.
    fn youngest_begun(&self) -> BTreeMap<&ResourceId, &OrderKey> {
        let mut youngest: BTreeMap<&ResourceId, &OrderKey> = BTreeMap::new();
        for order in self.orders.values() {
            for resource in order.claims.iter().map(|claim| &claim.claim.resource) {
                if order.takes_or_gives_up(resource) && order.begun_on(resource) {
                    let key = youngest.entry(resource).or_insert(&order.key);
                    *key = (*key).max(&order.key);
                }
            }
        }
        youngest
    }

    /// When the first of the orders that have not started expires; the end of time if none does.
    pub(super) fn next_expiry(&self) -> Timestamp {
        let may_expire = |order: &&Order| order.ending.is_none() && order.nothing_begun();
        let expiries = self.orders.values().filter(may_expire).filter_map(|order| order.expires_at);
        expiries.min().unwrap_or(Timestamp(i64::MAX))
    }

    /// Per resource, the key of the youngest order with an open release of it.
    fn youngest_open_releases(&self) -> BTreeMap<ResourceId, &OrderKey> {
        let mut youngest: BTreeMap<ResourceId, &OrderKey> = BTreeMap::new();
        for order in self.orders.values().filter(|order| order.ending.is_none()) {
            for claim in order.open_claims().filter(|claim| claim.claim.mode == ClaimMode::Release) {
                let key = youngest.entry(claim.claim.resource.clone()).or_insert(&order.key);
                *key = (*key).max(&order.key);
            }
        }
        youngest
    }

    fn supersede_claim(&mut self, id: &OrderId, resource: &ResourceId) {
        let ticket = TicketId::derive(id, resource, self.incarnation);
        let Some(order) = self.orders.get_mut(id) else { return };
        let mut out = false;
        for claim in order.claims.iter_mut().filter(|claim| claim.claim.resource == *resource) {
            claim.state = ClaimState::Superseded;
            out = std::mem::replace(&mut claim.ticket, TicketState::None) != TicketState::None;
        }
        let over = order
            .claims
            .iter()
            .filter(|claim| claim.claim.mode != ClaimMode::Lock)
            .all(|claim| claim.state == ClaimState::Superseded);
        if over && order.nothing_begun() {
            order.ending = Some(Ending::Superseded);
        }
        if out && self.leases.get(resource).is_none_or(|lease| lease.ticket != ticket) {
            self.withdraw_ticket(resource.clone(), ticket);
        }
        self.changed();
    }

    /// Skips the steps that no longer make sense: their claim was superseded, or everything they would release
    /// belongs to another customer.
    pub(super) fn skip_what_is_not_held(&mut self) {
        let mut changed = false;
        for order in self.orders.values_mut() {
            for index in 0..order.steps.len() {
                let step = &order.steps[index];
                if !step.state.is_open() || step.state.maybe_sent() || step.compensates.is_some() {
                    continue;
                }
                let state = |resource: &ResourceId| order.claim_on(resource).map(|claim| claim.state);
                let named = &step.planned.resources;
                let code = if named.iter().any(|resource| state(resource) == Some(ClaimState::Superseded)) {
                    ErrorCode::Superseded
                } else if !named.is_empty() && named.iter().all(|r| state(r) == Some(ClaimState::NotHolder)) {
                    ErrorCode::NotHolder
                } else {
                    continue;
                };
                order.steps[index].state = StepState::Skipped { code: code.into() };
                changed = true;
            }
        }
        if changed {
            self.changed();
        }
    }

    /// Settles the claims whose steps have all ended, on every target.
    pub(super) fn settle_claims(&mut self, now: Timestamp) {
        let mut settled: Vec<(OrderId, usize)> = Vec::new();
        for (id, order) in &self.orders {
            for (index, claim) in order.claims.iter().enumerate() {
                let named = order.steps_naming(&claim.claim.resource).next().is_some();
                if claim.state == ClaimState::Open && named && !order.open_on(&claim.claim.resource) {
                    settled.push((id.clone(), index));
                }
            }
        }
        for (id, index) in settled {
            self.settle_claim(now, &id, index, false);
        }
    }

    /// Settles one claim. If no step names its resource, it took effect if its order did.
    fn settle_claim(&mut self, now: Timestamp, id: &OrderId, index: usize, took_effect: bool) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let (resource, mode, key) =
            (order.claims[index].claim.resource.clone(), order.claims[index].claim.mode, order.key.clone());
        order.claims[index].state = ClaimState::Settled;
        let undone =
            |at: usize| order.steps.iter().any(|step| step.compensates == Some(at) && step.state == StepState::Done);
        let done = took_effect
            || (0..order.steps.len()).any(|at| {
                let step = &order.steps[at];
                step.planned.resources.contains(&resource)
                    && step.compensates.is_none()
                    && step.state == StepState::Done
                    && !undone(at)
            });
        let (begun, confirmed) = (order.begun_on(&resource), took_effect || order.release_is_confirmed(&resource));
        let proof = self.proof_on(id, &resource);
        if done {
            self.rename_target_identity(now, id, index, mode == ClaimMode::Assign);
        }
        self.changed();
        match mode {
            ClaimMode::Assign if done => {
                // It was registered again after a release under the same lease: the pending give-back is cancelled.
                if let Some(lease) = self.leases.get_mut(&resource).filter(|lease| lease.leaving.is_none()) {
                    lease.kept = true;
                    lease.due = None;
                }
                self.remember_settled(&resource, key);
            }
            ClaimMode::Release if confirmed => {
                self.give_back_later(&resource, GiveBack::Released, proof);
                self.remember_settled(&resource, key);
            }
            ClaimMode::Release if begun => {
                // Confirmed on some targets only: the customer is still registered on the others.
                if let Some(lease) = self.leases.get_mut(&resource) {
                    lease.kept |= lease.due.is_none() && lease.leaving.is_none();
                }
            }
            _ => {}
        }
    }

    /// Ends the orders that have nothing left to do.
    pub(super) fn end_orders(&mut self, now: Timestamp) {
        for order in self.orders.values_mut() {
            if order.expires_at.is_some_and(|at| now >= at) && order.nothing_begun() && order.ending.is_none() {
                order.ending = Some(Ending::Expired);
            }
            if order.ending.is_some() {
                for step in order.steps.iter_mut().filter(|step| step.compensates.is_none()) {
                    if step.may_be_given_up() {
                        step.give_up();
                    }
                }
            }
        }
        let over = |order: &Order| order.steps.iter().all(|step| step.state.is_over());
        let ended: Vec<OrderId> =
            self.orders.iter().filter(|(_, order)| over(order)).map(|(id, _)| id.clone()).collect();
        for id in ended {
            self.end_order(now, &id);
        }
    }

    fn end_order(&mut self, now: Timestamp, id: &OrderId) {
        let Some(order) = self.orders.get(id) else { return };
        let (state, code) = order.end_state();
        // An order that was not cut short took effect, also where it turned out that it had nothing to release.
        let took_effect = order.ending.is_none() || matches!(state, OrderState::Completed | OrderState::Partial);
        let open: Vec<usize> =
            (0..order.claims.len()).filter(|index| order.claims[*index].state == ClaimState::Open).collect();
        for index in open {
            self.settle_claim(now, id, index, took_effect);
        }
        let Some(order) = self.orders.remove(id) else { return };
        self.abandon_after_reset(&order);
        let claims = order.claims.iter().map(|claim| self.claim_view(claim)).collect();
        self.withdraw(&order);
        self.tell_end(now, &order, state, code.clone());
        self.weight_bytes = self.weight_bytes.saturating_sub(order.weight_bytes);
        if order.claims.is_empty() && took_effect {
            self.remember_applied(order.event_type.clone(), order.key.clone());
        }
        let rejected = match &order.ending {
            Some(Ending::BacklogFull) => Some(ErrorCode::BacklogFull.into()),
            Some(Ending::QueueFull { .. }) => Some(ErrorCode::QueueFull.into()),
            _ => None,
        };
        self.observe_end(state, rejected.filter(|_| state == OrderState::Rejected));
        if state == OrderState::Rejected {
            self.counts.count_rejected(order.ending == Some(Ending::BacklogFull));
        } else {
            self.counts.ended = self.counts.ended.saturating_add(1);
        }
        self.remember(now, &order, state);
        if let Some(remembered) = self.remembered.back_mut() {
            remembered.action = order.actions.last().cloned();
        }
        self.note(JournalEntry {
            at: now,
            key: Some(order.key.clone()),
            order: Some(id.clone()),
            event: Some((order.event_id.clone(), order.event_type.clone())),
            what: state.as_str().to_owned(),
            code,
            detail: None,
            by: None,
            steps: order.steps.iter().map(step_view).collect(),
            claims,
            parts_dropped: false,
        });
        self.changed();
    }
}

impl Order {
    /// Whether it claims the resource for more than a lock.
    pub(super) fn takes_or_gives_up(&self, resource: &ResourceId) -> bool {
        self.claim_on(resource).is_some_and(|claim| claim.claim.mode != ClaimMode::Lock)
    }

    /// Whether a release is confirmed on every target: by the target, by a person who skipped it, or because the resource
    /// belongs to another customer. A step that was skipped for another reason confirms nothing.
    fn release_is_confirmed(&self, resource: &ResourceId) -> bool {
        let undone = |at| self.steps.iter().any(|step| step.compensates == Some(at) && step.state == StepState::Done);
        let own = |step: &super::OrderStep| step.compensates.is_none() && step.planned.resources.contains(resource);
        let mut steps = self.steps.iter().enumerate().filter(|(_, step)| own(step)).peekable();
        steps.peek().is_some()
            && steps.all(|(index, step)| match &step.state {
                StepState::Done => !undone(index),
                StepState::Skipped { code } => *code == ErrorCode::Person || *code == ErrorCode::NotHolder,
                _ => false,
            })
    }
}
