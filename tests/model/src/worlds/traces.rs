//! The worlds in which a first version of the protocol failed, one for each trace.

use crate::deed::{assign, assign_on, changed, lock, lock_each, note, release, release_all, release_on, rename};
use crate::faults::Faults;
use crate::scenario::{Scenario, Start};

/// 1: a grant reaches a customer whose admission of that ticket is not recorded yet.
pub fn trace_1() -> Scenario {
    let start = Scenario::new("trace 1").has("A", "N1");
    start.event("B", 1, assign("N1")).event("A", 2, release("N1")).ends_with("N1", "B")
}

/// 2: a release with two steps on two targets.
pub fn trace_2() -> Scenario {
    Scenario::new("trace 2")
        .has("A", "N1")
        .event("A", 1, release_on(&["hss", "voice"], "N1").then_note("crm"))
        .event("B", 2, assign_on(&["voice", "hss"], "N1"))
        .ends_with("N1", "B")
}

/// 3: a customer that has the lease locks the number, and assigns it again.
pub fn trace_3() -> Scenario {
    Scenario::new("trace 3")
        .has("A", "N1")
        .event("A", 1, lock(&["N1"]))
        .event("A", 2, assign("N1"))
        .event("B", 3, lock(&["N2"]))
        .ends_with("N1", "A")
}

/// 4: the ledger is empty, and the target knows that A has it; B's assign is granted and in flight while A releases.
pub fn trace_4() -> Scenario {
    let start = Scenario::new("trace 4").has_by("A", "N1", Start::TargetOnly);
    start.event("A", 2, release("N1")).event("B", 1, assign("N1")).ends_with("N1", "B")
}

/// 5: B's assign is contested; A's release is let through; B's assign is retried.
pub fn trace_5() -> Scenario {
    let start = Scenario::new("trace 5").has_by("A", "N1", Start::TargetOnly).with_authority();
    let faults = Faults { delayed: 1, ..Faults::default() };
    start.event("B", 1, assign("N1")).event("A", 2, release("N1")).ends_with("N1", "B").with("", faults)
}

/// 6a: two customers lock the same two numbers; a recall reaches one whose admission is not recorded yet.
pub fn trace_6a() -> Scenario {
    let start = Scenario::new("trace 6a");
    start.event("A", 1, lock(&["N1", "N2"])).event("B", 2, lock(&["N1", "N2"])).ends_free("N1").ends_free("N2")
}

/// 6b: each has one number, begins with it, and needs the other's.
pub fn trace_6b() -> Scenario {
    Scenario::new("trace 6b").event("A", 1, lock_each(&[("hss", "N1"), ("hss", "N2")])).event(
        "B",
        2,
        lock_each(&[("hss", "N2"), ("hss", "N1")]),
    )
}

/// 6c: a started order's step on the CRM, behind an older order there that waits for a lease.
pub fn trace_6c() -> Scenario {
    Scenario::new("trace 6c")
        .event("A", 1, lock_each(&[("crm", "N2")]))
        .event("A", 2, lock_each(&[("hss", "N1"), ("crm", "N3")]))
        .event("B", 3, lock_each(&[("hss", "N2"), ("crm", "N1")]))
}

/// 7: a copy of a grant arrives after the lease was given back.
pub fn trace_7() -> Scenario {
    let start = Scenario::new("trace 7").has("A", "N1");
    let faults = Faults { copied: 1, ..Faults::default() };
    start
        .event("A", 1, release("N1"))
        .event("B", 2, assign("N1"))
        .event("B", 3, release("N1"))
        .event("B", 4, assign("N1"))
        .arriving_in_order()
        .ends_with("N1", "B")
        .with("", faults)
}

/// 8: a request of an assign is unanswered and takes effect late, when somebody else has the number.
pub fn trace_8() -> Scenario {
    let faults = Faults { ambiguous: 2, ..Faults::default() };
    Scenario::new("trace 8")
        .event("A", 1, assign("N1"))
        .event("A", 2, release("N1"))
        .event("B", 3, assign("N1"))
        .ends_with("N1", "B")
        .with("", faults)
}

/// 9: B's assign is refused permanently, and a person skips it.
pub fn trace_9() -> Scenario {
    let faults = Faults { refused: 1, person: 1, ..Faults::default() };
    Scenario::new("trace 9").event("B", 1, assign("N1")).event("C", 2, assign("N1")).may_wait().with("", faults)
}

