//! Runs random schedules: `simulate [RUNS] [NAME] [SEED]`. Every run has its own seed, which is printed if it fails.

use interlock_model::sighting::Sightings;
use interlock_model::simulator::simulate;
use interlock_model::worlds;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let runs: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let name = arguments.next().unwrap_or_default();
    let first: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (mut seen, mut failures, mut actions) = (Sightings::default(), 0, 0);
    for seed in first..first + runs {
        let world = worlds::random_case(seed);
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
