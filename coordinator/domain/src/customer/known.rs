//! The parts of a customer's state that other code may read. Only inputs change them.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::{
    Counts, Customer, EventToAdmit, JournalEntry, Lease, Local, Order, OrderDigests, Remembered, UnjudgedGrant,
};
use crate::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId};
use crate::limits::EntityLimits;
use crate::message::ToResource;
use crate::order::OrderKey;
use crate::recording::Edition;

impl Customer {
    /// The customer's tenant and id.
    pub fn me(&self) -> &CustomerRef {
        &self.me
    }

    /// The incarnation: which life of the entity this is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The limits in force.
    pub fn limits(&self) -> &EntityLimits {
        &self.limits
    }

    /// Accepted events that are not planned yet.
    pub fn inbox(&self) -> &VecDeque<EventToAdmit> {
        &self.inbox
    }

    /// The running local activity.
    pub fn local(&self) -> Local {
        self.local
    }

    /// Open orders.
    pub fn orders(&self) -> &BTreeMap<OrderId, Order> {
        &self.orders
    }

    /// Leases held.
    pub fn leases(&self) -> &BTreeMap<ResourceId, Lease> {
        &self.leases
    }

    /// Grants for tickets that are not known yet.
    pub fn unjudged(&self) -> &[UnjudgedGrant] {
        &self.unjudged
    }

    /// The resources to which it must repeat what it has and wants, each with the epoch above which it accepts a grant.
    pub fn to_reassert(&self) -> &BTreeMap<ResourceId, Epoch> {
        &self.to_reassert
    }

    /// Per resource, the key of the last settled assign or release.
    pub fn settled(&self) -> &BTreeMap<ResourceId, OrderKey> {
        &self.settled
    }

    /// Messages to send, oldest first.
    pub fn outbox(&self) -> &VecDeque<(ResourceId, ToResource)> {
        &self.outbox
    }

    /// Orders that have ended, oldest first.
    pub fn remembered(&self) -> &VecDeque<Remembered> {
        &self.remembered
    }

    /// The ids of all orders that ended within 30 days.
    pub fn digests(&self) -> &OrderDigests {
        &self.digests
    }

    /// What happened, oldest first, bounded.
    pub fn journal(&self) -> &VecDeque<JournalEntry> {
        &self.journal
    }

    /// Counts since the entity began.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of inbox and open orders as JSON.
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Which behaviour the present run started with.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Starts a run with this behaviour.
    pub fn begin_run(&mut self, edition: Edition) {
        self.edition = edition;
    }

    /// Everything that its next steps depend on: two customers for which this is equal behave the same. Of the journal it contains the
    /// actions of persons; the counts decide nothing.
    pub fn decisive_state(&self) -> impl Serialize + '_ {
        let acted: Vec<_> =
            self.journal.iter().map(|entry| &entry.what).filter(|what| what.starts_with("action")).collect();
        let waiting = (&self.unjudged, &self.early_recalls, &self.early_notices);
        let pending = (&self.inbox, self.local, &self.basis, &self.outbox, waiting);
        let to_say = (&self.to_reassert, &self.contradicting, &self.to_reassert_as_reset, self.reset_at);
        let memory = (to_say, &self.given_back, &self.settled, &self.applied, &self.remembered);
        (self.incarnation, pending, &self.orders, &self.leases, memory, acted)
    }
}