/// 10a: B's release is handled before B's older assign comes.
pub fn trace_10a() -> Scenario {
    Scenario::new("trace 10a")
        .has("A", "N1")
        .event("A", 1, release("N1"))
        .event("B", 2, assign("N1"))
        .event("B", 3, release("N1"))
        .event("C", 4, assign("N1"))
        .ends_with("N1", "C")
}

/// 10b: A → B → C by keys, where C's assign came before B's.
pub fn trace_10b() -> Scenario {
    let mut scenario = Scenario { name: "trace 10b".to_owned(), ..trace_10a() };
    scenario.arrivals = vec![3, 1];
    scenario
}

/// 11: each waits in its lane for the resource that the other will release.
pub fn trace_11() -> Scenario {
    Scenario::new("trace 11")
        .has("A", "N1")
        .has("B", "N2")
        .event("A", 1, assign("N2"))
        .event("A", 2, release("N1"))
        .event("B", 3, assign("N1"))
        .event("B", 4, release("N2"))
        .ends_with("N1", "B")
        .ends_with("N2", "A")
}

/// 12: a younger event is there first; an older one waits in the inbox.
pub fn trace_12() -> Scenario {
    Scenario::new("trace 12")
        .event("A", 3, note("hss").then_note("crm"))
        .event("A", 2, assign("N1"))
        .event("A", 1, note("crm"))
        .ends_with("N1", "A")
}

/// 13: A's entity is terminated while it has N1.
pub fn trace_13() -> Scenario {
    let faults = Faults { customers_terminated: 1, ..Faults::default() };
    let start = Scenario::new("trace 13").has("A", "N1");
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B").with("", faults)
}

/// 13, before A took the number.
pub fn trace_13_unused() -> Scenario {
    let faults = Faults { customers_terminated: 1, ..Faults::default() };
    let start = Scenario::new("trace 13, unused");
    start.event("A", 1, assign("N1")).event("B", 2, assign("N1")).may_wait().with("", faults)
}

/// 14: A's release is in flight while a person forces the number free.
pub fn trace_14() -> Scenario {
    let faults = Faults { forced: 1, ..Faults::default() };
    let start = Scenario::new("trace 14").has("A", "N1");
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).with("", faults)
}

/// 14, with a holder that has nothing open, and a target that silently accepts a second holder.
pub fn trace_14_swap() -> Scenario {
    let faults = Faults { forced: 1, ..Faults::default() };
    let start = Scenario::new("trace 14, overwriting").has("A", "N1").overwriting();
    start.event("A", 2, changed("N1", "N2")).event("B", 1, assign("N1")).may_wait().with("", faults)
}

/// 15: an operator resets the activity of A's release while its request is in flight.
pub fn trace_15() -> Scenario {
    handed_over("trace 15", Faults { activities_reset: 1, ..Faults::default() }).ends_with("N1", "B")
}

/// 16: A's workflow is reset to an earlier moment while a call of it is in flight, or after it gave the number away.
pub fn trace_16() -> Scenario {
    handed_over("trace 16", Faults { customers_reset: 1, ..Faults::default() })
}

/// 16, with a reset of the number's own workflow.
pub fn trace_16_resource() -> Scenario {
    handed_over("trace 16, of the resource", Faults { resources_reset: 1, ..Faults::default() })
}

/// 16, for a number that no customer has and two want.
pub fn trace_16_unused() -> Scenario {
    let faults = Faults { customers_reset: 1, ..Faults::default() };
    let start = Scenario::new("trace 16, unused");
    start.event("A", 1, assign("N1")).event("B", 2, assign("N1")).may_wait().with("", faults)
}

/// 16, for a number that is registered on two targets, of which one can be asked who has it.
pub fn trace_16_two_targets() -> Scenario {
    let faults = Faults { customers_reset: 1, ..Faults::default() };
    let start = Scenario::new("trace 16, two targets").has("A", "N1").with_authority();
    let both = &["hss", "voice"];
    start.event("A", 1, release_on(both, "N1")).event("B", 2, assign_on(both, "N1")).may_wait().with("", faults)
}

