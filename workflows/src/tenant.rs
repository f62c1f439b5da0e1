//! The workflow of one tenant: a shell around [`Tenant`]. It contains no secrets: a tenant's settings stay in the settings of the
//! processes.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use interlock_domain::customer::Refusal;
use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::limits::{ContinueAsNew, EntityLimits, RunLength};
use interlock_domain::routing::tenant_of_workflow;
use interlock_domain::tenant::{Effect, Input, StepFault, Tenant, TenantAction, TenantActionDone, TenantView};
use interlock_domain::views::TenantActionAnswer;
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::definitions::{TenantStep, TenantStepAnswer, TenantUpkeep};
use crate::life::{live, next_run};
use crate::shell::{self, Entity, HandlerError, Leaves, Shell, Started, answered};
use crate::start_argument::{self, StartArgument};
use crate::{activity_options, identity, names, raw_json, search_attributes};

/// The workflow `TenantEntity`: one tenant, from the first action on it.
#[workflow]
pub struct TenantEntity {
    shell: Shell<Self>,
    start: StartArgument,
}

/// An input.
pub(crate) enum Incoming {
    /// An input for the machine, unchanged.
    Input(Input),
    /// An operator's action. Its answer is kept under this number.
    Action(u64, TenantAction),
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl TenantEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let began = identity::start_time(view);
        let name = named(view.workflow_id());
        let start = StartArgument { tenant_id: name.to_string(), entity_id: name.to_string() };
        let mut entity = Self { shell: Shell::new(view, &argument, || Tenant::new(name, began)), start };
        if shell::is_continued(view) {
            entity.shell.effects = entity.shell.machine.step(began, Input::Resumed);
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

    /// A [`QueueAssignment`](interlock_domain::routing::QueueAssignment): the entity must move there as soon as nothing is in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, queue_assignment: RawValue) {
        // Only `bootstrap` sends it. If it cannot be read, it changes nothing and is sent again.
        let _ignored = self.shell.asked_to_move(&queue_assignment);
    }

    /// An operator's action. Returns `{"done":…,"tenant":…}` or `{"refused":{"code","detail"}}`.
    #[update(name = "act")]
    pub async fn act(
        context: &mut WorkflowContext<Self>,
        action: RawValue,
    ) -> Result<TenantActionAnswer, HandlerError> {
        let action: TenantAction = raw_json::read(&action)?;
        Ok(match answered(context, |number| Incoming::Action(number, action)).await? {
            Ok(done) => {
                let tenant = Box::new(context.state(|entity| entity.shell.machine.view()));
                TenantActionAnswer::Taken { done, tenant }
            }
            Err(refused) => TenantActionAnswer::Refused { refused },
        })
    }

    /// The tenant's whole state, as shown to users.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> TenantView {
        self.shell.machine.view()
    }
}

/// The tenant of a workflow. If the workflow id names no tenant, a placeholder that no tenant has.
fn named(workflow_id: &str) -> TenantId {
    let none = || "none".parse().expect("a constant that is an id");
    tenant_of_workflow(workflow_id).unwrap_or_else(none)
}

impl Entity for TenantEntity {
    type Machine = Tenant;
    type Incoming = Incoming;
    type Effect = Effect;
    type Answer = Result<TenantActionDone, Refusal>;
    const WORKFLOW_TYPE: &'static str = names::TENANT_ENTITY;

    fn shell(&self) -> &Shell<Self> {
        &self.shell
    }

    fn shell_mut(&mut self) -> &mut Shell<Self> {
        &mut self.shell
    }

    fn feed(&mut self, now: Timestamp, incoming: Incoming) -> Vec<Effect> {
        match incoming {
            Incoming::Input(input) => self.shell.machine.step(now, input),
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
        let step = match effect {
            Effect::Show { refuses_events } => {
                search_attributes::show_tenant(context, refuses_events);
                return Started::Done;
            }
            Effect::ShowSubscriptions(subscriptions) => {
                search_attributes::show_subscriptions(context, subscriptions);
                return Started::Done;
            }
            Effect::Prepare(step) => Some(step),
            Effect::Count => None,
        };
        let (context, interrupt) = (context.clone(), interrupt.clone());
        Started::Call(Box::pin(async move {
            let (tenant, outlook) =
                context.state(|entity| (entity.shell.machine.name().clone(), entity.shell.machine.outlook().cloned()));
            let options = activity_options::upkeep(&interrupt);
            let wanted = TenantStep { tenant, step, outlook };
            let asked = context.execute_activity(TenantUpkeep::tenant_step, wanted, options);
            let answer = match asked.await {
                Ok(answer) => answer,
                Err(_) if interrupt.is_cancelled() => return None,
                Err(failure) => TenantStepAnswer::Failed { fault: StepFault::strange(failure.to_string()) },
            };
            Some(Incoming::Input(match (step, answer) {
                (Some(step), TenantStepAnswer::Done { detail }) => Input::Prepared(step, Ok(detail)),
                (Some(step), TenantStepAnswer::Failed { fault }) => Input::Prepared(step, Err(fault)),
                (Some(step), TenantStepAnswer::Counted { .. }) => Input::Prepared(step, Ok(String::new())),
                (None, TenantStepAnswer::Counted { customers }) => Input::Counted(Ok(customers)),
                (None, TenantStepAnswer::Failed { fault }) => Input::Counted(Err(fault)),
                (None, TenantStepAnswer::Done { detail }) => Input::Counted(Err(StepFault::strange(detail))),
            }))
        }))
    }

    fn ends_after(&self, length: RunLength) -> ContinueAsNew {
        EntityLimits::default().continue_as_new(length)
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
