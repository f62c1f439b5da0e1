//! Replays histories through the entities' workflows, with the SDK's own replayer.
//!
//! The replayer is not `Send` and shows machines to the witness of its thread, so it has a thread of its own.

use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use interlock_workflows::{
    CustomerEntity, ResourceEntity, ResourceImport, ResourceImportPart, Sweep, TargetEntity, TenantEntity,
    witness_on_this_thread,
};
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayer, WorkflowReplayerOptions, WorkflowReplayerOptionsBuilder,
};
use tokio::sync::oneshot;

use crate::error::AuditError;
use crate::facts::{Seen, Witnessed};

/// One history to replay.
struct Job {
    run_id: String,
    events: Vec<HistoryEvent>,
    answer: oneshot::Sender<Replayed>,
}

/// What came of a replay.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// Why the history cannot be replayed, if it cannot.
    pub(crate) fault: Option<String>,
    /// What the machine showed until then.
    pub(crate) seen: Seen,
}

/// The thread that replays.
#[derive(Debug, Clone)]
pub(crate) struct Replayer {
    jobs: mpsc::SyncSender<Job>,
}

impl Replayer {
    /// Starts the thread. It ends with the last clone of this.
    pub(crate) fn start() -> Result<Self, AuditError> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(1);
        let (started, is_started) = mpsc::channel();
        let spawned = thread::Builder::new().name("audit-replay".to_owned()).spawn(move || {
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
                        let _unheard = answer.send(runtime.block_on(replay(&replayer, run_id, events)));
                    }
                }
                Err(error) => {
                    let _unheard = started.send(Err(error));
                }
            }
        });
        spawned.map_err(|error| AuditError::Replayer(error.to_string()))?;
        match is_started.recv() {
            Ok(Ok(())) => Ok(Self { jobs }),
            Ok(Err(error)) => Err(AuditError::Replayer(error)),
            Err(error) => Err(AuditError::Replayer(error.to_string())),
        }
    }

    /// Replays one history.
    pub(crate) async fn replay(&self, run_id: String, events: Vec<HistoryEvent>) -> Result<Replayed, AuditError> {
        let (answer, answered) = oneshot::channel();
        let job = Job { run_id, events, answer };
        let gone = || AuditError::Replayer("its thread has ended".to_owned());
        // One job may wait; the replay itself takes milliseconds.
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
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<Sweep>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImport>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImportPart>)
        .map_err(|error| error.to_string())?;
    WorkflowReplayer::new(options.build()).map_err(|error| error.to_string())
}

async fn replay(replayer: &WorkflowReplayer, run_id: String, events: Vec<HistoryEvent>) -> Replayed {
    let witness = Rc::new(Witnessed::new(run_id));
    witness_on_this_thread(Some(witness.clone()));
    let replayed = replayer.replay_workflow(WorkflowHistory::from(History { events })).await;
    witness_on_this_thread(None);
    let fault = replayed.err().map(|error| match error {
        WorkflowReplayError::Replay(failure) => failure.to_string(),
        error => error.to_string(),
    });
    Replayed { fault, seen: witness.take() }
}
