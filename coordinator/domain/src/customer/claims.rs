//! Tickets and leases: what is wanted of which resource, what is held, and what is given back.

use super::state::remember_bounded;
use super::{ClaimState, Customer, Lease, Order, OrderClaim, OrderStep, StepState, TicketState, UnjudgedGrant};
use crate::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId, TicketId, Timestamp};
use crate::limits::RESOURCES_REMEMBERED_MAX;
use crate::message::{Asker, ClaimAnswer, GiveBack, LeaseProof, Ticket, ToResource};
use crate::observation::Observation;
use crate::order::{Claim, ClaimMode, OrderKey, Plan, ReleaseWhen};
use crate::recording::Edition;

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
        party: claim.party.clone(),
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
    /// Whether it gives something up only when its assigns are granted.
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

    /// Whether a step that names the resource has begun, or had its effect.
    pub(super) fn begun_on(&self, resource: &ResourceId) -> bool {
        self.steps_naming(resource)
            .any(|step| matches!(step.state, StepState::Running | StepState::Done) || step.maybe_sent)
    }

    /// Whether a step that names the resource is not over.
    pub(super) fn open_on(&self, resource: &ResourceId) -> bool {
        self.steps_naming(resource).any(|step| !step.state.is_over())
    }

    /// Whether it claims the resource, has begun to work on it, and is not done on every target.
    pub(super) fn is_at_work_on(&self, resource: &ResourceId) -> bool {
        self.claim_on(resource).is_some() && self.begun_on(resource) && self.open_on(resource)
    }

    /// Whether it needs the lease now: a call under it is under way, or it has started and is not done with it.
    pub(super) fn needs_now(&self, resource: &ResourceId) -> bool {
        let running = self.steps_naming(resource).any(|step| step.state == StepState::Running || step.maybe_sent);
        let begun = self.started || self.begun_on(resource);
        running || (begun && self.open_on(resource))
    }
}

impl Lease {
    /// Whether an order may use it: one that is about to be given back, or under which another order has begun and is
    /// not done, serves only those who need it now.
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
    /// Whether a lease is held that an order may use.
    pub(super) fn holds_for(&self, order: &Order, resource: &ResourceId) -> bool {
        self.leases
            .get(resource)
            .is_some_and(|lease| lease.serves(order, resource, || self.is_used_by_another(order, resource)))
    }

    /// Whether another order is at work on the resource.
    fn is_used_by_another(&self, order: &Order, resource: &ResourceId) -> bool {
        self.orders.values().any(|other| other.key != order.key && other.is_at_work_on(resource))
    }

    /// What a resource answered to the claim of an admission.
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

    /// The order and index of the open claim that a ticket stands for.
    pub(super) fn claim_of_ticket(&self, resource: &ResourceId, ticket: &TicketId) -> Option<(OrderId, usize)> {
        self.orders.iter().find_map(|(id, order)| {
            let index = order.claims.iter().position(|claim| claim.claim.resource == *resource)?;
            (TicketId::derive(id, resource, self.incarnation) == *ticket).then(|| (id.clone(), index))
        })
    }

    fn set_ticket(&mut self, order: &OrderId, resource: &ResourceId, state: TicketState) {
        let claims = self.orders.get_mut(order).into_iter().flat_map(|order| order.claims.iter_mut());
        for claim in claims.filter(|claim| claim.claim.resource == *resource) {
            claim.ticket = state;
        }
        self.changed();
    }

