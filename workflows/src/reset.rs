//! Detects whether a run was reset, and where in its history.
//!
//! A reset starts another run with a part of the old run's history. What the old run did after that point is missing, while its calls
//! may still be in flight. Temporal does not tell the workflow's code. But from the point of the reset on, the SDK derives its random
//! numbers from the new run's id, at the same place in every replay. So a run draws random numbers only to detect this point.
//!
//! This depends on how temporalio-sdk-core derives a seed from a run id, and how temporalio-workflow derives random numbers from a
//! seed. Neither can change it, since replay would then diverge. If it changed anyway, nothing would be detected, and the test
//! `a_run_sees_its_reset` would fail.

use std::hash::{Hash as _, Hasher as _};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use siphasher::sip::SipHasher13;
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowRandomStream};

use crate::witness;

/// The random stream that no other code draws from.
const STREAM: &str = "interlock.reset";

/// Whether a reset created this run: its history began under another run's id. The value is the same for the whole run, so it must
/// never decide whether commands are made, or which ones: replay of the copied part would then differ from the old run. It may be part
/// of a call's argument.
pub(crate) fn is_of_reset_run(view: &WorkflowContextView) -> bool {
    view.raw().randomness_seed != seed_of(view.run_id())
}

/// Detects where a run was reset.
pub(crate) struct ResetWatch {
    /// `None` if the random numbers are not the expected ones.
    watched: Option<Watched>,
}

struct Watched {
    stream: WorkflowRandomStream,
    /// The next number of the stream if there is no reset before. `None` after a reset of a run that was reset again later.
    expected: Option<Pcg64Mcg>,
    /// The stream from its beginning after the last reset.
    last: Pcg64Mcg,
    /// Whether the run was reset to its first task, which was not reported yet.
    from_the_first: bool,
}

impl ResetWatch {
    /// Starts to watch, before anything else is drawn from the stream. `began_with` is the seed with which the run's history began.
    pub(crate) fn new<W>(context: &WorkflowContext<W>, began_with: u64) -> Self {
        let stream = context.random_stream(STREAM);
        let (expected, last) = (Some(stream_of(began_with)), stream_of(seed_of(&witness::run_id(context))));
        let mut watched = Watched { stream, expected, last, from_the_first: false };
        // A run that was reset to its first task has the seed of the new run from the start.
        let first = watched.stream.random::<u64>();
        let is_as_expected = watched.expected.as_mut().is_some_and(|expected| expected.next_u64() == first);
        let is_of_last_reset = !is_as_expected && watched.last.clone().next_u64() == first;
        if is_of_last_reset {
            watched.expected = Some(watched.behind_last_reset());
            watched.from_the_first = true;
        }
        Self { watched: (is_as_expected || is_of_last_reset).then_some(watched) }
    }

    /// Whether the run was reset since the last call.
    pub(crate) fn sees_reset(&mut self) -> bool {
        let Some(watched) = &mut self.watched else { return false };
        if std::mem::take(&mut watched.from_the_first) {
            return true;
        }
        let drawn = watched.stream.random::<u64>();
        let is_known = watched.expected.is_some();
        if watched.expected.as_mut().is_some_and(|expected| expected.next_u64() == drawn) {
            return false;
        }
        // Between two resets, the seed is that of a run whose id is unknown here. From there, only the last reset is detected.
        let is_last = watched.last.clone().next_u64() == drawn;
        watched.expected = is_last.then(|| watched.behind_last_reset());
        is_known || is_last
    }
}

impl Watched {
    /// The next number of the stream, after its first number following the last reset was drawn.
    fn behind_last_reset(&self) -> Pcg64Mcg {
        let mut stream = self.last.clone();
        stream.next_u64();
        stream
    }
}

/// The seed that a run begins with, as the SDK's core derives it.
fn seed_of(run_id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    run_id.hash(&mut hasher);
    hasher.finish()
}

/// The numbers of the stream for a seed, as the SDK derives them.
fn stream_of(seed: u64) -> Pcg64Mcg {
    let mut hasher = SipHasher13::new_with_keys(seed, seed ^ u64::from_be_bytes(*b"temporal"));
    hasher.write(b"temporal-rust-workflow-random-stream\0");
    hasher.write(STREAM.as_bytes());
    Pcg64Mcg::seed_from_u64(hasher.finish())
}
