//! The workflow of one target: a shell around [`Target`].
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use interlock_domain::customer::Refusal;
use interlock_domain::ids::{TargetId, Timestamp};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::message::Envelope;
use interlock_domain::routing::{QueueAssignment, target_of_workflow};
use interlock_domain::target_entity::{
    BreakerReport, Effect, Finding, Input, ProbeAnswer, Target, TargetAction, TargetActionDone, TargetRules, TargetView,
};
use interlock_domain::views::TargetActionAnswer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::definitions::{LimitSetting, TargetProbe, TargetUpkeep};
use crate::life::{live, next_run};
use crate::shell::{self, Entity, HandlerError, Leaves, Shell, Started, answered};
use crate::{activity_options, identity, names, raw_json, start_argument};

/// The start argument of a target entity, from a process that has the settings. The workflow id decides which target it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetStart {
    /// The target, for people.
    #[serde(default)]
    pub target: String,
    /// Its configured rules.
    #[serde(default)]
    pub rules: TargetRules,
}

/// The workflow `TargetEntity`: one outside system, for as long as Interlock calls it.
#[workflow]
pub struct TargetEntity {
    shell: Shell<Self>,
    /// The number of messages in this run that could not be read. They do not block the entity.
    undecodable: u32,
}

/// An input.
pub(crate) enum Incoming {
    /// An input for the machine, unchanged.
    Input(Box<Input>),
    /// An operator's action. Its answer is kept under this number.
    Action(u64, TargetAction),
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl TargetEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let blank = || Target::new(named(view.workflow_id()), rules_of(&argument), began);
        let mut entity = Self { shell: Shell::new(view, &argument, blank), undecodable: 0 };
        // A new entity asks for the state of its target, whatever it was started by.
        let first = if shell::is_continued(view) { Input::Resumed } else { Input::Woke };
        entity.shell.effects = entity.shell.machine.step(began, first);
        entity
    }

    /// Performs what the machine wants, until the run has become long.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        live(context).await;
        let (argument, options) = next_run(context).await;
        context.continue_as_new(argument, options).map(|never| match never {})
    }

    /// An envelope with a worker process's report about its breaker.
    #[signal(name = "report")]
    pub fn report(&mut self, _context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        let report = raw_json::read::<Envelope<BreakerReport>>(&envelope);
        self.told(report.map(|envelope| (Input::Reported(envelope.message), envelope.queue_assignment)));
    }

    /// An envelope with the configured rules.
    #[signal(name = "configure")]
    pub fn configure(&mut self, _context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        let rules = raw_json::read::<Envelope<TargetRules>>(&envelope);
        self.told(rules.map(|envelope| (Input::Configured(envelope.message), envelope.queue_assignment)));
    }

    /// A [`QueueAssignment`](interlock_domain::routing::QueueAssignment): the entity must move there as soon as nothing is in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, queue_assignment: RawValue) {
        if self.shell.asked_to_move(&queue_assignment).is_err() {
            self.undecodable += 1;
        }
    }

    /// An operator's action. Returns `{"done":…,"target":…}` or `{"refused":{"code","detail"}}`.
    #[update(name = "act")]
    pub async fn act(
        context: &mut WorkflowContext<Self>,
        action: RawValue,
    ) -> Result<TargetActionAnswer, HandlerError> {
        let action: TargetAction = raw_json::read(&action)?;
        Ok(match answered(context, |number| Incoming::Action(number, action)).await? {
            Ok(done) => TargetActionAnswer::Taken { done, target: Box::new(context.state(Self::shown)) },
            Err(refused) => TargetActionAnswer::Refused { refused },
        })
    }

    /// The target's whole state, as shown to users.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> TargetView {
        self.shown()
    }

    /// The state of the machine, for a forecast that runs it forward on a copy: a [`Target`]. Nothing changes.
    #[query(name = "machine")]
    pub fn machine(&self, _view: &WorkflowContextView, _argument: RawValue) -> Target {
        self.shell.machine.clone()
    }
}

