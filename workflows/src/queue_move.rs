//! How an entity moves to another task queue: it is told of it, and its next run is there.

use interlock_domain::routing::{QueueAssignment, QueueMove};
use temporalio_workflow::ContinueAsNewOptions;

/// How an entity was told where it is to live.
pub(crate) enum ToldQueue {
    /// Beside something else: it goes there with its next run, whenever that begins.
    InPassing(QueueAssignment),
    /// By itself: it goes there as soon as nothing is under way.
    AskedToMove(QueueAssignment),
}

/// Tells an entity where it is to live.
pub(crate) fn tell(queue_move: &mut QueueMove, told: ToldQueue) {
    match told {
        ToldQueue::InPassing(queue_assignment) => {
            // Whether it was heard is of no use to who says it in passing.
            let _heard = queue_move.hear(queue_assignment);
        }
        ToldQueue::AskedToMove(queue_assignment) => queue_move.ask_to_move(queue_assignment),
    }
}

/// How the next run begins: on the queue that the entity was told of, or on that of this run.
pub(crate) fn next_run(queue_move: &QueueMove) -> ContinueAsNewOptions {
    ContinueAsNewOptions::builder().maybe_task_queue(queue_move.next_queue().map(str::to_owned)).build()
}
