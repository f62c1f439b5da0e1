//! What a resource entity knows. All of it travels through continue-as-new.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{AnsweredForce, Asking, Forcing, Holder, Life, LookUp, Rival};
use crate::ids::{CustomerRef, Epoch, OrderId, RealmId, ResourceId, TicketId, Timestamp};
use crate::kept_text::kept;
use crate::message::{LeaseProof, Ticket, ToCustomer};
use crate::order::{Authority, OrderKey, ResourcePolicy};
use crate::recording::Edition;
use crate::wire::{WireName, wire_words};

/// One resource entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// The realm in which its id is unique.
    pub(super) realm: RealmId,
    /// Its id.
    pub(super) id: ResourceId,
    /// The policy of its kind, as the last ticket carried it.
    pub(super) policy: ResourcePolicy,
    /// The highest epoch granted.
    pub(super) epoch: Epoch,
    /// Who has it.
    pub(super) holder: Option<Holder>,
    /// How certain it is that no customer has it, while it has no holder.
    pub(super) vacancy: Vacancy,
    /// Who waits, by order key.
    #[serde(with = "queue_as_list")]
    pub(super) queue: BTreeMap<OrderKey, QueuedTicket>,
    /// Ended tickets, oldest first: late duplicates of their claims are recognised.
    pub(super) finished: VecDeque<TicketId>,
    /// No grant before this time: a new entity waits because clocks differ, a contested resource backs off.
    pub(super) not_before: Timestamp,
    /// How often in a row a grant came back contested while the look-up found no holder.
    pub(super) contested_in_a_row: u32,
    /// The running look-up.
    #[serde(flatten)]
    pub(super) look_up: LookUp,
    /// What is remembered of look-ups in addition.
    #[serde(default, skip_serializing_if = "Asking::is_nothing")]
    pub(super) asking: Asking,
    /// The running forced release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) forcing: Option<Forcing>,
    /// Forced releases that were answered, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(super) forces: VecDeque<AnsweredForce>,
    /// Messages to customers, oldest first.
    #[serde(default)]
    pub(super) outbox: VecDeque<(CustomerRef, ToCustomer)>,
    /// How many messages, from the oldest, are being sent.
    pub(super) sending: usize,
    /// What happened, oldest first, bounded.
    pub(super) history: VecDeque<HistoryEntry>,
    /// Its life, and whether it has started.
    #[serde(flatten)]
    pub(super) life: Life,
    /// The highest epoch of a lease that was granted in this life, or came back: a report of a lease that is not above it is
    /// out of date.
    #[serde(default)]
    pub(super) settled: Epoch,
    /// The highest epoch that a claimant no longer accepts: grants are above it.
    #[serde(default)]
    pub(super) floor: Epoch,
    /// Whether the workflow was reset, and since then the authority, if there is one, was not asked while the resource had no known
    /// holder: a customer that was granted it before the reset may have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unsure: bool,
    /// Whether incoming messages may be signals from before the reset that are applied again: until the next run starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) hears_again: bool,
    /// The epoch of an imported lease whose holder's entity was not told of it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) untold: Option<Epoch>,
    /// Another customer than the holder that claims to hold it: it is granted to no other customer before that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rival: Option<Rival>,
    /// Which behaviour the present run started with.
    #[serde(skip)]
    pub(super) edition: Edition,
    /// When the current message was sent, by its sender's clock.
    #[serde(skip)]
    pub(super) said_at: Option<Timestamp>,
}

/// How certain a resource without a holder is that no customer has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vacancy {
    /// No customer has it, or there is no authority that could know better.
    Known,
    /// The authority must be asked before the next grant.
    ToLookUp,
    /// The target has it registered and it is unknown to whom: only a release may run, or a person decides.
    Unclear,
}

/// A ticket in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedTicket {
    /// The ticket.
    pub ticket: Ticket,
    /// Since when it waits.
    pub since: Timestamp,
}

wire_words! {
    /// What happened to a resource.
    LeaseEvent {
        /// The lease was granted.
        Granted = "granted",
        /// The lease came back: the target confirmed the release.
        Released = "released",
        /// The holder gave the lease back to an older order.
        Yielded = "yielded",
        /// The lease came back unused.
        Unused = "unused",
        /// The target had the resource registered to another customer.
        Contested = "contested",
        /// The customer did not accept the lease.
        Declined = "declined",
        /// A person asked for a forced release.
        ForceAsked = "force_asked",
        /// It was released by force.
        Forced = "forced",
        /// A forced release was refused.
        ForceRefused = "force_refused",
        /// The holder's entity is dead.
        Orphaned = "orphaned",
        /// The holder was found at the target, before the lease was granted to a customer.
        Seeded = "seeded",
        /// The target was asked who is registered.
        LookedUp = "looked_up",
        /// A person ended a look-up in Temporal.
        LookUpByHand = "look_up_by_hand",
        /// The holder came from an import.
        Imported = "imported",
        /// The holder was told that it holds the lease.
        Told = "told",
        /// A customer reported again what it holds.
        Reasserted = "reasserted",
        /// A customer claims to hold what another one holds.
        Contradicted = "contradicted",
        /// The holder says that it does not hold the lease.
        Disowned = "disowned",
        /// The resource's workflow was reset.
        Reset = "reset",
        /// The holder confirmed its lease after a reset.
        Confirmed = "confirmed",
        /// After a reset it is not certain who holds the lease.
        Unsure = "unsure",
        /// A release found it registered to this party.
        Registered = "registered",
        /// The targets know the holder by another name.
        Renamed = "renamed",
        /// The entity started another life.
        Reborn = "reborn",
    }
}

