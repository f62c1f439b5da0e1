//! Resource entities: claims, messages, look-ups, timers.

use std::sync::Arc;

use interlock_domain::ids::{CustomerRef, RealmId, ResourceId, Timestamp};
use interlock_domain::message::{ClaimAnswer, Delivery, GiveBack, Notice, Ticket, ToCustomer, ToResource};
use interlock_domain::outcome::HolderAnswer;
use interlock_domain::resource::{Effect, ForceAnswer, ForceStage, Import, Input, LeaseEvent, Resource, Vacancy};

use super::perform::Checked;
use super::resets::Heard;
use super::tasks::Taken;
use super::{Action, Notifying, ResourceSlot, Stray, World};
use crate::broken::Broken;
use crate::fingerprint::Tracked;
use crate::scenario::tenant;
use crate::sighting::{Sighting, Sightings};
use crate::violation::{Check, Violation};

impl ResourceSlot {
    /// A resource whose entity knows nothing.
    pub fn new(id: ResourceId) -> Self {
        Self::with(Resource::new(RealmId::from(&tenant()), id))
    }

    /// A resource whose entity knows nothing any more, and whether it knows that.
    pub fn recreated(id: ResourceId, is_recreated: bool) -> Self {
        let realm = RealmId::from(&tenant());
        Self::with(if is_recreated { Resource::recreated(realm, id) } else { Resource::new(realm, id) })
    }

    fn with(machine: Resource) -> Self {
        let entity = Tracked::new(machine);
        Self { entity, notifying: None, looking_up: None, task: None, past: None, is_ending: false }
    }
}

impl World {
    pub(super) fn seed(&mut self, resource: usize, holder: CustomerRef, target_identity: String) {
        let input = Input::Seeded { holder, target_identity: Some(target_identity), policy: self.scenario.policy() };
        let mut seen = Sightings::default();
        self.tell_resource(resource, input, &mut seen).expect("seeding must not send messages");
    }

    pub(super) fn import(&mut self, resource: usize, holder: CustomerRef) {
        let (now, import) = (Timestamp(self.now), Import { holder, policy: self.scenario.policy() });
        let mut seen = Sightings::default();
        let imported = self.change_resource(resource, &mut seen, |machine| {
            let (answer, effects) = machine.import(now, &import);
            (effects, answer)
        });
        imported.expect("an import into an empty ledger must not send messages");
    }

    pub(super) fn tell_resource(&mut self, resource: usize, input: Input, seen: &mut Sightings) -> Checked {
        let now = Timestamp(self.now);
        let broken = self.scenario.broken;
        let before = self.before_resource(resource);
        let taken = Taken::Resource(Box::new(input.clone()));
        self.resource_heard(resource, || {
            let is_signal = matches!(input, Input::Told(_) | Input::Heard { .. });
            is_signal.then(|| Heard::Resource(Box::new(input.clone())))
        });
        self.change_resource(resource, seen, |machine| {
            let input = match broken {
                Some(broken) => broken.instead(machine, input),
                None => input,
            };
            (machine.step(now, input), ())
        })?;
        self.resource_took(resource, before, taken);
        Ok(())
    }

    /// Changes a resource's machine, observes it, and performs its effects.
    fn change_resource<R>(
        &mut self,
        resource: usize,
        seen: &mut Sightings,
        change: impl FnOnce(&mut Resource) -> (Vec<Effect>, R),
    ) -> Result<R, Violation> {
        let broken = self.scenario.broken;
        let slot = &mut self.resources[resource];
        let forced_before = released_by_force(slot.entity.get());
        let vouched_for = is_vouched_for(slot.entity.get());
        let before = slot.entity.get().holder().map(|holder| (holder.epoch, holder.orphaned_at));
        let (effects, result) = slot.entity.change(|machine| {
            let changed = change(machine);
            if let Some(broken) = broken {
                broken.after_resource(machine);
            }
            changed
        });
        let after = slot.entity.get().holder().map(|holder| (holder.epoch, holder.orphaned_at));
        if after.is_some() && after.map(|holder| holder.0) != before.map(|holder| holder.0) {
            seen.see(Sighting::Grant);
        }
        if after.is_some_and(|holder| holder.1.is_some()) && before.is_some_and(|holder| holder.1.is_none()) {
            seen.see(Sighting::Orphan);
        }
        if released_by_force(self.resources[resource].entity.get()) > forced_before && !vouched_for {
            self.truth.forced.insert(resource);
        }
        let is_unclear = self.resources[resource].entity.get().vacancy() == Vacancy::Unclear;
        if is_unclear && self.left.resources_reset < self.scenario.faults.resources_reset {
            // Its knowledge is lost: only releases proceed, and a person decides.
            self.truth.unledgered.insert(resource);
        }
        if self.resources[resource].is_ending {
            // The next run asks again for the effects that it wants now.
            return Ok(result);
        }
        for effect in effects {
            self.resource_wants(resource, effect, seen)?;
        }
        Ok(result)
    }

