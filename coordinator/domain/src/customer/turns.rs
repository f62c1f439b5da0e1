//! Whose turn it is everywhere, at one moment: found out once for whoever asks about many orders, so that a customer with
//! a thousand of them answers at once.

use std::collections::{BTreeMap, BTreeSet};

use super::lanes::lease_bound;
use super::{Customer, Lease, Order, OrderStep, StepState};
use crate::ids::{OrderId, ResourceId, TargetId, Timestamp};
use crate::order::OrderKey;

/// Everybody's place in every lane. Nothing that is asked of it looks at all orders.
pub(super) struct Turns<'a> {
    leases: LeasesInUse<'a>,
    /// The ordered orders by their place in every lane.
    places: BTreeMap<&'a OrderId, usize>,
    lanes: BTreeMap<&'a TargetId, Lane<'a>>,
    /// The key of the oldest event that waits for admission.
    pub(super) oldest_in_inbox: Option<&'a OrderKey>,
}

/// The leases, and who is at work under them.
struct LeasesInUse<'a> {
    held: &'a BTreeMap<ResourceId, Lease>,
    reset_at: Option<Timestamp>,
    at_work: BTreeMap<&'a ResourceId, Vec<&'a OrderKey>>,
}

/// One lane.
#[derive(Default)]
struct Lane<'a> {
    /// The orders that use it, in the order of their turns, with their places.
    orders: Vec<(usize, &'a OrderId)>,
    /// The order whose call is under way in it.
    running: Option<&'a OrderId>,
    /// The first order, as an index into `orders`, that no release passes.
    first_not_passed: Option<usize>,
    /// Per resource, the first order that claims it, as an index into `orders`.
    first_on: BTreeMap<&'a ResourceId, usize>,
}

/// What a step waits for in its lane.
pub(super) struct Ahead<'a> {
    /// The order that holds it up.
    pub(super) behind: &'a OrderId,
    /// How many orders of the lane go before its own.
    pub(super) count: usize,
}

impl<'a> LeasesInUse<'a> {
    fn of(customer: &'a Customer) -> Self {
        let mut at_work: BTreeMap<&ResourceId, Vec<&OrderKey>> = BTreeMap::new();
        for order in customer.orders.values() {
            for claim in order.claims.iter().filter(|claim| order.is_at_work_on(&claim.claim.resource)) {
                looked_at_an_order();
                at_work.entry(&claim.claim.resource).or_default().push(&order.key);
            }
        }
        Self { held: &customer.leases, reset_at: customer.reset_at, at_work }
    }

    /// The other order that is at work on a resource.
    fn used_by(&self, order: &Order, resource: &ResourceId) -> Option<&'a OrderKey> {
        let at_work = self.at_work.get(resource).into_iter().flatten().inspect(|_| looked_at_an_order());
        at_work.copied().find(|key| **key != order.key)
    }

    fn holds(&self, order: &Order, resource: &ResourceId) -> bool {
        let is_used = || self.used_by(order, resource).is_some();
        self.held.get(resource).is_some_and(|lease| lease.serves(order, resource, is_used))
    }
}

impl<'a> Turns<'a> {
    /// Everybody's turn at this moment.
    pub(super) fn of(customer: &'a Customer) -> Self {
        let leases = LeasesInUse::of(customer);
        let sorted = customer.in_turn();
        let waits = |order: &Order| {
            customer.unproven(order).is_some() || order.waits_for_lease(&|resource| leases.holds(order, resource))
        };
        let bound = lease_bound(sorted.iter().copied(), waits);
        let mut lanes: BTreeMap<&TargetId, Lane<'a>> = BTreeMap::new();
        for (place, order) in sorted.iter().enumerate() {
            looked_at_an_order();
            let is_passed = bound.contains(&order.key.order) || waits(order);
            let open = || order.steps.iter().filter(|step| !step.state.is_over());
            for target in open().map(|step| &step.planned.target).collect::<BTreeSet<_>>() {
                let runs = open().any(|step| step.planned.target == *target && step.state == StepState::Running);
                lanes.entry(target).or_default().join(place, order, is_passed, runs);
            }
        }
        Self {
            places: sorted.iter().enumerate().map(|(place, order)| (&order.key.order, place)).collect(),
            oldest_in_inbox: customer.inbox.iter().map(|waiting| &waiting.key).min(),
            leases,
            lanes,
        }
    }

    /// Whether a lease is held that an order may use.
    pub(super) fn holds(&self, order: &Order, resource: &ResourceId) -> bool {
        self.leases.holds(order, resource)
    }

    /// When the workflow was reset, where the lease is in doubt for that.
    pub(super) fn in_doubt_since(&self, resource: &ResourceId) -> Option<Timestamp> {
        self.leases.held.get(resource).filter(|lease| lease.doubted).and(self.leases.reset_at)
    }

    /// The order of this customer that keeps another one from using a lease, though it is held and stays.
    pub(super) fn used_by(&self, order: &Order, resource: &ResourceId) -> Option<&'a OrderId> {
        let stays = |lease: &&Lease| lease.leaving.is_none() && lease.due.is_none();
        self.leases.held.get(resource).filter(stays)?;
        self.leases.used_by(order, resource).map(|key| &key.order)
    }

    /// The order that holds up a step in its lane; none where nobody does, or where it needs no turn.
    pub(super) fn ahead(&self, order: &Order, step: &OrderStep) -> Option<Ahead<'a>> {
        let own = *self.places.get(&order.key.order)?;
        let lane = self.lanes.get(&step.planned.target)?;
        let count = lane.orders.partition_point(|(place, _)| *place < own);
        if let Some(running) = lane.running.filter(|running| **running != order.key.order) {
            return Some(Ahead { behind: running, count });
        }
        let first = if order.is_release_step(step) {
            let on_the_same = step.planned.resources.iter().filter_map(|resource| lane.first_on.get(resource).copied());
            on_the_same.chain(lane.first_not_passed).min()?
        } else {
            0
        };
        (first < count).then(|| Ahead { behind: lane.orders[first].1, count })
    }
}

impl<'a> Lane<'a> {
    fn join(&mut self, place: usize, order: &'a Order, is_passed: bool, runs: bool) {
        let index = self.orders.len();
        self.orders.push((place, &order.key.order));
        if runs {
            self.running = Some(&order.key.order);
        }
        if !is_passed && self.first_not_passed.is_none() {
            self.first_not_passed = Some(index);
        }
        for claim in &order.claims {
            self.first_on.entry(&claim.claim.resource).or_insert(index);
        }
    }
}

#[cfg(test)]
thread_local! {
    /// How often an order was looked at on behalf of another: it must grow with the number of orders, not with its square.
    pub(super) static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn looked_at_an_order() {
    LOOKS.with(|looks| looks.set(looks.get() + 1));
}

#[cfg(not(test))]
fn looked_at_an_order() {}
