//! Worlds that deadlock if claims on several resources are not made in a fixed order.

use crate::deed::{assign, lock, lock_each, release};
use crate::scenario::Scenario;

/// Two customers lock a pair in opposite order, with one step that needs both.
pub fn lock_pair_in_one_step() -> Scenario {
    Scenario::new("lock pairs, one step")
        .event("A", 1, lock(&["N1", "N2"]))
        .event("B", 2, lock(&["N2", "N1"]))
        .ends_free("N1")
        .ends_free("N2")
}

/// The same, with one step for each.
pub fn lock_pair_in_two_steps() -> Scenario {
    Scenario::new("lock pairs, two steps")
        .event("A", 1, lock_each(&[("hss", "N1"), ("hss", "N2")]))
        .event("B", 2, lock_each(&[("hss", "N2"), ("hss", "N1")]))
        .ends_free("N1")
        .ends_free("N2")
}

/// Three customers lock in a ring.
pub fn lock_ring_of_three() -> Scenario {
    Scenario::new("three lock in a ring").event("A", 1, lock(&["N1", "N2"])).event("B", 2, lock(&["N2", "N3"])).event(
        "C",
        3,
        lock(&["N3", "N1"]),
    )
}

/// Two customers lock across two lanes, in opposite order of targets.
pub fn locks_over_two_lanes() -> Scenario {
    Scenario::new("locks over two lanes")
        .event("A", 1, lock_each(&[("hss", "N1"), ("crm", "N2")]))
        .event("A", 3, lock_each(&[("crm", "N2"), ("hss", "N1")]))
        .event("B", 2, lock_each(&[("crm", "N2"), ("hss", "N1")]))
}

/// B locks both numbers during a hand-over of one.
pub fn lock_beside_hand_over() -> Scenario {
    Scenario::new("a lock beside a hand-over")
        .has("A", "N1")
        .event("A", 1, release("N1"))
        .event("C", 2, assign("N1"))
        .event("B", 3, lock(&["N1", "N2"]))
        .may_wait()
}
