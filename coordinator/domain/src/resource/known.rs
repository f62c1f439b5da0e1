//! What others may read of what a resource knows. They change it by inputs only.

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

    /// What it is.
    pub fn id(&self) -> &ResourceId {
        &self.id
    }

    /// What it knows of its kind.
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

    /// How sure it is that nobody else has it, while it has no holder.
    pub fn vacancy(&self) -> Vacancy {
        self.vacancy
    }

    /// Who waits, by order key.
    pub fn queue(&self) -> &BTreeMap<OrderKey, QueuedTicket> {
        &self.queue
    }

    /// The look-up under way.
    pub fn look_up(&self) -> LookUp {
        self.look_up
    }

    /// A forced release under way.
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

    /// Which life of it this is, and whether it has begun.
    pub fn life(&self) -> Life {
        self.life
    }

    /// Which behaviour the present run began with.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// A run begins, with this behaviour.
    pub fn begin_run(&mut self, edition: Edition) {
        self.edition = edition;
    }

    /// All that what it does next depends on: two resources of which this is the same do the same. The history is none of it, nor
    /// how many questions it asked.
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
