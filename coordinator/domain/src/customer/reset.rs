//! A workflow reset by an operator: this customer's state is that of an earlier point, and lacks what it did since.
//!
//! Its calls may have been sent, and its leases may have been given back and granted to others; that its state shows no such thing
//! proves nothing. So it starts another life (`coordinator/docs/inside/resets.md`): what resources granted to the previous life is
//! answered as lost, every open step is read back before it is sent, and no call starts under a lease before its resource confirmed it
//! ([`Lease::doubted`]).

use std::collections::BTreeSet;

use super::journal::JournalEntry;
use super::{ClaimState, Customer, Lease, Order, OrderStep, TicketState};
use crate::ids::{Epoch, Incarnation, OrderId, ResourceId, Timestamp};
use crate::message::GiveBack;

impl Customer {
    /// Records that the workflow was reset.
    pub(super) fn was_reset(&mut self, now: Timestamp) {
        self.reset_at = Some(now);
        self.incarnation = Incarnation(self.incarnation.0.saturating_add(1).max(now.0));
        for waiting in &mut self.inbox {
            waiting.after_reset = true;
        }
        for order in self.orders.values_mut() {
            order.reset_at = Some(now);
            order.steps.iter_mut().for_each(|step| step.state.note_reset());
        }
        for lease in self.leases.values_mut() {
            lease.doubt();
        }
        for resource in self.resources_known() {
            self.reassert_after_reset(resource, now);
        }
        self.note(JournalEntry {
            at: now,
            key: None,
            order: None,
            event: None,
            what: "reset".to_owned(),
            code: None,
            detail: Some(
                "the workflow was reset to an earlier state: steps are read back before they are sent, and no call \
                 starts under a lease before its resource has confirmed it"
                    .to_owned(),
            ),
            by: None,
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        });
        self.changed();
    }

    /// The resources that may know this customer, as far as it remembers them: the previous life may have been granted something of
    /// each, and may not have said whether it wants it. Grants and recalls were for that life, and are forgotten.
    fn resources_known(&mut self) -> BTreeSet<ResourceId> {
        let claimed = self.orders.values().flat_map(|order| order.open_claims().map(|claim| &claim.claim.resource));
        let remembered = self.leases.keys().chain(self.given_back.keys()).chain(self.settled.keys()).chain(claimed);
        let mut known: BTreeSet<ResourceId> = remembered.cloned().collect();
        known.extend(std::mem::take(&mut self.unjudged).into_iter().map(|grant| grant.resource));
        known.extend(std::mem::take(&mut self.early_recalls).into_keys());
        known.extend(std::mem::take(&mut self.early_notices).into_iter().map(|(resource, _)| resource));
        known
    }

    /// An admission that started before the reset ended: its tickets belong to the previous life, so its answers do not
    /// count, and its claims are made again.
    pub(super) fn claim_again_after_reset(&mut self, now: Timestamp, order: &OrderId) {
        let Some(order) = self.orders.get_mut(order) else { return };
        let mut resources = Vec::new();
        for claim in order.claims.iter_mut().filter(|claim| claim.state == ClaimState::Open) {
            claim.ticket = TicketState::Out;
            resources.push(claim.claim.resource.clone());
        }
        for resource in resources {
            self.reassert_after_reset(resource, now);
        }
    }

    fn reassert_after_reset(&mut self, resource: ResourceId, now: Timestamp) {
        self.reassert_above(resource.clone(), Epoch(u64::try_from(now.0).unwrap_or(0)));
        if self.to_reassert.contains_key(&resource) {
            self.to_reassert_as_reset.insert(resource);
        }
    }

    /// A call that was running under a lease in doubt is started again only once the lease is confirmed.
    pub(super) fn leave_calls_to_confirmed_leases(&mut self) {
        let is_doubted = |resource: &ResourceId| self.leases.get(resource).is_some_and(|lease| lease.doubted);
        for step in self.orders.values_mut().flat_map(|order| order.steps.iter_mut()) {
            if step.state.is_running() && step.planned.resources.iter().any(is_doubted) {
                step.reopen();
                // The lease may be gone: this call does not keep it.
                step.state.note_arrived();
            }
        }
    }

    /// A resource confirms that a lease in doubt is this customer's, and that nothing was registered by it.
    pub(super) fn confirmed_unused(&mut self, resource: &ResourceId, epoch: Epoch) {
        let Some(lease) = self.leases.get_mut(resource) else {
            if self.given_back.get(resource).is_none_or(|known| *known < epoch) {
                self.decline(resource, None, epoch);
            }
            return;
        };
        if lease.confirmed(epoch) {
            lease.kept = false;
        }
        self.changed();
    }

    /// A resource says that a lease in doubt is no longer this customer's.
    pub(super) fn lease_gone(&mut self, resource: &ResourceId, epoch: Epoch) {
        let is_gone = |lease: &Lease| lease.doubted && lease.epoch <= epoch;
        if self.leases.get(resource).is_some_and(is_gone) {
            self.leases.remove(resource);
            self.remember_given_back(resource, epoch);
            self.ask_again_what_was_sent(resource);
            self.changed();
        }
    }

    /// An order ended, and calls that the life before the reset sent may have taken effect on one target and not on another.
    pub(super) fn abandon_after_reset(&mut self, order: &Order) {
        if !order.may_have_had_effect() {
            return;
        }
        for (resource, lease) in &mut self.leases {
            lease.abandoned |= lease.doubted && order.takes_or_gives_up(resource);
        }
    }

    /// A request that may have been sent under a lease which is gone has arrived by now, so it no longer needs the lease's
    /// protection. Its step, which a person holds or has just retried, asks for the lease again, and reads back before it is sent.
    fn ask_again_what_was_sent(&mut self, resource: &ResourceId) {
        let is_left = |step: &&mut OrderStep| {
            let is_left = step.state.maybe_sent() && !step.state.is_running();
            is_left && step.planned.resources.contains(resource)
        };
        for step in self.orders.values_mut().flat_map(|order| order.steps.iter_mut()).filter(is_left) {
            step.state.note_arrived();
        }
    }
}

impl Lease {
    /// It may have been given back, or used, since then.
    fn doubt(&mut self) {
        self.doubted = true;
        // It is not certain that it was unused.
        self.kept = true;
        self.due = self.due.filter(|how| !matches!(how, GiveBack::Unused | GiveBack::Yielded));
        self.recall = None;
    }

    /// Its resource granted it again, or confirmed it, with this epoch. Returns whether it was in doubt until now.
    pub(super) fn confirmed(&mut self, epoch: Epoch) -> bool {
        if epoch <= self.epoch {
            return false;
        }
        self.epoch = epoch;
        std::mem::take(&mut self.doubted)
    }
}

impl Order {
    /// Whether it has started to release a resource under the lease that this customer had: it needs no other lease to continue. After a reset that
    /// lease may have been given back by the previous life, and another one is asked for.
    pub(super) fn gave_it_up(&self, resource: &ResourceId) -> bool {
        self.begun_on(resource) && self.reset_at.is_none()
    }

    /// Whether a step that it gave up may still have been done before the workflow was reset.
    pub(super) fn may_have_had_effect(&self) -> bool {
        self.steps.iter().any(|step| step.state.may_be_done_all_the_same())
    }
}
