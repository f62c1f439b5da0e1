//! An entity as its workflow's shell runs it: what is received is read from bytes, and only what the machine asked for is answered.

mod customer;
mod resource;
mod upkeep;

use interlock_domain::ids::Timestamp;
use interlock_domain::routing::{EntityAddress, QueueAssignment, QueueMove, target_of_workflow, tenant_of_workflow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::customer_life::NOW;
use customer::CustomerShell;
use resource::ResourceShell;
use upkeep::{ImportShell, TargetShell, TenantShell};

/// The longest name of a task queue that Temporal accepts, in bytes.
const TASK_QUEUE_BYTES_MAX: usize = 1_000;
/// The time between two lines, in milliseconds.
const LINE_MS: u64 = 1_000;

/// An entity.
pub(crate) struct Entity {
    machine: Box<dyn Shell>,
    now: Timestamp,
    queue_move: QueueMove,
    received_bytes: usize,
}

/// One of the machines with what it has asked for.
pub(crate) trait Shell {
    /// A line arrives; also the queue that the message says the entity must move to.
    fn receives(&mut self, now: Timestamp, word: &str, json: &str) -> Option<QueueAssignment>;
    /// What a run passes on.
    fn stored(&self) -> Value;
    /// The same after it was written and read.
    fn restored(&self) -> Result<Value, serde_json::Error>;
    /// When it wants to be woken.
    fn wake_at(&self, now: Timestamp) -> Option<Timestamp>;
    /// Writes its views.
    fn show(&mut self);
    /// What must hold after each line, and is checked quickly; `is_own` if the machine itself came to this state.
    fn check_promises(&mut self, is_own: bool);
}

impl Entity {
    /// The entity of this workflow, in its first run.
    pub(crate) fn new(workflow_id: &str) -> Option<Self> {
        let machine: Box<dyn Shell> = match workflow_id.parse() {
            Ok(EntityAddress::Customer(me)) => Box::new(CustomerShell::new(me, NOW)),
            Ok(EntityAddress::Resource { realm, kind, key }) => Box::new(ResourceShell::new(realm, kind, &key)?),
            Err(_) => match (target_of_workflow(workflow_id), tenant_of_workflow(workflow_id)) {
                (Some(target), _) => Box::new(TargetShell::new(target, NOW)),
                (_, Some(tenant)) => Box::new(TenantShell::new(tenant, NOW)),
                _ => Box::new(ImportShell::new(workflow_id.split_once("/import/")?.0.parse().ok()?, NOW)),
            },
        };
        Some(Self::of(machine))
    }

    /// The same, in a later run.
    pub(crate) fn carried(workflow_id: &str, state: &str) -> Option<Self> {
        let machine: Box<dyn Shell> = match workflow_id.parse() {
            Ok(EntityAddress::Customer(_)) => Box::new(CustomerShell::of(serde_json::from_str(state).ok()?)),
            Ok(EntityAddress::Resource { .. }) => Box::new(ResourceShell::of(serde_json::from_str(state).ok()?)),
            Err(_) if target_of_workflow(workflow_id).is_some() => {
                Box::new(TargetShell::of(serde_json::from_str(state).ok()?))
            }
            Err(_) if tenant_of_workflow(workflow_id).is_some() => {
                Box::new(TenantShell::of(serde_json::from_str(state).ok()?))
            }
            Err(_) => Box::new(ImportShell::of(serde_json::from_str(state).ok()?)),
        };
        Some(Self::of(machine))
    }

    fn of(machine: Box<dyn Shell>) -> Self {
        Self { machine, now: NOW, queue_move: QueueMove::default(), received_bytes: 0 }
    }

    /// A line arrives.
    pub(crate) fn receives(&mut self, line: &str) {
        let (word, json) = line.split_once(' ').unwrap_or((line, ""));
        self.received_bytes += line.len();
        self.now = self.now.plus_ms(LINE_MS);
        match word {
            // The clock of a workflow never goes back.
            "at" => self.now = json.parse().map_or(self.now, |time| self.now.max(Timestamp(time))),
            "move_to" => {
                if let Ok(queue_assignment) = serde_json::from_str(json) {
                    self.queue_move.ask_to_move(queue_assignment);
                }
            }
            word => {
                if let Some(queue_assignment) = self.machine.receives(self.now, word, json) {
                    let _heard = self.queue_move.hear(queue_assignment);
                }
            }
        }
    }

    /// Writes its state and views, and reads the state; `is_own` if the entity itself came to it.
    pub(crate) fn check(&mut self, is_own: bool) {
        let stored = self.machine.stored();
        let restored = self.machine.restored().unwrap_or_else(|fault| panic!("a stored state cannot be read: {fault}"));
        assert_eq!(restored, stored, "a state reads otherwise than it was stored");
        self.machine.show();
        if is_own {
            let bytes = stored.to_string().len();
            let bytes_max = 64 * self.received_bytes + 256 * 1024;
            assert!(bytes <= bytes_max, "{bytes} bytes of state after {} bytes of messages", self.received_bytes);
        }
    }

    /// Checks what must hold after each line; `is_own` if the entity itself came to its state.
    pub(crate) fn check_promises(&mut self, is_own: bool) {
        self.machine.check_promises(is_own);
        let queue = self.queue_move.next_queue();
        assert!(queue.is_none_or(|queue| (1..=TASK_QUEUE_BYTES_MAX).contains(&queue.len())), "{queue:?} is no queue");
        if is_own {
            self.machine.receives(self.now, "woke", "");
            let wakes = self.machine.wake_at(self.now);
            assert!(wakes.is_none_or(|at| at > self.now), "woken at {:?}, it wants to be woken at {wakes:?}", self.now);
        }
    }
}

/// A machine as JSON.
pub(crate) fn stored(machine: &impl Serialize) -> Value {
    serde_json::to_value(machine).unwrap_or_else(|fault| panic!("a state cannot be stored: {fault}"))
}

/// The machine that the JSON of a machine makes, as JSON.
pub(crate) fn restored<M: Serialize + DeserializeOwned>(machine: &M) -> Result<Value, serde_json::Error> {
    let bytes = serde_json::to_vec(machine)?;
    serde_json::to_value(serde_json::from_slice::<M>(&bytes)?)
}

/// Whether everything that is shown can be sent.
pub(crate) fn shown(view: &impl Serialize) {
    assert!(serde_json::to_vec(view).is_ok(), "a view cannot be written");
}
