//! The workflow of one customer: a shell around [`Customer`].
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use interlock_domain::attempt::is_settled_failure;
use interlock_domain::customer::{
    Action, ActionDone, AdmissionAnswer, Customer, CustomerView, Effect, ForeseenEvent, ForeseenOrder, Foresight,
    Input, Keeping, LeasesHeld, OrderFilter, OrderPage, OrderView, Reception, Refusal, RememberedOrder, WaitChain,
};
use interlock_domain::event::Event;
use interlock_domain::ids::{Incarnation, OrderId, ResourceId, Timestamp};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::observation::Observation;
use interlock_domain::outgoing::OutgoingBatch;
use interlock_domain::recording::{Cause, Edition};
use interlock_domain::views::OrderActionAnswer;
use serde::Deserialize;
use temporalio_common::data_converters::RawValue;
use temporalio_common::error::IncomingError;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ActivityExecutionError, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult,
};

use crate::definitions::{LocalActivities, RecordedActivities, Sending, TargetActivities};
use crate::identity::{self, CustomerIdentity};
use crate::life::{live, next_run};
use crate::patience::{local_until_done, recorded_until_done};
use crate::queue_move::ToldQueue;
use crate::shell::{self, Entity, HandlerError, Leaves, Shell, Started, answered};
use crate::start_argument::{self, StartArgument};
use crate::witness::Machine;
use crate::{activity_options, customer_messages, names, raw_json, reset, search_attributes, unanswered};

/// The workflow `CustomerEntity`: one customer, for as long as it exists.
#[workflow]
pub struct CustomerEntity {
    shell: Shell<Self>,
    start: StartArgument,
    /// The machine's first input in this run, and the start time of the run.
    first: (Timestamp, Option<Input>),
    /// Whether a reset created this run: its calls may have been sent before. It decides no command.
    is_of_reset_run: bool,
}

/// The argument of a query about one order.
#[derive(Deserialize)]
struct AskedOrder {
    order_id: OrderId,
}

/// The argument of a query about one resource.
#[derive(Deserialize)]
struct AskedResource {
    resource: ResourceId,
}

