//! What really happened, kept beside the machines so that the checks do not ask them.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::ids::{Epoch, OrderId};
use interlock_domain::order::OrderState;

/// What the checks remember.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// Resources that only a target knew to be taken, and that no customer got through the machines since.
    pub unledgered: BTreeSet<usize>,
    /// Per resource, the customer and the epoch of the last call.
    pub last_call: BTreeMap<usize, (usize, Epoch)>,
    /// How each order ended, by the life of its customer.
    pub ended: BTreeMap<(OrderId, u8), OrderState>,
    /// Orders of which a call began, by the life of their customer; true where one was not a release.
    pub begun: BTreeMap<(OrderId, u8), bool>,
    /// Calls that a new run starts again: they had their turn.
    pub interrupted: BTreeSet<(OrderId, usize)>,
    /// Resources that a person forced free, and that nobody could vouch for.
    pub forced: BTreeSet<usize>,
    /// Resources whose registration a person left as it is, by skipping or cancelling.
    pub left_registered: BTreeSet<usize>,
    /// Resources whose entity died: what it knew is lost.
    pub resources_died: BTreeSet<usize>,
    /// Resources that were reset without their signals: a withdrawal may be lost, and its ticket come late.
    pub signals_lost: BTreeSet<usize>,
    /// Events submitted, by the life of their customer.
    pub submitted: BTreeSet<(usize, u8)>,
    /// Per customer and life, unreadable events that were submitted.
    pub poisoned: BTreeMap<(usize, u8), u64>,
}

impl Truth {
    /// Whether what is registered for a resource may be disregarded: a person said so, or its entity died. What a
    /// customer does under a lease of a dead resource entity nobody can know.
    pub fn is_excused(&self, resource: usize) -> bool {
        self.forced.contains(&resource) || self.left_registered.contains(&resource) || self.is_forgotten(resource)
    }

    /// Whether a resource's entity died, and with it the knowledge of who has its lease.
    pub fn is_forgotten(&self, resource: usize) -> bool {
        self.resources_died.contains(&resource)
    }
}
