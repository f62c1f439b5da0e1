//! Workflow resets: an entity returns to an earlier moment of its history, and is told so (`coordinator/docs/inside/resets.md`).
//!
//! The world remembers one moment of an entity, which is chosen like any other action, and what the entity has received since. A reset
//! restores its state, tells the machine, and then delivers the same inputs again or not. Whatever the old run started continues: calls
//! as those of a dead entity, requests in flight, messages as strays. The server starts the work again that was in flight at the
//! remembered moment. It is awaited or interrupted, and then the run continues as new.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use interlock_domain::customer::{self, Customer, ShownState};
use interlock_domain::ids::{Incarnation, OrderId, Timestamp};
use interlock_domain::message::Ticket;
use interlock_domain::resource::{self, Resource};
use serde_json::json;

use super::attempts::Begins;
use super::deaths::{RECREATION_MS, through_json};
use super::perform::Checked;
use super::{Action, CallRun, Delivering, LocalRun, Notifying, Reset, Stray, World};
use crate::broken::Broken;
use crate::edited::{edit, edit_each};
use crate::fingerprint::Tracked;
use crate::sighting::{Sighting, Sightings};

/// An earlier moment of an entity, and what it has received since.
#[derive(Debug, Clone)]
pub struct Past<M, U> {
    entity: Tracked<M>,
    under_way: U,
    heard: Arc<Vec<Heard>>,
}

/// An input of an entity that a reset may apply again.
#[derive(Debug, Clone)]
pub(super) enum Heard {
    /// A signal to a customer.
    Customer(Box<customer::Input>),
    /// A signal to a resource.
    Resource(Box<resource::Input>),
    /// A claim by update.
    Claim(Box<Ticket>),
}

/// The work of a customer that was in flight, and the knowledge of the checks.
#[derive(Debug, Clone, Hash)]
pub struct OfCustomer {
    local: Option<Tracked<LocalRun>>,
    calls: BTreeMap<(OrderId, usize), CallRun>,
    delivering: Option<Delivering>,
    shown: Option<ShownState>,
    begun: BTreeMap<OrderId, bool>,
    submitted: BTreeSet<usize>,
}

/// The work of a resource that was in flight.
#[derive(Debug, Clone, Hash)]
pub struct OfResource {
    notifying: Option<Notifying>,
    looks_up: bool,
}

impl<M, U: Hash> Hash for Past<M, U> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut heard = DefaultHasher::new();
        format!("{:?}", self.heard).hash(&mut heard);
        (heard.finish(), &self.under_way).hash(state);
        self.entity.hash(state);
    }
}

impl<M, U> Past<M, U> {
    fn heard(&mut self, heard: Heard) {
        Arc::make_mut(&mut self.heard).push(heard);
    }
}

impl World {
    /// Remembering moments, and resetting to them.
    pub(super) fn resets(&self, actions: &mut Vec<Action>) {
        let remembered = self.customers.iter().filter(|slot| slot.past.is_some()).count();
        for (customer, slot) in self.customers.iter().enumerate() {
            if slot.is_ending {
                continue;
            }
            if slot.past.is_none() && remembered < usize::from(self.left.customers_reset) {
                actions.push(Action::RememberCustomer(customer));
            } else if slot.past.is_some() && self.left.customers_reset > 0 && self.may_jump() {
                let sends = slot.local.as_ref().is_some_and(|local| has_unsent(local.get()));
                actions.extend(forms(sends).map(|reset| Action::ResetCustomer(customer, reset)));
            }
        }
        let remembered = self.resources.iter().filter(|slot| slot.past.is_some()).count();
        for (resource, slot) in self.resources.iter().enumerate() {
            if slot.is_ending {
                continue;
            }
            if slot.past.is_none() && remembered < usize::from(self.left.resources_reset) {
                actions.push(Action::RememberResource(resource));
            } else if slot.past.is_some() && self.left.resources_reset > 0 && self.may_jump() {
                let sends = slot.notifying.as_ref().is_some_and(|n| n.deliveries.len() < n.messages.len());
                actions.extend(forms(sends).map(|reset| Action::ResetResource(resource, reset)));
            }
        }
    }

    pub(super) fn act_reset(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        match *action {
            Action::RememberCustomer(customer) => self.remember_customer(customer),
            Action::RememberResource(resource) => self.remember_resource(resource),
            Action::ResetCustomer(customer, reset) => return self.reset_customer(customer, reset, seen),
            Action::ResetResource(resource, reset) => return self.reset_resource(resource, reset, seen),
            _ => {}
        }
        Ok(())
    }

