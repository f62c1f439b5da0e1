//! Who has the resource.

use serde::{Deserialize, Serialize};

use crate::ids::{CustomerRef, Epoch, Incarnation, TicketId, Timestamp};
use crate::message::{Asker, HeldLease, Ticket};
use crate::order::{ClaimMode, OrderKey};

/// Who has the resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// The customer, or whoever the target says.
    pub who: HolderName,
    /// The name under which the targets know the holder.
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// Which life of the customer; unknown for a seeded holder that never claimed.
    pub incarnation: Option<Incarnation>,
    /// The ticket by which it was granted, and its key; none for a seeded or looked-up holder.
    pub ticket: Option<HolderTicket>,
    /// The epoch of its lease.
    pub epoch: Epoch,
    /// Since when.
    pub since: Timestamp,
    /// Whether the target is proven to have it registered to this holder.
    pub used: bool,
    /// Since when the customer entity is known to be dead: the lease is an orphan.
    pub orphaned_at: Option<Timestamp>,
    /// Who asked for it back last, so that nobody is asked twice for the same reason.
    pub recalled: Option<Asker>,
    /// Whether a look-up was made for this orphan.
    pub looked_up: bool,
    /// Whether the customer lives and says, for longer than messages take, that it holds nothing: an orphan of another kind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disowned: bool,
    /// The present life of the customer, where its workflow was reset since: an orphan that it gets back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lives_as: Option<Incarnation>,
    /// Whether that life has steps to do for the resource: what one target says does not tell what the others have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// Whether the lease was granted for a lock, and its holder claimed the resource for nothing else: no target has it registered by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locks_only: bool,
}

/// The ticket by which a holder was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderTicket {
    /// Its id.
    pub id: TicketId,
    /// Its key.
    pub key: OrderKey,
}

/// A customer, or somebody only the target knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderName {
    /// A customer.
    Customer(CustomerRef),
    /// A party that the target names and no ticket matches yet.
    #[serde(rename = "party")]
    TargetIdentity(String),
}

impl Holder {
    /// The claimant of a ticket that is granted now.
    pub(super) fn of_ticket(ticket: Ticket, epoch: Epoch, now: Timestamp) -> Self {
        Self {
            who: HolderName::Customer(ticket.claimant),
            target_identity: ticket.target_identity,
            incarnation: Some(ticket.incarnation),
            ticket: Some(HolderTicket { id: ticket.id, key: ticket.key }),
            epoch,
            since: now,
            used: false,
            orphaned_at: None,
            recalled: None,
            looked_up: false,
            disowned: false,
            lives_as: None,
            unfinished: false,
            locks_only: ticket.mode == ClaimMode::Lock,
        }
    }

    /// Whoever has it at the target, without a ticket.
    pub(super) fn registered(who: HolderName, target_identity: Option<String>, epoch: Epoch, now: Timestamp) -> Self {
        Self {
            who,
            target_identity,
            incarnation: None,
            ticket: None,
            epoch,
            since: now,
            used: true,
            orphaned_at: None,
            recalled: None,
            looked_up: false,
            disowned: false,
            lives_as: None,
            unfinished: false,
            locks_only: false,
        }
    }

    /// The customer, where it is one.
    pub fn customer(&self) -> Option<&CustomerRef> {
        match &self.who {
            HolderName::Customer(customer) => Some(customer),
            HolderName::TargetIdentity(_) => None,
        }
    }

    /// Whether this is that customer.
    pub fn is(&self, customer: &CustomerRef) -> bool {
        self.customer() == Some(customer)
    }
}

/// A customer that says to hold the resource, and whom this entity does not know as its holder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// Who.
    pub who: CustomerRef,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The lease that it says to hold.
    pub lease: HeldLease,
}
