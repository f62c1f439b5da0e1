//! Heartbeats of a call in flight, and the state that they carry to the next attempt.

use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use interlock_domain::attempt::{Left, LeftBy, LeftWithJob, calls_before};
use interlock_domain::ids::Timestamp;
use temporalio_sdk::activities::ActivityContext;

/// The pause between heartbeats. A cancellation arrives in the answer to one.
const EVERY: Duration = Duration::from_secs(5);

/// The state that this attempt leaves behind if it ends now.
pub(crate) struct Trace<'a> {
    context: &'a ActivityContext,
    left: Mutex<Option<LeftBy>>,
    /// The job that the target accepted.
    job: Mutex<Option<String>>,
    /// How often the request was sent, by this attempt and those before it.
    calls: AtomicU32,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(context: &'a ActivityContext) -> Self {
        let kept = left_before(context);
        let calls = calls_before(context.info().attempt, kept.as_ref().map(|kept| kept.left));
        let job = kept.and_then(|kept| kept.job);
        Self { context, left: Mutex::new(None), job: Mutex::new(job), calls: AtomicU32::new(calls) }
    }

    /// The target accepted the call as this job.
    pub(crate) fn keep_job(&self, job: String) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
    }

    /// The request is sent now.
    pub(crate) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the request was sent, by this attempt and those before it, as far as is known.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Records the state that would be left behind if the attempt ended now. It reaches the server with the attempt's failure and with
    /// the next heartbeat. If this attempt is over, `next_at` is the time for which the next one must be scheduled.
    pub(crate) async fn leave(&self, left: Left, next_at: Option<Timestamp>) {
        let left = LeftBy { attempt: self.context.info().attempt, left, next_at, calls: Some(self.calls()) };
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        self.beat().await;
    }

    /// Sends a heartbeat.
    async fn beat(&self) {
        let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.map(|left| {
            let is_job = matches!(left.left, Left::Accepted { .. });
            let job = self.job.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|_| is_job);
            LeftWithJob { left, job }
        });
        if let Err(error) = self.context.record_heartbeat(left).await {
            tracing::error!(%error, "cannot write a heartbeat");
        }
    }

    /// Runs `work` and sends heartbeats meanwhile.
    pub(crate) async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        alive(work, || self.beat()).await
    }
}

/// Runs `work`, and `beat` every few seconds meanwhile.
async fn alive<T, B: Future<Output = ()>>(work: impl Future<Output = T>, beat: impl Fn() -> B) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(EVERY) => beat().await,
        }
    }
}

/// How much of its work an attempt has done: the next one continues there.
pub(crate) struct Progress<'a> {
    context: &'a ActivityContext,
    done: &'a AtomicUsize,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(context: &'a ActivityContext, done: &'a AtomicUsize) -> Self {
        Self { context, done }
    }

    /// Sends a heartbeat.
    pub(crate) async fn beat(&self) {
        if let Err(error) = self.context.record_heartbeat(Some(self.done.load(Ordering::Relaxed))).await {
            tracing::error!(%error, "cannot write a heartbeat");
        }
    }

    /// Runs `work` and sends heartbeats meanwhile.
    pub(crate) async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        alive(work, || self.beat()).await
    }
}

/// What earlier attempts left behind, if it is known.
pub(crate) fn left_before(context: &ActivityContext) -> Option<LeftWithJob> {
    match context.heartbeat_details().deserialize::<Option<LeftWithJob>>() {
        Ok(left) => left.flatten(),
        Err(error) => {
            // Written by another version or in another language: treated as if nothing were known.
            tracing::warn!(%error, "cannot read the heartbeat of the previous attempt");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use interlock_workflows::activity_options::HEARTBEAT_TIMEOUT;
    use temporalio_macros::activities;
    use temporalio_sdk::activities::ActivityError;
    use temporalio_sdk::testing::ActivityEnvironment;

    use super::*;

    /// An activity without a server, for a call that takes that many seconds.
    pub struct Calls;

    #[activities]
    #[allow(missing_docs, reason = "a test")]
    impl Calls {
        #[activity]
        pub async fn call(context: ActivityContext, seconds: u64) -> Result<(), ActivityError> {
            Trace::new(&context).alive(tokio::time::sleep(Duration::from_secs(seconds))).await;
            Ok(())
        }
    }

    async fn signs_of_life_in(seconds: u64) -> u32 {
        let signs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&signs);
        let environment = ActivityEnvironment::builder_with_default()
            .register_activities(Calls)
            .on_heartbeat(move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
            })
            .build();
        environment.run(Calls::call, seconds).await.unwrap();
        signs.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_in_flight_sends_a_heartbeat_every_5_s() {
        assert_eq!(signs_of_life_in(4).await, 0);
        assert_eq!(signs_of_life_in(6).await, 1);
        assert_eq!(signs_of_life_in(61).await, 12);
    }

    #[test]
    fn a_worker_may_miss_two_heartbeats_before_it_is_given_up() {
        assert_eq!((EVERY * 3, HEARTBEAT_TIMEOUT), (HEARTBEAT_TIMEOUT, Duration::from_secs(15)));
    }
}
