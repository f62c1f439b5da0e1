//! Turns: whose step starts next in which lane.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::identities::step_key;
use super::keys::choose_key_rule;
use super::{ClaimState, Customer, Effect, Order, OrderStep, StepState};
use crate::ids::{OrderId, ResourceId, TargetId, Timestamp};
use crate::limits::UNORDERED_RUNNING_MAX;
use crate::message::ProvisionRequest;
use crate::order::{ClaimMode, ReleaseWhen};

/// Why a step does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// A lease is missing.
    Lease,
    /// A step of its order that it comes after is not over.
    After,
    /// It waits for a person.
    Person,
}

impl Order {
    /// Its first step in a lane that is not over.
    fn first_in_lane(&self, target: &TargetId) -> Option<usize> {
        self.steps.iter().position(|step| step.planned.target == *target && !step.state.is_over())
    }

    /// Whether no step of it has begun.
    pub(super) fn nothing_begun(&self) -> bool {
        self.steps.iter().all(|step| !matches!(step.state, StepState::Running | StepState::Done) && !step.maybe_sent)
    }

    /// Whether a step gives up what it names, and does nothing else.
    pub(super) fn is_release_step(&self, step: &OrderStep) -> bool {
        let release = |resource| self.claim_on(resource).is_some_and(|claim| claim.claim.mode == ClaimMode::Release);
        step.compensates.is_none() && !step.planned.resources.is_empty() && step.planned.resources.iter().all(release)
    }

    /// Whether one of its steps may start as far as the order and its leases go; `holds` says whether a lease is held
    /// that this order may use.
    ///
    /// # Errors
    /// What it waits for.
    pub(super) fn readiness(&self, step: &OrderStep, holds: &dyn Fn(&ResourceId) -> bool) -> Result<(), NotReady> {
        if self.late_hold || step.state != StepState::Open {
            return Err(NotReady::Person);
        }
        if !self.comes_next(step) {
            return Err(NotReady::After);
        }
        let mut needed = step
            .planned
            .resources
            .iter()
            .filter(|resource| self.claim_on(resource).is_none_or(|claim| claim.state != ClaimState::NotHolder));
        if !needed.all(holds) {
            return Err(NotReady::Lease);
        }
        let free = step.planned.resources.is_empty() || step.compensates.is_some();
        let granted = if free {
            true
        } else if self.is_release_step(step) {
            self.may_release(step, holds)
        } else {
            self.started || self.has_all_leases(holds)
        };
        if granted { Ok(()) } else { Err(NotReady::Lease) }
    }

    /// Whether the steps that a step comes after are over.
    pub(super) fn comes_next(&self, step: &OrderStep) -> bool {
        step.planned.after.iter().all(|index| self.steps.get(*index).is_none_or(|other| other.state.is_over()))
    }

    /// Whether a release may go: in its turn, or once the order's own assigns are granted.
    fn may_release(&self, step: &OrderStep, holds: &dyn Fn(&ResourceId) -> bool) -> bool {
        let waits = step.planned.resources.iter().any(|resource| {
            self.claim_on(resource).is_some_and(|claim| claim.claim.release_when == ReleaseWhen::Granted)
        });
        !waits || self.release_first || self.open_assigns().all(holds)
    }

    /// Whether all assign and lock leases that its open steps need are held.
    fn has_all_leases(&self, holds: &dyn Fn(&ResourceId) -> bool) -> bool {
        self.open_claims()
            .filter(|claim| claim.claim.mode != ClaimMode::Release && self.open_on(&claim.claim.resource))
            .all(|claim| holds(&claim.claim.resource))
    }

    /// Whether it has not started and misses a lease that its open steps need.
    pub(super) fn waits_for_lease(&self, holds: &dyn Fn(&ResourceId) -> bool) -> bool {
        !self.started
            && self.open_claims().any(|claim| {
                let resource = &claim.claim.resource;
                !holds(resource) && self.open_on(resource)
            })
    }

    /// The resources that it names, anywhere.
    fn resources(&self) -> impl Iterator<Item = &ResourceId> + '_ {
        self.claims.iter().map(|claim| &claim.claim.resource)
    }
}