/// An input.
pub(crate) enum Incoming {
    /// An input for the machine, unchanged.
    Input(Input),
    /// An operator's action. Its answer is kept under this number.
    Action(u64, Action),
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl CustomerEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let CustomerIdentity { me, start, wrong_start } = identity::of_customer(view.workflow_id(), &argument);
        let shell = Shell::new(view, &argument, || Customer::new(me, Incarnation(began.0)));
        let first = if shell::is_continued(view) { Some(Input::Resumed) } else { wrong_start };
        Self { shell, start, first: (began, first), is_of_reset_run: reset::is_of_reset_run(view) }
    }

    /// Performs what the machine wants, until the run has become long.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        live(context).await;
        let (argument, options) = next_run(context).await;
        context.continue_as_new(argument, options).map(|never| match never {})
    }

    /// One CloudEvent in structured JSON. Every event ends as one order or as one rejected event.
    #[signal(name = "submit")]
    pub fn submit(&mut self, _context: &mut SyncWorkflowContext<Self>, event: RawValue) {
        let bytes_max = self.shell.machine.limits().event_bytes_max;
        self.signalled(customer_messages::submit(raw_json::bytes(&event), bytes_max));
    }

    /// An envelope with a resource's message.
    #[signal(name = "from_resource")]
    pub fn from_resource(&mut self, _context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        let (input, queue_assignment) = customer_messages::from_resource(raw_json::bytes(&envelope));
        self.shell.take_in_passing(queue_assignment);
        self.signalled(input);
    }

    /// A resource's entity was terminated and does not know what this customer has and wants of it: `{"resource":…}`, or `{}` for all
    /// resources. The customer repeats it, which changes nothing if it is already known.
    #[signal(name = "reassert")]
    pub fn reassert(&mut self, _context: &mut SyncWorkflowContext<Self>, argument: RawValue) {
        self.signalled(customer_messages::reassert(raw_json::bytes(&argument)));
    }

    /// A [`TellAgain`](interlock_domain::outgoing::TellAgain): a subscription's receiver is told again how orders ended.
    #[signal(name = "tell_again")]
    pub fn tell_again(&mut self, _context: &mut SyncWorkflowContext<Self>, argument: RawValue) {
        self.signalled(customer_messages::tell_again(raw_json::bytes(&argument)));
    }

    /// A [`QueueAssignment`](interlock_domain::routing::QueueAssignment): the entity must move there as soon as it has nothing in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, queue_assignment: RawValue) {
        if let Err(fault) = self.shell.asked_to_move(&queue_assignment) {
            self.shell.take(Incoming::Input(customer_messages::unreadable(names::MOVE_TO, &fault)));
        }
    }

    /// An operator's action. Returns `{"done":…}` or `{"refused":{…}}`.
    #[update(name = "act")]
    pub async fn act(context: &mut WorkflowContext<Self>, action: RawValue) -> Result<OrderActionAnswer, HandlerError> {
        let action: Action = raw_json::read(&action)?;
        Ok(match answered(context, |number| Incoming::Action(number, action)).await? {
            Ok(done) => OrderActionAnswer::Taken { done },
            Err(refused) => OrderActionAnswer::Refused { refused },
        })
    }

    /// The customer's whole state, as shown to users.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> CustomerView {
        self.shell.machine.view()
    }

    /// One order: `{"order_id":…}`. Null if it is unknown.
    #[query(name = "order")]
    pub fn order(&self, _view: &WorkflowContextView, argument: RawValue) -> Result<Option<OrderView>, HandlerError> {
        let AskedOrder { order_id } = raw_json::read(&argument)?;
        Ok(self.shell.machine.order_view(&order_id))
    }

    /// A page of its open orders. The argument is an [`OrderFilter`], the answer an
    /// [`OrderPage`](interlock_domain::customer::OrderPage).
    #[query(name = "orders")]
    pub fn orders(&self, _view: &WorkflowContextView, argument: RawValue) -> Result<OrderPage, HandlerError> {
        let filter: OrderFilter = raw_json::read(&argument)?;
        Ok(self.shell.machine.open_orders(&filter))
    }

    /// Why an order waits, as far as this customer knows: `{"order_id":…}`. Null if the order is unknown. The answer is a
    /// [`WaitChain`](interlock_domain::customer::WaitChain).
    #[query(name = "why")]
    pub fn why(&self, _view: &WorkflowContextView, argument: RawValue) -> Result<Option<WaitChain>, HandlerError> {
        let AskedOrder { order_id } = raw_json::read(&argument)?;
        Ok(self.shell.machine.why(&order_id))
    }

    /// What this customer knows of an order that it may no longer show: `{"order_id":…}`. The answer is a
    /// [`RememberedOrder`].
    #[query(name = "remembers")]
    pub fn remembers(&self, _view: &WorkflowContextView, argument: RawValue) -> Result<RememberedOrder, HandlerError> {
        let AskedOrder { order_id } = raw_json::read(&argument)?;
        Ok(RememberedOrder { memory: self.shell.machine.memory_of(&order_id).into() })
    }

    /// Why this customer has the lease of a resource, or wants it: `{"resource":"msisdn/…"}`. The answer is a
    /// [`Keeping`](interlock_domain::customer::Keeping).
    #[query(name = "keeps")]
    pub fn keeps(&self, _view: &WorkflowContextView, argument: RawValue) -> Result<Keeping, HandlerError> {
        let AskedResource { resource } = raw_json::read(&argument)?;
        Ok(self.shell.machine.keeps(&resource))
    }

    /// All leases of this customer: a [`LeasesHeld`](interlock_domain::customer::LeasesHeld).
    #[query(name = "leases")]
    pub fn leases(&self, _view: &WorkflowContextView, _argument: RawValue) -> LeasesHeld {
        self.shell.machine.leases_held()
    }

    /// What would become of an event that came now: a [`ForeseenEvent`]. The answer is a [`Reception`]. Nothing changes.
    #[query(name = "foresee_event")]
    pub fn foresee_event(&self, _view: &WorkflowContextView, argument: RawValue) -> Result<Reception, HandlerError> {
        let ForeseenEvent { now, event } = raw_json::read(&argument)?;
        let machine = &self.shell.machine;
        Ok(match Event::from_value(&event, machine.limits().event_bytes_max) {
            Ok(event) => machine.foresee_event(now, event),
            Err(rejection) => Reception::Rejected { rejection },
        })
    }

    /// What the order of a planned event would do: a [`ForeseenOrder`]. The answer is a [`Foresight`]; null if the order is not that of the
    /// event. Nothing changes.
    #[query(name = "foresee_order")]
    pub fn foresee_order(
        &self,
        _view: &WorkflowContextView,
        argument: RawValue,
    ) -> Result<Option<Foresight>, HandlerError> {
        let ForeseenOrder { now, admission, admitted } = raw_json::read(&argument)?;
        Ok(self.shell.machine.foresee_order(now, admission, admitted))
    }

    /// The state of the machine, for a forecast that runs it forward on a copy: a [`Customer`]. Nothing changes.
    #[query(name = "machine")]
    pub fn machine(&self, _view: &WorkflowContextView, _argument: RawValue) -> Customer {
        self.shell.machine.clone()
    }
}

