//! The worlds: small ones with a single answer, those in which earlier versions of the protocol failed, and random ones.

mod moves;
mod random;
mod rings;
mod traces;

pub use moves::*;
pub use random::{random, random_case};
pub use rings::*;
pub use traces::*;

use crate::faults::Faults;
use crate::scenario::Scenario;

/// Mixes of faults, with their names in reports.
pub fn mixes() -> Vec<(&'static str, Faults)> {
    let none = Faults::default();
    vec![
        ("", none),
        ("copies", Faults { copied: 1, resubmitted: 1, ..none }),
        ("delays", Faults { delayed: 1, ..none }),
        ("reruns", Faults { rerun: 1, ..none }),
        ("tasks lost", Faults { tasks_lost: 1, ..none }),
        ("tasks lost, persons cancel", Faults { tasks_lost: 1, cancelled: 1, ..none }),
        ("tasks lost, claims late", Faults { tasks_lost: 1, unanswered: 1, delayed: 1, ..none }),
        ("late answers", Faults { unanswered: 1, ..none }),
        ("ambiguous", Faults { ambiguous: 1, ..none }),
        ("continued", Faults { continued: 1, ..none }),
        ("refused", Faults { refused: 1, person: 1, ..none }),
        ("cancelled", Faults { cancelled: 1, ..none }),
        ("forced", Faults { forced: 1, ..none }),
        ("customer terminated", Faults { customers_terminated: 1, ..none }),
        ("resource terminated", Faults { resources_terminated: 1, ..none }),
        ("resource lost", Faults { resources_lost: 1, ..none }),
        ("customer reset", Faults { customers_reset: 1, ..none }),
        ("resource reset", Faults { resources_reset: 1, ..none }),
        ("activity reset", Faults { activities_reset: 1, ..none }),
        ("by hand", Faults { by_hand: 1, ..none }),
        ("lease forgotten", Faults { leases_forgotten: 1, ..none }),
        ("lease forgotten, messages late", Faults { leases_forgotten: 1, delayed: 1, ..none }),
        ("resource lost, messages late", Faults { resources_lost: 1, delayed: 1, copied: 1, ..none }),
    ]
}

/// Many faults of every kind, for the simulator.
pub fn storm() -> Faults {
    Faults {
        resubmitted: 2,
        copied: 3,
        delayed: 2,
        rerun: 2,
        unanswered: 2,
        ambiguous: 3,
        refused: 1,
        person: 3,
        cancelled: 1,
        forced: 0,
        customers_terminated: 0,
        resources_terminated: 0,
        resources_lost: 0,
        customers_reset: 0,
        resources_reset: 0,
        activities_reset: 1,
        by_hand: 1,
        tasks_lost: 2,
        leases_forgotten: 0,
        continued: 3,
    }
}

/// All worlds without faults of their own.
pub fn all() -> Vec<Scenario> {
    vec![
        hand(),
        hand_with_older_taker(),
        hand_with_notes(),
        hand_over_two_targets(),
        moved(),
        seeded(),
        imported(),
        imported_with_older_taker(),
        boot(),
        boot_with_older_taker(),
        boot_without_authority(),
        boot_without_authority_with_older_taker(),
        boot_with_lock(),
        boot_with_stray_release(),
        boot_overwriting(),
        chain(),
        back(),
        self_again(),
        swap_by_two_changes(),
        rotation_by_three_changes(),
        swap_by_four_releases_older(),
        swap_by_four_assigns_older(),
        swap_by_three(),
        cross(),
        cross_with_releases(),
        sim_swap(),
        sim_swaps_crosswise(),
        terminated_order(),
        lanes(),
        aborted(),
        left_out(),
        late_notes(),
        full_queue(),
        lock_pair_in_one_step(),
        lock_pair_in_two_steps(),
        lock_ring_of_three(),
        locks_over_two_lanes(),
        lock_beside_hand_over(),
    ]
}

/// The worlds of all traces.
pub fn traces() -> Vec<Scenario> {
    vec![
        trace_1(),
        trace_2(),
        trace_3(),
        trace_4(),
        trace_5(),
        trace_6a(),
        trace_6b(),
        trace_6c(),
        trace_7(),
        trace_8(),
        trace_9(),
        trace_10a(),
        trace_10b(),
        trace_11(),
        trace_12(),
        trace_13(),
        trace_13_unused(),
        trace_14(),
        trace_14_swap(),
        trace_15(),
        trace_16(),
        trace_16_resource(),
        trace_16_resource_unused(),
        trace_16_unused(),
        trace_17(),
        trace_21(),
        trace_22(),
    ]
}
