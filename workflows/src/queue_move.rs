//! How an entity moves to another task queue: it gets a message, and its next run is there.

use interlock_domain::routing::{QueueAssignment, QueueMove};
use temporalio_workflow::ContinueAsNewOptions;

/// How an entity was told to move.
pub(crate) enum ToldQueue {
    /// Together with something else. It moves with its next run, whenever that begins.
    InPassing(QueueAssignment),
    /// By a separate message. It moves as soon as nothing is in flight.
    AskedToMove(QueueAssignment),
}

/// Tells an entity to move.
pub(crate) fn tell(queue_move: &mut QueueMove, told: ToldQueue) {
    match told {
        ToldQueue::InPassing(queue_assignment) => {
            // A sender that mentions it in passing does not need to know whether it was received.
            let _heard = queue_move.hear(queue_assignment);
        }
        ToldQueue::AskedToMove(queue_assignment) => queue_move.ask_to_move(queue_assignment),
    }
}

/// Where the next run begins: on the queue that the entity was told, or on the queue of this run.
pub(crate) fn next_run(queue_move: &QueueMove) -> ContinueAsNewOptions {
    ContinueAsNewOptions::builder().maybe_task_queue(queue_move.next_queue().map(str::to_owned)).build()
}
