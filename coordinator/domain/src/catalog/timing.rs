//! How long the attempts of a step may take and how far apart they are: `attempt_timeout` and `retry`. A step, its
//! event type or `[defaults]` may set them; the nearest wins.

use crate::error_code::ErrorCode;
use crate::retry::RetryPolicy;
use crate::toml_text::{Entry, Faults, Section, Spot};

/// How long one attempt of a step may take if the catalog does not say, in milliseconds.
pub const ATTEMPT_TIMEOUT_MS: u64 = 30_000;
/// The limits of `attempt_timeout`, in milliseconds: from 100 ms, below which no request over a network ends, to 10 minutes,
/// for which one call may occupy a worker's slot.
pub const ATTEMPT_TIMEOUT_MS_LIMITS: (u64, u64) = (100, 10 * 60 * 1000);
/// The limits of the first pause between attempts, in milliseconds.
pub const RETRY_INITIAL_MS_LIMITS: (u64, u64) = (100, 60 * 60 * 1000);
/// The limits of the factor between pauses, in hundredths.
pub const RETRY_FACTOR_PERCENT_LIMITS: (u32, u32) = (100, 1_000);
/// The limits of the longest pause, in milliseconds.
pub const RETRY_CAP_MS_LIMITS: (u64, u64) = (100, 24 * 60 * 60 * 1000);

/// What one place of the catalog says about the attempts of steps.
#[derive(Debug, Clone, Default)]
pub(super) struct Timing {
    attempt_timeout_ms: Option<u64>,
    initial_ms: Option<u64>,
    factor_percent: Option<u32>,
    cap_ms: Option<u64>,
    /// Where the pauses are written, if they are.
    retry: Option<Spot>,
}

impl Timing {
    /// Reads `[defaults]`.
    pub(super) fn read_defaults(root: &mut Section<'_>, faults: &mut Faults<'_>) -> Self {
        let Some(mut section) = root.take("defaults").and_then(|entry| entry.section(faults)) else {
            return Self::default();
        };
        let timing = Self::read(&mut section, faults);
        section.finish(faults);
        timing
    }

