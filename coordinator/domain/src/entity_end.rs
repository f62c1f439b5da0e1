//! How an entity ended: nothing of what it shows goes on.

use crate::wire::wire_words;

wire_words! {
    /// How the workflow of an entity ended, where no other run follows it.
    EntityEnd {
        /// Somebody terminated it.
        Terminated = "terminated",
        /// It ran for longer than it was allowed to.
        TimedOut = "timed out",
        /// It failed.
        Failed = "failed",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// It came to its end.
        Completed = "completed",
    }
}
