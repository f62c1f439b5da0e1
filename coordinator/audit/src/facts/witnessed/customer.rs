//! What a customer's machine shows: its leases, the ends of its orders, and whether calls started in their turn.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::customer::{Customer, Lease, Order, OrderStep};
use interlock_domain::ids::{Epoch, OrderId, ResourceId};
use interlock_domain::message::ToResource;
use interlock_domain::order::ClaimMode;

use crate::facts::{At, CustomerEnd, LeaseHeld, OrderEnd, TurnFault, Turns};

/// How many faults of one customer's turns are kept.
const TURN_FAULTS_MAX: usize = 16;

/// What was seen of a customer.
#[derive(Debug, Default)]
pub(crate) struct SeenCustomer {
    pub(crate) leases: Vec<LeaseHeld>,
    pub(crate) ended: Vec<OrderEnd>,
    pub(crate) turns: Turns,
    pub(crate) state: CustomerEnd,
    /// What orders want of the resources that their steps name, by order and step; and whether the step is a compensation.
    pub(crate) steps: BTreeMap<(OrderId, String), (BTreeMap<ResourceId, ClaimMode>, bool)>,
    /// The orders that had begun before the present input.
    begun: BTreeSet<OrderId>,
    /// How often each step had been called before the present input.
    dispatches: BTreeMap<(OrderId, usize), u32>,
    has_begun: bool,
}

impl SeenCustomer {
    pub(super) fn saw(&mut self, at: At, machine: &Customer) {
        self.see_leases(at, machine);
        self.see_ends(at, machine);
        self.see_calls(at, machine);
        self.state = end_of_customer(machine);
        self.has_begun = true;
    }

    fn see_leases(&mut self, at: At, machine: &Customer) {
        let held = |resource: &ResourceId| {
            machine.leases().get(resource).filter(|lease| !lease.doubted).map(|lease| lease.epoch)
        };
        for lease in self.leases.iter_mut().filter(|lease| lease.until.is_none()) {
            if held(&lease.resource) != Some(lease.epoch) {
                lease.until = Some(at);
                let doubts = |now: &Lease| now.doubted && now.epoch == lease.epoch;
                lease.doubted = machine.leases().get(&lease.resource).is_some_and(doubts);
            }
        }
        for (resource, lease) in machine.leases().iter().filter(|(_, lease)| !lease.doubted) {
            let is_known = self.state.leases.get(resource) == Some(&lease.epoch);
            if !is_known {
                let (carried, until, doubted) = (!self.has_begun, None, false);
                let from = if carried { At::new(0, lease.since) } else { at };
                let (resource, epoch) = (resource.clone(), lease.epoch);
                self.leases.push(LeaseHeld { resource, epoch, from, carried, until, doubted });
            }
        }
    }

    fn see_ends(&mut self, at: At, machine: &Customer) {
        let counts = machine.counts();
        let ended = counts.ended + counts.rejected;
        let new = usize::try_from(ended.saturating_sub(self.state.ended)).unwrap_or(0);
        if self.has_begun && new > 0 {
            let is_end = |what: &str| ENDS.contains(&what);
            let noted = machine.journal().iter().rev().filter(|entry| is_end(&entry.what)).take(new);
            let ends = noted.map(|entry| OrderEnd { order: entry.order.clone(), state: entry.what.clone(), at });
            self.ended.extend(ends);
        }
    }

    fn see_calls(&mut self, at: At, machine: &Customer) {
        for (id, order) in machine.orders() {
            for (index, step) in order.steps.iter().enumerate() {
                // Most steps of a long backlog were never called.
                let before = if step.dispatches == 0 { None } else { self.dispatches.get(&(id.clone(), index)) };
                let before = before.copied().unwrap_or(0);
                if step.dispatches == before {
                    continue;
                }
                self.steps.entry((id.clone(), step.planned.name.clone())).or_insert_with(|| named(order, step));
                if self.has_begun && before == 0 && step.state.is_running() {
                    self.see_first_call(at, machine, order, step);
                }
                self.dispatches.insert((id.clone(), index), step.dispatches);
            }
        }
        self.begun = machine.orders().iter().filter(|(_, order)| has_begun(order)).map(|(id, _)| id.clone()).collect();
        self.dispatches.retain(|(id, _), _| machine.orders().contains_key(id));
    }

