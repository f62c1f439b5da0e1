//! Durations in adapter files.

use std::time::Duration;

use interlock_domain::toml_text::{Entry, Faults};

/// The longest duration: 24 hours, in milliseconds. No single request needs more.
const LIMITS_MS: (u64, u64) = (0, 24 * 60 * 60 * 1000);

/// Parses a duration. It is a fault if the text is not a duration, or if the duration is too long.
pub(super) fn read_duration(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Duration> {
    entry.duration_ms(LIMITS_MS, faults).map(Duration::from_millis)
}
