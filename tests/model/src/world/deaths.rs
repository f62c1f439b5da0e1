//! Entities that die, and runs that continue as new.

use std::sync::Arc;

use interlock_domain::customer::{self, Customer};
use interlock_domain::ids::Timestamp;
use interlock_domain::resource::{self, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::perform::Checked;
use super::{Action, Call, CallRun, CustomerSlot, Phase, ResourceSlot, World};
use crate::scenario::GHOST_MS_MAX;
use crate::sighting::{Sighting, Sightings};
use crate::violation::{Check, Violation};

/// How much later a dead entity's next life begins, in milliseconds.
pub(super) const RECREATION_MS: i64 = 1_000;

/// A call of a dead entity that has not sent its request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// The customer.
    pub customer: usize,
    /// Which life of it.
    pub life: u8,
    /// The call.
    pub call: CallRun,
    /// The step's index.
    pub step: usize,
    /// The latest time at which it notices its death.
    pub until: i64,
}

impl World {
    /// Whether a rebirth may happen now, since it makes time pass.
    pub(super) fn may_jump(&self) -> bool {
        self.may_pass_to(self.now + RECREATION_MS)
    }

    pub(super) fn act_death(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        match *action {
            Action::GhostSends(index) => self.ghost_sends(index),
            Action::GhostStops(index) => {
                self.ghosts.remove(index);
                Ok(())
            }
            Action::ContinueCustomer(customer) => self.continue_customer(customer, seen),
            Action::ContinueResource(resource) => self.continue_resource(resource, seen),
            Action::TerminateCustomer(customer) => self.terminate_customer(customer, seen),
            Action::TerminateResource(resource) => self.terminate_resource(resource, seen),
            _ => Ok(()),
        }
    }

    /// The call of a dead entity sends its request. No entity waits for the answer.
    fn ghost_sends(&mut self, index: usize) -> Checked {
        let ghost = self.ghosts.remove(index);
        let order = ghost.call.request.order.clone();
        let call = Call { customer: ghost.customer, order, step: ghost.step };
        let mut run = ghost.call;
        run.attempt += 1;
        self.send(&call, ghost.life, &run).map(|_| ())
    }

    /// Work in flight is cancelled and awaited. The state passes as JSON to the next run.
    fn continue_customer(&mut self, customer: usize, seen: &mut Sightings) -> Checked {
        self.left.continued -= 1;
        seen.see(Sighting::ContinuedAsNew);
        let now = Timestamp(self.now);
        let slot = &mut self.customers[customer];
        let interrupted: Vec<_> = std::mem::take(&mut slot.calls).into_keys().collect();
        slot.local = None;
        slot.task = None;
        // The new run begins it again.
        slot.delivering = None;
        self.truth.interrupted.extend(interrupted.iter().cloned());
        let mut failure = None;
        self.change_customer(customer, seen, |machine| {
            for (order, step) in interrupted {
                // The run is about to end. The next run asks again for the effects that the machine wants now.
                machine.step(now, customer::Input::StepInterrupted { order, step });
            }
            match through_json::<Customer>(machine) {
                Ok(next) => *machine = next,
                Err(violation) => failure = Some(violation),
            }
            machine.step(now, customer::Input::Resumed)
        })?;
        failure.map_or(Ok(()), Err)
    }

    fn continue_resource(&mut self, resource: usize, seen: &mut Sightings) -> Checked {
        self.left.continued -= 1;
        seen.see(Sighting::ContinuedAsNew);
        let slot = &mut self.resources[resource];
        slot.notifying = None;
        slot.looking_up = None;
        slot.task = None;
        let next = slot.entity.change(|machine| through_json::<Resource>(machine).map(|next| *machine = next));
        next?;
        self.tell_resource(resource, resource::Input::Resumed, seen)
    }

    /// A customer's entity is gone. Its calls continue for a while; its events are submitted again to its next life.
    fn terminate_customer(&mut self, customer: usize, seen: &mut Sightings) -> Checked {
        self.left.customers_terminated -= 1;
        seen.see(Sighting::CustomerTerminated);
        let life = self.customers[customer].life;
        self.leave_calls_to_ghosts(customer);
        let next = CustomerSlot { life: self.customers[customer].life, ..CustomerSlot::default() };
        self.customers[customer] = next;
        self.leave_elsewhere(customer);
        for (event, spec) in Arc::clone(&self.scenario).events.iter().enumerate() {
            let submitted = self.truth.submitted.contains(&(event, life));
            if spec.customer == customer && submitted {
                self.to_submit[event] = true;
            }
        }
        self.advance_to(self.now + RECREATION_MS, seen)
    }

    /// A customer's next life begins. The calls of this one continue for a while.
    pub(super) fn leave_calls_to_ghosts(&mut self, customer: usize) {
        let until = self.now + GHOST_MS_MAX;
        let slot = &mut self.customers[customer];
        let life = slot.life;
        slot.life += 1;
        if let Some(task) = slot.task.take() {
            // These were never recorded.
            slot.calls.retain(|call, _| !task.calls.contains(call));
        }
        for ((_, step), call) in std::mem::take(&mut slot.calls) {
            if matches!(call.phase, Phase::ToSend | Phase::Settling) {
                self.ghosts.push(Ghost { customer, life, call, step, until });
            }
        }
    }

    /// If a dead customer is registered on a target that is not the authority, a look-up does not find it.
    fn leave_elsewhere(&mut self, customer: usize) {
        let target_identity = self.scenario.customers[customer].customer.as_str();
        let elsewhere =
            self.targets.registered.iter().filter(|((on, _), known)| on.as_str() != "hss" && *known == target_identity);
        let left: Vec<_> = elsewhere.filter_map(|((_, resource), _)| self.scenario.resource_index(resource)).collect();
        self.truth.left_registered.extend(left);
    }

    /// A resource's entity is gone. The next message starts one that knows nothing.
    fn terminate_resource(&mut self, resource: usize, seen: &mut Sightings) -> Checked {
        self.left.resources_terminated -= 1;
        seen.see(Sighting::ResourceTerminated);
        self.truth.resources_died.insert(resource);
        self.resources[resource] = ResourceSlot::new(self.scenario.resources[resource].clone());
        self.advance_to(self.now + RECREATION_MS, seen)
    }
}

/// The state after continue-as-new.
pub(super) fn through_json<T: Serialize + DeserializeOwned>(state: &T) -> Result<T, Violation> {
    let fault = |fault: serde_json::Error| Violation::new(Check::RoundTrip, fault.to_string());
    let json = serde_json::to_string(state).map_err(fault)?;
    let next: T = serde_json::from_str(&json).map_err(fault)?;
    let again = serde_json::to_string(&next).map_err(fault)?;
    if again != json {
        return Err(Violation::new(Check::RoundTrip, "a state is another after its way through JSON"));
    }
    Ok(next)
}
