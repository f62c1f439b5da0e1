//! What a target entity knows. All of it travels through continue-as-new.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Effect, Limit, Rate, TargetRules};
use crate::ids::{TargetId, Timestamp};
use crate::kept_text::kept;
use crate::wire::wire_words;

/// How many entries of a target's history are kept.
pub const TARGET_HISTORY_MAX: usize = 100;
/// How many actions are remembered, to recognise repeated ids.
pub const TARGET_ACTIONS_MAX: usize = 64;
/// How many open breakers are remembered, one per process.
pub const OPEN_BREAKERS_MAX: usize = 200;

/// One target entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The target.
    pub(super) name: TargetId,
    /// Its configuration.
    #[serde(default)]
    pub(super) rules: TargetRules,
    /// Whether it is called.
    pub(super) state: TargetState,
    /// Since when it is in this state.
    pub(super) since: Timestamp,
    /// Since when it counts as down, until it is called as often as before: over all probes and ramps of one outage.
    #[serde(default)]
    pub(super) down_since: Option<Timestamp>,
    /// When it last received an input.
    #[serde(default)]
    pub(super) seen_at: Timestamp,
    /// Whether the limit of its queue on the server is still unknown.
    #[serde(default)]
    pub(super) fresh: bool,
    /// Whether the note that an earlier life of this entity stored with the limit on the server is still unread: until it is read, the
    /// limit is not changed, because that would overwrite the note.
    #[serde(default)]
    pub(super) note_unread: bool,
    /// The rate that a person set.
    #[serde(default)]
    pub(super) limited: Option<Limited>,
    /// The limit that the server was last told; none if that is not known.
    #[serde(default)]
    pub(super) told: Option<Limit>,
    /// Whether the server must be told again, although the limit is the same: it may have been changed there, or the stored reason
    /// differs.
    #[serde(default)]
    pub(super) tell_anew: bool,
    /// The limit that the server is being told now.
    #[serde(default)]
    pub(super) telling: Option<Limit>,
    /// Earliest time of the next try, after the server could not be told.
    #[serde(default)]
    pub(super) tell_again_at: Option<Timestamp>,
    /// Why it could not be told, if the last try failed.
    #[serde(default)]
    pub(super) told_in_vain: Option<String>,
    /// Whether a probe is running.
    #[serde(default)]
    pub(super) probe: ProbeCourse,
    /// Earliest time of the next probe, after the first probe could not be made.
    #[serde(default)]
    pub(super) ask_again_at: Option<Timestamp>,
    /// The result of the last probe.
    #[serde(default)]
    pub(super) last_probe: Option<LastProbe>,
    /// How often in a row a probe found it down, or a ramp failed: the back-off.
    #[serde(default)]
    pub(super) failures_in_a_row: u32,
    /// The processes whose breakers are open.
    #[serde(default)]
    pub(super) open_breakers: BTreeMap<String, OpenBreaker>,
    /// The end of the maintenance window that a person ended early.
    #[serde(default)]
    pub(super) maintenance_left_until: Option<Timestamp>,
    /// Actions that were taken, oldest first.
    #[serde(default)]
    pub(super) actions: VecDeque<String>,
    /// What happened, oldest first, bounded.
    #[serde(default)]
    pub(super) history: VecDeque<TargetHistoryEntry>,
}

/// Whether a target is called, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TargetState {
    /// It is called.
    Closed,
    /// It is down, and will be probed.
    Open {
        /// When.
        probe_at: Timestamp,
    },
    /// It is being probed.
    Probing,
    /// It is called again, at a rate that grows from stage to stage.
    Ramping {
        /// The stage, from 0: 1, 2, 4 … requests a second.
        stage: u32,
        /// When the next one starts.
        next_at: Timestamp,
    },
    /// It is in a maintenance window.
    Maintenance {
        /// Until when.
        until: Timestamp,
    },
    /// A person has stopped the calls.
    Paused {
        /// Until when; none until a person resumes it.
        until: Option<Timestamp>,
        /// Who.
        actor: String,
        /// Why.
        reason: String,
    },
}

wire_words! {
    /// Whether a target is called, in one word.
    TargetStateName {
        /// It is called.
        Closed = "closed",
        /// It is down.
        Open = "open",
        /// It is down, and is being probed.
        Probing = "probing",
        /// It is called again, at a growing rate.
        Ramping = "ramping",
        /// It is in maintenance, and is not called.
        Maintenance = "maintenance",
        /// A person has stopped the calls.
        Paused = "paused",
    }
}

impl TargetState {
    /// The name on the wire, for views and metrics.
    pub fn name(&self) -> TargetStateName {
        match self {
            Self::Closed => TargetStateName::Closed,
            Self::Open { .. } => TargetStateName::Open,
            Self::Probing => TargetStateName::Probing,
            Self::Ramping { .. } => TargetStateName::Ramping,
            Self::Maintenance { .. } => TargetStateName::Maintenance,
            Self::Paused { .. } => TargetStateName::Paused,
        }
    }
}

