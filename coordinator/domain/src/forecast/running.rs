//! Answers what the machines want, and carries their messages.

use super::{AHEAD_MS_MAX, Forecast, Known, Open, Party};
use crate::catalog::Planned;
use crate::customer::{self, Admission, Admitted, Customer};
use crate::event::Event;
use crate::ids::{CustomerId, CustomerRef, Incarnation, ResourceId, Timestamp};
use crate::message::{ClaimAnswer, Delivery, ProvisionRequest, Ticket, ToCustomer, ToResource};
use crate::order::Rejection;
use crate::outcome::{HolderAnswer, Outcome};
use crate::recording::Edition;
use crate::resource::{self, HolderName, Resource};

impl Forecast<'_> {
    /// An entity without which the next thing cannot be answered.
    pub(super) fn missing(&mut self, open: &Open) -> Option<Party> {
        match open {
            Open::OfCustomer(_, customer::Effect::Send(messages)) => {
                messages.iter().find_map(|(resource, _)| self.missing_resource(resource))
            }
            Open::OfCustomer(_, customer::Effect::Provision { request, .. }) => {
                let target = &request.target;
                (!self.targets.contains_key(target)).then(|| Party::Target(target.clone()))
            }
            Open::OfCustomer(..) | Open::OfResource(_, resource::Effect::LookUp { .. }) => None,
            Open::Planned(_, admission, planned) => {
                let claimed = admission.events.iter().zip(planned).filter_map(|(waiting, planned)| {
                    let plan = &planned.as_ref().ok()?.plan;
                    Some(admission.tickets(&waiting.key, plan))
                });
                let resource = claimed.flatten().find_map(|(resource, _)| self.missing_resource(&resource));
                let mut forwarded = planned.iter().flatten().filter_map(|planned| planned.forward.as_ref());
                resource.or_else(|| forwarded.find_map(|forward| self.missing_customer(&forward.customer)))
            }
            Open::OfResource(_, resource::Effect::Notify(messages)) => {
                let own = messages.iter().filter(|(customer, _)| customer.tenant == self.tenant);
                own.map(|(customer, _)| &customer.customer).find_map(|customer| self.missing_customer(customer))
            }
        }
    }

    fn missing_customer(&self, customer: &CustomerId) -> Option<Party> {
        (!self.customers.contains_key(customer)).then(|| Party::Customer(customer.clone()))
    }

    fn missing_resource(&self, resource: &ResourceId) -> Option<Party> {
        (!self.resources.contains_key(resource)).then(|| Party::Resource(resource.clone()))
    }

    /// Answers one thing that is in flight.
    pub(super) fn answer(&mut self, open: Open) {
        match open {
            Open::OfCustomer(customer, effect) => self.answer_customer(customer, effect),
            Open::Planned(customer, admission, planned) => self.admit(&customer, &admission, planned),
            Open::OfResource(resource, resource::Effect::Notify(messages)) => self.notify(&resource, messages),
            Open::OfResource(resource, resource::Effect::LookUp { .. }) => self.look_up(&resource),
        }
    }

    fn answer_customer(&mut self, customer: CustomerId, effect: customer::Effect) {
        match effect {
            customer::Effect::Admit(admission) => {
                let planned = self.plans.plan(&admission);
                self.open.push_front(Open::Planned(customer, Box::new(admission), planned));
            }
            customer::Effect::Send(messages) => {
                for (resource, message) in messages {
                    self.send(&resource, message);
                }
                self.tell_customer(&customer, customer::Input::Sent);
            }
            customer::Effect::Provision { order, step, request } => {
                if !self.is_called(&request) {
                    return;
                }
                let outcome = Outcome::Done;
                self.tell_customer(&customer, customer::Input::StepAnswered { order, step, outcome, calls: 1 });
            }
            // What receivers are told decides nothing.
            customer::Effect::Deliver(_) | customer::Effect::Show { .. } => {}
        }
    }

    /// Whether a call starts. If not, it stays in the queue of its target.
    fn is_called(&mut self, request: &ProvisionRequest) -> bool {
        let is_called = self.targets.get(&request.target).is_none_or(Option::is_none);
        if is_called {
            self.note_call(request);
        } else {
            self.touch(&request.order);
        }
        is_called
    }

    fn send(&mut self, resource: &ResourceId, message: ToResource) {
        let said_at = self.now;
        self.tell_resource(resource, resource::Input::Heard { said_at, message });
    }

    fn admit(&mut self, customer: &CustomerId, admission: &Admission, planned: Vec<Result<Planned, Rejection>>) {
        for forward in planned.iter().flatten().filter_map(|planned| planned.forward.clone()) {
            self.pass_on(&forward.customer, &forward.event);
        }
        let mut admitted = Vec::with_capacity(planned.len());
        for (waiting, planned) in admission.events.iter().zip(planned) {
            admitted.push(match planned {
                Err(rejection) => Admitted::Rejected { rejection },
                Ok(Planned { plan, .. }) => {
                    let tickets = admission.tickets(&waiting.key, &plan);
                    let answers = tickets.into_iter().map(|(resource, ticket)| {
                        let answer = self.claim(&resource, ticket);
                        (resource, answer)
                    });
                    Admitted::Planned { answers: answers.collect(), plan }
                }
            });
        }
        let Some(machine) = self.customer(customer) else { return };
        let answer = machine.answer_of(admitted);
        self.tell_customer(customer, customer::Input::Admitted(answer));
    }

    fn claim(&mut self, resource: &ResourceId, ticket: Ticket) -> ClaimAnswer {
        let now = self.now;
        let answered = self.change_resource(resource, |machine| {
            let (answer, effects) = machine.claim(now, Ticket { answer_by: None, ..ticket });
            (effects, answer)
        });
        answered.unwrap_or(ClaimAnswer::NotAnswered)
    }

    /// The second half of an event reaches the other customer, whose entity it starts if there is none.
    fn pass_on(&mut self, customer: &CustomerId, event: &serde_json::Value) {
        if let Some(Known::Absent) = self.customers.get(customer) {
            let me = CustomerRef { tenant: self.tenant.clone(), customer: customer.clone() };
            let mut machine = Customer::new(me, Incarnation(self.now.0));
            machine.begin_run(Edition::default());
            self.follow_customer(machine);
        }
        let Some(machine) = self.customer(customer) else { return };
        let event = Event::from_value(event, machine.limits().event_bytes_max);
        self.tell_customer(customer, customer::Input::Submitted(event));
    }

    fn notify(&mut self, resource: &ResourceId, messages: Vec<(CustomerRef, ToCustomer)>) {
        let deliveries = messages.into_iter().map(|(customer, message)| self.deliver(&customer, message)).collect();
        self.tell_resource(resource, resource::Input::Notified(deliveries));
    }

    fn deliver(&mut self, customer: &CustomerRef, message: ToCustomer) -> Delivery {
        if customer.tenant != self.tenant {
            self.unknown.insert("What customers of other tenants would do is not considered.".to_owned());
            return Delivery::Delivered;
        }
        if let Some(Known::Absent) = self.customers.get(&customer.customer) {
            return Delivery::Lost;
        }
        self.tell_customer(&customer.customer, customer::Input::Told(message));
        Delivery::Delivered
    }

    /// The authority has what the ledger has. Of a resource that is forced free it has nothing.
    fn look_up(&mut self, resource: &ResourceId) {
        let Some(machine) = self.resource(resource) else { return };
        let is_forced = machine.forcing().is_some();
        let target_identity = machine.holder().filter(|_| !is_forced).and_then(|holder| match &holder.who {
            HolderName::TargetIdentity(target_identity) => Some(target_identity.clone()),
            HolderName::Customer(_) => holder.target_identity.clone(),
        });
        let answer = target_identity
            .map_or(HolderAnswer::Nobody, |target_identity| HolderAnswer::TargetIdentity { target_identity });
        self.looked_up.0 |= is_forced;
        self.looked_up.1 |= !is_forced;
        self.tell_resource(resource, resource::Input::LookedUp(answer));
    }

    /// Lets time pass until the next resource wants to be woken. False if none does, or not soon enough.
    pub(super) fn wake(&mut self) -> bool {
        // What is left out might happen first.
        if !self.is_complete() {
            return false;
        }
        let now = self.now;
        let due = |machine: &Resource| machine.wake_at(now).filter(|at| *at > now);
        let machines = self.resources.iter().filter_map(|(id, known)| Some((due(known.machine()?)?, id.clone())));
        let Some((at, resource)) = machines.min() else { return false };
        if at > self.began.plus_ms(AHEAD_MS_MAX) {
            return false;
        }
        self.now = at;
        self.tell_resource(&resource, resource::Input::Woke);
        true
    }

    pub(super) fn tell_customer(&mut self, customer: &CustomerId, input: customer::Input) {
        let now = self.now;
        // One that is left out takes it unseen.
        let _taken: Option<()> = self.change_customer(customer, |machine| (machine.step(now, input), ()));
    }

    pub(super) fn tell_resource(&mut self, resource: &ResourceId, input: resource::Input) {
        let now = self.now;
        let _taken: Option<()> = self.change_resource(resource, |machine| (machine.step(now, input), ()));
    }

    pub(super) fn change_customer<R>(
        &mut self,
        customer: &CustomerId,
        change: impl FnOnce(&mut Customer) -> (Vec<customer::Effect>, R),
    ) -> Option<R> {
        let Some(Known::Followed(followed)) = self.customers.get_mut(customer) else { return None };
        self.inputs = self.inputs.saturating_add(1);
        let ended_before = followed.machine.remembered().back().map(|over| over.order.clone());
        let (effects, result) = change(&mut followed.machine);
        self.note_ends(customer, ended_before.as_ref());
        self.open.extend(effects.into_iter().map(|effect| Open::OfCustomer(customer.clone(), effect)));
        Some(result)
    }

    pub(super) fn change_resource<R>(
        &mut self,
        resource: &ResourceId,
        change: impl FnOnce(&mut Resource) -> (Vec<resource::Effect>, R),
    ) -> Option<R> {
        let Some(Known::Followed(followed)) = self.resources.get_mut(resource) else { return None };
        self.inputs = self.inputs.saturating_add(1);
        let before = followed.machine.holder().cloned();
        let (effects, result) = change(&mut followed.machine);
        let after = followed.machine.holder().cloned();
        self.note_hand_over(resource, before.as_ref(), after.as_ref());
        self.open.extend(effects.into_iter().map(|effect| Open::OfResource(resource.clone(), effect)));
        Some(result)
    }

    /// How long after the action it is, in milliseconds.
    pub(super) fn after_ms(&self) -> u64 {
        let Timestamp(now) = self.now;
        u64::try_from(now.saturating_sub(self.began.0)).unwrap_or_default()
    }
}
