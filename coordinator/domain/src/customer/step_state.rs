//! The state of a step, and what its earlier calls may have left behind.

use serde::{Deserialize, Serialize};

use crate::error_code::ReasonCode;

/// The state of a step. Only a step that has not ended may have calls with an unknown result.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StoredStep", into = "StoredStep")]
pub enum StepState {
    /// Not started, or to be run again.
    Open {
        /// What its earlier calls may have left behind.
        earlier: EarlierCalls,
    },
    /// Its call is running.
    Running {
        /// What its earlier calls may have left behind.
        earlier: EarlierCalls,
    },
    /// It waits for a person.
    Held {
        /// A stable code.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
        /// What its earlier calls may have left behind.
        earlier: EarlierCalls,
    },
    /// Its effect is confirmed.
    Done,
    /// It is skipped.
    Skipped {
        /// Why: `not_holder`, `superseded`, `person`, or the code of the failure.
        code: ReasonCode,
    },
    /// Its order ended before it started.
    Cancelled {
        /// Whether it may still have been done, before the workflow was reset.
        after_reset: bool,
    },
}

/// What earlier calls of a step that has not ended may have left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EarlierCalls {
    /// Whether a call of it that may have been sent was cancelled, or ended otherwise without an outcome.
    pub maybe_sent: bool,
    /// Whether the workflow was reset to a point before its end, and no outcome came since: it may have been sent.
    pub after_reset: bool,
}

impl EarlierCalls {
    /// One was sent, or may have been, before the workflow was reset, and is no longer in flight.
    const BEFORE_RESET: Self = Self { maybe_sent: false, after_reset: true };
}

impl StepState {
    /// Not started, and never called.
    pub const fn open() -> Self {
        Self::Open { earlier: EarlierCalls { maybe_sent: false, after_reset: false } }
    }

    /// Whether it has not started, or must run again.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether its call is running.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Whether it waits for a person.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Why it waits for a person, if it does: a stable code and a sentence.
    pub(super) fn held_because(&self) -> Option<(&ReasonCode, &str)> {
        match self {
            Self::Held { code, detail, .. } => Some((code, detail)),
            _ => None,
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done | Self::Skipped { .. } | Self::Cancelled { .. })
    }

    /// What its earlier calls may have left behind; nothing if it has ended.
    pub fn earlier(&self) -> EarlierCalls {
        match self {
            Self::Open { earlier } | Self::Running { earlier } | Self::Held { earlier, .. } => *earlier,
            Self::Done | Self::Skipped { .. } | Self::Cancelled { .. } => EarlierCalls::default(),
        }
    }

    /// Whether an earlier call of it may have been sent, and may still arrive.
    pub fn maybe_sent(&self) -> bool {
        self.earlier().maybe_sent
    }

    /// Whether a call of it is running, or may still arrive.
    pub fn is_in_flight(&self) -> bool {
        self.is_running() || self.maybe_sent()
    }

    /// Whether it has started: its effect is confirmed, or a call of it is running or may still arrive.
    pub fn has_begun(&self) -> bool {
        *self == Self::Done || self.is_in_flight()
    }

    /// Whether it was given up, and may still have been done before the workflow was reset.
    pub(super) fn may_be_done_all_the_same(&self) -> bool {
        matches!(self, Self::Cancelled { after_reset: true })
    }

