//! A probe for rings of customers that wait for each other.

use super::{Holder, Resource};
use crate::ids::{CustomerRef, TicketId};
use crate::message::{Hop, Notice, Probe, Ticket};

/// The most probes that one grant sends.
const PROBES_MAX: usize = 16;

impl Resource {
    /// Passes a probe on to the holder, while the ticket that it belongs to waits.
    pub(super) fn probed(&mut self, ticket: &TicketId, from: &CustomerRef, probe: Probe) {
        let waits = self.queue.values().any(|queued| queued.ticket.id == *ticket && queued.ticket.claimant == *from);
        if let Some(holder) = self.holder.as_ref().and_then(Holder::customer).filter(|holder| waits && *holder != from)
        {
            self.tell_holder(holder.clone(), Notice::Probe { probe });
        }
    }

    /// The probe that a queued ticket of a swap sends to the holder, which may in turn wait for the claimant.
    pub(super) fn probe_of(&self, ticket: &Ticket) -> Option<(CustomerRef, Probe)> {
        let holder = self.holder.as_ref()?.customer()?;
        let asks = ticket.swap && *holder != ticket.claimant;
        asks.then(|| (holder.clone(), Probe { path: vec![Hop { key: ticket.key.clone() }], oldest: None }))
    }

    /// A new holder may be the missing link of a ring: every swap that waits here probes it.
    pub(in crate::resource) fn probe_new_holder(&mut self) {
        let probes: Vec<_> =
            self.queue.values().filter_map(|queued| self.probe_of(&queued.ticket)).take(PROBES_MAX).collect();
        for (holder, probe) in probes {
            self.tell_holder(holder, Notice::Probe { probe });
        }
    }
}
