//! The SDK's replayer is not `Send` and shows machines to the witness of its thread, so it has a thread of its own.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use interlock_workflows::{
    ActionLogEntity, CustomerEntity, ResourceEntity, ResourceImport, ResourceImportPart, Sweep, TargetEntity,
    TenantEntity, Witness, witness_on_this_thread,
};
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayer, WorkflowReplayerOptions, WorkflowReplayerOptionsBuilder,
};
use thiserror::Error;
use tokio::sync::oneshot;

/// A witness of one replay, and what it saw.
pub trait Watch: Witness + 'static {
    /// What it saw.
    type Seen: Send + 'static;

    /// Watches the replay of this run.
    fn begin(run_id: String) -> Self;

    /// What it saw.
    fn take(&self) -> Self::Seen;
}

/// Why nothing can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("histories cannot be replayed: {0}")]
pub struct ReplayerEnded(String);

/// One history to replay.
struct Job<S> {
    run_id: String,
    events: Vec<HistoryEvent>,
    answer: oneshot::Sender<Replayed<S>>,
}

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed<S> {
    /// Why the history cannot be replayed, if it cannot.
    pub fault: Option<String>,
    /// What the machine showed until then.
    pub seen: S,
}

/// The thread that replays.
pub struct Replayer<W: Watch> {
    jobs: mpsc::SyncSender<Job<W::Seen>>,
    watch: PhantomData<fn() -> W>,
}

impl<W: Watch> Clone for Replayer<W> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), watch: PhantomData }
    }
}

impl<W: Watch> std::fmt::Debug for Replayer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replayer").finish_non_exhaustive()
    }
}

impl<W: Watch> Replayer<W> {
    /// Starts the thread. It ends with the last clone of this.
    ///
    /// # Errors
    /// [`ReplayerEnded`] if the thread cannot be started, or not replay anything.
    pub fn start() -> Result<Self, ReplayerEnded> {
        let (jobs, queue) = mpsc::sync_channel::<Job<W::Seen>>(1);
        let (started, is_started) = mpsc::channel();
        let spawned = thread::Builder::new().name("replay".to_owned()).spawn(move || {
            let prepared = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())
                .and_then(|runtime| Ok((runtime, replayer()?)));
            match prepared {
                Ok((runtime, replayer)) => {
                    let _unheard = started.send(Ok(()));
                    for Job { run_id, events, answer } in queue {
                        // Whoever asked may have gone.
                        let _unheard = answer.send(runtime.block_on(replay::<W>(&replayer, run_id, events)));
                    }
                }
                Err(error) => {
                    let _unheard = started.send(Err(error));
                }
            }
        });
        spawned.map_err(|error| ReplayerEnded(error.to_string()))?;
        match is_started.recv() {
            Ok(Ok(())) => Ok(Self { jobs, watch: PhantomData }),
            Ok(Err(error)) => Err(ReplayerEnded(error)),
            Err(error) => Err(ReplayerEnded(error.to_string())),
        }
    }

    /// Replays one history, which takes milliseconds.
    ///
    /// # Errors
    /// [`ReplayerEnded`] if the thread is gone. A history that cannot be replayed is no error, but a fault of the [`Replayed`].
    pub async fn replay(&self, run_id: String, events: Vec<HistoryEvent>) -> Result<Replayed<W::Seen>, ReplayerEnded> {
        let (answer, answered) = oneshot::channel();
        let job = Job { run_id, events, answer };
        let gone = || ReplayerEnded("its thread has ended".to_owned());
        // One job may wait.
        let jobs = self.jobs.clone();
        tokio::task::spawn_blocking(move || jobs.send(job)).await.map_err(|_| gone())?.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }
}

fn replayer() -> Result<WorkflowReplayer, String> {
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<CustomerEntity>()
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<TargetEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<TenantEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ActionLogEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<Sweep>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImport>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImportPart>)
        .map_err(|error| error.to_string())?;
    WorkflowReplayer::new(options.build()).map_err(|error| error.to_string())
}

/// Why the SDK's core (0.10.1) would panic at this history instead of replaying it, and its thread would never end.
fn incomplete(events: &[HistoryEvent]) -> Option<String> {
    let named = match events.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            !started.original_execution_run_id.is_empty()
                && started.task_queue.is_some()
                && started.workflow_type.is_some()
        }
        _ => false,
    };
    if !named {
        return Some("it does not begin with a start event that names its run, its type and its queue".to_owned());
    }
    let gap = (1..).zip(events).find(|(id, event)| event.event_id != *id);
    gap.map(|(id, _)| format!("the event {id} is missing"))
}

async fn replay<W: Watch>(replayer: &WorkflowReplayer, run_id: String, events: Vec<HistoryEvent>) -> Replayed<W::Seen> {
    let witness = Rc::new(W::begin(run_id));
    if let Some(fault) = incomplete(&events) {
        return Replayed { fault: Some(fault), seen: witness.take() };
    }
    witness_on_this_thread(Some(witness.clone()));
    let replayed = replayer.replay_workflow(WorkflowHistory::from(History { events })).await;
    witness_on_this_thread(None);
    let fault = replayed.err().map(|error| match error {
        WorkflowReplayError::Replay(failure) => failure.to_string(),
        error => error.to_string(),
    });
    Replayed { fault, seen: witness.take() }
}
