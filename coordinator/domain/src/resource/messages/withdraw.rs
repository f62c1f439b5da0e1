//! Tickets are removed from the queue: they no longer want the resource.

use super::Resource;
use crate::ids::{CustomerRef, TicketId};

impl Resource {
    /// Finishes the tickets, except those of other customers.
    pub(super) fn withdrawn(&mut self, from: &CustomerRef, tickets: Vec<TicketId>) {
        let own = |id: &TicketId| {
            self.queue.values().all(|queued| queued.ticket.id != *id || queued.ticket.claimant == *from)
        };
        let own: Vec<_> = tickets.into_iter().filter(own).collect();
        for id in own {
            self.finish(id);
        }
    }
}
