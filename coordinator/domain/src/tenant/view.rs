//! The view of a tenant: what queries of its workflow return.

use serde::{Deserialize, Serialize};

use super::StepFault;
use super::state::{Step, Task, Tenant, TenantState};
use crate::ids::{TenantId, Timestamp};
use crate::wire::{WireName, wire_words};

wire_words! {
    /// The state of an on-boarding step.
    OnboardingStepState {
        /// It has not been tried yet.
        Open = "open",
        /// It is running for the first time.
        Running = "running",
        /// It is done.
        Done = "done",
        /// It failed, and is retried.
        Failed = "failed",
    }
}

/// The body of `GET /v1/tenants/{tenant}`. Times are in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantView {
    /// The tenant.
    pub tenant: TenantId,
    /// Its state.
    #[cfg_attr(feature = "openapi", schema(value_type = TenantState))]
    pub state: WireName<TenantState>,
    /// Whether it was on-boarded. If not, it works with its settings alone.
    #[serde(default)]
    pub managed: bool,
    /// Whether its new events are rejected.
    #[serde(default)]
    pub refuses_events: bool,
    /// The steps of its on-boarding.
    #[serde(default)]
    pub steps: Vec<OnboardingStepView>,
    /// What happened, oldest first.
    #[serde(default)]
    pub history: Vec<TenantHistoryView>,
    /// What only its own workflow knows; absent for a tenant that was never on-boarded.
    #[serde(flatten)]
    pub progress: Option<TenantProgressView>,
    /// The settings of the process that answers; absent in the answer to an action.
    #[serde(flatten)]
    pub settings: Option<TenantSettingsView>,
}

/// The progress of a tenant that was on-boarded, or is leaving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantProgressView {
    /// Since when it is in its state.
    pub since: String,
    /// How many customers had open orders at the last count; null if they were not counted.
    #[serde(default)]
    pub customers_with_open_orders: Option<u64>,
    /// Why they cannot be counted.
    #[serde(default)]
    pub drain_fault: Option<StepFault>,
    /// When the failed step is retried.
    #[serde(default)]
    pub next_try_at: Option<String>,
}

/// The settings of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantSettingsView {
    /// Its plan.
    pub plan: String,
    /// Its namespace; null for that of the connection.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Whether the settings name it.
    #[serde(default)]
    pub configured: bool,
}

/// A step of on-boarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OnboardingStepView {
    /// What is prepared and checked.
    #[cfg_attr(feature = "openapi", schema(value_type = Step))]
    pub step: WireName<Step>,
    /// How it stands.
    #[cfg_attr(feature = "openapi", schema(value_type = OnboardingStepState))]
    pub state: WireName<OnboardingStepState>,
    /// The result, or why it failed.
    #[serde(default)]
    pub detail: Option<String>,
    /// A stable code, if it failed.
    #[serde(default)]
    pub code: Option<String>,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// When it was tried last.
    #[serde(default)]
    pub at: Option<String>,
}

/// A line of a tenant's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantHistoryView {
    /// When.
    pub at: String,
    /// What: `onboard`, `onboarded`, `step_failed`, `offboard`, `offboard_at_once`, `drained`, `subscribed`, `unsubscribed`.
    pub what: String,
    /// Who, for a person's action.
    #[serde(default)]
    pub who: Option<String>,
    /// A sentence for a person.
    #[serde(default)]
    pub detail: Option<String>,
}

impl TenantView {
    /// A tenant that was never on-boarded: it works with its settings alone.
    pub fn unmanaged(tenant: TenantId) -> Self {
        Self {
            tenant,
            state: TenantState::Active.into(),
            managed: false,
            refuses_events: false,
            steps: Vec::new(),
            history: Vec::new(),
            progress: None,
            settings: None,
        }
    }
}

impl Tenant {
    /// The state of the tenant, as queries return it.
    pub fn view(&self) -> TenantView {
        TenantView {
            tenant: self.name.clone(),
            state: self.state.into(),
            managed: true,
            refuses_events: self.refuses_events,
            steps: Step::ALL.into_iter().map(|step| self.step_view(step)).collect(),
            history: self
                .history
                .iter()
                .map(|entry| TenantHistoryView {
                    at: entry.at.to_rfc3339(),
                    what: entry.what.clone(),
                    who: entry.who.clone(),
                    detail: entry.detail.clone(),
                })
                .collect(),
            progress: Some(TenantProgressView {
                since: self.since.to_rfc3339(),
                customers_with_open_orders: self.customers_left,
                drain_fault: self.drain_fault.clone(),
                next_try_at: self.wake_at().map(Timestamp::to_rfc3339),
            }),
            settings: None,
        }
    }

    fn step_view(&self, step: Step) -> OnboardingStepView {
        let entry = self.steps.get(&step).cloned().unwrap_or_default();
        let is_running = self.under_way == Some(Task::Prepare(step));
        let (state, detail, code) = match entry.outcome {
            None if is_running => (OnboardingStepState::Running, None, None),
            None => (OnboardingStepState::Open, None, None),
            Some(Ok(detail)) => (OnboardingStepState::Done, Some(detail), None),
            Some(Err(fault)) => (OnboardingStepState::Failed, Some(fault.detail), Some(fault.code.to_string())),
        };
        OnboardingStepView {
            step: step.into(),
            state: state.into(),
            detail,
            code,
            attempts: entry.attempts,
            at: entry.at.map(Timestamp::to_rfc3339),
        }
    }
}
