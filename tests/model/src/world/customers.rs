//! Customer entities: events, local activities, and the effects that their machines want.

use std::sync::Arc;

use interlock_domain::customer::{AdmissionAnswer, Admitted, Customer, Effect, Input};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerRef, Incarnation, Timestamp};
use interlock_domain::limits::EntityLimits;
use interlock_domain::message::{ClaimAnswer, Delivery, ToCustomer, ToResource};
use interlock_domain::order::{OrderState, Rejection};

use super::attempts::Begins;
use super::perform::Checked;
use super::tasks::Taken;
use super::telling::subscription;
use super::{Action, CallRun, EventWork, LocalRun, Stray, World};
use crate::broken::Broken;
use crate::fingerprint::Tracked;
use crate::sighting::{Sighting, Sightings};
use crate::violation::{Check, Violation};

impl World {
    /// Signals an event to its customer's entity, and starts it if there is none.
    pub(super) fn submit(&mut self, event: usize, seen: &mut Sightings) -> Checked {
        let spec = &self.scenario.events[event];
        let (customer, readable) = (spec.customer, spec.deed.is_some());
        self.to_submit[event] = false;
        let life = self.customers[customer].life;
        self.be_there(customer);
        if readable {
            self.truth.submitted.insert((event, life));
            let incoming = self.scenario.incoming(event);
            return self.tell_customer(customer, Input::Submitted(Ok(incoming)), seen);
        }
        seen.see(Sighting::RejectedEvent);
        let rejections = *self.truth.poisoned.entry((customer, life)).and_modify(|count| *count += 1).or_insert(1);
        let fault = Rejection::new(ErrorCode::NotJson, "The event is not JSON.");
        let before = self.machine(customer).map(|machine| machine.orders().clone());
        self.tell_customer(customer, Input::Submitted(Err(fault)), seen)?;
        let after = self.machine(customer);
        if after.map(Customer::orders) != before.as_ref()
            || after.is_none_or(|machine| machine.counts().rejected < rejections)
        {
            return Err(Violation::new(Check::Poison, "an unreadable event did not end as one rejected event"));
        }
        Ok(())
    }

    /// A customer's machine, if its entity runs.
    pub fn machine(&self, customer: usize) -> Option<&Customer> {
        self.customers[customer].entity.as_ref().map(Tracked::get)
    }

    /// Starts a customer's entity where there is none.
    pub(super) fn be_there(&mut self, customer: usize) {
        if self.customers[customer].entity.is_none() {
            let machine = Customer::new(self.scenario.customers[customer].clone(), Incarnation(self.now));
            self.customers[customer].entity = Some(Tracked::new(machine));
        }
    }

    /// Gives a customer's machine an input and does what it wants.
    pub(super) fn tell_customer(&mut self, customer: usize, input: Input, seen: &mut Sightings) -> Checked {
        let now = Timestamp(self.now);
        let broken = self.scenario.broken.filter(|_| Broken::may_hide(&input));
        let before = self.before_customer(customer);
        let taken = Taken::Customer(Box::new(input.clone()));
        let is_broken = self.scenario.broken.is_some();
        if !is_broken {
            self.check_overlooked(customer, &input)?;
        }
        self.customer_heard(customer, &input);
        self.change_customer(customer, seen, |machine| {
            let hidden = broken.map(|broken| broken.before_customer(machine));
            // A broken rule changes state that the machine cannot know to be changed.
            let effects = if is_broken { machine.step_looking_at_all(now, input) } else { machine.step(now, input) };
            if let Some(hidden) = hidden {
                hidden.restore(machine);
            }
            effects
        })?;
        self.customer_took(customer, before, taken);
        Ok(())
    }

    /// A customer that accepts an event without looking at its orders overlooks nothing.
    fn check_overlooked(&self, customer: usize, input: &Input) -> Checked {
        let Some(machine) = self.machine(customer).filter(|_| matches!(input, Input::Submitted(_))) else {
            return Ok(());
        };
        let (mut quick, mut thorough) = (machine.clone(), machine.clone());
        let now = Timestamp(self.now);
        let effects = quick.step(now, input.clone());
        if effects != thorough.step_looking_at_all(now, input.clone()) || quick != thorough {
            let detail = format!("{} overlooks what is to be done when an event comes in", machine.me());
            return Err(Violation::new(Check::Overlooked, detail));
        }
        Ok(())
    }

