//! What the audit keeps of a history: a few facts about leases, calls and orders, each with its place.

mod reader;
mod witnessed;

use std::collections::BTreeMap;

use interlock_domain::ids::{CustomerRef, Epoch, OrderId, RealmId, ResourceId, TargetId, Timestamp};
use interlock_domain::order::ClaimMode;
use interlock_domain::resource::HolderName;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use reader::HistoryUnreadable;
pub(crate) use reader::{Identity, Recorded, identify, place_of, read_events};
pub(crate) use witnessed::{Seen, SeenCustomer, Witnessed};

/// A place in a history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct At {
    /// The time of the event, in milliseconds.
    pub(crate) ms: i64,
    /// The id of the event; for what a machine decided, of the event with which its workflow task started.
    pub(crate) event: i64,
}

/// What the audit keeps of one history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistoryFacts {
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    /// The run that it continues.
    pub(crate) continues: Option<String>,
    /// The run of which a reset made this one, and the id of the event at which the two differ.
    pub(crate) reset: Option<ResetPoint>,
    pub(crate) end: RunEnd,
    pub(crate) began: At,
    pub(crate) last: At,
    /// The event with which the last completed workflow task started: it took everything before.
    pub(crate) taken_to: i64,
    /// For each completed workflow task that repeats lost ones, by the event with which it started: when the first of those started, in
    /// milliseconds. What the task decided may have been decided, and sent, from then on.
    #[serde(default)]
    pub(crate) repeats_from_ms: BTreeMap<i64, i64>,
    /// Why it cannot be replayed.
    pub(crate) replay_fault: Option<String>,
    pub(crate) entity: EntityFacts,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResetPoint {
    pub(crate) base_run_id: String,
    pub(crate) event: i64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RunEnd {
    /// It has not ended.
    Open,
    /// The next run has its state.
    ContinuedAsNew {
        /// Its id.
        next: String,
    },
    /// It was terminated, or failed: its state is gone.
    Dead {
        /// `terminated`, `failed`, …
        how: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum EntityFacts {
    Customer(CustomerFacts),
    Resource(ResourceFacts),
    /// It is only replayed.
    Other,
}

/// What a resource entity recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResourceFacts {
    pub(crate) realm: RealmId,
    pub(crate) resource: ResourceId,
    /// The highest epoch granted before this run.
    pub(crate) floor: Epoch,
    /// In the order in which they began.
    pub(crate) tenures: Vec<Tenure>,
    /// The state at the end of the history.
    pub(crate) state: ResourceEnd,
}

/// A time in which somebody held the resource, as its entity recorded it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tenure {
    pub(crate) epoch: Epoch,
    pub(crate) who: HolderName,
    pub(crate) began: At,
    /// Whether it began in an earlier run.
    pub(crate) carried: bool,
    pub(crate) ended: Option<TenureEnd>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TenureEnd {
    pub(crate) at: At,
    /// What the entity noted about it, as in its own history: `released`, `yielded`, `forced`, …; empty if it noted nothing.
    pub(crate) how: String,
    /// The key of the call that proves it.
    pub(crate) proof: Option<Uuid>,
    /// Whether it says that no call was needed.
    pub(crate) without_call: bool,
    /// Whether a person decided it.
    pub(crate) by_person: bool,
    /// Whether the entity knew before that the holder is dead or has no use for the lease.
    pub(crate) was_orphan: bool,
}

/// The state of a resource at the end of a history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResourceEnd {
    pub(crate) holder: Option<HolderEnd>,
    /// Whether messages to customers wait or are being sent, or a look-up or forced release is under way.
    pub(crate) busy: bool,
    pub(crate) waiting: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HolderEnd {
    pub(crate) who: HolderName,
    pub(crate) epoch: Epoch,
    /// `None` if the customer was not told of the lease.
    pub(crate) incarnation: Option<i64>,
    /// Whether the entity knows that the holder is dead or has no use for the lease.
    pub(crate) orphaned: bool,
    /// Whether the target is proven to have the resource registered to the holder.
    pub(crate) used: bool,
    /// The name of the holder at the targets.
    pub(crate) target_identity: Option<String>,
}

/// What a customer entity recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CustomerFacts {
    pub(crate) me: CustomerRef,
    /// In the order in which they began.
    pub(crate) leases: Vec<LeaseHeld>,
    pub(crate) calls: Vec<Call>,
    /// Events that came in by signal.
    pub(crate) submitted: Vec<(OrderId, At)>,
    /// Orders that ended, and events that were rejected.
    pub(crate) ended: Vec<OrderEnd>,
    pub(crate) turns: Turns,
    pub(crate) state: CustomerEnd,
}

/// A lease as the customer held it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeaseHeld {
    pub(crate) resource: ResourceId,
    pub(crate) epoch: Epoch,
    pub(crate) from: At,
    /// Whether it was held before this run.
    pub(crate) carried: bool,
    pub(crate) until: Option<At>,
    /// Whether it was not given back, but in doubt from then on: the workflow was reset, and the customer no longer knows whether it has it.
    #[serde(default)]
    pub(crate) doubted: bool,
}

