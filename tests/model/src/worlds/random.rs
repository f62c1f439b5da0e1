//! Random worlds of the size of the others.

use fastrand::Rng;

use crate::deed::{Deed, assign, assign_all, changed, lock, lock_each, note, release, swap_sim};
use crate::scenario::{Scenario, Start};

/// A random world: 2–3 customers, 2 resources, 3–5 events, random keys, a known or an empty ledger, one or two
/// targets. The same for the same seed.
pub fn random(seed: u64) -> Scenario {
    let mut random = Rng::with_seed(seed);
    let customers = &["A", "B", "C"][..random.usize(2..=3)];
    let numbers = ["N1", "N2"];
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
        scenario = scenario.event(customer, key, deed(&mut random, numbers));
    }
    scenario
}

fn deed(random: &mut Rng, mut numbers: [&'static str; 2]) -> Deed {
    random.shuffle(&mut numbers);
    let [one, other] = numbers;
    match random.u8(0..14) {
        0..=3 => assign(one),
        4..=7 => release(one),
        8 => changed(one, other),
        9 => lock(&[one, other]),
        10 => lock_each(&[("hss", one), ("crm", other)]),
        11 => note("crm"),
        12 => assign_all(&[one, other]),
        _ => swap_sim("N3", one, other).when_granted(),
    }
}
