//! What an order may act on without a claim: the catalog lists the resources that its customer must have (`requires`).
//!
//! A lease that was used, or an import, proves that the customer has a resource. So does a lease whose name at the targets is the
//! resource's id: whoever has a number has the SIM under which the target has it. If an older order of the customer is to take the
//! resource, that is waited for; otherwise a person has to decide (`coordinator/docs/inside/rights.md`).

use super::{Customer, Lease, Order, OrderStep, StepState};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, ResourceId};
use crate::order::ClaimMode;

impl Customer {
    /// The first resource that an order requires and its customer is not known to have; none if the order has started, since it had the
    /// right then.
    pub(super) fn unproven<'a>(&self, order: &'a Order) -> Option<&'a ResourceId> {
        if order.requires.is_empty() || !order.nothing_begun() {
            return None;
        }
        order.requires.iter().find(|resource| !self.has(order, resource))
    }

    /// Whether an order goes before those orders of its customer that only wait.
    pub(super) fn is_urgent(&self, order: &Order) -> bool {
        order.urgent && self.unproven(order).is_none()
    }

    fn has(&self, order: &Order, required: &ResourceId) -> bool {
        let takes = order.claim_on(required).is_some_and(|claim| claim.claim.mode == ClaimMode::Assign);
        takes || self.is_known_to_have(required)
    }

    fn is_known_to_have(&self, required: &ResourceId) -> bool {
        let proves = |(resource, lease): (&ResourceId, &Lease)| {
            let names = lease.target_identity.as_deref() == Some(required.id()) && resource.kind() != required.kind();
            lease.kept && !lease.doubted && lease.due.is_none() && (resource == required || names)
        };
        self.leases.iter().any(proves)
    }

    /// What a step acts on although this customer is not known to have it. The sender of the step first checks that no other customer has
    /// it; a release uses what is kept with its lease, and acts on nothing else.
    pub(super) fn unproven_of_step(&self, id: &OrderId, index: usize) -> Vec<ResourceId> {
        let Some(order) = self.orders.get(id) else { return Vec::new() };
        let Some(step) = order.steps.get(index).filter(|step| !order.is_release_step(step)) else { return Vec::new() };
        // Later steps had the right when the order used it: after a SIM swap the old SIM may already be another customer's.
        let is_use = |step: &OrderStep| !step.planned.resources.is_empty() && !order.is_release_step(step);
        let was_used = order.steps.iter().any(|step| step.state == StepState::Done && is_use(step));
        if was_used && step.planned.resources.is_empty() {
            return Vec::new();
        }
        let unproven = order.first_use.iter().filter(|resource| !self.is_known_to_have(resource));
        unproven.cloned().collect()
    }

    /// Whether an older order of this customer will take what another one requires, or will have something under that name.
    fn is_to_have(&self, order: &Order, required: &ResourceId) -> bool {
        let older = |other: &&Order| other.key < order.key && other.ending.is_none();
        self.orders.values().filter(older).any(|other| {
            other.open_claims().map(|claim| &claim.claim).any(|claim| {
                let by_name = |target_identity: &Option<String>| target_identity.as_deref() == Some(required.id());
                let takes = claim.resource == *required && claim.mode == ClaimMode::Assign;
                let renames = claim.resource.kind() != required.kind()
                    && claim.mode != ClaimMode::Release
                    && (by_name(&claim.target_identity) || by_name(&claim.target_identity_after));
                takes || renames
            })
        }) || self.leases.get(required).is_some_and(|lease| lease.doubted)
    }

    /// Holds the orders that act on what their customer is not known to have, and lets those continue whose customer has it by now.
    pub(super) fn hold_what_is_not_proven(&mut self) {
        let is_held = |order: &Order| order.steps.iter().any(|step| is_unproven(&step.state));
        let mut changes: Vec<(OrderId, Option<ResourceId>)> = Vec::new();
        let asks = |order: &Order| !order.requires.is_empty() || !order.first_use.is_empty();
        for (id, order) in self.orders.iter().filter(|(_, order)| asks(order) && order.ending.is_none()) {
            match self.unproven(order) {
                // Another customer had it when the step was about to be sent.
                None if was_refused(order)
                    && !order.first_use.iter().all(|resource| self.is_known_to_have(resource)) => {}
                None if is_held(order) => changes.push((id.clone(), None)),
                Some(resource) if !is_held(order) && self.inbox.is_empty() && !self.is_to_have(order, resource) => {
                    changes.push((id.clone(), Some(resource.clone())));
                }
                _ => {}
            }
        }
        for (id, missing) in changes {
            let Some(order) = self.orders.get_mut(&id) else { continue };
            for step in &mut order.steps {
                match &missing {
                    Some(resource) if step.state.is_open() => {
                        let detail = format!("this customer is not known to hold {resource}, which the order uses");
                        step.hold(ErrorCode::RightUnproven.into(), detail);
                    }
                    None if is_unproven(&step.state) => step.reopen(),
                    _ => {}
                }
            }
            self.changed();
        }
    }
}

fn is_unproven(state: &StepState) -> bool {
    matches!(state, StepState::Held { code, .. } if *code == ErrorCode::RightUnproven)
}

/// Whether the sender of a step found that another customer has what it acts on.
fn was_refused(order: &Order) -> bool {
    order.steps.iter().any(|step| is_unproven(&step.state) && step.dispatches > 0)
}
