//! The workflow of one resource: a shell around [`Resource`].
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::collections::BTreeSet;

use interlock_domain::action_words::Refusal;
use interlock_domain::ids::{CustomerRef, Epoch, Timestamp};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::message::{ClaimAnswer, Envelope, GiveBack, Ticket, ToResource};
use interlock_domain::observation::Observation;
use interlock_domain::order::ResourcePolicy;
use interlock_domain::outcome::HolderAnswer;
use interlock_domain::recording::{Cause, Edition, said_at};
use interlock_domain::resource::{
    ClaimToForesee, Effect, ForceAnswer, ForceRelease, ForeseenClaim, Import, ImportAnswer, Input, Resource,
    ResourceView,
};
use interlock_domain::views::ResourceActionAnswer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::definitions::{LocalActivities, LookUp, Notification, RecordedActivities, TargetActivities};
use crate::identity::{self, ResourceIdentity};
use crate::life::{live, next_run};
use crate::patience::{local_until_done, recorded_until_done};
use crate::shell::{self, Entity, HandlerError, Leaves, Shell, Started, answered, regardless};
use crate::start_argument::{self, StartArgument};
use crate::witness::Machine;
use crate::{activity_options, names, raw_json, unanswered};

/// The workflow `ResourceEntity`: one contested resource, for as long as any customer wants it.
#[workflow]
pub struct ResourceEntity {
    shell: Shell<Self>,
    start: StartArgument,
    /// Actions that were received and that their handlers have not answered yet.
    acted: BTreeSet<u64>,
    /// The number of messages in this run that could not be read. They do not block the entity.
    undecodable: u32,
    /// What the last input caused, for metrics.
    observed: Vec<Observation>,
    /// Whether the run has ended, except for callers that wait for an answer.
    is_closing: bool,
    /// When the run began; and, until the machine was told, whether an earlier run came before it.
    began: Timestamp,
    is_continued: bool,
}

/// The actions of an operator on a resource: the argument of the update `act`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ResourceAction {
    /// Sets the holder, in the form of an earlier build; see [`ResourceAction::Import`].
    Seed {
        /// The holder.
        holder: CustomerRef,
        /// The name by which the targets know the holder.
        #[serde(default)]
        #[serde(rename = "party")]
        target_identity: Option<String>,
        /// What the entity must know about its kind.
        #[serde(default)]
        policy: ResourcePolicy,
    },
    /// Sets the holder from a list, for the day on which Interlock is introduced. The answer is `{"import":…}`, an
    /// [`ImportAnswer`](interlock_domain::resource::ImportAnswer).
    Import(Import),
    /// Takes the resource from its holder.
    ForceRelease(ForceRelease),
}

/// An input.
pub(crate) enum Incoming {
    /// An input for the machine, unchanged.
    Input(Input),
    /// A customer's message, and when it was sent.
    Told(ToResource, Option<Timestamp>),
    /// A claim. Its answer is kept under this number.
    Claim(u64, Box<Ticket>),
    /// A line of a list. Its answer is kept under this number.
    Import(u64, Box<Import>),
    /// An operator's action. Its answer is kept under this number.
    Action(u64, Input),
}