impl Customer {
    /// Starts every step whose turn it is. Whether there was any.
    pub(super) fn start_steps(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let mut starts = self.unordered_starts(now);
        let lanes = self.lanes();
        let sorted = self.sorted();
        let lease_bound = self.lease_bound(&sorted);
        for target in lanes {
            starts.extend(self.next_in_lane(&target, &sorted, &lease_bound));
        }
        let is_any_due = !starts.is_empty();
        for (order, step) in starts {
            // What has just begun in another lane may be at work on the same resource.
            if self.orders.get(&order).is_some_and(|order| self.readiness(order, &order.steps[step]).is_ok()) {
                self.begin(now, &order, step);
                effects.extend(self.dispatch(&order, step));
            }
        }
        is_any_due
    }

    /// The targets that ordered orders have open steps on, and none under way.
    fn lanes(&self) -> Vec<TargetId> {
        let mut lanes: BTreeMap<&TargetId, bool> = BTreeMap::new();
        for order in self.orders.values().filter(|order| !order.unordered) {
            for step in order.steps.iter().filter(|step| !step.state.is_over()) {
                *lanes.entry(&step.planned.target).or_default() |= step.state == StepState::Running;
            }
        }
        lanes.into_iter().filter(|(_, busy)| !busy).map(|(target, _)| target.clone()).collect()
    }

    fn sorted(&self) -> Vec<OrderId> {
        self.in_turn().into_iter().map(|order| order.key.order.clone()).collect()
    }

    /// The ordered orders as every lane sorts them: urgent before others, started before unstarted, then by key.
    pub(super) fn in_turn(&self) -> Vec<&Order> {
        let mut sorted: Vec<&Order> = self.orders.values().filter(|order| !order.unordered).collect();
        sorted.sort_by_cached_key(|order| (!self.is_urgent(order), !order.started, &order.key));
        sorted
    }

    /// The orders of which nothing has begun and that wait for a lease, or for their turn behind such an order in a
    /// lane they use. A release passes them: it may be what somebody waits for who holds that lease.
    fn lease_bound(&self, sorted: &[OrderId]) -> BTreeSet<OrderId> {
        let orders = sorted.iter().map(|id| &self.orders[id]);
        lease_bound(orders, |order| self.waits_for_lease(order)).into_iter().cloned().collect()
    }

    /// Whether an order that has not started misses a lease that its open steps need.
    fn waits_for_lease(&self, order: &Order) -> bool {
        self.unproven(order).is_some() || order.waits_for_lease(&|resource| self.holds_for(order, resource))
    }

    /// The step that starts next in a lane, if one may.
    fn next_in_lane(
        &self,
        target: &TargetId,
        sorted: &[OrderId],
        lease_bound: &BTreeSet<OrderId>,
    ) -> Option<(OrderId, usize)> {
        let oldest_waiting = self.inbox.iter().map(|waiting| &waiting.key).min();
        // The resources of the orders passed over; none while nobody was.
        let mut passed: Option<BTreeSet<&ResourceId>> = None;
        for id in sorted {
            let order = &self.orders[id];
            let Some(index) = order.first_in_lane(target) else { continue };
            let step = &order.steps[index];
            let ready = self.readiness(order, step).is_ok();
            let may_pass = passed.as_ref().is_none_or(|passed| {
                order.is_release_step(step) && step.planned.resources.iter().all(|resource| !passed.contains(resource))
            });
            if ready && may_pass {
                // No step starts while an older accepted event waits for admission: it may come first.
                let overtakes = order.nothing_begun() && oldest_waiting.is_some_and(|waiting| *waiting < order.key);
                return (!overtakes).then(|| (id.clone(), index));
            }
            // Whoever waits for a lease is passed by releases; whoever waits for anything else holds up the lane.
            if !lease_bound.contains(id) && !self.waits_for_lease(order) {
                return None;
            }
            passed.get_or_insert_default().extend(order.resources());
        }
        None
    }

    /// Whether a step may start as far as its own order and leases go.
    ///
    /// # Errors
    /// What it waits for.
    pub(super) fn readiness(&self, order: &Order, step: &OrderStep) -> Result<(), NotReady> {
        if self.unproven(order).is_some() {
            return Err(NotReady::Lease);
        }
        order.readiness(step, &|resource| self.holds_for(order, resource))
    }

