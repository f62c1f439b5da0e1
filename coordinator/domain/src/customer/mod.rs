//! The customer machine: one customer's orders, leases and lanes, as a pure function `step(now, input) -> effects`.
//!
//! The modules, in the order in which an event passes through them: [`intake`](self) accepts an event, `admission` has it
//! planned, `claims` keeps the tickets, `grants` and `giving_back` keep the leases, `readiness` says what a step
//! itself waits for and `turns` whose turn it is, `starting` starts it, `outcomes` handles its outcome, `abort` ends an
//! order before it is done, `ending` closes orders and `end_state` says how they ended, `telling` says what subscribers are told and
//! `subscribers` keeps it until they have taken it, `actions` is what a person may do, `known`, `view`, `listing` and `why` answer
//! questions, `foresight` says what an event would do, `visibility` is what lists of entities show.

#[cfg(test)]
mod tests;

mod abort;
mod actions;
mod admission;
mod claims;
mod digests;
mod end_state;
mod ending;
mod foresight;
mod giving_back;
mod grants;
mod identities;
mod imported;
mod intake;
mod journal;
mod keys;
mod known;
mod lease;
mod listing;
mod memory;
mod notices;
mod open_order;
mod outcomes;
mod place;
mod proof;
mod readiness;
mod reassert;
mod reset;
mod rights;
mod rings;
mod starting;
mod state;
mod step_state;
mod subscribers;
mod telling;
mod turns;
mod view;
mod visibility;
mod wait_view;
pub mod waiting;
mod why;

pub use crate::action_words::{ACTION_ID_BYTES_MAX, REASON_BYTES_MAX, Refusal, check_action_words};
pub use crate::order_parts::{ClaimStateName, ClaimView, StepIdentity, StepStateName, StepView};
pub use actions::*;
pub use digests::{Dating, OrderDigests};
pub use foresight::{
    FORESEEN_EPOCH, FORWARD_INPUTS_MAX, ForeseenCall, ForeseenEvent, ForeseenOrder, Foresight, Reception,
};
pub use journal::JournalEntry;
pub use keys::KeyRule;
pub use lease::{Lease, UnjudgedGrant};
pub use listing::{ListedOrder, OrderFilter, OrderPage, PAGE_DEFAULT, PAGE_MAX};
pub use memory::{OrderMemory, RememberedOrder};
pub use open_order::*;
pub use state::*;
pub use step_state::{EarlierCalls, StepState};
pub use view::*;
pub use visibility::ShownState;
pub use wait_view::{CallView, OtherWait, PausedView, PausedWhat, Wait, WaitView};
pub use why::{HeldOf, Keeping, LeasesHeld, WaitChain, WaitLink};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId, SubscriptionId, Timestamp};
use crate::kept_text::kept;
use crate::limits::EntityLimits;
use crate::message::{ClaimAnswer, ProvisionRequest, Ticket, ToCustomer, ToResource};
use crate::order::{ClaimMode, OrderKey, Plan, Rejection};
use crate::outcome::Outcome;
use crate::outgoing::{OutgoingBatch, TellAgain};
use crate::recording::Cause;
use crate::routing::QueueAssignment;
use crate::subscription::Subscription;

