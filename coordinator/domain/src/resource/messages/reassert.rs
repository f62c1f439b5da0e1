//! What customers say again to an entity that may have forgotten it: its earlier life was terminated. And what they say to one
//! that contradicts them for longer than messages take, as the sweep sees.

use super::{Holder, HolderName, HolderTicket, LeaseEvent, Resource, Rival};
use crate::ids::{CustomerRef, Epoch, Incarnation, Timestamp};
use crate::message::{HeldLease, Notice, Ticket};

/// What a customer says of the lease.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// Who says so.
    pub(super) from: CustomerRef,
    /// Which life of it.
    pub(super) incarnation: Incarnation,
    /// The lease that it holds, where it holds one.
    pub(super) lease: Option<HeldLease>,
    /// Where it holds none: it takes no grant that is not above this epoch.
    pub(super) above: Epoch,
    /// Whether the two were seen to contradict each other for longer than messages take.
    pub(super) lasting: bool,
    /// Whether its workflow was reset to an earlier state.
    pub(super) after_reset: bool,
}

impl Resource {
    /// A customer says what it has and wants. What is known already changes nothing.
    pub(super) fn reasserted(&mut self, now: Timestamp, said: Said, tickets: Vec<Ticket>) {
        let Said { from, incarnation, lease, above, lasting, after_reset } = said;
        if self.holder.as_ref().is_some_and(|holder| holder.is(&from) && holder.incarnation > Some(incarnation)) {
            // An earlier life of the holder speaks.
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
            // Whoever lives again says by it that its earlier life is dead, as it does by a claim.
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

    /// A customer holds a lease. The highest epoch wins: who was granted later was granted when the earlier one had given
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

    /// Whether a lease was granted after all that this entity knows of.
    pub(in crate::resource) fn is_news(&self, lease: &HeldLease) -> bool {
        let granted = self.holder.as_ref().filter(|holder| holder.customer().is_some()).map(|holder| holder.epoch);
        lease.epoch > self.settled && granted.is_none_or(|granted| lease.epoch > granted)
    }

    /// The customer is the holder, by the lease that it says to hold.
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
            // Proven again as soon as somebody asks.
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

    /// A lease said again that this entity granted to another since: nobody can tell who is right but a person.
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

    /// A customer has held a lease for longer than messages take, and this entity says otherwise. Whoever believes to hold it
    /// may write, whatever is known here: so nobody else may be granted it. Where nobody else holds it, the customer is its
    /// holder; where another customer does, that one stays, and a person is told of both.
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

    /// Where no living holder is known, the customer that says to hold the lease is its holder: by an epoch above all that
    /// anybody was granted, and of no clock.
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
            self.epoch = Epoch(self.epoch.max(self.floor).max(lease.epoch).0 + 1);
            lease.epoch = self.epoch;
            self.settled = self.epoch;
            let ticket = lease.ticket.clone();
            Notice::LeaseGranted { ticket, epoch: self.epoch, registered: false, recall: None }
        };
        self.take_over(now, &who, incarnation, lease);
        self.tell_holder(who, told);
        self.probe_new_holder();
    }

    /// A customer gave back, or does not have, what it said to hold.
    pub(super) fn forget_rival(&mut self, from: &CustomerRef) {
        if self.rival.as_ref().is_some_and(|rival| rival.who == *from) {
            self.rival = None;
        }
    }

    /// A customer holds no lease, and takes no grant that is not above an epoch.
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

    /// The holder lives, and has not had the lease for longer than messages take. What it sent while it had the lease may
    /// still land, and it may be registered: so it is as with a dead one. The authority is asked when nothing can land any
    /// more; where there is none, the next one is granted then.
    fn disowned(&mut self, now: Timestamp) {
        let Some(holder) = &self.holder else { return };
        if holder.used && self.policy.authority.is_none() {
            // The target has it registered: only its holder can release it.
            self.declined(now);
            return;
        }
        let who = self.holder.as_ref().and_then(Holder::customer).map(ToString::to_string);
        self.note(now, LeaseEvent::Disowned, who, None, None);
        // Its tickets wait on, as it lives.
        if let Some(holder) = &mut self.holder {
            holder.orphaned_at = Some(now);
            holder.disowned = true;
            holder.ticket = None;
            holder.recalled = None;
            holder.looked_up = false;
        }
    }

    /// Somebody waits here who is not known: there was an earlier life, whose holder is to be heard before anything is
    /// granted.
    fn wait_to_be_told(&mut self, now: Timestamp) {
        if !self.life.is_again() {
            self.life.mark_again();
            self.not_before = self.not_before.max(now.plus_ms(self.policy.orphan_settle_ms));
        }
    }
}
