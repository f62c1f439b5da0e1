//! A customer wants the resource: its ticket waits in the queue, or is answered at once.

use super::{Holder, HolderName, LeaseEvent, QueuedTicket, Resource, Vacancy};
use crate::ids::{CustomerRef, TicketId, Timestamp};
use crate::limits::{QUEUED_NAMES_BYTES_MAX, TENANT_SHARE_OF_QUEUE};
use crate::message::{ClaimAnswer, Notice, Ticket, ToCustomer};
use crate::order::ClaimMode;

impl Resource {
    /// A claim that came as a message is answered by a message.
    pub(super) fn claimed_by_message(&mut self, now: Timestamp, ticket: Ticket) {
        let (id, claimant, incarnation) = (ticket.id.clone(), ticket.claimant.clone(), ticket.incarnation);
        let answer = self.take_claim(now, ticket);
        let answer = answer.or_else(|| match self.answer_for(&id) {
            granted @ ClaimAnswer::Granted { .. } => {
                self.outbox_forget_grant(&id);
                Some(granted)
            }
            _ => None,
        });
        let notice = match answer {
            Some(ClaimAnswer::Granted { epoch, registered, recall }) => {
                Notice::LeaseGranted { ticket: id, epoch, registered, recall }
            }
            Some(ClaimAnswer::NotHolder) => Notice::NotHolder { ticket: id, target_identity: None },
            Some(ClaimAnswer::QueueFull { tickets_max }) => Notice::QueueFull { ticket: id, tickets_max },
            _ => return,
        };
        self.tell(claimant, ToCustomer { resource: self.id.clone(), incarnation, notice });
    }

    /// Takes a ticket. Answers at once if the ticket is not put into the queue; none if it waits there, or has
    /// the lease.
    pub(in crate::resource) fn take_claim(&mut self, now: Timestamp, ticket: Ticket) -> Option<ClaimAnswer> {
        self.begin(now, &ticket.policy);
        self.ask_who_is_heard_again(&ticket.claimant, ticket.incarnation);
        self.claimed_for_more(&ticket);
        if self.finished.contains(&ticket.id) {
            return Some(ClaimAnswer::Finished);
        }
        if self.queue.values().any(|queued| queued.ticket.id == ticket.id) {
            return None;
        }
        if self.is_of_earlier_life(&ticket) {
            return Some(ClaimAnswer::Finished);
        }
        if let Some(holder) = &self.holder {
            if holder.ticket.as_ref().is_some_and(|held| held.id == ticket.id) {
                return None;
            }
            if holder.used
                && ticket.mode == ClaimMode::Release
                && holder.orphaned_at.is_none()
                && holder.customer().is_some_and(|customer| *customer != ticket.claimant)
            {
                return Some(ClaimAnswer::NotHolder);
            }
        }
        // A claim of a newer incarnation proves that the earlier one is dead, even if there is no room for the claim.
        let earlier = |holder: &Holder| holder.is(&ticket.claimant) && holder.incarnation < Some(ticket.incarnation);
        if self.holder.as_ref().is_some_and(|holder| holder.incarnation.is_some() && earlier(holder)) {
            self.orphaned(now);
        }
        if let Some(tickets_max) = self.full_for(&ticket.claimant) {
            return Some(ClaimAnswer::QueueFull { tickets_max });
        }
        self.enqueue(now, ticket);
        None
    }

