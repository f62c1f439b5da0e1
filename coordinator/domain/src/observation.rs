//! What is worth counting of what entities and activities do. Nothing is decided by it, and nothing of it is kept: whoever
//! carries out a step of a machine takes what it saw and hands it to an [`Observer`].

use crate::error_code::ReasonCode;
use crate::ids::{ResourceKind, TargetId, TenantId};
use crate::order::OrderState;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// An order ended, or an event was rejected.
    OrderEnded {
        /// Whose it was.
        tenant: TenantId,
        /// How it ended.
        state: OrderState,
        /// Why, where it was rejected.
        rejected: Option<ReasonCode>,
    },
    /// A customer was granted a lease.
    LeaseGranted {
        /// What it is the lease of.
        kind: ResourceKind,
        /// From when the event that wants it was accepted, in milliseconds.
        waited_ms: u64,
    },
    /// A resource passed from one customer to the next.
    HandedOver {
        /// What it is.
        kind: ResourceKind,
        /// From when the last holder's release was confirmed, in milliseconds.
        took_ms: u64,
    },
    /// A run of an entity continues as new.
    RunEnded {
        /// The entity's workflow type.
        entity: &'static str,
        /// How long the history of the run became.
        history_events: u32,
    },
    /// An attempt of a step ended.
    StepAttempted {
        /// Where.
        target: TargetId,
        /// The class of its outcome; where none was reported, why another attempt is made.
        outcome: &'static str,
        /// How long it took, its waits included, in milliseconds.
        took_ms: u64,
    },
    /// The breaker of a target in this process changed.
    BreakerChanged {
        /// Which target.
        target: TargetId,
        /// Its state now.
        state: BreakerState,
    },
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets calls through.
    Closed,
    /// It lets none through.
    Open,
    /// It lets one through at a time.
    HalfOpen,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Who is told what happens. It must not block, and not fail.
pub trait Observer: Send + Sync {
    /// Takes note.
    fn observe(&self, observation: &Observation);
}

/// One who takes no note: in tests, and where nobody reads metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyWatches;

impl Observer for NobodyWatches {
    fn observe(&self, _observation: &Observation) {}
}
