//! What a resource tells a customer.

use super::journal::JournalEntry;
use super::{ClaimState, Customer, Ending, TicketState, UnjudgedGrant};
use crate::error_code::ErrorCode;
use crate::ids::{Epoch, OrderId, ResourceId, TicketId, Timestamp};
use crate::limits::{CLOCKS_APART_MS_MAX, RESOURCES_REMEMBERED_MAX};
use crate::message::{ForcedBy, GiveBack, Notice, ToCustomer, ToResource};
use crate::order::ClaimMode;

impl Customer {
    /// Takes a message from a resource.
    pub(super) fn told(&mut self, now: Timestamp, message: ToCustomer) {
        let ToCustomer { resource, incarnation, notice } = message;
        if !notice.is_believable() {
            return;
        }
        if incarnation != self.incarnation {
            self.told_another_life(&resource, incarnation, notice);
            return;
        }
        if self.is_early(&resource, &notice) {
            self.hear_again(resource, notice);
            return;
        }
        match notice {
            Notice::LeaseGranted { ticket, epoch, registered, recall } => {
                self.granted(now, UnjudgedGrant { resource, ticket, epoch, registered, recall });
            }
            Notice::LeaseImported { epoch, unused: true, .. } => self.confirmed_unused(&resource, epoch),
            Notice::LeaseImported { epoch, target_identity, .. } => {
                self.imported(now, &resource, epoch, target_identity);
            }
            Notice::LeaseRecalled { epoch, asker } => self.recalled(&resource, epoch, Some(asker)),
            Notice::LeaseKnown { epoch } => self.known_to_hold(&resource, epoch),
            Notice::LeaseGone { epoch } => self.lease_gone(&resource, epoch),
            Notice::Reassert { above, .. } => self.doubt(&resource, above),
            Notice::NotHolder { ticket, target_identity } => self.not_holder(now, &resource, &ticket, target_identity),
            Notice::QueueFull { ticket, .. } => self.queue_full(&resource, &ticket),
            Notice::Probe { probe } => self.probed(&resource, &probe),
            Notice::Forced { epoch, unused_since, by } => self.forced(now, &resource, epoch, unused_since, by),
        }
    }

    /// Whether a notice is about an order that may become known only when the running admission is recorded: its claims
    /// were made, and answered by message, before that.
    fn is_early(&self, resource: &ResourceId, notice: &Notice) -> bool {
        !self.inbox.is_empty()
            && match notice {
                Notice::NotHolder { ticket, .. } | Notice::QueueFull { ticket, .. } => {
                    self.claim_of_ticket(resource, ticket).is_none()
                }
                Notice::Forced { epoch, .. } => !self.knows_epoch(resource, *epoch),
                Notice::Probe { .. } => !self.orders.values().any(|order| self.keeps_until_granted(order, resource)),
                _ => false,
            }
    }

    fn hear_again(&mut self, resource: ResourceId, notice: Notice) {
        if !self.early_notices.contains(&(resource.clone(), notice.clone())) {
            self.early_notices.push((resource, notice));
        }
        while self.early_notices.len() > RESOURCES_REMEMBERED_MAX {
            self.early_notices.remove(0);
        }
    }

    /// An admission was recorded: handle again the notices that came too early.
    pub(super) fn hear_early_notices(&mut self, now: Timestamp) {
        let incarnation = self.incarnation;
        for (resource, notice) in std::mem::take(&mut self.early_notices) {
            self.told(now, ToCustomer { resource, incarnation, notice });
        }
    }

    /// A message for an earlier life of this customer: its lease is an orphan, and the resource must be told.
    fn told_another_life(&mut self, resource: &ResourceId, incarnation: crate::ids::Incarnation, notice: Notice) {
        let (ticket, epoch) = match notice {
            Notice::LeaseGranted { ticket, epoch, .. } => (Some(ticket), epoch),
            Notice::LeaseImported { epoch, .. }
            | Notice::LeaseKnown { epoch }
            | Notice::Reassert { epoch: Some(epoch), .. }
            | Notice::LeaseRecalled { epoch, .. }
            | Notice::Forced { epoch, .. } => (None, epoch),
            _ => return,
        };
        let message = ToResource::Decline { from: self.me.clone(), ticket, epoch, lost: Some(incarnation) };
        self.outbox.push_back((resource.clone(), message));
    }