    fn remember_customer(&mut self, customer: usize) {
        // The very first moment is before its first event.
        self.be_there(customer);
        let slot = &self.customers[customer];
        let Some(entity) = slot.entity.clone() else { return };
        let own = |((order, life), releases): (&(OrderId, u8), &bool)| {
            (*life == slot.life && order.customer() == self.scenario.customers[customer].customer)
                .then(|| (order.clone(), *releases))
        };
        let submitted = |(event, life): &(usize, u8)| {
            (*life == slot.life && self.scenario.events[*event].customer == customer).then_some(*event)
        };
        let under_way = OfCustomer {
            local: slot.local.clone(),
            calls: slot.calls.clone(),
            delivering: slot.delivering.clone().map(|delivering| Delivering { taken: 0, ..delivering }),
            shown: slot.shown,
            begun: self.truth.begun.iter().filter_map(own).collect(),
            submitted: self.truth.submitted.iter().filter_map(submitted).collect(),
        };
        self.customers[customer].past = Some(Box::new(Past { entity, under_way, heard: Arc::default() }));
    }

    fn remember_resource(&mut self, resource: usize) {
        let slot = &mut self.resources[resource];
        let under_way = OfResource { notifying: slot.notifying.clone(), looks_up: slot.looking_up.is_some() };
        slot.past = Some(Box::new(Past { entity: slot.entity.clone(), under_way, heard: Arc::default() }));
    }

    /// A customer received something that a reset may apply again.
    pub(super) fn customer_heard(&mut self, customer: usize, input: &customer::Input) {
        use customer::Input;
        if let Some(past) = &mut self.customers[customer].past
            && matches!(
                input,
                Input::Submitted(_) | Input::Told(_) | Input::Reassert { .. } | Input::SettleDifference { .. }
            )
        {
            past.heard(Heard::Customer(Box::new(input.clone())));
        }
    }

    /// The same for a resource.
    pub(super) fn resource_heard(&mut self, resource: usize, heard: impl FnOnce() -> Option<Heard>) {
        if let Some(past) = &mut self.resources[resource].past
            && let Some(heard) = heard()
        {
            past.heard(heard);
        }
    }

    fn reset_customer(&mut self, customer: usize, reset: Reset, seen: &mut Sightings) -> Checked {
        self.left.customers_reset -= 1;
        seen.see(Sighting::CustomerReset);
        let Some(past) = self.customers[customer].past.take() else { return Ok(()) };
        let Past { entity, under_way, heard } = *past;
        self.leave_what_the_run_sends(customer, reset);
        self.leave_calls_to_ghosts(customer);
        self.tell_checks_of_reset(customer, &entity, &under_way, reset.hears_again, &heard);
        let notices = self.scenario.broken != Some(Broken::NoticesNoReset);
        let calls = under_way.calls.into_iter().map(|(call, mut run)| {
            run.phase = self.begins(&run.request, Begins::AfterReset);
            (call, run)
        });
        let calls: BTreeMap<_, _> = calls.collect();
        let slot = &mut self.customers[customer];
        slot.entity = Some(entity);
        slot.local = under_way.local;
        slot.local.iter_mut().for_each(|local| local.change(LocalRun::begin_again));
        slot.calls = calls;
        slot.delivering = under_way.delivering;
        slot.shown = under_way.shown;
        // The run continues from a task that was recorded.
        slot.task = None;
        slot.is_ending = notices;
        self.advance_to(self.now + RECREATION_MS, seen)?;
        if notices {
            let life_before = self.machine(customer).map(Customer::incarnation).unwrap_or_default();
            self.tell_customer(customer, customer::Input::WasReset, seen)?;
            self.break_reset(customer, life_before);
        }
        if reset.hears_again {
            for heard in heard.iter() {
                if let Heard::Customer(input) = heard {
                    self.tell_customer(customer, (**input).clone(), seen)?;
                }
            }
        }
        self.end_customer_run(customer, seen)
    }

    /// The effect of a deliberately broken rule on a customer that was reset.
    fn break_reset(&mut self, customer: usize, life_before: Incarnation) {
        let broken = self.scenario.broken;
        if let Some(entity) = &mut self.customers[customer].entity {
            match broken {
                Some(Broken::BelievesItsLeases) => entity.change(|machine| {
                    edit(machine, |state| edit_each(&mut state["leases"], "doubted", &json!(false)));
                }),
                Some(Broken::KeepsItsIncarnation) => entity.change(|machine| {
                    edit(machine, |state| state["incarnation"] = json!(life_before));
                }),
                _ => {}
            }
        }
    }

    /// The messages that the local activity of the old run had not sent: they are sent late, or never.
    fn leave_what_the_run_sends(&mut self, customer: usize, reset: Reset) {
        let Some(local) = self.customers[customer].local.take().filter(|_| reset.is_sent_late) else { return };
        match local.get() {
            LocalRun::Send { messages, sent } => {
                let unsent = messages.iter().skip(*sent).cloned();
                self.strays.extend(unsent.map(|(resource, message)| Stray::ToResource(resource, message)));
            }
            LocalRun::Admit { work, .. } => {
                let now = Timestamp(self.now);
                let unsent = work.iter().flat_map(|event| &event.tickets).filter(|(_, _, answer)| answer.is_none());
                let claims = unsent.map(|(resource, ticket, _)| {
                    Stray::Claim(resource.clone(), Ticket { answer_by: Some(now), ..ticket.clone() })
                });
                self.strays.extend(claims);
            }
        }
    }

