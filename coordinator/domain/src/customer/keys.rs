//! The idempotency keys of steps.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OrderStep;
use crate::ids::OrderId;
use crate::recording::Edition;

/// What the idempotency key of a step is derived from. It is chosen when the step is sent for the first time, and never changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRule {
    /// From the order's UUID and the step, as in 0.1.0: [`OrderId::step_key_v0_1`].
    #[default]
    OrderUuid,
    /// From the whole order id, customer included, and the step: [`OrderId::step_key`].
    OrderId,
}

impl KeyRule {
    /// Whether it is the rule of 0.1.0.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
    pub(super) fn is_v0_1(&self) -> bool {
        *self == Self::OrderUuid
    }
}

/// Chooses the rule of a step that is about to be sent. A step that was sent keeps its rule, so that its key stays the same.
pub(super) fn choose_key_rule(step: &mut OrderStep, edition: Edition) {
    if step.dispatches == 0 && !step.state.maybe_sent() && edition >= Edition::V0_2 {
        step.key_rule = KeyRule::OrderId;
    }
}

impl OrderId {
    /// The key of one of its steps by this rule; `step` is the name of the request within the order.
    pub(super) fn key_by(&self, rule: KeyRule, step: &str) -> Uuid {
        match rule {
            KeyRule::OrderUuid => self.step_key_v0_1(step),
            KeyRule::OrderId => self.step_key(step),
        }
    }
}
