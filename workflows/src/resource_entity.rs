//! The workflow of one resource: a shell around [`Resource`].
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

use interlock_domain::ids::{CustomerRef, Timestamp};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::message::{ClaimAnswer, Envelope, Ticket, ToResource};
use interlock_domain::order::ResourcePolicy;
use interlock_domain::outcome::HolderAnswer;
use interlock_domain::resource::{Effect, Input, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ContinueAsNewOptions, SyncWorkflowContext, TimerOptions, WaitConditionOptions, WorkflowCancellationToken,
    WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::definitions::{LocalActivities, LookUp, Notification, TargetActivities};
use crate::identity::{self, ResourceIdentity};
use crate::patience::local_until_done;
use crate::start_argument::{self, StartArgument};
use crate::under_way::UnderWay;
use crate::{activity_options, raw_json};

/// The workflow `ResourceEntity`: one contested thing, for as long as anybody wants it.
#[workflow]
pub struct ResourceEntity {
    machine: Resource,
    start: StartArgument,
    /// What the machine wants done and the main routine did not take up yet.
    effects: Vec<Effect>,
    /// Signals taken in this run.
    signals: u32,
    /// Messages that could not be read, in this run: nobody is wedged by them.
    undecodable: u32,
    /// Why the state of the run before cannot be read: nothing may go on then.
    unreadable: Option<String>,
}

/// What a person may do with a resource: the argument of the update `act`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ResourceAction {
    /// Says who has it, for the day on which Interlock is switched on.
    Seed {
        /// The customer that has it.
        holder: CustomerRef,
        /// The name under which the targets know it.
        #[serde(default)]
        party: Option<String>,
        /// What the entity needs to know of its kind.
        #[serde(default)]
        policy: ResourcePolicy,
    },
    /// Takes it from its holder.
    Force {
        /// Who says so.
        actor: String,
        /// Why.
        reason: String,
    },
}

/// What became of something that was under way, for the machine; none where the run is to end and the next one begins
/// it again.
type Ended = Option<Input>;

/// The timer that wakes the machine.
struct Alarm {
    at: Timestamp,
    stop: WorkflowCancellationToken,
    timer: Pin<Box<dyn Future<Output = ()>>>,
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl ResourceEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let ResourceIdentity { realm, id, start } = identity::of_resource(view.workflow_id(), &argument);
        let continued = view.continued_from_run_id().is_some();
        let (machine, unreadable) = match continued.then(|| start_argument::carried::<Resource>(&argument)) {
            Some(Ok(machine)) => (machine, None),
            Some(Err(fault)) => (Resource::new(realm, id), Some(fault.to_string())),
            None => (Resource::new(realm, id), None),
        };
        let mut entity = Self { machine, start, effects: Vec::new(), signals: 0, undecodable: 0, unreadable };
        if continued {
            entity.effects = entity.machine.step(began, Input::Resumed);
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
        let mut alarm = None;
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
            set_alarm(context, &mut alarm);
            if let Some(input) = next(context, &mut under_way, &mut alarm).await {
                take_in(context, input);
            }
        }
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

    /// An envelope with a ticket: answered at once.
    #[update(name = "claim")]
    pub fn claim(
        &mut self,
        context: &mut SyncWorkflowContext<Self>,
        envelope: RawValue,
    ) -> Result<ClaimAnswer, Box<dyn std::error::Error + Send + Sync>> {
        let envelope: Envelope<Ticket> = raw_json::read(&envelope)?;
        let (answer, effects) = self.machine.claim(identity::now(context.workflow_time()), envelope.message);
        self.effects.extend(effects);
        Ok(answer)
    }

    /// The same as a message: it is answered by one.
    #[signal(name = "claim")]
    pub fn claim_by_message(&mut self, context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        let ticket = raw_json::read::<Envelope<Ticket>>(&envelope);
        self.told(context, ticket.map(|envelope| ToResource::Claim { ticket: envelope.message }));
    }

    /// An envelope with what a customer says.
    #[signal(name = "from_customer")]
    pub fn from_customer(&mut self, context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        let message = raw_json::read::<Envelope<ToResource>>(&envelope);
        self.told(context, message.map(|envelope| envelope.message));
    }

    /// A person's action. Answers the state after it.
    #[update(name = "act")]
    pub fn act(
        &mut self,
        context: &mut SyncWorkflowContext<Self>,
        action: RawValue,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let input = match raw_json::read(&action)? {
            ResourceAction::Seed { holder, party, policy } => Input::Seeded { holder, party, policy },
            ResourceAction::Force { actor, reason } => Input::Forced { actor, reason },
        };
        self.feed(context, input);
        Ok(self.shown())
    }

    /// All that the resource shows of itself.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> Value {
        self.shown()
    }
}

impl ResourceEntity {
    fn feed(&mut self, context: &SyncWorkflowContext<Self>, input: Input) {
        self.effects.extend(self.machine.step(identity::now(context.workflow_time()), input));
    }