/// A call of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) order: OrderId,
    pub(crate) step: String,
    pub(crate) target: TargetId,
    pub(crate) operation: String,
    pub(crate) key: Uuid,
    /// The leases that protect it, by the request.
    pub(crate) epochs: BTreeMap<ResourceId, Epoch>,
    /// What the order wants of the resources that the step names, by the machine. `None` if the machine did not start the call.
    pub(crate) named: Option<BTreeMap<ResourceId, ClaimMode>>,
    /// Resources that the request names as not proven.
    pub(crate) unproven: Vec<ResourceId>,
    pub(crate) compensates: bool,
    pub(crate) scheduled: At,
    pub(crate) closed: Option<(At, Closing)>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Closing {
    /// The target has the effect.
    Done,
    /// The target had the effect before.
    AlreadyDone,
    /// Another outcome of a worker.
    Other,
    /// A person completed or failed it.
    ByHand,
    /// Without an outcome.
    Unanswered,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderEnd {
    /// `None` for an event that could not be read.
    pub(crate) order: Option<OrderId>,
    pub(crate) state: String,
    pub(crate) at: At,
}

/// The order of the customer's calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Turns {
    /// The number of first calls of a step that were checked.
    pub(crate) checked: u64,
    pub(crate) faults: Vec<TurnFault>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TurnFault {
    pub(crate) at: At,
    pub(crate) order: OrderId,
    pub(crate) target: TargetId,
    /// The order that should have gone first, or that was running.
    pub(crate) other: OrderId,
    pub(crate) why: String,
}

/// The state of a customer at the end of a history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CustomerEnd {
    pub(crate) incarnation: i64,
    /// Those that are not in doubt after a reset.
    pub(crate) leases: BTreeMap<ResourceId, Epoch>,
    /// The names under which the targets know the customer, where they do.
    pub(crate) identities: BTreeMap<ResourceId, String>,
    pub(crate) open: Vec<OrderId>,
    /// Resources to which messages wait, or whose grants are not judged yet.
    pub(crate) busy: Vec<ResourceId>,
    /// Events accepted, without duplicates.
    pub(crate) accepted: u64,
    /// Orders that ended, and events that were rejected, since the entity began.
    pub(crate) ended: u64,
}

impl CustomerFacts {
    /// A customer of which nothing is known.
    pub(crate) fn blank(me: CustomerRef) -> Self {
        Self {
            me,
            leases: Vec::new(),
            calls: Vec::new(),
            submitted: Vec::new(),
            ended: Vec::new(),
            turns: Turns::default(),
            state: CustomerEnd::default(),
        }
    }
}

impl Closing {
    /// Whether the effect is known to have happened.
    pub(crate) fn is_effective(self) -> bool {
        matches!(self, Self::Done | Self::AlreadyDone)
    }
}

impl HistoryFacts {
    /// The earliest time at which what is recorded here may have been decided.
    pub(crate) fn decided_from(&self, at: At) -> At {
        At { ms: self.repeats_from_ms.get(&at.event).map_or(at.ms, |lost| at.ms.min(*lost)), ..at }
    }

    /// The number of facts, for the limit on memory.
    pub(crate) fn count(&self) -> usize {
        1 + self.repeats_from_ms.len()
            + match &self.entity {
                EntityFacts::Customer(customer) => {
                    let faults = customer.turns.faults.len();
                    let orders = customer.submitted.len() + customer.ended.len() + customer.state.open.len();
                    customer.leases.len() + customer.calls.len() + orders + faults
                }
                EntityFacts::Resource(resource) => resource.tenures.len(),
                EntityFacts::Other => 0,
            }
    }
}

impl At {
    pub(crate) fn new(event: i64, at: Timestamp) -> Self {
        Self { ms: at.0, event }
    }
}