/// What a handler waits for.
pub(crate) enum Answer {
    /// The answer to a claim.
    Claim(ClaimAnswer),
    /// The answer to a line of a list.
    Import(ImportAnswer),
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl ResourceEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let ResourceIdentity { realm, id, start } = identity::of_resource(view.workflow_id(), &argument);
        let blank = || {
            let new = if start_argument::had_earlier_life(&argument) { Resource::recreated } else { Resource::new };
            new(realm, id)
        };
        Self {
            shell: Shell::new(view, &argument, blank),
            start,
            acted: BTreeSet::new(),
            undecodable: 0,
            observed: Vec::new(),
            is_closing: false,
            began,
            is_continued: shell::is_continued(view),
        }
    }

    /// Performs what the machine wants, until the run has become long.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        live(context).await;
        let (argument, options) = next_run(context).await;
        context.continue_as_new(argument, options).map(|never| match never {})
    }

    /// An envelope with a ticket. It is answered at once.
    #[update(name = "claim")]
    pub async fn claim(context: &mut WorkflowContext<Self>, envelope: RawValue) -> Result<ClaimAnswer, HandlerError> {
        let envelope: Envelope<Ticket> = raw_json::read(&envelope)?;
        context.state_mut(|entity| entity.shell.take_in_passing(envelope.queue_assignment));
        match answered(context, |number| Incoming::Claim(number, Box::new(envelope.message))).await? {
            Answer::Claim(answer) => Ok(answer),
            Answer::Import(_) => Err("a line of a list was answered in place of a claim".into()),
        }
    }

    /// The same as a signal. The answer is a message.
    #[signal(name = "claim")]
    pub fn claim_by_message(&mut self, _context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        let ticket = raw_json::read::<Envelope<Ticket>>(&envelope);
        self.told(ticket.map(|Envelope { v, sent_at, message: ticket, queue_assignment }| Envelope {
            v,
            sent_at,
            message: ToResource::Claim { ticket },
            queue_assignment,
        }));
    }

    /// An envelope with a customer's message.
    #[signal(name = "from_customer")]
    pub fn from_customer(&mut self, _context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        self.told(raw_json::read::<Envelope<ToResource>>(&envelope));
    }

    /// A [`QueueAssignment`](interlock_domain::routing::QueueAssignment): the entity must move there as soon as nothing is in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, queue_assignment: RawValue) {
        if self.shell.asked_to_move(&queue_assignment).is_err() {
            self.undecodable += 1;
        }
    }

    /// An operator's action. Returns the state after it as `{"state":…}`. A forced release returns `{"released":true}` in addition,
    /// `{"refused":{"code","detail"}}`, or `{"unsettled":true}` if the run ends before it is settled: the same action, sent again,
    /// waits for it in the next run.
    #[update(name = "act")]
    pub async fn act(context: &mut WorkflowContext<Self>, action: RawValue) -> Result<Value, HandlerError> {
        let (input, force) = match raw_json::read(&action)? {
            ResourceAction::Import(import) => return Self::import(context, import).await,
            ResourceAction::Seed { holder, target_identity, policy } => {
                (Input::Seeded { holder, target_identity, policy }, None)
            }
            ResourceAction::ForceRelease(release) => {
                let named = release.clone();
                (Input::Forced(release), Some(named))
            }
        };
        let (number, repeated) = context.state_mut(|entity| {
            let repeated = force.as_ref().is_some_and(|release| entity.shell.machine.knows_force(release));
            (entity.shell.updated(|number| Incoming::Action(number, input)), repeated)
        });
        let of_force = force.clone();
        let is_answered = move |entity: &Self| {
            let settled =
                |release: &ForceRelease| entity.is_closing || entity.shell.machine.force_answer(release).is_some();
            entity.acted.contains(&number) && of_force.as_ref().is_none_or(settled)
        };
        context.wait_condition_with_options(is_answered, regardless()).await?;
        Ok(context.state_mut(|entity| {
            entity.acted.remove(&number);
            json!(entity.acted_on(force.as_ref(), repeated))
        }))
    }

    /// The resource's whole state, as shown to users.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> ResourceView {
        self.shown()
    }

    /// What a claim would be answered if it came now: a [`ClaimToForesee`]. The answer is a [`ForeseenClaim`]. Nothing changes.
    #[query(name = "foresee_claim")]
    pub fn foresee_claim(
        &self,
        _view: &WorkflowContextView,
        argument: RawValue,
    ) -> Result<ForeseenClaim, HandlerError> {
        let ClaimToForesee { now, ticket } = raw_json::read(&argument)?;
        Ok(self.shell.machine.foresee_claim(now, ticket))
    }

    /// The state of the machine, for a forecast that runs it forward on a copy: a [`Resource`]. Nothing changes.
    #[query(name = "machine")]
    pub fn machine(&self, _view: &WorkflowContextView, _argument: RawValue) -> Resource {
        self.shell.machine.clone()
    }
}

impl ResourceEntity {
    async fn import(context: &mut WorkflowContext<Self>, import: Import) -> Result<Value, HandlerError> {
        match answered(context, |number| Incoming::Import(number, Box::new(import))).await? {
            Answer::Import(answer) => Ok(json!(answer)),
            Answer::Claim(_) => Err("a claim was answered in place of a line of a list".into()),
        }
    }