    /// Feeds a customer's message. One that cannot be read changes nothing but a count: who sends such is no customer
    /// of ours, and has nothing to lose.
    fn told(&mut self, context: &SyncWorkflowContext<Self>, message: Result<ToResource, serde_json::Error>) {
        self.signals += 1;
        match message {
            Ok(message) => self.feed(context, Input::Told(message)),
            Err(_) => self.undecodable += 1,
        }
    }

    fn shown(&self) -> Value {
        let mut shown = json!(self.machine.view());
        if let (Some(shown), 1..) = (shown.as_object_mut(), self.undecodable) {
            shown.insert("undecodable_messages".to_owned(), self.undecodable.into());
        }
        shown
    }

    /// Whether the run is to end.
    fn due(&self, context: &WorkflowContext<Self>) -> ContinueAsNew {
        let due = self.machine.policy.limits.continue_as_new(RunLength {
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

fn take_effects(context: &WorkflowContext<ResourceEntity>) -> Vec<Effect> {
    if context.state(|entity| entity.effects.is_empty()) {
        return Vec::new();
    }
    context.state_mut(|entity| std::mem::take(&mut entity.effects))
}

/// Begins what the machine wants done.
fn begin(
    context: &WorkflowContext<ResourceEntity>,
    under_way: &mut UnderWay<Ended>,
    effect: Effect,
    interrupt: &WorkflowCancellationToken,
) {
    let (context, interrupt) = (context.clone(), interrupt.clone());
    match effect {
        Effect::Notify(messages) => under_way.begin(async move {
            let realm = context.state(|entity| entity.machine.realm.clone());
            let notification = Notification { realm, messages };
            let deliveries = local_until_done(context, || LocalActivities::notify, notification, interrupt).await;
            deliveries.map(Input::Notified)
        }),
        Effect::LookUp { authority, resource, tenant } => under_way.begin(async move {
            let queue = identity::provisioning_queue(context.task_queue(), &authority.target);
            let options = activity_options::look_up(queue, &tenant, &interrupt);
            let question = LookUp { tenant, authority, resource };
            match context.execute_activity(TargetActivities::look_up, question, options).await {
                Ok(answer) => Some(Input::LookedUp(answer)),
                Err(_) if interrupt.is_cancelled() => None,
                Err(failure) => Some(Input::LookedUp(HolderAnswer::Unclear { detail: failure.to_string() })),
            }
        }),
    }
}

/// Sets the timer to what the machine wants now; a timer that is not wanted any more is stopped.
fn set_alarm(context: &WorkflowContext<ResourceEntity>, alarm: &mut Option<Alarm>) {
    let now = identity::now(context.workflow_time());
    let wanted = context.state(|entity| entity.machine.wake_at(now));
    if alarm.as_ref().map(|alarm| alarm.at) == wanted {
        return;
    }
    if let Some(old) = alarm.take() {
        old.stop.cancel();
    }
    let Some(at) = wanted else { return };
    let stop = WorkflowCancellationToken::new();
    let wait = std::time::Duration::from_millis(u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0).max(1));
    let options = TimerOptions::builder(wait).cancellation_token(stop.clone()).build();
    let timer_context = context.clone();
    let timer = Box::pin(async move {
        timer_context.timer(options).await;
    });
    *alarm = Some(Alarm { at, stop, timer });
}

/// Waits until something that was under way ended, or the time has come (that is answered), or the machine wants
/// something (then nothing is).
async fn next(
    context: &WorkflowContext<ResourceEntity>,
    under_way: &mut UnderWay<Ended>,
    alarm: &mut Option<Alarm>,
) -> Ended {
    let idle = under_way.is_empty();
    let alarm_at = alarm.as_ref().map(|alarm| alarm.at);
    // The token of its own: who cancels an entity does not stop it.
    let regardless = WaitConditionOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
    let mut wanted = pin!(context.wait_condition_with_options(
        move |entity| {
            let now = identity::now(context.workflow_time());
            !entity.effects.is_empty()
                || entity.machine.wake_at(now) != alarm_at
                || match entity.due(context) {
                    ContinueAsNew::Now => true,
                    ContinueAsNew::WhenIdle => idle,
                    ContinueAsNew::No => false,
                }
        },
        regardless,
    ));
    std::future::poll_fn(|waker| {
        if let Poll::Ready(ended) = under_way.poll_next(waker) {
            return Poll::Ready(ended);
        }
        if let Some(ringing) = alarm
            && ringing.timer.as_mut().poll(waker).is_ready()
        {
            *alarm = None;
            return Poll::Ready(Some(Input::Woke));
        }
        wanted.as_mut().poll(waker).map(|_| None)
    })
    .await
}

fn take_in(context: &WorkflowContext<ResourceEntity>, input: Input) {
    let now = identity::now(context.workflow_time());
    context.state_mut(|entity| {
        let effects = entity.machine.step(now, input);
        entity.effects.extend(effects);
    });
}
