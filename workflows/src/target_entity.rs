//! The workflow of one target: a shell around [`Target`].
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::collections::{BTreeMap, VecDeque};

use interlock_domain::customer::Refusal;
use interlock_domain::ids::{TargetId, Timestamp};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::message::Envelope;
use interlock_domain::routing::{Home, Residence, target_of_workflow};
use interlock_domain::target::{
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
use crate::life::{Begun, Entity, Leaves, live, next_run, regardless};
use crate::moving::{self, ToldHome};
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
    /// The random seed with which the run's history began.
    began_with: u64,
    machine: Target,
    /// Inputs that the handlers received and the main routine has not processed yet.
    inbox: VecDeque<CameIn>,
    /// Effects that the machine wants and that have not started yet.
    effects: Vec<Effect>,
    /// The number of actions received in this run.
    actions: u64,
    /// Answers to actions that their handlers have not returned yet.
    answers: BTreeMap<u64, Result<TargetActionDone, Refusal>>,
    /// The number of signals received in this run.
    signals: u32,
    /// The number of messages in this run that could not be read. They do not block the entity.
    undecodable: u32,
    /// What it was told about the task queue that it must be on.
    residence: Residence,
    /// Why the machine cannot continue, if its state cannot be read.
    unreadable: Option<String>,
}

/// An input.
pub(crate) enum CameIn {
    /// An input for the machine, unchanged.
    Input(Box<Input>),
    /// An operator's action. Its answer is kept under this number.
    Action(u64, TargetAction),
    /// The queue that the entity must move to.
    Home(ToldHome),
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl TargetEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let continued = view.continued_from_run_id().is_some();
        let blank = || Target::new(named(view.workflow_id()), rules_of(&argument), began);
        let (machine, unreadable) = start_argument::machine(continued, &argument, blank);
        let mut entity = Self {
            began_with: view.raw().randomness_seed,
            machine,
            inbox: VecDeque::new(),
            effects: Vec::new(),
            actions: 0,
            answers: BTreeMap::new(),
            signals: 0,
            undecodable: 0,
            residence: start_argument::residence(&argument),
            unreadable,
        };
        // A new entity asks for the state of its target, whatever it was started by.
        let first = if continued { Input::Resumed } else { Input::Woke };
        entity.effects = entity.machine.step(began, first);
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
        self.told(report.map(|envelope| (Input::Reported(envelope.message), envelope.home)));
    }

    /// An envelope with the configured rules.
    #[signal(name = "configure")]
    pub fn configure(&mut self, _context: &mut SyncWorkflowContext<Self>, envelope: RawValue) {
        let rules = raw_json::read::<Envelope<TargetRules>>(&envelope);
        self.told(rules.map(|envelope| (Input::Configured(envelope.message), envelope.home)));
    }

    /// A [`Home`](interlock_domain::routing::Home): the entity must move there as soon as nothing is in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, home: RawValue) {
        self.signals += 1;
        match raw_json::read(&home) {
            Ok(home) => self.inbox.push_back(CameIn::Home(ToldHome::AskedToMove(home))),
            Err(_) => self.undecodable += 1,
        }
    }

    /// An operator's action. Returns `{"done":…,"target":…}` or `{"refused":{"code","detail"}}`.
    #[update(name = "act")]
    pub async fn act(
        context: &mut WorkflowContext<Self>,
        action: RawValue,
    ) -> Result<TargetActionAnswer, Box<dyn std::error::Error + Send + Sync>> {
        let action: TargetAction = raw_json::read(&action)?;
        let number = context.state_mut(|entity| {
            entity.actions += 1;
            entity.inbox.push_back(CameIn::Action(entity.actions, action));
            entity.actions
        });
        context.wait_condition_with_options(move |entity| entity.answers.contains_key(&number), regardless()).await?;
        context.state_mut(|entity| match entity.answers.remove(&number) {
            Some(Ok(done)) => Ok(TargetActionAnswer::Taken { done, target: Box::new(entity.shown()) }),
            Some(Err(refused)) => Ok(TargetActionAnswer::Refused { refused }),
            None => Err("the answer to the action was taken before".into()),
        })
    }

    /// The target's whole state, as shown to users.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> TargetView {
        self.shown()
    }
}

impl TargetEntity {
    /// Receives a message. An unreadable message changes nothing except a count.
    fn told(&mut self, message: Result<(Input, Option<Home>), serde_json::Error>) {
        self.signals += 1;
        match message {
            Ok((input, home)) => {
                self.inbox.extend(home.map(|home| CameIn::Home(ToldHome::InPassing(home))));
                self.inbox.push_back(CameIn::Input(Box::new(input)));
            }
            Err(_) => self.undecodable += 1,
        }
    }

    fn shown(&self) -> TargetView {
        TargetView { undecodable_messages: self.undecodable, ..self.machine.view() }
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
    type Input = CameIn;
    type Effect = Effect;
    const WORKFLOW_TYPE: &'static str = names::TARGET_ENTITY;

    fn began_with(&self) -> u64 {
        self.began_with
    }

    fn was_reset() -> Option<CameIn> {
        Some(CameIn::Input(Box::new(Input::WasReset)))
    }

    fn inbox(&mut self) -> &mut VecDeque<CameIn> {
        &mut self.inbox
    }

    fn has_input(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn feed(&mut self, now: Timestamp, input: CameIn) {
        let effects = match input {
            CameIn::Input(input) => self.machine.step(now, *input),
            CameIn::Home(told) => {
                moving::tell(&mut self.residence, told);
                Vec::new()
            }
            CameIn::Action(number, action) => {
                let (answer, effects) = self.machine.act(now, &action);
                self.answers.insert(number, answer);
                effects
            }
        };
        self.effects.extend(effects);
    }

    fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn begin(
        context: &WorkflowContext<Self>,
        effect: Effect,
        interrupt: &WorkflowCancellationToken,
        _leaves: Leaves,
    ) -> Begun<CameIn> {
        let (context, interrupt) = (context.clone(), interrupt.clone());
        Begun::Call(Box::pin(async move {
            let target = context.state(|entity| entity.machine.name.clone());
            let options = activity_options::upkeep(&interrupt);
            let input = match effect {
                Effect::SetLimit { standing, .. } => {
                    let setting = LimitSetting { target, standing };
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
            Some(CameIn::Input(Box::new(input)))
        }))
    }

    fn due(&self, length: RunLength) -> ContinueAsNew {
        self.residence.judge(self.machine.rules.limits.continue_as_new(length))
    }

    fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    fn residence(&self) -> &Residence {
        &self.residence
    }

    fn carry(&self) -> Result<RawValue, serde_json::Error> {
        let start = json!({ "target": self.machine.name });
        start_argument::carry(&start, &self.residence, &self.machine)
    }

    fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    fn signals(&self) -> u32 {
        self.signals
    }

    fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.machine.wake_at(now)
    }

    fn woke() -> Option<CameIn> {
        Some(CameIn::Input(Box::new(Input::Woke)))
    }
}