    /// Receives a customer's message. An unreadable message changes nothing except a count: its sender is not an Interlock customer and
    /// has nothing to lose.
    fn told(&mut self, envelope: Result<Envelope<ToResource>, serde_json::Error>) {
        self.shell.signalled();
        match envelope {
            Ok(Envelope { message, sent_at, queue_assignment, .. }) => {
                self.shell.take_in_passing(queue_assignment);
                self.shell.take(Incoming::Told(message, sent_at));
            }
            Err(_) => self.undecodable += 1,
        }
    }

    /// When a message was sent, if the machine may use it. A run of 0.1.0 uses workflow time.
    fn trusted(&self, now: Timestamp, sent_at: Option<Timestamp>) -> Option<Timestamp> {
        said_at(now, sent_at).filter(|_| self.shell.machine.edition() >= Edition::V0_2)
    }

    /// The epoch of the customer that holds it.
    fn held_by(&self) -> Option<Epoch> {
        self.shell.machine.holder().filter(|holder| holder.customer().is_some()).map(|holder| holder.epoch)
    }

    /// Records the time from the confirmed release to the next grant. A sender of an earlier build did not send the time.
    fn observe_hand_over(&mut self, now: Timestamp, released_at: Option<Timestamp>) {
        let took = released_at.map(|released_at| now.0.saturating_sub(released_at.0));
        if let Some(took_ms) = took.map(|took_ms| u64::try_from(took_ms).unwrap_or(0)) {
            let kind = self.shell.machine.id().kind().clone();
            self.observed.push(Observation::HandedOver { kind, took_ms });
        }
    }

    /// The answer to an action that was received.
    fn acted_on(&self, force: Option<&ForceRelease>, repeated: bool) -> ResourceActionAnswer {
        let mut answer = ResourceActionAnswer {
            state: self.shown(),
            repeated: None,
            released: false,
            refused: None,
            unsettled: false,
        };
        let Some(release) = force else { return answer };
        answer.repeated = Some(repeated);
        match self.shell.machine.force_answer(release) {
            Some(ForceAnswer::Released) => answer.released = true,
            Some(ForceAnswer::Refused { code, detail }) => answer.refused = Some(Refusal { code, detail }),
            None => answer.unsettled = true,
        }
        answer
    }

    fn shown(&self) -> ResourceView {
        ResourceView { undecodable_messages: self.undecodable, ..self.shell.machine.view() }
    }
}

impl Entity for ResourceEntity {
    type Machine = Resource;
    type Incoming = Incoming;
    type Effect = Effect;
    type Answer = Answer;
    const WORKFLOW_TYPE: &'static str = names::RESOURCE_ENTITY;
    const HAS_LOCAL_ACTIVITIES: bool = true;

    fn shell(&self) -> &Shell<Self> {
        &self.shell
    }

    fn shell_mut(&mut self) -> &mut Shell<Self> {
        &mut self.shell
    }

