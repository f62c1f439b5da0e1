//! Replaces arguments of held steps, and runs them again.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Customer, refuse};
use crate::action_words::Refusal;
use crate::customer::{ClaimState, Order, OrderClaim, OrderStep, StepState};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, Timestamp};

impl Customer {
    /// Amends steps; returns which arguments, never their values, which are personal data.
    pub(super) fn amend(
        &mut self,
        now: Timestamp,
        id: &OrderId,
        steps: &BTreeMap<String, Map<String, Value>>,
    ) -> Result<String, Refusal> {
        self.held(id)?;
        let order = &self.orders[id];
        let mut amended = Vec::new();
        for (name, arguments) in steps {
            amended.push((order.amendable(name, arguments)?, arguments));
        }
        if !order.late_hold && !amended.iter().any(|(index, _)| order.steps[*index].state.is_held()) {
            return refuse(ErrorCode::NothingAmended, "The amendment changes no held step.");
        }
        for (index, arguments) in amended {
            if self.orders[id].steps[index].state.is_held() {
                self.reopen(now, id, index);
            }
            self.amend_identity(id, index, arguments);
            if let Some(order) = self.orders.get_mut(id) {
                order.steps[index].amendments = order.steps[index].amendments.saturating_add(1);
                order.steps[index].planned.data.extend(arguments.clone());
            }
        }
        if let Some(order) = self.orders.get_mut(id) {
            order.late_hold = false;
        }
        let named =
            steps.iter().flat_map(|(step, arguments)| arguments.keys().map(move |name| format!("{step} {name}")));
        Ok(format!("amended: {}", named.collect::<Vec<_>>().join(", ")))
    }

    /// A person sets the identity that a step uses: the claims of its resources use it, too.
    fn amend_identity(&mut self, id: &OrderId, index: usize, arguments: &Map<String, Value>) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let step = &mut order.steps[index];
        let carrying =
            step.planned.target_identity_arguments.iter().flatten().find_map(|name| arguments.get(name)?.as_str());
        let Some(target_identity) = carrying.map(str::to_owned) else { return };
        step.identity = None;
        let named = &order.steps[index].planned.resources;
        let of_step = |claim: &&mut OrderClaim| {
            named.contains(&claim.claim.resource)
                && claim.state == ClaimState::Open
                && claim.claim.target_identity.is_some()
        };
        for claim in order.claims.iter_mut().filter(of_step) {
            claim.claim.target_identity = Some(target_identity.clone());
        }
    }
}

impl Order {
    /// The index of a step that may be given these arguments: it waits for a person, or has not started.
    fn amendable(&self, name: &str, arguments: &Map<String, Value>) -> Result<usize, Refusal> {
        let index = self.steps.iter().position(|step| step.planned.name == name);
        let Some(index) = index else {
            return refuse(ErrorCode::NothingAmended, format!("This order has no step {name}."));
        };
        let step = &self.steps[index];
        if !step.state.is_held() && (!step.state.is_open() || step.dispatches > 0 || step.state.maybe_sent()) {
            return refuse(ErrorCode::StepHasBegun, format!("The step {name} has started or has ended."));
        }
        for argument in arguments.keys() {
            if step.planned.fixed.contains(argument) && !self.may_name_another_identity(step, argument) {
                let detail = format!("A claim of the order depends on the argument '{argument}' of {name}.");
                return refuse(ErrorCode::AmendChangesClaim, detail);
            }
            if !step.planned.data.contains_key(argument) {
                return refuse(ErrorCode::NothingAmended, format!("The step {name} has no argument '{argument}'."));
            }
        }
        Ok(index)
    }

    /// Whether a person may change the identity that a step uses although a claim also names it: a release of the order waits
    /// for exactly that.
    fn may_name_another_identity(&self, step: &OrderStep, argument: &str) -> bool {
        let waits = |step: &OrderStep| matches!(&step.state, StepState::Held { code, .. } if *code == ErrorCode::ReleaseUnconfirmed);
        let carries = step.planned.target_identity_arguments.iter().flatten().any(|carrying| carrying == argument);
        carries && self.steps.iter().any(waits)
    }
}
