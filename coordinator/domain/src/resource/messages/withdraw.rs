//! Tickets are taken out of the queue: nobody wants the resource by them any more.

use super::Resource;
use crate::ids::{CustomerRef, TicketId};

impl Resource {
    /// Finishes the tickets, but for those by which another customer waits.
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
