//! The workflow of one customer: a shell around [`Customer`].
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::pin::pin;
use std::task::Poll;

use interlock_domain::attempt::is_settled_failure;
use interlock_domain::customer::{Action, Customer, Effect, Input};
use interlock_domain::event::Event;
use interlock_domain::ids::{Incarnation, OrderId};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::message::{Envelope, ToCustomer};
use interlock_domain::order::Rejection;
use interlock_domain::outcome::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};
use temporalio_common::data_converters::RawValue;
use temporalio_common::error::IncomingError;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ActivityExecutionError, ContinueAsNewOptions, SyncWorkflowContext, WaitConditionOptions, WorkflowCancellationToken,
    WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::definitions::{LocalActivities, Sending, TargetActivities};
use crate::identity::{self, CustomerIdentity};
use crate::patience::local_until_done;
use crate::start_argument::{self, StartArgument};
use crate::under_way::UnderWay;
use crate::{activity_options, raw_json};

/// The workflow `CustomerEntity`: one customer, for as long as it exists.
#[workflow]
pub struct CustomerEntity {
    machine: Customer,
    start: StartArgument,
    /// What the machine wants done and the main routine did not take up yet.
    effects: Vec<Effect>,
    /// Signals taken in this run.
    signals: u32,
    /// Why the state of the run before cannot be read: nothing may go on then.
    unreadable: Option<String>,
}

/// What became of something that was under way, for the machine; none where the run is to end and the next one begins
/// it again.
type Ended = Option<Input>;

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl CustomerEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let CustomerIdentity { me, start, misidentified } = identity::of_customer(view.workflow_id(), &argument);
        let continued = view.continued_from_run_id().is_some();
        let (machine, unreadable) = match continued.then(|| start_argument::carried::<Customer>(&argument)) {
            Some(Ok(machine)) => (machine, None),
            Some(Err(fault)) => (Customer::new(me, Incarnation(began.0)), Some(fault.to_string())),
            None => (Customer::new(me, Incarnation(began.0)), None),
        };
        let mut entity = Self { machine, start, effects: Vec::new(), signals: 0, unreadable };
        if continued {
            entity.effects = entity.machine.step(began, Input::Resumed);
        } else if let Some(claimed) = misidentified {
            entity.effects = entity.machine.step(began, Input::Misidentified { claimed });
        }
        entity
    }

    /// Carries out what the machine wants done, until the run has become long.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        if let Some(fault) = context.state(|entity| entity.unreadable.clone()) {
            context.force_task_fail(format!("the state of the run before cannot be read: {fault}"));
            std::future::pending::<()>().await;
        }
        let interrupt = WorkflowCancellationToken::new();
        let mut under_way = UnderWay::new();
        loop {
            // Before anything new begins: what has not begun is begun by the next run, and nobody doubts it.
            match context.state(|entity| entity.due(context)) {
                ContinueAsNew::Now => break,
                ContinueAsNew::WhenIdle if under_way.is_empty() => break,
                ContinueAsNew::WhenIdle | ContinueAsNew::No => {}
            }
            for effect in take_effects(context) {
                begin(context, &mut under_way, effect, &interrupt);
            }
            if let Some(input) = next(context, &mut under_way).await {
                take_in(context, input);
            }
        }
        // What is cancelled here is over when it has answered, and the next run begins it again.
        interrupt.cancel();
        while let Some(ended) = under_way.next().await {
            if let Some(input) = ended {
                take_in(context, input);
            }
        }
        let argument = context.state(|entity| start_argument::carry(&entity.start, &entity.machine));
        match argument {
            Ok(argument) => {
                context.continue_as_new(argument, ContinueAsNewOptions::default()).map(|never| match never {})
            }
            Err(fault) => {
                context.force_task_fail(format!("the state cannot be written: {fault}"));
                std::future::pending().await
            }
        }
    }

    /// One CloudEvent in structured JSON. Whatever it is, it ends as one order or one rejected event.
    #[signal(name = "submit")]
    pub fn submit(&mut self, context: &mut SyncWorkflowContext<Self>, event: RawValue) {
        self.signals += 1;
        let event = Event::from_slice(raw_json::bytes(&event), self.machine.limits.event_bytes_max);
        self.feed(context, Input::Submitted(event));
    }

    /// An envelope with what a resource says.
    #[signal(name = "from_resource")]
    pub fn from_resource(&mut self, context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        self.signals += 1;
        let input = match raw_json::read::<Envelope<ToCustomer>>(&envelope) {
            Ok(envelope) => Input::Told(envelope.message),
            Err(fault) => Input::Submitted(Err(Rejection::new(
                "undecodable_message",
                format!("A signal 'from_resource' came that cannot be read: {fault}."),
            ))),
        };
        self.feed(context, input);
    }

    /// A person's action. Answers `{"done":…}` or `{"refused":{…}}`.
    #[update(name = "act")]
    pub fn act(
        &mut self,
        context: &mut SyncWorkflowContext<Self>,
        action: RawValue,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let action: Action = raw_json::read(&action)?;
        let (answer, effects) = self.machine.act(identity::now(context.workflow_time()), &action);
        self.effects.extend(effects);
        Ok(match answer {
            Ok(done) => json!({ "done": done }),
            Err(refusal) => json!({ "refused": refusal }),
        })
    }

    /// All that the customer shows of itself.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> Value {
        json!(self.machine.view())
    }

    /// One order: `{"order_id":…}`; null where it is not known.
    #[query(name = "order")]
    pub fn order(
        &self,
        _view: &WorkflowContextView,
        argument: RawValue,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        #[derive(Deserialize)]
        struct Asked {
            order_id: OrderId,
        }
        let Asked { order_id } = raw_json::read(&argument)?;
        Ok(json!(self.machine.order_view(&order_id)))
    }
}

