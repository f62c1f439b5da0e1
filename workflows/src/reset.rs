//! Whether a run came of a workflow reset.
//!
//! A reset begins another run with a part of the old one's history. What the old run did after that point is not in it, while
//! its calls may still be on their way. So whatever a reset run calls may have been sent before.

use std::hash::Hash as _;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;
use temporalio_workflow::WorkflowContextView;

/// Whether this run came of a reset: its history began under another run's id, from which the SDK derives the seed that a run
/// begins with. It is the same for as long as the run lasts, so it must never decide which commands are made, and not whether
/// they are: replay of the part that was copied would go another way than the old run did. It may be said in a call's argument.
pub(crate) fn is_of_reset_run(view: &WorkflowContextView) -> bool {
    view.raw().randomness_seed != seed_of(view.run_id())
}

/// The seed with which a run begins, as the SDK's core derives it: it cannot change it, since replay would go another way. If it
/// did, every run would count as reset, and every step would read back before it sends.
fn seed_of(run_id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    run_id.hash(&mut hasher);
    hasher.finish()
}
