//! The actions that led to a broken promise, in a readable and shortened form.

use std::fmt;

use crate::scenario::Scenario;
use crate::sighting::Sightings;
use crate::violation::{Check, Violation};
use crate::world::{Action, World};

/// A broken promise, and the actions that led to it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The world.
    pub world: String,
    /// The broken promise.
    pub violation: Violation,
    /// The actions, in order.
    pub actions: Vec<Action>,
    /// The same in words.
    pub story: Vec<String>,
}

/// The most lines of a trace that are printed.
const LINES_MAX: usize = 120;

/// The most actions of one run. A longer run never comes to rest.
pub const ACTIONS_MAX: usize = 2_000;
/// The most actions that may be replayed to shorten a trace.
const REPLAYED_ACTIONS_MAX: usize = 500_000;

impl Failure {
    /// A failure with as few actions as can be found by removing some.
    pub fn new(scenario: &Scenario, violation: Violation, actions: Vec<Action>) -> Self {
        let mut best = Self { world: scenario.name.clone(), violation, actions, story: Vec::new() };
        if best.violation.check != Check::Restless {
            best = best.shortened(scenario);
        }
        best.story = narrate(scenario, &best.actions);
        best
    }

    fn shortened(self, scenario: &Scenario) -> Self {
        let mut best = self;
        let mut replayed = 0;
        let mut chunk = best.actions.len() / 2;
        while chunk > 0 {
            let mut start = 0;
            while start < best.actions.len() && replayed < REPLAYED_ACTIONS_MAX {
                let mut shorter = best.actions.clone();
                shorter.drain(start..(start + chunk).min(shorter.len()));
                replayed += best.actions.len();
                match replay(scenario, &shorter) {
                    Some(failure)
                        if failure.violation.check == best.violation.check
                            && failure.actions.len() < best.actions.len() =>
                    {
                        best = failure;
                    }
                    _ => start += chunk,
                }
            }
            chunk /= 2;
        }
        best
    }
}

/// Plays a trace without its impossible actions, then lets the rest of the world happen in a fixed order until it is at rest. `None` if
/// all checks are green.
pub fn replay(scenario: &Scenario, actions: &[Action]) -> Option<Failure> {
    let mut world = World::new(scenario);
    let mut seen = Sightings::default();
    let mut done = Vec::new();
    let failed =
        |violation, actions| Some(Failure { world: scenario.name.clone(), violation, actions, story: Vec::new() });
    for action in actions {
        if !world.enabled().contains(action) {
            continue;
        }
        done.push(action.clone());
        if let Err(violation) = world.perform(action, &mut seen) {
            return failed(violation, done);
        }
    }
    for _ in 0..ACTIONS_MAX {
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

/// A trace in words.
fn narrate(scenario: &Scenario, actions: &[Action]) -> Vec<String> {
    let mut world = World::new(scenario);
    let mut seen = Sightings::default();
    let mut story = Vec::new();
    for action in actions {
        story.push(world.narrate(action));
        if world.perform(action, &mut seen).is_err() {
            break;
        }
    }
    story
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "world '{}': {}", self.world, self.violation)?;
        for (index, line) in self.story.iter().take(LINES_MAX).enumerate() {
            writeln!(f, "  {:>3} {line}", index + 1)?;
        }
        Ok(())
    }
}
