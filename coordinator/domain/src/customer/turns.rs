//! Whose turn it is in every lane, at one moment. Starting a step and explaining why one waits use the same result: it is computed
//! once for all orders, so that a customer with a thousand of them answers at once.

use std::collections::{BTreeMap, BTreeSet};

use super::readiness::NotReady;
use super::{Customer, Lease, Order, OrderStep};
use crate::ids::{OrderId, ResourceId, TargetId, Timestamp};
use crate::limits::UNORDERED_RUNNING_MAX;
use crate::order::OrderKey;

/// The place of every order in every lane. No question to it looks at all orders.
pub(super) struct Turns<'a> {
    customer: &'a Customer,
    leases: LeasesInUse<'a>,
    /// The ordered orders by their place in every lane.
    places: BTreeMap<&'a OrderId, usize>,
    lanes: BTreeMap<&'a TargetId, Lane<'a>>,
    /// The key of the oldest event that waits for admission.
    oldest_in_inbox: Option<&'a OrderKey>,
}

/// The leases, and the orders that work under them.
struct LeasesInUse<'a> {
    held: &'a BTreeMap<ResourceId, Lease>,
    reset_at: Option<Timestamp>,
    at_work: BTreeMap<&'a ResourceId, Vec<&'a OrderKey>>,
}

/// One lane.
#[derive(Default)]
struct Lane<'a> {
    /// The orders that use it, in the order of their turns, with their places.
    orders: Vec<(usize, &'a Order)>,
    /// The order whose call is running in it.
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

    /// The other order that is working on a resource.
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
    /// The turns at this moment.
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
                let runs = open().any(|step| step.planned.target == *target && step.state.is_running());
                lanes.entry(target).or_default().join(place, order, is_passed, runs);
            }
        }
        Self {
            customer,
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

    /// Whether a step may start as far as its own order and leases decide.
    ///
    /// # Errors
    /// What it waits for.
    pub(super) fn readiness(&self, order: &Order, step: &OrderStep) -> Result<(), NotReady> {
        if self.customer.unproven(order).is_some() {
            return Err(NotReady::Lease);
        }
        order.readiness(step, &|resource| self.holds(order, resource))
    }

    /// The older event that holds an order back until it is admitted, because it may come first.
    pub(super) fn admitted_first(&self, order: &Order) -> Option<&'a OrderKey> {
        self.oldest_in_inbox.filter(|oldest| order.nothing_begun() && **oldest < order.key)
    }

    /// The steps that start now: in each free lane the first whose turn it is, and outside of all lanes those of unordered
    /// orders.
    pub(super) fn starts(&self, now: Timestamp) -> Vec<(OrderId, usize)> {
        let free = self.lanes.iter().filter(|(_, lane)| lane.running.is_none());
        let in_lanes = free.filter_map(|(target, lane)| self.next_in_lane(target, lane));
        self.unordered_starts(now).into_iter().chain(in_lanes).collect()
    }

    /// The step that starts next in a lane, if one may.
    fn next_in_lane(&self, target: &TargetId, lane: &Lane<'a>) -> Option<(OrderId, usize)> {
        // Releases pass orders that wait for a lease; an order that waits for anything else blocks the lane.
        let passed = lane.first_not_passed.unwrap_or(lane.orders.len());
        let (order, index) = lane.orders.iter().take(passed.saturating_add(1)).find_map(|(_, order)| {
            let index = order.first_in_lane(target)?;
            let step = &order.steps[index];
            let is_due = self.ahead(order, step).is_none() && self.readiness(order, step).is_ok();
            is_due.then_some((order, index))
        })?;
        self.admitted_first(order).is_none().then(|| (order.key.order.clone(), index))
    }

    /// The steps of unordered orders that may start, outside of all lanes.
    fn unordered_starts(&self, now: Timestamp) -> Vec<(OrderId, usize)> {
        let unordered = || self.customer.orders.iter().filter(|(_, order)| order.unordered);
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

    /// When the workflow was reset, if the lease is in doubt because of that.
    pub(super) fn in_doubt_since(&self, resource: &ResourceId) -> Option<Timestamp> {
        self.leases.held.get(resource).filter(|lease| lease.doubted).and(self.leases.reset_at)
    }

    /// The order of this customer that prevents another one from using a lease which is held and stays.
    pub(super) fn used_by(&self, order: &Order, resource: &ResourceId) -> Option<&'a OrderId> {
        let stays = |lease: &&Lease| lease.leaving.is_none() && lease.due.is_none();
        self.leases.held.get(resource).filter(stays)?;
        self.leases.used_by(order, resource).map(|key| &key.order)
    }

    /// The order that blocks a step in its lane; none if no order does, or if it needs no turn.
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
        (first < count).then(|| Ahead { behind: &lane.orders[first].1.key.order, count })
    }
}

impl Customer {
    /// The ordered orders as every lane sorts them: urgent before others, started before unstarted, then by key.
    pub(super) fn in_turn(&self) -> Vec<&Order> {
        let mut sorted: Vec<&Order> = self.orders.values().filter(|order| !order.unordered).collect();
        sorted.sort_by_cached_key(|order| (!self.is_urgent(order), !order.started, &order.key));
        sorted
    }
}

/// Of orders as lanes sort them: those that have not started and wait for a lease, or for their turn behind
/// such an order in a lane they use.
fn lease_bound<'a>(
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

impl<'a> Lane<'a> {
    fn join(&mut self, place: usize, order: &'a Order, is_passed: bool, runs: bool) {
        let index = self.orders.len();
        self.orders.push((place, order));
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
    /// How often an order was looked at on behalf of another: it must grow linearly with the number of orders.
    pub(super) static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn looked_at_an_order() {
    LOOKS.with(|looks| looks.set(looks.get() + 1));
}

#[cfg(not(test))]
fn looked_at_an_order() {}
