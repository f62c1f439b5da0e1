//! Who has the resource.

use serde::{Deserialize, Serialize};

use crate::ids::{CustomerRef, Epoch, Incarnation, TicketId, Timestamp};
use crate::message::{Asker, HeldLease, Ticket};
use crate::order::{ClaimMode, OrderKey};

/// Who has the resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// The customer, or the party that the target names.
    pub who: HolderName,
    /// The name under which the targets know the holder.
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// The customer's incarnation; unknown for a seeded holder that never claimed.
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
    /// The asker of the last recall, so that the holder is not asked twice for the same reason.
    pub recalled: Option<Asker>,
    /// Whether a look-up was made for this orphan.
    pub looked_up: bool,
    /// Whether the customer's entity runs and says, for longer than messages take, that it holds nothing: another kind of orphan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disowned: bool,
    /// The customer's present incarnation, if its workflow was reset since: an orphan that it gets back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lives_as: Option<Incarnation>,
    /// Whether that incarnation has steps left for the resource: the answer of one target says nothing about the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// Whether the lease was granted for a lock, and its holder claimed the resource for nothing else: no target has it registered under the lease.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locks_only: bool,
}

/// The ticket for which the lease was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderTicket {
    /// Its id.
    pub id: TicketId,
    /// Its key.
    pub key: OrderKey,
}

/// A customer, or a party that only the target knows.
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

    /// A holder without a ticket: it has the resource at the target.
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

    /// The customer, if it is one.
    pub fn customer(&self) -> Option<&CustomerRef> {
        match &self.who {
            HolderName::Customer(customer) => Some(customer),
            HolderName::TargetIdentity(_) => None,
        }
    }

    /// Whether it is that customer.
    pub fn is(&self, customer: &CustomerRef) -> bool {
        self.customer() == Some(customer)
    }
}

/// A customer that claims to hold the resource while this entity knows another holder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// Who.
    pub who: CustomerRef,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The lease that it claims to hold.
    pub lease: HeldLease,
}
