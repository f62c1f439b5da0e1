//! Replays the histories of real runs with the workflows of this build.

use temporalio_common::WorkflowDefinition;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use temporalio_sdk::workflows::WorkflowImplementation;

/// Replays these histories of one workflow.
///
/// # Panics
/// If one of them cannot be replayed.
pub async fn replays<W>(histories: Vec<Vec<HistoryEvent>>)
where
    W: WorkflowImplementation,
    <W::Run as WorkflowDefinition>::Input: Send,
{
    assert!(!histories.is_empty(), "nothing to replay");
    let options = WorkflowReplayerOptions::new().register_workflow::<W>().unwrap().build();
    let replayer = WorkflowReplayer::new(options).unwrap();
    let results =
        replayer.replay_workflows(histories.into_iter().map(|events| History { events }.into())).await.unwrap();
    for result in results {
        let (id, failure) = (result.history.workflow_id().unwrap_or_default(), result.replay_failure);
        assert!(failure.is_none(), "{id} does not replay: {failure:?}");
    }
}
