//! The workflows of an import of leases. One receives the parts of a list and starts a child for each of them. Its workflow id is
//! derived from the list's digest, so that sending the same list again continues the import.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

mod lines;

use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::import::{Effect, ImportPart, ImportProgress, ImportTally, PartReport};
use interlock_domain::limits::{ContinueAsNew, RunLength};
use serde::Deserialize;
use serde_json::{Value, json};
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ChildWorkflowOptions, SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult,
};

use crate::definitions::{Importing, PartInput};
use crate::life::{live, next_run};
use crate::shell::{self, Entity, HandlerError, Leaves, Shell, Started, answered};
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
    shell: Shell<Self>,
    start: StartArgument,
}

/// An input.
pub(crate) enum Incoming {
    /// A client that asks for the progress, and how long to wait for the list; the answer is kept under this number.
    Asked(u64, Option<u64>),
    /// A part. Its answer is kept under this number.
    Part(u64, Box<ImportPart>),
    /// The list is complete, with this many parts. The answer is kept under this number.
    Complete(u64, u64),
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
        let mut shell = Shell::new(view, &argument, blank);
        let nameless = || tenant.is_none().then(|| "the start argument does not name a tenant".to_owned());
        shell.unreadable = shell.unreadable.take().or_else(nameless);
        let nobody = || StartArgument { tenant_id: String::new(), entity_id: String::new() };
        let mut import = Self { shell, start: start.unwrap_or_else(nobody) };
        if shell::is_continued(view) {
            import.shell.effects = import.shell.machine.resumed();
        }
        import
    }

    /// Imports the parts that arrive, until the list is complete, or until no client has brought the rest for too long.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<ImportTally> {
        live(context).await;
        if context.state(|import| import.shell.machine.is_done() || import.shell.machine.is_abandoned()) {
            return Ok(context.state(|import| import.shell.machine.tally()));
        }
        let (argument, options) = next_run(context).await;
        context.continue_as_new(argument, options).map(|never| match never {})
    }

    /// A [`QueueAssignment`](interlock_domain::routing::QueueAssignment): it must move there as soon as nothing is in flight.
    #[signal(name = "move_to")]
    pub fn move_to(&mut self, _context: &mut SyncWorkflowContext<Self>, queue_assignment: RawValue) {
        // Only `bootstrap` sends it. If it cannot be read, it changes nothing and is sent again.
        let _ignored = self.shell.asked_to_move(&queue_assignment);
    }

    /// A client brings the list: `{"gives_up_after_ms":N}`. Returns the progress of the import.
    #[update(name = "begin")]
    pub async fn begin_again(context: &mut WorkflowContext<Self>, argument: RawValue) -> Result<Value, HandlerError> {
        // If the argument cannot be read, it waits without limit, as earlier builds did.
        let Begins { gives_up_after_ms } = raw_json::read(&argument).unwrap_or_default();
        answered(context, |number| Incoming::Asked(number, gives_up_after_ms)).await
    }

    /// A part of the list. Returns a [`PartAnswer`](interlock_domain::import::PartAnswer).
    #[update(name = "part")]
    pub async fn part(context: &mut WorkflowContext<Self>, part: RawValue) -> Result<Value, HandlerError> {
        let part: ImportPart = raw_json::read(&part)?;
        answered(context, |number| Incoming::Part(number, Box::new(part))).await
    }

    /// The list is complete: `{"parts":N}`. Returns the progress of the import.
    #[update(name = "complete")]
    pub async fn complete(context: &mut WorkflowContext<Self>, argument: RawValue) -> Result<Value, HandlerError> {
        let Completed { parts } = raw_json::read(&argument)?;
        answered(context, |number| Incoming::Complete(number, parts)).await
    }

    /// The progress of the import.
    #[query(name = "state")]
    pub fn state(&self, _view: &WorkflowContextView, _argument: RawValue) -> Value {
        self.shown()
    }
}

impl ResourceImport {
    fn shown(&self) -> Value {
        json!(self.shell.machine.view())
    }
}

impl Entity for ResourceImport {
    type Machine = ImportProgress;
    type Incoming = Incoming;
    type Effect = Effect;
    type Answer = Value;
    const WORKFLOW_TYPE: &'static str = names::RESOURCE_IMPORT;

    fn shell(&self) -> &Shell<Self> {
        &self.shell
    }

    fn shell_mut(&mut self) -> &mut Shell<Self> {
        &mut self.shell
    }

    fn feed(&mut self, now: Timestamp, incoming: Incoming) -> Vec<Effect> {
        match incoming {
            Incoming::Asked(_, gives_up_after_ms) => self.shell.machine.heard(now, gives_up_after_ms),
            Incoming::Part(..) | Incoming::Complete(..) => self.shell.machine.heard(now, None),
            Incoming::Ended(..) | Incoming::Woke => {}
        }
        match incoming {
            Incoming::Woke => {
                self.shell.machine.woke(now);
                Vec::new()
            }
            Incoming::Asked(number, _) => {
                self.shell.answer(number, self.shown());
                Vec::new()
            }
            Incoming::Part(number, part) => {
                let (answer, effects) = self.shell.machine.part(*part);
                self.shell.answer(number, json!(answer));
                effects
            }
            Incoming::Complete(number, parts) => {
                self.shell.machine.complete(parts);
                self.shell.answer(number, self.shown());
                Vec::new()
            }
            Incoming::Ended(number, tally) => self.shell.machine.ended(number, tally),
        }
    }

    fn begin(
        context: &WorkflowContext<Self>,
        effect: Effect,
        _interrupt: &WorkflowCancellationToken,
        _leaves: Leaves,
    ) -> Started<Incoming> {
        let context = context.clone();
        let Effect::Begin(part) = effect;
        Started::Call(Box::pin(async move {
            let number = part.number;
            let (tenant, began_at) =
                context.state(|import| (import.shell.machine.tenant().clone(), import.shell.machine.began_at()));
            let options = ChildWorkflowOptions::workflow_id(part_workflow_id(context.workflow_id(), began_at, number));
            let Ok(input) = raw_json::write(&PartInput { tenant, part }) else {
                return Some(Incoming::Ended(number, None));
            };
            let tally = match context.start_child_workflow(ResourceImportPart::run, input, options).await {
                Ok(child) => child.result().await.ok().map(|report| report.tally),
                Err(_) => None,
            };
            Some(Incoming::Ended(number, tally))
        }))
    }

    /// A run ends only between parts: a part in progress is never cancelled.
    fn ends_after(&self, _length: RunLength) -> ContinueAsNew {
        if self.shell.machine.run_is_over() { ContinueAsNew::WhenIdle } else { ContinueAsNew::No }
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
        Some(Incoming::Woke)
    }
}