    /// Takes a grant: for a ticket that is known and open the lease is ours, a duplicate is ignored, anything else is
    /// judged once no admission is under way or waiting.
    pub(super) fn granted(&mut self, now: Timestamp, grant: UnjudgedGrant) {
        let UnjudgedGrant { ref resource, ref ticket, epoch, registered, ref recall } = grant;
        if self.given_back.get(resource).is_some_and(|known| *known >= epoch) {
            if self.waits_by(resource, ticket) {
                // An old message, or one of an entity whose epochs are behind: that would wait for us, and we for it.
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
            (claim.state == ClaimState::Open).then(|| (order.key.clone(), claim.claim.party.clone(), id))
        });
        let Some((key, party, id)) = open else {
            if !self.unjudged.contains(&grant) {
                self.unjudged.push(grant);
                self.changed();
            }
            return;
        };
        // What the target has registered already outlives the order that asks for it, unless that releases it.
        let (ticket, kept) = (ticket.clone(), registered);
        let lease = Lease {
            epoch,
            ticket,
            key,
            since: now,
            kept,
            used_at: None,
            due: None,
            leaving: None,
            recall: None,
            party,
            parties_before: Vec::new(),
            proof: None,
            registered_to: None,
            doubted: false,
            abandoned: false,
        };
        let accepted_at = self.orders.get(&id).map_or(lease.key.accepted_at, Order::accepted_at);
        let waited_ms = u64::try_from(now.0.saturating_sub(accepted_at.0)).unwrap_or(0);
        self.observed.push(Observation::LeaseGranted { kind: resource.kind().clone(), waited_ms });
        self.leases.insert(resource.clone(), lease);
        self.set_ticket(&id, resource, TicketState::Out);
        self.recalled(resource, epoch, recall.clone());
        match self.early_recalls.remove(resource) {
            Some((early, asker)) if early == epoch => self.recalled(resource, epoch, Some(asker)),
            Some((early, asker)) if early > epoch => {
                self.early_recalls.insert(resource.clone(), (early, asker));
            }
            _ => {}
        }
    }

    /// Somebody asks for a lease back. Of several askers the oldest is kept: it has the best reason.
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

    /// Judges grants for unknown tickets, once no admission is under way or waiting: what is unknown still is declined.
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

    /// A grant came that is not above what was given back. Mostly it is a copy, and the resource knows; if not, it waits for
    /// this epoch to come back.
    fn give_back_again(&mut self, resource: &ResourceId, ticket: &TicketId, epoch: Epoch) {
        if self.edition >= Edition::V0_2 && !self.leases.contains_key(resource) {
            let (from, ticket) = (self.me.clone(), Some(ticket.clone()));
            self.outbox.push_back((resource.clone(), ToResource::Decline { from, ticket, epoch, lost: None }));
            self.changed();
        }
    }

    /// A lease is gone: a grant not above its epoch is a duplicate.
    pub(super) fn remember_given_back(&mut self, resource: &ResourceId, epoch: Epoch) {
        remember_bounded(&mut self.given_back, resource.clone(), epoch, RESOURCES_REMEMBERED_MAX);
        if self.early_recalls.get(resource).is_some_and(|(early, _)| *early <= epoch) {
            self.early_recalls.remove(resource);
        }
    }

    /// Gives back what is to be given back, and answers who asked.
    pub(super) fn settle_leases(&mut self, now: Timestamp) {
        let resources: Vec<ResourceId> = self.leases.keys().cloned().collect();
        for resource in resources {
            let how = self.reason_to_give_back(&resource);
            let Some(lease) = self.leases.get_mut(&resource) else { continue };
            if let Some(how) = how
                && lease.leaving.is_none()
            {
                lease.leaving = Some(how);
                if lease.proof.is_none() {
                    lease.proof = proof_without_call(lease, how, now);
                }
            }
            let leaving = lease.leaving;
            match leaving {
                Some(how) if !self.in_flight(&resource) => self.give_back(&resource, how),
                _ => self.answer_recall(&resource),
            }
        }
    }

    /// Whether a call that the lease protects is under way, or may still land.
    fn in_flight(&self, resource: &ResourceId) -> bool {
        self.orders
            .values()
            .any(|order| order.steps_naming(resource).any(|step| step.state == StepState::Running || step.maybe_sent))
    }

    /// Whether a started order is not done with the lease.
    fn needed_now(&self, resource: &ResourceId) -> bool {
        self.orders.values().any(|order| order.needs_now(resource))
    }

    /// Why a lease is to be given back now, if it is.
    fn reason_to_give_back(&self, resource: &ResourceId) -> Option<GiveBack> {
        let lease = self.leases.get(resource)?;
        if lease.leaving.is_some() || self.needed_now(resource) {
            return None;
        }
        if lease.due.is_some() {
            return lease.due;
        }
        let ticket_open = self.claim_of_ticket(resource, &lease.ticket).is_some_and(|(id, index)| {
            self.orders[&id].claims[index].state == ClaimState::Open && self.orders[&id].ending.is_none()
        });
        if !lease.kept && !ticket_open {
            return Some(GiveBack::Unused);
        }
        let older = lease.recall.as_ref().is_some_and(|asker| asker.key < lease.key);
        (!lease.kept && older).then_some(GiveBack::Yielded)
    }

