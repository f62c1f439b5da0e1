//! What an event would do: the machine takes it on a copy of its state. Nothing is sent, and the state does not change.
//!
//! It takes two questions, because a plan needs the catalog and what it claims is asked of the resources, which both are outside:
//! [`Customer::foresee_event`] says what becomes of the event at once, and [`Customer::foresee_order`] runs the planned order forward as if
//! every call succeeded and every lease came.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::place::Place;
use super::waiting::WaitingFor;
use super::{Admission, AdmissionAnswer, AdmissionBasis, Admitted, Customer, Effect, Input, Local, OrderView};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::{Epoch, OrderId, ResourceId, TicketId, Timestamp};
use crate::message::{Notice, ProvisionRequest, ToCustomer};
use crate::order::{OrderState, Rejection};
use crate::outcome::Outcome;

/// The most inputs that an order is run forward by: a plan has at most 500 steps and 500 claims, and other orders of the customer may go
/// before it. A longer run ends early.
pub const FORWARD_INPUTS_MAX: usize = 4_000;

/// Stands for the epoch of a lease that is not granted yet: epochs grow with the time, so a later one cannot be known.
pub const FORESEEN_EPOCH: Epoch = Epoch::BELIEVED_MAX;

/// The argument of the query `foresee_event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeseenEvent {
    /// The time.
    pub now: Timestamp,
    /// The event: one CloudEvent in structured JSON.
    pub event: Value,
}

/// The argument of the query `foresee_order`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeseenOrder {
    /// The time.
    pub now: Timestamp,
    /// The admission of the event, as [`Customer::foresee_event`] returned it.
    pub admission: Admission,
    /// The plan, and what the resources would answer.
    pub admitted: Admitted,
}

/// What becomes of an event as soon as its customer has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reception", rename_all = "snake_case")]
pub enum Reception {
    /// The customer has its order already.
    Duplicate {
        /// The state of that order; none if it is no longer shown.
        state: Option<OrderState>,
    },
    /// It ends as rejected.
    Rejected {
        /// Why.
        rejection: Rejection,
    },
    /// It is planned next.
    ToAdmit {
        /// The admission, of this event alone.
        admission: Box<Admission>,
        /// How many older events of the customer are not planned yet. What they claim is not considered.
        behind: usize,
    },
}

/// What a planned order would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Foresight {
    /// The order right after its admission, with what it waits for.
    pub admitted: OrderView,
    /// Its calls, in their order.
    pub calls: Vec<ForeseenCall>,
    /// The order as it ends; or as it stands where only a person, or an event that is not planned yet, can help.
    pub end: OrderView,
}

/// A call that an order would make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeseenCall {
    /// Whether it starts at once.
    pub at_once: bool,
    /// The call. Where a lease is not granted yet its epoch is [`FORESEEN_EPOCH`].
    pub request: ProvisionRequest,
}

impl Customer {
    /// What would become of an event that came now.
    pub fn foresee_event(&self, now: Timestamp, event: Event) -> Reception {
        let mut copy = self.clone();
        copy.begin_digests();
        let order = event.order_id(&self.me.tenant, event.half);
        if copy.knows(&order, &event) {
            return Reception::Duplicate { state: self.state_of(&order) };
        }
        let accepted_at = Place::of(copy.edition, now, &event).accepted_at;
        if let Err(rejection) = copy.may_take(now, accepted_at, &event) {
            return Reception::Rejected { rejection };
        }
        copy.submitted(now, Ok(event));
        let found = copy.inbox.iter().position(|waiting| waiting.key.order == order);
        let Some((behind, waiting)) = found.and_then(|at| Some((at, copy.inbox.remove(at)?))) else {
            let detail = "the customer took the event, and does not plan it";
            return Reception::Rejected { rejection: Rejection::new(ErrorCode::NotAnEvent, detail) };
        };
        let admission = Admission {
            customer: copy.me.clone(),
            incarnation: copy.incarnation,
            holdings: copy.holdings(),
            held: copy.leases.keys().cloned().collect(),
            events: vec![waiting],
        };
        Reception::ToAdmit { admission: Box::new(admission), behind }
    }

