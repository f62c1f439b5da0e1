//! The sequence in which steps can be written into a plan: each after all those that it comes after.

use std::collections::BTreeSet;

use crate::error_code::ErrorCode;
use crate::toml_text::Faults;

use super::event_rule::StepRule;

/// The indices of `steps`, each after those that it comes after, otherwise in the written order.
///
/// If some steps could not be read, a reference to a missing step is not reported.
pub(super) fn sequence(steps: &[StepRule], is_complete: bool, faults: &mut Faults<'_>) -> Vec<usize> {
    let after: Vec<BTreeSet<usize>> = steps.iter().map(|step| after(step, steps, is_complete, faults)).collect();
    let mut sequence = Vec::with_capacity(steps.len());
    let ready = |done: &[usize]| {
        (0..steps.len()).find(|step| !done.contains(step) && after[*step].iter().all(|other| done.contains(other)))
    };
    while let Some(step) = ready(&sequence) {
        sequence.push(step);
    }
    for step in (0..steps.len()).filter(|step| !sequence.contains(step)) {
        if reaches(step, step, &after) {
            let message = format!("The step {} comes after itself, directly or through other steps.", steps[step].name);
            faults.add(&steps[step].spot, ErrorCode::StepCycle, message);
        }
    }
    sequence
}

/// The indices of the steps that this one comes after.
pub(super) fn indices_after(step: &StepRule, steps: &[StepRule]) -> BTreeSet<usize> {
    step.after.iter().filter_map(|(_, name)| steps.iter().position(|other| other.name == *name)).collect()
}

fn after(step: &StepRule, steps: &[StepRule], is_complete: bool, faults: &mut Faults<'_>) -> BTreeSet<usize> {
    for (spot, name) in &step.after {
        if is_complete && !steps.iter().any(|other| other.name == *name) {
            let known = steps.iter().map(|other| other.name.as_str()).collect::<Vec<_>>().join(", ");
            faults.add(
                spot,
                ErrorCode::UnknownStep,
                format!("The step '{name}' does not exist here; the steps are: {known}."),
            );
        }
    }
    indices_after(step, steps)
}

fn reaches(from: usize, to: usize, after: &[BTreeSet<usize>]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(step) = open.pop() {
        if after[step].contains(&to) {
            return true;
        }
        open.extend(after[step].iter().copied().filter(|other| seen.insert(*other)));
    }
    false
}
