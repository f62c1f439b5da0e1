//! The customer machine: one customer's orders, leases and lanes, as a pure function `step(now, input) -> effects`.
//!
//! The rooms, in the order in which an event walks through them: [`intake`](self) takes an event in, `admission` has it
//! planned, `claims` minds tickets, `grants` and `giving_back` mind leases, `readiness` says what a step
//! waits for by itself and `turns` whose turn it is, `starting` starts it, `outcomes` takes what became of a step, `abort` ends an
//! order before it is done, `ending` closes orders, `actions` is what a person may do, `known`, `view`, `listing` and `why` are what
//! one may ask, `visibility` is what lists of entities show.

#[cfg(test)]
mod tests;

mod abort;
mod actions;
mod admission;
mod claims;
mod digests;
mod ending;
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
mod turns;
mod view;
mod visibility;
mod wait_view;
pub mod waiting;
mod why;

pub use crate::action_words::{ACTION_ID_BYTES_MAX, REASON_BYTES_MAX, Refusal, check_action_words};
pub use actions::*;
pub use digests::{Dating, OrderDigests};
pub use journal::{ClaimStateName, ClaimView, JournalEntry, StepIdentity, StepStateName, StepView};
pub use keys::KeyRule;
pub use lease::{Lease, UnjudgedGrant};
pub use listing::{ListedOrder, OrderFilter, OrderPage, PAGE_DEFAULT, PAGE_MAX};
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
use crate::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId, Timestamp};
use crate::limits::EntityLimits;
use crate::message::{ClaimAnswer, ProvisionRequest, Ticket, ToCustomer, ToResource};
use crate::order::{ClaimMode, OrderKey, Plan, Rejection};
use crate::outcome::Outcome;
use crate::recording::Cause;
use crate::routing::QueueAssignment;

/// What reaches a customer.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// An event was signalled. Raw: whatever it is, it ends as one order or one rejected event.
    Submitted(Result<Event, Rejection>),
    /// The admission under way ended: one answer per event of its batch, in order.
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
    /// A step's call ended with a result that no worker gave: a person completed or failed it in Temporal.
    StepEndedByHand {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
        /// What the result said, in a few words without personal data.
        said: String,
    },
    /// A step's call was cancelled, and is over: its request may have been sent.
    StepInterrupted {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
    },
    /// A resource's entity may have forgotten what this customer has and wants of it: say it again.
    Reassert {
        /// The resource; none for all.
        resource: Option<ResourceId>,
    },
    /// The sweep saw, for longer than messages take, that this customer and a resource contradict each other about its lease.
    SettleDifference {
        /// The resource.
        resource: ResourceId,
        /// The epoch by which the resource says that somebody holds it: where this customer holds nothing, it does not take it.
        above: Epoch,
    },
    /// An operator reset the workflow: what this customer did after the moment that it knows of is not in its state.
    WasReset,
    /// A new run begins: what was under way is to be started again.
    Resumed,
    /// The workflow id says that this entity is not who its start argument says: every event is rejected.
    Misidentified {
        /// What the start argument says.
        claimed: String,
    },
}

impl Input {
    /// What the input rests on: whether its effects may leave before its workflow task is recorded. The epoch above which a
    /// grant is taken after [`Input::Reassert`] is a workflow time.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Submitted(_) | Self::Told(_) => Cause::Message,
            Self::Admitted(_)
            | Self::Sent
            | Self::StepEnded { .. }
            | Self::StepInterrupted { .. }
            | Self::Reassert { .. }
            | Self::SettleDifference { .. }
            | Self::StepEndedByHand { .. }
            | Self::WasReset
            | Self::Resumed
            | Self::Misidentified { .. } => Cause::Other,
        }
    }
}

