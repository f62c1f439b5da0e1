//! A workflow reset by an operator: of the entity of the holder, or of this one.

use super::orphan::Registered;
use super::{Holder, HolderName, LeaseEvent, Resource, Vacancy};
use crate::ids::{CustomerRef, Epoch, Incarnation, Timestamp};
use crate::message::{HeldLease, Notice, ToCustomer};

impl Resource {
    /// A customer was reset to an earlier state, and lives on as `incarnation`. `lease` is what it had at that point, if anything.
    ///
    /// What its previous life was granted is an orphan as long as its calls may still arrive, like that of a dead one; then the customer gets
    /// it back, unless the target says that no customer or another one has it. All other leases that it believes it has are gone.
    pub(super) fn holder_was_reset(
        &mut self,
        now: Timestamp,
        from: &CustomerRef,
        incarnation: Incarnation,
        lease: Option<HeldLease>,
        above: Epoch,
    ) {
        self.floor = self.floor.max(above);
        let believed = lease.as_ref().map(|lease| lease.epoch);
        let unfinished = lease.as_ref().is_some_and(|lease| lease.unfinished);
        if let Some(lease) = lease.filter(|lease| self.is_news(lease)) {
            // This entity knows less: its own earlier life was terminated, or it was reset too.
            self.epoch = self.epoch.max(lease.epoch);
            self.take_over(now, from, Incarnation(0), lease);
        }
        self.queue.retain(|_, queued| queued.ticket.claimant != *from || queued.ticket.incarnation >= incarnation);
        let is_holder = |holder: &Holder| holder.is(from) && holder.incarnation != Some(incarnation);
        if self.holder.as_ref().is_some_and(is_holder) {
            self.orphaned(now);
            if let Some(holder) = &mut self.holder {
                holder.lives_as = Some(incarnation);
                holder.unfinished = unfinished;
                // It may have changed hands since the authority was asked.
                holder.looked_up = false;
            }
            return;
        }
        let has_it = self.holder.as_ref().filter(|holder| holder.is(from));
        match (has_it.map(|holder| (holder.epoch, holder.target_identity.clone(), holder.locks_only)), believed) {
            // It was confirmed before; the answer may be lost, so it is sent again.
            (Some((epoch, target_identity, unused)), Some(believed)) if epoch > believed => {
                self.tell_holder(from.clone(), Notice::LeaseImported { epoch, target_identity, unused });
            }
            (None, Some(_)) => self.tell_gone(from, incarnation),
            _ => {}
        }
    }

    /// The holder was reset, no request of its previous life can still arrive, and there is no reason against it: it has the lease.
    pub(super) fn confirm_after_reset(&mut self, now: Timestamp) {
        let Some(holder) = &self.holder else { return };
        let registered = if holder.locks_only { Registered::Never } else { Registered::Yes };
        let who = holder.customer().map(ToString::to_string);
        self.note(now, LeaseEvent::Confirmed, who, None, None);
        self.own_again(now, registered);
    }

