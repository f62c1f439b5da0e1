//! The target machine: whether an outside system is called, and how often at most, as a pure function
//! `step(now, input) -> effects`.
//!
//! A target that is down is not called: the rate limit of its provisioning queue is 0 then, so that waiting steps stay in
//! the Temporal server and cost no attempts and no history. The machine hears of failures from the workers' breakers,
//! probes the target with back-off, and lets calls through again in a ramp.

#[cfg(test)]
mod settling;
#[cfg(test)]
mod tests;

mod actions;
mod limit;
mod maintenance;
mod outage;
mod rules;
mod state;
mod view;

pub use actions::{TargetAction, TargetActionDone, TargetActionKind};
pub use limit::{Limit, LimitRecord, Rate, RateError};
pub use maintenance::MaintenanceWindow;
pub use rules::{RuleFault, TargetRules};
pub use state::*;
pub use view::{BreakerView, ProbeView, TargetHistoryView, TargetView};

use serde::{Deserialize, Serialize};

use crate::action_words::Refusal;
use crate::ids::Timestamp;

/// What reaches a target entity, a person's actions aside: those are answered by [`Target::act`].
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Whoever has the settings says what they are. The limit is told to the server again.
    Configured(TargetRules),
    /// A worker process's breaker opened or closed.
    Reported(BreakerReport),
    /// The probe under way ended.
    Probed(ProbeAnswer),
    /// The server was told the limit under way, or could not be told it.
    LimitSet(Result<(), String>),
    /// The time asked for by [`Target::wake_at`] has come.
    Woke,
    /// An operator reset the workflow: what this entity told the server since is not in its state.
    WasReset,
    /// A new run begins: what was under way is to be started again.
    Resumed,
}

/// What a worker process says of its breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerReport {
    /// The process: unique among those that run.
    pub process: String,
    /// What its breaker did.
    pub transition: BreakerTransition,
    /// The failure that opened it, a sentence for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What a breaker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerTransition {
    /// It lets nothing through: calls failed.
    Opened,
    /// It lets calls through again: one succeeded.
    Closed,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Whether the target answers.
    pub finding: Finding,
    /// How its queue stands on the server; none where that could not be read.
    #[serde(default)]
    pub stands: Option<LimitRecord>,
}

/// Whether a target answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// It does.
    Up,
    /// It does not.
    Down {
        /// A sentence for a person.
        detail: String,
    },
    /// It cannot be asked so: it has no such operation, or is called by a worker in another language. The ramp will show.
    CannotTell {
        /// A sentence for a person.
        detail: String,
    },
    /// It was not asked: the probe itself failed.
    NotAsked {
        /// A sentence for a person.
        detail: String,
    },
}

/// What a target entity wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Tell the server the rate limit of the target's queue, in all namespaces. Answered by [`Input::LimitSet`].
    SetLimit {
        /// The limit over all namespaces together.
        limit: Limit,
        /// Why, kept beside the limit on the server: what a later life of this entity finds there.
        record: LimitRecord,
    },
    /// Ask the target whether it is there. Answered by [`Input::Probed`].
    Probe,
}

impl Target {
    /// Takes an input at a time and says what is to be done. Total: no input panics.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            Input::Configured(rules) => self.configured(now, rules),
            Input::Reported(report) => self.reported(now, report),
            Input::Probed(answer) => self.probed(now, answer),
            Input::LimitSet(result) => self.limit_was_set(now, result),
            Input::Woke => {}
            Input::WasReset => self.was_reset(now),
            Input::Resumed => self.under_way_again(),
        }
        self.advance(now)
    }

    /// Carries out a person's action, and answers it. The same action id again changes nothing.
    pub fn act(&mut self, now: Timestamp, action: &TargetAction) -> (Result<TargetActionDone, Refusal>, Vec<Effect>) {
        // What is due is due before the action: a pause that is over is over.
        let mut effects = self.advance(now);
        let answer = self.apply(now, action);
        effects.extend(self.advance(now));
        (answer, effects)
    }
}
