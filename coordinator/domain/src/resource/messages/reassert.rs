//! What customers repeat to an entity that may have forgotten it because its earlier life was terminated. And what they report to one
//! that contradicts them for longer than messages take, as the sweep sees.

use super::{Holder, HolderName, HolderTicket, LeaseEvent, Resource, Rival};
use crate::ids::{CustomerRef, Epoch, Incarnation, Timestamp};
use crate::message::{HeldLease, Notice, Ticket};

/// What a customer reports about the lease.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The customer.
    pub(super) from: CustomerRef,
    /// Its incarnation.
    pub(super) incarnation: Incarnation,
    /// The lease that it holds, if it holds one.
    pub(super) lease: Option<HeldLease>,
    /// If it holds none: it accepts only grants above this epoch.
    pub(super) above: Epoch,
    /// Whether the two contradicted each other for longer than messages take.
    pub(super) lasting: bool,
    /// Whether its workflow was reset to an earlier state.
    pub(super) after_reset: bool,
}

impl Resource {
    /// A customer repeats what it has and wants. What is already known changes nothing.
    pub(super) fn reasserted(&mut self, now: Timestamp, said: Said, tickets: Vec<Ticket>) {
        let Said { from, incarnation, lease, above, lasting, after_reset } = said;
        if self.holder.as_ref().is_some_and(|holder| holder.is(&from) && holder.incarnation > Some(incarnation)) {
            // It is from an earlier incarnation of the holder.
            return;
        }
        if let Some(first) = tickets.first() {
            self.begin(now, &first.policy);
        }
        self.ask_who_is_heard_again(&from, incarnation);
        let is_of_life_before = |holder: &Holder| {
            holder.is(&from) && holder.lives_as.is_none() && holder.incarnation.is_some_and(|life| life < incarnation)
        };
        if lease.is_none() && !after_reset && self.holder.as_ref().is_some_and(is_of_life_before) {
            // The message of a newer incarnation proves that the earlier one is dead, as a claim does.
            self.orphaned(now);
        }
        match lease {
            lease if after_reset => self.holder_was_reset(now, &from, incarnation, lease, above),
            Some(lease) if lasting => self.held_all_the_same(now, &from, incarnation, lease, above),
            Some(lease) => self.held_before(now, &from, incarnation, lease),
            None => self.not_held(now, &from, incarnation, above, lasting),
        }
        if self.holder.is_none() && tickets.iter().any(|ticket| !self.knows(&ticket.id)) {
            self.wait_to_be_told(now);
        }
        for ticket in tickets {
            self.claimed_by_message(now, ticket);
        }
    }

    /// A customer holds a lease. The highest epoch wins: a later grant was made only after the earlier holder had given
    /// its lease back.
    fn held_before(&mut self, now: Timestamp, from: &CustomerRef, incarnation: Incarnation, lease: HeldLease) {
        if !self.is_news(&lease) {
            self.note_conflict(now, from, incarnation, &lease);
            return;
        }
        self.epoch = self.epoch.max(lease.epoch);
        let epoch = lease.epoch;
        self.take_over(now, from, incarnation, lease);
        self.tell_holder(from.clone(), Notice::LeaseKnown { epoch });
        self.probe_new_holder();
    }

    /// Whether a lease was granted after everything that this entity knows of.
    pub(in crate::resource) fn is_news(&self, lease: &HeldLease) -> bool {
        let granted = self.holder.as_ref().filter(|holder| holder.customer().is_some()).map(|holder| holder.epoch);
        lease.epoch > self.settled && granted.is_none_or(|granted| lease.epoch > granted)
    }

    /// Makes the customer the holder, by the lease that it reports.
    pub(in crate::resource) fn take_over(
        &mut self,
        now: Timestamp,
        from: &CustomerRef,
        incarnation: Incarnation,
        lease: HeldLease,
    ) {
        let order = Some(lease.key.order.clone());
        self.note(now, LeaseEvent::Reasserted, Some(from.to_string()), order, None);
        // An old message may have put its ticket into the queue.
        self.queue.retain(|_, queued| queued.ticket.id != lease.ticket);
        self.look_up.mark_stale_for_ledger();
        self.holder = Some(Holder {
            who: HolderName::Customer(from.clone()),
            target_identity: lease.target_identity,
            incarnation: Some(incarnation),
            ticket: Some(HolderTicket { id: lease.ticket, key: lease.key }),
            epoch: lease.epoch,
            since: lease.since,
            // It is proven again as soon as another customer asks.
            used: false,
            orphaned_at: None,
            recalled: None,
            looked_up: false,
            disowned: false,
            lives_as: None,
            unfinished: false,
            locks_only: false,
        });
    }

    /// A customer reports a lease although this entity granted a later one to another: only a person can tell who is right.
    fn note_conflict(&mut self, now: Timestamp, from: &CustomerRef, incarnation: Incarnation, lease: &HeldLease) {
        let is_known = |holder: &Holder| holder.is(from) && holder.incarnation == Some(incarnation);
        if !self.life.is_again() || self.holder.as_ref().is_none_or(is_known) {
            return;
        }
        self.note_contradiction(now, from, lease);
    }

    fn note_contradiction(&mut self, now: Timestamp, from: &CustomerRef, lease: &HeldLease) {
        let detail = format!("reports that it held epoch {}, which was granted before the current lease", lease.epoch);
        self.note(now, LeaseEvent::Contradicted, Some(from.to_string()), Some(lease.key.order.clone()), Some(detail));
    }

