//! What lists of entities show of a customer: the search attribute `InterlockState`.
//!
//! It changes where something other is to be shown than was shown last: when an order comes in, when the last one ends,
//! and when a person is needed or was.

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
    /// What is to be shown now.
    pub fn state_to_show(&self) -> ShownState {
        if self.orders.values().any(Order::is_held) {
            ShownState::Held
        } else if self.orders.is_empty() && self.inbox.is_empty() {
            ShownState::Normal
        } else {
            ShownState::Waiting
        }
    }

    /// Shows the state where it is another than was shown last. A new run shows it in any case: what the run before
    /// wanted to show when it ended may not have been shown.
    pub(super) fn show(&mut self, is_new_run: bool, effects: &mut Vec<Effect>) {
        // A run that sets an attribute which is not registered is stuck until it is.
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
