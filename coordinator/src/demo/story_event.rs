//! One event of the demo's output: what happened, when, and where it was seen.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Where an event was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// The producer of events.
    Event,
    /// Interlock: a lease.
    Lease,
    /// Interlock: an order.
    Order,
    /// The log of the sandbox HSS.
    Hss,
    /// The log of the sandbox CRM.
    Crm,
}

impl Voice {
    /// The name, as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Lease => "lease",
            Self::Order => "order",
            Self::Hss => "hss",
            Self::Crm => "crm",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoryEvent {
    /// When, in milliseconds since the start of the demo.
    pub at_ms: i64,
    /// Where it was seen.
    pub voice: Voice,
    /// What, in a sentence.
    pub what: String,
}

/// The clock of the demo: it converts RFC 3339 times of targets and entities to milliseconds since the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoryClock {
    began: DateTime<Utc>,
}

impl StoryClock {
    /// Begins now.
    pub(super) fn begin() -> Self {
        Self { began: Utc::now() }
    }

    /// Now.
    pub(super) fn now_ms(self) -> i64 {
        (Utc::now() - self.began).num_milliseconds()
    }

    /// A written time; now, if it cannot be parsed.
    pub(super) fn at_ms(self, written: &str) -> i64 {
        match DateTime::parse_from_rfc3339(written) {
            Ok(at) => (at.to_utc() - self.began).num_milliseconds(),
            Err(_) => self.now_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_the_beginning_of_the_story() {
        let clock = StoryClock { began: "2026-01-01T00:00:00Z".parse().unwrap() };
        assert_eq!(clock.at_ms("2026-01-01T00:00:01.500Z"), 1_500);
    }
}