    /// Changes a customer's machine, observes its orders, and performs its effects.
    pub(super) fn change_customer(
        &mut self,
        customer: usize,
        seen: &mut Sightings,
        change: impl FnOnce(&mut Customer) -> Vec<Effect>,
    ) -> Checked {
        let broken = self.scenario.broken;
        let Some(entity) = &mut self.customers[customer].entity else { return Ok(()) };
        let remembered = entity.get().remembered().len();
        let effects = entity.change(|machine| {
            let effects = change(machine);
            if let Some(broken) = broken {
                broken.after_customer(machine);
            }
            effects
        });
        self.see_ends(customer, remembered, seen)?;
        if let (Some(broken), Some(machine)) = (broken, self.machine(customer)) {
            for (resource, message) in broken.forged(machine) {
                self.deliver_to_resource(&resource, message, seen)?;
            }
        }
        if self.customers[customer].is_ending {
            // The next run asks again for the effects that it wants now.
            return Ok(());
        }
        let mut begun = Vec::new();
        for effect in effects {
            if let Effect::Provision { order, request, .. } = &effect {
                begun.push((order.clone(), request.clone()));
            }
            self.customer_wants(customer, effect, seen)?;
        }
        for (order, request) in begun {
            self.has_begun(customer, &order, &request);
        }
        Ok(())
    }

    /// Every order ends exactly once.
    fn see_ends(&mut self, customer: usize, remembered: usize, seen: &mut Sightings) -> Checked {
        let slot = &self.customers[customer];
        let (Some(entity), life) = (&slot.entity, slot.life) else { return Ok(()) };
        let machine = entity.get();
        for over in machine.remembered().iter().skip(remembered) {
            match over.state {
                OrderState::Superseded => seen.see(Sighting::Superseded),
                OrderState::Rejected => seen.see(Sighting::RejectedEvent),
                _ => {}
            }
            if let Some(before) = self.truth.ended.insert((over.order.clone(), life), over.state) {
                let detail = format!("{} ended as {before:?} and again as {:?}", over.order, over.state);
                return Err(Violation::new(Check::OneTerminalState, detail));
            }
        }
        let reopened = machine.orders().keys().find(|order| self.truth.ended.contains_key(&((*order).clone(), life)));
        match reopened {
            Some(order) => Err(Violation::new(Check::OneTerminalState, format!("{order} is open again"))),
            None => Ok(()),
        }
    }

    fn customer_wants(&mut self, customer: usize, effect: Effect, seen: &mut Sightings) -> Checked {
        let run = match effect {
            Effect::Provision { order, step, request } => {
                self.check_call(customer, &order, step, &request, seen)?;
                let phase = self.begins(&request, Begins::Scheduled);
                let run = CallRun { request: Arc::new(request), attempt: 0, phase };
                self.customers[customer].calls.insert((order, step), run);
                return Ok(());
            }
            Effect::Admit(admission) => {
                let planned = self.scenario.plan_batch(&admission);
                let work = admission.events.iter().zip(planned).map(|(waiting, planned)| {
                    let plan = planned.map(|planned| planned.plan);
                    let tickets = plan.as_ref().map(|plan| admission.tickets(&waiting.key, plan)).unwrap_or_default();
                    let tickets = tickets.into_iter().map(|(resource, ticket)| (resource, ticket, None)).collect();
                    let to_pass_on = self.scenario.spec_of(waiting).and_then(|spec| spec.passes_on);
                    EventWork { plan, to_pass_on, tickets }
                });
                LocalRun::Admit { work: work.collect(), admission: Arc::new(admission) }
            }
            Effect::Send(messages) => LocalRun::Send { messages: Arc::new(messages), sent: 0 },
            Effect::Deliver(batch) => return self.delivers(customer, &batch),
            Effect::Show { state, .. } => {
                self.customers[customer].shown = Some(state);
                return Ok(());
            }
        };
        if self.customers[customer].local.replace(Tracked::new(run)).is_some() {
            return Err(Violation::new(Check::OneLocalActivity, format!("of customer {customer}")));
        }
        Ok(())
    }

    pub(super) fn pass_on(&mut self, customer: usize, event: usize, seen: &mut Sightings) -> Checked {
        let Some(local) = &mut self.customers[customer].local else { return Ok(()) };
        let passed = local.change(|local| match local {
            LocalRun::Admit { work, .. } => work[event].to_pass_on.take(),
            LocalRun::Send { .. } => None,
        });
        passed.map_or(Ok(()), |passed| self.submit(passed, seen))
    }

