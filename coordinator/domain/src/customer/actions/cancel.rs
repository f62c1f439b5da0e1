//! Ends an order: without effects if nothing has started, else with compensations, never after a confirmed release.

use super::{Customer, refuse};
use crate::action_words::Refusal;
use crate::customer::{Ending, OrderStep, StepState};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, Timestamp};

impl Customer {
    pub(super) fn cancel(&mut self, now: Timestamp, id: &OrderId) -> Result<(), Refusal> {
        let order = &self.orders[id];
        if order.ending.is_some() {
            return refuse(ErrorCode::OrderEnding, "This order is already ending.");
        }
        let released = order.steps.iter().find(|step| order.is_release_step(step) && step.may_have_released());
        if let Some(step) = released {
            let detail =
                format!("{} was sent or confirmed: the next holder may already use the resource.", step.planned.name);
            return refuse(ErrorCode::ReleaseConfirmed, detail);
        }
        self.abort(now, id, Ending::Cancelled);
        Ok(())
    }
}

impl OrderStep {
    /// Whether a resource that it names may already be released: its call was sent, or a person confirmed it.
    fn may_have_released(&self) -> bool {
        match &self.state {
            StepState::Skipped { code } => *code == ErrorCode::Person,
            state => state.has_begun(),
        }
    }
}
