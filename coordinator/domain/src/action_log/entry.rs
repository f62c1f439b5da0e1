//! What the log keeps of an action, and how it is told.

use serde::{Deserialize, Serialize};

use super::Proposal;
use crate::error_code::ReasonCode;
use crate::ids::Timestamp;
use crate::wire::{WireName, wire_words};

/// The longest ticket, in bytes.
pub const TICKET_BYTES_MAX: usize = 100;

wire_words! {
    /// What an action is on.
    ActionObject {
        /// An order.
        Order = "order",
        /// A resource.
        Resource = "resource",
        /// A target.
        Target = "target",
        /// A tenant.
        Tenant = "tenant",
    }
}

wire_words! {
    /// What became of an action, as far as its sender learnt.
    ActionEnd {
        /// It was taken.
        Done = "done",
        /// It was refused; nothing was changed.
        Refused = "refused",
        /// The entity did not answer: it may have been taken.
        Unclear = "unclear",
    }
}

/// An action, and what it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSubject {
    /// The kind of thing.
    pub on: WireName<ActionObject>,
    /// The thing: an order's id, `KIND/ID` of a resource, the name of a target or a tenant.
    pub id: String,
    /// The action, as in the call: `retry`, `force_release`, `pause`, …
    pub action: String,
}

/// Who acts, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedWords {
    /// The action's id.
    pub action_id: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The ticket of another system that the action belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionOutcome {
    /// How it ended.
    pub end: WireName<ActionEnd>,
    /// A stable code, unless it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ReasonCode>,
    /// The state afterwards, or why it was refused.
    #[serde(default)]
    pub detail: String,
}

/// A note of an action for the log: the argument of the signal `note`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionNote {
    /// The action.
    #[serde(flatten)]
    pub subject: ActionSubject,
    /// Who acts, and why.
    #[serde(flatten)]
    pub words: LoggedWords,
    /// What became of it; none before it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ActionOutcome>,
}

/// What became of an action, and when its sender learnt it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedOutcome {
    /// When.
    pub at: Timestamp,
    /// How it ended.
    pub end: WireName<ActionEnd>,
    /// A stable code, unless it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ReasonCode>,
    /// The state afterwards, or why it was refused.
    #[serde(default)]
    pub detail: String,
}

impl NotedOutcome {
    /// Whether the action was taken.
    pub(super) fn is_done(&self) -> bool {
        self.end == ActionEnd::Done
    }

    /// Whether the action may have been taken or not.
    pub(super) fn is_unclear(&self) -> bool {
        self.end == ActionEnd::Unclear
    }
}

/// One action in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its number in the log, from 1.
    pub number: u64,
    /// When it was sent first.
    pub at: Timestamp,
    /// The action.
    pub subject: ActionSubject,
    /// Who, and why.
    pub words: LoggedWords,
    /// What became of it; none while its sender does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<NotedOutcome>,
    /// If it needed a second person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
}
