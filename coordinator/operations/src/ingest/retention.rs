//! The retention of namespaces: for this long the server recognises a standalone activity that is started again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use interlock_client::namespaces;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::Timestamp;
use interlock_domain::limits::REMEMBERED_MS_MAX;
use interlock_domain::order::Rejection;
use temporalio_client::Client;

/// How long an answer, or its absence, is cached.
const KNOWN_FOR: Duration = Duration::from_mins(5);
/// How long the server may take to answer: an event waits for it.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The server's answer, and when it came.
type Said = (Option<Duration>, Instant);

/// Knows the retention of namespaces.
#[derive(Clone, Default)]
pub(super) struct Retention(Arc<Mutex<BTreeMap<String, Said>>>);

impl Retention {
    /// The retention of a namespace; none if the server does not say, for example because this client may not describe namespaces.
    pub(super) async fn of(&self, client: &Client, namespace: &str) -> Option<Duration> {
        if let Some((retention, at)) = self.said().get(namespace).copied()
            && at.elapsed() < KNOWN_FOR
        {
            return retention;
        }
        let retention = asked(client, namespace).await;
        self.said().insert(namespace.to_owned(), (retention, Instant::now()));
        retention
    }

    fn said(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn asked(client: &Client, namespace: &str) -> Option<Duration> {
    match tokio::time::timeout(ANSWER_LIMIT, namespaces::retention(client, namespace)).await {
        Ok(Ok(retention)) => retention.filter(|retention| !retention.is_zero()),
        Ok(Err(error)) => {
            tracing::warn!(
                namespace,
                status = %error,
                "cannot tell for how long duplicates of unordered events are recognised"
            );
            None
        }
        Err(_) => None,
    }
}

/// Why an unordered event is not accepted: an event with a `time` may have been done and forgotten. Its order cannot have ended
/// before that time, so the server kept it at least for the retention after that time.
pub(super) fn too_old(time: Option<Timestamp>, now: Timestamp, retention: Option<Duration>) -> Option<Rejection> {
    let usual = Duration::from_millis(REMEMBERED_MS_MAX.unsigned_abs());
    let kept = retention.map_or(usual, |retention| retention.min(usual));
    let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let detail = || {
        let hours = kept.as_secs() / 3_600;
        format!(
            "The event is older than {hours} hours; duplicates of unordered events are recognised only within that \
             time."
        )
    };
    let is_forgotten = time.is_some_and(|time| time.0 < now.0.saturating_sub(kept_ms));
    is_forgotten.then(|| Rejection::new(ErrorCode::TooOld, detail()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    #[test]
    fn an_unordered_event_is_taken_as_long_as_its_duplicate_is_recognised() {
        let now = Timestamp(2_000_000_000_000);
        let is_too_old = |age_ms: i64, days: Option<u64>| {
            let retention = days.map(|days| Duration::from_hours(24 * days));
            too_old(Some(Timestamp(now.0 - age_ms)), now, retention).is_some()
        };
        for (days, kept) in [(Some(1), 1), (Some(30), 30), (Some(90), 30), (None, 30)] {
            assert!(!is_too_old(kept * DAY_MS, days), "{days:?}");
            assert!(is_too_old(kept * DAY_MS + 1, days), "{days:?}");
        }
        assert_eq!(too_old(None, now, Some(Duration::ZERO)), None, "of one without a time nothing is known");
        let rejection = too_old(Some(Timestamp(0)), now, Some(Duration::from_hours(24))).unwrap();
        assert_eq!(rejection.code, "too_old");
        assert!(rejection.detail.contains("24 hours"), "{}", rejection.detail);
    }
}