/// 16, for a customer that locks a number which another waits for: there is nobody to ask.
pub fn trace_16_locks() -> Scenario {
    let faults = Faults { customers_reset: 1, ..Faults::default() };
    let start = Scenario::new("trace 16, locks");
    let locks = start.event("A", 1, lock(&["N1"])).event("B", 2, lock(&["N1"]));
    locks.with("", faults)
}

/// 16, with a reset of the number's own workflow to a moment before its grant, and an older claim since then.
pub fn trace_16_resource_unused() -> Scenario {
    let faults = Faults { resources_reset: 1, ..Faults::default() };
    let start = Scenario::new("trace 16, of the resource, unused");
    start.event("A", 2, assign("N1")).event("B", 1, assign("N1")).may_wait().with("", faults)
}

/// 17: an operator completes the activity of A's release by hand.
pub fn trace_17() -> Scenario {
    handed_over("trace 17", Faults { by_hand: 1, ..Faults::default() }).ends_with("N1", "B")
}

/// 17, for the look-up of a number that the ledger does not know, and that A has. The target silently accepts a second holder.
pub fn trace_17_look_up() -> Scenario {
    let start = Scenario::new("trace 17, of a look-up").has_by("A", "N1", Start::TargetOnly).overwriting();
    let handed_over = start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B");
    handed_over.with("", Faults { by_hand: 1, ..Faults::default() })
}

fn handed_over(name: &str, faults: Faults) -> Scenario {
    let start = Scenario::new(name).has("A", "N1");
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).with("", faults)
}

/// 21: a fresh resource's timer grants B and tells it; the workflow task is lost, and C's older claim has arrived as a message.
pub fn trace_21() -> Scenario {
    let faults = Faults { tasks_lost: 1, unanswered: 1, ..Faults::default() };
    let mut world = Scenario::new("trace 21").event("B", 2, assign("N1")).event("C", 1, assign("N1")).may_wait();
    world.fresh_wait = true;
    world.with("", faults)
}

/// 22: a number comes back and is granted; the workflow task is lost and retried later. Then the number comes back again.
pub fn trace_22() -> Scenario {
    let faults = Faults { tasks_lost: 1, ..Faults::default() };
    let start = Scenario::new("trace 22").has("A", "N1").event("A", 1, release("N1"));
    let passed_on = start.event("B", 2, assign("N1")).event("B", 3, release("N1"));
    passed_on.event("C", 4, assign("N1")).ends_with("N1", "C").with("", faults)
}

/// 18: A's SIM was swapped, and the release names the old one.
pub fn trace_18() -> Scenario {
    let scenario = Scenario::new("trace 18")
        .has("A", "N1")
        .event("A", 1, rename("N1", "A", "A-2"))
        .event("A", 2, release("N1"))
        .event("B", 3, assign("N1"))
        .ends_with("N1", "B");
    // A swap that comes after the release finds nothing to swap, and waits.
    Scenario { arrivals: vec![0, 1], ..scenario }
}

/// 18, with a release that names a SIM of no customer.
pub fn trace_18_mistyped() -> Scenario {
    let start = Scenario::new("trace 18, mistyped").has("A", "N1");
    start.event("A", 1, release("N1").naming("X")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// 18, for an A with two SIMs, if the target has the number under the other one.
pub fn trace_18_two_sims() -> Scenario {
    two_sims("trace 18, two SIMs").event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "B")
}

/// 18, with an A that releases all it has, if the target has a number under A's other SIM.
pub fn trace_18_all() -> Scenario {
    two_sims("trace 18, all of it").event("A", 1, release_all()).event("B", 2, assign("N1")).ends_with("N1", "B")
}

fn two_sims(name: &str) -> Scenario {
    Scenario::new(name).has("A", "sim/A-2").has("A", "N1").registered_as("N1", "A-2")
}

/// 18, if somebody else has the number by now, and the ledger does not know.
pub fn trace_18_elsewhere() -> Scenario {
    let start = Scenario::new("trace 18, elsewhere").has("A", "N1").registered_as("N1", "C");
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).ends_with("N1", "C").may_wait()
}

/// 18, with a target that does not report under which identity it has the number.
pub fn trace_18_discreet() -> Scenario {
    let faults = Faults { person: 2, ..Faults::default() };
    let start = Scenario::new("trace 18, discreet").has("A", "N1").registered_as("N1", "A-2").discreet();
    start.event("A", 1, release("N1")).event("B", 2, assign("N1")).may_wait().with("", faults)
}
