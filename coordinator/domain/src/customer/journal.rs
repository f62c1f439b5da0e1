//! What a customer remembers of past events, actions and orders.

use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, Timestamp};
use crate::order::OrderKey;
use crate::order_parts::{ClaimView, StepView};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: Timestamp,
    /// The order, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The event's id and type, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<(String, String)>,
    /// The key of an order that ended: a list that was read as far as this order continues from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<OrderKey>,
    /// What happened: a terminal state, or `action`.
    pub what: String,
    /// A stable code, if there is one.
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
    /// Whether its steps and claims were dropped because there were too many in all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parts_dropped: bool,
}
