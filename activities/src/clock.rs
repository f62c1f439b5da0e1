//! Times in the unit of the domain.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interlock_domain::ids::Timestamp;

/// The time of this machine's clock.
pub(crate) fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// A time as the domain writes it; the epoch for any before it.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp(i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(i64::MAX))
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