    fn resource_wants(&mut self, resource: usize, effect: Effect, seen: &mut Sightings) -> Checked {
        match effect {
            Effect::Notify(messages) => {
                let notifying = Notifying { messages: Arc::new(messages), deliveries: Vec::new() };
                if self.resources[resource].notifying.replace(notifying).is_some() {
                    return Err(Violation::new(Check::OneLocalActivity, format!("of resource {resource}")));
                }
            }
            Effect::LookUp { .. } => {
                seen.see(Sighting::LookUp);
                if self.resources[resource].looking_up.replace(None).is_some() {
                    return Err(Violation::new(Check::OneLocalActivity, format!("look-ups of resource {resource}")));
                }
            }
        }
        Ok(())
    }

    /// Executes a claim by update.
    pub(super) fn claim_at(
        &mut self,
        resource: &ResourceId,
        ticket: Ticket,
        seen: &mut Sightings,
    ) -> Result<ClaimAnswer, Violation> {
        let Some(index) = self.scenario.resource_index(resource) else { return Ok(ClaimAnswer::NotAnswered) };
        let now = Timestamp(self.now);
        self.resource_heard(index, || Some(Heard::Claim(Box::new(ticket.clone()))));
        let mut answer = self.change_resource(index, seen, |machine| {
            let (answer, effects) = machine.claim(now, ticket);
            (effects, answer)
        })?;
        self.scenario.broken.into_iter().for_each(|broken| broken.answered(&mut answer));
        match &answer {
            ClaimAnswer::Queued => seen.see(Sighting::Wait),
            ClaimAnswer::NotHolder => seen.see(Sighting::NotHolder),
            ClaimAnswer::Finished => seen.see(Sighting::FinishedTicket),
            ClaimAnswer::Granted { recall: Some(_), .. } => seen.see(Sighting::Recall),
            _ => {}
        }
        Ok(answer)
    }

    /// Signals a resource, and starts it if it does not run.
    pub(super) fn deliver_to_resource(
        &mut self,
        resource: &ResourceId,
        message: ToResource,
        seen: &mut Sightings,
    ) -> Checked {
        match &message {
            ToResource::GiveBack { how: GiveBack::Yielded, .. } => seen.see(Sighting::Yield),
            ToResource::GiveBack { how: GiveBack::Unused, .. } => seen.see(Sighting::Unused),
            ToResource::GiveBack { how: GiveBack::Forced, .. } => seen.see(Sighting::ForcedRelease),
            ToResource::GiveBack { registered_to: Some(_), .. } => seen.see(Sighting::FoundElsewhere),
            ToResource::Decline { lost: None, .. } => seen.see(Sighting::Decline),
            ToResource::Reassert { lease: Some(_), .. } => seen.see(Sighting::LeaseReasserted),
            ToResource::Reassert { .. } => seen.see(Sighting::TicketsReasserted),
            ToResource::Used { .. } => seen.see(Sighting::Used),
            ToResource::ForceRefused { .. } => seen.see(Sighting::ForceRefused),
            ToResource::Probe { probe, .. } if probe.oldest.is_some() => seen.see(Sighting::Ring),
            _ => {}
        }
        match self.scenario.resource_index(resource) {
            Some(index) => {
                let said_at = Timestamp(self.now);
                let goes_by_workflow_time = self.scenario.broken == Some(Broken::NamesPositions);
                let heard =
                    if goes_by_workflow_time { Input::Told(message) } else { Input::Heard { said_at, message } };
                self.tell_resource(index, heard, seen)
            }
            None => Ok(()),
        }
    }

