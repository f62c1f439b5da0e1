//! What an order waits for, as it is shown: the customer's answer, with what Temporal says about the running call.

use serde::{Deserialize, Serialize};

use super::waiting::{WaitKind, WaitingFor};
use crate::ids::{OrderId, ResourceId, TargetId};
use crate::outcome::Outcome;
use crate::wire::{WireName, wire_words};

/// What an order waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaitView {
    /// The wait, as the customer says it.
    #[serde(flatten)]
    pub wait: Wait,
    /// Set if an operator paused the call, or the customer's workflow, in Temporal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PausedView>,
    /// The running call, if it waits for one.
    #[serde(flatten)]
    pub call: Option<CallView>,
}

/// A wait that this build knows, or one of another build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Wait {
    /// A wait that this build knows.
    Known(WaitingFor),
    /// A wait of another build, as far as this one can read it.
    Other(OtherWait),
}

/// A wait of another build: a cause that this build does not know, or a known cause with fewer fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OtherWait {
    /// What it is.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub waits_for: WireName<WaitKind>,
    /// The step that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// All resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceId>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The order that blocks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<OrderId>,
    /// A stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

wire_words! {
    /// What an operator paused in Temporal.
    PausedWhat {
        /// One activity: no attempt of it is started.
        Call = "call",
        /// The workflow of an entity: nothing of it continues.
        Workflow = "workflow",
    }
}

/// That an operator paused something in Temporal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PausedView {
    /// What.
    #[cfg_attr(feature = "openapi", schema(value_type = PausedWhat))]
    pub what: WireName<PausedWhat>,
    /// The identity of the operator's client, if the server says it.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// When, RFC 3339.
    #[serde(default)]
    pub at: Option<String>,
}

/// A call that is running, or waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallView {
    /// Its id in Temporal.
    pub activity_id: String,
    /// The attempt that is running, or comes next; from 1.
    pub attempt: i32,
    /// Why the last attempt failed: a sentence, with the target's own words if it answered.
    #[serde(default)]
    pub last_failure: Option<String>,
    /// The outcome of the last attempt as the target's adapter returned it: `{"class":"transient","detail":"…"}`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub last_outcome: Option<Outcome>,
    /// When the next attempt starts, if it waits for one, RFC 3339.
    #[serde(default)]
    pub next_attempt_at: Option<String>,
}

impl From<WaitingFor> for WaitView {
    fn from(wait: WaitingFor) -> Self {
        Self { wait: Wait::Known(wait), paused: None, call: None }
    }
}

impl WaitView {
    /// The wait, if it is one that this build knows.
    pub fn known(&self) -> Option<&WaitingFor> {
        match &self.wait {
            Wait::Known(wait) => Some(wait),
            Wait::Other(_) => None,
        }
    }

    /// What kind of wait it is.
    pub fn kind(&self) -> WireName<WaitKind> {
        match &self.wait {
            Wait::Known(wait) => wait.kind().into(),
            Wait::Other(other) => other.waits_for.clone(),
        }
    }

    /// Whether it waits for a call at its target.
    pub fn is_for_call(&self) -> bool {
        matches!(self.kind().known(), Some(WaitKind::Target | WaitKind::Settling))
    }

    /// The step that waits; none if the order as a whole does.
    pub fn step(&self) -> Option<&str> {
        match &self.wait {
            Wait::Known(wait) => wait.step(),
            Wait::Other(other) => other.step.as_deref(),
        }
    }

    /// The resources whose leases are missing.
    pub fn resources(&self) -> &[ResourceId] {
        match &self.wait {
            Wait::Known(WaitingFor::Lease { resources, .. }) => resources,
            Wait::Known(_) => &[],
            Wait::Other(other) => &other.resources,
        }
    }

    /// The target at which it waits or is held; none if it waits for something else.
    pub fn target(&self) -> Option<&TargetId> {
        match &self.wait {
            Wait::Known(wait) => wait.target(),
            Wait::Other(other) => other.target.as_ref(),
        }
    }

    /// The code by which it is held.
    pub fn code(&self) -> Option<&str> {
        match &self.wait {
            Wait::Known(wait) => wait.code(),
            Wait::Other(other) => other.code.as_deref(),
        }
    }

    /// A sentence for a person, if it has one.
    pub fn detail(&self) -> Option<&str> {
        match &self.wait {
            Wait::Known(WaitingFor::Person { detail, .. }) => Some(detail),
            Wait::Known(_) => None,
            Wait::Other(other) => other.detail.as_deref(),
        }
    }

    /// Since when, RFC 3339; empty if that is not known.
    pub fn since(&self) -> &str {
        match &self.wait {
            Wait::Known(wait) => wait.since(),
            Wait::Other(other) => other.since.as_deref().unwrap_or_default(),
        }
    }
}
