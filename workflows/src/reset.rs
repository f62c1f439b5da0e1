//! Whether a run was reset, and where in its history.
//!
//! A reset begins another run with a part of the old one's history. What the old run did after that point is not in it, while
//! its calls may still be on their way. The workflow's code is not told. But from the point of the reset on, the SDK derives its random numbers
//! from the new run's id, at the same place in every replay. So a run draws numbers that it has no use for, and sees the point by
//! them.
//!
//! This goes by how temporalio-sdk-core derives a seed from a run id, and temporalio-workflow a stream of numbers from a seed. Neither can
//! change it, since replay would go another way. Should it not be so, nothing is watched, which `a_run_sees_its_reset` would notice.

use std::hash::{Hash as _, Hasher as _};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use siphasher::sip::SipHasher13;
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowRandomStream};

/// The stream that nobody else draws from.
const STREAM: &str = "interlock.reset";

/// Whether this run came of a reset: its history began under another run's id. It is the same for as long as the run lasts, so it must
/// never decide which commands are made, and not whether they are: replay of the part that was copied would go another way than the old run
/// did. It may be said in a call's argument.
pub(crate) fn is_of_reset_run(view: &WorkflowContextView) -> bool {
    view.raw().randomness_seed != seed_of(view.run_id())
}

/// Sees where a run was reset.
pub(crate) struct ResetWatch {
    /// None where the numbers are not those that are expected.
    watched: Option<Watched>,
}

struct Watched {
    stream: WorkflowRandomStream,
    /// What the stream says next, unless there is a reset before; none behind a reset of a run that was reset again later.
    expected: Option<Pcg64Mcg>,
    /// The stream from its beginning behind the last reset.
    last: Pcg64Mcg,
    /// Whether the run was reset to its first task, which nobody was told of yet.
    from_the_first: bool,
}

impl ResetWatch {
    /// Begins to watch, before anything else is drawn from the stream. `began_with` is the seed with which the run's history began.
    pub(crate) fn new<W>(context: &WorkflowContext<W>, began_with: u64) -> Self {
        let stream = context.random_stream(STREAM);
        let (expected, last) = (Some(stream_of(began_with)), stream_of(seed_of(context.run_id())));
        let mut watched = Watched { stream, expected, last, from_the_first: false };
        // A run that was reset to its first task has the seed of the new run from the beginning.
        let first = watched.stream.random::<u64>();
        let is_as_expected = watched.expected.as_mut().is_some_and(|expected| expected.next_u64() == first);
        let is_of_last_reset = !is_as_expected && watched.last.clone().next_u64() == first;
        if is_of_last_reset {
            watched.expected = Some(watched.behind_last_reset());
            watched.from_the_first = true;
        }
        Self { watched: (is_as_expected || is_of_last_reset).then_some(watched) }
    }

    /// Whether the run was reset since it was asked last.
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
        // Between two resets the seed is that of a run whose id is not known here: only the last reset is seen from there.
        let is_last = watched.last.clone().next_u64() == drawn;
        watched.expected = is_last.then(|| watched.behind_last_reset());
        is_known || is_last
    }
}

impl Watched {
    /// What the stream says next, once its first number behind the last reset was drawn.
    fn behind_last_reset(&self) -> Pcg64Mcg {
        let mut stream = self.last.clone();
        stream.next_u64();
        stream
    }
}

/// The seed with which a run begins, as the SDK's core derives it.
fn seed_of(run_id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    run_id.hash(&mut hasher);
    hasher.finish()
}

/// The stream's numbers under a seed, as the SDK derives them.
fn stream_of(seed: u64) -> Pcg64Mcg {
    let mut hasher = SipHasher13::new_with_keys(seed, seed ^ u64::from_be_bytes(*b"temporal"));
    hasher.write(b"temporal-rust-workflow-random-stream\0");
    hasher.write(STREAM.as_bytes());
    Pcg64Mcg::seed_from_u64(hasher.finish())
}