impl CustomerEntity {
    fn signalled(&mut self, input: Input) {
        self.shell.signalled();
        self.shell.take(Incoming::Input(input));
    }
}

impl Entity for CustomerEntity {
    type Machine = Customer;
    type Incoming = Incoming;
    type Effect = Effect;
    type Answer = Result<ActionDone, Refusal>;
    const WORKFLOW_TYPE: &'static str = names::CUSTOMER_ENTITY;
    const HAS_LOCAL_ACTIVITIES: bool = true;

    fn shell(&self) -> &Shell<Self> {
        &self.shell
    }

    fn shell_mut(&mut self) -> &mut Shell<Self> {
        &mut self.shell
    }

    fn shown_to_witness(&self) -> Option<Machine<'_>> {
        Some(Machine::Customer(&self.shell.machine))
    }

    fn was_reset() -> Option<Incoming> {
        Some(Incoming::Input(Input::WasReset))
    }

    fn begin_run(&mut self, edition: Edition) {
        self.shell.machine.begin_run(edition);
        if let (began, Some(first)) = (self.first.0, self.first.1.take()) {
            self.shell.effects = self.shell.machine.step(began, first);
        }
    }

    fn cause(&self, _now: Timestamp, incoming: &Incoming) -> Cause {
        match incoming {
            Incoming::Input(input) => input.cause(),
            Incoming::Action(..) => Cause::Other,
        }
    }

    fn feed(&mut self, now: Timestamp, incoming: Incoming) -> Vec<Effect> {
        match incoming {
            Incoming::Input(input) => {
                if let Input::Admitted(AdmissionAnswer { queue_assignment: Some(queue_assignment), .. }) = &input {
                    self.shell.told_queue(ToldQueue::InPassing(queue_assignment.clone()));
                }
                self.shell.machine.step(now, input)
            }
            Incoming::Action(number, action) => {
                let (answer, effects) = self.shell.machine.act(now, &action);
                self.shell.answer(number, answer);
                effects
            }
        }
    }

    fn take_observations(&mut self) -> Vec<Observation> {
        self.shell.machine.take_observations()
    }

    fn begin(
        context: &WorkflowContext<Self>,
        effect: Effect,
        interrupt: &WorkflowCancellationToken,
        leaves: Leaves,
    ) -> Started<Incoming> {
        let (context, interrupt) = (context.clone(), interrupt.clone());
        match effect {
            Effect::Admit(admission) => match leaves {
                Leaves::Within => Started::Local(Box::pin(async move {
                    let answer = local_until_done(context, || LocalActivities::admit, admission, interrupt).await;
                    answer.map(|answer| Incoming::Input(Input::Admitted(answer)))
                })),
                Leaves::Recorded(number) => Started::Call(Box::pin(async move {
                    let activity = || RecordedActivities::admit_recorded;
                    let answer = recorded_until_done(context, activity, number, admission, interrupt).await;
                    answer.map(|answer| Incoming::Input(Input::Admitted(answer)))
                })),
            },
            Effect::Send(messages) => {
                let sending = Sending { from: context.state(|entity| entity.shell.machine.me().clone()), messages };
                match leaves {
                    Leaves::Within => Started::Local(Box::pin(async move {
                        let sent = local_until_done(context, || LocalActivities::send, sending, interrupt).await;
                        sent.map(|()| Incoming::Input(Input::Sent))
                    })),
                    Leaves::Recorded(number) => Started::Call(Box::pin(async move {
                        let activity = || RecordedActivities::send_recorded;
                        let sent = recorded_until_done(context, activity, number, sending, interrupt).await;
                        sent.map(|()| Incoming::Input(Input::Sent))
                    })),
                }
            }
            Effect::Show { state, is_first } => {
                let tenant = context.state(|entity| entity.shell.machine.me().tenant.to_string());
                search_attributes::show_customer(&context, is_first.then_some(tenant), state);
                Started::Done
            }
            Effect::Deliver(batch) => {
                Started::Repeatable(Box::pin(
                    async move { deliver(context, interrupt, batch).await.map(Incoming::Input) },
                ))
            }
            Effect::Provision { order, step, request } => Started::Call(Box::pin(async move {
                provision(context, interrupt, order, step, request).await.map(Incoming::Input)
            })),
        }
    }

    fn rests_on_clock(effect: &Effect) -> bool {
        matches!(effect, Effect::Admit(admission) if admission.rests_on_clock())
    }

    fn wants_local(&self) -> bool {
        self.shell.effects.iter().any(|effect| matches!(effect, Effect::Admit(_) | Effect::Send(_)))
    }

    fn is_to_record(&self, locals_in_a_row: u32) -> bool {
        self.shell.machine.limits().is_to_record(locals_in_a_row)
    }

    fn ends_after(&self, length: RunLength) -> ContinueAsNew {
        self.shell.machine.limits().continue_as_new(length)
    }

    fn carry(&self) -> Result<RawValue, serde_json::Error> {
        start_argument::carry(&self.start, &self.shell.queue_move, &self.shell.machine)
    }

    fn is_idle(&self) -> bool {
        self.shell.machine.is_idle()
    }

    fn wake_at(&self, _now: Timestamp) -> Option<Timestamp> {
        self.shell.machine.wake_at()
    }

    fn woke() -> Option<Incoming> {
        Some(Incoming::Input(Input::Woke))
    }
}

