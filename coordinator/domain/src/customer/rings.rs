//! Rings of orders that release something only once they are granted what another of them releases (two customers who
//! swap their numbers). A probe travels along such waits; if it comes back, the oldest order of the ring lets its
//! release run first.
//!
//! The probe is the edge-chasing of Chandy, Misra and Haas (1983), for the one kind of wait that can form a ring here.

use super::{Customer, Order};
use crate::ids::{OrderId, ResourceId, TicketId};
use crate::message::{Hop, PROBE_HOPS_MAX, Probe, ToResource};
use crate::order::{OrderKey, ReleaseWhen};

impl Customer {
    /// A probe asks whether we keep a resource only until we are granted another.
    pub(super) fn probed(&mut self, resource: &ResourceId, probe: &Probe) {
        let waiting: Vec<OrderId> = self
            .orders
            .iter()
            .filter(|(_, order)| self.keeps_until_granted(order, resource))
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            self.pass_on(&id, probe);
        }
    }

    /// Whether an order waits for a grant before it releases the resource.
    pub(super) fn keeps_until_granted(&self, order: &Order, resource: &ResourceId) -> bool {
        let releases = order
            .open_claims()
            .any(|claim| claim.claim.resource == *resource && claim.claim.release_when == ReleaseWhen::Granted);
        releases
            && order.ending.is_none()
            && !order.release_first
            && !order.begun_on(resource)
            && self.missing_assigns(order).next().is_some()
    }

    /// The resources whose assign an order waits for.
    pub(super) fn missing_assigns<'a>(&'a self, order: &'a Order) -> impl Iterator<Item = &'a ResourceId> + 'a {
        order.open_assigns().filter(|resource| !self.holds_for(order, resource))
    }

    fn pass_on(&mut self, id: &OrderId, probe: &Probe) {
        let order = &self.orders[id];
        let key = order.key.clone();
        let mut probe = probe.clone();
        if probe.oldest.is_none()
            && let Some(start) = probe.path.iter().position(|hop| hop.key == key)
        {
            probe.oldest = probe.path[start..].iter().map(|hop| hop.key.clone()).min();
            probe.path.clear();
        }
        if probe.oldest.as_ref() == Some(&key) {
            self.let_release_go_first(id);
            return;
        }
        probe.path.push(Hop { key });
        if probe.path.len() > PROBE_HOPS_MAX {
            return;
        }
        let missing: Vec<ResourceId> = self.missing_assigns(order).cloned().collect();
        for resource in missing {
            let ticket = TicketId::derive(id, &resource, self.incarnation);
            let message = ToResource::Probe { ticket, from: self.me.clone(), probe: probe.clone() };
            self.outbox.push_back((resource, message));
        }
    }

    /// The order's release no longer waits for its assigns.
    pub(super) fn let_release_go_first(&mut self, id: &OrderId) {
        if let Some(order) = self.orders.get_mut(id) {
            order.release_first = true;
            self.changed();
        }
    }

    /// Remembers the key of the last settled assign or release of a resource.
    pub(super) fn remember_settled(&mut self, resource: &ResourceId, key: OrderKey) {
        let max = crate::limits::RESOURCES_REMEMBERED_MAX;
        super::state::remember_bounded(&mut self.settled, resource.clone(), key, max);
    }
}