    /// A customer has held a lease for longer than messages take, and this entity says otherwise. A customer that believes it holds the lease
    /// may write, whatever is known here, so the lease must not be granted to another. If no other customer holds it, this customer is its
    /// holder; if another one does, that one stays, and a person is told of both.
    fn held_all_the_same(
        &mut self,
        now: Timestamp,
        from: &CustomerRef,
        incarnation: Incarnation,
        lease: HeldLease,
        above: Epoch,
    ) {
        self.floor = self.floor.max(above);
        let own = self.holder.as_ref().filter(|holder| holder.is(from) && holder.incarnation == Some(incarnation));
        if let Some(holder) = own.filter(|holder| holder.orphaned_at.is_none() && lease.epoch <= holder.epoch) {
            if let Some(ticket) = holder.ticket.as_ref().filter(|_| lease.epoch < holder.epoch) {
                // It missed the later grant.
                let (ticket, epoch, registered) = (ticket.id.clone(), holder.epoch, holder.used);
                let notice = Notice::LeaseGranted { ticket, epoch, registered, recall: None };
                self.tell_holder(from.clone(), notice);
            }
            return;
        }
        let is_known = self.rival.as_ref().is_some_and(|rival| rival.who == *from && rival.lease == lease);
        let is_other = |holder: &Holder| !holder.is(from) && holder.customer().is_some();
        if self.holder.as_ref().is_some_and(is_other) && !is_known {
            self.note_contradiction(now, from, &lease);
        }
        let is_first = self.rival.as_ref().is_none_or(|rival| rival.who == *from || rival.lease.epoch < lease.epoch);
        if is_first {
            self.rival = Some(Rival { who: from.clone(), incarnation, lease });
        }
        self.give_way_to_rival(now);
    }

    /// If no living holder is known, the customer that claims to hold the lease becomes its holder, with an epoch above all
    /// granted ones that does not depend on a clock.
    pub(in crate::resource) fn give_way_to_rival(&mut self, now: Timestamp) {
        let Some(rival) = &self.rival else { return };
        let gives_way =
            |holder: &Holder| holder.orphaned_at.is_some() || holder.is(&rival.who) || holder.customer().is_none();
        if !self.holder.as_ref().is_none_or(gives_way) {
            return;
        }
        let Some(Rival { who, incarnation, mut lease }) = self.rival.take() else { return };
        let told = if self.is_news(&lease) {
            self.epoch = self.epoch.max(lease.epoch);
            Notice::LeaseKnown { epoch: lease.epoch }
        } else {
            self.epoch = self.epoch.max(self.floor).max(lease.epoch).next();
            lease.epoch = self.epoch;
            self.settled = self.epoch;
            let ticket = lease.ticket.clone();
            Notice::LeaseGranted { ticket, epoch: self.epoch, registered: false, recall: None }
        };
        self.take_over(now, &who, incarnation, lease);
        self.tell_holder(who, told);
        self.probe_new_holder();
    }

    /// A customer gave back, or does not have, the lease that it claimed to hold.
    pub(super) fn forget_rival(&mut self, from: &CustomerRef) {
        if self.rival.as_ref().is_some_and(|rival| rival.who == *from) {
            self.rival = None;
        }
    }

    /// A customer holds no lease, and accepts only grants above an epoch.
    fn not_held(&mut self, now: Timestamp, from: &CustomerRef, incarnation: Incarnation, above: Epoch, lasting: bool) {
        self.floor = self.floor.max(above);
        let thought_to = |holder: &Holder| {
            holder.is(from)
                && holder.incarnation == Some(incarnation)
                && holder.epoch <= above
                && holder.orphaned_at.is_none()
        };
        if self.holder.as_ref().is_some_and(thought_to) {
            if lasting {
                self.disowned(now);
            } else {
                self.declined(now);
            }
        }
        if lasting {
            self.forget_rival(from);
        }
        self.tell_of_import(now, from, incarnation);
    }

    /// The holder's entity runs, and has not had the lease for longer than messages take. Requests that it sent while it had the lease may
    /// still arrive, and it may be registered: so the lease is treated as that of a dead holder. The authority is asked once nothing can still
    /// arrive; if there is no authority, the next ticket is granted then.
    fn disowned(&mut self, now: Timestamp) {
        let Some(holder) = &self.holder else { return };
        if holder.used && self.policy.authority.is_none() {
            // The target has it registered: only its holder can release it.
            self.declined(now);
            return;
        }
        let who = self.holder.as_ref().and_then(Holder::customer).map(ToString::to_string);
        self.note(now, LeaseEvent::Disowned, who, None, None);
        // Its tickets keep waiting, because it is alive.
        if let Some(holder) = &mut self.holder {
            holder.orphaned_at = Some(now);
            holder.disowned = true;
            holder.ticket = None;
            holder.recalled = None;
            holder.looked_up = false;
        }
    }

    /// An unknown customer waits here: there was an earlier life, and its holder must be able to report before anything is
    /// granted.
    fn wait_to_be_told(&mut self, now: Timestamp) {
        if !self.life.is_again() {
            self.life.mark_again();
            self.not_before = self.not_before.max(now.plus_ms(self.policy.orphan_settle_ms));
        }
    }
}
