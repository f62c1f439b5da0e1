//! What customers tell a resource, one file per message. The refusal of a forced release is in `force`.

mod claim;
mod decline;
mod give_back;
mod probe;
mod reassert;
mod used;
mod withdraw;

use self::reassert::Said;
use super::{Holder, HolderName, HolderTicket, LeaseEvent, QueuedTicket, Resource, Rival, Vacancy};
use crate::ids::Timestamp;
use crate::message::ToResource;

impl Resource {
    /// Takes a message from a customer.
    pub(in crate::resource) fn told(&mut self, now: Timestamp, message: ToResource) {
        if !message.is_believable() {
            return;
        }
        match message {
            ToResource::Claim { ticket } => self.claimed_by_message(now, ticket),
            ToResource::GiveBack { from, epoch, how, tickets, finished, proof, registered_to } => {
                let held = self.given_back(now, &from, epoch, how, (tickets, finished), proof);
                if let Some(target_identity) = registered_to.filter(|_| held) {
                    self.found_registered(now, &target_identity);
                }
            }
            ToResource::Withdraw { from, tickets } => self.withdrawn(&from, tickets),
            ToResource::Decline { from, ticket, epoch, lost } => self.lease_declined(now, &from, ticket, epoch, lost),
            ToResource::Reassert { from, incarnation, lease, above, tickets, lasting, after_reset } => {
                self.reasserted(now, Said { from, incarnation, lease, above, lasting, after_reset }, tickets);
            }
            ToResource::Used { from, epoch, target_identity } => self.used(now, &from, epoch, target_identity),
            ToResource::Probe { ticket, from, probe } => self.probed(&ticket, &from, probe),
            ToResource::ForceRefused { from, epoch, orders, used_at } => {
                self.force_refused(now, &from, epoch, &orders, used_at);
            }
        }
    }
}
