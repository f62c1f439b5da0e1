//! What goes wrong at the targets.

use std::ops::Range;

use interlock_adapters::sandbox::{Action, Knobs, Pattern, Rule, Sandbox, Times};
use serde_json::json;

use super::kind::Fault;

/// How long a target holds requests at most: less than the time after which a request cannot take effect any more.
const LATE_MS: Range<u64> = 300..1_800;
/// How long a target that is late holds requests in a run with a control: as long as it may, so that a resent request overtakes them.
const AS_LATE_AS_MAY_BE_MS: Range<u64> = 1_600..1_900;
/// The methods with which an HSS is changed, except removals.
const WRITES: [&str; 2] = ["PATCH", "PUT"];
/// How many requests a fault concerns.
const REQUESTS: Range<u64> = 1..15;

/// Has a target do this to some of its next requests. Returns how many; `None` if the fault is not a target's. `is_control`: the run has a
/// negative control.
pub fn befall(target: &Sandbox, fault: Fault, is_control: bool, rng: &mut fastrand::Rng) -> Option<u64> {
    let late = if is_control { AS_LATE_AS_MAY_BE_MS } else { LATE_MS };
    let times = rng.u64(REQUESTS);
    let action = match fault {
        Fault::TargetRefuses => {
            let (status, retry_after_s) = [(500, None), (503, None), (429, Some(1))][rng.usize(0..3)];
            Action::Refuse { status, body: json!({"detail": "the battery refuses"}), retry_after_s }
        }
        Fault::TargetFailsBefore => Action::FailBefore,
        Fault::TargetFailsAfter => {
            if rng.bool() {
                Action::FailAfter
            } else {
                Action::LoseAnswer
            }
        }
        Fault::TargetSlow => Action::Delay { ms: rng.u64(LATE_MS) },
        Fault::TargetLate => Action::ApplyLate { ms: rng.u64(late) },
        Fault::TargetDuplicates => Action::Duplicate,
        _ => return None,
    };
    // A delayed read does no harm, so in a run with a control only writes are delayed.
    let is_of_writes = is_control && fault == Fault::TargetLate;
    let method = is_of_writes.then(|| WRITES[rng.usize(0..WRITES.len())].to_owned());
    let pattern = Pattern { method, ..Pattern::default() };
    target.add_rule(Rule { pattern, action, times: Times::Count(times) });
    Some(times)
}

/// Has a target be away, until its knobs are cleared.
pub fn go_away(target: &Sandbox, rng: &mut fastrand::Rng) {
    let action = if rng.bool() {
        Action::FailBefore
    } else {
        Action::Refuse { status: 503, body: json!({"detail": "away"}), retry_after_s: None }
    };
    target.set_knobs(Knobs { latency_ms: 0, rules: vec![Rule::always(Pattern::default(), action)] });
}

/// Clears a target's knobs. Returns the requests that its faults have not concerned yet, each with the fault.
pub fn clear(target: &Sandbox) -> Vec<(Fault, u64)> {
    let left = target.knobs().rules.into_iter().filter_map(|rule| {
        let Times::Count(count) = rule.times else { return None };
        let fault = match rule.action {
            Action::Refuse { .. } => Fault::TargetRefuses,
            Action::FailBefore => Fault::TargetFailsBefore,
            Action::FailAfter | Action::LoseAnswer => Fault::TargetFailsAfter,
            Action::Delay { .. } | Action::Gather { .. } | Action::AsJob { .. } => Fault::TargetSlow,
            Action::ApplyLate { .. } => Fault::TargetLate,
            Action::Duplicate => Fault::TargetDuplicates,
        };
        Some((fault, count))
    });
    let left = left.collect();
    target.set_knobs(Knobs::default());
    left
}
