//! Runs random schedules: `simulate [RUNS] [NAME] [SEED]`. Every run has its own seed, which is printed where it fails.

use interlock_model::scenario::{Faults, Scenario};
use interlock_model::sighting::Sightings;
use interlock_model::simulator::simulate;
use interlock_model::worlds;

fn world(seed: u64) -> Scenario {
    let named = worlds::all();
    let world = match usize::try_from(seed % (2 * named.len() as u64)) {
        Ok(index) if index < named.len() => named[index].clone(),
        _ => worlds::random(seed),
    };
    let storm = worlds::storm();
    match seed % 5 {
        0 => world,
        1 => world.with("storm", storm),
        2 => world.with("storm with a death", Faults { customers_terminated: 1, ..storm }),
        3 => world.with("storm with force", Faults { forced: 1, ..storm }),
        _ => world.with("storm, nobody refuses", Faults { refused: 0, cancelled: 0, person: 0, ..storm }),
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let runs: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let name = arguments.next().unwrap_or_default();
    let first: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (mut seen, mut failures, mut actions) = (Sightings::default(), 0, 0);
    for seed in first..first + runs {
        let world = world(seed);
        if !world.name.contains(&name) {
            continue;
        }
        match simulate(&world, seed, &mut seen) {
            Ok(done) => actions += done,
            Err(failure) => {
                failures += 1;
                println!("FAILED {failure}");
            }
        }
    }
    println!("{runs} runs, {actions} actions, {failures} failures\nseen: {seen}");
}