    /// Whether all assign and lock leases that the order's open steps need are held.
    fn has_all_leases(&self, order: &Order) -> bool {
        order.has_all_leases(&|resource| self.holds_for(order, resource))
    }

    /// The steps of unordered orders that may start, outside of all lanes.
    fn unordered_starts(&self, now: Timestamp) -> Vec<(OrderId, usize)> {
        let unordered = || self.orders.iter().filter(|(_, order)| order.unordered);
        let running: usize = unordered().map(|(_, order)| order.running().count()).sum();
        unordered()
            .filter(|(_, order)| order.expires_at.is_none_or(|at| now < at))
            .flat_map(|(id, order)| {
                let ready = |(index, step): (usize, &OrderStep)| {
                    self.readiness(order, step).is_ok().then(|| (id.clone(), index))
                };
                order.steps.iter().enumerate().filter_map(ready).collect::<Vec<_>>()
            })
            .take(UNORDERED_RUNNING_MAX.saturating_sub(running))
            .collect()
    }

    /// A step begins. With all its leases held its order has started, and goes first from now on.
    fn begin(&mut self, now: Timestamp, id: &OrderId, index: usize) {
        self.go_by_the_identity_of_the_lease(now, id, index);
        let starts = self.orders.get(id).is_some_and(|order| self.has_all_leases(order));
        if let Some(order) = self.orders.get_mut(id) {
            order.started |= starts;
            order.steps[index].state = StepState::Running;
            order.steps[index].since = now;
        }
    }

    /// The call of a step that is under way.
    pub(super) fn dispatch(&mut self, id: &OrderId, index: usize) -> Option<Effect> {
        let unproven = self.unproven_of_step(id, index);
        let order = self.orders.get_mut(id)?;
        let step = order.steps.get_mut(index)?;
        choose_key_rule(step, self.edition);
        let planned = &step.planned;
        let epoch_of = |resource: &ResourceId| self.leases.get(resource).map(|lease| (resource.clone(), lease.epoch));
        let key = step_key(id, step);
        let request = ProvisionRequest {
            tenant: self.me.tenant.clone(),
            customer: self.me.customer.clone(),
            order: id.clone(),
            step: planned.name.clone(),
            target: planned.target.clone(),
            operation: planned.operation.clone(),
            data: planned.data.clone(),
            idempotency_key: key,
            epoch: planned.resources.iter().find_map(epoch_of).map(|(_, epoch)| epoch),
            epochs: planned.resources.iter().filter_map(epoch_of).collect(),
            unproven,
            dispatch: step.dispatches,
            maybe_sent: step.maybe_sent || step.after_reset,
            proof: planned.proves.then(|| proof_of(&key, step.dispatches)),
            attempt_timeout_ms: planned.attempt_timeout_ms,
            retry: planned.retry,
            expires_at: order.expires_at,
            trace_parent: order.trace_parent,
        };
        step.dispatches += 1;
        Some(Effect::Provision { order: id.clone(), step: index, request })
    }
}

/// What the answer to a call is to repeat: another one for each time that the step is scheduled.
fn proof_of(key: &Uuid, dispatch: u32) -> Uuid {
    Uuid::new_v5(key, format!("proof {dispatch}").as_bytes())
}

/// Of orders as lanes sort them: those of which nothing has begun and that wait for a lease, or for their turn behind
/// such an order in a lane they use.
pub(super) fn lease_bound<'a>(
    sorted: impl Iterator<Item = &'a Order>,
    waits_for_lease: impl Fn(&Order) -> bool,
) -> BTreeSet<&'a OrderId> {
    let mut bound = BTreeSet::new();
    let mut blocked: BTreeSet<&TargetId> = BTreeSet::new();
    for order in sorted {
        let lanes = || order.steps.iter().filter(|step| !step.state.is_over()).map(|step| &step.planned.target);
        if order.started || !order.nothing_begun() || order.late_hold {
            continue;
        }
        if waits_for_lease(order) || lanes().any(|lane| blocked.contains(lane)) {
            bound.insert(&order.key.order);
            blocked.extend(lanes());
        }
    }
    bound
}
