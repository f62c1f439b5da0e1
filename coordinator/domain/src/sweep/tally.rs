//! Counts of what waits: each sweep counts what it saw; the sum is reported once everything was seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::seen::WaitingOrder;
use crate::ids::{TargetId, Timestamp};

/// Open orders by state and by what they wait for, and the longest wait at each target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Orders in each state.
    #[serde(default)]
    pub by_state: BTreeMap<String, u64>,
    /// Orders that wait for each cause: `lease`, `turn`, `target`, `person`, …
    #[serde(default)]
    pub by_cause: BTreeMap<String, u64>,
    /// Since when the oldest waits at a target for a cause.
    #[serde(default)]
    pub oldest: Vec<OldestWait>,
}

/// The oldest of the orders that wait at a target for the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestWait {
    /// The target.
    pub target: TargetId,
    /// What it waits for there.
    pub cause: String,
    /// Since when.
    pub since: Timestamp,
}

impl Tally {
    /// Counts an order.
    pub fn add(&mut self, order: &WaitingOrder) {
        *self.by_state.entry(order.state.to_string()).or_default() += 1;
        let Some(wait) = &order.wait else { return };
        *self.by_cause.entry(wait.cause.to_string()).or_default() += 1;
        if let Some(target) = &wait.target {
            self.wait_at(OldestWait { target: target.clone(), cause: wait.cause.to_string(), since: wait.since });
        }
    }

    /// Adds the counts of another tally.
    pub fn join(&mut self, other: Self) {
        for (state, count) in other.by_state {
            *self.by_state.entry(state).or_default() += count;
        }
        for (cause, count) in other.by_cause {
            *self.by_cause.entry(cause).or_default() += count;
        }
        other.oldest.into_iter().for_each(|wait| self.wait_at(wait));
    }

    fn wait_at(&mut self, wait: OldestWait) {
        match self.oldest.iter_mut().find(|known| known.target == wait.target && known.cause == wait.cause) {
            Some(known) => known.since = known.since.min(wait.since),
            None => self.oldest.push(wait),
        }
    }
}
