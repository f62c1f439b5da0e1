//! What a customer remembers of what happened, and how orders ended.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, OrderId, ResourceId, TargetId, Timestamp};
use crate::order::{ClaimMode, OrderKey};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: Timestamp,
    /// The order, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The event's id and type, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<(String, String)>,
    /// Its key, for an order that ended: where a list goes on that was read as far as it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<OrderKey>,
    /// What happened: a terminal state, or `action`.
    pub what: String,
    /// A stable code, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Who did it and why, for a person's action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
    /// Its steps as they ended, for an order that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
    /// Its claims as they ended, for an order that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimView>,
}

/// A step of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// The step's name within the order.
    pub name: String,
    /// The target.
    pub target: TargetId,
    /// The adapter operation.
    pub operation: String,
    /// `open`, `running`, `held`, `done`, `skipped` or `cancelled`.
    pub state: String,
    /// How often its call was scheduled.
    pub attempts: u32,
    /// The class of its last outcome, or the code by which it was left out.
    pub outcome: Option<String>,
    /// The identity that a release goes by, where it was not always the one that its event named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<StepIdentity>,
}

/// A claim of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimView {
    /// The resource.
    pub resource: ResourceId,
    /// What is wanted of it.
    pub mode: ClaimMode,
    /// `waiting`, `held`, `settled`, `not_holder` or `superseded`.
    pub state: String,
    /// The epoch of the lease, while it is held.
    pub epoch: Option<Epoch>,
}

/// The identity that a release goes by: the name under which the target is asked to take the resource away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepIdentity {
    /// The identity that the event named.
    pub named: String,
    /// The identity under which it is sent, or was sent last.
    pub sent: String,
    /// The identities before that under which the target did not have the resource, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}
