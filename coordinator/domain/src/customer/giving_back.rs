//! Leases that are given back: why, when, and with which tickets.

use super::claims::ticket_of;
use super::proof::proof_without_call;
use super::{ClaimState, Customer, Lease, TicketState};
use crate::ids::{ResourceId, Timestamp};
use crate::message::{GiveBack, LeaseProof, ToResource};

impl Customer {
    /// Gives back the leases that are due, and answers recalls.
    pub(super) fn settle_leases(&mut self, now: Timestamp) {
        let resources: Vec<ResourceId> = self.leases.keys().cloned().collect();
        for resource in resources {
            let how = self.reason_to_give_back(&resource);
            let Some(lease) = self.leases.get_mut(&resource) else { continue };
            if let Some(how) = how
                && lease.leaving.is_none()
            {
                lease.leaving = Some(how);
                if lease.proof.is_none() {
                    lease.proof = proof_without_call(lease, how, now);
                }
            }
            let leaving = lease.leaving;
            match leaving {
                Some(how) if !self.in_flight(&resource) => self.give_back(now, &resource, how),
                _ => self.answer_recall(&resource),
            }
        }
    }

    /// Whether a call that the lease protects is running, or may still arrive.
    fn in_flight(&self, resource: &ResourceId) -> bool {
        self.orders.values().any(|order| order.steps_naming(resource).any(|step| step.state.is_in_flight()))
    }

    /// Whether a started order is not done with the lease.
    fn needed_now(&self, resource: &ResourceId) -> bool {
        self.orders.values().any(|order| order.needs_now(resource))
    }

    /// Why a lease must be given back now, if it must.
    fn reason_to_give_back(&self, resource: &ResourceId) -> Option<GiveBack> {
        let lease = self.leases.get(resource)?;
        if lease.leaving.is_some() || self.needed_now(resource) {
            return None;
        }
        if lease.due.is_some() {
            return lease.due;
        }
        let ticket_open = self.claim_of_ticket(resource, &lease.ticket).is_some_and(|(id, index)| {
            self.orders[&id].claims[index].state == ClaimState::Open && self.orders[&id].ending.is_none()
        });
        if !lease.kept && !ticket_open {
            return Some(GiveBack::Unused);
        }
        let older = lease.recall.as_ref().is_some_and(|asker| asker.key < lease.key);
        (!lease.kept && older).then_some(GiveBack::Yielded)
    }

    /// Marks a lease to be given back as soon as no started order needs it; `proof` is the evidence for it.
    pub(super) fn give_back_later(&mut self, resource: &ResourceId, how: GiveBack, proof: Option<LeaseProof>) {
        if let Some(lease) = self.leases.get_mut(resource) {
            lease.kept = false;
            lease.due = Some(how);
            if lease.leaving.is_none() {
                lease.proof = proof;
            }
            self.changed();
        }
    }

    /// Marks a lease to be given back as soon as no call that it protects is running, even if other orders want it; `proof` is
    /// the evidence for it.
    pub(super) fn give_back_now(&mut self, resource: &ResourceId, how: GiveBack, proof: Option<LeaseProof>) {
        if let Some(lease) = self.leases.get_mut(resource) {
            lease.kept = false;
            lease.leaving = Some(how);
            lease.proof = proof;
            self.changed();
        }
    }

    /// Gives a lease back, with the tickets by which it is still wanted.
    pub(super) fn give_back(&mut self, now: Timestamp, resource: &ResourceId, how: GiveBack) {
        let Some(lease) = self.leases.remove(resource) else { return };
        self.tell_given_back(now, resource, &lease, how);
        self.remember_given_back(resource, lease.epoch);
        let mut tickets = Vec::new();
        for order in self.orders.values_mut() {
            let (swap, key, over) = (order.is_swap(), order.key.clone(), order.ending.is_some());
            for claim in order.claims.iter_mut().filter(|claim| claim.claim.resource == *resource) {
                if claim.state == ClaimState::Open && !over {
                    claim.ticket = TicketState::Out;
                    tickets.push(ticket_of(&self.me, self.incarnation, &key, &claim.claim, swap));
                }
            }
        }
        let wanted = tickets.iter().any(|ticket| ticket.id == lease.ticket);
        let finished = if wanted { Vec::new() } else { vec![lease.ticket.clone()] };
        if how == GiveBack::Released {
            self.forget_identity(resource);
        }
        let Lease { epoch, proof, registered_to, .. } = lease;
        let message =
            ToResource::GiveBack { from: self.me.clone(), epoch, how, tickets, finished, proof, registered_to };
        self.outbox.push_back((resource.clone(), message));
        self.changed();
    }

    /// Answers a recall for a lease that stays: the target accepted our assign.
    fn answer_recall(&mut self, resource: &ResourceId) {
        let Some(lease) = self.leases.get_mut(resource) else { return };
        if lease.kept && lease.leaving.is_none() && lease.recall.take().is_some() {
            let message = ToResource::Used { from: self.me.clone(), epoch: lease.epoch, target_identity: None };
            self.outbox.push_back((resource.clone(), message));
            self.changed();
        }
    }
}
