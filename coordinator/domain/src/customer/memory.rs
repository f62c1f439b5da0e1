//! What a customer still knows of an order that it does not show.

use serde::{Deserialize, Serialize};

use super::Customer;
use crate::ids::OrderId;
use crate::wire::{WireName, wire_words};

wire_words! {
    /// What a customer knows of an order.
    OrderMemory {
        /// It shows the order.
        Shown = "shown",
        /// It ended, and is no longer shown.
        Ended = "ended",
        /// It was never seen, or it ended and is forgotten.
        Uncertain = "uncertain",
        /// It was never seen: this customer has forgotten no order.
        NeverSeen = "never_seen",
    }
}

/// The answer of a customer about an order that it does not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedOrder {
    /// What it knows.
    pub memory: WireName<OrderMemory>,
}

impl Customer {
    /// What this customer knows of an order that it does not show. It forgets an order 30 days after its end, a rejected one, and
    /// one whose event had no time, perhaps earlier.
    pub fn memory_of(&self, id: &OrderId) -> OrderMemory {
        let shown = self.orders.len() + self.inbox.len() + self.remembered.len();
        if self.state_of(id).is_some() {
            OrderMemory::Shown
        } else if self.digests.contains(id) {
            OrderMemory::Ended
        } else if self.counts.accepted > u64::try_from(shown).unwrap_or(u64::MAX) {
            OrderMemory::Uncertain
        } else {
            OrderMemory::NeverSeen
        }
    }
}