    pub(super) fn act_resource(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        match *action {
            Action::Notify(resource) | Action::NotifyWithCopy(resource) | Action::NotifyLate(resource) => {
                self.notify_next(resource, action, seen)
            }
            Action::NotifyAgain(resource) => {
                self.left.rerun -= 1;
                seen.see(Sighting::Rerun);
                self.resources[resource].notifying.iter_mut().for_each(|notifying| notifying.deliveries.clear());
                Ok(())
            }
            Action::NotifyDone(resource) => match self.resources[resource].notifying.take() {
                Some(notifying) => {
                    self.resource_local_ends(resource, notifying.deliveries.len());
                    self.tell_resource(resource, Input::Notified(notifying.deliveries), seen)?;
                    self.end_resource_run(resource, seen)
                }
                None => Ok(()),
            },
            Action::LookUpRead(resource) => {
                let policy = self.resources[resource].entity.get().policy();
                let Some(authority) = policy.authority.clone() else { return Ok(()) };
                let answer = self.targets.find_holder(&authority.target, &self.scenario.resources[resource]);
                self.resources[resource].looking_up = Some(Some(answer));
                Ok(())
            }
            Action::LookUpDone(resource) => match self.resources[resource].looking_up.take().flatten() {
                Some(answer) => {
                    self.tell_resource(resource, Input::LookedUp(answer), seen)?;
                    self.end_resource_run(resource, seen)
                }
                None => Ok(()),
            },
            Action::EndLookUpByHand(resource) => self.end_look_up_by_hand(resource, seen),
            Action::Wake(resource) => match self.wake_time(resource) {
                Some(at) => self.advance_to(at, seen),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// An operator completes the look-up with the result that no party has it.
    fn end_look_up_by_hand(&mut self, resource: usize, seen: &mut Sightings) -> Checked {
        self.left.by_hand -= 1;
        seen.see(Sighting::LookUpByHand);
        self.resources[resource].looking_up = None;
        let input = if self.scenario.broken == Some(Broken::TakesLookUpsByHand) {
            Input::LookedUp(HolderAnswer::Nobody)
        } else {
            Input::LookUpEndedByHand { said: "completed as nobody".to_owned() }
        };
        self.tell_resource(resource, input, seen)?;
        self.end_resource_run(resource, seen)
    }

    fn notify_next(&mut self, resource: usize, action: &Action, seen: &mut Sightings) -> Checked {
        let Some(notifying) = &self.resources[resource].notifying else { return Ok(()) };
        let Some((customer, message)) = notifying.messages.get(notifying.deliveries.len()).cloned() else {
            return Ok(());
        };
        see_notice(&message, seen);
        let lives = self.scenario.customer_index(&customer).is_some_and(|index| self.customers[index].entity.is_some());
        let delivery = match action {
            Action::NotifyLate(_) if lives => {
                self.left.delayed -= 1;
                self.strays.push(Stray::ToCustomer(customer, message));
                Delivery::Delivered
            }
            Action::NotifyWithCopy(_) if lives => {
                self.left.copied -= 1;
                self.strays.push(Stray::ToCustomer(customer.clone(), message.clone()));
                self.deliver_to_customer(&customer, message, seen)?
            }
            _ => self.deliver_to_customer(&customer, message, seen)?,
        };
        if let Some(notifying) = &mut self.resources[resource].notifying {
            notifying.deliveries.push(delivery);
        }
        Ok(())
    }

    fn wake_time(&self, resource: usize) -> Option<i64> {
        self.resources[resource].entity.get().wake_at(Timestamp(self.now)).map(|at| at.0)
    }

    /// The resource whose timer is next, if nothing in flight must arrive before.
    pub(super) fn next_to_wake(&self) -> Option<usize> {
        let waiting = (0..self.resources.len()).filter_map(|resource| Some((self.wake_time(resource)?, resource)));
        let (at, resource) = waiting.min()?;
        self.may_pass_to(at).then_some(resource)
    }

    /// Whether a resource wants to be woken before then.
    pub(super) fn wakes_until(&self, at: i64) -> bool {
        (0..self.resources.len()).any(|resource| self.wake_time(resource).is_some_and(|due| due <= at))
    }

    /// Whether time may pass until then: everything that must arrive or stop before has done so.
    pub(super) fn may_pass_to(&self, at: i64) -> bool {
        self.is_all_said()
            && self.targets.flying.values().all(|request| request.lands_by >= at)
            && self.ghosts.iter().all(|ghost| ghost.until >= at)
    }

    /// Makes time pass, and wakes the entities that wait for it, in order.
    pub(super) fn advance_to(&mut self, at: i64, seen: &mut Sightings) -> Checked {
        loop {
            let due = (0..self.resources.len()).filter_map(|resource| self.wake_time(resource)).min();
            let Some(next) = due.filter(|next| *next <= at) else { break };
            let woken: Vec<_> =
                (0..self.resources.len()).filter(|resource| self.wake_time(*resource) == Some(next)).collect();
            self.now = next;
            for resource in woken {
                self.tell_resource(resource, Input::Woke, seen)?;
            }
        }
        self.now = self.now.max(at);
        Ok(())
    }
}

/// How often a person took a lease from its holder: the answer said so, or the holder gave it back too late for the answer.
/// Registrations under it since then are due to the person, and the history says so.
fn released_by_force(machine: &Resource) -> usize {
    let answered = machine.forces().iter().filter(|force| force.answer == ForceAnswer::Released).count();
    answered + machine.history().iter().filter(|entry| entry.what == LeaseEvent::Forced).count()
}

/// Whether a forced release is in progress that takes no number away: the target reported no holder, no person insists, and a living
/// holder is asked.
fn is_vouched_for(machine: &Resource) -> bool {
    let asks_holder = machine.forcing().is_some_and(|forcing| {
        forcing.stage == ForceStage::Holder
            && !forcing.release.even_if_registered
            && forcing.other_target_identity.is_none()
    });
    let lives = machine.holder().is_some_and(|holder| holder.customer().is_some() && holder.orphaned_at.is_none());
    asks_holder && lives && machine.policy().authority.is_some()
}

fn see_notice(message: &ToCustomer, seen: &mut Sightings) {
    match &message.notice {
        Notice::LeaseRecalled { .. } | Notice::LeaseGranted { recall: Some(_), .. } => seen.see(Sighting::Recall),
        Notice::NotHolder { .. } => seen.see(Sighting::NotHolder),
        Notice::Probe { probe } if probe.oldest.is_some() => seen.see(Sighting::Ring),
        _ => {}
    }
}
