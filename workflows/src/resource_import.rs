//! The workflows of an import of leases. One receives the parts of a list and starts a child for each of them. Its workflow id is
//! derived from the list's digest, so that sending the same list again continues the import.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

mod lines;

use std::collections::{BTreeMap, VecDeque};

use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::import::{Effect, ImportPart, ImportProgress, ImportTally, PartReport};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::routing::Residence;
use serde::Deserialize;
use serde_json::{Value, json};
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ChildWorkflowOptions, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult,
};

use crate::definitions::{Importing, PartInput};
use crate::life::{Begun, Entity, Leaves, live, next_run, regardless};
use crate::moving::{self, ToldHome};
use crate::start_argument::{self, StartArgument};
use crate::{activity_options, identity, names, raw_json};

pub use lines::{LinesUnreadable, pack, unpack};

/// The id of the workflow that imports a part of an import that began then.
pub fn part_workflow_id(import_workflow_id: &str, began_at: Timestamp, number: u64) -> String {
    format!("{import_workflow_id}/{}/{number}", began_at.0)
}

/// The workflow `ResourceImportPart`. It returns a [`PartReport`].
#[workflow]
pub struct ResourceImportPart {
    argument: RawValue,
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl ResourceImportPart {
    #[init]
    pub fn new(_view: &WorkflowContextView, argument: RawValue) -> Self {
        Self { argument }
    }

    /// Writes the part to the ledger. It retries until this has succeeded.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<PartReport> {
        let input: PartInput = match context.state(|part| raw_json::read(&part.argument)) {
            Ok(input) => input,
            Err(fault) => {
                context.force_task_fail(format!("the part cannot be read: {fault}"));
                std::future::pending().await
            }
        };
        Ok(context.execute_activity(Importing::import_part, input, activity_options::importing()).await?)
    }
}

/// The workflow `ResourceImport`. It returns an [`ImportTally`] when every line of its list is imported, or when no client has brought
/// the rest for too long.
#[workflow]
pub struct ResourceImport {
    /// The random seed with which the run's history began.
    began_with: u64,
    machine: ImportProgress,
    start: StartArgument,
    /// Inputs that the handlers received and the main routine has not processed yet.
    inbox: VecDeque<CameIn>,
    /// Effects that the machine wants and that have not started yet.
    effects: Vec<Effect>,
    /// The number of updates received in this run.
    updates: u64,
    /// Answers to updates that their handlers have not returned yet.
    answers: BTreeMap<u64, Value>,
    /// The number of signals received in this run.
    signals: u32,
    /// What it was told about the task queue that it must be on.
    residence: Residence,
    /// Why the machine cannot continue, if its state cannot be read.
    unreadable: Option<String>,
}

/// An input.
pub(crate) enum CameIn {
    /// A client that asks for the progress, and how long to wait for the list; the answer is kept under this number.
    Asked(u64, Option<u64>),
    /// A part. Its answer is kept under this number.
    Part(u64, Box<ImportPart>),
    /// The list is complete, with this many parts. The answer is kept under this number.
    Complete(u64, u64),
    /// The queue that it must move to.
    Home(ToldHome),
    /// A part is over. `None` if it ended before it was done.
    Ended(u64, Option<ImportTally>),
    /// It is time to check whether a client still brings the rest of the list.
    Woke,
}

/// The argument of the update `begin`.
#[derive(Default, Deserialize)]
struct Begins {
    /// How long to wait for the rest of the list, in milliseconds. For ever if it is missing, as with earlier builds.
    #[serde(default)]
    gives_up_after_ms: Option<u64>,
}

/// The argument of the update `complete`.
#[derive(Deserialize)]
struct Completed {
    parts: u64,
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl ResourceImport {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let start = StartArgument::read(&argument);
        let tenant = start.as_ref().and_then(|start| start.tenant_id.parse::<TenantId>().ok());
        let blank = || ImportProgress::new(tenant.clone().unwrap_or_default(), identity::start_time(view));
        let continued = view.continued_from_run_id().is_some();
        let (machine, unreadable) = start_argument::machine(continued, &argument, blank);
        let nameless = || tenant.is_none().then(|| "the start argument does not name a tenant".to_owned());
        let unreadable = unreadable.or_else(nameless);
        let nobody = || StartArgument { tenant_id: String::new(), entity_id: String::new() };
        let mut import = Self {
            began_with: view.raw().randomness_seed,
            machine,
            start: start.unwrap_or_else(nobody),
            inbox: VecDeque::new(),
            effects: Vec::new(),
            updates: 0,
            answers: BTreeMap::new(),
            signals: 0,
            residence: start_argument::residence(&argument),
            unreadable,
        };
        if continued {
            import.effects = import.machine.resumed();
        }
        import
    }

