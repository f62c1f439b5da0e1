//! How long to wait before a step's next attempt.
//!
//! The pauses grow up to a cap and are spread by a jitter, so that a thousand steps that failed in the same second are not
//! retried in the same second. The jitter is not random: it follows from the step's idempotency key and the attempt, so that
//! the same attempt always waits equally long.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest pause that a target may ask for, in milliseconds: a day. A longer one is more
/// likely a mistake than a quota.
pub const ASKED_FOR_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// The pauses between the attempts of a step: the first is `initial`, each next one is `factor` times as long, and none is longer than
/// `cap`. A jitter shortens each by up to half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The first pause, in milliseconds.
    pub initial_ms: u64,
    /// How much longer each next pause is, in hundredths: 200 doubles it.
    pub factor_percent: u32,
    /// The longest pause, in milliseconds.
    pub cap_ms: u64,
}

impl Default for RetryPolicy {
    /// 1 s, doubled each time, up to a minute.
    fn default() -> Self {
        Self { initial_ms: 1_000, factor_percent: 200, cap_ms: 60_000 }
    }
}

/// What the next attempt waits for, in addition to its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Only the pause of the policy.
    Pause,
    /// At least this many milliseconds: an earlier request may still arrive until then.
    AtLeast(u64),
    /// The target asked for a pause of this many milliseconds (`Retry-After`). It replaces a longer pause of the policy.
    AskedFor(u64),
}

impl RetryPolicy {
    /// The pause after this many failed attempts, without jitter, in milliseconds.
    pub fn pause_ms(&self, failed: u32) -> u64 {
        let cap = self.cap_ms.max(self.initial_ms);
        let mut pause = self.initial_ms;
        for _ in 1..failed {
            if pause >= cap || self.factor_percent <= 100 {
                break;
            }
            pause = pause.saturating_mul(self.factor_percent.into()) / 100;
        }
        pause.min(cap)
    }

    /// How long the next attempt of a step waits after `failed` ones, in milliseconds.
    ///
    /// The jitter shortens a pause by up to half. A pause that the target asked for is shortened only to
    /// [`ASKED_FOR_MS_MAX`]; there the jitter lengthens it, by at most the policy's pause and at most its own length.
    pub fn delay_ms(&self, failed: u32, idempotency_key: &Uuid, wait: Wait) -> u64 {
        let pause = self.pause_ms(failed);
        let share = Share::of(idempotency_key, failed);
        let jittered = pause - share.of_ms(pause / 2);
        match wait {
            Wait::Pause => jittered,
            Wait::AtLeast(least_ms) => least_ms.max(jittered),
            Wait::AskedFor(asked_ms) => {
                let asked = asked_ms.min(ASKED_FOR_MS_MAX);
                let shortest = self.initial_ms - share.of_ms(self.initial_ms / 2);
                (asked + share.of_ms(pause.min(asked))).max(shortest)
            }
        }
    }
}

/// A share between 0 and 1, the same for the same attempt of the same step.
struct Share(u32);

impl Share {
    fn of(idempotency_key: &Uuid, failed: u32) -> Self {
        let (first, ..) = Uuid::new_v5(idempotency_key, &failed.to_be_bytes()).as_fields();
        Self(first)
    }

    fn of_ms(&self, ms: u64) -> u64 {
        let part = u128::from(ms) * u128::from(self.0) / u128::from(u32::MAX);
        u64::try_from(part).unwrap_or(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { initial_ms: 1_000, factor_percent: 200, cap_ms: 60_000 };

    fn key(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn pauses_grow_by_the_factor_up_to_the_cap() {
        let pauses: Vec<u64> = [1, 2, 3, 6, 7, 8, u32::MAX].map(|failed| POLICY.pause_ms(failed)).into();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]);
        let gentle = RetryPolicy { factor_percent: 150, ..POLICY };
        assert_eq!([1, 2, 3].map(|failed| gentle.pause_ms(failed)), [1_000, 1_500, 2_250]);
        let steady = RetryPolicy { factor_percent: 100, ..POLICY };
        assert_eq!(steady.pause_ms(u32::MAX), 1_000);
    }

    #[test]
    fn the_jitter_takes_away_up_to_half_and_never_adds() {
        for failed in 1..12 {
            let pause = POLICY.pause_ms(failed);
            for number in 0..500 {
                let delay = POLICY.delay_ms(failed, &key(number), Wait::Pause);
                assert!((pause / 2..=pause).contains(&delay), "{delay} of {pause}");
            }
        }
    }

    #[test]
    fn steps_that_failed_together_come_back_spread_over_the_whole_jitter() {
        // 1,000 steps in ten parts of the jitter: none is empty, and none has twice its share.
        let mut parts = [0; 10];
        for number in 0..1_000 {
            let delay = POLICY.delay_ms(5, &key(number), Wait::Pause);
            parts[usize::try_from((delay - 8_000) * 10 / 8_001).unwrap()] += 1;
        }
        assert!(parts.iter().all(|count| (50..200).contains(count)), "{parts:?}");
    }

    #[test]
    fn the_same_attempt_of_the_same_step_always_waits_equally_long() {
        let delay = |failed, number| POLICY.delay_ms(failed, &key(number), Wait::Pause);
        assert_eq!(delay(3, 7), delay(3, 7));
        assert_ne!(delay(7, 7), delay(8, 7));
        assert_ne!(delay(3, 7), delay(3, 8));
    }

    #[test]
    fn what_may_still_land_is_waited_for_whatever_the_pause() {
        assert_eq!(POLICY.delay_ms(1, &key(1), Wait::AtLeast(35_000)), 35_000);
        assert_eq!(POLICY.delay_ms(9, &key(1), Wait::AtLeast(1)), POLICY.delay_ms(9, &key(1), Wait::Pause));
    }

    #[test]
    fn a_targets_own_delay_is_never_cut_short_and_stands_instead_of_a_longer_pause() {
        for failed in 1..12 {
            for number in 0..200 {
                let delay = POLICY.delay_ms(failed, &key(number), Wait::AskedFor(7_000));
                assert!((7_000..=14_000).contains(&delay), "{delay}");
            }
        }
    }

    #[test]
    fn a_target_that_asks_for_nothing_is_not_asked_again_at_once() {
        for number in 0..200 {
            assert!(POLICY.delay_ms(9, &key(number), Wait::AskedFor(0)) >= 500);
        }
    }

    #[test]
    fn a_target_is_left_alone_for_a_day_at_most_and_the_jitter() {
        let delay = POLICY.delay_ms(1, &key(1), Wait::AskedFor(u64::MAX));
        assert!((ASKED_FOR_MS_MAX..=ASKED_FOR_MS_MAX + 1_000).contains(&delay), "{delay}");
    }

    #[test]
    fn no_policy_of_a_catalog_overflows() {
        let widest = RetryPolicy { initial_ms: u64::MAX, factor_percent: u32::MAX, cap_ms: u64::MAX };
        assert!(widest.delay_ms(u32::MAX, &key(1), Wait::Pause) >= u64::MAX / 2);
    }
}
