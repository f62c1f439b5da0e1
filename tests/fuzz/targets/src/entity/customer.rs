//! A customer's shell.

use std::collections::VecDeque;
use std::fmt::Debug;

use interlock_domain::catalog::Catalog;
use interlock_domain::customer::{Action, Admission, Customer, Effect, Input, OrderFilter};
use interlock_domain::ids::{CustomerRef, Incarnation, OrderId, ResourceId, Timestamp};
use interlock_domain::message::ClaimAnswer;
use interlock_domain::outcome::Outcome;
use interlock_domain::routing::QueueAssignment;
use interlock_workflows::customer_messages;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Shell, restored, shown, stored};
use crate::{explained, plans};

pub(crate) struct CustomerShell {
    machine: Customer,
    admission: Option<Admission>,
    is_sending: bool,
    calls: VecDeque<(OrderId, usize)>,
}

impl CustomerShell {
    pub(crate) fn new(me: CustomerRef, now: Timestamp) -> Self {
        Self::of(Customer::new(me, Incarnation(now.0)))
    }

    pub(crate) fn of(machine: Customer) -> Self {
        Self { machine, admission: None, is_sending: false, calls: VecDeque::new() }
    }

    fn step(&mut self, now: Timestamp, input: Input) {
        let effects = self.machine.step(now, input);
        self.begin(effects);
    }

    fn begin(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Admit(admission) => self.admission = Some(admission),
                Effect::Send(messages) => {
                    assert!(serde_json::to_vec(&messages).is_ok());
                    self.is_sending = true;
                }
                Effect::Provision { order, step, request } => {
                    reads_the_same(&request);
                    self.calls.push_back((order, step));
                }
                Effect::Deliver(batch) => reads_the_same(&batch),
                Effect::Show { .. } => {}
            }
        }
    }

    /// An event or message that cannot be read changes nothing but the journal.
    fn submitted(&mut self, now: Timestamp, input: Input) {
        let is_rejected = matches!(input, Input::Submitted(Err(_)));
        let before = is_rejected.then(|| (self.machine.orders().clone(), self.machine.leases().clone()));
        self.step(now, input);
        if let Some((orders, leases)) = before {
            assert_eq!((self.machine.orders(), self.machine.leases()), (&orders, &leases), "a rejected event");
        }
    }

    /// The running call's result.
    fn call_ended(&mut self, now: Timestamp, input: impl FnOnce(OrderId, usize) -> Input) {
        if let Some((order, step)) = self.calls.pop_front() {
            self.step(now, input(order, step));
        }
    }

    fn admit(&mut self, now: Timestamp, answer: &ClaimAnswer) {
        if let Some(admission) = self.admission.take() {
            let answer = plans::admit(&Catalog::reference(), &admission, |_| answer.clone());
            self.step(now, Input::Admitted(answer));
        }
    }

    fn ask(&self, word: &str, json: &str) {
        let order = || serde_json::from_str::<OrderId>(json).ok();
        match word {
            "orders" => {
                let filter = serde_json::from_str::<OrderFilter>(json);
                shown(&filter.map(|filter| self.machine.open_orders(&filter)).ok());
            }
            "order" => shown(&order().map(|order| self.machine.order_view(&order))),
            "why" => shown(&order().map(|order| self.machine.why(&order))),
            "keeps" => {
                let resource = serde_json::from_str::<ResourceId>(json);
                shown(&resource.map(|resource| self.machine.keeps(&resource)).ok());
            }
            _ => {}
        }
    }
}

impl Shell for CustomerShell {
    fn receives(&mut self, now: Timestamp, word: &str, json: &str) -> Option<QueueAssignment> {
        let bytes = json.as_bytes();
        match word {
            "submit" => {
                let bytes_max = self.machine.limits().event_bytes_max;
                self.submitted(now, customer_messages::submit(bytes, bytes_max));
            }
            "from_resource" => {
                let (input, queue_assignment) = customer_messages::from_resource(bytes);
                self.submitted(now, input);
                return queue_assignment;
            }
            "reassert" => self.submitted(now, customer_messages::reassert(bytes)),
            "act" => {
                if let Ok(action) = serde_json::from_str::<Action>(json) {
                    let (answer, effects) = self.machine.act(now, &action);
                    shown(&answer);
                    self.begin(effects);
                }
            }
            "admitted" => {
                if let (Ok(answer), Some(_)) = (serde_json::from_str(json), &self.admission) {
                    self.admission = None;
                    self.step(now, Input::Admitted(answer));
                }
            }
            "granted" => self.admit(now, &plans::granted(u64::try_from(now.0).unwrap_or_default())),
            "queued" => self.admit(now, &ClaimAnswer::Queued),
            "sent" if std::mem::take(&mut self.is_sending) => self.step(now, Input::Sent),
            "outcome" => {
                let outcome = if json.is_empty() { Ok(Outcome::Done) } else { serde_json::from_str(json) };
                if let Ok(outcome) = outcome {
                    self.call_ended(now, |order, step| Input::StepEnded { order, step, outcome });
                }
            }
            "by_hand" => {
                let said = "completed".to_owned();
                self.call_ended(now, |order, step| Input::StepEndedByHand { order, step, said });
            }
            "interrupted" => self.call_ended(now, |order, step| Input::StepInterrupted { order, step }),
            "reset" => self.step(now, Input::WasReset),
            "resumed" => {
                (self.admission, self.is_sending) = (None, false);
                self.calls.clear();
                self.step(now, Input::Resumed);
            }
            _ => self.ask(word, json),
        }
        None
    }

    fn stored(&self) -> Value {
        stored(&self.machine)
    }

    fn restored(&self) -> Result<Value, serde_json::Error> {
        restored(&self.machine)
    }

    fn wake_at(&self, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    fn show(&mut self) {
        let view = self.machine.view();
        shown(&view);
        for order in self.machine.orders().keys() {
            shown(&(self.machine.order_view(order), self.machine.why(order)));
        }
        for resource in self.machine.leases().keys() {
            shown(&self.machine.keeps(resource));
        }
        shown(&(self.machine.leases_held(), self.machine.open_orders(&OrderFilter::default())));
        shown(&self.machine.state_to_show().as_str());
        shown(&self.machine.take_observations().len());
    }

    fn check_promises(&mut self, is_own: bool) {
        if is_own {
            self.machine.journal().iter().filter_map(|entry| entry.detail.as_deref()).for_each(explained::kept);
            let steps = self.machine.orders().values().flat_map(|order| &order.steps);
            steps.filter_map(|step| step.outcome.as_ref()).for_each(|outcome| {
                explained::kept(&serde_json::to_string(outcome).unwrap_or_default());
            });
        }
    }
}

/// A request reads the same in the activity.
fn reads_the_same<R: Serialize + DeserializeOwned + PartialEq + Debug>(request: &R) {
    let sent = serde_json::to_vec(request).unwrap_or_else(|fault| panic!("a request cannot be written: {fault}"));
    let read: R = serde_json::from_slice(&sent).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(read, *request, "a request reads otherwise than it was sent");
}
