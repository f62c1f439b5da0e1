//! Leases whose customer entity died, and leases that only the target knows.

use super::{Holder, HolderName, LeaseEvent, Resource, Vacancy};
use crate::ids::{CustomerRef, Incarnation, Timestamp};
use crate::message::{Notice, Ticket, ToCustomer};
use crate::order::ClaimMode;
use crate::recording::Edition;

/// Whether the target has the resource registered to the holder, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registered {
    /// It has, or there is no authority to ask.
    Yes,
    /// The authority has no registration; other targets may have one.
    No,
    /// The lease was granted for locks only.
    Never,
}

impl Resource {
    /// The holder's entity is dead: its lease is an orphan, and nothing is granted while a request of it may still arrive.
    pub(super) fn orphaned(&mut self, now: Timestamp) {
        let Some(holder) = &mut self.holder else { return };
        if holder.orphaned_at.is_some() {
            return;
        }
        holder.orphaned_at = Some(now);
        let (who, incarnation) = (holder.customer().cloned(), holder.incarnation);
        self.note(now, LeaseEvent::Orphaned, who.as_ref().map(ToString::to_string), None, None);
        if let (Some(who), Some(incarnation)) = (who, incarnation) {
            self.forget_dead(&who, incarnation);
        }
    }

    /// Ends the tickets of a dead customer entity.
    pub(super) fn forget_dead(&mut self, customer: &CustomerRef, incarnation: Incarnation) {
        self.queue.retain(|_, queued| queued.ticket.claimant != *customer || queued.ticket.incarnation > incarnation);
    }

    /// Settles an orphan once no request of the dead entity can still arrive, and the authority, if there is one, was asked: a claim of
    /// its newer incarnation is granted next, whatever its key.
    pub(super) fn settle_orphan(&mut self, now: Timestamp) {
        let to_be_looked_up = self.policy.authority.is_some() && self.orphan_is_to_be_looked_up(now);
        if self.look_up.is_under_way() || !self.orphan_is_quiet(now) || to_be_looked_up {
            return;
        }
        if self.policy.authority.is_none() && self.holder.as_ref().is_some_and(|h| h.disowned && h.lives_as.is_none()) {
            // The customer's entity runs and does not have it, and there is no authority to ask.
            self.vacate(now, LeaseEvent::Disowned);
            return;
        }
        let Some(customer) = self.holder.as_ref().and_then(Holder::customer).cloned() else { return };
        if let Some(ticket) = self.take_ticket_of(&customer) {
            if self.edition >= Edition::V0_2 && self.holder.as_ref().is_some_and(|holder| holder.locks_only) {
                self.grant(now, ticket);
            } else {
                // The earlier incarnation may have registered it: whoever asks for it must wait for a release.
                self.grant_registered(now, ticket);
            }
        } else if self.is_to_be_confirmed() {
            self.confirm_after_reset(now);
        } else if self.edition >= Edition::V0_2 && self.holder.as_ref().is_some_and(|holder| holder.locks_only) {
            // Nothing can be registered under it.
            self.vacate(now, LeaseEvent::Unused);
        }
    }

    /// Takes the first ticket of a customer out of the queue.
    fn take_ticket_of(&mut self, customer: &CustomerRef) -> Option<Ticket> {
        let key = self.queue.values().find(|queued| queued.ticket.claimant == *customer)?.ticket.key.clone();
        self.queue.remove(&key).map(|queued| queued.ticket)
    }

    /// The authority has no registration. It is only one of several targets, so a holder that was reset in the middle of an
    /// order keeps the lease, and the newer incarnation of a dead holder is granted it next: each ends its order on every target.
    pub(super) fn nobody_is_registered(&mut self, now: Timestamp) {
        self.note(now, LeaseEvent::LookedUp, None, None, Some("no one is registered".to_owned()));
        self.unsure = false;
        self.vacancy = Vacancy::Known;
        let Some(orphan) = &self.holder else { return };
        if orphan.lives_as.is_some() && orphan.unfinished {
            self.own_again(now, Registered::No);
            return;
        }
        let lives_again = orphan.customer().cloned().filter(|_| !orphan.disowned && self.edition >= Edition::V0_2);
        let newer = lives_again.and_then(|customer| self.take_ticket_of(&customer));
        if let Some(orphan) = self.holder.take() {
            self.tell_reset_holder(&orphan);
        }
        match newer {
            // Whoever asks for it back must wait for the release on the other targets.
            Some(ticket) if ticket.mode == ClaimMode::Release => self.grant_registered(now, ticket),
            Some(ticket) => self.grant(now, ticket),
            None => {}
        }
    }

    fn orphan_is_quiet(&self, now: Timestamp) -> bool {
        let orphaned_at = self.holder.as_ref().and_then(|holder| holder.orphaned_at);
        orphaned_at.is_some_and(|at| now >= at.plus_ms(self.policy.orphan_settle_ms))
    }

