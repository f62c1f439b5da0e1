//! What entities and activities do that is worth counting. No decision depends on it, and none of it is stored: the code
//! that runs a machine's step takes the observations and passes them to an [`Observer`].

use crate::error_code::ReasonCode;
use crate::ids::{ResourceKind, TargetId, TenantId};
use crate::order::OrderState;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Observation {
    /// An order ended, or an event was rejected.
    OrderEnded {
        /// Whose it was.
        tenant: TenantId,
        /// How it ended.
        state: OrderState,
        /// Why, if it was rejected.
        rejected: Option<ReasonCode>,
    },
    /// A customer was granted a lease.
    LeaseGranted {
        /// The kind of the leased resource.
        kind: ResourceKind,
        /// The time since the event that wants it was accepted, in milliseconds.
        waited_ms: u64,
    },
    /// A resource passed from one customer to the next.
    HandedOver {
        /// What it is.
        kind: ResourceKind,
        /// The time since the previous holder's release was confirmed, in milliseconds.
        took_ms: u64,
    },
    /// A run of an entity continued as new.
    RunEnded {
        /// The entity's workflow type.
        entity: &'static str,
        /// The length of the run's history.
        history_events: u32,
    },
    /// An attempt of a step ended.
    StepAttempted {
        /// The target.
        target: TargetId,
        /// The class of its outcome; if none was reported, why another attempt follows.
        outcome: &'static str,
        /// How long it took, its waits included, in milliseconds.
        took_ms: u64,
    },
    /// An event for subscribers was dropped, because too many waited.
    OutgoingEventDropped {
        /// Whose it was.
        tenant: TenantId,
    },
    /// The breaker of a target in this process changed its state.
    BreakerChanged {
        /// Which target.
        target: TargetId,
        /// Its state now.
        state: BreakerState,
    },
}

impl Observation {
    /// The same without what was measured. Observations that are equal in this increase the same counter.
    #[must_use]
    pub fn counted_as(&self) -> Self {
        let mut counted = self.clone();
        match &mut counted {
            Self::LeaseGranted { waited_ms: measured, .. }
            | Self::HandedOver { took_ms: measured, .. }
            | Self::StepAttempted { took_ms: measured, .. } => *measured = 0,
            Self::RunEnded { history_events, .. } => *history_events = 0,
            Self::OrderEnded { .. } | Self::OutgoingEventDropped { .. } | Self::BreakerChanged { .. } => {}
        }
        counted
    }
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// Receives observations. It must not block or fail.
pub trait Observer: Send + Sync {
    /// Records an observation.
    fn observe(&self, observation: &Observation);

    /// Records an observation of an entity's run, which may be executed again, in part or from its start, here or in another process.
    /// It is the `number`th of the run, from 1, that is [counted as](Observation::counted_as) the same. Each execution of the run numbers
    /// its observations in the same way.
    fn observe_run(&self, run_id: &str, number: u32, observation: &Observation);
}

/// An observer that ignores everything: for tests, and for processes without metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyWatches;

impl Observer for NobodyWatches {
    fn observe(&self, _observation: &Observation) {}

    fn observe_run(&self, _run_id: &str, _number: u32, _observation: &Observation) {}
}
