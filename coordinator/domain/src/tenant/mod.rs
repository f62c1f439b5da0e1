//! A tenant: whether it is being prepared, is active, is leaving or has left. Pure: the workflow `TenantEntity` is a shell around
//! [`Tenant`].
//!
//! A tenant that was never on-boarded works with its settings alone. On-boarding prepares and checks what it needs, step by
//! step; a failed step is retried. Off-boarding waits until open orders have ended, and then rejects new events.

mod outlook;
mod own_subscription;
mod state;
mod subscriptions;
#[cfg(test)]
mod tests;
mod view;

pub use outlook::TenantOutlook;
pub use own_subscription::*;
pub use state::*;
pub use view::*;

use serde::{Deserialize, Serialize};

use crate::action_mark::ActionMark;
use crate::action_words::{Refusal, check_action_words};
use crate::error_code::{ErrorCode, ReasonCode};
use crate::ids::{SubscriptionId, Timestamp};
use crate::kept_text::kept;
use crate::wire::WireName;

/// The pause before a failed step is retried, in milliseconds; it doubles each time.
pub const RETRY_MS_MIN: u64 = 2_000;
/// The longest such pause, in milliseconds.
pub const RETRY_MS_MAX: u64 = 5 * 60 * 1_000;
/// How often to check whether a tenant that is leaving has open orders, in milliseconds.
pub const DRAIN_LOOK_MS: u64 = 5_000;
/// How many checks in a row must find none: the index that is checked lags a little.
pub const QUIET_LOOKS: u32 = 2;

/// The inputs of a tenant, except actions: those are answered by [`Tenant::act`].
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A step ended: with a sentence on the result, or why it failed.
    Prepared(Step, Result<String, StepFault>),
    /// The customers with open orders were counted.
    Counted(Result<u64, StepFault>),
    /// The time asked for by [`Tenant::wake_at`] has come.
    Woke,
    /// A new run starts: everything that was running must be started again.
    Resumed,
}

/// What a tenant wants the shell to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Prepare or check this: one activity. Answered by [`Input::Prepared`].
    Prepare(Step),
    /// Count the customers with open orders: one activity. Answered by [`Input::Counted`].
    Count,
    /// Tell all processes which subscriptions the tenant made itself. It has no answer.
    ShowSubscriptions(OwnSubscriptions),
    /// Tell the processes that accept events whether they must reject them. It has no answer.
    Show {
        /// Whether they must.
        refuses_events: bool,
    },
}

/// Why a step, or a count, failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepFault {
    /// A stable code.
    pub code: ReasonCode,
    /// A sentence for a person.
    pub detail: String,
}

impl StepFault {
    /// The fault of a step, or of a count, for a reason that has no code of its own.
    pub fn strange(detail: impl Into<String>) -> Self {
        Self { code: ErrorCode::TenantStepFailed.into(), detail: detail.into() }
    }
}

/// A person's action on a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantAction {
    /// Identifies the action: the same id again changes nothing.
    pub action_id: String,
    /// What to do.
    #[serde(flatten)]
    pub kind: TenantActionKind,
    /// Who does it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The sender's settings for the tenant; none if it did not send them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlook: Option<TenantOutlook>,
}

impl TenantAction {
    /// The action as it is remembered.
    pub fn mark(&self) -> ActionMark {
        ActionMark::of(&self.actor, &self.action_id, &(&self.kind, &self.reason))
    }
}

/// What a person may do with a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum TenantActionKind {
    /// Prepare and check everything that it needs; it may be repeated, and opens again a tenant that has left.
    Onboard,
    /// Wait until open orders have ended, then reject new events.
    Offboard {
        /// Whether new events are rejected at once; open orders still end normally.
        #[serde(default)]
        at_once: bool,
    },
    /// Tell a receiver what becomes of its events.
    Subscribe {
        /// The subscription.
        id: SubscriptionId,
        /// What it says.
        subscription: Box<OwnSubscription>,
    },
    /// Tell this receiver no more.
    Unsubscribe {
        /// The subscription.
        id: SubscriptionId,
    },
}

impl TenantActionKind {
    /// The name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Onboard => "onboard",
            Self::Offboard { .. } => "offboard",
            Self::Subscribe { .. } => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
        }
    }
}

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantActionDone {
    /// The tenant's state after it.
    pub state: WireName<TenantState>,
    /// Whether this action id was already taken, and nothing changed.
    pub repeated: bool,
}

