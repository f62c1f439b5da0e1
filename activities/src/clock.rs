//! Conversion of times to the domain's unit.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interlock_domain::ids::Timestamp;

/// The current time of this machine's clock.
pub(crate) fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// Converts a time to the domain's format. Times before the epoch become the epoch.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp(i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(i64::MAX))
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
