//! What a person may do. Each action has an id (the same again changes nothing), a reason and an actor, and is kept in
//! the journal.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::state::JournalEntry;
use super::{Customer, Ending, StepState};
use crate::ids::{OrderId, Timestamp};
use crate::order::OrderState;

/// A person's action on an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Names the action: the same id again changes nothing.
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
}

/// What a person may do with an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ActionKind {
    /// Do the held steps again.
    Retry,
    /// Leave the held steps out. Leaving out a release counts as its confirmation.
    Skip,
    /// Replace arguments of the held steps and do them again.
    Amend {
        /// The arguments to replace, by name; a held step takes those that it has.
        data: Map<String, Value>,
    },
    /// End the order: before anything began cleanly, after that with compensations, never after a confirmed release.
    Cancel,
    /// Let its release go before its assign is granted.
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

/// What an action led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDone {
    /// The order's state after it.
    pub state: OrderState,
    /// Whether this action id had been taken before, and nothing changed.
    pub repeated: bool,
}

/// Why an action is refused; nothing is changed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// A stable code.
    pub code: String,
    /// A sentence for a person.
    pub detail: String,
}

fn refuse<T>(code: &str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code: code.to_owned(), detail: detail.into() })
}

impl Customer {
    pub(super) fn apply(&mut self, now: Timestamp, action: &Action) -> Result<super::ActionDone, Refusal> {
        let mark = format!("action {}", action.action_id);
        if self.journal.iter().any(|entry| entry.what == mark) {
            let state = self.state_of(&action.order_id).unwrap_or(OrderState::Completed);
            return Ok(ActionDone { state, repeated: true });
        }
        if let Some(over) = self.remembered.iter().find(|remembered| remembered.order == action.order_id) {
            return refuse("order_over", format!("the order is {} already", over.state.as_str()));
        }
        if !self.orders.contains_key(&action.order_id) {
            return refuse("order_unknown", "this customer has no such order, or it waits for admission");
        }
        match &action.kind {
            ActionKind::Retry => self.retry(now, &action.order_id)?,
            ActionKind::Amend { data } => self.amend(now, &action.order_id, data)?,
            ActionKind::Skip => self.skip(now, &action.order_id)?,
            ActionKind::Cancel => self.cancel(now, &action.order_id)?,
            ActionKind::ReleaseFirst => self.release_first(&action.order_id)?,
        }
        self.changed();
        self.note(JournalEntry {
            at: now,
            order: Some(action.order_id.clone()),
            event: None,
            what: mark,
            code: Some(action.kind.as_str().to_owned()),
            detail: None,
            by: Some((action.actor.clone(), action.reason.clone())),
            steps: Vec::new(),
            claims: Vec::new(),
        });
        let state = self.state_of(&action.order_id).unwrap_or(OrderState::Pending);
        Ok(ActionDone { state, repeated: false })
    }

    /// The held steps of an order.
    fn held(&self, id: &OrderId) -> Result<Vec<usize>, Refusal> {
        let order = &self.orders[id];
        let held = |index: &usize| matches!(order.steps[*index].state, StepState::Held { .. });
        let held: Vec<usize> = (0..order.steps.len()).filter(held).collect();
        if held.is_empty() && !order.late_hold {
            return refuse("nothing_held", "no step of this order waits for a person");
        }
        Ok(held)
    }

    fn retry(&mut self, now: Timestamp, id: &OrderId) -> Result<(), Refusal> {
        for index in self.held(id)? {
            self.reopen(now, id, index);
        }
        if let Some(order) = self.orders.get_mut(id) {
            order.late_hold = false;
        }
        Ok(())
    }

    fn reopen(&mut self, now: Timestamp, id: &OrderId, index: usize) {
        if let Some(order) = self.orders.get_mut(id) {
            order.steps[index].state = StepState::Open;
            order.steps[index].since = now;
        }
    }

    fn amend(&mut self, now: Timestamp, id: &OrderId, data: &Map<String, Value>) -> Result<(), Refusal> {
        let held = self.held(id)?;
        let has = |index: &usize| data.keys().any(|key| self.orders[id].steps[*index].planned.data.contains_key(key));
        let Some(unknown) = held.iter().find(|index| !has(index)).or(held.is_empty().then_some(&0)) else {
            for index in held {
                if let Some(order) = self.orders.get_mut(id) {
                    let arguments = &mut order.steps[index].planned.data;
                    for (key, value) in data {
                        if let Some(argument) = arguments.get_mut(key) {
                            *argument = value.clone();
                        }
                    }
                }
                self.reopen(now, id, index);
            }
            return Ok(());
        };
        let name = self.orders[id].steps.get(*unknown).map_or("", |step| step.planned.name.as_str());
        refuse("nothing_amended", format!("the held step {name} has none of these arguments"))
    }

    fn skip(&mut self, now: Timestamp, id: &OrderId) -> Result<(), Refusal> {
        for index in self.held(id)? {
            if let Some(order) = self.orders.get_mut(id) {
                let step = &mut order.steps[index];
                step.state = StepState::Skipped { code: "person".to_owned() };
                step.maybe_sent = false;
                step.since = now;
            }
        }
        if self.orders[id].late_hold {
            self.abort(now, id, Ending::Cancelled);
        }
        Ok(())
    }

    fn cancel(&mut self, now: Timestamp, id: &OrderId) -> Result<(), Refusal> {
        let order = &self.orders[id];
        if order.ending.is_some() {
            return refuse("order_ending", "this order is ending already");
        }
        let released = order.steps.iter().find(|step| {
            order.is_release_step(step)
                && (matches!(step.state, StepState::Done | StepState::Running) || step.maybe_sent)
        });
        if let Some(step) = released {
            let detail = format!("{} was sent or confirmed: the next holder may be at work", step.planned.name);
            return refuse("release_confirmed", detail);
        }
        self.abort(now, id, Ending::Cancelled);
        Ok(())
    }

    fn release_first(&mut self, id: &OrderId) -> Result<(), Refusal> {
        if !self.orders[id].is_swap() {
            return refuse("no_release_waits", "no release of this order waits for its assign");
        }
        self.let_release_go_first(id);
        Ok(())
    }
}
