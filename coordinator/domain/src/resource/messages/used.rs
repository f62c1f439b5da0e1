//! The holder proved that the target accepted its assign.

use super::{LeaseEvent, Resource};
use crate::ids::{CustomerRef, Epoch, Timestamp};
use crate::message::{Notice, Ticket, ToCustomer};
use crate::order::ClaimMode;

impl Resource {
    /// The holder proved that the target accepted its assign: other customers that want to release have nothing to release.
    pub(super) fn used(&mut self, now: Timestamp, from: &CustomerRef, epoch: Epoch, target_identity: Option<String>) {
        if let Some(holder) = &mut self.holder
            && holder.is(from)
            && holder.epoch == epoch
        {
            (holder.used, holder.locks_only) = (true, false);
            if target_identity.is_some() && holder.target_identity != target_identity {
                holder.target_identity.clone_from(&target_identity);
                self.note(now, LeaseEvent::Renamed, target_identity, None, None);
            }
            self.contested_in_a_row = 0;
            self.answer_releases();
        }
    }

    /// Answers the waiting releases of other customers, if the holder is proven.
    pub(in crate::resource) fn answer_releases(&mut self) {
        let Some(holder) = &self.holder else { return };
        let Some(customer) = holder.customer().filter(|_| holder.used && holder.orphaned_at.is_none()) else { return };
        let moot: Vec<Ticket> = self
            .queue
            .values()
            .filter(|queued| queued.ticket.mode == ClaimMode::Release && queued.ticket.claimant != *customer)
            .map(|queued| queued.ticket.clone())
            .collect();
        for ticket in moot {
            self.queue.remove(&ticket.key);
            let notice = Notice::NotHolder { ticket: ticket.id, target_identity: None };
            let message = ToCustomer { resource: self.id.clone(), incarnation: ticket.incarnation, notice };
            self.tell(ticket.claimant, message);
        }
    }
}
