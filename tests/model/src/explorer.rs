//! The exhaustive explorer: tries all orders of the possible actions in a world, depth first, and visits each state once.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use crate::scenario::Scenario;
use crate::sighting::Sightings;
use crate::trace::Failure;
use crate::violation::Violation;
use crate::world::{Action, World};

/// The result of an exploration.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The world.
    pub world: String,
    /// The number of states seen.
    pub states: usize,
    /// The number of actions performed.
    pub actions: usize,
    /// The number of states at rest among them.
    pub rests: usize,
    /// The longest path, in actions.
    pub depth: usize,
    /// Whether all states were seen within the limit.
    pub exhausted: bool,
    /// What was seen to happen.
    pub seen: Sightings,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { world, states, actions, rests, depth, exhausted, .. } = self;
        let how = if *exhausted { "exhausted" } else { "cut at the limit" };
        write!(f, "{world}: {states} states, {actions} actions, {rests} at rest, depth {depth}, {how}")
    }
}

/// The states are hashes already.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _bytes: &[u8]) {}
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

struct Frame {
    world: World,
    actions: Vec<Action>,
    next: usize,
}

impl Frame {
    fn new(world: World) -> Self {
        Self { actions: world.enabled(), world, next: 0 }
    }
}

/// Explores a world, up to this many states.
///
/// # Errors
/// The first failure, with a shortened trace.
pub fn explore(scenario: &Scenario, states_max: usize) -> Result<Report, Box<Failure>> {
    let mut visited: HashSet<u64, BuildHasherDefault<Already>> = HashSet::default();
    let mut report = Report { world: scenario.name.clone(), exhausted: true, ..Report::default() };
    let start = World::new(scenario);
    visited.insert(start.fingerprint());
    let mut stack = vec![Frame::new(start)];
    while let Some(frame) = stack.last_mut() {
        let Some(action) = frame.actions.get(frame.next) else {
            stack.pop();
            continue;
        };
        frame.next += 1;
        let mut world = frame.world.clone();
        report.actions += 1;
        let mut result = world.perform(action, &mut report.seen);
        if result.is_ok() {
            if !visited.insert(world.fingerprint()) {
                continue;
            }
            if world.is_at_rest() {
                report.rests += 1;
                result = world.check_rest();
            }
        }
        if let Err(violation) = result {
            return Err(Box::new(failure(scenario, &stack, violation)));
        }
        if visited.len() >= states_max {
            report.exhausted = false;
            break;
        }
        stack.push(Frame::new(world));
        report.depth = report.depth.max(stack.len());
    }
    report.states = visited.len();
    Ok(report)
}

fn failure(scenario: &Scenario, stack: &[Frame], violation: Violation) -> Failure {
    let actions = stack.iter().map(|frame| frame.actions[frame.next - 1].clone()).collect();
    Failure::new(scenario, violation, actions)
}
