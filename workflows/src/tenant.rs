//! The workflow of one tenant: a shell around [`Tenant`]. It contains no secrets: a tenant's settings stay in the settings of the
//! processes.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::collections::{BTreeMap, VecDeque};

use interlock_domain::customer::Refusal;
use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::limits::{ContinueAsNew, EntityLimits, RunLength};
use interlock_domain::routing::{Residence, tenant_of_workflow};
use interlock_domain::tenant::{Effect, Input, StepFault, Tenant, TenantAction, TenantActionDone, TenantView};
use interlock_domain::views::TenantActionAnswer;
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::definitions::{TenantStep, TenantStepAnswer, TenantUpkeep};
use crate::life::{Begun, Entity, Leaves, live, next_run, regardless};
use crate::moving::{self, ToldHome};
use crate::start_argument::{self, StartArgument};
use crate::{activity_options, identity, names, raw_json, search_attributes};

/// The workflow `TenantEntity`: one tenant, from the first action on it.
#[workflow]
pub struct TenantEntity {
    /// The random seed with which the run's history began.
    began_with: u64,
    machine: Tenant,
    start: StartArgument,
    /// Inputs that the handlers received and the main routine has not processed yet.
    inbox: VecDeque<CameIn>,
    /// Effects that the machine wants and that have not started yet.
    effects: Vec<Effect>,
    /// The number of actions received in this run.
    actions: u64,
    /// The number of signals received in this run.
    signals: u32,
    /// Answers to actions that their handlers have not returned yet.
    answers: BTreeMap<u64, Result<TenantActionDone, Refusal>>,
    /// What it was told about the task queue that it must be on.
    residence: Residence,
    /// Why the machine cannot continue, if its state cannot be read.
    unreadable: Option<String>,
}

/// An input.
pub(crate) enum CameIn {
    /// An input for the machine, unchanged.
    Input(Input),
    /// An operator's action. Its answer is kept under this number.
    Action(u64, TenantAction),
    /// The queue that the entity must move to.
    Home(ToldHome),
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl TenantEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let name = named(view.workflow_id());
        let continued = view.continued_from_run_id().is_some();
        let start = StartArgument { tenant_id: name.to_string(), entity_id: name.to_string() };
        let (machine, unreadable) = start_argument::machine(continued, &argument, || Tenant::new(name, began));
        let mut entity = Self {
            began_with: view.raw().randomness_seed,
            machine,
            start,
            inbox: VecDeque::new(),
            effects: Vec::new(),
            actions: 0,
            signals: 0,
            answers: BTreeMap::new(),
            residence: start_argument::residence(&argument),
            unreadable,
        };
        if continued {
            entity.effects = entity.machine.step(began, Input::Resumed);
        }
        entity
    }

    /// Performs what the machine wants, until the run has become long.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        live(context).await;
        let (argument, options) = next_run(context).await;
        context.continue_as_new(argument, options).map(|never| match never {})
    }

    /// A [`Home`](interlock_domain::routing::Home): the entity must move there as soon as nothing is in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, home: RawValue) {
        self.signals += 1;
        // Only `bootstrap` sends it. If it cannot be read, it changes nothing and is sent again.
        if let Ok(home) = raw_json::read(&home) {
            self.inbox.push_back(CameIn::Home(ToldHome::AskedToMove(home)));
        }
    }

    /// An operator's action. Returns `{"done":…,"tenant":…}` or `{"refused":{"code","detail"}}`.
    #[update(name = "act")]
    pub async fn act(
        context: &mut WorkflowContext<Self>,
        action: RawValue,
    ) -> Result<TenantActionAnswer, Box<dyn std::error::Error + Send + Sync>> {
        let action: TenantAction = raw_json::read(&action)?;
        let number = context.state_mut(|entity| {
            entity.actions += 1;
            entity.inbox.push_back(CameIn::Action(entity.actions, action));
            entity.actions
        });
        context.wait_condition_with_options(move |entity| entity.answers.contains_key(&number), regardless()).await?;
        context.state_mut(|entity| match entity.answers.remove(&number) {
            Some(Ok(done)) => Ok(TenantActionAnswer::Taken { done, tenant: Box::new(entity.machine.view()) }),
            Some(Err(refused)) => Ok(TenantActionAnswer::Refused { refused }),
            None => Err("the answer to the action was taken before".into()),
        })
    }

    /// The tenant's whole state, as shown to users.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> TenantView {
        self.machine.view()
    }
}

/// The tenant of a workflow. If the workflow id names no tenant, a placeholder that no tenant has.
fn named(workflow_id: &str) -> TenantId {
    let none = || "none".parse().expect("a constant that is an id");
    tenant_of_workflow(workflow_id).unwrap_or_else(none)
}

impl Entity for TenantEntity {
    type Input = CameIn;
    type Effect = Effect;
    const WORKFLOW_TYPE: &'static str = names::TENANT_ENTITY;

    fn began_with(&self) -> u64 {
        self.began_with
    }

    fn inbox(&mut self) -> &mut VecDeque<CameIn> {
        &mut self.inbox
    }

    fn has_input(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn feed(&mut self, now: Timestamp, input: CameIn) {
        let effects = match input {
            CameIn::Input(input) => self.machine.step(now, input),
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
        let step = match effect {
            Effect::Show { closed } => {
                search_attributes::show_tenant(context, closed);
                return Begun::Done;
            }
            Effect::Prepare(step) => Some(step),
            Effect::Count => None,
        };
        let (context, interrupt) = (context.clone(), interrupt.clone());
        Begun::Call(Box::pin(async move {
            let (tenant, outlook) =
                context.state(|entity| (entity.machine.name.clone(), entity.machine.outlook.clone()));
            let options = activity_options::upkeep(&interrupt);
            let wanted = TenantStep { tenant, step, outlook };
            let asked = context.execute_activity(TenantUpkeep::tenant_step, wanted, options);
            let answer = match asked.await {
                Ok(answer) => answer,
                Err(_) if interrupt.is_cancelled() => return None,
                Err(failure) => TenantStepAnswer::Failed { fault: StepFault::strange(failure.to_string()) },
            };
            Some(CameIn::Input(match (step, answer) {
                (Some(step), TenantStepAnswer::Done { detail }) => Input::Prepared(step, Ok(detail)),
                (Some(step), TenantStepAnswer::Failed { fault }) => Input::Prepared(step, Err(fault)),
                (Some(step), TenantStepAnswer::Counted { .. }) => Input::Prepared(step, Ok(String::new())),
                (None, TenantStepAnswer::Counted { customers }) => Input::Counted(Ok(customers)),
                (None, TenantStepAnswer::Failed { fault }) => Input::Counted(Err(fault)),
                (None, TenantStepAnswer::Done { detail }) => Input::Counted(Err(StepFault::strange(detail))),
            }))
        }))
    }

    fn due(&self, length: RunLength) -> ContinueAsNew {
        self.residence.judge(EntityLimits::default().continue_as_new(length))
    }

    fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    fn residence(&self) -> &Residence {
        &self.residence
    }

    fn carry(&self) -> Result<RawValue, serde_json::Error> {
        start_argument::carry(&self.start, &self.residence, &self.machine)
    }

    fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    fn signals(&self) -> u32 {
        self.signals
    }

    fn wake_at(&self, _now: Timestamp) -> Option<Timestamp> {
        self.machine.wake_at()
    }

    fn woke() -> Option<CameIn> {
        Some(CameIn::Input(Input::Woke))
    }
}
