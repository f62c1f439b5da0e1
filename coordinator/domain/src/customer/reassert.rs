//! Repeating what this customer has and wants of a resource whose entity may have forgotten it.

use super::claims::ticket_of;
use super::{ClaimState, Customer, Order, TicketState};
use crate::ids::{Epoch, ResourceId, TicketId, Timestamp};
use crate::limits::RESOURCES_REMEMBERED_MAX;
use crate::message::{HeldLease, Ticket, ToResource};

impl Customer {
    /// A resource's entity was terminated, or any of them may have been.
    pub(super) fn reassert_later(&mut self, now: Timestamp, resource: Option<ResourceId>) {
        let concerned: Vec<ResourceId> = if let Some(resource) = resource {
            vec![resource]
        } else {
            let claimed = self.orders.values().flat_map(|order| order.open_claims().map(|c| &c.claim.resource));
            self.leases.keys().chain(claimed).cloned().collect()
        };
        // The entity's new grants have a higher epoch; earlier grants may be forgotten.
        let above = Epoch(u64::try_from(now.0).unwrap_or(0));
        for resource in concerned {
            self.reassert_above(resource, above);
        }
    }

    /// The sweep saw a resource contradict this customer for longer than messages take: the resource is told what this customer knows,
    /// and must believe it. `above` is the epoch with which the resource says that the lease is held: it may be ahead of the
    /// clock.
    pub(super) fn settle_difference(&mut self, now: Timestamp, resource: ResourceId, above: Epoch) {
        self.reassert_above(resource.clone(), above.max(Epoch(u64::try_from(now.0).unwrap_or(0))));
        if self.to_reassert.contains_key(&resource) {
            self.contradicting.insert(resource);
        }
    }

    /// A resource said something that contradicts what this customer knows: the resource is told. If it was only an old message,
    /// this changes nothing. A grant is accepted only above `above`, and above what was given back.
    pub(super) fn doubt(&mut self, resource: &ResourceId, above: Epoch) {
        let known = self.given_back.get(resource).copied().unwrap_or(Epoch(0));
        self.reassert_above(resource.clone(), above.max(known));
    }

    /// A resource took over what this customer had reported: if that is out of date, the resource is told.
    pub(super) fn known_to_hold(&mut self, resource: &ResourceId, epoch: Epoch) {
        if self.leases.get(resource).is_none_or(|lease| lease.epoch < epoch) {
            self.doubt(resource, epoch);
        }
    }

    /// Whether this customer has no lease of a resource, and one of its orders waits by this ticket.
    pub(super) fn waits_by(&self, resource: &ResourceId, ticket: &TicketId) -> bool {
        !self.leases.contains_key(resource)
            && self
                .claim_of_ticket(resource, ticket)
                .is_some_and(|(id, index)| self.orders[&id].claims[index].state == ClaimState::Open)
    }

    pub(super) fn reassert_above(&mut self, resource: ResourceId, above: Epoch) {
        if self.to_reassert.len() < RESOURCES_REMEMBERED_MAX || self.to_reassert.contains_key(&resource) {
            let known = self.to_reassert.entry(resource).or_insert(above);
            *known = (*known).max(above);
            self.changed();
        }
    }

    /// Repeats what is due, once nothing waits for admission: only then are all tickets known.
    pub(super) fn reassert(&mut self) {
        if !self.inbox.is_empty() {
            return;
        }
        for (resource, above) in std::mem::take(&mut self.to_reassert) {
            if self.contradicting.contains(&resource) && self.writes_without_lease(&resource) {
                // The resource would grant the lease to another customer while the call runs. It is told after the call.
                self.to_reassert.insert(resource, above);
                continue;
            }
            let is_contradicting = self.contradicting.remove(&resource);
            let is_doubted = self.leases.get(&resource).is_some_and(|lease| lease.doubted);
            let after_reset = self.to_reassert_as_reset.remove(&resource) || is_doubted;
            let unfinished = after_reset && self.may_be_half_done(&resource);
            let lease = self.leases.get(&resource).map(|lease| HeldLease {
                epoch: lease.epoch,
                ticket: lease.ticket.clone(),
                key: lease.key.clone(),
                since: lease.since,
                target_identity: lease.target_identity.clone(),
                unfinished,
            });
            // What this customer is not sure to own proves nothing against the resource.
            let lasting = is_contradicting && !is_doubted;
            if lease.is_none() || is_doubted {
                self.remember_given_back(&resource, above);
            }
            let tickets = self.tickets_out(&resource);
            let (from, incarnation) = (self.me.clone(), self.incarnation);
            let message = ToResource::Reassert { from, incarnation, lease, above, tickets, lasting, after_reset };
            self.outbox.push_back((resource, message));
            self.changed();
        }
    }

    /// Whether an order has steps left for a resource, or was given up before they were read back.
    fn may_be_half_done(&self, resource: &ResourceId) -> bool {
        let is_open = |order: &Order| order.steps_naming(resource).any(|step| !step.state.is_over());
        self.orders.values().any(is_open) || self.leases.get(resource).is_some_and(|lease| lease.abandoned)
    }

    /// Whether a call that needs the lease of a resource is running although the lease is lost.
    fn writes_without_lease(&self, resource: &ResourceId) -> bool {
        let is_called = |order: &Order| order.steps_naming(resource).any(|step| step.state.is_running());
        !self.leases.contains_key(resource) && self.orders.values().any(is_called)
    }

    /// The tickets by which orders want a resource, except the one by which the lease is held.
    fn tickets_out(&self, resource: &ResourceId) -> Vec<Ticket> {
        let held = self.leases.get(resource).map(|lease| &lease.ticket);
        let mut tickets = Vec::new();
        for order in self.orders.values().filter(|order| order.ending.is_none()) {
            let Some(claim) = order.claim_on(resource) else { continue };
            if claim.state == ClaimState::Open && claim.ticket == TicketState::Out {
                tickets.push(ticket_of(&self.me, self.incarnation, &order.key, &claim.claim, order.is_swap()));
            }
        }
        tickets.retain(|ticket| Some(&ticket.id) != held);
        tickets
    }
}
