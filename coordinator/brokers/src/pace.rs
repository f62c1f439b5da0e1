//! How long to wait before something is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The first wait, before jitter.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait, before jitter.
const LONGEST: Duration = Duration::from_secs(10);

/// The waits of something that is tried until it works.
#[derive(Debug, Default)]
pub(crate) struct Pace(Option<ExponentialBackoff>);

impl Pace {
    /// The next wait: longer each time, with jitter, and never more than twice the longest.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let waits = ExponentialBuilder::default().with_min_delay(FIRST).with_max_delay(LONGEST);
        let waits = self.0.get_or_insert_with(|| waits.without_max_times().with_jitter().build());
        waits.next().unwrap_or(LONGEST)
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_their_limit_and_begin_again_after_a_success() {
        let mut pace = Pace::default();
        let waits: Vec<Duration> = std::iter::from_fn(|| Some(pace.next_wait())).take(20).collect();
        assert!(waits[0] >= FIRST && waits[0] <= 2 * FIRST, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= 2 * LONGEST) && waits[19] >= LONGEST, "{waits:?}");
        pace.reset();
        assert!(pace.next_wait() <= 2 * FIRST);
    }
}