    /// Whether the holder was reset and gets its lease back once no request of its previous life can still arrive.
    pub(super) fn is_to_be_confirmed(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.lives_as.is_some())
    }

    /// A lease comes back from a customer that was reset: calls of its previous life may still arrive.
    pub(super) fn wait_for_calls_before_reset(&mut self) {
        let orphaned_at = self.holder.as_ref().filter(|holder| holder.lives_as.is_some()).and_then(|h| h.orphaned_at);
        if let Some(at) = orphaned_at {
            self.not_before = self.not_before.max(at.plus_ms(self.policy.orphan_settle_ms));
        }
    }

    /// Tells a holder that was reset that a lease which it may believe it has is gone.
    pub(super) fn tell_reset_holder(&mut self, gone: &Holder) {
        if let (Some(incarnation), Some(customer)) = (gone.lives_as, gone.customer()) {
            self.tell_gone(&customer.clone(), incarnation);
        }
    }

    fn tell_gone(&mut self, customer: &CustomerRef, incarnation: Incarnation) {
        let notice = Notice::LeaseGone { epoch: self.epoch };
        self.tell(customer.clone(), ToCustomer { resource: self.id.clone(), incarnation, notice });
    }

    /// This entity's workflow was reset: what it granted since is not known here, and those customers may write. Nothing is
    /// granted before all known customers could report, and what they sent has arrived.
    pub(super) fn was_reset(&mut self, now: Timestamp) {
        self.life.mark_again();
        self.unsure = true;
        self.hears_again = true;
        self.floor = self.floor.max(Epoch(u64::try_from(now.0).unwrap_or(0)));
        self.look_up.mark_stale();
        self.note(now, LeaseEvent::Reset, None, None, None);
        if self.life.is_new() {
            // It waits with its first claim.
            return;
        }
        let wait = self.policy.fresh_wait_ms.max(self.policy.orphan_settle_ms);
        self.not_before = self.not_before.max(now.plus_ms(wait));
        self.forget_named_holder(now);
        let above = self.floor;
        if let Some(holder) = &mut self.holder {
            holder.looked_up = false;
            let (epoch, customer) = (holder.epoch, holder.customer().cloned());
            if let Some(customer) = customer {
                self.tell_holder(customer, Notice::Reassert { above, epoch: Some(epoch) });
            }
        }
        let mut waiting: Vec<(CustomerRef, Incarnation)> = Vec::new();
        for queued in self.queue.values() {
            let who = (queued.ticket.claimant.clone(), queued.ticket.incarnation);
            if !waiting.contains(&who) {
                waiting.push(who);
            }
        }
        for (customer, incarnation) in waiting {
            let notice = Notice::Reassert { above, epoch: None };
            self.tell(customer, ToCustomer { resource: self.id.clone(), incarnation, notice });
        }
    }

    /// A holder known only from an import or the target had no grant at that point: it may have been granted the lease and have given
    /// it back since.
    fn forget_named_holder(&mut self, now: Timestamp) {
        let Some(named) = self.holder.take_if(|holder| holder.incarnation.is_none()) else { return };
        let who = match named.who {
            HolderName::Customer(customer) => customer.to_string(),
            HolderName::TargetIdentity(target_identity) => target_identity,
        };
        self.note(now, LeaseEvent::Unsure, Some(who), None, None);
        self.untold = None;
        // A lease with this same epoch counts as new, should a customer report it.
        self.settled = self.settled.min(Epoch(named.epoch.0.saturating_sub(1)));
        self.doubt_vacancy_after_reset();
    }

    /// A signal from before the reset is applied again, and its sender may have been granted the lease since.
    pub(super) fn ask_who_is_heard_again(&mut self, customer: &CustomerRef, incarnation: Incarnation) {
        let is_asked = |(to, message): &(CustomerRef, ToCustomer)| {
            to == customer && message.incarnation == incarnation && matches!(message.notice, Notice::Reassert { .. })
        };
        if self.hears_again && !self.outbox.iter().any(is_asked) {
            let notice = Notice::Reassert { above: self.floor, epoch: None };
            self.tell(customer.clone(), ToCustomer { resource: self.id.clone(), incarnation, notice });
        }
    }

    /// The holder from before the reset no longer has the lease, and who got it afterwards is not known: if no
    /// authority can be asked, a person decides, unless the present holder reports.
    pub(super) fn doubt_vacancy_after_reset(&mut self) {
        if self.unsure && self.holder.is_none() && self.policy.authority.is_none() {
            self.unsure = false;
            self.vacancy = Vacancy::Unclear;
        }
    }

    /// After a reset the authority, if there is one, is asked before the next grant, once no request can still arrive.
    pub(super) fn look_after_reset(&mut self, now: Timestamp) {
        if self.unsure && self.holder.is_none() && now >= self.not_before && self.vacancy == Vacancy::Known {
            if self.policy.authority.is_some() {
                self.vacancy = Vacancy::ToLookUp;
            } else {
                self.unsure = false;
            }
        }
    }
}
