//! Describes actions in words, for traces.

use interlock_domain::ids::OrderId;
use interlock_domain::message::{Notice, ToCustomer, ToResource};

use super::{Action, Call, LocalRun, Stray, World};
use crate::target::RequestId;

impl World {
    /// What an action will do in this world.
    pub fn narrate(&self, action: &Action) -> String {
        let name = format!("{action:?}");
        let name = name.split(['(', ' ', '{']).next().unwrap_or_default();
        let about = match action {
            Action::Submit(event) | Action::SubmitAgain(event) => self.event(*event),
            Action::Claim(customer, event, ticket)
            | Action::ClaimAnswerLost(customer, event, ticket)
            | Action::ClaimLate(customer, event, ticket) => self.claimed(*customer, *event, *ticket),
            Action::Send(customer) | Action::SendWithCopy(customer) | Action::SendLate(customer) => {
                format!("{}: {}", self.customer_name(*customer), self.next_sent(*customer))
            }
            Action::Notify(resource) | Action::NotifyWithCopy(resource) | Action::NotifyLate(resource) => {
                self.next_notice(*resource)
            }
            Action::LocalDone(customer)
            | Action::LocalAgain(customer)
            | Action::LoseCustomerTask(customer)
            | Action::ContinueCustomer(customer)
            | Action::TerminateCustomer(customer)
            | Action::RememberCustomer(customer)
            | Action::PassOn(customer, _)
            | Action::Deliver(customer)
            | Action::DeliverAgain(customer)
            | Action::DeliveryDone(customer)
            | Action::EndDeliveryByHand(customer) => self.customer_name(*customer),
            Action::NotifyDone(resource)
            | Action::NotifyAgain(resource)
            | Action::LoseResourceTask(resource)
            | Action::LookUpRead(resource)
            | Action::LookUpDone(resource)
            | Action::EndLookUpByHand(resource)
            | Action::ContinueResource(resource)
            | Action::TerminateResource(resource)
            | Action::RememberResource(resource)
            | Action::LoseResource(resource)
            | Action::Force(resource, _)
            | Action::Wake(resource) => self.scenario.resources[*resource].id().to_owned(),
            Action::StrayArrives(index) | Action::StrayClaimLost(index) => self.stray(*index),
            Action::CallReadsBack(call)
            | Action::CallSends(call)
            | Action::CallUnanswered(call)
            | Action::CallDone(call)
            | Action::CallInterrupted(call)
            | Action::ResetCall(call)
            | Action::EndCallByHand(call) => self.call(call),
            Action::ResetCustomer(customer, reset) => format!("{} {reset:?}", self.customer_name(*customer)),
            Action::ResetResource(resource, reset) => {
                format!("{} {reset:?}", self.scenario.resources[*resource].id())
            }
            Action::Lands(id) | Action::Refused(id) | Action::Lost(id) => self.request(id),
            Action::GhostSends(index) | Action::GhostStops(index) => {
                self.order(&self.ghosts[*index].call.request.order)
            }
            Action::LookAround(resource, customer)
            | Action::ForgetLease(resource, customer)
            | Action::SettleDifference(resource, customer) => {
                format!("{} at {}", self.scenario.resources[*resource].id(), self.customer_name(*customer))
            }
            Action::Person(_, order, choice) => format!("{choice:?} {}", self.order(order)),
        };
        format!("{name} {about}")
    }

    fn customer_name(&self, customer: usize) -> String {
        self.scenario.customers[customer].customer.to_string()
    }

    fn event(&self, event: usize) -> String {
        let spec = &self.scenario.events[event];
        let deed = spec.deed.as_ref().map_or("unreadable", |deed| &deed.name);
        let claims = spec.deed.iter().flat_map(|deed| &deed.claims);
        let claims: Vec<_> = claims.map(|claim| format!(" {:?} {}", claim.mode, claim.resource.id())).collect();
        format!("e{event} of {}, k{}: {deed}{}", self.customer_name(spec.customer), spec.key, claims.join(","))
    }

    /// An order, described by its event.
    fn order(&self, order: &OrderId) -> String {
        let event = (0..self.scenario.events.len()).find(|event| self.scenario.order_id(*event) == *order);
        event.map_or_else(|| order.to_string(), |event| format!("e{event}"))
    }

