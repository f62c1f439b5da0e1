//! Worlds in which resources move from customer to customer.

use crate::deed::{
    assign, assign_all, assign_on, changed, lock, note, release, release_all, release_on, swap_sim, unplannable,
};
use crate::scenario::{Scenario, Start};
use interlock_domain::order::{Late, OnFailure};

/// A has N1; A releases it, B takes it.
pub fn hand() -> Scenario {
    Scenario::new("hand").has("A", "N1").event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// The same, with B's event older.
pub fn hand_with_older_taker() -> Scenario {
    let start = Scenario::new("hand, taker older").has("A", "N1");
    start.event("A", 2, release("N1")).event("B", 1, assign("N1")).ends_with("N1", "B")
}

/// The same, with a note in the CRM after each.
pub fn hand_with_notes() -> Scenario {
    Scenario::new("hand with notes")
        .has("A", "N1")
        .event("A", 1, release("N1").then_note("crm"))
        .event("B", 2, assign("N1").then_note("crm"))
        .ends_with("N1", "B")
}

/// The same, with the number registered on two targets.
pub fn hand_over_two_targets() -> Scenario {
    Scenario::new("hand over two targets")
        .has("A", "N1")
        .event("A", 1, release_on(&["hss", "voice"], "N1"))
        .event("B", 2, assign_on(&["hss", "voice"], "N1"))
        .ends_with("N1", "B")
}

/// The same, as one event whose admission forwards the other half.
pub fn moved() -> Scenario {
    let start = Scenario::new("moved").has("A", "N1");
    start.event("A", 1, release("N1")).passing_on("B", 1, assign("N1")).ends_with("N1", "B")
}

/// The same, with a seeded ledger.
pub fn seeded() -> Scenario {
    let start = Scenario::new("seeded").has_by("A", "N1", Start::Seeded);
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// The same, with a ledger that was filled from a list: A learns of its lease at some time, or through its claim.
pub fn imported() -> Scenario {
    let start = Scenario::new("imported").has_by("A", "N1", Start::Imported);
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// The same, with B's event older, and an authority that can be asked.
pub fn imported_with_older_taker() -> Scenario {
    let start = Scenario::new("imported, taker older").has_by("A", "N1", Start::Imported).with_authority();
    start.event("A", 2, release("N1")).event("B", 1, assign("N1")).ends_with("N1", "B")
}

/// The same, with an empty ledger: only the target knows that A has it.
pub fn boot() -> Scenario {
    let start = Scenario::new("boot").has_by("A", "N1", Start::TargetOnly).with_authority();
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// The same, with B's event older.
pub fn boot_with_older_taker() -> Scenario {
    let start = Scenario::new("boot, taker older").has_by("A", "N1", Start::TargetOnly).with_authority();
    start.event("A", 2, release("N1")).event("B", 1, assign("N1")).ends_with("N1", "B")
}

/// The same, without anyone who can be asked who has the number.
pub fn boot_without_authority() -> Scenario {
    let start = Scenario::new("boot without authority").has_by("A", "N1", Start::TargetOnly);
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// The same, with B's event older.
pub fn boot_without_authority_with_older_taker() -> Scenario {
    let start = Scenario::new("boot without authority, taker older").has_by("A", "N1", Start::TargetOnly);
    start.event("A", 2, release("N1")).event("B", 1, assign("N1")).ends_with("N1", "B")
}

/// An empty ledger, and a lock by A in between.
pub fn boot_with_lock() -> Scenario {
    let mut start = Scenario::new("boot with a lock").has_by("A", "N1", Start::TargetOnly).with_authority();
    start.arrivals = vec![0, 1];
    start.event("A", 1, lock(&["N1"])).event("A", 2, release("N1")).event("B", 3, assign("N1")).ends_with("N1", "B")
}

/// An empty ledger, and a third customer's stray release.
pub fn boot_with_stray_release() -> Scenario {
    let start = Scenario::new("boot with a stray release").has_by("A", "N1", Start::TargetOnly).with_authority();
    start.event("A", 2, release("N1")).event("B", 3, assign("N1")).event("C", 1, release("N1")).ends_with("N1", "B")
}

/// An empty ledger, and a target that silently accepts a second holder.
pub fn boot_overwriting() -> Scenario {
    let start = Scenario::new("boot, overwriting").has_by("A", "N1", Start::TargetOnly).overwriting();
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// A → B → C by keys, in every order of arrival.
pub fn chain() -> Scenario {
    Scenario::new("chain")
        .has("A", "N1")
        .event("A", 1, release("N1"))
        .event("B", 2, assign("N1"))
        .event("B", 3, release("N1"))
        .event("C", 4, assign("N1"))
        .ends_with("N1", "C")
}

/// A → B → A.
pub fn back() -> Scenario {
    Scenario::new("back")
        .has("A", "N1")
        .event("A", 1, release("N1"))
        .event("B", 2, assign("N1"))
        .event("B", 3, release("N1"))
        .event("A", 4, assign("N1"))
        .ends_with("N1", "A")
}

/// One customer takes, releases and takes again, in every order of arrival.
pub fn self_again() -> Scenario {
    Scenario::new("self")
        .event("A", 1, assign("N1"))
        .event("A", 2, release("N1"))
        .event("A", 3, assign("N1"))
        .ends_with("N1", "A")
}

/// Two customers exchange their numbers by one event each.
pub fn swap_by_two_changes() -> Scenario {
    Scenario::new("swap by two changed events")
        .has("A", "N1")
        .has("B", "N2")
        .event("A", 1, changed("N1", "N2"))
        .event("B", 2, changed("N2", "N1"))
        .ends_with("N1", "B")
        .ends_with("N2", "A")
}

/// Three customers pass their numbers round by one event each.
pub fn rotation_by_three_changes() -> Scenario {
    Scenario::new("rotation by three changed events")
        .has("A", "N1")
        .has("B", "N2")
        .has("C", "N3")
        .event("A", 1, changed("N1", "N2"))
        .event("B", 2, changed("N2", "N3"))
        .event("C", 3, changed("N3", "N1"))
        .ends_with("N1", "C")
        .ends_with("N2", "A")
        .ends_with("N3", "B")
}

/// Two customers exchange their numbers by four events, the releases older.
pub fn swap_by_four_releases_older() -> Scenario {
    Scenario::new("swap by four events, releases older")
        .has("A", "N1")
        .has("B", "N2")
        .event("A", 1, release("N1"))
        .event("B", 2, release("N2"))
        .event("A", 3, assign("N2"))
        .event("B", 4, assign("N1"))
        .ends_with("N1", "B")
        .ends_with("N2", "A")
}

/// Two customers exchange their numbers by four events, the assigns older.
pub fn swap_by_four_assigns_older() -> Scenario {
    Scenario::new("swap by four events, assigns older")
        .has("A", "N1")
        .has("B", "N2")
        .event("A", 1, assign("N2"))
        .event("B", 2, assign("N1"))
        .event("A", 3, release("N1"))
        .event("B", 4, release("N2"))
        .ends_with("N1", "B")
        .ends_with("N2", "A")
}

/// One customer by one event, the other by two.
pub fn swap_by_three() -> Scenario {
    Scenario::new("swap by a changed event and two")
        .has("A", "N1")
        .has("B", "N2")
        .event("A", 1, changed("N1", "N2"))
        .event("B", 2, assign("N1"))
        .event("B", 3, release("N2"))
        .ends_with("N1", "B")
        .ends_with("N2", "A")
}

/// Two customers take two numbers crosswise. The older claim of each number gets it, and the other waits for ever.
pub fn cross() -> Scenario {
    Scenario::new("cross")
        .event("A", 1, assign("N1"))
        .event("A", 3, assign("N2"))
        .event("B", 2, assign("N2"))
        .event("B", 4, assign("N1"))
        .may_wait()
}

/// The same, and both release everything later.
pub fn cross_with_releases() -> Scenario {
    Scenario::new("cross with releases")
        .event("A", 1, assign_all(&["N1", "N2"]))
        .event("B", 2, assign_all(&["N2", "N1"]))
        .event("A", 3, release("N1"))
        .event("A", 4, release("N2"))
        .ends_with("N1", "B")
        .ends_with("N2", "B")
}

/// A SIM swap of a customer who has number and SIM.
pub fn sim_swap() -> Scenario {
    Scenario::new("sim swap")
        .has("A", "N1")
        .has("A", "S1")
        .event("A", 1, swap_sim("N1", "S1", "S2"))
        .ends_with("N1", "A")
        .ends_with("S2", "A")
        .ends_free("S1")
}

/// Two SIM swaps crosswise, which a person must resolve.
pub fn sim_swaps_crosswise() -> Scenario {
    Scenario::new("sim swaps crosswise")
        .has("A", "S1")
        .has("B", "S2")
        .event("A", 1, swap_sim("N1", "S1", "S2"))
        .event("B", 2, swap_sim("N2", "S2", "S1"))
        .may_ring()
}

/// A terminated customer's order releases all it holds, while B assigns.
pub fn terminated_order() -> Scenario {
    Scenario::new("a terminated order")
        .has("A", "N1")
        .has("A", "N2")
        .event("A", 2, release_all())
        .event("B", 1, assign("N1"))
        .ends_with("N1", "B")
        .ends_free("N2")
}

/// A customer that takes a number and is terminated, by events that may come in one batch: what the first assigns, the second
/// releases, if it was planned after it.
pub fn assigned_and_terminated() -> Scenario {
    Scenario::new("assigned and terminated").has("A", "N1").event("A", 1, assign("N2")).event("A", 2, release_all())
}

/// An assign whose note in the CRM is refused is undone, and the next customer gets the number.
pub fn aborted() -> Scenario {
    let assign = assign("N1").then_note("crm").compensated().on_failure(OnFailure::Abort);
    Scenario::new("aborted").event("A", 1, assign).event("B", 2, lock(&["N1"])).may_wait()
}

/// A refused step is skipped.
pub fn left_out() -> Scenario {
    let assign = assign("N1").then_note("crm").on_failure(OnFailure::Skip);
    Scenario::new("left out").event("A", 1, assign).event("B", 2, lock(&["N1"])).may_wait()
}

/// A late note waits for a person; another is rejected.
pub fn late_notes() -> Scenario {
    Scenario::new("late notes")
        .event("A", 3, note("crm").late(Late::Hold))
        .event("A", 1, note("crm").late(Late::Hold))
        .event("A", 2, note("crm").late(Late::Reject))
        .may_wait()
}

/// A resource whose queue accepts only one ticket.
pub fn full_queue() -> Scenario {
    let mut scenario = Scenario::new("full queue")
        .event("A", 1, assign("N1"))
        .event("B", 2, lock(&["N1"]))
        .event("C", 3, lock(&["N1", "N2"]))
        .may_wait();
    scenario.tickets_max = Some(1);
    scenario
}

/// Orders without claims keep their order in a lane; an urgent one passes; one needs no turn; an invalid one harms no other.
pub fn lanes() -> Scenario {
    Scenario::new("lanes")
        .event("A", 1, note("crm"))
        .event("A", 2, note("crm").then_note("hss"))
        .event("A", 3, note("hss").urgent())
        .event("A", 4, note("crm").unordered())
        .poison("A")
        .event("A", 5, unplannable())
}
