//! A resource entity that is terminated whatever goes on: whoever notices has customers say again what they have and want.

use interlock_domain::customer::{Customer, Input};
use interlock_domain::message::ToResource;

use super::perform::Checked;
use super::{Action, ResourceSlot, Stray, World};
use crate::broken::Broken;
use crate::sighting::{Sighting, Sightings};

impl World {
    /// Its entity is gone, with all that it knew; the next one knows that there was one. It is noticed, and every customer
    /// will be asked.
    pub(super) fn lose_resource(&mut self, resource: usize, seen: &mut Sightings) -> Checked {
        self.left.resources_lost -= 1;
        seen.see(Sighting::ResourceLost);
        let is_reborn = self.scenario.broken != Some(Broken::IsNotToldOfItsDeath);
        self.resources[resource] = ResourceSlot::reborn(self.scenario.resources[resource].clone(), is_reborn);
        let living = (0..self.customers.len()).filter(|customer| self.machine(*customer).is_some());
        let asked: Vec<_> = living.map(|customer| (resource, customer)).collect();
        self.to_look_around.extend(asked);
        self.advance_to(self.now + super::deaths::REBIRTH_MS, seen)
    }

    /// A customer is asked to say again what it has and wants.
    pub(super) fn look_around(&mut self, resource: usize, customer: usize, seen: &mut Sightings) -> Checked {
        self.to_look_around.remove(&(resource, customer));
        let resource = Some(self.scenario.resources[resource].clone());
        // Whoever has something by a list is started to be asked.
        self.be_there(customer);
        self.tell_customer(customer, Input::Reassert { resource }, seen)
    }

    pub(super) fn look_arounds(&self, actions: &mut Vec<Action>) {
        actions.extend(self.to_look_around.iter().map(|(resource, customer)| Action::LookAround(*resource, *customer)));
        if self.left.resources_lost > 0 && self.may_jump() {
            actions.extend((0..self.resources.len()).map(Action::LoseResource));
        }
    }

    /// Whether all customers that were asked have said what they have: a resource entity that lost its memory waits so long
    /// that they have.
    pub(super) fn is_all_said(&self) -> bool {
        let silent = |machine: &Customer| {
            let unsent = |(_, message): &(_, ToResource)| matches!(message, ToResource::Reassert { .. });
            !machine.to_reassert.is_empty() || machine.outbox.iter().any(unsent)
        };
        let under_way = |stray: &Stray| matches!(stray, Stray::ToResource(_, ToResource::Reassert { .. }));
        let waits_for_nobody = self.scenario.broken == Some(Broken::IsNotToldOfItsDeath);
        let is_all_heard = self.to_look_around.is_empty()
            && !self.strays.iter().any(under_way)
            && !(0..self.customers.len()).filter_map(|customer| self.machine(customer)).any(silent);
        waits_for_nobody || is_all_heard
    }
}