impl TargetEntity {
    /// Receives a message. An unreadable message changes nothing except a count.
    fn told(&mut self, message: Result<(Input, Option<QueueAssignment>), serde_json::Error>) {
        self.shell.signalled();
        match message {
            Ok((input, queue_assignment)) => {
                self.shell.take_in_passing(queue_assignment);
                self.shell.take(Incoming::Input(Box::new(input)));
            }
            Err(_) => self.undecodable += 1,
        }
    }

    fn shown(&self) -> TargetView {
        TargetView { undecodable_messages: self.undecodable, ..self.shell.machine.view() }
    }
}

/// The target of a workflow. If the workflow id names no target, a placeholder that is never called.
fn named(workflow_id: &str) -> TargetId {
    let none = || "none".parse().expect("a constant that is an id");
    target_of_workflow(workflow_id).unwrap_or_else(none)
}

/// The rules that it was started with, or the defaults.
fn rules_of(argument: &RawValue) -> TargetRules {
    raw_json::read::<TargetStart>(argument).map(|start| start.rules).unwrap_or_default()
}

impl Entity for TargetEntity {
    type Machine = Target;
    type Incoming = Incoming;
    type Effect = Effect;
    type Answer = Result<TargetActionDone, Refusal>;
    const WORKFLOW_TYPE: &'static str = names::TARGET_ENTITY;

    fn shell(&self) -> &Shell<Self> {
        &self.shell
    }

    fn shell_mut(&mut self) -> &mut Shell<Self> {
        &mut self.shell
    }

    fn was_reset() -> Option<Incoming> {
        Some(Incoming::Input(Box::new(Input::WasReset)))
    }

    fn feed(&mut self, now: Timestamp, incoming: Incoming) -> Vec<Effect> {
        match incoming {
            Incoming::Input(input) => self.shell.machine.step(now, *input),
            Incoming::Action(number, action) => {
                let (answer, effects) = self.shell.machine.act(now, &action);
                self.shell.answer(number, answer);
                effects
            }
        }
    }

    fn begin(
        context: &WorkflowContext<Self>,
        effect: Effect,
        interrupt: &WorkflowCancellationToken,
        _leaves: Leaves,
    ) -> Started<Incoming> {
        let (context, interrupt) = (context.clone(), interrupt.clone());
        Started::Call(Box::pin(async move {
            let target = context.state(|entity| entity.shell.machine.name().clone());
            let options = activity_options::upkeep(&interrupt);
            let input = match effect {
                Effect::SetLimit { record, .. } => {
                    let setting = LimitSetting { target, record };
                    match context.execute_activity(TargetUpkeep::set_limit, setting, options).await {
                        Ok(()) => Input::LimitSet(Ok(())),
                        Err(_) if interrupt.is_cancelled() => return None,
                        Err(failure) => Input::LimitSet(Err(failure.to_string())),
                    }
                }
                Effect::Probe => {
                    let probe = TargetProbe { target };
                    match context.execute_activity(TargetUpkeep::probe, probe, options).await {
                        Ok(answer) => Input::Probed(answer),
                        Err(_) if interrupt.is_cancelled() => return None,
                        Err(failure) => {
                            let finding = Finding::NotAsked { detail: format!("the probe failed: {failure}") };
                            Input::Probed(ProbeAnswer { finding, stands: None })
                        }
                    }
                }
            };
            Some(Incoming::Input(Box::new(input)))
        }))
    }

    fn ends_after(&self, length: RunLength) -> ContinueAsNew {
        self.shell.machine.rules().limits.continue_as_new(length)
    }

    fn carry(&self) -> Result<RawValue, serde_json::Error> {
        let start = json!({ "target": self.shell.machine.name() });
        start_argument::carry(&start, &self.shell.queue_move, &self.shell.machine)
    }

    fn is_idle(&self) -> bool {
        self.shell.machine.is_idle()
    }

    fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.shell.machine.wake_at(now)
    }

    fn woke() -> Option<Incoming> {
        Some(Incoming::Input(Box::new(Input::Woke)))
    }
}
