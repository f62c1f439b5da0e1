//! What a person may do, one file per action. Each action has an id (repeating it changes nothing), a reason and an actor,
//! and is kept in the journal.

mod amend;
mod cancel;
mod release_first;
mod retry;
mod skip;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Customer;
use super::journal::JournalEntry;
use crate::action_mark::ActionMark;
use crate::action_words::{Refusal, check_action_words};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, Timestamp};
use crate::order::OrderState;
use crate::wire::WireName;

/// How many actions are remembered of each open order; of an order that has ended, only the last is remembered.
pub const ACTIONS_REMEMBERED_MAX: usize = 4;

/// A person's action on an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Identifies the action: the same id again on the same order changes nothing.
    pub action_id: String,
    /// The order.
    pub order_id: OrderId,
    /// What to do.
    #[serde(flatten)]
    pub kind: ActionKind,
    /// Who does it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether the call of a running step is paused in Temporal, and the sender of the action unpauses it. Only a retry uses it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused_call: bool,
    /// A digest of the sender's request, if the entity receives only what was derived from it: for an amendment, the digest of the
    /// fields as they were given. The same id with another digest is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Action {
    /// The action as it is remembered.
    pub fn mark(&self) -> ActionMark {
        let Self { action_id, kind, actor, reason, content, .. } = self;
        Self::mark_of(action_id, kind.as_str(), (actor, reason), content.as_deref())
    }

    /// How an action with this id, kind name, actor, reason and content is remembered.
    pub fn mark_of(action_id: &str, kind: &str, (actor, reason): (&str, &str), content: Option<&str>) -> ActionMark {
        ActionMark::of(actor, action_id, &(kind, reason, content))
    }
}

/// What a person may do with an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ActionKind {
    /// Run the held steps again.
    Retry,
    /// Skip the held steps. Skipping a release counts as its confirmation.
    Skip,
    /// Replace arguments of held steps and run them again; steps that have not started may be amended with them.
    Amend {
        /// The arguments to replace, by step and name ([`crate::catalog::Catalog::amendment`]).
        steps: BTreeMap<String, Map<String, Value>>,
    },
    /// End the order: without effects if nothing has started, else with compensations, never after a confirmed release.
    Cancel,
    /// Let its release run before its assign is granted.
    ReleaseFirst,
}

impl ActionKind {
    /// The name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Amend { .. } => "amend",
            Self::Cancel => "cancel",
            Self::ReleaseFirst => "release_first",
        }
    }
}

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDone {
    /// The order's state after it.
    pub state: WireName<OrderState>,
    /// Whether this action id was already taken, and nothing changed.
    pub repeated: bool,
}

fn refuse<T>(code: ErrorCode, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(code, detail))
}

/// How 0.1.0 remembered an action: the first 16 hex digits of the SHA-256 of its id.
pub fn action_mark_of_0_1(action_id: &str) -> String {
    hex::encode(&Sha256::digest(action_id.as_bytes())[..8])
}

impl Customer {
    /// Takes an action. Returns true if it was already taken, and nothing changed.
    pub(super) fn apply(&mut self, now: Timestamp, action: &Action) -> Result<bool, Refusal> {
        check_action_words(&action.action_id, &action.actor, &action.reason)?;
        let id = &action.order_id;
        if action.mark().is_among(self.actions_on(id), &action_mark_of_0_1(&action.action_id))? {
            return Ok(true);
        }
        if let Some(over) = self.remembered.iter().rev().find(|remembered| remembered.order == *id) {
            return refuse(ErrorCode::OrderOver, format!("The order is already {}.", over.state.as_str()));
        }
        if self.inbox.iter().any(|waiting| waiting.key.order == *id) {
            return refuse(ErrorCode::NotAdmitted, "The order waits for admission: it has no plan yet.");
        }
        if !self.orders.contains_key(id) {
            return refuse(ErrorCode::OrderUnknown, "This customer has no such order.");
        }
        let detail = match &action.kind {
            ActionKind::Retry => self.retry(now, id, action.paused_call)?,
            ActionKind::Amend { steps } => Some(self.amend(now, id, steps)?),
            ActionKind::Skip => self.skip(now, id, action).map(|()| None)?,
            ActionKind::Cancel => self.cancel(now, id).map(|()| None)?,
            ActionKind::ReleaseFirst => self.release_first(id).map(|()| None)?,
        };
        if let Some(order) = self.orders.get_mut(id) {
            order.actions.push(action.mark().to_string());
            let forgotten = order.actions.len().saturating_sub(ACTIONS_REMEMBERED_MAX);
            order.actions.drain(..forgotten);
        }
        self.changed();
        self.note(JournalEntry {
            at: now,
            key: None,
            order: Some(id.clone()),
            event: None,
            what: format!("action {}", action.action_id),
            code: Some(action.kind.as_str().to_owned()),
            detail,
            by: Some((action.actor.clone(), action.reason.clone())),
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        });
        Ok(false)
    }

    /// The marks of the actions that were taken on an order, as far as they are remembered.
    fn actions_on<'a>(&'a self, id: &'a OrderId) -> impl Iterator<Item = &'a str> {
        let open = self.orders.get(id).into_iter().flat_map(|order| order.actions.iter().map(String::as_str));
        let over = self.remembered.iter().filter(move |over| over.order == *id);
        open.chain(over.filter_map(|over| over.action.as_deref()))
    }

    /// The held steps of an order.
    fn held(&self, id: &OrderId) -> Result<Vec<usize>, Refusal> {
        let order = &self.orders[id];
        let held: Vec<usize> = (0..order.steps.len()).filter(|index| order.steps[*index].state.is_held()).collect();
        if held.is_empty() && !order.late_hold {
            return refuse(ErrorCode::NothingHeld, "No step of this order waits for a person.");
        }
        Ok(held)
    }

    fn reopen(&mut self, now: Timestamp, id: &OrderId, index: usize) {
        if let Some(order) = self.orders.get_mut(id) {
            order.steps[index].reopen();
            order.steps[index].since = now;
        }
    }
}
