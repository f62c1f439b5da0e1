//! What led to a broken promise, written so that it can be followed, and made as short as it gets.

use std::fmt;

use crate::scenario::Scenario;
use crate::sighting::Sightings;
use crate::violation::Violation;
use crate::world::{Action, World};

/// A broken promise, and how it came.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The world.
    pub world: String,
    /// What is broken.
    pub violation: Violation,
    /// What happened, in order.
    pub actions: Vec<Action>,
}

/// The most replays that making a trace shorter may take.
const REPLAYS_MAX: usize = 20_000;

impl Failure {
    /// The same failure with as few actions as can be found by leaving some out.
    #[must_use]
    pub fn shortened(self, scenario: &Scenario) -> Self {
        let mut best = self;
        let mut replays = 0;
        let mut chunk = best.actions.len() / 2;
        while chunk > 0 {
            let mut start = 0;
            while start < best.actions.len() && replays < REPLAYS_MAX {
                let mut shorter = best.actions.clone();
                shorter.drain(start..(start + chunk).min(shorter.len()));
                replays += 1;
                match replay(scenario, &shorter) {
                    Some(failure) if failure.violation.check == best.violation.check && failure.actions.len() < best.actions.len() => best = failure,
                    _ => start += chunk,
                }
            }
            chunk /= 2;
        }
        best
    }
}

/// Plays a trace, leaving out what is not possible; then lets what is left of the world happen in a fixed order, until
/// it rests. None where all checks are green.
pub fn replay(scenario: &Scenario, actions: &[Action]) -> Option<Failure> {
    let mut world = World::new(scenario);
    let mut seen = Sightings::default();
    let mut done = Vec::new();
    let failed = |violation, done: Vec<Action>| Some(Failure { world: scenario.name.clone(), violation, actions: done });
    for action in actions {
        if !world.enabled().contains(action) {
            continue;
        }
        done.push(action.clone());
        if let Err(violation) = world.perform(action, &mut seen) {
            return failed(violation, done);
        }
    }
    for _ in 0..crate::simulator::ACTIONS_MAX {
        let Some(action) = world.enabled().into_iter().find(|action| !action.is_optional()) else {
            return world.check_rest().err().and_then(|violation| failed(violation, done));
        };
        done.push(action.clone());
        if let Err(violation) = world.perform(&action, &mut seen) {
            return failed(violation, done);
        }
    }
    None
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "world '{}': {}", self.world, self.violation)?;
        for (index, action) in self.actions.iter().enumerate() {
            writeln!(f, "  {:>3} {}", index + 1, shown(action))?;
        }
        Ok(())
    }
}

/// An action with the ids of its orders made short.
fn shown(action: &Action) -> String {
    let text = format!("{action:?}");
    let mut short = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find("~") {
        let end = (start + 5).min(rest.len());
        short.push_str(&rest[..end]);
        rest = rest[start..].find('"').map_or("", |quote| &rest[start + quote..]);
    }
    short.push_str(rest);
    short
}
