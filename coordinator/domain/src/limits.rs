//! The stated limits of the entities (defaults; each is a setting), and when an entity continues as new.

use serde::{Deserialize, Serialize};

/// The most events that one admission plans, so that a local activity stays short.
pub const ADMISSION_BATCH_MAX: usize = 16;
/// How long a customer remembers an order that has ended, for de-duplication, in milliseconds: 30 days.
pub const REMEMBERED_MS_MAX: i64 = 30 * 24 * 60 * 60 * 1000;
/// The most steps and claims that all lines of a customer's journal show together: the oldest orders beyond that are shown without theirs. An
/// order that releases all that a customer holds has up to a thousand.
pub const JOURNAL_PARTS_MAX: usize = 2_000;
/// The most messages that one local activity sends.
pub const SENDING_BATCH_MAX: usize = 64;
/// For how many resources an entity remembers what it last settled or gave back.
pub const RESOURCES_REMEMBERED_MAX: usize = 1_000;
/// The limit on the customer ids of all tickets at a resource, in bytes: with longer ids fewer tickets fit
/// than [`EntityLimits::tickets_max`] allows. With it a full queue takes half of what the server accepts as one payload.
pub const QUEUED_NAMES_BYTES_MAX: usize = 600 * 1024;
/// If several tenants share a realm, one tenant may fill one part in this many of a resource's queue, so that it cannot lock the others
/// out. So of 5,000 tickets 1,250 are one tenant's, and of the bytes of ids the same share.
pub const TENANT_SHARE_OF_QUEUE: usize = 4;
/// The most resources that a customer has, or is about to take, together: an event that would take one more is rejected with
/// `leases_full`. An import is not counted.
pub const LEASES_MAX: usize = 5_000;
/// The most steps of unordered orders that run side by side.
pub const UNORDERED_RUNNING_MAX: usize = 200;

/// The most events for one subscription that one activity delivers.
pub const OUTGOING_BATCH_MAX: usize = 16;
/// The most events for subscribers that wait in a customer: the oldest beyond that are dropped, and their receivers are told how many.
pub const OUTGOING_EVENTS_MAX: usize = 500;
/// The size of the events for subscribers that wait in a customer, in bytes of JSON: beyond that the oldest lose their steps and claims,
/// and if that is not enough, they are dropped.
pub const OUTGOING_BYTES_MAX: usize = 128 * 1024;
/// The most events for subscribers that a customer keeps before it knows who is subscribed.
pub const OUTGOING_UNADDRESSED_MAX: usize = 16;

/// How far apart the clocks of two of the server's machines may be, in milliseconds: epochs are made from the time.
pub const CLOCKS_APART_MS_MAX: u64 = 5_000;

/// The limits of an entity. They reach it with the results of its activities and with its tickets, so they are
/// recorded in history, and never change the replay of earlier decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct EntityLimits {
    /// History events after which an entity continues as new as soon as nothing is running.
    pub continue_as_new_events: u32,
    /// History events after which it continues as new even with calls running.
    pub continue_as_new_events_forced: u32,
    /// Signals in one run after which it continues as new even with calls running (the server accepts 10,000).
    pub signals_max: u32,
    /// How many local activities an entity runs one after the other before it lets the server record their results. The server
    /// orders a workflow task to be repeated if 100 signals arrive during it, so the task has to be short. Runs that were
    /// recorded before this limit existed have none.
    #[serde(default = "without_limit")]
    pub local_activities_in_a_row_max: u32,
    /// Open orders of a customer, above which an event is rejected with `backlog_full`.
    pub open_orders_max: usize,
    /// State of a customer in bytes, above which an event is rejected with `backlog_full`.
    pub state_bytes_max: usize,
    /// Tickets at a resource, above which a claim is answered `queue_full`.
    pub tickets_max: usize,
    /// Entries of the journal.
    pub journal_max: usize,
    /// Finished tickets remembered by a resource.
    pub finished_tickets_max: usize,
    /// Ended orders that a customer remembers for queries.
    pub remembered_orders_max: usize,
    /// Order ids that a customer remembers for de-duplication, as digests of 12 bytes: 24 bytes each as JSON. At most three
    /// quarters of them belong to events without a time.
    pub order_digests_max: usize,
    /// The largest event that an entity accepts, in bytes of JSON.
    pub event_bytes_max: usize,
}

impl Default for EntityLimits {
    fn default() -> Self {
        Self {
            continue_as_new_events: 500,
            continue_as_new_events_forced: 2_000,
            signals_max: 5_000,
            local_activities_in_a_row_max: 4,
            open_orders_max: 1_000,
            state_bytes_max: 1024 * 1024,
            tickets_max: 5_000,
            journal_max: 100,
            finished_tickets_max: 64,
            remembered_orders_max: 1_000,
            order_digests_max: 16_384,
            event_bytes_max: 16 * 1024,
        }
    }
}

/// The value for an entity that was never told this limit, as all were before it existed.
const fn without_limit() -> u32 {
    u32::MAX
}

/// The length of a run so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunLength {
    /// Events in the history.
    pub history_events: u32,
    /// Signals received in this run.
    pub signals: u32,
    /// Whether the server suggests continuing as new.
    pub suggested: bool,
}

/// Whether a run must end and continue as a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContinueAsNew {
    /// Not yet.
    No,
    /// As soon as nothing is running.
    WhenIdle,
    /// Now: what is running is cancelled, waited for, and scheduled again by the next run.
    Now,
}

impl EntityLimits {
    /// Whether a run of this length must continue as new.
    pub fn continue_as_new(&self, run: RunLength) -> ContinueAsNew {
        if run.suggested || run.history_events >= self.continue_as_new_events_forced || run.signals >= self.signals_max
        {
            ContinueAsNew::Now
        } else if run.history_events >= self.continue_as_new_events {
            ContinueAsNew::WhenIdle
        } else {
            ContinueAsNew::No
        }
    }

    /// Whether an entity that ran this many local activities in a row must let the server record them before the next.
    pub fn is_to_record(&self, local_activities_in_a_row: u32) -> bool {
        local_activities_in_a_row >= self.local_activities_in_a_row_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_continues_as_new_at_its_limits_and_not_before() {
        let limits = EntityLimits::default();
        let at =
            |history_events, signals| limits.continue_as_new(RunLength { history_events, signals, suggested: false });
        assert_eq!(at(499, 4_999), ContinueAsNew::No);
        assert_eq!(at(500, 0), ContinueAsNew::WhenIdle);
        assert_eq!(at(1_999, 0), ContinueAsNew::WhenIdle);
        assert_eq!(at(2_000, 0), ContinueAsNew::Now);
        assert_eq!(at(1, 5_000), ContinueAsNew::Now);
        let suggested = RunLength { history_events: 1, signals: 0, suggested: true };
        assert_eq!(limits.continue_as_new(suggested), ContinueAsNew::Now);
    }

    #[test]
    fn what_local_activities_did_is_recorded_after_some_of_them() {
        let limits = EntityLimits::default();
        assert!(!limits.is_to_record(limits.local_activities_in_a_row_max - 1));
        assert!(limits.is_to_record(limits.local_activities_in_a_row_max));
    }

    #[test]
    fn limits_that_were_recorded_before_there_was_this_one_go_without_it() {
        let recorded: EntityLimits = serde_json::from_str("{\"signals_max\":7}").unwrap();
        assert_eq!((recorded.signals_max, recorded.journal_max), (7, EntityLimits::default().journal_max));
        assert!(!recorded.is_to_record(1_000_000));
    }
}