    /// What the order of a planned event would do, if every call succeeded and every lease that it waits for came. `admission` is that of
    /// [`Self::foresee_event`]; none if it has no event.
    pub fn foresee_order(&self, now: Timestamp, admission: Admission, admitted: Admitted) -> Option<Foresight> {
        let mut copy = self.clone();
        let Admission { events, holdings, held, .. } = admission;
        let waiting = events.into_iter().next()?;
        let id = waiting.key.order.clone();
        // What is under way is taken as over; what waits for its plan is left out.
        if let Local::Sending(_) = copy.local {
            copy.sent();
        }
        let left: usize = copy.inbox.drain(..).map(|waiting| waiting.event.bytes).fold(0, usize::saturating_add);
        copy.weight_bytes = copy.weight_bytes.saturating_sub(left).saturating_add(waiting.event.bytes);
        copy.inbox.push_back(waiting);
        copy.local = Local::Admitting(1);
        copy.basis = Some(AdmissionBasis { incarnation: Some(copy.incarnation), holdings, held });
        let answer = copy.answer_of(vec![admitted]);
        let first = copy.step(now, Input::Admitted(answer));
        let admitted = copy.order_view(&id)?;
        let calls = copy.run_forward(now, &id, first);
        let end = copy.order_view(&id)?;
        Some(Foresight { admitted, calls, end })
    }

    /// The answer to an admission in a forecast: these events, and nothing new about limits and subscriptions.
    pub fn answer_of(&self, admitted: Vec<Admitted>) -> AdmissionAnswer {
        AdmissionAnswer {
            admitted,
            limits: self.limits,
            attributes_registered: self.attributes_registered,
            subscriptions: None,
            queue_assignment: None,
        }
    }

    /// Answers every effect, and then what the order waits for, until it ends. Returns the order's calls.
    fn run_forward(&mut self, now: Timestamp, id: &OrderId, first: Vec<Effect>) -> Vec<ForeseenCall> {
        let mut calls = Vec::new();
        let mut note = |effects: &[Effect], at_once: bool| {
            calls.extend(effects.iter().filter_map(|effect| match effect {
                Effect::Provision { order, request, .. } if order == id => {
                    Some(ForeseenCall { at_once, request: request.clone() })
                }
                _ => None,
            }));
        };
        note(&first, true);
        let mut open = VecDeque::from(first);
        for _ in 0..FORWARD_INPUTS_MAX {
            let input = match open.pop_front() {
                Some(Effect::Provision { order, step, .. }) => done(order, step),
                Some(Effect::Send(_)) => Input::Sent,
                Some(Effect::Admit(_)) => Input::Admitted(self.answer_of(Vec::new())),
                Some(Effect::Deliver(_) | Effect::Show { .. }) => continue,
                None => match self.what_helps(id, &mut BTreeSet::new()) {
                    Some(input) => input,
                    None => break,
                },
            };
            let effects = self.step(now, input);
            note(&effects, false);
            open.extend(effects);
        }
        calls
    }

    /// The input by which an order goes on; none if it has ended, or only a person can help.
    fn what_helps(&self, id: &OrderId, passed: &mut BTreeSet<OrderId>) -> Option<Input> {
        if !passed.insert(id.clone()) {
            return None;
        }
        match self.waiting_for(id)? {
            WaitingFor::Lease { resources, .. } => {
                let missing = resources.into_iter().find(|resource| !self.leases.contains_key(resource))?;
                Some(self.grant_in_advance(id, missing))
            }
            WaitingFor::Turn { behind: Some(other), .. } => self.what_helps(&other, passed),
            WaitingFor::Target { .. } | WaitingFor::Settling { .. } => {
                let step = self.orders.get(id)?.running().next()?;
                Some(done(id.clone(), step))
            }
            WaitingFor::Turn { behind: None, .. } | WaitingFor::Admission { .. } | WaitingFor::Person { .. } => None,
        }
    }

    fn grant_in_advance(&self, id: &OrderId, resource: ResourceId) -> Input {
        let ticket = TicketId::derive(id, &resource, self.incarnation);
        let notice = Notice::LeaseGranted { ticket, epoch: FORESEEN_EPOCH, registered: false, recall: None };
        Input::Told(ToCustomer { resource, incarnation: self.incarnation, notice })
    }
}

fn done(order: OrderId, step: usize) -> Input {
    Input::StepAnswered { order, step, outcome: Outcome::Done, calls: 1 }
}
