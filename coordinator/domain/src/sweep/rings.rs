//! For which orders a sweep asks why they wait, to find rings: it may ask only a few, so sweeps take turns.
//!
//! Tenants share a sweep's questions, one order of each at a time. In a circle of sweeps each tenant's orders are asked from its own place
//! on, by their ids; an order that was not asked in one circle comes first in the next.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, TenantId};

/// Of how many tenants a place is remembered; those of others begin at their first order.
pub const RING_PLACES_MAX: usize = 200;

/// Where the search for rings continues, for each tenant of which orders were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RingSearch {
    places: BTreeMap<TenantId, Place>,
}

/// The place of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// The running circle begins after this order.
    from: Option<OrderId>,
    /// The next one begins after this order, because not all were asked that come after it; none if all were asked so far.
    next: Option<Next>,
}

/// Where the next circle begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Next {
    /// At the same place: none was asked.
    Same,
    /// After this order.
    After(OrderId),
}

impl Place {
    /// The position of an order in the running circle.
    fn position<'a>(&self, order: &'a OrderId) -> (bool, &'a OrderId) {
        (self.from.as_ref().is_some_and(|from| order <= from), order)
    }
}

impl RingSearch {
    /// These orders, each once, in the sequence in which they should be asked.
    pub fn in_turn(&self, orders: impl IntoIterator<Item = (TenantId, OrderId)>) -> Vec<(TenantId, OrderId)> {
        let mut of_tenants: BTreeMap<TenantId, Vec<OrderId>> = BTreeMap::new();
        for (tenant, order) in orders {
            of_tenants.entry(tenant).or_default().push(order);
        }
        let begin = Place::default();
        let mut queues: VecDeque<(TenantId, VecDeque<OrderId>)> = VecDeque::new();
        for (tenant, mut orders) in of_tenants {
            let place = self.places.get(&tenant).unwrap_or(&begin);
            orders.sort_by(|one, other| place.position(one).cmp(&place.position(other)));
            orders.dedup();
            queues.push_back((tenant, orders.into()));
        }
        let mut in_turn = Vec::new();
        while let Some((tenant, mut orders)) = queues.pop_front() {
            if let Some(order) = orders.pop_front() {
                in_turn.push((tenant.clone(), order));
                queues.push_back((tenant, orders));
            }
        }
        in_turn
    }

    /// The first `asked` of these were asked, the others were left out.
    pub fn asked(&mut self, in_turn: &[(TenantId, OrderId)], asked: usize) {
        let (asked, left_out) = in_turn.split_at(asked.min(in_turn.len()));
        for (tenant, _) in left_out {
            if !self.places.contains_key(tenant) && self.places.len() >= RING_PLACES_MAX {
                continue;
            }
            let place = self.places.entry(tenant.clone()).or_default();
            let last = asked.iter().rev().find(|(of, _)| of == tenant);
            let next = last.map_or(Next::Same, |(_, order)| Next::After(order.clone()));
            let is_nearer = match (&place.next, &next) {
                (Some(Next::Same), _) => false,
                (None, _) | (Some(_), Next::Same) => true,
                (Some(Next::After(known)), Next::After(order)) => place.position(order) < place.position(known),
            };
            if is_nearer {
                place.next = Some(next);
            }
        }
    }

    /// A circle of sweeps is over.
    pub fn circle_over(&mut self) {
        self.places.retain(|_, place| match place.next.take() {
            None => false,
            Some(Next::Same) => true,
            Some(Next::After(order)) => {
                place.from = Some(order);
                true
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn orders(tenant: &str, count: usize) -> Vec<(TenantId, OrderId)> {
        let tenant: TenantId = tenant.parse().unwrap();
        let order = |number: usize| {
            let customer = format!("C{number:04}").parse().unwrap();
            (tenant.clone(), OrderId::derive(&tenant, &customer, "s", "1", None))
        };
        (0..count).map(order).collect()
    }

    /// Asks at most so many of these in one sweep.
    fn sweep(search: &mut RingSearch, orders: &[(TenantId, OrderId)], max: usize) -> Vec<(TenantId, OrderId)> {
        let mut in_turn = search.in_turn(orders.iter().cloned());
        search.asked(&in_turn, max);
        in_turn.truncate(max);
        in_turn
    }

    #[test]
    fn every_order_is_asked_in_its_turn_however_many_there_are() {
        let all = orders("blue", 60);
        let mut search = RingSearch::default();
        let mut asked = BTreeSet::new();
        for circle in 0..3 {
            asked.extend(sweep(&mut search, &all, 25));
            search.circle_over();
            // The place travels as the result of one sweep to the next.
            search = serde_json::from_value(serde_json::to_value(&search).unwrap()).unwrap();
            assert_eq!(asked.len(), 60.min((circle + 1) * 25), "circle {circle}");
        }
    }

    #[test]
    fn every_order_is_asked_also_if_a_circle_has_several_pages() {
        let all = orders("blue", 100);
        let (one, other): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|(_, order)| order.as_str() < "C0030");
        let mut search = RingSearch::default();
        let mut asked = BTreeSet::new();
        for _ in 0..10 {
            asked.extend(sweep(&mut search, &one, 10));
            asked.extend(sweep(&mut search, &other, 10));
            search.circle_over();
        }
        assert_eq!(asked.len(), 100);
    }

    #[test]
    fn a_tenant_with_many_orders_leaves_the_others_their_turns() {
        let (noisy, quiet) = (orders("blue", 1_000), orders("red", 3));
        let all: Vec<_> = noisy.into_iter().chain(quiet.iter().cloned()).collect();
        let mut search = RingSearch::default();
        let asked = sweep(&mut search, &all, 25);
        assert!(quiet.iter().all(|order| asked.contains(order)));
        assert_eq!(asked.len(), 25);
    }

    #[test]
    fn what_was_planned_and_not_asked_is_not_passed_over() {
        let all = orders("blue", 5);
        let mut search = RingSearch::default();
        let in_turn = search.in_turn(all.iter().cloned());
        search.asked(&in_turn, 0);
        search.circle_over();
        assert_eq!(search.in_turn(all.iter().cloned()), in_turn, "there was no time to ask any");
        search.asked(&in_turn, 5);
        search.circle_over();
        assert_eq!(search, RingSearch::default(), "nothing is left out, and nothing is remembered");
    }

    #[test]
    fn places_are_remembered_of_so_many_tenants() {
        let mut search = RingSearch::default();
        let all: Vec<_> = (0..RING_PLACES_MAX + 5).flat_map(|number| orders(&format!("t{number}"), 2)).collect();
        sweep(&mut search, &all, 1);
        assert_eq!(search.places.len(), RING_PLACES_MAX);
    }
}