impl CustomerEntity {
    fn feed(&mut self, context: &SyncWorkflowContext<Self>, input: Input) {
        self.effects.extend(self.machine.step(identity::now(context.workflow_time()), input));
    }

    /// Whether the run is to end.
    fn due(&self, context: &WorkflowContext<Self>) -> ContinueAsNew {
        let due = self.machine.limits.continue_as_new(RunLength {
            history_events: context.history_length(),
            signals: self.signals,
            suggested: context.continue_as_new_suggested(),
        });
        match due {
            ContinueAsNew::WhenIdle if !self.machine.is_idle() => ContinueAsNew::No,
            due => due,
        }
    }
}

fn take_effects(context: &WorkflowContext<CustomerEntity>) -> Vec<Effect> {
    if context.state(|entity| entity.effects.is_empty()) {
        return Vec::new();
    }
    context.state_mut(|entity| std::mem::take(&mut entity.effects))
}

/// Begins what the machine wants done.
fn begin(
    context: &WorkflowContext<CustomerEntity>,
    under_way: &mut UnderWay<Ended>,
    effect: Effect,
    interrupt: &WorkflowCancellationToken,
) {
    let (context, interrupt) = (context.clone(), interrupt.clone());
    match effect {
        Effect::Admit(admission) => under_way.begin(async move {
            let answer = local_until_done(context, || LocalActivities::admit, admission, interrupt).await;
            answer.map(Input::Admitted)
        }),
        Effect::Send(messages) => under_way.begin(async move {
            let from = context.state(|entity| entity.machine.me.clone());
            let sent = local_until_done(context, || LocalActivities::send, Sending { from, messages }, interrupt).await;
            sent.map(|()| Input::Sent)
        }),
        Effect::Provision { order, step, request } => under_way.begin(async move {
            let queue = identity::provisioning_queue(context.task_queue(), &request.target);
            let options = activity_options::provision(queue, &request, &interrupt);
            let call = context.execute_activity(TargetActivities::provision, request, options);
            match call.await {
                Ok(outcome) => Some(Input::StepEnded { order, step, outcome }),
                // Nothing of it is on its way: the next run begins it as if it had not begun.
                Err(failure) if interrupt.is_cancelled() && is_settled(&failure) => None,
                Err(_) if interrupt.is_cancelled() => Some(Input::StepInterrupted { order, step }),
                Err(failure) => Some(Input::StepEnded { order, step, outcome: of_failure(&failure) }),
            }
        }),
    }
}

/// Whether a call that was cancelled is known to have left nothing on its way.
fn is_settled(failure: &ActivityExecutionError) -> bool {
    match failure.cause() {
        Some(IncomingError::Application(cause)) => cause.type_name().is_some_and(is_settled_failure),
        _ => false,
    }
}

/// An adapter should answer outcomes; what fails for good without one may have had its effect.
fn of_failure(failure: &ActivityExecutionError) -> Outcome {
    Outcome::Ambiguous { detail: format!("The activity 'provision' ended without an outcome: {failure}.") }
}

/// Waits until something that was under way ended (that is answered), or the machine wants something (then nothing is).
async fn next(context: &WorkflowContext<CustomerEntity>, under_way: &mut UnderWay<Ended>) -> Ended {
    let idle = under_way.is_empty();
    // The token of its own: who cancels an entity does not stop it.
    let regardless = WaitConditionOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
    let mut wanted = pin!(context.wait_condition_with_options(
        move |entity| {
            !entity.effects.is_empty()
                || match entity.due(context) {
                    ContinueAsNew::Now => true,
                    ContinueAsNew::WhenIdle => idle,
                    ContinueAsNew::No => false,
                }
        },
        regardless,
    ));
    std::future::poll_fn(|waker| match under_way.poll_next(waker) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending => wanted.as_mut().poll(waker).map(|_| None),
    })
    .await
}

fn take_in(context: &WorkflowContext<CustomerEntity>, input: Input) {
    let now = identity::now(context.workflow_time());
    context.state_mut(|entity| {
        let effects = entity.machine.step(now, input);
        entity.effects.extend(effects);
    });
}
