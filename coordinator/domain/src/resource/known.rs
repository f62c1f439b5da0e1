//! The parts of a resource's state that other code may read. Only inputs change them.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::{AnsweredForce, Forcing, HistoryEntry, Holder, Life, LookUp, QueuedTicket, Resource, Vacancy};
use crate::ids::{CustomerRef, Epoch, RealmId, ResourceId};
use crate::message::ToCustomer;
use crate::order::{OrderKey, ResourcePolicy};
use crate::recording::Edition;

impl Resource {
    /// The realm in which its id is unique.
    pub fn realm(&self) -> &RealmId {
        &self.realm
    }

    /// Its id.
    pub fn id(&self) -> &ResourceId {
        &self.id
    }

    /// The policy of its kind.
    pub fn policy(&self) -> &ResourcePolicy {
        &self.policy
    }

    /// The highest epoch granted.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Who has it.
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// How certain it is that no customer has it, while it has no holder.
    pub fn vacancy(&self) -> Vacancy {
        self.vacancy
    }

    /// Who waits, by order key.
    pub fn queue(&self) -> &BTreeMap<OrderKey, QueuedTicket> {
        &self.queue
    }

    /// The running look-up.
    pub fn look_up(&self) -> LookUp {
        self.look_up
    }

    /// The running forced release.
    pub fn forcing(&self) -> Option<&Forcing> {
        self.forcing.as_ref()
    }

    /// Forced releases that were answered, oldest first.
    pub fn forces(&self) -> &VecDeque<AnsweredForce> {
        &self.forces
    }

    /// Messages to customers, oldest first.
    pub fn outbox(&self) -> &VecDeque<(CustomerRef, ToCustomer)> {
        &self.outbox
    }

    /// How many messages, from the oldest, are being sent.
    pub fn sending(&self) -> usize {
        self.sending
    }

    /// What happened, oldest first, bounded.
    pub fn history(&self) -> &VecDeque<HistoryEntry> {
        &self.history
    }

    /// Its life, and whether it has started.
    pub fn life(&self) -> Life {
        self.life
    }

    /// Which behaviour the present run started with.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Starts a run with this behaviour.
    pub fn begin_run(&mut self, edition: Edition) {
        self.edition = edition;
    }

    /// Everything that its next steps depend on: two resources for which this is equal behave the same. It excludes the history and
    /// the number of questions asked.
    pub fn decisive_state(&self) -> impl Serialize + '_ {
        let queue: Vec<_> = self.queue.values().collect();
        let life = self.life.is_again();
        let earlier = (life, self.unsure, self.hears_again, self.untold, self.settled, self.floor, &self.rival);
        let grants = (self.epoch, &self.holder, self.vacancy, self.not_before, self.contested_in_a_row);
        let asking = (self.look_up.is_under_way(), self.look_up.is_stale(), self.asking.by_hand, self.asking.again_at);
        let pending = (asking, &self.outbox, self.sending, self.life.is_new());
        (grants, earlier, pending, queue, &self.finished)
    }
}