    /// Whether the authority must be asked about an orphan.
    pub(super) fn orphan_is_to_be_looked_up(&self, now: Timestamp) -> bool {
        self.orphan_is_quiet(now) && self.holder.as_ref().is_some_and(|holder| !holder.looked_up)
    }

    /// The target says that this party has the resource.
    pub(super) fn registered(&mut self, now: Timestamp, target_identity: &str) {
        self.note(now, LeaseEvent::LookedUp, Some(target_identity.to_owned()), None, None);
        self.is_with(now, target_identity);
    }

    /// A release found the resource registered to this party. If an authority can be asked, it is asked.
    pub(super) fn found_registered(&mut self, now: Timestamp, target_identity: &str) {
        if self.policy.authority.is_some() {
            self.vacancy = Vacancy::ToLookUp;
            return;
        }
        self.note(now, LeaseEvent::Registered, Some(target_identity.to_owned()), None, None);
        self.vacancy = Vacancy::Known;
        self.is_with(now, target_identity);
    }

    /// A party has the resource: the customer in the queue with this name, or a party that only the target knows.
    fn is_with(&mut self, now: Timestamp, target_identity: &str) {
        let matching = self
            .queue
            .values()
            .map(|queued| &queued.ticket)
            .find(|t| t.target_identity.as_deref() == Some(target_identity));
        if let Some(ticket) = matching.cloned() {
            self.queue.remove(&ticket.key);
            self.grant_registered(now, ticket);
            return;
        }
        if let Some(orphan) = &mut self.holder {
            orphan.looked_up = true;
            if orphan.target_identity.as_deref() == Some(target_identity) {
                if orphan.disowned && orphan.lives_as.is_none() {
                    self.own_again(now, Registered::Yes);
                }
                return;
            }
        }
        if let Some(orphan) = self.holder.take() {
            self.tell_reset_holder(&orphan);
        }
        self.raise_epoch(now);
        let who = HolderName::TargetIdentity(target_identity.to_owned());
        self.holder = Some(Holder {
            looked_up: true,
            ..Holder::registered(who, Some(target_identity.to_owned()), self.epoch, now)
        });
        self.answer_other_target_identities(target_identity);
    }

    /// The holder's entity runs, and its lease was in doubt: it is told that it has the lease, as after an import.
    pub(super) fn own_again(&mut self, now: Timestamp, registered: Registered) {
        self.raise_epoch(now);
        self.settled = self.epoch;
        let epoch = self.epoch;
        let Some(holder) = &mut self.holder else { return };
        (holder.epoch, holder.used) = (epoch, registered == Registered::Yes);
        (holder.disowned, holder.orphaned_at, holder.unfinished) = (false, None, false);
        if let Some(incarnation) = holder.lives_as.take() {
            holder.incarnation = Some(incarnation);
        }
        let (target_identity, unused) = (holder.target_identity.clone(), registered == Registered::Never);
        let Some(customer) = holder.customer().cloned() else { return };
        self.note(now, LeaseEvent::Told, Some(customer.to_string()), None, None);
        self.tell_holder(customer, Notice::LeaseImported { epoch, target_identity, unused });
        self.answer_releases();
        self.probe_new_holder();
    }

    /// Grants the lease to the customer that the target names: it already has the resource.
    fn grant_registered(&mut self, now: Timestamp, ticket: Ticket) {
        self.raise_epoch(now);
        self.settled = self.epoch;
        self.note(now, LeaseEvent::Granted, Some(ticket.claimant.to_string()), Some(ticket.order.clone()), None);
        let holder = Holder::of_ticket(ticket, self.epoch, now);
        self.holder = Some(Holder { used: true, locks_only: false, looked_up: true, ..holder });
        self.vacancy = Vacancy::Known;
        self.tell_granted();
        self.answer_releases();
        self.probe_new_holder();
    }

    /// The target named a party: releases of customers with another name have nothing to release.
    fn answer_other_target_identities(&mut self, target_identity: &str) {
        let others: Vec<Ticket> = self
            .queue
            .values()
            .map(|queued| &queued.ticket)
            .filter(|ticket| ticket.mode == ClaimMode::Release)
            .filter(|ticket| ticket.target_identity.as_deref().is_some_and(|own| own != target_identity))
            .cloned()
            .collect();
        for ticket in others {
            self.queue.remove(&ticket.key);
            let notice = Notice::NotHolder { ticket: ticket.id, target_identity: Some(target_identity.to_owned()) };
            let message = ToCustomer { resource: self.id.clone(), incarnation: ticket.incarnation, notice };
            self.tell(ticket.claimant, message);
        }
    }
}
