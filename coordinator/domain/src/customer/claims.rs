//! Claims and their tickets: which resources are wanted, and how.

use super::{ClaimState, Customer, Lease, Order, OrderClaim, OrderStep, TicketState, UnjudgedGrant};
use crate::ids::{CustomerRef, Incarnation, OrderId, ResourceId, TicketId, Timestamp};
use crate::message::{ClaimAnswer, Ticket, ToResource};
use crate::order::{Claim, ClaimMode, OrderKey, Plan, ReleaseWhen};

/// The ticket of a claim.
pub(super) fn ticket_of(
    me: &CustomerRef,
    incarnation: Incarnation,
    key: &OrderKey,
    claim: &Claim,
    swap: bool,
) -> Ticket {
    Ticket {
        id: TicketId::derive(&key.order, &claim.resource, incarnation),
        order: key.order.clone(),
        key: key.clone(),
        mode: claim.mode,
        claimant: me.clone(),
        incarnation,
        target_identity: claim.target_identity.clone(),
        swap: swap && claim.mode == ClaimMode::Assign,
        answer_by: None,
        policy: claim.policy.clone(),
    }
}

/// The tickets of all claims of a plan.
pub(super) fn tickets_of_plan<'a>(
    me: &'a CustomerRef,
    incarnation: Incarnation,
    key: &'a OrderKey,
    plan: &'a Plan,
) -> impl Iterator<Item = (ResourceId, Ticket)> + 'a {
    let swap = plan.claims.iter().any(|claim| claim.release_when == ReleaseWhen::Granted);
    plan.claims.iter().map(move |claim| (claim.resource.clone(), ticket_of(me, incarnation, key, claim, swap)))
}

impl Order {
    /// Whether its release waits until its assigns are granted.
    pub(super) fn is_swap(&self) -> bool {
        self.claims.iter().any(|claim| claim.claim.release_when == ReleaseWhen::Granted)
    }

    /// Its claims that are not settled.
    pub(super) fn open_claims(&self) -> impl Iterator<Item = &OrderClaim> + '_ {
        self.claims.iter().filter(|claim| claim.state == ClaimState::Open)
    }

    /// The resources of its open assigns.
    pub(super) fn open_assigns(&self) -> impl Iterator<Item = &ResourceId> + '_ {
        self.open_claims().filter(|claim| claim.claim.mode == ClaimMode::Assign).map(|claim| &claim.claim.resource)
    }

    /// Whether a step that names the resource has started, or had its effect.
    pub(super) fn begun_on(&self, resource: &ResourceId) -> bool {
        self.steps_naming(resource).any(|step| step.state.has_begun())
    }

    /// Whether a step that names the resource has not ended.
    pub(super) fn open_on(&self, resource: &ResourceId) -> bool {
        self.steps_naming(resource).any(|step| !step.state.is_over())
    }

    /// Whether it claims the resource, has started to work on it, and is not done on every target.
    pub(super) fn is_at_work_on(&self, resource: &ResourceId) -> bool {
        self.claim_on(resource).is_some() && self.begun_on(resource) && self.open_on(resource)
    }

    /// Whether it needs the lease now: a call under it is running, or it has started and is not done with it.
    pub(super) fn needs_now(&self, resource: &ResourceId) -> bool {
        let running = self.steps_naming(resource).any(|step| step.state.is_in_flight());
        let begun = self.started || self.begun_on(resource);
        running || (begun && self.open_on(resource))
    }
}

impl Lease {
    /// Whether an order may use the lease: a lease that is about to be given back, or under which another order has started and is
    /// not done, serves only the orders that need it now.
    pub(super) fn serves(
        &self,
        order: &Order,
        resource: &ResourceId,
        is_used_by_another: impl FnOnce() -> bool,
    ) -> bool {
        self.leaving.is_none()
            && !self.doubted
            && ((self.due.is_none() && !is_used_by_another()) || order.needs_now(resource))
    }
}

impl Customer {
    /// Whether a lease is held that the order may use.
    pub(super) fn holds_for(&self, order: &Order, resource: &ResourceId) -> bool {
        self.leases
            .get(resource)
            .is_some_and(|lease| lease.serves(order, resource, || self.is_used_by_another(order, resource)))
    }