    fn call(&self, call: &Call) -> String {
        let run = self.customers[call.customer].calls.get(&(call.order.clone(), call.step));
        let phase = run.map(|run| format!("{:?}", run.phase)).unwrap_or_default();
        format!(
            "{} step {} ({})",
            self.order(&call.order),
            call.step,
            phase.split(['(', ' ']).next().unwrap_or_default()
        )
    }

    fn request(&self, id: &RequestId) -> String {
        let writes = self.targets.flying.get(id).map(|request| &request.writes).into_iter().flatten();
        let writes: Vec<_> = writes.map(|(write, resource)| format!("{write:?} {}", resource.id())).collect();
        format!("{} step {}: {}", self.order(&id.order), id.step, writes.join(", "))
    }

    fn claimed(&self, customer: usize, event: usize, ticket: usize) -> String {
        let Some(LocalRun::Admit { work, .. }) =
            self.customers[customer].local.as_ref().map(super::super::fingerprint::Tracked::get)
        else {
            return String::new();
        };
        let (resource, ticket, _) = &work[event].tickets[ticket];
        format!("{} for {}", resource.id(), self.order(&ticket.order))
    }

    fn next_sent(&self, customer: usize) -> String {
        let Some(LocalRun::Send { messages, sent }) =
            self.customers[customer].local.as_ref().map(super::super::fingerprint::Tracked::get)
        else {
            return String::new();
        };
        messages.get(*sent).map(|(resource, message)| self.to_resource(resource.id(), message)).unwrap_or_default()
    }

    fn next_notice(&self, resource: usize) -> String {
        let notifying = self.resources[resource].notifying.as_ref();
        let next = notifying.and_then(|notifying| notifying.messages.get(notifying.deliveries.len()));
        next.map(|(customer, message)| self.to_customer(customer.customer.as_str(), message)).unwrap_or_default()
    }

    fn stray(&self, index: usize) -> String {
        match &self.strays[index] {
            Stray::ToCustomer(customer, message) => self.to_customer(customer.customer.as_str(), message),
            Stray::ToResource(resource, message) => self.to_resource(resource.id(), message),
            Stray::Claim(resource, ticket) => {
                format!("late claim of {} for {}", resource.id(), self.order(&ticket.order))
            }
        }
    }

    fn to_resource(&self, resource: &str, message: &ToResource) -> String {
        match message {
            ToResource::Claim { ticket } => format!("Claim to {resource} for {}", self.order(&ticket.order)),
            ToResource::GiveBack { how, epoch, tickets, .. } => {
                let tickets: Vec<_> = tickets.iter().map(|ticket| self.order(&ticket.order)).collect();
                format!("GiveBack {how:?} to {resource}, epoch ..{}, still wanted by {tickets:?}", epoch.0 % 1_000_000)
            }
            ToResource::Decline { epoch, lost, .. } => {
                format!("Decline to {resource}, epoch ..{}, lost {}", epoch.0 % 1_000_000, lost.is_some())
            }
            ToResource::Withdraw { tickets, .. } => format!("Withdraw to {resource} {tickets:?}"),
            other => format!("{} to {resource}", first_word(other)),
        }
    }

    fn to_customer(&self, customer: &str, message: &ToCustomer) -> String {
        let resource = message.resource.id();
        match &message.notice {
            Notice::LeaseGranted { ticket, epoch, registered, recall } => {
                let order = self.order_of_ticket(ticket.as_str());
                let (epoch, recalled) = (epoch.0 % 1_000_000, recall.is_some());
                format!(
                    "LeaseGranted {resource} to {customer} for {order}, epoch ..{epoch}, registered {registered}, recalled {recalled}"
                )
            }
            Notice::LeaseRecalled { epoch, asker } => {
                let (epoch, order) = (epoch.0 % 1_000_000, self.order(&asker.key.order));
                format!("LeaseRecalled {resource} from {customer}, epoch ..{epoch}, for {order}")
            }
            Notice::NotHolder { ticket, .. } => {
                format!("NotHolder of {resource} to {customer} for {}", self.order_of_ticket(ticket.as_str()))
            }
            other => format!("{} of {resource} to {customer}", first_word(other)),
        }
    }

    fn order_of_ticket(&self, ticket: &str) -> String {
        ticket
            .split('@')
            .next()
            .and_then(|order| order.parse().ok())
            .map_or_else(String::new, |order| self.order(&order))
    }
}

fn first_word(thing: &impl std::fmt::Debug) -> String {
    format!("{thing:?}").split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}
