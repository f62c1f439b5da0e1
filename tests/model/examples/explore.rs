//! Explores worlds and prints the numbers: `explore [STATES_MAX] [NAME]`.

use interlock_model::explorer::explore;
use interlock_model::scenario::Scenario;
use interlock_model::worlds;

fn all() -> Vec<Scenario> {
    let plain = worlds::all();
    let mixed = plain.iter().flat_map(|world| {
        worlds::mixes().into_iter().map(|(label, faults)| world.clone().with(label, faults)).collect::<Vec<_>>()
    });
    mixed.chain(worlds::traces()).collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let states_max = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let name = arguments.next().unwrap_or_default();
    let (mut states, mut failures) = (0, 0);
    for scenario in all().iter().filter(|scenario| scenario.name.contains(&name)) {
        let start = std::time::Instant::now();
        match explore(scenario, states_max) {
            Ok(report) => {
                states += report.states;
                println!("{report}, {:?}", start.elapsed());
            }
            Err(failure) => {
                failures += 1;
                println!("FAILED {failure}");
            }
        }
    }
    println!("{states} states, {failures} failures");
}