    fn shown_to_witness(&self) -> Option<Machine<'_>> {
        Some(Machine::Resource(&self.shell.machine))
    }

    fn was_reset() -> Option<Incoming> {
        Some(Incoming::Input(Input::WasReset))
    }

    fn begin_run(&mut self, edition: Edition) {
        self.shell.machine.begin_run(edition);
        if std::mem::take(&mut self.is_continued) {
            self.shell.effects = self.shell.machine.step(self.began, Input::Resumed);
        }
    }

    fn cause(&self, now: Timestamp, incoming: &Incoming) -> Cause {
        match incoming {
            Incoming::Told(_, sent_at) if self.trusted(now, *sent_at).is_some() => Cause::Message,
            Incoming::Told(..)
            | Incoming::Input(_)
            | Incoming::Claim(..)
            | Incoming::Import(..)
            | Incoming::Action(..) => Cause::Other,
        }
    }

    fn feed(&mut self, now: Timestamp, incoming: Incoming) -> Vec<Effect> {
        match incoming {
            Incoming::Input(input) => self.shell.machine.step(now, input),
            Incoming::Told(message, sent_at) => {
                let is_release = matches!(message, ToResource::GiveBack { how: GiveBack::Released, .. });
                let before = self.held_by().filter(|_| is_release);
                let input = match self.trusted(now, sent_at) {
                    Some(said_at) => Input::Heard { said_at, message },
                    None => Input::Told(message),
                };
                let effects = self.shell.machine.step(now, input);
                if before.is_some() && self.held_by().is_some() && self.held_by() != before {
                    self.observe_hand_over(now, sent_at);
                }
                effects
            }
            Incoming::Claim(number, ticket) => {
                let (answer, effects) = self.shell.machine.claim(now, *ticket);
                self.shell.answer(number, Answer::Claim(answer));
                effects
            }
            Incoming::Import(number, import) => {
                let (answer, effects) = self.shell.machine.import(now, &import);
                self.shell.answer(number, Answer::Import(answer));
                effects
            }
            Incoming::Action(number, input) => {
                self.acted.insert(number);
                self.shell.machine.step(now, input)
            }
        }
    }

    fn take_observations(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.observed)
    }

    fn begin(
        context: &WorkflowContext<Self>,
        effect: Effect,
        interrupt: &WorkflowCancellationToken,
        leaves: Leaves,
    ) -> Started<Incoming> {
        let (context, interrupt) = (context.clone(), interrupt.clone());
        match effect {
            Effect::Notify(messages) => {
                let realm = context.state(|entity| entity.shell.machine.realm().clone());
                let notification = Notification { realm, messages };
                let notified = |deliveries| Incoming::Input(Input::Notified(deliveries));
                match leaves {
                    Leaves::Within => Started::Local(Box::pin(async move {
                        let activity = || LocalActivities::notify;
                        local_until_done(context, activity, notification, interrupt).await.map(notified)
                    })),
                    Leaves::Recorded(number) => Started::Call(Box::pin(async move {
                        let activity = || RecordedActivities::notify_recorded;
                        recorded_until_done(context, activity, number, notification, interrupt).await.map(notified)
                    })),
                }
            }
            Effect::LookUp { authority, resource, tenant, proof } => {
                let question = LookUp { tenant, authority, resource, proof };
                Started::Call(Box::pin(
                    async move { look_up(&context, &interrupt, question).await.map(Incoming::Input) },
                ))
            }
        }
    }

    fn wants_local(&self) -> bool {
        self.shell.effects.iter().any(|effect| matches!(effect, Effect::Notify(_)))
    }

    fn is_to_record(&self, locals_in_a_row: u32) -> bool {
        self.shell.machine.policy().limits.is_to_record(locals_in_a_row)
    }

    fn ends_after(&self, length: RunLength) -> ContinueAsNew {
        self.shell.machine.policy().limits.continue_as_new(length)
    }

    fn carry(&self) -> Result<RawValue, serde_json::Error> {
        start_argument::carry(&self.start, &self.shell.queue_move, &self.shell.machine)
    }

    fn is_idle(&self) -> bool {
        self.shell.machine.is_idle()
    }

    fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.shell.machine.wake_at(now)
    }

    fn closing(&mut self) {
        self.is_closing = true;
    }

    fn woke() -> Option<Incoming> {
        Some(Incoming::Input(Input::Woke))
    }
}

/// Asks the authority. `None` if the run must end: the next run asks again.
async fn look_up(
    context: &WorkflowContext<ResourceEntity>,
    interrupt: &WorkflowCancellationToken,
    question: LookUp,
) -> Option<Input> {
    let queue = identity::provisioning_queue(context.task_queue(), &question.authority.target);
    let (options, proof) = (activity_options::look_up(queue, &question.tenant, interrupt), question.proof);
    match context.execute_activity(TargetActivities::look_up, question, options).await {
        Ok(answer) if answer.is_proven(proof) => Some(Input::LookedUp(answer.answer)),
        Ok(answer) => Some(Input::LookUpEndedByHand { said: format!("completed as {}", answer.answer.name()) }),
        Err(_) if interrupt.is_cancelled() => None,
        // There is no time after which it is given up, and a worker that repeats proofs fails in such a way that another attempt is
        // made.
        Err(failure) if proof.is_some() => {
            let said = unanswered::by_hand(&failure).unwrap_or("ended without an answer");
            Some(Input::LookUpEndedByHand { said: said.to_owned() })
        }
        Err(failure) => Some(Input::LookedUp(HolderAnswer::Unclear { detail: failure.to_string() })),
    }
}
