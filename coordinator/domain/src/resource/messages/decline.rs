//! The holder has no use for its lease, or is dead.

use super::{LeaseEvent, Resource, Vacancy};
use crate::ids::{CustomerRef, Epoch, Incarnation, TicketId, Timestamp};

impl Resource {
    /// The lease is declined; `lost` is the dead incarnation of the customer, if the recipient no longer exists.
    pub(super) fn lease_declined(
        &mut self,
        now: Timestamp,
        from: &CustomerRef,
        ticket: Option<TicketId>,
        epoch: Epoch,
        lost: Option<Incarnation>,
    ) {
        if !self.holder.as_ref().is_some_and(|holder| holder.is(from) && holder.epoch == epoch) {
            return;
        }
        if lost.is_some() {
            self.orphaned(now);
            self.forget_dead(from, lost.unwrap_or_default());
        } else {
            if let Some(id) = ticket {
                self.finish(id);
            }
            self.declined(now);
        }
        self.force_the_dead(now);
    }

    /// The holder has no use for the lease. If the target is known to have the resource registered to the holder, the holder
    /// still has it, and gets a lease with its next claim; the authority, if there is one, is asked again first.
    pub(super) fn declined(&mut self, now: Timestamp) {
        match &mut self.holder {
            Some(holder) if holder.used && self.policy.authority.is_some() => {
                self.vacate(now, LeaseEvent::Declined);
                self.vacancy = Vacancy::ToLookUp;
            }
            // After a reset of this entity the holder may have released it since.
            Some(holder) if holder.used && !self.unsure => {
                holder.incarnation = None;
                holder.ticket = None;
                holder.recalled = None;
                self.adopt_waiting(now);
            }
            _ => self.vacate(now, LeaseEvent::Declined),
        }
        self.doubt_vacancy_after_reset();
    }
}
