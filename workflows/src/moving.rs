//! How an entity moves to another task queue: it is told of it, and its next run is there.

use interlock_domain::routing::{Home, Residence};
use temporalio_workflow::ContinueAsNewOptions;

/// How an entity was told where it is to live.
pub(crate) enum ToldHome {
    /// Beside something else: it goes there with its next run, whenever that begins.
    InPassing(Home),
    /// By itself: it goes there as soon as nothing is under way.
    AskedToMove(Home),
}

/// Tells an entity where it is to live.
pub(crate) fn tell(residence: &mut Residence, told: ToldHome) {
    match told {
        ToldHome::InPassing(home) => {
            // Whether it was heard is of no use to who says it in passing.
            let _heard = residence.hear(home);
        }
        ToldHome::AskedToMove(home) => residence.ask_to_move(home),
    }
}

/// How the next run begins: on the queue that the entity was told of, or on that of this run.
pub(crate) fn next_run(residence: &Residence) -> ContinueAsNewOptions {
    ContinueAsNewOptions::builder().maybe_task_queue(residence.next_queue().map(str::to_owned)).build()
}
