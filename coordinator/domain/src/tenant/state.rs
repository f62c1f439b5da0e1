//! The state of a tenant's workflow. All of it travels through continue-as-new.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::own_subscription::OwnSubscriptions;
use super::{Effect, StepFault, TenantOutlook};
use crate::ids::{TenantId, Timestamp};
use crate::kept_text::kept;
use crate::wire::WireWord;

/// How many lines of a tenant's history are kept, and how many actions are recognised.
pub const REMEMBERED_MAX: usize = 100;

/// The state of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    /// What it needs is being prepared and checked.
    Onboarding,
    /// It is active.
    Active,
    /// Its open orders are ending.
    Leaving,
    /// Its new events are rejected.
    Left,
}

impl TenantState {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Onboarding => "onboarding",
            Self::Active => "active",
            Self::Leaving => "leaving",
            Self::Left => "left",
        }
    }
}

impl WireWord for TenantState {
    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

/// What a tenant needs, in the order in which it is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = OnboardingStep))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Its namespace exists.
    Namespace,
    /// Interlock's search attributes are registered in it.
    SearchAttributes,
    /// The schedules of the namespace exist.
    Schedules,
    /// The queues of its targets have its share.
    Queues,
    /// Its targets answer.
    Targets,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Namespace, Self::SearchAttributes, Self::Schedules, Self::Queues, Self::Targets];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::SearchAttributes => "search_attributes",
            Self::Schedules => "schedules",
            Self::Queues => "queues",
            Self::Targets => "targets",
        }
    }
}

impl WireWord for Step {
    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

/// The state of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepEntry {
    /// The result of the last try; none before the first.
    pub outcome: Option<Result<String, StepFault>>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub at: Option<Timestamp>,
}

/// What is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A step.
    Prepare(Step),
    /// Counting the customers with open orders.
    Count,
}

impl Task {
    pub(super) fn effect(self) -> Effect {
        match self {
            Self::Prepare(step) => Effect::Prepare(step),
            Self::Count => Effect::Count,
        }
    }
}

/// One line of a tenant's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantHistoryEntry {
    /// When.
    pub at: Timestamp,
    /// What: `onboard`, `onboarded`, `step_failed`, `offboard`, `offboard_at_once`, `drained`, `subscribed`, `unsubscribed`.
    pub what: String,
    /// Who, for a person's action.
    #[serde(default)]
    pub who: Option<String>,
    /// A sentence for a person.
    #[serde(default)]
    pub detail: Option<String>,
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its name.
    pub(super) name: TenantId,
    /// Its state.
    pub(super) state: TenantState,
    /// Since when.
    pub(super) since: Timestamp,
    /// Whether new events are refused.
    #[serde(default)]
    #[serde(rename = "closed")]
    pub(super) refuses_events: bool,
    /// What the processes that accept events were last told.
    #[serde(default)]
    #[serde(rename = "shown_closed")]
    pub(super) shown_refuses_events: bool,
    /// The settings of the process that on-boarded it: workers with other settings do not prepare it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outlook: Option<TenantOutlook>,
    /// The states of the on-boarding steps; missing ones were not started.
    #[serde(default)]
    pub(super) steps: BTreeMap<Step, StepEntry>,
    /// How many customers had open orders at the last count.
    #[serde(default)]
    pub(super) customers_left: Option<u64>,
    /// Why they could not be counted.
    #[serde(default)]
    pub(super) drain_fault: Option<StepFault>,
    /// How many counts in a row found none.
    #[serde(default)]
    pub(super) quiet_looks: u32,
    /// How many tries in a row failed.
    #[serde(default)]
    pub(super) failures_in_a_row: u32,
    /// The subscriptions that it made itself.
    #[serde(default, skip_serializing_if = "OwnSubscriptions::is_empty")]
    pub(super) subscriptions: OwnSubscriptions,
    /// What is running.
    #[serde(default)]
    pub(super) under_way: Option<Task>,
    /// Earliest time for what is due.
    #[serde(default)]
    pub(super) not_before: Option<Timestamp>,
    /// Actions taken, oldest first, bounded.
    #[serde(default)]
    pub(super) actions: VecDeque<String>,
    /// What happened, oldest first, bounded.
    #[serde(default)]
    pub(super) history: VecDeque<TenantHistoryEntry>,
}

impl Tenant {
    /// A tenant that works with its settings alone.
    pub fn new(name: TenantId, now: Timestamp) -> Self {
        Self {
            name,
            state: TenantState::Active,
            since: now,
            refuses_events: false,
            shown_refuses_events: false,
            outlook: None,
            steps: BTreeMap::new(),
            customers_left: None,
            drain_fault: None,
            quiet_looks: 0,
            failures_in_a_row: 0,
            subscriptions: OwnSubscriptions::new(),
            under_way: None,
            not_before: None,
            actions: VecDeque::new(),
            history: VecDeque::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &TenantId {
        &self.name
    }

    /// The settings of the process that on-boarded it.
    pub fn outlook(&self) -> Option<&TenantOutlook> {
        self.outlook.as_ref()
    }

    /// Whether new events are rejected.
    pub fn refuses_events(&self) -> bool {
        self.refuses_events
    }

    /// Whether nothing is running: the time to continue as new.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    pub(super) fn note(&mut self, at: Timestamp, what: &str, who: Option<String>, detail: Option<String>) {
        let detail = detail.map(kept);
        self.history.push_back(TenantHistoryEntry { at, what: what.to_owned(), who, detail });
        while self.history.len() > REMEMBERED_MAX {
            self.history.pop_front();
        }
    }

    pub(super) fn remember(&mut self, mark: String) {
        self.actions.push_back(mark);
        while self.actions.len() > REMEMBERED_MAX {
            self.actions.pop_front();
        }
    }
}