    /// Order per customer (P1): a step that starts must not pass an order with an older key that is known and has not started.
    fn see_first_call(&mut self, at: At, machine: &Customer, order: &Order, step: &OrderStep) {
        if order.unordered {
            return;
        }
        self.turns.checked += 1;
        let target = &step.planned.target;
        for other in machine.orders().values().filter(|other| other.key.order != order.key.order && !other.unordered) {
            let in_lane = || other.steps.iter().filter(|other| other.planned.target == *target);
            let why = if in_lane().any(|other| other.state.is_running()) {
                "another call of the customer to the target is in flight"
            } else if self.should_have_gone_first(order, step, other) && in_lane().any(|s| !s.state.is_over()) {
                "an older order that has not started should go first"
            } else {
                continue;
            };
            if self.turns.faults.len() < TURN_FAULTS_MAX {
                self.turns.faults.push(TurnFault {
                    at,
                    order: order.key.order.clone(),
                    target: target.clone(),
                    other: other.key.order.clone(),
                    why: why.to_owned(),
                });
            }
        }
    }

    fn should_have_gone_first(&self, order: &Order, step: &OrderStep, other: &Order) -> bool {
        let is_older = other.key < order.key && !has_begun(other) && other.ending.is_none();
        let had_begun = self.begun.contains(&order.key.order);
        // An urgent order passes orders that wait; a release passes those that wait for a lease, unless both name the same resource.
        let is_urgent = order.urgent && !other.urgent;
        let shares = || step.planned.resources.iter().any(|resource| other.claim_on(resource).is_some());
        let passes = is_urgent || (is_release(order, step) && !shares());
        is_older && !had_begun && !passes
    }
}

/// The states with which the journal notes the end of an order.
const ENDS: [&str; 6] = ["completed", "partial", "failed", "cancelled", "rejected", "superseded"];

fn has_begun(order: &Order) -> bool {
    order.started || order.had_effect() || order.running().next().is_some()
}

fn is_release(order: &Order, step: &OrderStep) -> bool {
    let mode = |resource: &ResourceId| order.claim_on(resource).map(|claim| claim.claim.mode);
    let resources = &step.planned.resources;
    !resources.is_empty() && resources.iter().all(|resource| mode(resource) == Some(ClaimMode::Release))
}

/// What an order wants of the resources that a step names; and whether the step is a compensation.
fn named(order: &Order, step: &OrderStep) -> (BTreeMap<ResourceId, ClaimMode>, bool) {
    let mode = |resource: &ResourceId| Some((resource.clone(), order.claim_on(resource)?.claim.mode));
    (step.planned.resources.iter().filter_map(mode).collect(), step.compensates.is_some())
}

fn end_of_customer(machine: &Customer) -> CustomerEnd {
    let waiting = machine.inbox().iter().map(|waiting| waiting.key.order.clone());
    let told = |(resource, message): &(ResourceId, ToResource)| {
        (!matches!(message, ToResource::Withdraw { .. })).then(|| resource.clone())
    };
    let unjudged = machine.unjudged().iter().map(|grant| grant.resource.clone());
    let to_say = machine.to_reassert().keys().cloned();
    let doubted = machine.leases().iter().filter(|(_, lease)| lease.doubted).map(|(resource, _)| resource.clone());
    let epochs: BTreeMap<ResourceId, Epoch> = machine
        .leases()
        .iter()
        .filter(|(_, lease)| !lease.doubted)
        .map(|(resource, lease)| (resource.clone(), lease.epoch))
        .collect();
    let identity = |(resource, lease): (&ResourceId, &interlock_domain::customer::Lease)| {
        Some((resource.clone(), lease.target_identity.clone()?))
    };
    let identities = machine.leases().iter().filter_map(identity).collect();
    let counts = machine.counts();
    CustomerEnd {
        incarnation: machine.incarnation().0,
        leases: epochs,
        identities,
        open: waiting.chain(machine.orders().keys().cloned()).collect(),
        busy: machine.outbox().iter().filter_map(told).chain(unjudged).chain(to_say).chain(doubted).collect(),
        accepted: counts.accepted,
        ended: counts.ended + counts.rejected,
    }
}
