//! The state in which an order ends. It is only shown and counted: which commands an entity makes must not depend on it, since an
//! order of an earlier build that is replayed may end in another state than it did.

use super::{Ending, Order, OrderStep, StepState};
use crate::error_code::ErrorCode;
use crate::ids::ResourceId;
use crate::order::{ClaimMode, OrderState};

impl Order {
    /// How it ended, and the reason code, if there is one.
    pub(super) fn end_state(&self) -> (OrderState, Option<String>) {
        let done = self.steps.iter().any(|step| step.state == StepState::Done);
        match &self.ending {
            Some(Ending::Superseded) if done => (OrderState::Partial, Some(ErrorCode::Superseded.into())),
            Some(Ending::Superseded) => (OrderState::Superseded, None),
            Some(Ending::Aborted { code }) => (OrderState::Failed, Some(code.to_string())),
            Some(Ending::Cancelled) if done || self.may_have_had_effect() => {
                (OrderState::Failed, Some(ErrorCode::Cancelled.into()))
            }
            Some(Ending::Cancelled) => (OrderState::Cancelled, None),
            Some(Ending::Expired) if done => (OrderState::Partial, Some(ErrorCode::Expired.into())),
            Some(Ending::Expired) => (OrderState::Cancelled, Some(ErrorCode::Expired.into())),
            Some(Ending::QueueFull { .. }) => (OrderState::Rejected, Some(ErrorCode::QueueFull.into())),
            Some(Ending::BacklogFull) => (OrderState::Rejected, Some(ErrorCode::BacklogFull.into())),
            None => self.end_state_of_steps(),
        }
    }

    /// How it ended if nothing cut it short. A release that had nothing to release, because its customer's own assign was superseded
    /// for it, is superseded itself; if the order claimed something else, it is complete without that release.
    fn end_state_of_steps(&self) -> (OrderState, Option<String>) {
        let skipped = self.steps.iter().filter(|step| !self.had_nothing_to_release(step)).find_map(skipped_with);
        if skipped.is_some() {
            return (OrderState::Partial, skipped);
        }
        let nothing_to_release: Vec<&OrderStep> =
            self.steps.iter().filter(|step| self.had_nothing_to_release(step)).collect();
        let is_moot = |resource| nothing_to_release.iter().any(|step| step.planned.resources.contains(resource));
        let claimed = || self.claims.iter().filter(|claim| claim.claim.mode != ClaimMode::Lock);
        if !nothing_to_release.is_empty() && claimed().all(|claim| is_moot(&claim.claim.resource)) {
            (OrderState::Superseded, None)
        } else {
            (OrderState::Completed, None)
        }
    }

    /// Whether a step was skipped because another customer has what it should release, and this customer's assign of it was superseded
    /// for this order: it is as the producer wanted it.
    fn had_nothing_to_release(&self, step: &OrderStep) -> bool {
        let superseded =
            |resource: &ResourceId| self.claim_on(resource).is_some_and(|claim| claim.superseded_own_assign);
        let named = &step.planned.resources;
        let is_not_holder = matches!(&step.state, StepState::Skipped { code } if *code == ErrorCode::NotHolder);
        is_not_holder && !named.is_empty() && named.iter().all(superseded)
    }
}

/// The code with which a step was skipped.
fn skipped_with(step: &OrderStep) -> Option<String> {
    match &step.state {
        StepState::Skipped { code } => Some(code.to_string()),
        _ => None,
    }
}
