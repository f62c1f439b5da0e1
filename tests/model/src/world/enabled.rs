//! The actions that may happen next.

use interlock_domain::ids::ResourceId;

use super::{Action, Call, LocalRun, Phase, Stray, World};
use crate::broken::Broken;
use crate::target::{RequestId, writes_of};

impl World {
    /// Everything that may happen next, in a fixed order.
    pub fn enabled(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.submissions(&mut actions);
        for customer in 0..self.customers.len() {
            self.local_work(customer, &mut actions);
            self.call_work(customer, &mut actions);
            self.deliveries(customer, &mut actions);
        }
        for resource in 0..self.resources.len() {
            self.resource_work(resource, &mut actions);
        }
        self.requests(&mut actions);
        for (index, stray) in self.strays.iter().enumerate() {
            if matches!(stray, Stray::Claim(resource, _) if self.is_in_task(resource)) {
                continue;
            }
            actions.push(Action::StrayArrives(index));
            if matches!(stray, Stray::Claim(..)) {
                actions.push(Action::StrayClaimLost(index));
            }
        }
        for (index, ghost) in self.ghosts.iter().enumerate() {
            if !self.targets.is_flying(ghost.call.request.idempotency_key) {
                actions.push(Action::GhostSends(index));
            }
            actions.push(Action::GhostStops(index));
        }
        if let Some(resource) = self.next_to_wake() {
            actions.push(Action::Wake(resource));
        }
        self.deaths(&mut actions);
        self.resets(&mut actions);
        self.look_arounds(&mut actions);
        self.persons(&mut actions);
        actions
    }

    fn submissions(&self, actions: &mut Vec<Action>) {
        let arrivals = &self.scenario.arrivals;
        for (event, due) in self.to_submit.iter().enumerate() {
            let earlier = arrivals.iter().take_while(|arriving| **arriving != event);
            let is_next = !arrivals.contains(&event) || earlier.into_iter().all(|earlier| !self.to_submit[*earlier]);
            let life = self.customers[self.scenario.events[event].customer].life;
            if *due && is_next {
                actions.push(Action::Submit(event));
            } else if self.left.resubmitted > 0 && self.truth.submitted.contains(&(event, life)) {
                actions.push(Action::SubmitAgain(event));
            }
        }
    }

    fn local_work(&self, customer: usize, actions: &mut Vec<Action>) {
        let Some(local) = &self.customers[customer].local else { return };
        let (mut done, mut begun) = (true, false);
        match local.get() {
            LocalRun::Admit { work, .. } => {
                for (event, work) in work.iter().enumerate() {
                    if work.to_pass_on.is_some() {
                        actions.push(Action::PassOn(customer, event));
                        done = false;
                    }
                    for (ticket, (claimed, _, answer)) in work.tickets.iter().enumerate() {
                        if answer.is_some() {
                            begun = true;
                            continue;
                        }
                        done = false;
                        if self.left.unanswered > 0 {
                            actions.push(Action::ClaimLate(customer, event, ticket));
                        }
                        if self.is_in_task(claimed) {
                            continue;
                        }
                        actions.push(Action::Claim(customer, event, ticket));
                        if self.left.unanswered > 0 {
                            actions.push(Action::ClaimAnswerLost(customer, event, ticket));
                        }
                    }
                }
            }
            LocalRun::Send { messages, sent } => {
                begun = *sent > 0;
                if *sent < messages.len() {
                    done = false;
                    actions.push(Action::Send(customer));
                    if self.left.copied > 0 {
                        actions.push(Action::SendWithCopy(customer));
                    }
                    if self.left.delayed > 0 {
                        actions.push(Action::SendLate(customer));
                    }
                }
            }
        }
        if done {
            actions.push(Action::LocalDone(customer));
        }
        if begun && self.left.rerun > 0 {
            actions.push(Action::LocalAgain(customer));
        }
        if self.may_lose_customer_task(customer) {
            actions.push(Action::LoseCustomerTask(customer));
        }
    }

    fn call_work(&self, customer: usize, actions: &mut Vec<Action>) {
        let unrecorded = self.customers[customer].task.as_ref().map(|task| &task.calls);
        for ((order, step), run) in &self.customers[customer].calls {
            if unrecorded.is_some_and(|calls| calls.contains(&(order.clone(), *step))) {
                continue;
            }
            let call = Call { customer, order: order.clone(), step: *step };
            let settled = self.is_settled(&run.request);
            if self.customers[customer].is_ending {
                actions.push(Action::CallInterrupted(call.clone()));
            }
            self.operators(&call, actions);
            match &run.phase {
                Phase::Settling if settled || self.scenario.broken == Some(Broken::SendsWithoutSettling) => {
                    actions.push(Action::CallReadsBack(call));
                }
                Phase::ToSend if self.customers[customer].is_ending => {}
                Phase::ToSend => actions.push(Action::CallSends(call)),
                Phase::Waiting(_) if self.left.ambiguous > 0 => actions.push(Action::CallUnanswered(call)),
                Phase::Settling | Phase::Waiting(_) => {}
                Phase::Answered(_) => {
                    actions.push(Action::CallDone(call.clone()));
                    if self.left.ambiguous > 0 && run.attempt > 0 {
                        actions.push(Action::CallUnanswered(call));
                    }
                }
            }
        }
    }