    /// Marks a lease to be given back as soon as no started order needs it; `proof` is what that rests on.
    pub(super) fn give_back_later(&mut self, resource: &ResourceId, how: GiveBack, proof: Option<LeaseProof>) {
        if let Some(lease) = self.leases.get_mut(resource) {
            lease.kept = false;
            lease.due = Some(how);
            if lease.leaving.is_none() {
                lease.proof = proof;
            }
            self.changed();
        }
    }

    /// Marks a lease to be given back as soon as no call that it protects is under way, whoever else wants it; `proof` is
    /// what that rests on.
    pub(super) fn give_back_now(&mut self, resource: &ResourceId, how: GiveBack, proof: Option<LeaseProof>) {
        if let Some(lease) = self.leases.get_mut(resource) {
            lease.kept = false;
            lease.leaving = Some(how);
            lease.proof = proof;
            self.changed();
        }
    }

    /// Gives a lease back, with the tickets by which it is still wanted.
    pub(super) fn give_back(&mut self, resource: &ResourceId, how: GiveBack) {
        let Some(lease) = self.leases.remove(resource) else { return };
        self.remember_given_back(resource, lease.epoch);
        let mut tickets = Vec::new();
        for order in self.orders.values_mut() {
            let (swap, key, over) = (order.is_swap(), order.key.clone(), order.ending.is_some());
            for claim in order.claims.iter_mut().filter(|claim| claim.claim.resource == *resource) {
                if claim.state == ClaimState::Open && !over {
                    claim.ticket = TicketState::Out;
                    tickets.push(ticket_of(&self.me, self.incarnation, &key, &claim.claim, swap));
                }
            }
        }
        let wanted = tickets.iter().any(|ticket| ticket.id == lease.ticket);
        let finished = if wanted { Vec::new() } else { vec![lease.ticket.clone()] };
        if how == GiveBack::Released {
            self.forget_identity(resource);
        }
        let Lease { epoch, proof, registered_to, .. } = lease;
        let message =
            ToResource::GiveBack { from: self.me.clone(), epoch, how, tickets, finished, proof, registered_to };
        self.outbox.push_back((resource.clone(), message));
        self.changed();
    }

    /// Answers who asked for a lease that stays: the target accepted our assign.
    fn answer_recall(&mut self, resource: &ResourceId) {
        let Some(lease) = self.leases.get_mut(resource) else { return };
        if lease.kept && lease.leaving.is_none() && lease.recall.take().is_some() {
            let message = ToResource::Used { from: self.me.clone(), epoch: lease.epoch, party: None };
            self.outbox.push_back((resource.clone(), message));
            self.changed();
        }
    }

    /// Asks for what is wanted and was not asked for: a release of what is not held any more, and what a finished
    /// ticket left open. A release waits for an older open assign of the same resource instead.
    pub(super) fn ask_for_tickets(&mut self) {
        let mut missing: Vec<(OrderId, ResourceId)> = Vec::new();
        for (id, order) in self.orders.iter().filter(|(_, order)| order.ending.is_none()) {
            for claim in order.open_claims().filter(|claim| claim.ticket != TicketState::Out) {
                let resource = &claim.claim.resource;
                let release = claim.claim.mode == ClaimMode::Release;
                let held = |step: &OrderStep| matches!(step.state, StepState::Held { .. });
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

    /// Takes the tickets of an order that is over out of the queues; a lease granted for one stays until it is settled.
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

/// What a lease that comes back unused, or for an older ticket, rests on: the order that it was granted for, or the one that
/// asked for it.
fn proof_without_call(lease: &Lease, how: GiveBack, now: Timestamp) -> Option<LeaseProof> {
    let order = match (how, &lease.recall) {
        (GiveBack::Yielded, Some(asker)) => asker.key.order.clone(),
        (GiveBack::Yielded | GiveBack::Unused, _) => lease.key.order.clone(),
        (GiveBack::Released | GiveBack::Contested | GiveBack::Forced, _) => return None,
    };
    Some(LeaseProof { order, step: None, at: now, actor: None, reason: None })
}
