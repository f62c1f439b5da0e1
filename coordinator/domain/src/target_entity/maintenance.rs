//! Maintenance windows: times in which a target is known to be unavailable, once or repeatedly.

use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;

/// A time in which a target must not be called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MaintenanceWindow {
    /// When it begins, the first time.
    pub begins: Timestamp,
    /// How long it lasts, in milliseconds.
    pub lasts_ms: u64,
    /// The time from the start of one window to the start of the next, in milliseconds; none if it happens only once. A day is
    /// 86,400,000: windows know no time zones and no daylight saving time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// The reason, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl MaintenanceWindow {
    /// The end of the window that `now` is in, if it is in one.
    pub fn ends_after(&self, now: Timestamp) -> Option<Timestamp> {
        let began = self.last_beginning(now)?;
        Some(began.plus_ms(self.lasts_ms)).filter(|end| *end > now)
    }

    /// The first start after `now`, if there is one.
    pub fn begins_after(&self, now: Timestamp) -> Option<Timestamp> {
        match (self.last_beginning(now), self.every_ms) {
            (None, _) => Some(self.begins),
            (Some(last), Some(every_ms)) => Some(last.plus_ms(every_ms)),
            (Some(_), None) => None,
        }
    }

    /// The last start at or before `now`.
    fn last_beginning(&self, now: Timestamp) -> Option<Timestamp> {
        let since_first = u64::try_from(now.0.checked_sub(self.begins.0)?).ok()?;
        let rounds = self.every_ms.and_then(|every_ms| since_first.checked_div(every_ms)).unwrap_or(0);
        Some(self.begins.plus_ms(rounds.saturating_mul(self.every_ms.unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(every_ms: Option<u64>) -> MaintenanceWindow {
        MaintenanceWindow { begins: Timestamp(1_000), lasts_ms: 100, every_ms, reason: String::new() }
    }

    #[test]
    fn a_window_that_is_once_is_never_again() {
        let once = window(None);
        assert_eq!(
            (once.ends_after(Timestamp(999)), once.begins_after(Timestamp(999))),
            (None, Some(Timestamp(1_000)))
        );
        assert_eq!(once.ends_after(Timestamp(1_000)), Some(Timestamp(1_100)));
        assert_eq!(once.ends_after(Timestamp(1_099)), Some(Timestamp(1_100)));
        assert_eq!((once.ends_after(Timestamp(1_100)), once.begins_after(Timestamp(1_100))), (None, None));
    }

    #[test]
    fn a_window_that_comes_again_begins_at_each_of_its_times() {
        let again = window(Some(500));
        assert_eq!(again.ends_after(Timestamp(2_000)), Some(Timestamp(2_100)));
        assert_eq!(again.ends_after(Timestamp(2_100)), None);
        assert_eq!(again.begins_after(Timestamp(2_000)), Some(Timestamp(2_500)));
    }

    #[test]
    fn a_time_before_all_times_is_in_no_window() {
        assert_eq!(window(Some(500)).ends_after(Timestamp(i64::MIN)), None);
        assert_eq!(window(Some(0)).ends_after(Timestamp(1_050)), Some(Timestamp(1_100)));
    }
}
