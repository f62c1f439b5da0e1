//! The rate limit of a target's queue: what it should be, what the server was told, and why.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Effect, ProbeCourse, Target, TargetState};
use crate::ids::Timestamp;
use crate::kept_text::kept;

/// The highest rate that can be set, in requests per second: more than any queue dispatches.
const RATE_MAX: f64 = 1_000_000.0;
/// How long to wait before trying again if the server could not be told a limit, in milliseconds.
const TOLD_AGAIN_AFTER_MS: u64 = 5_000;
/// The largest note that the server stores with a limit, in bytes.
const NOTE_BYTES_MAX: usize = 1_000;

/// Requests per second, in thousandths; on the wire a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate {
    thousandths: u64,
}

/// Why a number is not a valid rate.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("'{0}' is not a valid rate: it must be from 0 to {RATE_MAX} requests per second")]
pub struct RateError(f64);

impl Rate {
    /// No requests at all.
    pub const ZERO: Self = Self { thousandths: 0 };

    /// This many requests per second.
    pub const fn per_second(requests: u32) -> Self {
        Self { thousandths: requests as u64 * 1_000 }
    }

    /// The same as a number.
    #[allow(clippy::cast_precision_loss)] // at most RATE_MAX thousandfold
    pub fn get(self) -> f64 {
        self.thousandths as f64 / 1_000.0
    }

    /// Whether it allows no requests at all.
    pub fn is_zero(self) -> bool {
        self.thousandths == 0
    }
}

impl TryFrom<f64> for Rate {
    type Error = RateError;

    fn try_from(requests: f64) -> Result<Self, RateError> {
        if !(0.0..=RATE_MAX).contains(&requests) {
            return Err(RateError(requests));
        }
        #[allow(clippy::cast_sign_loss)] // checked above
        Ok(Self { thousandths: (requests * 1_000.0).round() as u64 })
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> f64 {
        rate.get()
    }
}

/// The limit of a queue: a rate, or none; on the wire a number or null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limit(pub Option<Rate>);

impl Limit {
    /// No limit.
    pub const NONE: Self = Self(None);
    /// Nothing is dispatched.
    pub const STOPPED: Self = Self(Some(Rate::ZERO));

    /// The lower of the two.
    fn lowest(self, other: Rate) -> Self {
        Self(Some(self.0.map_or(other, |rate| rate.min(other))))
    }

    /// Whether it allows at least as much as the other.
    pub(super) fn is_at_least(self, other: Self) -> bool {
        match (self.0, other.0) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(this), Some(other)) => this >= other,
        }
    }
}

/// The limit of a queue on the server, and the reason for it. It is stored with the limit there, as JSON, and survives the target entity:
/// an entity that was terminated and started again finds in it what only a person may change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitRecord {
    /// The limit over all namespaces together.
    pub limit: Limit,
    /// The state of the target entity that set it.
    #[serde(default)]
    pub state: String,
    /// The rate that a person set instead of the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_to: Option<Rate>,
    /// Until when, if a person set that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl LimitRecord {
    /// A limit without further information.
    pub fn of(limit: Limit) -> Self {
        Self { limit, state: String::new(), limited_to: None, until: None, actor: None, reason: None }
    }

    /// The same, with a person's texts shortened until the server accepts it.
    fn shortened(mut self) -> Self {
        for characters in [200, 50, 10, 0] {
            if serde_json::to_string(&self).is_ok_and(|json| json.len() <= NOTE_BYTES_MAX) {
                break;
            }
            for words in [&mut self.actor, &mut self.reason].into_iter().flatten() {
                *words = words.chars().take(characters).collect();
            }
        }
        self
    }
}

impl Target {
    /// The rate at which the target is called when it is healthy: the one set by a person, or the configured one.
    pub(super) fn rate(&self) -> Limit {
        Limit(self.limited.as_ref().map(|limited| limited.rate).or(self.rules.rate))
    }

    /// The limit that the state requires; none if the queue's limit on the server is not known yet.
    pub(super) fn wanted(&self) -> Option<Limit> {
        match &self.state {
            _ if self.fresh => None,
            TargetState::Closed => Some(self.rate()),
            TargetState::Ramping { stage, .. } => Some(self.rate().lowest(ramp_rate(*stage))),
            TargetState::Open { .. }
            | TargetState::Probing
            | TargetState::Maintenance { .. }
            | TargetState::Paused { .. } => Some(Limit::STOPPED),
        }
    }