    fn earlier_mut(&mut self) -> Option<&mut EarlierCalls> {
        match self {
            Self::Open { earlier } | Self::Running { earlier } | Self::Held { earlier, .. } => Some(earlier),
            Self::Done | Self::Skipped { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// A call of it that has ended may have been sent.
    pub(super) fn note_maybe_sent(&mut self) {
        if let Some(earlier) = self.earlier_mut() {
            earlier.maybe_sent = true;
        }
    }

    /// The workflow was reset: what was sent before is not known.
    pub(super) fn note_reset(&mut self) {
        if let Some(earlier) = self.earlier_mut() {
            earlier.after_reset = true;
        }
    }

    /// A request that may have been sent has arrived by now; it is read back anyway.
    pub(super) fn note_arrived(&mut self) {
        if let Some(earlier) = self.earlier_mut() {
            *earlier = EarlierCalls::BEFORE_RESET;
        }
    }

    /// An outcome came: it settles all earlier calls.
    pub(super) fn note_outcome(&mut self) {
        if let Some(earlier) = self.earlier_mut() {
            *earlier = EarlierCalls::default();
        }
    }
}

/// The serialised form: three fields of its step, since 0.1.0.
#[derive(Serialize, Deserialize)]
struct StoredStep {
    state: StoredState,
    maybe_sent: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    after_reset: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
enum StoredState {
    Open,
    Running,
    Held { code: ReasonCode, detail: String },
    Done,
    Skipped { code: ReasonCode },
    Cancelled,
}

impl From<StoredStep> for StepState {
    fn from(StoredStep { state, maybe_sent, after_reset }: StoredStep) -> Self {
        let earlier = EarlierCalls { maybe_sent, after_reset };
        match state {
            StoredState::Open => Self::Open { earlier },
            StoredState::Running => Self::Running { earlier },
            StoredState::Held { code, detail } => Self::Held { code, detail, earlier },
            StoredState::Done => Self::Done,
            StoredState::Skipped { code } => Self::Skipped { code },
            StoredState::Cancelled => Self::Cancelled { after_reset },
        }
    }
}

impl From<StepState> for StoredStep {
    fn from(state: StepState) -> Self {
        let EarlierCalls { maybe_sent, after_reset } = state.earlier();
        let after_reset = after_reset || state.may_be_done_all_the_same();
        let state = match state {
            StepState::Open { .. } => StoredState::Open,
            StepState::Running { .. } => StoredState::Running,
            StepState::Held { code, detail, .. } => StoredState::Held { code, detail },
            StepState::Done => StoredState::Done,
            StepState::Skipped { code } => StoredState::Skipped { code },
            StepState::Cancelled { .. } => StoredState::Cancelled,
        };
        Self { state, maybe_sent, after_reset }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error_code::ErrorCode;

    fn read(stored: &Value) -> StepState {
        serde_json::from_value(stored.clone()).unwrap()
    }

    #[test]
    fn a_step_is_written_and_read_as_three_fields() {
        let earlier = |maybe_sent, after_reset| EarlierCalls { maybe_sent, after_reset };
        let code = || ReasonCode::from(ErrorCode::Ambiguous);
        let stored = [
            (StepState::open(), json!({ "state": { "is": "open" }, "maybe_sent": false })),
            (
                StepState::Open { earlier: earlier(true, true) },
                json!({ "state": { "is": "open" }, "maybe_sent": true, "after_reset": true }),
            ),
            (
                StepState::Running { earlier: earlier(true, false) },
                json!({ "state": { "is": "running" }, "maybe_sent": true }),
            ),
            (
                StepState::Held { code: code(), detail: "why".to_owned(), earlier: earlier(true, false) },
                json!({ "state": { "is": "held", "code": "ambiguous", "detail": "why" }, "maybe_sent": true }),
            ),
            (StepState::Done, json!({ "state": { "is": "done" }, "maybe_sent": false })),
            (
                StepState::Skipped { code: code() },
                json!({ "state": { "is": "skipped", "code": "ambiguous" }, "maybe_sent": false }),
            ),
            (
                StepState::Cancelled { after_reset: true },
                json!({ "state": { "is": "cancelled" }, "maybe_sent": false, "after_reset": true }),
            ),
        ];
        for (state, stored) in stored {
            assert_eq!(serde_json::to_value(&state).unwrap(), stored);
            assert_eq!(read(&stored), state);
        }
    }

    #[test]
    fn a_step_that_is_over_has_no_call_that_may_still_land() {
        assert_eq!(read(&json!({ "state": { "is": "done" }, "maybe_sent": true })), StepState::Done);
    }
}
