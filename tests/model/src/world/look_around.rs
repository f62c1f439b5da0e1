//! A resource entity that is terminated at any time. The process that notices asks customers to repeat what they have and want.

use interlock_domain::customer::{Customer, Input};
use interlock_domain::message::{Notice, ProvisionRequest, ToCustomer, ToResource};

use super::perform::Checked;
use super::{Action, ResourceSlot, Stray, World};
use crate::broken::Broken;
use crate::edited::edit;
use crate::sighting::{Sighting, Sightings};
use crate::target::writes_of;

impl World {
    /// The entity is gone, with all its knowledge. The next one only knows that there was one. The termination is noticed, and every
    /// customer will be asked.
    pub(super) fn lose_resource(&mut self, resource: usize, seen: &mut Sightings) -> Checked {
        self.left.resources_lost -= 1;
        seen.see(Sighting::ResourceLost);
        let is_recreated = self.scenario.broken != Some(Broken::IsNotToldOfItsDeath);
        self.resources[resource] = ResourceSlot::recreated(self.scenario.resources[resource].clone(), is_recreated);
        let living = (0..self.customers.len()).filter(|customer| self.machine(*customer).is_some());
        let asked: Vec<_> = living.map(|customer| (resource, customer)).collect();
        self.to_look_around.extend(asked);
        self.advance_to(self.now + super::deaths::RECREATION_MS, seen)
    }

    /// A customer is asked to repeat what it has and wants.
    pub(super) fn look_around(&mut self, resource: usize, customer: usize, seen: &mut Sightings) -> Checked {
        self.to_look_around.remove(&(resource, customer));
        let resource = Some(self.scenario.resources[resource].clone());
        // A customer that has something by a list is started, so that it can be asked.
        self.be_there(customer);
        self.tell_customer(customer, Input::Reassert { resource }, seen)
    }

    /// A customer's machine forgets a lease, although nothing told it to.
    pub(super) fn forget_lease(&mut self, resource: usize, customer: usize, seen: &mut Sightings) {
        self.left.leases_forgotten -= 1;
        seen.see(Sighting::LeaseForgotten);
        let id = self.scenario.resources[resource].to_string();
        if let Some(entity) = &mut self.customers[customer].entity {
            entity.change(|machine| {
                edit(machine, |state| {
                    let leases = state["leases"].as_object_mut().expect("leases are a map");
                    leases.remove(&id);
                });
            });
        }
        self.to_settle.insert((resource, customer));
    }

    /// The sweep has seen it for long enough.
    pub(super) fn settle_difference(&mut self, resource: usize, customer: usize, seen: &mut Sightings) -> Checked {
        self.to_settle.remove(&(resource, customer));
        seen.see(Sighting::Disowned);
        if self.machine(customer).is_none() {
            return Ok(());
        }
        let holder = self.resources[resource].entity.get().holder();
        let above = holder.map(|holder| holder.epoch).unwrap_or_default();
        let resource = self.scenario.resources[resource].clone();
        self.tell_customer(customer, Input::SettleDifference { resource, above }, seen)
    }

    /// Whether a customer may forget a lease: it has no call in flight, and every registration of it is found by a look-up.
    fn may_forget(&self, resource: usize, customer: usize) -> bool {
        let id = &self.scenario.resources[resource];
        let names = |request: &ProvisionRequest| writes_of(request).iter().any(|(_, named)| named == id);
        let is_called = self.customers[customer].calls.values().any(|run| names(&run.request));
        let flies = self.targets.flying.values().any(|request| request.writes.iter().any(|(_, named)| named == id));
        let is_registered = |on: &str| {
            let target_identity = self.scenario.customers[customer].customer.as_str();
            self.targets.registered.iter().any(|((target, known), of)| {
                (target.as_str() == "hss") == (on == "hss") && known == id && of == target_identity
            })
        };
        let is_seen = is_registered("hss") || !is_registered("elsewhere");
        let has_it = self.machine(customer).is_some_and(|machine| machine.leases().contains_key(id));
        has_it && is_seen && !is_called && !flies
    }

    pub(super) fn look_arounds(&self, actions: &mut Vec<Action>) {
        actions
            .extend(self.to_settle.iter().map(|(resource, customer)| Action::SettleDifference(*resource, *customer)));
        if self.left.leases_forgotten > 0 {
            let all = (0..self.resources.len())
                .flat_map(|resource| (0..self.customers.len()).map(move |customer| (resource, customer)));
            let may = all.filter(|(resource, customer)| self.may_forget(*resource, *customer));
            actions.extend(may.map(|(resource, customer)| Action::ForgetLease(resource, customer)));
        }
        actions.extend(self.to_look_around.iter().map(|(resource, customer)| Action::LookAround(*resource, *customer)));
        if self.left.resources_lost > 0 && self.may_jump() {
            actions.extend((0..self.resources.len()).map(Action::LoseResource));
        }
    }

    /// Whether all customers that were asked have reported what they have. A resource entity that lost its memory waits that long.
    pub(super) fn is_all_said(&self) -> bool {
        let silent = |machine: &Customer| {
            let unsent = |(_, message): &(_, ToResource)| matches!(message, ToResource::Reassert { .. });
            !machine.to_reassert().is_empty() || machine.outbox().iter().any(unsent)
        };
        let asks = |message: &ToCustomer| matches!(message.notice, Notice::Reassert { .. });
        let under_way = |stray: &Stray| match stray {
            Stray::ToResource(_, message) => matches!(message, ToResource::Reassert { .. }),
            Stray::ToCustomer(_, message) => asks(message),
            Stray::Claim(..) => false,
        };
        let is_asking = self.resources.iter().any(|slot| slot.entity.get().outbox().iter().any(|(_, told)| asks(told)));
        let waits_for_nobody = self.scenario.broken == Some(Broken::IsNotToldOfItsDeath);
        let is_all_heard = self.to_look_around.is_empty()
            && !is_asking
            && !self.strays.iter().any(under_way)
            && !(0..self.customers.len()).filter_map(|customer| self.machine(customer)).any(silent);
        waits_for_nobody || is_all_heard
    }
}