impl Customer {
    /// Takes an input at a time and says what is to be done. Total: no input panics, and whatever is not expected
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
            Input::StepEnded { order, step, outcome } => self.step_ended(now, &order, step, outcome),
            Input::StepEndedByHand { order, step, said } => {
                called_again = self.step_ended_by_hand(now, &order, step, &said);
            }
            Input::StepInterrupted { order, step } => self.step_interrupted(&order, step),
            Input::Reassert { resource } => self.reassert_later(now, resource),
            Input::SettleDifference { resource, above } => self.settle_difference(now, resource, above),
            Input::Misidentified { claimed } => self.misidentified = Some(claimed),
            Input::WasReset => self.was_reset(now),
            Input::Resumed => {}
        }
        let mut effects = if resumed { self.under_way_again() } else { Vec::new() };
        effects.extend(called_again);
        if is_quiet {
            self.start_sending_or_admission(&mut effects);
        } else {
            self.advance(now, &mut effects);
        }
        self.show(resumed, &mut effects);
        effects
    }

    /// The same as [`Customer::step`], with all orders looked at whatever came in: what the model compares it with.
    pub fn step_looking_at_all(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.quiet_until = None;
        self.step(now, input)
    }

    /// A person's action.
    ///
    /// # Errors
    /// [`Refusal`] where the order's state does not allow it; nothing is changed then.
    pub fn act(&mut self, now: Timestamp, action: &Action) -> (Result<ActionDone, Refusal>, Vec<Effect>) {
        self.observed.clear();
        let taken = self.apply(now, action);
        let mut effects = Vec::new();
        self.advance(now, &mut effects);
        self.show(false, &mut effects);
        let state = self.state_of(&action.order_id);
        let done = taken.and_then(|repeated| match state {
            Some(state) => Ok(ActionDone { state: state.into(), repeated }),
            None => Err(Refusal::new(ErrorCode::OrderUnknown, "This customer no longer has this order.")),
        });
        (done, effects)
    }

    /// Brings everything as far as it goes: leases are judged, given back and asked for, orders end, turns are taken.
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
        self.start_sending_or_admission(effects);
        let has_begun_any = self.start_steps(now, effects);
        self.quiet_until = (!has_begun_any).then(|| self.next_expiry());
    }

    /// Whether one more event in the inbox gives nothing to do but its admission: everything went as far as it goes, and an event
    /// that waits for admission only holds back others. So a customer with a thousand orders takes in a thousand events
    /// without looking at a million orders.
    fn is_quiet(&self, now: Timestamp) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }
}

/// What a customer wants done.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "effects are few at a time and soon over")]
pub enum Effect {
    /// Plan these events and put their tickets into the queues: one local activity. Answered by [`Input::Admitted`].
    Admit(Admission),
    /// Send these messages, in order: one local activity. Answered by [`Input::Sent`].
    Send(Vec<(ResourceId, ToResource)>),
    /// Call a target: one normal activity on the target's queue. Answered by [`Input::StepEnded`] or
    /// [`Input::StepInterrupted`].
    Provision {
        /// The order.
        order: OrderId,
        /// The step's index in it.
        step: usize,
        /// The call.
        request: ProvisionRequest,
    },
    /// Show this state in lists of entities. Nothing answers.
    Show {
        /// The state.
        state: ShownState,
        /// Whether nothing was shown of this life before: who started it may not have said whose it is.
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

/// One event to admit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventToAdmit {
    /// The event.
    pub event: Event,
    /// The key of its order.
    pub key: OrderKey,
    /// When the event was taken in, where its key does not say so: nobody had stamped it, and its own time stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Whether the key, or whether the event is taken at all, depends on the workflow time at which it was taken in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_bound: bool,
    /// Whether the workflow was reset to a moment before it was admitted: what became of it then is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_reset: bool,
}

/// What an admission answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdmissionAnswer {
    /// One per event, in order.
    pub admitted: Vec<Admitted>,
    /// The limits in force.
    pub limits: EntityLimits,
    /// Whether the server knows the search attributes that show a customer in lists.
    #[serde(default)]
    pub attributes_registered: bool,
    /// Where the customer is to live; only said while the count of queue shards changes. It is for the shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "home")]
    pub queue_assignment: Option<QueueAssignment>,
}

/// What became of one event.
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
    /// It has none, and here is why.
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

    /// What the event says of its time.
    pub fn dating(&self) -> Dating {
        Dating::of(self.event.time, self.accepted_at())
    }
}

impl Admission {
    /// Whether an order key of it depends on workflow time. Then the workflow task has to be recorded before the admission
    /// begins: a later attempt would make another key.
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