    fn resource_work(&self, resource: usize, actions: &mut Vec<Action>) {
        let slot = &self.resources[resource];
        if let Some(notifying) = &slot.notifying {
            if notifying.deliveries.len() < notifying.messages.len() {
                actions.push(Action::Notify(resource));
                if self.left.copied > 0 {
                    actions.push(Action::NotifyWithCopy(resource));
                }
                if self.left.delayed > 0 {
                    actions.push(Action::NotifyLate(resource));
                }
            } else {
                actions.push(Action::NotifyDone(resource));
            }
            if self.left.rerun > 0 && !notifying.deliveries.is_empty() {
                actions.push(Action::NotifyAgain(resource));
            }
        }
        if self.may_lose_resource_task(resource) {
            actions.push(Action::LoseResourceTask(resource));
        }
        match &slot.looking_up {
            Some(_) if slot.task.as_ref().is_some_and(|task| task.looks_up) => {}
            Some(None) => actions.push(Action::LookUpRead(resource)),
            Some(Some(_)) => actions.push(Action::LookUpDone(resource)),
            None => {}
        }
        let may_be_ended = slot.looking_up.is_some() && !slot.task.as_ref().is_some_and(|task| task.looks_up);
        if self.left.by_hand > 0 && may_be_ended {
            actions.push(Action::EndLookUpByHand(resource));
        }
    }

    /// Whether a resource is in a workflow task: an update waits for the next one.
    fn is_in_task(&self, resource: &ResourceId) -> bool {
        self.scenario.resource_index(resource).is_some_and(|index| self.resources[index].task.is_some())
    }

    fn requests(&self, actions: &mut Vec<Action>) {
        for id in self.targets.flying.keys() {
            actions.push(Action::Lands(id.clone()));
            if self.is_awaited(id) {
                if self.left.refused > 0 {
                    actions.push(Action::Refused(id.clone()));
                }
            } else {
                actions.push(Action::Lost(id.clone()));
            }
        }
    }

    /// Whether a living call waits for the answer of a request.
    pub(super) fn is_awaited(&self, id: &RequestId) -> bool {
        let awaits = |run: &super::CallRun| matches!(&run.phase, Phase::Waiting(waited) if waited == id);
        self.customers.iter().any(|customer| customer.calls.values().any(awaits))
    }

    /// Whether no customer has a lease without a registration, and nothing is in flight to a target: the authority then knows all that
    /// the entity knows.
    fn is_quiet(&self, resource: usize) -> bool {
        let id = &self.scenario.resources[resource];
        let names = |request: &interlock_domain::message::ProvisionRequest| {
            writes_of(request).iter().any(|(_, named)| named == id)
        };
        let called = self.customers.iter().flat_map(|slot| slot.calls.values()).any(|run| names(&run.request));
        let flies = self.targets.flying.values().any(|request| request.writes.iter().any(|(_, named)| named == id));
        let unused = (0..self.customers.len())
            .filter_map(|customer| self.machine(customer))
            .any(|machine| machine.leases().get(id).is_some_and(|lease| !lease.kept));
        let holder = self.resources[resource].entity.get().holder();
        !called && !flies && !unused && holder.is_none_or(|holder| holder.used)
    }

    fn deaths(&self, actions: &mut Vec<Action>) {
        for (customer, slot) in self.customers.iter().enumerate() {
            if slot.entity.is_none() {
                continue;
            }
            if self.left.continued > 0 && !slot.is_ending {
                actions.push(Action::ContinueCustomer(customer));
            }
            if self.left.customers_terminated > 0 && self.may_jump() {
                actions.push(Action::TerminateCustomer(customer));
            }
        }
        for resource in 0..self.resources.len() {
            if self.left.continued > 0 && !self.resources[resource].is_ending {
                actions.push(Action::ContinueResource(resource));
            }
            if self.left.resources_terminated > 0 && self.may_jump() && self.is_quiet(resource) {
                actions.push(Action::TerminateResource(resource));
            }
            if self.left.forced > 0 {
                actions.extend([false, true].map(|insists| Action::Force(resource, insists)));
            }
        }
    }
}
