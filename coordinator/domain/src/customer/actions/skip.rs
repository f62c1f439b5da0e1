//! Skips the held steps. A release that is skipped counts as confirmed.

use super::{Action, Customer};
use crate::action_words::Refusal;
use crate::customer::{Ending, StepState};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, Timestamp};

impl Customer {
    pub(super) fn skip(&mut self, now: Timestamp, id: &OrderId, action: &Action) -> Result<(), Refusal> {
        for index in self.held(id)? {
            if let Some(order) = self.orders.get_mut(id) {
                let step = &mut order.steps[index];
                step.state = StepState::Skipped { code: ErrorCode::Person.into() };
                step.since = now;
                step.left_out_by = Some((action.actor.clone(), action.reason.clone()));
            }
        }
        if self.orders[id].late_hold {
            self.abort(now, id, Ending::Cancelled);
        }
        Ok(())
    }
}