    /// Whether another order is working on the resource.
    fn is_used_by_another(&self, order: &Order, resource: &ResourceId) -> bool {
        self.orders.values().any(|other| other.key != order.key && other.is_at_work_on(resource))
    }

    /// Takes a resource's answer to the claim of an admission.
    pub(super) fn take_answer(&mut self, now: Timestamp, order: &OrderId, resource: &ResourceId, answer: ClaimAnswer) {
        let ticket = TicketId::derive(order, resource, self.incarnation);
        match answer {
            ClaimAnswer::Granted { epoch, registered, recall } => {
                self.granted(now, UnjudgedGrant { resource: resource.clone(), ticket, epoch, registered, recall });
            }
            ClaimAnswer::Queued | ClaimAnswer::NotAnswered => {}
            ClaimAnswer::NotHolder => self.not_holder(now, resource, &ticket, None),
            ClaimAnswer::Finished => self.set_ticket(order, resource, TicketState::None),
            ClaimAnswer::QueueFull { .. } => self.queue_full(resource, &ticket),
        }
    }

    /// The order and index of the open claim that a ticket belongs to.
    pub(super) fn claim_of_ticket(&self, resource: &ResourceId, ticket: &TicketId) -> Option<(OrderId, usize)> {
        self.orders.iter().find_map(|(id, order)| {
            let index = order.claims.iter().position(|claim| claim.claim.resource == *resource)?;
            (TicketId::derive(id, resource, self.incarnation) == *ticket).then(|| (id.clone(), index))
        })
    }

    pub(super) fn set_ticket(&mut self, order: &OrderId, resource: &ResourceId, state: TicketState) {
        let claims = self.orders.get_mut(order).into_iter().flat_map(|order| order.claims.iter_mut());
        for claim in claims.filter(|claim| claim.claim.resource == *resource) {
            claim.ticket = state;
        }
        self.changed();
    }

    /// Asks for what is wanted and has no ticket yet: a release of what is no longer held, and what a finished
    /// ticket left open. A release waits for an older open assign of the same resource instead.
    pub(super) fn ask_for_tickets(&mut self) {
        let mut missing: Vec<(OrderId, ResourceId)> = Vec::new();
        for (id, order) in self.orders.iter().filter(|(_, order)| order.ending.is_none()) {
            for claim in order.open_claims().filter(|claim| claim.ticket != TicketState::Out) {
                let resource = &claim.claim.resource;
                let release = claim.claim.mode == ClaimMode::Release;
                let held = |step: &OrderStep| step.state.is_held();
                let needless = self.leases.contains_key(resource)
                    || order.steps_naming(resource).any(held)
                    || (release && (order.gave_it_up(resource) || self.older_open_assign(&order.key, resource)));
                if !needless {
                    missing.push((id.clone(), resource.clone()));
                }
            }
        }
        for (id, resource) in missing {
            let Some(order) = self.orders.get(&id) else { continue };
            let Some(claim) = order.claim_on(&resource) else { continue };
            let ticket = ticket_of(&self.me, self.incarnation, &order.key, &claim.claim, order.is_swap());
            self.outbox.push_back((resource.clone(), ToResource::Claim { ticket }));
            self.set_ticket(&id, &resource, TicketState::Out);
        }
    }

    /// Whether an older order of this customer has an open assign of the resource.
    pub(super) fn older_open_assign(&self, key: &OrderKey, resource: &ResourceId) -> bool {
        self.orders.values().filter(|order| order.key < *key && order.ending.is_none()).any(|order| {
            order.open_claims().any(|c| c.claim.resource == *resource && c.claim.mode == ClaimMode::Assign)
        })
    }

    /// Withdraws the tickets of an order that has ended; a lease granted for one stays until it is settled.
    pub(super) fn withdraw(&mut self, order: &Order) {
        for claim in order.claims.iter().filter(|claim| claim.ticket != TicketState::None) {
            let resource = &claim.claim.resource;
            let ticket = TicketId::derive(&order.key.order, resource, self.incarnation);
            if self.leases.get(resource).is_some_and(|lease| lease.ticket == ticket) {
                continue;
            }
            self.withdraw_ticket(resource.clone(), ticket);
        }
    }

    pub(super) fn withdraw_ticket(&mut self, resource: ResourceId, ticket: TicketId) {
        self.outbox.push_back((resource, ToResource::Withdraw { from: self.me.clone(), tickets: vec![ticket] }));
        self.changed();
    }
}
