//! Whether a step may start, as far as its own order and leases decide. `turns` then decides whose turn it is.

use super::{ClaimState, Customer, Order, OrderStep};
use crate::ids::{ResourceId, TargetId};
use crate::order::{ClaimMode, ReleaseWhen};

/// Why a step does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// A lease is missing.
    Lease,
    /// A step that it comes after has not ended.
    After,
    /// It waits for a person.
    Person,
}

impl Order {
    /// Its first step in a lane that has not ended.
    pub(super) fn first_in_lane(&self, target: &TargetId) -> Option<usize> {
        self.steps.iter().position(|step| step.planned.target == *target && !step.state.is_over())
    }

    /// Whether no step of it has started.
    pub(super) fn nothing_begun(&self) -> bool {
        !self.had_effect()
    }

    /// Whether a step only gives up what it names.
    pub(super) fn is_release_step(&self, step: &OrderStep) -> bool {
        let release = |resource| self.claim_on(resource).is_some_and(|claim| claim.claim.mode == ClaimMode::Release);
        step.compensates.is_none() && !step.planned.resources.is_empty() && step.planned.resources.iter().all(release)
    }

    /// Whether one of its steps may start as far as the order and its leases decide; `holds` says whether a lease is held
    /// that this order may use.
    ///
    /// # Errors
    /// What it waits for.
    pub(super) fn readiness(&self, step: &OrderStep, holds: &dyn Fn(&ResourceId) -> bool) -> Result<(), NotReady> {
        if self.late_hold || !step.state.is_open() {
            return Err(NotReady::Person);
        }
        if !self.comes_next(step) {
            return Err(NotReady::After);
        }
        let mut needed = step
            .planned
            .resources
            .iter()
            .filter(|resource| self.claim_on(resource).is_none_or(|claim| claim.state != ClaimState::NotHolder));
        if !needed.all(holds) {
            return Err(NotReady::Lease);
        }
        let free = step.planned.resources.is_empty() || step.compensates.is_some();
        let granted = if free {
            true
        } else if self.is_release_step(step) {
            self.may_release(step, holds)
        } else {
            self.started || self.has_all_leases(holds)
        };
        if granted { Ok(()) } else { Err(NotReady::Lease) }
    }

    /// Whether the steps that a step comes after have ended.
    pub(super) fn comes_next(&self, step: &OrderStep) -> bool {
        step.planned.after.iter().all(|index| self.steps.get(*index).is_none_or(|other| other.state.is_over()))
    }

    /// Whether a release may run: in its turn, or once the order's own assigns are granted.
    fn may_release(&self, step: &OrderStep, holds: &dyn Fn(&ResourceId) -> bool) -> bool {
        let waits = step.planned.resources.iter().any(|resource| {
            self.claim_on(resource).is_some_and(|claim| claim.claim.release_when == ReleaseWhen::Granted)
        });
        !waits || self.release_first || self.open_assigns().all(holds)
    }

    /// Whether all assign and lock leases that its open steps need are held.
    fn has_all_leases(&self, holds: &dyn Fn(&ResourceId) -> bool) -> bool {
        self.open_claims()
            .filter(|claim| claim.claim.mode != ClaimMode::Release && self.open_on(&claim.claim.resource))
            .all(|claim| holds(&claim.claim.resource))
    }

    /// Whether it has not started and lacks a lease that its open steps need.
    pub(super) fn waits_for_lease(&self, holds: &dyn Fn(&ResourceId) -> bool) -> bool {
        !self.started
            && self.open_claims().any(|claim| {
                let resource = &claim.claim.resource;
                !holds(resource) && self.open_on(resource)
            })
    }
}

impl Customer {
    /// Whether a step may start as far as its own order and leases decide.
    ///
    /// # Errors
    /// What it waits for.
    pub(super) fn readiness(&self, order: &Order, step: &OrderStep) -> Result<(), NotReady> {
        if self.unproven(order).is_some() {
            return Err(NotReady::Lease);
        }
        order.readiness(step, &|resource| self.holds_for(order, resource))
    }

    /// Whether all assign and lock leases that the order's open steps need are held.
    pub(super) fn has_all_leases(&self, order: &Order) -> bool {
        order.has_all_leases(&|resource| self.holds_for(order, resource))
    }
}
