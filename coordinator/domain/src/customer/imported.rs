//! Leases that this customer has because of an import, for the day on which Interlock goes live.

use super::{Customer, Lease};
use crate::ids::{Epoch, OrderId, ResourceId, TicketId, Timestamp};
use crate::limits::RESOURCES_REMEMBERED_MAX;
use crate::order::OrderKey;

/// The event source of the order that an imported lease belongs to. No such order exists: it only has a key.
const SOURCE: &str = "interlock:import";

impl Customer {
    /// A resource reports that this customer has it by an import. The target has it registered already, so the lease outlives
    /// all orders until one releases it. If there are more than [`RESOURCES_REMEMBERED_MAX`] leases, a customer learns of the rest when it
    /// claims them.
    pub(super) fn imported(
        &mut self,
        now: Timestamp,
        resource: &ResourceId,
        epoch: Epoch,
        target_identity: Option<String>,
    ) {
        if self.given_back.get(resource).is_some_and(|known| *known >= epoch) {
            return;
        }
        if let Some(lease) = self.leases.get_mut(resource) {
            if lease.epoch <= epoch && lease.target_identity.is_none() {
                lease.target_identity = target_identity;
            }
            lease.confirmed(epoch);
            self.changed();
            return;
        }
        if self.leases.len() >= RESOURCES_REMEMBERED_MAX {
            self.decline(resource, None, epoch);
            return;
        }
        let order = OrderId::derive(&self.me.tenant, &self.me.customer, SOURCE, &resource.to_string(), None);
        let ticket = TicketId::derive(&order, resource, self.incarnation);
        let key = OrderKey::new(None, None, now, order);
        let (due, leaving, recall) = (None, None, None);
        let used_at = None;
        let (target_identities_before, proof, registered_to) = (Vec::new(), None, None);
        let lease = Lease {
            epoch,
            ticket,
            key,
            since: now,
            kept: true,
            used_at,
            due,
            leaving,
            recall,
            target_identity,
            target_identities_before,
            proof,
            registered_to,
            doubted: false,
            abandoned: false,
        };
        self.leases.insert(resource.clone(), lease);
        self.tell_granted(now, resource);
        if let Some((early, asker)) = self.early_recalls.remove(resource)
            && early >= epoch
        {
            self.recalled(resource, early, Some(asker));
        }
        self.changed();
    }
}
