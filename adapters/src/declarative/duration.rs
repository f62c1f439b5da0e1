//! Durations in adapter files.

use std::time::Duration;

use interlock_domain::toml_text::{Entry, Faults};

/// From nothing to 24 hours, in milliseconds. What takes longer is no matter of one request.
const LIMITS_MS: (u64, u64) = (0, 24 * 60 * 60 * 1000);

/// Reads a duration; a fault where it is none or too long.
pub(super) fn read_duration(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Duration> {
    entry.duration_ms(LIMITS_MS, faults).map(Duration::from_millis)
}
