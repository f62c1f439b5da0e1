//! Lets the release of a swap run before its assign is granted.

use super::{Customer, refuse};
use crate::action_words::Refusal;
use crate::error_code::ErrorCode;
use crate::ids::OrderId;

impl Customer {
    pub(super) fn release_first(&mut self, id: &OrderId) -> Result<(), Refusal> {
        let order = &self.orders[id];
        let waits = order.is_swap() && !order.release_first && order.ending.is_none();
        if !waits || self.missing_assigns(order).next().is_none() {
            return refuse(ErrorCode::NoReleaseWaits, "No release of this order waits for its assign.");
        }
        self.let_release_go_first(id);
        Ok(())
    }
}