/// What reaches a customer.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// An event was signalled. It is unchecked: whatever it is, it ends as one order or one rejected event.
    Submitted(Result<Event, Rejection>),
    /// The running admission ended: one answer per event of its batch, in order.
    Admitted(AdmissionAnswer),
    /// The messages under way were sent.
    Sent,
    /// A resource says something.
    Told(ToCustomer),
    /// A step's call ended with an outcome that the retry policy does not retry.
    StepEnded {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
        /// What became of it.
        outcome: Outcome,
    },
    /// The same, and the worker said how often the request was sent.
    StepAnswered {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
        /// What became of it.
        outcome: Outcome,
        /// How often all attempts of the call sent the request.
        calls: u32,
    },
    /// A step's call ended with a result that no worker returned: a person completed or failed it in Temporal.
    StepEndedByHand {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
        /// What the result said, in a few words without personal data.
        said: String,
    },
    /// A subscription's receiver has taken the batch under way.
    Delivered {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// The delivery of a subscription's batch ended without that: it was cancelled, ended by hand, or had no worker for a long time.
    NotDelivered {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// A person wants a receiver to be told again how orders ended.
    TellAgain(TellAgain),
    /// The time asked for by [`Customer::wake_at`] has come.
    Woke,
    /// A step's call was cancelled and has ended: its request may have been sent.
    StepInterrupted {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
    },
    /// A resource's entity may have forgotten what this customer has and wants of it: repeat it.
    Reassert {
        /// The resource; none for all.
        resource: Option<ResourceId>,
    },
    /// The sweep saw that this customer and a resource contradict each other about its lease, for longer than messages take.
    SettleDifference {
        /// The resource.
        resource: ResourceId,
        /// The epoch with which the resource says that the lease is held: if this customer holds no lease, it does not take that one.
        above: Epoch,
    },
    /// An operator reset the workflow: the state lacks what this customer did after the point of the reset.
    WasReset,
    /// A new run starts: everything that was running must be started again.
    Resumed,
    /// The workflow id and the start argument name different entities: the workflow id decides, and the difference is noted. A run of
    /// 0.1.0 rejects every event.
    Misidentified {
        /// What the start argument says.
        claimed: String,
    },
    /// The workflow id is not that of a customer: every event is rejected.
    NoCustomer {
        /// The workflow id.
        workflow_id: String,
    },
}

impl Input {
    /// What the input depends on: it decides whether its effects may leave before its workflow task is recorded. The epoch above which a
    /// grant is accepted after [`Input::Reassert`] is a workflow time.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Submitted(_) | Self::Told(_) => Cause::Message,
            Self::Admitted(_)
            | Self::Sent
            | Self::StepEnded { .. }
            | Self::StepAnswered { .. }
            | Self::StepInterrupted { .. }
            | Self::Reassert { .. }
            | Self::SettleDifference { .. }
            | Self::StepEndedByHand { .. }
            | Self::Delivered { .. }
            | Self::NotDelivered { .. }
            | Self::TellAgain(_)
            | Self::Woke
            | Self::WasReset
            | Self::Resumed
            | Self::Misidentified { .. }
            | Self::NoCustomer { .. } => Cause::Other,
        }
    }
}

impl Customer {
    /// Takes one input and returns what to do. Total: no input panics, and an unexpected input
    /// changes nothing.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.observed.clear();
        let resumed = matches!(input, Input::Resumed);
        let is_quiet = matches!(input, Input::Submitted(_)) && self.is_quiet(now);
        let mut called_again = None;
        match input {
            Input::Submitted(event) => self.submitted(now, event),
            Input::Admitted(answer) => self.admitted(now, answer),
            Input::Sent => self.sent(),
            Input::Told(message) => self.told(now, message),
            Input::StepEnded { order, step, outcome } => self.step_ended(now, &order, step, outcome, 1),
            Input::StepAnswered { order, step, outcome, calls } => self.step_ended(now, &order, step, outcome, calls),
            Input::StepEndedByHand { order, step, said } => {
                called_again = self.step_ended_by_hand(now, &order, step, &said);
            }
            Input::StepInterrupted { order, step } => self.step_interrupted(&order, step),
            Input::Reassert { resource } => self.reassert_later(now, resource),
            Input::SettleDifference { resource, above } => self.settle_difference(now, resource, above),
            Input::Misidentified { claimed } => self.misidentified(now, claimed),
            Input::NoCustomer { workflow_id } => self.foreign_id = Some(kept(workflow_id)),
            Input::WasReset => self.was_reset(now),
            Input::Delivered { subscription } => self.subscribers.delivered(&subscription),
            Input::NotDelivered { subscription } => called_again = self.not_delivered(now, &subscription),
            Input::TellAgain(again) => self.tell_again(now, again),
            Input::Resumed | Input::Woke => {}
        }
        let mut effects = if resumed { self.under_way_again() } else { Vec::new() };
        effects.extend(called_again);
        if is_quiet {
            self.start_sending_or_admission(&mut effects);
        } else {
            self.advance(now, &mut effects);
        }
        self.start_deliveries(&mut effects);
        self.show(resumed, &mut effects);
        effects
    }

    /// The same as [`Customer::step`], but it always looks at all orders. The model compares the two.
    pub fn step_looking_at_all(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.quiet_until = None;
        self.step(now, input)
    }

    /// A person's action.
    ///
    /// # Errors
    /// [`Refusal`] if the order's state does not allow it; then nothing changes.
    pub fn act(&mut self, now: Timestamp, action: &Action) -> (Result<ActionDone, Refusal>, Vec<Effect>) {
        self.observed.clear();
        let taken = self.apply(now, action);
        let mut effects = Vec::new();
        self.advance(now, &mut effects);
        self.start_deliveries(&mut effects);
        self.show(false, &mut effects);
        let state = self.state_of(&action.order_id);
        let done = taken.and_then(|repeated| match state {
            Some(state) => Ok(ActionDone { state: state.into(), repeated }),
            None => Err(Refusal::new(ErrorCode::OrderUnknown, "This customer no longer has this order.")),
        });
        (done, effects)
    }

    /// Makes all progress that is possible: leases are judged, given back and asked for, orders end, steps start.
    fn advance(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        loop {
            let before = self.revision;
            self.judge_grants(now);
            self.reassert();
            self.supersede();
            self.skip_what_is_not_held();
            self.settle_claims(now);
            self.settle_leases(now);
            self.stop_compensations();
            self.ask_for_tickets();
            self.hold_what_is_not_proven();
            self.end_orders(now);
            if self.revision == before {
                break;
            }
        }
        self.tell_of_open_orders(now);
        self.start_sending_or_admission(effects);
        let has_begun_any = self.start_steps(now, effects);
        self.quiet_until = (!has_begun_any).then(|| self.next_expiry());
    }

    /// Whether one more event in the inbox needs nothing but its admission: all possible progress was made, and an event
    /// that waits for admission only holds others back. So a customer with a thousand orders can accept a thousand events
    /// without looking at a million orders.
    fn is_quiet(&self, now: Timestamp) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }
}

