//! What really happened, recorded separately so that the checks need not ask the machines.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::ids::{Epoch, OrderId};
use interlock_domain::order::OrderState;

use super::Told;

/// The memory of the checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// Resources that only a target knew to be taken, and that no customer has got through the machines since.
    pub unledgered: BTreeSet<usize>,
    /// The customer and the epoch of the last call, by resource.
    pub last_call: BTreeMap<usize, (usize, Epoch)>,
    /// How each order ended, by the life of its customer.
    pub ended: BTreeMap<(OrderId, u8), OrderState>,
    /// Orders of which a call began, by the life of their customer; true if one was not a release.
    pub begun: BTreeMap<(OrderId, u8), bool>,
    /// Calls that a new run starts again. They had their turn.
    pub interrupted: BTreeSet<(OrderId, usize)>,
    /// Resources that a person forced free, and whose state could not be confirmed.
    pub forced: BTreeSet<usize>,
    /// Resources whose registration a person left unchanged, by skipping or cancelling.
    pub left_registered: BTreeSet<usize>,
    /// Resources whose entity died, so that its knowledge is lost.
    pub resources_died: BTreeSet<usize>,
    /// Resources that were reset without their signals. A withdrawal may be lost, and its ticket may arrive late.
    pub signals_lost: BTreeSet<usize>,
    /// Submitted events, by the life of their customer.
    pub submitted: BTreeSet<(usize, u8)>,
    /// What the receiver of a subscribed scenario has taken.
    pub told: BTreeSet<Told>,
    /// Submitted events that are unreadable, by customer and life.
    pub poisoned: BTreeMap<(usize, u8), u64>,
}

impl Truth {
    /// Whether a resource's registration may be ignored: a person said so, or its entity died. What a customer does under the lease of
    /// a dead resource entity cannot be known.
    pub fn is_excused(&self, resource: usize) -> bool {
        self.forced.contains(&resource) || self.left_registered.contains(&resource) || self.is_forgotten(resource)
    }

    /// Whether a resource's entity died, and with it the knowledge of who has its lease.
    pub fn is_forgotten(&self, resource: usize) -> bool {
        self.resources_died.contains(&resource)
    }
}