    /// The knowledge of the checks about the customer's new life: what it knows itself, and what it is about to receive again.
    fn tell_checks_of_reset(
        &mut self,
        customer: usize,
        entity: &Tracked<Customer>,
        under_way: &OfCustomer,
        hears_again: bool,
        heard: &[Heard],
    ) {
        let life = self.customers[customer].life;
        let submitted = self
            .truth
            .submitted
            .iter()
            .filter(|(event, known)| *known + 1 == life && self.scenario.events[*event].customer == customer);
        let mut known = under_way.submitted.clone();
        if hears_again {
            known.extend(heard.iter().filter_map(|heard| match heard {
                Heard::Customer(input) => match &**input {
                    customer::Input::Submitted(Ok(event)) => self.scenario.event_index(&event.id),
                    _ => None,
                },
                _ => None,
            }));
        }
        // A person submits again what was accepted and then lost.
        for event in submitted.map(|(event, _)| *event).filter(|event| !known.contains(event)).collect::<Vec<_>>() {
            self.to_submit[event] = true;
        }
        self.truth.submitted.extend(known.into_iter().map(|event| (event, life)));
        let over = entity.get().remembered().iter().map(|over| ((over.order.clone(), life), over.state));
        self.truth.ended.extend(over);
        self.truth.begun.extend(under_way.begun.iter().map(|(order, begun)| ((order.clone(), life), *begun)));
    }

    /// A run that must end does so once nothing is in flight. The next run starts the remaining work.
    pub(super) fn end_customer_run(&mut self, customer: usize, seen: &mut Sightings) -> Checked {
        let slot = &mut self.customers[customer];
        if !slot.is_ending || slot.local.is_some() || !slot.calls.is_empty() {
            return Ok(());
        }
        slot.is_ending = false;
        // The new run begins it again.
        slot.delivering = None;
        if let Some(entity) = &mut slot.entity {
            let next = through_json::<Customer>(entity.get())?;
            entity.change(|machine| *machine = next);
        }
        self.tell_customer(customer, customer::Input::Resumed, seen)
    }

    fn reset_resource(&mut self, resource: usize, reset: Reset, seen: &mut Sightings) -> Checked {
        self.left.resources_reset -= 1;
        seen.see(Sighting::ResourceReset);
        let slot = &mut self.resources[resource];
        let Some(past) = slot.past.take() else { return Ok(()) };
        let Past { entity, under_way, heard } = *past;
        if let Some(sending) = slot.notifying.take().filter(|_| reset.is_sent_late) {
            let unsent = sending.messages.iter().skip(sending.deliveries.len()).cloned();
            self.strays.extend(unsent.map(|(customer, message)| Stray::ToCustomer(customer, message)));
        }
        let notices = self.scenario.broken != Some(Broken::ResourceNoticesNoReset);
        slot.entity = entity;
        slot.notifying = under_way.notifying.map(|sending| Notifying { deliveries: Vec::new(), ..sending });
        slot.looking_up = under_way.looks_up.then_some(None);
        slot.task = None;
        slot.is_ending = notices;
        self.advance_to(self.now + RECREATION_MS, seen)?;
        if notices {
            self.tell_resource(resource, resource::Input::WasReset, seen)?;
        }
        if reset.hears_again {
            for heard in heard.iter() {
                match heard {
                    Heard::Resource(input) => self.tell_resource(resource, (**input).clone(), seen)?,
                    Heard::Claim(ticket) => {
                        let id = self.scenario.resources[resource].clone();
                        self.claim_at(&id, (**ticket).clone(), seen)?;
                    }
                    Heard::Customer(_) => {}
                }
            }
        } else {
            // The person who resets an entity without its signals, or the sweep, asks customers to repeat what they have.
            let living = (0..self.customers.len()).filter(|customer| self.machine(*customer).is_some());
            let asked: Vec<_> = living.map(|customer| (resource, customer)).collect();
            self.to_look_around.extend(asked);
            self.truth.signals_lost.insert(resource);
        }
        self.end_resource_run(resource, seen)
    }

    /// The same for a resource.
    pub(super) fn end_resource_run(&mut self, resource: usize, seen: &mut Sightings) -> Checked {
        let slot = &mut self.resources[resource];
        if !slot.is_ending || slot.notifying.is_some() || slot.looking_up.is_some() {
            return Ok(());
        }
        slot.is_ending = false;
        let next = through_json::<Resource>(slot.entity.get())?;
        slot.entity.change(|machine| *machine = next);
        self.tell_resource(resource, resource::Input::Resumed, seen)
    }
}

fn has_unsent(local: &LocalRun) -> bool {
    match local {
        LocalRun::Send { messages, sent } => *sent < messages.len(),
        LocalRun::Admit { work, .. } => {
            work.iter().flat_map(|event| &event.tickets).any(|(_, _, answer)| answer.is_none())
        }
    }
}

fn forms(sends: bool) -> impl Iterator<Item = Reset> {
    let late = if sends { &[false, true][..] } else { &[false][..] };
    [true, false].into_iter().flat_map(move |hears_again| {
        late.iter().map(move |is_sent_late| Reset { hears_again, is_sent_late: *is_sent_late })
    })
}