/// A rate that a person set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limited {
    /// The rate.
    pub rate: Rate,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Whether a probe is running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeCourse {
    /// No.
    #[default]
    Idle,
    /// One is.
    UnderWay,
    /// Yes, and its answer will be ignored.
    InVain,
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastProbe {
    /// When.
    pub at: Timestamp,
    /// Whether the target answered.
    pub up: bool,
    /// A sentence for a person.
    pub detail: String,
}

/// A breaker that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBreaker {
    /// When it opened last.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// One line of a target's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHistoryEntry {
    /// When.
    pub at: Timestamp,
    /// What: `began`, `reset`, `configured`, `opened`, `reopened`, `ramping`, `closed`, `maintenance`, `maintenance_over`, `paused`,
    /// `pause_over`, `resumed`, `limited`, `limit_lifted`, `limit_not_set`.
    pub what: String,
    /// Who, if it was a person.
    pub who: Option<String>,
    /// A sentence for a person, if there is more to say.
    pub detail: Option<String>,
}

impl Target {
    /// After a reset of the workflow it asks again for the state of its target and queue, as a new entity does: the server knows what
    /// people ordered since then.
    pub(super) fn was_reset(&mut self, now: Timestamp) {
        let blank = Self::new(self.name.clone(), self.rules.clone(), now);
        let before = std::mem::replace(self, blank);
        self.telling = before.telling;
        self.probe = before.probe;
        self.maintenance_left_until = before.maintenance_left_until;
        self.actions = before.actions;
        self.history = before.history;
        self.note(now, "reset", None, None);
    }

    /// A new target entity: it first asks for the state of its target and queue.
    pub fn new(name: TargetId, rules: TargetRules, now: Timestamp) -> Self {
        Self {
            name,
            rules,
            state: TargetState::Probing,
            since: now,
            down_since: None,
            seen_at: now,
            fresh: true,
            note_unread: true,
            limited: None,
            told: None,
            tell_anew: false,
            telling: None,
            tell_again_at: None,
            told_in_vain: None,
            probe: ProbeCourse::Idle,
            ask_again_at: None,
            last_probe: None,
            failures_in_a_row: 0,
            open_breakers: BTreeMap::new(),
            maintenance_left_until: None,
            actions: VecDeque::new(),
            history: VecDeque::new(),
        }
    }

    /// The target.
    pub fn name(&self) -> &TargetId {
        &self.name
    }

    /// Its configuration.
    pub fn rules(&self) -> &TargetRules {
        &self.rules
    }

    /// Whether nothing is running: the time to continue as new.
    pub fn is_idle(&self) -> bool {
        self.telling.is_none() && self.probe == ProbeCourse::Idle
    }

    /// When it must be woken.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let by_state = match &self.state {
            TargetState::Open { probe_at } => Some(*probe_at),
            // The time of a stage starts once the server knows its limit.
            TargetState::Ramping { next_at, .. } => Some(*next_at).filter(|_| self.told == self.wanted()),
            TargetState::Maintenance { until } => Some(*until),
            TargetState::Paused { until, .. } => *until,
            TargetState::Closed | TargetState::Probing => None,
        };
        let to_tell = self.tell_again_at.filter(|_| self.telling.is_none() && !self.fresh && !self.reads_note());
        let to_ask = self.ask_again_at.filter(|_| self.probe == ProbeCourse::Idle);
        [by_state, to_tell, to_ask, self.next_maintenance(now)].into_iter().flatten().min()
    }

    /// Applies what is due, and returns what to do.
    pub(super) fn advance(&mut self, now: Timestamp) -> Vec<Effect> {
        self.seen_at = now;
        self.keep_time(now);
        let mut effects: Vec<Effect> = self.tell_limit(now).into_iter().collect();
        // The target is probed once no calls are sent to it; if the server cannot be told to stop them, it is probed anyway.
        let is_stopped = self.fresh || self.told == Some(Limit::STOPPED) || self.told_in_vain.is_some();
        let too_soon = self.ask_again_at.is_some_and(|at| now < at);
        if self.state == TargetState::Probing && self.probe == ProbeCourse::Idle && is_stopped && !too_soon {
            self.ask_again_at = None;
            self.probe = ProbeCourse::UnderWay;
            effects.push(Effect::Probe);
        }
        effects
    }

    /// Changes the state.
    pub(super) fn enter(&mut self, now: Timestamp, state: TargetState) {
        if state != TargetState::Probing && self.probe == ProbeCourse::UnderWay {
            self.probe = ProbeCourse::InVain;
        }
        if state.name() != self.state.name() {
            self.since = now;
        }
        self.state = state;
        self.fresh = false;
        self.ask_again_at = None;
    }

    /// Adds a line to the history.
    pub(super) fn note(&mut self, at: Timestamp, what: &str, who: Option<String>, detail: Option<String>) {
        let detail = detail.map(kept);
        self.history.push_back(TargetHistoryEntry { at, what: what.to_owned(), who, detail });
        while self.history.len() > TARGET_HISTORY_MAX {
            self.history.pop_front();
        }
    }
}
