//! The workflow of a log of persons' actions: a shell around [`ActionLog`]. It runs no activities.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use interlock_domain::action_log::{ActionFilter, ActionList, ActionLog, ActionNote, LogAnswer, LogRequest};
use interlock_domain::ids::Timestamp;
use interlock_domain::limits::{ContinueAsNew, EntityLimits, RunLength};
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::life::{live, next_run};
use crate::shell::{Entity, HandlerError, Leaves, Shell, Started, answered};
use crate::start_argument::{self, StartArgument};
use crate::{names, raw_json};

/// The workflow `ActionLogEntity`: the persons' actions of a tenant, or those on targets, from the first one on.
#[workflow]
pub struct ActionLogEntity {
    shell: Shell<Self>,
    start: StartArgument,
}

/// An input.
pub(crate) enum Incoming {
    /// A note.
    Note(ActionNote),
    /// Somebody proposes or confirms an action. The answer is kept under this number.
    Request(u64, LogRequest),
}

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl ActionLogEntity {
    /// Runs before every handler.
    #[init]
    pub fn new(view: &WorkflowContextView, argument: RawValue) -> Self {
        let nobody = || StartArgument { tenant_id: String::new(), entity_id: String::new() };
        let start = StartArgument::read(&argument).unwrap_or_else(nobody);
        Self { shell: Shell::new(view, &argument, ActionLog::default), start }
    }

    /// Takes notes, until the run has become long.
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

    /// An [`ActionNote`]: somebody acts, or has learnt what became of it. One that cannot be read is left out.
    #[signal(name = "note")]
    pub fn note(&mut self, _context: &mut SyncWorkflowContext<Self>, note: RawValue) {
        self.shell.signalled();
        if let Ok(note) = raw_json::read(&note) {
            self.shell.take(Incoming::Note(note));
        }
    }

    /// A [`LogRequest`]: somebody proposes an action that needs a second person, or confirms one.
    #[update(name = "act")]
    pub async fn act(context: &mut WorkflowContext<Self>, request: RawValue) -> Result<LogAnswer, HandlerError> {
        let request: LogRequest = raw_json::read(&request)?;
        answered(context, |number| Incoming::Request(number, request)).await
    }

    /// The actions that an [`ActionFilter`] selects, newest first.
    #[query(name = "actions")]
    pub fn actions(&self, _view: &WorkflowContextView, filter: RawValue) -> ActionList {
        // A filter of another build that cannot be read selects everything.
        let filter: ActionFilter = raw_json::read(&filter).unwrap_or_default();
        self.shell.machine.view(&filter)
    }
}

impl Entity for ActionLogEntity {
    type Machine = ActionLog;
    type Incoming = Incoming;
    type Effect = ();
    type Answer = LogAnswer;
    const WORKFLOW_TYPE: &'static str = names::ACTION_LOG;

    fn shell(&self) -> &Shell<Self> {
        &self.shell
    }

    fn shell_mut(&mut self) -> &mut Shell<Self> {
        &mut self.shell
    }

    fn feed(&mut self, now: Timestamp, incoming: Incoming) -> Vec<()> {
        match incoming {
            Incoming::Note(note) => self.shell.machine.note(now, note),
            Incoming::Request(number, request) => {
                let answer = self.shell.machine.act(now, request);
                self.shell.answer(number, answer);
            }
        }
        Vec::new()
    }

    fn begin(
        _context: &WorkflowContext<Self>,
        (): (),
        _interrupt: &WorkflowCancellationToken,
        _leaves: Leaves,
    ) -> Started<Incoming> {
        Started::Done
    }

    fn ends_after(&self, length: RunLength) -> ContinueAsNew {
        EntityLimits::default().continue_as_new(length)
    }

    fn carry(&self) -> Result<RawValue, serde_json::Error> {
        start_argument::carry(&self.start, &self.shell.queue_move, &self.shell.machine)
    }

    fn is_idle(&self) -> bool {
        true
    }
}
