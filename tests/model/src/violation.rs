//! What must never happen.

use std::fmt;

/// A broken promise, seen in a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check that is red.
    pub check: Check,
    /// What it saw.
    pub detail: String,
}

/// The checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// P2: two customers' calls or requests that the lease of one resource protects are in flight at the same time.
    OneWriter,
    /// P2: a call for a new holder began before the release of the previous one was confirmed.
    ReleaseBeforeWrite,
    /// P2: a target overwrote a registration.
    Overwritten,
    /// P2: more than one customer believes that it has the lease.
    OneHolder,
    /// P2: a later holder's calls carry a higher epoch.
    EpochGrows,
    /// P1: steps of a lane begin in the order of their keys, with the known exceptions.
    LaneOrder,
    /// P1: one call at a time in a lane.
    OneCallPerLane,
    /// A step that needs a lease begins without it.
    LeaseHeld,
    /// P3: an event has more than one terminal state, or its order is open again.
    OneTerminalState,
    /// P3: an accepted event is neither open nor ended.
    EventLost,
    /// P4: a step took effect twice.
    OneEffect,
    /// A lease that a customer has and the resource does not know of, or the other way round.
    LeaseLeaked,
    /// A ticket in a queue that no customer wants any more, or a lost ticket.
    TicketLeaked,
    /// Something waits, and nothing remains that could end the wait.
    LockUp,
    /// A resource or order did not end as expected.
    Expectation,
    /// P11: an order ended, and its subscriber does not know it; or somebody is told who is not subscribed.
    NotTold,
    /// P11: something was told of an order after its end.
    ToldOutOfOrder,
    /// Two deliveries at once to one receiver.
    OneDelivery,
    /// P7: an unreadable event did not end as rejected.
    Poison,
    /// P9: there is no explanation why an open order waits.
    Unexplained,
    /// A customer that accepts an event overlooks something that a look at all its orders would have shown.
    Overlooked,
    /// Two local activities at once in one run.
    OneLocalActivity,
    /// A state does not survive conversion to JSON and back.
    RoundTrip,
    /// A world does not come to rest.
    Restless,
}

impl Violation {
    /// A broken promise.
    pub fn new(check: Check, detail: impl Into<String>) -> Self {
        Self { check, detail: detail.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.detail)
    }
}
