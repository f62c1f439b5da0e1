//! Random worlds of the same size as the others.

use fastrand::Rng;

use interlock_domain::order::OnFailure;

use super::{all, storm};
use crate::deed::{
    Deed, assign, assign_all, assign_on, changed, lock, lock_each, note, release, release_all, release_on, swap_sim,
};
use crate::faults::Faults;
use crate::scenario::{Scenario, Start};

/// A random world: 2–3 customers, 2 resources, 3–5 events, random keys, a known or an empty ledger, one or two targets. The same seed
/// gives the same world.
pub fn random(seed: u64) -> Scenario {
    let mut random = Rng::with_seed(seed);
    let customers = &["A", "B", "C"][..random.usize(2..=3)];
    let numbers = ["N1", "N2"];
    // If numbers are registered on two targets, every deed must have steps on both.
    let voice = random.u8(0..4) == 0;
    let ledger_is_known = random.u8(0..3) > 0;
    let mut scenario = Scenario::new(&format!("random {seed}")).may_ring();
    scenario.authority = !ledger_is_known || random.bool();
    scenario.overwrites = scenario.authority && random.bool();
    for number in numbers {
        if random.u8(0..3) > 0 {
            let customer = customers[random.usize(0..customers.len())];
            let start = match (ledger_is_known, random.u8(0..3)) {
                (false, _) => Start::TargetOnly,
                (true, 0) => Start::Seeded,
                (true, _) => Start::Assigned,
            };
            scenario = scenario.has_by(customer, number, start);
        }
    }
    for _ in 0..random.usize(3..=5) {
        let customer = customers[random.usize(0..customers.len())];
        let key = random.i64(0..100);
        let deed = if voice { deed_on_two(&mut random, numbers) } else { deed(&mut random, numbers) };
        let deed = dressed(&mut random, deed);
        scenario = scenario.event(customer, key, deed);
    }
    // If a look-up finds only what is on one target, the others must agree with it.
    scenario.verifies = scenario.overwrites || random.u8(0..4) > 0;
    scenario
}

/// A random case for the simulator: one of the named worlds, or a random one, with no, many, or the worst faults. The same seed gives
/// the same case.
pub fn random_case(seed: u64) -> Scenario {
    let named = all();
    let index = usize::try_from(seed % (2 * named.len() as u64)).unwrap_or_default();
    let mut world = named.get(index).cloned().unwrap_or_else(|| random(seed));
    // Of another cycle than the faults below.
    world.is_subscribed = seed.is_multiple_of(3);
    let storm = storm();
    match seed % 8 {
        0 => world,
        1 => world.with("storm", storm),
        2 => world.with("storm with a death", Faults { customers_terminated: 1, ..storm }),
        3 => world.with("storm with a resource lost", Faults { resources_lost: 1, ..storm }),
        4 => world.with("storm with force", Faults { forced: 1, ..storm }),
        5 => world.with("storm with a resource reset", Faults { resources_reset: 1, ..storm }),
        6 => world.with("storm with a customer reset", Faults { customers_reset: 1, ..storm }),
        _ => world.with("storm, nobody refuses", Faults { refused: 0, cancelled: 0, person: 0, ..storm }),
    }
}

/// A deed with additions: a note after it, another failure policy, compensations, urgency.
fn dressed(random: &mut Rng, mut deed: Deed) -> Deed {
    if random.u8(0..4) == 0 {
        deed = deed.then_note("crm");
    }
    if random.u8(0..3) == 0 {
        deed = deed.on_failure(if random.bool() { OnFailure::Abort } else { OnFailure::Skip });
    }
    if random.bool() {
        deed = deed.compensated();
    }
    if random.u8(0..10) == 0 {
        deed = deed.urgent();
    }
    deed
}

fn deed_on_two(random: &mut Rng, mut numbers: [&'static str; 2]) -> Deed {
    random.shuffle(&mut numbers);
    let [one, other] = numbers;
    match random.u8(0..10) {
        0..=3 => assign_on(&["hss", "voice"], one),
        4..=6 => release_on(&["hss", "voice"], one),
        7 => lock(&[one, other]),
        8 => lock_each(&[("voice", one), ("crm", other)]),
        _ => note("voice"),
    }
}

fn deed(random: &mut Rng, mut numbers: [&'static str; 2]) -> Deed {
    random.shuffle(&mut numbers);
    let [one, other] = numbers;
    match random.u8(0..16) {
        0..=3 => assign(one),
        4..=7 => release(one),
        8 => changed(one, other),
        9 => lock(&[one, other]),
        10 => lock_each(&[("hss", one), ("crm", other)]),
        11 => note("crm"),
        14 => release_all(),
        15 => note("crm").unordered(),
        12 => assign_all(&[one, other]),
        _ => swap_sim("N3", one, other).when_granted(),
    }
}
