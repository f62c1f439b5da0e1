//! How an entity ended: its state no longer changes.

use crate::wire::wire_words;

wire_words! {
    /// How the workflow of an entity ended, if no further run follows.
    EntityEnd {
        /// It was terminated.
        Terminated = "terminated",
        /// It exceeded its time-out.
        TimedOut = "timed out",
        /// It failed.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// It completed.
        Completed = "completed",
    }
}
