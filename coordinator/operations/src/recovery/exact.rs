//! The customer at the end of a run: the unchanged workflow replays its history.

use std::cell::RefCell;

use interlock_domain::customer::Customer;
use interlock_replay::{Replayer, ReplayerEnded, Watch, settle};
use interlock_workflows::{Machine, Moment, Witness};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

/// Sees the customer after each input, and keeps the last one.
pub(super) struct LastCustomer {
    run_id: String,
    seen: RefCell<Option<Box<Customer>>>,
}

impl Witness for LastCustomer {
    fn run_id(&self) -> Option<String> {
        Some(self.run_id.clone())
    }

    fn saw(&self, _moment: Moment, machine: Machine<'_>) {
        if let Machine::Customer(customer) = machine {
            self.seen.replace(Some(Box::new(customer.clone())));
        }
    }
}

impl Watch for LastCustomer {
    type Seen = Option<Box<Customer>>;

    fn begin(run_id: String) -> Self {
        Self { run_id, seen: RefCell::default() }
    }

    fn take(&self) -> Option<Box<Customer>> {
        self.seen.take()
    }
}

/// The customer at the end of a run, as its completed workflow tasks left it. `None` if its history does not replay, which is one of the
/// reasons to terminate an entity.
pub(super) async fn last_customer(
    replayer: &Replayer<LastCustomer>,
    run_id: &str,
    mut events: Vec<HistoryEvent>,
) -> Result<Option<Box<Customer>>, ReplayerEnded> {
    settle(&mut events);
    let replayed = replayer.replay(run_id.to_owned(), events).await?;
    if let Some(fault) = replayed.fault {
        tracing::warn!(
            run_id,
            fault,
            "the history of a terminated customer does not replay; its events are read one by one"
        );
        return Ok(None);
    }
    Ok(replayed.seen)
}