    /// Whether the note that is stored with the limit on the server is being read: the running probe returns it.
    pub(super) fn reads_note(&self) -> bool {
        self.note_unread && self.probe != ProbeCourse::Idle
    }

    /// Tells the server the limit, if it was last told another. At most one such call runs at a time.
    pub(super) fn tell_limit(&mut self, now: Timestamp) -> Option<Effect> {
        let limit = self.wanted()?;
        let too_soon = self.tell_again_at.is_some_and(|at| now < at);
        let is_told = self.told == Some(limit) && !self.tell_anew;
        if self.reads_note() || self.telling.is_some() || is_told || too_soon {
            return None;
        }
        self.tell_again_at = None;
        self.tell_anew = false;
        self.telling = Some(limit);
        Some(Effect::SetLimit { limit, record: self.record(limit) })
    }

    pub(super) fn limit_was_set(&mut self, now: Timestamp, result: Result<(), String>) {
        let Some(limit) = self.telling.take() else { return };
        match result {
            Ok(()) => {
                self.told = Some(limit);
                self.told_in_vain = None;
                let told_as_wanted = self.wanted() == Some(limit);
                if let TargetState::Ramping { next_at, .. } = &mut self.state
                    && told_as_wanted
                {
                    // A stage lasts from the time when the server knows its limit.
                    *next_at = now.plus_ms(self.rules.ramp_stage_ms);
                }
            }
            Err(detail) => {
                let detail = kept(detail);
                // It may have been told in one namespace and not in another.
                self.told = None;
                self.tell_again_at = Some(now.plus_ms(TOLD_AGAIN_AFTER_MS));
                if self.told_in_vain.is_none() {
                    self.note(now, "limit_not_set", None, Some(detail.clone()));
                }
                self.told_in_vain = Some(detail);
            }
        }
    }

    fn record(&self, limit: Limit) -> LimitRecord {
        let limited = self.limited.as_ref();
        let mut record = LimitRecord {
            state: self.state.name().as_str().to_owned(),
            limited_to: limited.map(|limited| limited.rate),
            actor: limited.map(|limited| limited.actor.clone()),
            reason: limited.map(|limited| limited.reason.clone()),
            ..LimitRecord::of(limit)
        };
        if let TargetState::Paused { until, actor, reason } = &self.state {
            record.until = *until;
            record.actor = Some(actor.clone());
            record.reason = Some(reason.clone());
        }
        record.shortened()
    }

    /// Starts again what was running when the previous run ended.
    pub(super) fn under_way_again(&mut self) {
        self.telling = None;
        self.probe = ProbeCourse::Idle;
        // It is unknown whether the running call reached the server.
        self.told = None;
    }
}

/// The rate of a ramp's stage, from 0: 1, 2, 4, …
pub(super) fn ramp_rate(stage: u32) -> Rate {
    Rate::per_second(1_u32.checked_shl(stage).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_requests_per_second() {
        assert_eq!(serde_json::to_value(Rate::per_second(7)).unwrap(), serde_json::json!(7.0));
        assert_eq!(serde_json::from_value::<Rate>(serde_json::json!(0.5)).unwrap(), Rate { thousandths: 500 });
        for wrong in [-1.0, f64::NAN, f64::INFINITY, RATE_MAX + 1.0] {
            assert!(Rate::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_a_number_or_null() {
        assert_eq!(serde_json::to_value(Limit::NONE).unwrap(), serde_json::Value::Null);
        assert_eq!(serde_json::to_value(Limit::STOPPED).unwrap(), serde_json::json!(0.0));
        assert!(Limit::NONE.is_at_least(Limit(Some(Rate::per_second(9)))));
        assert!(!Limit(Some(Rate::per_second(9))).is_at_least(Limit::NONE));
    }

    #[test]
    fn the_stages_of_a_ramp_double() {
        assert_eq!([0, 1, 2, 6].map(ramp_rate), [1, 2, 4, 64].map(Rate::per_second));
        assert_eq!(ramp_rate(40), Rate::per_second(u32::MAX));
    }
}
