//! Ending an order before it is done: steps that have not started are cancelled, done steps are compensated in reverse order.

use super::{ClaimState, Customer, Ending, Order, OrderClaim, OrderStep, StepState};
use crate::catalog::UNDO_SUFFIX;
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, ResourceId, Timestamp};
use crate::order::OnFailure;

impl Customer {
    /// Ends the order: steps that have not started are cancelled, done steps are compensated in reverse order.
    pub(super) fn abort(&mut self, now: Timestamp, id: &OrderId, ending: Ending) {
        let Some(order) = self.orders.get_mut(id) else { return };
        order.ending = Some(ending);
        order.late_hold = false;
        for step in order.steps.iter_mut().filter(|step| step.compensates.is_none()) {
            if step.may_be_given_up() {
                step.give_up();
            }
        }
        let done: Vec<usize> =
            (0..order.steps.len()).filter(|index| order.steps[*index].state == StepState::Done).collect();
        for index in done.into_iter().rev() {
            self.compensate(now, id, index);
        }
        self.changed();
    }

    /// Adds the step that undoes another. A confirmed release is not undone: the next holder may already use the resource.
    pub(super) fn compensate(&mut self, now: Timestamp, id: &OrderId, index: usize) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let step = &order.steps[index];
        let Some(operation) = step.planned.compensation.clone() else { return };
        if order.is_release_step(step) {
            return;
        }
        let mut planned = step.planned.clone();
        planned.name = format!("{}{UNDO_SUFFIX}", planned.name);
        planned.operation = operation;
        planned.compensation = None;
        planned.on_failure = OnFailure::Hold;
        planned.after = last_compensation(order).into_iter().collect();
        let mut step = OrderStep::open(planned, order.reset_at.is_some(), now);
        step.compensates = Some(index);
        order.steps.push(step);
        self.changed();
    }

    /// Stops compensations that must not run: one whose lease was given back waits for a person, because the next holder may already
    /// use the resource; one for a resource that a younger order took over is left out.
    pub(super) fn stop_compensations(&mut self) {
        let mut stopped: Vec<(OrderId, usize, StepState)> = Vec::new();
        for (id, order) in &self.orders {
            for (index, step) in order.steps.iter().enumerate() {
                if step.compensates.is_some() && step.state.is_open() && !step.state.maybe_sent() {
                    stopped.extend(self.why_not_to_compensate(order, step).map(|state| (id.clone(), index, state)));
                }
            }
        }
        for (id, index, state) in stopped {
            self.set_step(&id, index, state);
        }
    }

    fn why_not_to_compensate(&self, order: &Order, step: &OrderStep) -> Option<StepState> {
        let named = || step.planned.resources.iter();
        let younger = |resource: &ResourceId| {
            self.younger_has_begun(&order.key, resource)
                || self.settled.get(resource).is_some_and(|last| *last > order.key)
        };
        if named().any(younger) {
            return Some(StepState::Skipped { code: ErrorCode::Superseded.into() });
        }
        let not_had = |resource: &&ResourceId| {
            let somebody_elses = |claim: &OrderClaim| claim.state == ClaimState::NotHolder;
            !self.leases.contains_key(*resource) || order.claim_on(resource).is_some_and(somebody_elses)
        };
        let missing = named().find(not_had)?;
        let detail = format!("the lease of {missing} was released before this could be undone, or was never held");
        Some(StepState::Held { code: ErrorCode::NotCompensated.into(), detail, earlier: step.state.earlier() })
    }
}

impl Order {
    /// Whether everything that its steps did to a resource was undone.
    pub(super) fn is_undone_on(&self, resource: &ResourceId) -> bool {
        let undone =
            |index| self.steps.iter().any(|step| step.compensates == Some(index) && step.state == StepState::Done);
        self.steps.iter().enumerate().all(|(index, step)| {
            let effective = step.compensates.is_none() && step.state == StepState::Done;
            !effective || !step.planned.resources.contains(resource) || undone(index)
        })
    }
}

/// The index of the compensation that was added last.
fn last_compensation(order: &Order) -> Option<usize> {
    order.steps.iter().rposition(|step| step.compensates.is_some())
}
