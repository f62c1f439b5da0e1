//! Lets the customer machine process a run's inputs again.

use interlock_domain::customer::{Customer, Input, Local};
use interlock_domain::ids::{CustomerRef, Incarnation, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::recording::Edition;

use super::recorded::{CallEnd, EndedCall, EndedLocal, Incoming, RecordedRun};

/// The machine at the end of a run.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The machine.
    pub(super) customer: Customer,
    /// Why the result is incomplete: from some point on its orders could not be followed. Set if the history was made by
    /// another version, whose machine decided differently.
    pub(super) diverged: Option<String>,
    /// The time of the last input that was not the end of what the entity tells others. Such ends have this time, too.
    clock: Timestamp,
}

/// The machine at the end of a run that was replayed. Otherwise lets it process the run's inputs in the order in which the shell fed them (`workflows/src/life.rs`): the ends of what the entity
/// told others, incoming messages, ended calls, the timer, then the local activities of the task.
pub(super) fn replay(me: &CustomerRef, run: &RecordedRun) -> Replayed {
    if let Some(customer) = &run.replayed {
        return Replayed { customer: (**customer).clone(), diverged: None, clock: run.ended_at };
    }
    let mut customer = match &run.carried {
        Some(carried) => (**carried).clone(),
        None => Customer::new(me.clone(), Incarnation(run.began.0)),
    };
    customer.begin_run(run.edition);
    let mut replayed = Replayed { customer, diverged: None, clock: run.began };
    replayed.begin(me, run);
    for task in &run.tasks {
        for own in &task.own {
            replayed.local_ended(own);
        }
        for incoming in &task.incoming {
            replayed.take_in(task.at, incoming);
        }
        for call in &task.calls {
            replayed.call_ended(task.at, call);
        }
        if task.rang {
            replayed.rang(task.at);
        }
        for local in &task.locals {
            replayed.local_ended(local);
        }
    }
    replayed
}

impl Replayed {
    fn begin(&mut self, me: &CustomerRef, run: &RecordedRun) {
        if run.carried.is_some() {
            self.customer.step(run.began, Input::Resumed);
            return;
        }
        let is_claimed = |start: &interlock_workflows::StartArgument| {
            start.tenant_id == me.tenant.as_str() && start.entity_id == me.customer.as_str()
        };
        if !run.start.as_ref().is_some_and(is_claimed) {
            let claimed = run.start.as_ref().map_or_else(String::new, |s| format!("{}/{}", s.tenant_id, s.entity_id));
            self.customer.step(run.began, Input::Misidentified { claimed });
        }
    }

    fn take_in(&mut self, now: Timestamp, incoming: &Incoming) {
        self.clock = now;
        match incoming {
            Incoming::Submitted(submitted) => drop(self.customer.step(now, Input::Submitted(submitted.event.clone()))),
            // Runs of 0.1.0 did not get this input.
            Incoming::WasReset if self.customer.edition() < Edition::V0_2 => {}
            Incoming::WasReset => drop(self.customer.step(now, Input::WasReset)),
            Incoming::Asked(input) => drop(self.customer.step(now, (**input).clone())),
            Incoming::Told(message) => drop(self.customer.step(now, Input::Told(message.clone()))),
            // The caller already got the answer.
            Incoming::Acted(action) => drop(self.customer.act(now, action)),
        }
    }

    fn call_ended(&mut self, now: Timestamp, call: &EndedCall) {
        if self.diverged.is_some() {
            return;
        }
        self.clock = now;
        let EndedCall { request, end } = call;
        if *end == CallEnd::NotBegun {
            return;
        }
        let order = self.customer.orders().get(&request.order);
        let step = order
            .and_then(|order| order.steps.iter().position(|s| s.planned.name == request.step && s.state.is_running()));
        match step {
            Some(step) => drop(self.customer.step(now, input_of(request, end, step))),
            None => self.diverged = Some(format!("the call {} of {} was not expected", request.step, request.order)),
        }
    }

    /// A timer fired: that of the machine, if its time has come. The others are the shell's.
    fn rang(&mut self, now: Timestamp) {
        if self.diverged.is_none() && self.customer.wake_at().is_some_and(|wake_at| wake_at <= now) {
            self.clock = now;
            self.customer.step(now, Input::Woke);
        }
    }

    fn local_ended(&mut self, local: &EndedLocal) {
        if self.diverged.is_some() {
            return;
        }
        let now = self.clock;
        match (local, self.customer.local()) {
            (EndedLocal::Admitted(answer), Local::Admitting(count)) if answer.admitted.len() == count => {
                self.customer.step(now, Input::Admitted((**answer).clone()));
            }
            (EndedLocal::Sent, Local::Sending(_)) => drop(self.customer.step(now, Input::Sent)),
            (EndedLocal::Strange(why), _) => self.diverged = Some(why.clone()),
            (EndedLocal::Admitted(_), local) => self.diverged = Some(format!("an admission ended at {local:?}")),
            (EndedLocal::Sent, local) => self.diverged = Some(format!("messages were sent at {local:?}")),
        }
    }
}

/// What the shell told the machine when a call of a step ended.
fn input_of(request: &ProvisionRequest, end: &CallEnd, step: usize) -> Input {
    let order = request.order.clone();
    match end {
        CallEnd::Answered(answer) if answer.is_proven(request.proof) => {
            let outcome = answer.outcome.clone();
            Input::StepAnswered { order, step, outcome, calls: answer.calls.unwrap_or(1) }
        }
        CallEnd::Answered(answer) => {
            Input::StepEndedByHand { order, step, said: format!("completed as {}", answer.outcome.class()) }
        }
        CallEnd::ByHand(said) => Input::StepEndedByHand { order, step, said: (*said).to_owned() },
        CallEnd::Unanswered(outcome) => Input::StepEnded { order, step, outcome: outcome.clone() },
        CallEnd::Interrupted | CallEnd::NotBegun => Input::StepInterrupted { order, step },
    }
}
