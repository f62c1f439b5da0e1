//! Granted leases: they are accepted, judged once their ticket is known, or declined; and recalls.

use super::state::remember_bounded;
use super::{ClaimState, Customer, Lease, Order, TicketState, UnjudgedGrant};
use crate::ids::{Epoch, ResourceId, TicketId, Timestamp};
use crate::limits::RESOURCES_REMEMBERED_MAX;
use crate::message::{Asker, ToResource};
use crate::observation::Observation;
use crate::recording::Edition;

impl Customer {
    /// Takes a grant: for a known, open ticket the lease is ours, a duplicate is ignored, anything else is
    /// judged once no admission is running or waiting.
    pub(super) fn granted(&mut self, now: Timestamp, grant: UnjudgedGrant) {
        let UnjudgedGrant { ref resource, ref ticket, epoch, registered, ref recall } = grant;
        if self.given_back.get(resource).is_some_and(|known| *known >= epoch) {
            if self.waits_by(resource, ticket) {
                // An old message, or one of an entity whose epochs are behind: such an entity would wait for us, and we for it.
                self.doubt(resource, Epoch(0));
            } else {
                self.give_back_again(resource, ticket, epoch);
            }
            return;
        }
        if let Some(lease) = self.leases.get_mut(resource) {
            if lease.confirmed(epoch) && !registered {
                lease.kept = false;
            }
            if lease.epoch == epoch {
                self.recalled(resource, epoch, recall.clone());
            }
            return;
        }
        let open = self.claim_of_ticket(resource, ticket).and_then(|(id, index)| {
            let order = &self.orders[&id];
            let claim = &order.claims[index];
            (claim.state == ClaimState::Open).then(|| (order.key.clone(), claim.claim.target_identity.clone(), id))
        });
        let Some((key, target_identity, id)) = open else {
            if !self.unjudged.contains(&grant) {
                self.unjudged.push(grant);
                self.changed();
            }
            return;
        };
        let lease = Lease {
            epoch,
            ticket: ticket.clone(),
            key,
            since: now,
            // A registration that the target already has outlives the order that asks for it, unless that order releases it.
            kept: registered,
            used_at: None,
            due: None,
            leaving: None,
            recall: None,
            target_identity,
            target_identities_before: Vec::new(),
            proof: None,
            registered_to: None,
            doubted: false,
            abandoned: false,
        };
        let accepted_at = self.orders.get(&id).map_or(lease.key.accepted_at, Order::accepted_at);
        let waited_ms = u64::try_from(now.0.saturating_sub(accepted_at.0)).unwrap_or(0);
        self.observed.push(Observation::LeaseGranted { kind: resource.kind().clone(), waited_ms });
        self.leases.insert(resource.clone(), lease);
        self.tell_granted(now, resource);
        self.set_ticket(&id, resource, TicketState::Out);
        self.recalled(resource, epoch, recall.clone());
        self.hear_early_recall(resource, epoch);
    }

    /// Takes the recall of this epoch, if it came before its grant.
    fn hear_early_recall(&mut self, resource: &ResourceId, epoch: Epoch) {
        match self.early_recalls.remove(resource) {
            Some((early, asker)) if early == epoch => self.recalled(resource, epoch, Some(asker)),
            Some((early, asker)) if early > epoch => {
                self.early_recalls.insert(resource.clone(), (early, asker));
            }
            _ => {}
        }
    }

    /// A resource recalls a lease. Of several askers the oldest is kept, because its claim comes first.
    pub(super) fn recalled(&mut self, resource: &ResourceId, epoch: Epoch, asker: Option<Asker>) {
        let Some(asker) = asker else { return };
        match self.leases.get_mut(resource) {
            Some(lease) if lease.epoch == epoch => {
                let known = lease.recall.take();
                lease.recall = Some(known.map_or(asker.clone(), |known| known.min(asker)));
                self.changed();
            }
            Some(lease) if lease.epoch > epoch => {}
            _ if self.given_back.get(resource).is_some_and(|known| *known >= epoch) => {}
            _ => {
                let newer = self.early_recalls.get(resource).is_none_or(|(known, _)| *known <= epoch);
                if newer {
                    self.early_recalls.insert(resource.clone(), (epoch, asker));
                }
                while self.early_recalls.len() > RESOURCES_REMEMBERED_MAX {
                    self.early_recalls.pop_first();
                }
            }
        }
    }

    /// Judges grants for unknown tickets, once no admission is running or waiting: if the ticket is still unknown, the grant is declined.
    pub(super) fn judge_grants(&mut self, now: Timestamp) {
        if !self.inbox.is_empty() {
            let known = |grant: &UnjudgedGrant| self.claim_of_ticket(&grant.resource, &grant.ticket).is_some();
            if !self.unjudged.iter().any(known) {
                return;
            }
        }
        for grant in std::mem::take(&mut self.unjudged) {
            let open = self
                .claim_of_ticket(&grant.resource, &grant.ticket)
                .is_some_and(|(id, index)| self.orders[&id].claims[index].state == ClaimState::Open);
            let held = self.leases.contains_key(&grant.resource);
            if open || held {
                self.granted(now, grant);
            } else if self.inbox.is_empty() {
                self.decline(&grant.resource, Some(grant.ticket), grant.epoch);
            } else {
                self.unjudged.push(grant);
            }
        }
    }

    pub(super) fn decline(&mut self, resource: &ResourceId, ticket: Option<TicketId>, epoch: Epoch) {
        let is_old = self.given_back.get(resource).is_some_and(|known| *known >= epoch);
        if is_old && self.edition < Edition::V0_2 {
            return;
        }
        if !is_old {
            self.remember_given_back(resource, epoch);
        }
        let message = ToResource::Decline { from: self.me.clone(), ticket, epoch, lost: None };
        self.outbox.push_back((resource.clone(), message));
        self.changed();
    }

    /// Answers a grant whose epoch is not above one already given back. Usually it is a copy, and the resource knows; if not, the resource
    /// waits for this epoch to come back.
    fn give_back_again(&mut self, resource: &ResourceId, ticket: &TicketId, epoch: Epoch) {
        if self.edition >= Edition::V0_2 && !self.leases.contains_key(resource) {
            let (from, ticket) = (self.me.clone(), Some(ticket.clone()));
            self.outbox.push_back((resource.clone(), ToResource::Decline { from, ticket, epoch, lost: None }));
            self.changed();
        }
    }

    /// Remembers that a lease is gone: a grant not above its epoch is a duplicate.
    pub(super) fn remember_given_back(&mut self, resource: &ResourceId, epoch: Epoch) {
        remember_bounded(&mut self.given_back, resource.clone(), epoch, RESOURCES_REMEMBERED_MAX);
        if self.early_recalls.get(resource).is_some_and(|(early, _)| *early <= epoch) {
            self.early_recalls.remove(resource);
        }
    }
}
