//! What lists of entities show of a customer: the search attribute `InterlockState`.
//!
//! It is set when another value must be shown than the last one: when an order comes in, when the last one ends,
//! and when a person is needed or no longer needed.

use serde::{Deserialize, Serialize};

use super::{Customer, Effect, Order};

/// What is shown of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownState {
    /// It has no open order.
    Normal,
    /// It has open orders, and none waits for a person.
    Waiting,
    /// An order waits for a person.
    Held,
}

impl ShownState {
    /// The value of the search attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Waiting => "waiting",
            Self::Held => "held",
        }
    }
}

impl Customer {
    /// What must be shown now.
    pub fn state_to_show(&self) -> ShownState {
        if self.orders.values().any(Order::is_held) {
            ShownState::Held
        } else if self.orders.is_empty() && self.inbox.is_empty() {
            ShownState::Normal
        } else {
            ShownState::Waiting
        }
    }

    /// Shows the state if it differs from the one shown last. A new run always shows it: the last change of the previous run
    /// may not have been made.
    pub(super) fn show(&mut self, is_new_run: bool, effects: &mut Vec<Effect>) {
        // A run that sets an attribute which is not registered is stuck until it is registered.
        if !self.attributes_registered {
            return;
        }
        let state = self.state_to_show();
        if self.shown != Some(state) || is_new_run {
            effects.push(Effect::Show { state, is_first: self.shown.is_none() });
            self.shown = Some(state);
        }
    }
}
