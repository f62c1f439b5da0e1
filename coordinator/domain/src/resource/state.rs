//! What a resource entity knows. All of it travels through continue-as-new.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{AnsweredForce, Asking, Forcing, Holder, Life, LookUp, Rival};
use crate::ids::{CustomerRef, Epoch, OrderId, RealmId, ResourceId, TicketId, Timestamp};
use crate::message::{LeaseProof, Ticket, ToCustomer};
use crate::order::{OrderKey, ResourcePolicy};
use crate::recording::Edition;
use crate::wire::{WireName, wire_words};

/// One resource entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// The realm in which its id is unique.
    pub(super) realm: RealmId,
    /// What it is.
    pub(super) id: ResourceId,
    /// What it needs to know of its kind, as the last ticket said.
    pub(super) policy: ResourcePolicy,
    /// The highest epoch granted.
    pub(super) epoch: Epoch,
    /// Who has it.
    pub(super) holder: Option<Holder>,
    /// How sure it is that nobody else has it, while it has no holder.
    pub(super) vacancy: Vacancy,
    /// Who waits, by order key.
    #[serde(with = "queue_as_list")]
    pub(super) queue: BTreeMap<OrderKey, QueuedTicket>,
    /// Tickets finished, oldest first: a late duplicate of their claim is recognised.
    pub(super) finished: VecDeque<TicketId>,
    /// No grant before this time: a new entity waits for clocks, a contested resource backs off.
    pub(super) not_before: Timestamp,
    /// How often in a row a grant came back contested while the look-up said that nobody has it.
    pub(super) contested_in_a_row: u32,
    /// The look-up under way.
    #[serde(flatten)]
    pub(super) look_up: LookUp,
    /// What is to be remembered of look-ups beside.
    #[serde(default, skip_serializing_if = "Asking::is_nothing")]
    pub(super) asking: Asking,
    /// A forced release under way.
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
    /// Which life of it this is, and whether it has begun.
    #[serde(flatten)]
    pub(super) life: Life,
    /// The highest epoch of a lease that was granted in this life, or came back: a lease said again that is not above it is
    /// an old story.
    #[serde(default)]
    pub(super) settled: Epoch,
    /// The highest epoch that a claimant does not take any more: grants are above it.
    #[serde(default)]
    pub(super) floor: Epoch,
    /// Whether the workflow was reset, and the authority, where there is one, was not asked since while nobody was known to have
    /// the resource: whoever was granted it then may have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unsure: bool,
    /// Whether what is heard may be signals from before the reset that are applied again: until the next run begins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) hears_again: bool,
    /// The epoch of an imported lease whose holder's entity was not told of it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) untold: Option<Epoch>,
    /// Another customer than the holder that says to hold it: it is granted to nobody else before that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rival: Option<Rival>,
    /// Which behaviour the present run began with.
    #[serde(skip)]
    pub(super) edition: Edition,
    /// When the message was sent that is being taken, by its sender's clock.
    #[serde(skip)]
    pub(super) said_at: Option<Timestamp>,
}

/// How sure a resource without holder is that nobody has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vacancy {
    /// Nobody has it, or nobody can know better.
    Known,
    /// The authority is to be asked before the next grant.
    ToLookUp,
    /// Somebody has it at the target and nobody knows who: only a release may go ahead, or a person.
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
        /// The target had the resource registered to somebody else.
        Contested = "contested",
        /// The customer did not take the lease.
        Declined = "declined",
        /// A person asked for a forced release.
        ForceAsked = "force_asked",
        /// It was released by force.
        Forced = "forced",
        /// A forced release was refused.
        ForceRefused = "force_refused",
        /// The holder's entity is gone.
        Orphaned = "orphaned",
        /// The holder was found at the target, before anybody was granted the lease.
        Seeded = "seeded",
        /// The target was asked who is registered.
        LookedUp = "looked_up",
        /// A person ended a look-up in Temporal.
        LookUpByHand = "look_up_by_hand",
        /// The holder came from a list.
        Imported = "imported",
        /// The holder was told that it holds the lease.
        Told = "told",
        /// A customer said again what it holds.
        Reasserted = "reasserted",
        /// A customer says to hold what another one holds.
        Contradicted = "contradicted",
        /// The holder says that it does not hold the lease.
        Disowned = "disowned",
        /// The resource's workflow was reset.
        Reset = "reset",
        /// The holder confirmed its lease after a reset.
        Confirmed = "confirmed",
        /// It is not sure after a reset who holds the lease.
        Unsure = "unsure",
        /// A release found it registered to that party.
        Registered = "registered",
        /// The targets know the holder by another name.
        Renamed = "renamed",
        /// The entity began another life.
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
    /// The order, where there is one.
    pub order: Option<OrderId>,
    /// The epoch.
    pub epoch: Epoch,
    /// A sentence for a person, where there is more to say.
    pub detail: Option<String>,
    /// What it rests on, for a lease that came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<LeaseProof>,
}

/// Entries of a resource's history that are kept.
pub const HISTORY_MAX: usize = 100;

/// The first wait after a contested grant that no look-up explains, in milliseconds; it doubles each time.
pub const CONTESTED_BACKOFF_MS_MIN: u64 = 1_000;

/// The longest such wait, in milliseconds.
pub const CONTESTED_BACKOFF_MS_MAX: u64 = 5 * 60 * 1_000;

impl Resource {
    /// A resource entity that knows nothing yet.
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

    /// A resource entity that knows nothing any more: its earlier life was terminated, and somebody may have its lease.
    pub fn recreated(realm: RealmId, id: ResourceId) -> Self {
        Self { life: Life::NewAgain, ..Self::new(realm, id) }
    }

    /// Whether nothing is under way: the moment to continue as new.
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
        let (what, epoch, proof) = (what.into(), self.epoch, None);
        self.history.push_back(HistoryEntry { at, what, who, order, epoch, detail, proof });
        while self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// Remembers that a ticket is over.
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

/// JSON has no maps with structured keys: the queue travels as the list of its tickets.
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