/// What a customer wants the shell to do.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "effects are few at a time and soon over")]
pub enum Effect {
    /// Plan these events and put their tickets into the queues: one local activity. Answered by [`Input::Admitted`].
    Admit(Admission),
    /// Send these messages, in order: one local activity. Answered by [`Input::Sent`].
    Send(Vec<(ResourceId, ToResource)>),
    /// Call a target: one normal activity on the target's queue. Answered by [`Input::StepAnswered`], [`Input::StepEnded`] or
    /// [`Input::StepInterrupted`].
    Provision {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
        /// The call.
        request: ProvisionRequest,
    },
    /// Deliver these events to a subscription's receiver: one normal activity on the queue of the target that is the receiver. Answered by
    /// [`Input::Delivered`] or [`Input::NotDelivered`].
    Deliver(OutgoingBatch),
    /// Show this state in lists of entities. It has no answer.
    Show {
        /// The state.
        state: ShownState,
        /// Whether it is the first state shown in this life: whoever started the entity may not have set the tenant.
        is_first: bool,
    },
}

/// A batch of events to admit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Admission {
    /// Who admits.
    pub customer: CustomerRef,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The events, in the order of their keys.
    pub events: Vec<EventToAdmit>,
    /// The resources that this customer holds or has an open assign of, each with the name under which targets know
    /// the customer there: what "release all that it holds" means.
    pub holdings: BTreeMap<ResourceId, Option<String>>,
    /// The resources whose lease this customer holds now.
    pub held: BTreeSet<ResourceId>,
}

/// An event to admit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventToAdmit {
    /// The event.
    pub event: Event,
    /// The key of its order.
    pub key: OrderKey,
    /// When the event was accepted, if its key does not contain that: it had no stamp, and the key has the event's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Whether the key, or the decision to accept the event, depends on the workflow time of its acceptance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_bound: bool,
    /// Whether the workflow was reset to a point before its admission: it is unknown what happened to it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_reset: bool,
}

/// The result of an admission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdmissionAnswer {
    /// One per event, in order.
    pub admitted: Vec<Admitted>,
    /// The limits in force.
    pub limits: EntityLimits,
    /// Whether the server knows the search attributes that show a customer in lists.
    #[serde(default)]
    pub attributes_registered: bool,
    /// The subscriptions of the tenant. `None` from a worker of a build without subscriptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Vec<Subscription>>,
    /// The queue that the customer must move to; only set while the count of queue shards changes. It is for the shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "home")]
    pub queue_assignment: Option<QueueAssignment>,
}

/// The result for one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "admitted", rename_all = "snake_case")]
pub enum Admitted {
    /// It has a plan, and its tickets were claimed.
    Planned {
        /// The plan.
        plan: Plan,
        /// What the resources answered.
        answers: Vec<(ResourceId, ClaimAnswer)>,
    },
    /// It was rejected.
    Rejected {
        /// The reason.
        rejection: Rejection,
    },
}

impl EventToAdmit {
    /// When it was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        self.taken_at.unwrap_or(self.key.accepted_at)
    }

    /// The dating of the event.
    pub fn dating(&self) -> Dating {
        Dating::of(self.event.time, self.accepted_at())
    }
}

impl Admission {
    /// Whether an order key of it depends on workflow time. Then the workflow task must be recorded before the admission
    /// starts, because a later attempt would make another key.
    pub fn rests_on_clock(&self) -> bool {
        self.events.iter().any(|waiting| waiting.clock_bound)
    }

    /// The tickets to claim for the plan of one of its events: one per assign or lock claim, and one per release claim
    /// whose lease the customer does not hold.
    pub fn tickets(&self, key: &OrderKey, plan: &Plan) -> Vec<(ResourceId, Ticket)> {
        claims::tickets_of_plan(&self.customer, self.incarnation, key, plan)
            .filter(|(resource, ticket)| ticket.mode != ClaimMode::Release || !self.held.contains(resource))
            .collect()
    }
}
