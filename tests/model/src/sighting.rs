//! Records what happened: a model in which something never happens proves nothing about it.

use std::collections::BTreeMap;
use std::fmt;

/// A noteworthy thing that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the words of the design")]
pub enum Sighting {
    Grant,
    Wait,
    Recall,
    Yield,
    HandOver,
    Orphan,
    Superseded,
    NotHolder,
    Contested,
    Decline,
    Ring,
    Compensation,
    Used,
    Unused,
    ForcedRelease,
    ForceRefused,
    LookUp,
    Overtaking,
    DuplicateEvent,
    RejectedEvent,
    FinishedTicket,
    ContinuedAsNew,
    TaskLost,
    CustomerTerminated,
    ResourceTerminated,
    ResourceLost,
    CustomerReset,
    ResourceReset,
    ActivityReset,
    ResultByHand,
    /// An operator completed or failed a look-up.
    LookUpByHand,
    LeaseReasserted,
    TicketsReasserted,
    LeaseForgotten,
    Disowned,
    Rerun,
    LateAnswer,
    StrayMessage,
    AmbiguousAttempt,
    ReadBack,
    LostRequest,
    Refusal,
    PersonActed,
    Told,
    ToldAgain,
    /// A release used an identity that its event did not name.
    OtherIdentity,
    /// A release found the resource with somebody else, and reported the holder.
    FoundElsewhere,
    /// A release waits for a person, since the target has the resource under another identity.
    Unconfirmed,
}

/// How often each thing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sightings {
    counts: BTreeMap<Sighting, u64>,
}

impl Sightings {
    /// Counts one.
    pub fn see(&mut self, sighting: Sighting) {
        *self.counts.entry(sighting).or_default() += 1;
    }

    /// How often it happened.
    pub fn count(&self, sighting: Sighting) -> u64 {
        self.counts.get(&sighting).copied().unwrap_or(0)
    }

    /// Adds the counts of another one.
    pub fn add(&mut self, other: &Self) {
        for (sighting, count) in &other.counts {
            *self.counts.entry(*sighting).or_default() += count;
        }
    }

    /// Those of `wanted` that never happened.
    pub fn missing(&self, wanted: &[Sighting]) -> Vec<Sighting> {
        wanted.iter().copied().filter(|sighting| self.count(*sighting) == 0).collect()
    }
}

impl fmt::Display for Sightings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (sighting, count)) in self.counts.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{sighting:?} {count}")?;
        }
        Ok(())
    }
}
