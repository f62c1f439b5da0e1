//! Signs of life of a call under way, and what it leaves behind.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use interlock_domain::attempt::{Left, LeftBy};
use temporalio_sdk::activities::ActivityContext;

/// How often a call under way says that it lives. Cancellation arrives with the answers.
const EVERY: Duration = Duration::from_secs(5);

/// What an attempt leaves behind, as it stands.
pub(crate) struct Trace<'a> {
    context: &'a ActivityContext,
    left: Mutex<Option<Left>>,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(context: &'a ActivityContext) -> Self {
        Self { context, left: Mutex::new(None) }
    }

    /// Notes what would be left behind if the attempt ended now; it reaches the server with the attempt's failure, and
    /// with the next sign of life.
    pub(crate) async fn leave(&self, left: Left) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        self.beat().await;
    }

    /// Says that the attempt lives.
    async fn beat(&self) {
        let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let by_this = left.map(|left| LeftBy { attempt: self.context.info().attempt, left });
        if let Err(error) = self.context.record_heartbeat(by_this).await {
            tracing::error!(%error, "a heartbeat could not be written");
        }
    }

    /// Carries on with `work`, with signs of life all the while.
    pub(crate) async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(EVERY) => self.beat().await,
            }
        }
    }
}

/// What attempts before left behind, where it is known.
pub(crate) fn left_before(context: &ActivityContext) -> Option<LeftBy> {
    match context.heartbeat_details().deserialize::<Option<LeftBy>>() {
        Ok(left) => left.flatten(),
        Err(error) => {
            // Written by another version, or another language: as if nothing were known.
            tracing::warn!(%error, "the heartbeat of the attempt before cannot be read");
            None
        }
    }
}