    /// A lease belongs to its holder by whatever ticket: once the holder claims the resource for more than a lock, it may have it
    /// registered under a lease that was granted for a lock.
    fn claimed_for_more(&mut self, ticket: &Ticket) {
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.is(&ticket.claimant)) {
            holder.locks_only &= ticket.mode == ClaimMode::Lock;
        }
    }

    /// The number of tickets that count against the limit that a customer's ticket would exceed: all, or, in a realm that tenants
    /// share, its tenant's. None if there is room.
    fn full_for(&self, claimant: &CustomerRef) -> Option<usize> {
        let is_full = |waiting: &[&CustomerRef], tickets_max: usize, names_max: usize| {
            let names: usize = waiting.iter().map(|customer| customer.customer.as_str().len()).sum();
            let is_room_for_name = names + claimant.customer.as_str().len() <= names_max;
            (waiting.len() >= tickets_max || !is_room_for_name).then_some(waiting.len())
        };
        let all: Vec<&CustomerRef> = self.queue.values().map(|queued| &queued.ticket.claimant).collect();
        let tickets_max = self.policy.limits.tickets_max;
        is_full(&all, tickets_max, QUEUED_NAMES_BYTES_MAX).or_else(|| {
            let is_shared = self.realm.as_str() != claimant.tenant.as_str();
            let own: Vec<&CustomerRef> = all.into_iter().filter(|other| other.tenant == claimant.tenant).collect();
            let (tickets_max, names_max) =
                (tickets_max / TENANT_SHARE_OF_QUEUE, QUEUED_NAMES_BYTES_MAX / TENANT_SHARE_OF_QUEUE);
            is_full(&own, tickets_max.max(1), names_max).filter(|_| is_shared)
        })
    }

    /// Whether a later incarnation of the claimant waits here or has the lease: then a claim of an earlier one was in flight for long, and its
    /// order has a ticket of the later incarnation with the same key.
    pub(super) fn is_of_earlier_life(&self, ticket: &Ticket) -> bool {
        let is_later = |queued: &QueuedTicket| {
            queued.ticket.claimant == ticket.claimant && queued.ticket.incarnation > ticket.incarnation
        };
        let is_held_by_later =
            |holder: &Holder| holder.is(&ticket.claimant) && holder.incarnation > Some(ticket.incarnation);
        self.queue.values().any(is_later) || self.holder.as_ref().is_some_and(is_held_by_later)
    }

    /// Whether a ticket is in the queue, has the lease, or has ended.
    pub(in crate::resource) fn knows(&self, id: &TicketId) -> bool {
        self.finished.contains(id)
            || self.queue.values().any(|queued| queued.ticket.id == *id)
            || self.holder.as_ref().and_then(|holder| holder.ticket.as_ref()).is_some_and(|held| held.id == *id)
    }

    /// The answer for a ticket that is in the queue or has the lease.
    pub(in crate::resource) fn answer_for(&mut self, id: &TicketId) -> ClaimAnswer {
        let asker = self.asker();
        match &mut self.holder {
            Some(holder) if holder.ticket.as_ref().is_some_and(|held| held.id == *id) => {
                holder.recalled.clone_from(&asker);
                ClaimAnswer::Granted { epoch: holder.epoch, registered: holder.used, recall: asker }
            }
            _ => ClaimAnswer::Queued,
        }
    }

    /// Puts a ticket into the queue, whatever the queue's length, and checks what it means for the holder.
    pub(super) fn enqueue(&mut self, now: Timestamp, mut ticket: Ticket) {
        ticket.answer_by = None;
        self.claimed_for_more(&ticket);
        let adopted = match &mut self.holder {
            None => false,
            Some(holder) => match &holder.who {
                HolderName::TargetIdentity(target_identity)
                    if ticket.target_identity.as_ref() == Some(target_identity) =>
                {
                    true
                }
                HolderName::TargetIdentity(_) => {
                    // A customer claims to have what the target registered to another: perhaps that has changed.
                    if ticket.mode == ClaimMode::Release && self.policy.authority.is_some() {
                        self.holder = None;
                        self.vacancy = Vacancy::ToLookUp;
                    }
                    false
                }
                HolderName::Customer(customer) if *customer == ticket.claimant => match holder.incarnation {
                    None => true,
                    Some(known) if known < ticket.incarnation => {
                        self.orphaned(now);
                        false
                    }
                    Some(_) => false,
                },
                HolderName::Customer(_) => false,
            },
        };
        if adopted {
            self.adopt(now, &ticket);
            return;
        }
        // A newer incarnation has no use for the tickets of earlier ones.
        self.queue.retain(|_, queued| {
            queued.ticket.claimant != ticket.claimant || queued.ticket.incarnation >= ticket.incarnation
        });
        if ticket.mode == ClaimMode::Release {
            self.holder.iter_mut().for_each(|holder| holder.looked_up = false);
        }
        let probe = self.probe_of(&ticket);
        self.queue.insert(ticket.key.clone(), QueuedTicket { ticket, since: now });
        if let Some((holder, probe)) = probe {
            self.tell_holder(holder, Notice::Probe { probe });
        }
    }

    /// A holder that was seeded, or that only the target knew, claims for the first time: it gets the lease.
    fn adopt(&mut self, now: Timestamp, ticket: &Ticket) {
        let since = self.holder.as_ref().map_or(now, |holder| holder.since);
        self.raise_epoch(now);
        self.settled = self.epoch;
        let holder = Holder::of_ticket(ticket.clone(), self.epoch, now);
        self.holder = Some(Holder { used: true, locks_only: false, since, ..holder });
        self.note(now, LeaseEvent::Granted, Some(ticket.claimant.to_string()), Some(ticket.order.clone()), None);
        self.tell_granted();
        self.answer_releases();
        self.probe_new_holder();
    }

    /// A holder without a lease gets one if a ticket of it already waits.
    pub(in crate::resource) fn adopt_waiting(&mut self, now: Timestamp) {
        let Some(holder) = self.holder.as_ref().and_then(Holder::customer) else { return };
        let own = self.queue.values().map(|queued| &queued.ticket).find(|ticket| ticket.claimant == *holder).cloned();
        if let Some(ticket) = own {
            self.queue.remove(&ticket.key);
            self.adopt(now, &ticket);
        }
    }
}
