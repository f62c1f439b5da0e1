//! What the machines of a replay show: who holds what, what ended, and whether calls started in their turn.

mod customer;
mod resource;

use std::cell::RefCell;

use interlock_replay::Watch;
use interlock_workflows::{Machine, Moment, Witness};

use super::At;

pub(crate) use customer::SeenCustomer;
pub(crate) use resource::SeenResource;

/// What the machine of one history showed.
#[derive(Debug, Default)]
pub(crate) struct Witnessed {
    run_id: String,
    seen: RefCell<Seen>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) enum Seen {
    #[default]
    Nothing,
    Resource(Box<SeenResource>),
    Customer(Box<SeenCustomer>),
}

impl Watch for Witnessed {
    type Seen = Seen;

    fn begin(run_id: String) -> Self {
        Self { run_id, seen: RefCell::default() }
    }

    fn take(&self) -> Seen {
        self.seen.take()
    }
}

impl Witness for Witnessed {
    fn run_id(&self) -> Option<String> {
        Some(self.run_id.clone())
    }

    fn saw(&self, moment: Moment, machine: Machine<'_>) {
        let at = At::new(i64::from(moment.event), moment.at);
        let mut seen = self.seen.borrow_mut();
        match (machine, &mut *seen) {
            (Machine::Resource(machine), Seen::Resource(seen)) => seen.saw(at, machine),
            (Machine::Customer(machine), Seen::Customer(seen)) => seen.saw(at, machine),
            (Machine::Resource(machine), _) => *seen = Seen::Resource(Box::new(SeenResource::begin(at, machine))),
            (Machine::Customer(machine), _) => {
                let mut begun = SeenCustomer::default();
                begun.saw(at, machine);
                *seen = Seen::Customer(Box::new(begun));
            }
        }
    }
}