    /// Another customer is proven to hold what an order wants to release. The order's steps are skipped, unless this customer
    /// holds the lease, or has an older open assign of it. If the target has it under a name of this customer that the
    /// order did not give (`party`), the resource is claimed again by that name.
    pub(super) fn not_holder(
        &mut self,
        now: Timestamp,
        resource: &ResourceId,
        ticket: &TicketId,
        target_identity: Option<String>,
    ) {
        let Some((id, index)) = self.claim_of_ticket(resource, ticket) else { return };
        let key = self.orders[&id].key.clone();
        if self.leases.contains_key(resource) {
            // The resource acts as if it did not know our lease.
            self.doubt(resource, Epoch(0));
        }
        let spared = self.leases.contains_key(resource)
            || self.older_open_assign(&key, resource)
            || self.orders[&id].gave_it_up(resource);
        let Some(claim) = self.orders.get_mut(&id).and_then(|order| order.claims.get_mut(index)) else { return };
        if claim.state != ClaimState::Open || claim.claim.mode != ClaimMode::Release {
            return;
        }
        claim.ticket = TicketState::Refused;
        if !spared
            && target_identity
                .is_some_and(|target_identity| self.claims_by_another_name(now, &id, index, target_identity))
        {
            return;
        }
        let Some(claim) = self.orders.get_mut(&id).and_then(|order| order.claims.get_mut(index)) else { return };
        if !spared {
            claim.state = ClaimState::NotHolder;
            self.remember_settled(resource, key);
        }
        self.changed();
    }

    /// A resource's queue is full: an order without effects is rejected, any other waits for a person.
    pub(super) fn queue_full(&mut self, resource: &ResourceId, ticket: &TicketId) {
        let Some((id, index)) = self.claim_of_ticket(resource, ticket) else { return };
        let Some(order) = self.orders.get_mut(&id) else { return };
        order.claims[index].ticket = TicketState::Refused;
        if order.had_effect() {
            let detail = format!("the queue of {resource} is at its limit");
            let open = |step: &&mut super::OrderStep| step.state.is_open() && step.planned.resources.contains(resource);
            let hold = |step: &mut super::OrderStep| step.hold(ErrorCode::QueueFull.into(), detail.clone());
            order.steps.iter_mut().filter(open).for_each(hold);
        } else {
            order.ending = Some(Ending::QueueFull { resource: resource.clone() });
        }
        self.changed();
    }

    /// Whether a lease of this epoch is held, was given back, or was granted and is not judged yet.
    fn knows_epoch(&self, resource: &ResourceId, epoch: Epoch) -> bool {
        self.leases.get(resource).is_some_and(|lease| lease.epoch >= epoch)
            || self.given_back.get(resource).is_some_and(|known| *known >= epoch)
            || self.unjudged.iter().any(|grant| grant.resource == *resource && grant.epoch >= epoch)
    }

    /// A person forces the release of a lease: refused while open orders name the resource, and if the lease was used after the
    /// target was asked who is registered. A lease that this customer does not know is declined.
    fn forced(
        &mut self,
        now: Timestamp,
        resource: &ResourceId,
        epoch: Epoch,
        unused_since: Option<Timestamp>,
        by: Option<ForcedBy>,
    ) {
        let Some(lease) = self.leases.get(resource).filter(|lease| lease.epoch == epoch) else {
            if !self.knows_epoch(resource, epoch) {
                self.decline(resource, None, epoch);
            }
            return;
        };
        let used_at = lease
            .used_at
            .filter(|used_at| unused_since.is_some_and(|since| used_at.plus_ms(CLOCKS_APART_MS_MAX) >= since));
        let orders: Vec<OrderId> = self
            .orders
            .iter()
            .filter(|(_, order)| order.claim_on(resource).is_some())
            .map(|(id, _)| id.clone())
            .collect();
        if orders.is_empty() && used_at.is_none() {
            self.give_back_now(resource, GiveBack::Forced, None);
            self.note_forced(now, resource, by);
        } else {
            let message = ToResource::ForceRefused { from: self.me.clone(), epoch, orders, used_at };
            self.outbox.push_back((resource.clone(), message));
        }
    }

    /// Records who took a resource away from this customer, and for which tenant.
    fn note_forced(&mut self, now: Timestamp, resource: &ResourceId, by: Option<ForcedBy>) {
        let Some(ForcedBy { tenant, actor, reason }) = by else { return };
        self.note(JournalEntry {
            at: now,
            key: None,
            order: None,
            event: None,
            what: "forced".to_owned(),
            code: None,
            detail: Some(format!("{resource} was taken from this customer by an operator of the tenant {tenant}.")),
            by: Some((actor, reason)),
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        });
    }
}