    /// Takes the keys `attempt_timeout` and `retry`.
    pub(super) fn read(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Self {
        let mut timing = section.take("retry").map(|entry| Self::read_retry(&entry, faults)).unwrap_or_default();
        timing.attempt_timeout_ms = section.duration_ms("attempt_timeout", ATTEMPT_TIMEOUT_MS_LIMITS, faults);
        timing
    }

    fn read_retry(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Self {
        let Some(mut section) = entry.section(faults) else { return Self::default() };
        let timing = Self {
            attempt_timeout_ms: None,
            initial_ms: section.duration_ms("initial", RETRY_INITIAL_MS_LIMITS, faults),
            factor_percent: section.take("factor").and_then(|entry| factor_percent(&entry, faults)),
            cap_ms: section.duration_ms("cap", RETRY_CAP_MS_LIMITS, faults),
            retry: Some(entry.spot.clone()),
        };
        section.finish(faults);
        timing
    }

    /// The settings of this place, completed by those of `outer`.
    pub(super) fn or(self, outer: &Self) -> Self {
        Self {
            attempt_timeout_ms: self.attempt_timeout_ms.or(outer.attempt_timeout_ms),
            initial_ms: self.initial_ms.or(outer.initial_ms),
            factor_percent: self.factor_percent.or(outer.factor_percent),
            cap_ms: self.cap_ms.or(outer.cap_ms),
            retry: self.retry.or_else(|| outer.retry.clone()),
        }
    }

    /// How long one attempt may take, in milliseconds.
    pub(super) fn attempt_timeout_ms(&self) -> u64 {
        self.attempt_timeout_ms.unwrap_or(ATTEMPT_TIMEOUT_MS)
    }

    /// The pauses. If only one of the first and the longest is given, the other one is adapted to it.
    pub(super) fn retry_policy(&self, faults: &mut Faults<'_>) -> RetryPolicy {
        let usual = RetryPolicy::default();
        if let (Some(initial_ms), Some(cap_ms), Some(spot)) = (self.initial_ms, self.cap_ms, &self.retry)
            && cap_ms < initial_ms
        {
            let message = "The longest pause ('cap') must not be shorter than the first one ('initial').";
            faults.add(spot, ErrorCode::NotTogether, message);
        }
        let initial_ms = self.initial_ms.unwrap_or_else(|| usual.initial_ms.min(self.cap_ms.unwrap_or(u64::MAX)));
        RetryPolicy {
            initial_ms,
            factor_percent: self.factor_percent.unwrap_or(usual.factor_percent),
            cap_ms: self.cap_ms.unwrap_or(usual.cap_ms).max(initial_ms),
        }
    }
}

/// A factor such as `2` or `1.5`, in hundredths.
fn factor_percent(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<u32> {
    let text = entry.number(faults)?;
    let percent = hundredths(text).filter(|percent| {
        let (least, most) = RETRY_FACTOR_PERCENT_LIMITS;
        (least..=most).contains(percent)
    });
    if percent.is_none() {
        let message = format!(
            "'{text}' is not a valid factor; write a number from 1 to 10 with at most two decimals, for example 1.5."
        );
        faults.add(&entry.spot, ErrorCode::BadFactor, message);
    }
    percent
}

fn hundredths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole: u32 = whole.parse().ok()?;
    let decimals: u32 = if decimals.is_empty() { 0 } else { format!("{decimals:0<2}").get(..2)?.parse().ok()? };
    let is_exact = text.split_once('.').is_none_or(|(_, decimals)| decimals.get(2..).is_none_or(str::is_empty));
    whole.checked_mul(100)?.checked_add(decimals).filter(|_| is_exact)
}

#[cfg(test)]
mod tests {
    use super::super::event_rule::Body;
    use super::super::{Catalog, REFERENCE_TEXT};
    use super::*;

    /// The attempt time-out and the pauses (first, factor, longest) of each step of the event type `t`.
    fn timings(defaults: &str, of_type: &str, steps: &[&str]) -> Vec<(u64, u64, u32, u64)> {
        let step = |keys: &&str| format!("{{ role = 'r', operation = 'o', {keys} }}");
        let steps = steps.iter().map(step).collect::<Vec<_>>().join(", ");
        let text = format!("[defaults]\n{defaults}\n[events.t]\n{of_type}\nsteps = [{steps}]\n[events.t.data]\n");
        let catalog = Catalog::parse(&text).unwrap();
        let Body::Order(order) = &catalog.rule("t").unwrap().body else { panic!("one order") };
        let timing = |step: &super::super::event_rule::StepRule| {
            (step.attempt_timeout_ms, step.retry.initial_ms, step.retry.factor_percent, step.retry.cap_ms)
        };
        order.steps.iter().map(timing).collect()
    }

    #[test]
    fn where_nobody_says_anything_the_usual_holds() {
        assert_eq!(timings("", "", &[""]), [(30_000, 1_000, 200, 60_000)]);
        assert!(!REFERENCE_TEXT.contains("\n[defaults]"), "the reference catalog shows what is usual");
    }

    #[test]
    fn a_step_says_more_than_its_event_type_and_that_more_than_the_defaults() {
        let defaults = "attempt_timeout = '1s'\nretry = { initial = '2s', factor = 3, cap = '40s' }";
        let of_type = "attempt_timeout = '5s'\nretry = { cap = '6s' }";
        let steps = ["", "attempt_timeout = '7s'", "retry = { factor = 1.5 }"];
        assert_eq!(
            timings(defaults, of_type, &steps),
            [(5_000, 2_000, 300, 6_000), (7_000, 2_000, 300, 6_000), (5_000, 2_000, 150, 6_000)]
        );
        assert_eq!(timings(defaults, "", &[""]), [(1_000, 2_000, 300, 40_000)]);
    }

    #[test]
    fn the_usual_first_or_longest_pause_gives_way_to_the_one_that_is_said() {
        assert_eq!(timings("retry = { cap = '500ms' }", "", &[""]), [(30_000, 500, 200, 500)]);
        assert_eq!(timings("retry = { initial = '5m' }", "", &[""]), [(30_000, 300_000, 200, 300_000)]);
    }

    #[test]
    fn a_factor_has_at_most_two_decimals() {
        assert_eq!([hundredths("2"), hundredths("1.5"), hundredths("1.25")], [Some(200), Some(150), Some(125)]);
        for text in ["1.255", "-2", "1e1", "inf", "", "99999999"] {
            assert_eq!(hundredths(text), None, "{text}");
        }
    }
}