/// One line of a resource's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: WireName<LeaseEvent>,
    /// The customer or party.
    pub who: Option<String>,
    /// The order, if there is one.
    pub order: Option<OrderId>,
    /// The epoch.
    pub epoch: Epoch,
    /// A sentence for a person, if there is more to say.
    pub detail: Option<String>,
    /// The evidence, for a lease that came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<LeaseProof>,
    /// The authority that was asked, for what its answer changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// Who did it and why, for a person's forced release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
}

/// How many entries of a resource's history are kept.
pub const HISTORY_MAX: usize = 100;

/// The first wait after a contested grant that no look-up explains, in milliseconds; it doubles each time.
pub const CONTESTED_BACKOFF_MS_MIN: u64 = 1_000;

/// The longest such wait, in milliseconds.
pub const CONTESTED_BACKOFF_MS_MAX: u64 = 5 * 60 * 1_000;

impl Resource {
    /// A new resource entity.
    pub fn new(realm: RealmId, id: ResourceId) -> Self {
        Self {
            realm,
            id,
            policy: ResourcePolicy::default(),
            epoch: Epoch(0),
            holder: None,
            vacancy: Vacancy::Known,
            queue: BTreeMap::new(),
            finished: VecDeque::new(),
            not_before: Timestamp(i64::MIN),
            contested_in_a_row: 0,
            look_up: LookUp::None,
            asking: Asking::default(),
            forcing: None,
            forces: VecDeque::new(),
            outbox: VecDeque::new(),
            sending: 0,
            history: VecDeque::new(),
            life: Life::New,
            settled: Epoch(0),
            floor: Epoch(0),
            unsure: false,
            hears_again: false,
            untold: None,
            edition: Edition::default(),
            said_at: None,
            rival: None,
        }
    }

    /// A new resource entity whose earlier life was terminated: a customer may have its lease.
    pub fn recreated(realm: RealmId, id: ResourceId) -> Self {
        Self { life: Life::NewAgain, ..Self::new(realm, id) }
    }

    /// Whether nothing is running: the time to continue as new.
    pub fn is_idle(&self) -> bool {
        self.sending == 0 && !self.look_up.is_under_way() && self.forcing.is_none()
    }

    /// Adds a line to the history.
    pub(super) fn note(
        &mut self,
        at: Timestamp,
        what: LeaseEvent,
        who: Option<String>,
        order: Option<OrderId>,
        detail: Option<String>,
    ) {
        let (epoch, proof) = (self.epoch, None);
        let (who, detail) = (who.map(kept), detail.map(kept));
        let authority = self.policy.authority.clone().filter(|_| is_the_authoritys(what));
        let by = self.forcing.as_ref().filter(|_| is_a_persons(what)).map(Forcing::by);
        let what = what.into();
        self.history.push_back(HistoryEntry { at, what, who, order, epoch, detail, proof, authority, by });
        while self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// Remembers that a ticket has ended.
    pub(super) fn finish(&mut self, ticket: TicketId) {
        self.queue.retain(|_, queued| queued.ticket.id != ticket);
        if !self.finished.contains(&ticket) {
            self.finished.push_back(ticket);
        }
        while self.finished.len() > self.policy.limits.finished_tickets_max {
            self.finished.pop_front();
        }
    }
}

/// Whether it follows from what the authority answered.
fn is_the_authoritys(what: LeaseEvent) -> bool {
    matches!(what, LeaseEvent::LookedUp | LeaseEvent::LookUpByHand)
}

/// Whether a person who forces a release causes it.
fn is_a_persons(what: LeaseEvent) -> bool {
    matches!(what, LeaseEvent::ForceAsked | LeaseEvent::Forced | LeaseEvent::ForceRefused)
}

/// JSON has no maps with structured keys: the queue is serialised as the list of its tickets.
mod queue_as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::QueuedTicket;
    use crate::order::OrderKey;

    pub fn serialize<S: Serializer>(
        queue: &BTreeMap<OrderKey, QueuedTicket>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        queue.values().collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<OrderKey, QueuedTicket>, D::Error> {
        let tickets = Vec::<QueuedTicket>::deserialize(deserializer)?;
        Ok(tickets.into_iter().map(|queued| (queued.ticket.key.clone(), queued)).collect())
    }
}