    /// Imports the parts that arrive, until the list is complete, or until no client has brought the rest for too long.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<ImportTally> {
        live(context).await;
        if context.state(|import| import.machine.is_done() || import.machine.is_abandoned()) {
            return Ok(context.state(|import| import.machine.tally));
        }
        let (argument, options) = next_run(context).await;
        context.continue_as_new(argument, options).map(|never| match never {})
    }

    /// A [`Home`](interlock_domain::routing::Home): it must move there as soon as nothing is in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, home: RawValue) {
        self.signals += 1;
        // Only `bootstrap` sends it. If it cannot be read, it changes nothing and is sent again.
        if let Ok(home) = raw_json::read(&home) {
            self.inbox.push_back(CameIn::Home(ToldHome::AskedToMove(home)));
        }
    }

    /// A client brings the list: `{"gives_up_after_ms":N}`. Returns the progress of the import.
    #[update(name = "begin")]
    pub async fn begin_again(
        context: &mut WorkflowContext<Self>,
        argument: RawValue,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        // If the argument cannot be read, it waits without limit, as earlier builds did.
        let Begins { gives_up_after_ms } = raw_json::read(&argument).unwrap_or_default();
        Self::answered(context, |number| CameIn::Asked(number, gives_up_after_ms)).await
    }

    /// A part of the list. Returns a [`PartAnswer`](interlock_domain::import::PartAnswer).
    #[update(name = "part")]
    pub async fn part(
        context: &mut WorkflowContext<Self>,
        part: RawValue,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let part: ImportPart = raw_json::read(&part)?;
        Self::answered(context, |number| CameIn::Part(number, Box::new(part))).await
    }

    /// The list is complete: `{"parts":N}`. Returns the progress of the import.
    #[update(name = "complete")]
    pub async fn complete(
        context: &mut WorkflowContext<Self>,
        argument: RawValue,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let Completed { parts } = raw_json::read(&argument)?;
        Self::answered(context, |number| CameIn::Complete(number, parts)).await
    }

    /// The progress of the import.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> Value {
        self.shown()
    }
}

impl ResourceImport {
    async fn answered(
        context: &mut WorkflowContext<Self>,
        came_in: impl FnOnce(u64) -> CameIn,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let number = context.state_mut(|import| {
            import.updates += 1;
            import.inbox.push_back(came_in(import.updates));
            import.updates
        });
        context.wait_condition_with_options(move |import| import.answers.contains_key(&number), regardless()).await?;
        let answer = context.state_mut(|import| import.answers.remove(&number));
        Ok(answer.ok_or("the answer was given before")?)
    }

    fn shown(&self) -> Value {
        let machine = &self.machine;
        json!({
            "began_at": machine.began_at, "received": machine.received, "failed": machine.failed, "open": machine.open,
            "waiting": machine.waiting.as_ref().map(|part| part.number), "tally": machine.tally, "parts": machine.parts, "done": machine.is_done(),
            "abandoned": machine.is_abandoned(),
        })
    }
}

impl Entity for ResourceImport {
    type Input = CameIn;
    type Effect = Effect;
    const WORKFLOW_TYPE: &'static str = names::RESOURCE_IMPORT;

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
        match input {
            CameIn::Asked(_, gives_up_after_ms) => self.machine.heard(now, gives_up_after_ms),
            CameIn::Part(..) | CameIn::Complete(..) => self.machine.heard(now, None),
            CameIn::Home(_) | CameIn::Ended(..) | CameIn::Woke => {}
        }
        let effects = match input {
            CameIn::Woke => {
                self.machine.woke(now);
                Vec::new()
            }
            CameIn::Asked(number, _) => {
                self.answers.insert(number, self.shown());
                Vec::new()
            }
            CameIn::Part(number, part) => {
                let (answer, effects) = self.machine.part(*part);
                self.answers.insert(number, json!(answer));
                effects
            }
            CameIn::Complete(number, parts) => {
                self.machine.complete(parts);
                self.answers.insert(number, self.shown());
                Vec::new()
            }
            CameIn::Home(told) => {
                moving::tell(&mut self.residence, told);
                Vec::new()
            }
            CameIn::Ended(number, tally) => self.machine.ended(number, tally),
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
        _interrupt: &WorkflowCancellationToken,
        _leaves: Leaves,
    ) -> Begun<CameIn> {
        let context = context.clone();
        let Effect::Begin(part) = effect;
        Begun::Call(Box::pin(async move {
            let number = part.number;
            let (tenant, began_at) = context.state(|import| (import.machine.tenant.clone(), import.machine.began_at));
            let options = ChildWorkflowOptions::workflow_id(part_workflow_id(context.workflow_id(), began_at, number));
            let Ok(input) = raw_json::write(&PartInput { tenant, part }) else {
                return Some(CameIn::Ended(number, None));
            };
            let tally = match context.start_child_workflow(ResourceImportPart::run, input, options).await {
                Ok(child) => child.result().await.ok().map(|report| report.tally),
                Err(_) => None,
            };
            Some(CameIn::Ended(number, tally))
        }))
    }

    /// A run ends only between parts: a part in progress is never cancelled.
    fn due(&self, _length: RunLength) -> ContinueAsNew {
        let by_length = if self.machine.run_is_over() { ContinueAsNew::WhenIdle } else { ContinueAsNew::No };
        self.residence.judge(by_length)
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
        Some(CameIn::Woke)
    }
}
