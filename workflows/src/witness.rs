//! Shows the machines of a replay to an auditor: after each input, the state of the machine that took it.
//!
//! A worker has no witness, and then nothing is done here. Nothing that a workflow does depends on a witness, with one exception: it
//! knows the id of the run whose history is replayed, which the SDK's replayer does not pass on for a run that a reset created.

use std::cell::RefCell;
use std::rc::Rc;

use interlock_domain::customer::Customer;
use interlock_domain::ids::Timestamp;
use interlock_domain::resource::Resource;
use temporalio_workflow::WorkflowContext;

use crate::identity;

/// Watches the machines of the workflows that are replayed on a thread.
pub trait Witness {
    /// The id of the run that is replayed. `None` if it is the one that the SDK passes on.
    fn run_id(&self) -> Option<String> {
        None
    }

    /// A machine took an input, or the run began.
    fn saw(&self, moment: Moment, machine: Machine<'_>);
}

/// Where in a history a machine took an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The id of the event with which the workflow task started.
    pub event: u32,
    /// The time of the task.
    pub at: Timestamp,
}

/// The machine of an entity.
#[derive(Debug, Clone, Copy)]
pub enum Machine<'a> {
    /// A customer's.
    Customer(&'a Customer),
    /// A resource's.
    Resource(&'a Resource),
}

thread_local! {
    static WITNESS: RefCell<Option<Rc<dyn Witness>>> = const { RefCell::new(None) };
}

/// From now on, `witness` watches what is replayed on this thread; `None` ends that.
pub fn witness_on_this_thread(witness: Option<Rc<dyn Witness>>) {
    WITNESS.set(witness);
}

fn witness() -> Option<Rc<dyn Witness>> {
    WITNESS.with_borrow(Clone::clone)
}

/// Shows a machine to the witness, if there is one.
pub(crate) fn show<W: 'static>(context: &WorkflowContext<W>, machine: impl FnOnce(&W) -> Option<Machine<'_>>) {
    let Some(witness) = witness() else { return };
    let moment = Moment { event: context.history_length(), at: identity::now(context.workflow_time()) };
    context.state(|entity| {
        if let Some(machine) = machine(entity) {
            witness.saw(moment, machine);
        }
    });
}

/// The id of this run.
pub(crate) fn run_id<W>(context: &WorkflowContext<W>) -> String {
    witness().and_then(|witness| witness.run_id()).unwrap_or_else(|| context.run_id().to_owned())
}