    pub(super) fn act_claim(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        let (Action::Claim(customer, event, ticket)
        | Action::ClaimAnswerLost(customer, event, ticket)
        | Action::ClaimLate(customer, event, ticket)) = *action
        else {
            return Ok(());
        };
        let Some(LocalRun::Admit { work, .. }) = self.customers[customer].local.as_ref().map(Tracked::get) else {
            return Ok(());
        };
        let (resource, mut claimed, _) = work[event].tickets[ticket].clone();
        claimed.answer_by = Some(Timestamp(self.now));
        let answer = if let Action::Claim(..) = action {
            self.claim_at(&resource, claimed, seen)?
        } else {
            seen.see(Sighting::LateAnswer);
            self.left.unanswered -= 1;
            if matches!(action, Action::ClaimLate(..)) {
                self.strays.push(Stray::Claim(resource.clone(), claimed.clone()));
            } else {
                self.claim_at(&resource, claimed.clone(), seen)?;
            }
            self.deliver_to_resource(&resource, ToResource::Claim { ticket: claimed }, seen)?;
            ClaimAnswer::NotAnswered
        };
        if let Some(local) = &mut self.customers[customer].local {
            local.change(|local| {
                if let LocalRun::Admit { work, .. } = local {
                    work[event].tickets[ticket].2 = Some(answer);
                }
            });
        }
        Ok(())
    }

    pub(super) fn act_local(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        match *action {
            Action::Send(customer) | Action::SendWithCopy(customer) | Action::SendLate(customer) => {
                self.send_next(customer, action, seen)
            }
            Action::LocalAgain(customer) => {
                self.left.rerun -= 1;
                seen.see(Sighting::Rerun);
                self.customers[customer].local.iter_mut().for_each(|local| local.change(LocalRun::begin_again));
                Ok(())
            }
            Action::LocalDone(customer) => {
                let Some(local) = self.customers[customer].local.take() else { return Ok(()) };
                let (input, sent) = match local.get() {
                    LocalRun::Send { sent, .. } => (Input::Sent, *sent),
                    LocalRun::Admit { work, .. } => (Input::Admitted(self.answer_of(work)), work.len()),
                };
                self.customer_local_ends(customer, sent);
                self.tell_customer(customer, input, seen)?;
                self.end_customer_run(customer, seen)
            }
            _ => Ok(()),
        }
    }

    fn send_next(&mut self, customer: usize, action: &Action, seen: &mut Sightings) -> Checked {
        let Some(local) = &mut self.customers[customer].local else { return Ok(()) };
        let next = local.change(|local| match local {
            LocalRun::Send { messages, sent } => {
                *sent += 1;
                messages.get(*sent - 1).cloned()
            }
            LocalRun::Admit { .. } => None,
        });
        let Some((resource, message)) = next else { return Ok(()) };
        match action {
            Action::SendWithCopy(_) => {
                self.left.copied -= 1;
                self.strays.push(Stray::ToResource(resource.clone(), message.clone()));
            }
            Action::SendLate(_) => {
                self.left.delayed -= 1;
                self.strays.push(Stray::ToResource(resource, message));
                return Ok(());
            }
            _ => {}
        }
        self.deliver_to_resource(&resource, message, seen)
    }

    /// Signals a customer. This does not start an entity.
    pub(super) fn deliver_to_customer(
        &mut self,
        customer: &CustomerRef,
        mut message: ToCustomer,
        seen: &mut Sightings,
    ) -> Result<Delivery, Violation> {
        let Some(customer) = self.scenario.customer_index(customer) else { return Ok(Delivery::Lost) };
        if self.customers[customer].entity.is_none() {
            return Ok(Delivery::Lost);
        }
        if self.scenario.broken.is_none_or(|broken| broken.heard(&mut message)) {
            self.tell_customer(customer, Input::Told(message), seen)?;
        }
        Ok(Delivery::Delivered)
    }
}

impl LocalRun {
    /// The activity starts from its beginning.
    pub(super) fn begin_again(&mut self) {
        match self {
            Self::Send { sent, .. } => *sent = 0,
            Self::Admit { work, .. } => {
                work.iter_mut().flat_map(|work| &mut work.tickets).for_each(|ticket| ticket.2 = None);
            }
        }
    }
}

impl World {
    fn answer_of(&self, work: &[EventWork]) -> AdmissionAnswer {
        let admitted = work.iter().map(|event| match &event.plan {
            Err(rejection) => Admitted::Rejected { rejection: rejection.clone() },
            Ok(plan) => {
                let answer = |(resource, _, answer): &(_, _, Option<ClaimAnswer>)| {
                    (Clone::clone(resource), answer.clone().unwrap_or(ClaimAnswer::NotAnswered))
                };
                Admitted::Planned { plan: plan.clone(), answers: event.tickets.iter().map(answer).collect() }
            }
        });
        AdmissionAnswer {
            admitted: admitted.collect(),
            limits: EntityLimits::default(),
            attributes_registered: true,
            subscriptions: self.scenario.is_subscribed.then(|| vec![subscription()]),
            queue_assignment: None,
        }
    }
}
