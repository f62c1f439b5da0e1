//! The target machine: whether an outside system is called, and at which rate at most, as a pure function
//! `step(now, input) -> effects`.
//!
//! A target that is down is not called: the rate limit of its provisioning queue is then 0, so that waiting steps stay in
//! the Temporal server and cost no attempts and no history. The workers' breakers report failures to the machine. It
//! probes the target with back-off, and raises the limit again in a ramp.

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

/// The inputs of a target entity, except a person's actions: those are answered by [`Target::act`].
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A process with the settings sends them. The server is told the limit again.
    Configured(TargetRules),
    /// A worker process's breaker opened or closed.
    Reported(BreakerReport),
    /// The running probe ended.
    Probed(ProbeAnswer),
    /// The call that tells the server a limit ended: it succeeded, or failed with this reason.
    LimitSet(Result<(), String>),
    /// The time asked for by [`Target::wake_at`] has come.
    Woke,
    /// An operator reset the workflow: the state lacks what this entity told the server since then.
    WasReset,
    /// A new run starts: everything that was running must be started again.
    Resumed,
}

/// A worker process's report about its breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerReport {
    /// The process: unique among those that are running.
    pub process: String,
    /// What its breaker did.
    pub transition: BreakerTransition,
    /// The failure that opened it, a sentence for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// How a breaker changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerTransition {
    /// It blocks calls: calls failed.
    Opened,
    /// It allows calls again: one succeeded.
    Closed,
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Whether the target answers.
    pub finding: Finding,
    /// The limit of its queue on the server; none if that could not be read.
    #[serde(default)]
    pub stands: Option<LimitRecord>,
}

/// Whether a target answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// It answers.
    Up,
    /// It does not answer.
    Down {
        /// A sentence for a person.
        detail: String,
    },
    /// It cannot be probed: it has no such operation, or is called by a worker in another language. The ramp will show.
    CannotTell {
        /// A sentence for a person.
        detail: String,
    },
    /// It was not probed: the probe itself failed.
    NotAsked {
        /// A sentence for a person.
        detail: String,
    },
}

/// What a target entity wants the shell to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Tell the server the rate limit of the target's queue, in all namespaces. Answered by [`Input::LimitSet`].
    SetLimit {
        /// The limit over all namespaces together.
        limit: Limit,
        /// The reason, stored with the limit on the server: a later life of this entity reads it.
        record: LimitRecord,
    },
    /// Probe the target. Answered by [`Input::Probed`].
    Probe,
}

impl Target {
    /// Takes one input and returns what to do. Total: no input panics.
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

    /// Performs a person's action, and answers it. The same action id again changes nothing.
    pub fn act(&mut self, now: Timestamp, action: &TargetAction) -> (Result<TargetActionDone, Refusal>, Vec<Effect>) {
        // Handle what is due before the action: a pause may just have ended.
        let mut effects = self.advance(now);
        let answer = self.apply(now, action);
        effects.extend(self.advance(now));
        (answer, effects)
    }
}
