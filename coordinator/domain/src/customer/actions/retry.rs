//! Runs the held steps again, and lets a paused call continue.

use super::Customer;
use crate::action_words::Refusal;
use crate::ids::{OrderId, Timestamp};

impl Customer {
    /// Runs the held steps again; returns which paused call continues, if any.
    pub(super) fn retry(&mut self, now: Timestamp, id: &OrderId, paused_call: bool) -> Result<Option<String>, Refusal> {
        let order = &self.orders[id];
        let unpaused = order.running().next().filter(|_| paused_call).and_then(|index| order.steps.get(index));
        let unpaused = unpaused.map(|step| format!("the paused call of {} continues", step.planned.name));
        let held = match self.held(id) {
            Err(_) if unpaused.is_some() => Vec::new(),
            held => held?,
        };
        for index in held {
            self.reopen(now, id, index);
        }
        if let Some(order) = self.orders.get_mut(id) {
            order.late_hold = false;
        }
        Ok(unpaused)
    }
}
