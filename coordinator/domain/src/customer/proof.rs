//! The evidence for a change of a lease: a step and its outcome, or an order.

use super::identities::step_key;
use super::{Customer, Lease, OrderStep, StepState};
use crate::ids::{OrderId, ResourceId, Timestamp};
use crate::message::{GiveBack, LeaseProof, StepProof};
use crate::outcome::Outcome;

/// The longest part of a person's reason that a proof carries, in characters.
const PROOF_REASON_CHARS_MAX: usize = 200;

impl Customer {
    /// The evidence for a lease change that follows from the last step of an order that names the resource.
    pub(super) fn proof_on(&self, id: &OrderId, resource: &ResourceId) -> Option<LeaseProof> {
        let steps = &self.orders.get(id)?.steps;
        let named = |(_, step): &(usize, &OrderStep)| step.planned.resources.contains(resource) && step.state.is_over();
        let last = steps.iter().enumerate().filter(named).max_by_key(|(_, step)| step.since);
        match last {
            Some((index, _)) => self.proof_of(id, index),
            None => Some(LeaseProof {
                order: id.clone(),
                step: None,
                at: self.orders[id].steps.iter().map(|step| step.since).max()?,
                actor: None,
                reason: None,
            }),
        }
    }

    /// The evidence for a lease change that follows from this step.
    pub(super) fn proof_of(&self, id: &OrderId, index: usize) -> Option<LeaseProof> {
        let step = self.orders.get(id)?.steps.get(index)?;
        let outcome = match (&step.state, &step.outcome) {
            (StepState::Skipped { code }, _) if step.left_out_by.is_some() => code.to_string(),
            (StepState::Skipped { code }, None) => code.to_string(),
            (_, Some(outcome)) => outcome.class().to_owned(),
            (_, None) => step.state.name().as_str().to_owned(),
        };
        let holder = match &step.outcome {
            Some(Outcome::InUse { holder }) => holder.clone(),
            _ => None,
        };
        let (actor, reason) = step.left_out_by.clone().unzip();
        Some(LeaseProof {
            order: id.clone(),
            step: Some(StepProof {
                target: step.planned.target.clone(),
                operation: step.planned.operation.clone(),
                outcome,
                holder,
                idempotency_key: step_key(id, step),
            }),
            at: step.since,
            actor,
            reason: reason.map(|reason| reason.chars().take(PROOF_REASON_CHARS_MAX).collect()),
        })
    }
}

/// The evidence for a lease that comes back unused, or for an older ticket: the order that it was granted for, or the one that
/// asked for it.
pub(super) fn proof_without_call(lease: &Lease, how: GiveBack, now: Timestamp) -> Option<LeaseProof> {
    let order = match (how, &lease.recall) {
        (GiveBack::Yielded, Some(asker)) => asker.key.order.clone(),
        (GiveBack::Yielded | GiveBack::Unused, _) => lease.key.order.clone(),
        (GiveBack::Released | GiveBack::Contested | GiveBack::Forced, _) => return None,
    };
    Some(LeaseProof { order, step: None, at: now, actor: None, reason: None })
}
