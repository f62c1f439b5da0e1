//! How an entity moves to another task queue: it gets a message, and its next run is there.

use interlock_domain::routing::{Home, Residence};
use temporalio_workflow::ContinueAsNewOptions;

/// How an entity was told to move.
pub(crate) enum ToldHome {
    /// Together with something else. It moves with its next run, whenever that begins.
    InPassing(Home),
    /// By a separate message. It moves as soon as nothing is in flight.
    AskedToMove(Home),
}

/// Tells an entity to move.
pub(crate) fn tell(residence: &mut Residence, told: ToldHome) {
    match told {
        ToldHome::InPassing(home) => {
            // A sender that mentions it in passing does not need to know whether it was received.
            let _heard = residence.hear(home);
        }
        ToldHome::AskedToMove(home) => residence.ask_to_move(home),
    }
}

/// Where the next run begins: on the queue that the entity was told, or on the queue of this run.
pub(crate) fn next_run(residence: &Residence) -> ContinueAsNewOptions {
    ContinueAsNewOptions::builder().maybe_task_queue(residence.next_queue().map(str::to_owned)).build()
}
