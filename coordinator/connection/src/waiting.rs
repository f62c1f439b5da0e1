//! The start of a service while Temporal is away, or while its namespaces are not prepared yet: the service waits, so that the processes
//! of a deployment may start in any order. If it ended instead, its supervisor would restart it, at longer and longer intervals.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;

use crate::connection::ConnectionFlags;

/// The first and the longest pause between two attempts to start.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Why a service waits at its start, for those who ask it.
#[derive(Debug, Clone)]
pub struct Waiting {
    reason: Arc<Mutex<String>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { reason: Arc::new(Mutex::new("it is connecting to Temporal".to_owned())) }
    }
}

impl Waiting {
    /// The reason, in a sentence.
    pub fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Repeats `attempt` until it succeeds, for ever if need be, or as long as the flags say. It ends at once for a reason that
    /// waiting does not change.
    ///
    /// # Errors
    /// The [`Fault`] of the last attempt.
    pub async fn until_started<T>(
        &self,
        flags: &ConnectionFlags,
        attempt: impl AsyncFn() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let until = flags.connect_timeout.map(|limit| Instant::now() + limit);
        let pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSES.0)
            .with_max_delay(PAUSES.1)
            .with_jitter()
            .without_max_times();
        (|| attempt())
            .retry(pauses)
            .when(|fault: &Fault| is_waited_for(fault.code))
            .adjust(|_, pause| pause.filter(|pause| until.is_none_or(|until| Instant::now() + *pause < until)))
            .notify(|fault, pause| {
                self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&fault.message);
                tracing::warn!(
                    code = %fault.code,
                    pause_ms = pause.as_millis(),
                    "{} This process waits for that. {}",
                    fault.message,
                    fault.next
                );
            })
            .await
    }
}

/// Whether waiting may help: the server may come back, and somebody may be about to run `interlock bootstrap`.
fn is_waited_for(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::TemporalUnreachable | ErrorCode::NotBootstrapped)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Attempts that fail with these codes, one after the other, and then succeed: how it ended, and after how many attempts.
    async fn started(flags: &ConnectionFlags, codes: &[ErrorCode]) -> (Result<(), ErrorCode>, u32) {
        let attempts = AtomicU32::new(0);
        let attempt = async || {
            let number = attempts.fetch_add(1, Ordering::Relaxed) as usize;
            codes.get(number).map_or(Ok(()), |code| Err(Fault::failed(*code, "Not yet.")))
        };
        let waiting = Waiting::default();
        let ended = waiting.until_started(flags, attempt).await.map_err(|fault| fault.code);
        (ended, attempts.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_waits_for_temporal_and_for_the_bootstrap_however_long_they_take() {
        let away = [[ErrorCode::TemporalUnreachable; 500], [ErrorCode::NotBootstrapped; 500]].concat();
        assert_eq!(started(&ConnectionFlags::default(), &away).await, (Ok(()), 1_001));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_does_not_wait_for_what_only_a_person_can_change() {
        let codes = [ErrorCode::TemporalUnreachable, ErrorCode::ShardCountDisagrees];
        let (ended, attempts) = started(&ConnectionFlags::default(), &codes).await;
        assert_eq!((ended, attempts), (Err(ErrorCode::ShardCountDisagrees), 2));
    }

    #[tokio::test]
    async fn a_service_waits_no_longer_than_the_flag_says() {
        let flags = ConnectionFlags { connect_timeout: Some(Duration::from_millis(500)), ..ConnectionFlags::default() };
        let (ended, attempts) = started(&flags, &[ErrorCode::NotBootstrapped; 50]).await;
        assert_eq!(ended, Err(ErrorCode::NotBootstrapped));
        assert!((2..10).contains(&attempts), "{attempts}");
    }

    #[tokio::test]
    async fn whoever_asks_is_told_what_it_waits_for() {
        let waiting = Waiting::default();
        assert_eq!(waiting.reason(), "it is connecting to Temporal");
        let (seen, attempts) = (waiting.clone(), AtomicU32::new(0));
        let attempt = async || {
            if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(Fault::failed(ErrorCode::NotBootstrapped, "Nothing is recorded."));
            }
            assert_eq!(seen.reason(), "Nothing is recorded.");
            Ok(())
        };
        waiting.until_started(&ConnectionFlags::default(), attempt).await.unwrap();
    }
}
