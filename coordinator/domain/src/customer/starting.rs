//! Starting the steps whose turn it is, and the calls that they make.

use uuid::Uuid;

use super::identities::step_key;
use super::keys::choose_key_rule;
use super::turns::Turns;
use super::{Customer, Effect};
use crate::ids::{OrderId, ResourceId, Timestamp};
use crate::message::ProvisionRequest;

impl Customer {
    /// Starts every step whose turn it is. Returns whether there was one.
    pub(super) fn start_steps(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let starts = Turns::of(self).starts(now);
        let is_any_due = !starts.is_empty();
        for (order, step) in starts {
            // A step that was just started in another lane may work on the same resource.
            if self.orders.get(&order).is_some_and(|order| self.readiness(order, &order.steps[step]).is_ok()) {
                self.begin(now, &order, step);
                effects.extend(self.dispatch(&order, step));
            }
        }
        is_any_due
    }

    /// A step starts. With all its leases held its order has started, and goes first from now on.
    fn begin(&mut self, now: Timestamp, id: &OrderId, index: usize) {
        self.go_by_the_identity_of_the_lease(now, id, index);
        let starts = self.orders.get(id).is_some_and(|order| self.has_all_leases(order));
        if let Some(order) = self.orders.get_mut(id) {
            order.started |= starts;
            order.steps[index].run();
            order.steps[index].since = now;
        }
    }

    /// The call of a running step.
    pub(super) fn dispatch(&mut self, id: &OrderId, index: usize) -> Option<Effect> {
        let unproven = self.unproven_of_step(id, index);
        let order = self.orders.get_mut(id)?;
        let step = order.steps.get_mut(index)?;
        choose_key_rule(step, self.edition);
        let planned = &step.planned;
        let epoch_of = |resource: &ResourceId| self.leases.get(resource).map(|lease| (resource.clone(), lease.epoch));
        let (key, earlier) = (step_key(id, step), step.state.earlier());
        let request = ProvisionRequest {
            tenant: self.me.tenant.clone(),
            customer: self.me.customer.clone(),
            order: id.clone(),
            step: planned.name.clone(),
            target: planned.target.clone(),
            operation: planned.operation.clone(),
            data: planned.data.clone(),
            idempotency_key: key,
            epoch: planned.resources.iter().find_map(epoch_of).map(|(_, epoch)| epoch),
            epochs: planned.resources.iter().filter_map(epoch_of).collect(),
            unproven,
            dispatch: step.dispatches,
            maybe_sent: earlier.maybe_sent || earlier.after_reset,
            proof: planned.proves.then(|| proof_of(&key, step.dispatches)),
            attempt_timeout_ms: planned.attempt_timeout_ms,
            retry: planned.retry,
            expires_at: order.expires_at,
            priority: order.priority,
            trace_parent: order.trace_parent,
        };
        step.dispatches = step.dispatches.saturating_add(1);
        Some(Effect::Provision { order: id.clone(), step: index, request })
    }
}

/// The proof that the answer to a call must repeat: a new one each time that the step is scheduled.
fn proof_of(key: &Uuid, dispatch: u32) -> Uuid {
    Uuid::new_v5(key, format!("proof {dispatch}").as_bytes())
}
