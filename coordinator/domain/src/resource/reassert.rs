//! What customers say again to an entity that may have forgotten it: its earlier life was terminated.

use super::{Holder, HolderName, HolderTicket, Resource};
use crate::ids::{CustomerRef, Epoch, Incarnation, Timestamp};
use crate::message::{HeldLease, Notice, Ticket};

impl Resource {
    /// A customer says what it has and wants. What is known already changes nothing.
    pub(super) fn reasserted(
        &mut self,
        now: Timestamp,
        from: &CustomerRef,
        incarnation: Incarnation,
        lease: Option<HeldLease>,
        above: Epoch,
        tickets: Vec<Ticket>,
    ) {
        if self.holder.as_ref().is_some_and(|holder| holder.is(from) && holder.incarnation > Some(incarnation)) {
            // An earlier life of the holder speaks.
            return;
        }
        if let Some(first) = tickets.first() {
            self.begin(now, &first.policy);
        }
        match lease {
            Some(lease) => self.held_before(now, from, incarnation, lease),
            None => self.not_held(now, from, incarnation, above),
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
        let granted = self.holder.as_ref().filter(|holder| holder.customer().is_some()).map(|holder| holder.epoch);
        if lease.epoch <= self.settled || granted.is_some_and(|granted| lease.epoch <= granted) {
            self.note_conflict(now, from, incarnation, &lease);
            return;
        }
        let order = Some(lease.key.order.clone());
        self.note(now, "reasserted", Some(from.to_string()), order, None);
        self.epoch = self.epoch.max(lease.epoch);
        // An old message may have put its ticket into the queue.
        self.queue.retain(|_, queued| queued.ticket.id != lease.ticket);
        self.look_up_is_stale |= self.looking_up && !self.look_up_is_for_force;
        self.holder = Some(Holder {
            who: HolderName::Customer(from.clone()),
            party: lease.party,
            incarnation: Some(incarnation),
            ticket: Some(HolderTicket { id: lease.ticket, key: lease.key }),
            epoch: lease.epoch,
            since: lease.since,
            // Proven again as soon as somebody asks.
            used: false,
            orphaned_at: None,
            recalled: None,
            looked_up: false,
        });
        self.tell_holder(from.clone(), Notice::LeaseKnown { epoch: lease.epoch });
        self.probe_new_holder();
    }

    /// A lease said again that this entity granted to another since: nobody can tell who is right but a person.
    fn note_conflict(&mut self, now: Timestamp, from: &CustomerRef, incarnation: Incarnation, lease: &HeldLease) {
        let is_known = |holder: &Holder| holder.is(from) && holder.incarnation == Some(incarnation);
        if !self.reborn || self.holder.as_ref().is_none_or(is_known) {
            return;
        }
        let detail = format!("says to have had it by epoch {}, before this one was granted", lease.epoch);
        self.note(now, "contradicted", Some(from.to_string()), Some(lease.key.order.clone()), Some(detail));
    }

    /// A customer holds no lease, and takes no grant that is not above an epoch.
    fn not_held(&mut self, now: Timestamp, from: &CustomerRef, incarnation: Incarnation, above: Epoch) {
        self.floor = self.floor.max(above);
        let thought_to = |holder: &Holder| {
            holder.is(from)
                && holder.incarnation == Some(incarnation)
                && holder.epoch <= above
                && holder.orphaned_at.is_none()
        };
        if self.holder.as_ref().is_some_and(thought_to) {
            self.declined(now);
        }
        self.tell_of_import(now, from, incarnation);
    }

    /// Somebody waits here who is not known: there was an earlier life, whose holder is to be heard before anything is
    /// granted.
    fn wait_to_be_told(&mut self, now: Timestamp) {
        if !std::mem::replace(&mut self.reborn, true) {
            self.not_before = self.not_before.max(now.plus_ms(self.policy.orphan_settle_ms));
        }
    }
}
