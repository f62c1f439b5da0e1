//! The place of an event in time, chosen so that its order has the same key in every attempt of a workflow task.

use crate::event::Event;
use crate::ids::Timestamp;
use crate::limits::REMEMBERED_MS_MAX;
use crate::recording::{Edition, said_at};

/// How close the acceptance of an event may be to a time limit before the decision can differ between attempts of a
/// workflow task, in milliseconds: an hour.
const NEAR_LIMIT_MS: i64 = 60 * 60 * 1000;

/// The place of an event in time.
pub(super) struct Place {
    /// When it was accepted: its stamp, or else the workflow time.
    pub(super) accepted_at: Timestamp,
    /// What its key has for the acceptance, after `occurred_at` and `sequence`.
    pub(super) tie_break: Timestamp,
    /// Whether its key, or the decision to accept it, depends on workflow time.
    pub(super) clock_bound: bool,
}

impl Place {
    /// An event without a stamp that happened before now is placed by its own time only: the workflow time of a task
    /// that is not recorded yet differs in the next attempt. Of several events with the same time, the first to arrive
    /// goes first.
    pub(super) fn of(edition: Edition, now: Timestamp, event: &Event) -> Self {
        if edition < Edition::V0_2 {
            return Self { accepted_at: now, tie_break: now, clock_bound: false };
        }
        let stamp = said_at(now, event.accepted_at);
        let own = event.time.filter(|time| *time <= now);
        let earliest = now.0.saturating_sub(REMEMBERED_MS_MAX).saturating_add(NEAR_LIMIT_MS);
        let is_near_limit = event.time.is_some_and(|time| time.0 < earliest);
        Self {
            accepted_at: stamp.unwrap_or(now),
            tie_break: stamp.or(own).unwrap_or(now),
            clock_bound: is_near_limit || (stamp.is_none() && own.is_none()),
        }
    }
}
