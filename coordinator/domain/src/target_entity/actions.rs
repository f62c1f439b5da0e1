//! What a person may do with a target. Each action has an id (repeating it changes nothing), a reason and an actor, and
//! is kept in the history.

use serde::{Deserialize, Serialize};

use super::{Limited, Rate, TARGET_ACTIONS_MAX, Target, TargetState, TargetStateName};
use crate::action_mark::ActionMark;
use crate::action_words::Refusal;
use crate::error_code::ErrorCode;
use crate::ids::Timestamp;
use crate::wire::WireName;

/// A person's action on a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetAction {
    /// Identifies the action: the same id again changes nothing.
    pub action_id: String,
    /// What to do.
    #[serde(flatten)]
    pub kind: TargetActionKind,
    /// Who does it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl TargetAction {
    /// The action as it is remembered.
    pub fn mark(&self) -> ActionMark {
        ActionMark::of(&self.actor, &self.action_id, &(&self.kind, &self.reason))
    }
}

/// What a person may do with a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum TargetActionKind {
    /// Send it nothing.
    Pause {
        /// Until when, in milliseconds since 1970; none until a person resumes it.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Probe it at once, and call it again if it answers: after a pause, in an outage, or before the end
    /// of a maintenance window.
    Resume,
    /// Limit its calls.
    Limit {
        /// Requests per second; none to return to the configured rate.
        #[serde(default)]
        per_second: Option<Rate>,
    },
}

impl TargetActionKind {
    /// The name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Limit { .. } => "limit",
        }
    }
}

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetActionDone {
    /// The target's state after it.
    pub state: WireName<TargetStateName>,
    /// Whether this action id was already taken, and nothing changed.
    pub repeated: bool,
}

fn refuse<T>(code: ErrorCode, detail: &str) -> Result<T, Refusal> {
    Err(Refusal { code: code.into(), detail: detail.to_owned() })
}

impl Target {
    pub(super) fn apply(&mut self, now: Timestamp, action: &TargetAction) -> Result<TargetActionDone, Refusal> {
        let mark = action.mark();
        if mark.is_among(self.actions.iter().map(String::as_str), &action.action_id)? {
            return Ok(self.done(true));
        }
        let who = Some(action.actor.clone());
        match &action.kind {
            TargetActionKind::Pause { until } => self.pause(now, *until, action)?,
            TargetActionKind::Resume => {
                self.resume(now)?;
                self.note(now, "resumed", who, Some(action.reason.clone()));
            }
            TargetActionKind::Limit { per_second } => self.limit(now, *per_second, action)?,
        }
        self.actions.push_back(mark.to_string());
        while self.actions.len() > TARGET_ACTIONS_MAX {
            self.actions.pop_front();
        }
        Ok(self.done(false))
    }

    fn done(&self, repeated: bool) -> TargetActionDone {
        TargetActionDone { state: self.state.name().into(), repeated }
    }

    fn pause(&mut self, now: Timestamp, until: Option<Timestamp>, action: &TargetAction) -> Result<(), Refusal> {
        if until.is_some_and(|until| until <= now) {
            return refuse(ErrorCode::PauseOver, "the end of the pause is in the past");
        }
        let (actor, reason) = (action.actor.clone(), action.reason.clone());
        self.note(now, "paused", Some(actor.clone()), Some(reason.clone()));
        self.enter(now, TargetState::Paused { until, actor, reason });
        // The reason stored with the limit on the server changes, even if the limit does not.
        self.tell_anew = true;
        Ok(())
    }

    fn resume(&mut self, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            TargetState::Closed | TargetState::Ramping { .. } => {
                return refuse(ErrorCode::TargetNotStopped, "the target is not paused or stopped");
            }
            TargetState::Maintenance { until } => self.maintenance_left_until = Some(until),
            TargetState::Open { .. } | TargetState::Probing | TargetState::Paused { .. } => {}
        }
        self.probe_now(now);
        self.failures_in_a_row = 0;
        self.tell_anew = true;
        Ok(())
    }

    fn limit(&mut self, now: Timestamp, rate: Option<Rate>, action: &TargetAction) -> Result<(), Refusal> {
        let (actor, reason) = (action.actor.clone(), action.reason.clone());
        let (what, detail) = match rate {
            Some(rate) if rate.is_zero() => {
                return refuse(ErrorCode::LimitIsZero, "a limit of 0 would send nothing; pause the target instead");
            }
            Some(rate) => ("limited", format!("{} per second: {reason}", rate.get())),
            None => ("limit_lifted", reason.clone()),
        };
        self.note(now, what, Some(actor.clone()), Some(detail));
        self.limited = rate.map(|rate| Limited { rate, actor, reason });
        // The note of an earlier life no longer matters: this action is newer.
        self.note_unread = false;
        self.tell_anew = true;
        Ok(())
    }
}