/// Calls a target. `None` if the run must end and the call has sent nothing.
async fn provision(
    context: WorkflowContext<CustomerEntity>,
    interrupt: WorkflowCancellationToken,
    order: OrderId,
    step: usize,
    request: ProvisionRequest,
) -> Option<Input> {
    let queue = identity::provisioning_queue(context.task_queue(), &request.target);
    let options = activity_options::provision(queue, &request, identity::now(context.workflow_time()), &interrupt);
    let (expires, proof) = (request.expires_at.is_some(), request.proof);
    let mut request = request;
    // The run that was reset may have sent it without this run knowing.
    request.maybe_sent |= context.state(|entity| entity.is_of_reset_run);
    match context.execute_activity(TargetActivities::provision, request, options).await {
        Ok(answer) if answer.is_proven(proof) => {
            let calls = answer.calls.unwrap_or(1);
            Some(Input::StepAnswered { order, step, outcome: answer.outcome, calls })
        }
        Ok(answer) => {
            let said = format!("completed as {}", answer.outcome.class());
            Some(Input::StepEndedByHand { order, step, said })
        }
        // The next run starts it as if it had never started.
        Err(failure) if interrupt.is_cancelled() && is_settled(&failure) => None,
        Err(_) if interrupt.is_cancelled() => Some(Input::StepInterrupted { order, step }),
        Err(failure)
            if proof.is_some()
                && let Some(said) = unanswered::by_hand(&failure) =>
        {
            Some(Input::StepEndedByHand { order, step, said: said.to_owned() })
        }
        Err(failure) => {
            let outcome = unanswered::of_call(&failure, expires);
            Some(Input::StepEnded { order, step, outcome })
        }
    }
}

/// Delivers events to a receiver. `None` if the run must end: the next one delivers them again.
async fn deliver(
    context: WorkflowContext<CustomerEntity>,
    interrupt: WorkflowCancellationToken,
    batch: OutgoingBatch,
) -> Option<Input> {
    let queue = identity::provisioning_queue(context.task_queue(), &batch.target);
    let options = activity_options::deliver(queue, &batch.tenant, &interrupt);
    let (subscription, proof) = (batch.subscription.clone(), batch.proof);
    match context.execute_activity(TargetActivities::deliver, batch, options).await {
        Ok(answer) if answer.proof == proof => Some(Input::Delivered { subscription }),
        Err(_) if interrupt.is_cancelled() => None,
        Ok(_) | Err(_) => Some(Input::NotDelivered { subscription }),
    }
}

/// Whether a cancelled call is known to have nothing in flight.
fn is_settled(failure: &ActivityExecutionError) -> bool {
    match failure.cause() {
        Some(IncomingError::Application(cause)) => cause.type_name().is_some_and(is_settled_failure),
        _ => false,
    }
}
