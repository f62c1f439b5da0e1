//! The seeded simulator: random schedules, more faults, larger worlds. The same seed gives the same run every time.

use fastrand::Rng;

use crate::scenario::Scenario;
use crate::sighting::Sightings;
use crate::trace::{ACTIONS_MAX, Failure};
use crate::violation::{Check, Violation};
use crate::world::{Action, World};

/// Runs a world once.
///
/// # Errors
/// The failure, with a shortened trace.
pub fn simulate(scenario: &Scenario, seed: u64, seen: &mut Sightings) -> Result<usize, Box<Failure>> {
    let mut random = Rng::with_seed(seed);
    let mut world = World::new(scenario);
    let mut done: Vec<Action> = Vec::new();
    // Some runs have many faults early, others few and late.
    let eagerness = 0.02 + 0.48 * random.f64();
    let failed = |violation, actions| {
        let mut failure = Failure::new(scenario, violation, actions);
        failure.world = format!("{} (seed {seed})", failure.world);
        Box::new(failure)
    };
    while done.len() < ACTIONS_MAX {
        let (optional, due): (Vec<_>, Vec<_>) = world.enabled().into_iter().partition(Action::is_optional);
        if due.is_empty() {
            world.check_rest().map_err(|violation| failed(violation, done.clone()))?;
        }
        let wanted = if random.f64() < eagerness { &optional } else { &due };
        let Some(action) = random.choice(wanted) else {
            if due.is_empty() && (optional.is_empty() || random.f64() < 0.3) {
                return Ok(done.len());
            }
            continue;
        };
        done.push(action.clone());
        world.perform(action, seen).map_err(|violation| failed(violation, done.clone()))?;
    }
    Err(failed(Violation::new(Check::Restless, format!("no rest after {ACTIONS_MAX} actions")), done))
}