impl Tenant {
    /// Takes one input and returns what to do. Total: an unexpected input changes nothing.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let resumed = input == Input::Resumed;
        match input {
            Input::Prepared(step, result) => self.prepared(now, step, result),
            Input::Counted(counted) => self.counted(now, counted),
            Input::Woke | Input::Resumed => {}
        }
        if resumed {
            return self.under_way.map(Task::effect).into_iter().collect();
        }
        self.go_on(now)
    }

    /// A person's action.
    ///
    /// # Errors
    /// [`Refusal`] if the action is invalid; then nothing changes.
    pub fn act(&mut self, now: Timestamp, action: &TenantAction) -> (Result<TenantActionDone, Refusal>, Vec<Effect>) {
        if let Err(refusal) = check_action_words(&action.action_id, &action.actor, &action.reason) {
            return (Err(refusal), Vec::new());
        }
        let mark = action.mark();
        let repeated = match mark.is_among(self.actions.iter().map(String::as_str), &action.action_id) {
            Ok(repeated) => repeated,
            Err(refusal) => return (Err(refusal), Vec::new()),
        };
        let mut effects = Vec::new();
        if !repeated {
            match self.take(now, action) {
                Ok(shown) => effects.extend(shown),
                Err(refusal) => return (Err(refusal), Vec::new()),
            }
            self.remember(mark.to_string());
        }
        effects.extend(self.go_on(now));
        (Ok(TenantActionDone { state: self.state.into(), repeated }), effects)
    }

    /// Takes an action that was not taken before.
    fn take(&mut self, now: Timestamp, action: &TenantAction) -> Result<Option<Effect>, Refusal> {
        let (what, state) = match &action.kind {
            TenantActionKind::Onboard => ("onboard", Some(TenantState::Onboarding)),
            // A tenant that has left stays so.
            TenantActionKind::Offboard { .. } if self.state == TenantState::Left => {
                ("offboard", Some(TenantState::Left))
            }
            TenantActionKind::Offboard { at_once: false } => ("offboard", Some(TenantState::Leaving)),
            TenantActionKind::Offboard { at_once: true } => ("offboard_at_once", Some(TenantState::Left)),
            TenantActionKind::Subscribe { id, subscription } => {
                self.may_subscribe(id, subscription)?;
                self.subscriptions.insert(id.clone(), (**subscription).clone());
                ("subscribed", None)
            }
            TenantActionKind::Unsubscribe { id } => {
                self.may_unsubscribe(id)?;
                self.subscriptions.remove(id);
                ("unsubscribed", None)
            }
        };
        self.note(now, what, Some(action.actor.clone()), Some(action.reason.clone()));
        if action.kind == TenantActionKind::Onboard {
            self.outlook.clone_from(&action.outlook);
        }
        match state {
            Some(state) => self.enter(now, state),
            None => return Ok(Some(Effect::ShowSubscriptions(self.subscriptions.clone()))),
        }
        Ok(None)
    }

    fn prepared(&mut self, now: Timestamp, step: Step, result: Result<String, StepFault>) {
        if self.under_way == Some(Task::Prepare(step)) {
            self.under_way = None;
        }
        if self.state != TenantState::Onboarding {
            return;
        }
        let entry = self.steps.entry(step).or_default();
        entry.attempts = entry.attempts.saturating_add(1);
        entry.at = Some(now);
        match result {
            Ok(detail) => (entry.outcome, self.failures_in_a_row) = (Some(Ok(kept(detail))), 0),
            Err(fault) => {
                let fault = StepFault { detail: kept(fault.detail), ..fault };
                entry.outcome = Some(Err(fault.clone()));
                if self.failures_in_a_row == 0 {
                    self.note(now, "step_failed", None, Some(format!("{}: {}", step.as_str(), fault.detail)));
                }
                self.pause(now);
            }
        }
    }

    fn counted(&mut self, now: Timestamp, counted: Result<u64, StepFault>) {
        if self.under_way == Some(Task::Count) {
            self.under_way = None;
        }
        if self.state != TenantState::Leaving {
            return;
        }
        match counted {
            Ok(customers) => {
                self.customers_left = Some(customers);
                self.drain_fault = None;
                self.failures_in_a_row = 0;
                self.quiet_looks = if customers == 0 { self.quiet_looks.saturating_add(1) } else { 0 };
                self.not_before = Some(now.plus_ms(DRAIN_LOOK_MS));
                if self.quiet_looks >= QUIET_LOOKS {
                    self.note(now, "drained", None, None);
                    self.enter(now, TenantState::Left);
                }
            }
            Err(fault) => {
                self.quiet_looks = 0;
                self.drain_fault = Some(fault);
                self.pause(now);
            }
        }
    }

    /// Waits before a failed step is retried.
    fn pause(&mut self, now: Timestamp) {
        let wait = RETRY_MS_MIN.saturating_mul(1 << self.failures_in_a_row.min(16)).min(RETRY_MS_MAX);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.not_before = Some(now.plus_ms(wait));
    }

    /// Starts what is due, if nothing is running.
    fn go_on(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.under_way.is_none() && self.not_before.is_none_or(|at| now >= at) {
            self.under_way = match self.state {
                TenantState::Onboarding => self.next_step().map(Task::Prepare),
                TenantState::Leaving => Some(Task::Count),
                TenantState::Active | TenantState::Left => None,
            };
            if self.under_way.is_none() && self.state == TenantState::Onboarding {
                self.note(now, "onboarded", None, None);
                self.enter(now, TenantState::Active);
            }
            if self.under_way.is_some() {
                self.not_before = None;
            }
            effects.extend(self.under_way.map(Task::effect));
        }
        let refuses_events = self.refuses_events();
        if self.shown_refuses_events != refuses_events {
            self.shown_refuses_events = refuses_events;
            effects.push(Effect::Show { refuses_events });
        }
        effects
    }

    /// The first step that is not done.
    fn next_step(&self) -> Option<Step> {
        let is_done = |step: &Step| self.steps.get(step).is_some_and(|entry| matches!(entry.outcome, Some(Ok(_))));
        Step::ALL.into_iter().find(|step| !is_done(step))
    }

    /// When this tenant must be woken, if nothing else happens.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| {
            self.under_way.is_none() && matches!(self.state, TenantState::Onboarding | TenantState::Leaving)
        })
    }

    fn enter(&mut self, now: Timestamp, state: TenantState) {
        if state == TenantState::Onboarding {
            // Everything is checked again: what was right once may not be any more.
            self.steps.clear();
        }
        match state {
            TenantState::Active => self.refuses_events = false,
            TenantState::Left => self.refuses_events = true,
            TenantState::Onboarding | TenantState::Leaving => {}
        }
        if self.state != state {
            self.since = now;
        }
        self.state = state;
        self.quiet_looks = 0;
        self.failures_in_a_row = 0;
        self.not_before = None;
        self.drain_fault = None;
        if state != TenantState::Left {
            self.customers_left = None;
        }
    }
}
