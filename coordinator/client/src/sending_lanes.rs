//! Limits how many signals of this process are in flight to one entity at a time.
//!
//! The server handles the calls about one entity one after the other, from all callers. If many signals are always waiting, each call
//! of a workflow task (its start, every page of its history, its end) waits behind all of them; and the server fails a task during
//! which 100 signals arrive. So the fewer signals wait, the more calls a task may need. With 16 at a time, a task that has to replay an
//! entity from about 1,000 events never ends while signals arrive. If the worker of an entity died, another one replays the entity only
//! some seconds later. The signals of that time must stay far below the 10,000 that the server accepts for one run, so the rate for
//! each entity is also limited.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The number of lanes. Entities are assigned by a hash, so that no bookkeeping is needed. A few entities share a lane.
const LANES: usize = 1_024;
/// The most signals in flight in one lane.
const SIGNALS_AT_A_TIME: usize = 4;
/// The most signals a second in one lane: ten times what an entity can turn into orders.
const SIGNALS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("a constant that is not 0");
/// The burst in one lane that does not wait for the rate: fewer signals than fail a task.
const SIGNALS_AT_ONCE: NonZeroU32 = NonZeroU32::new(50).expect("a constant that is not 0");

struct Lane {
    under_way: Semaphore,
    rate_limiter: DefaultDirectRateLimiter,
}

/// The lanes of this process.
#[derive(Clone)]
pub(crate) struct SendingLanes {
    lanes: Arc<[Lane]>,
    deal: RandomState,
}

impl SendingLanes {
    pub(crate) fn new() -> Self {
        let quota = Quota::per_second(SIGNALS_PER_SECOND).allow_burst(SIGNALS_AT_ONCE);
        let lane = |_| Lane { under_way: Semaphore::new(SIGNALS_AT_A_TIME), rate_limiter: RateLimiter::direct(quota) };
        let lanes = (0..LANES).map(lane).collect();
        Self { lanes, deal: RandomState::new() }
    }

    /// Waits until one more signal may be sent to this entity. The permit counts until it is dropped. The result is never `None`, since
    /// lanes are never closed.
    pub(crate) async fn enter(&self, workflow_id: &str) -> Option<SemaphorePermit<'_>> {
        let lane = self.deal.hash_one(workflow_id) % LANES as u64;
        let lane = &self.lanes[usize::try_from(lane).unwrap_or(0)];
        let permit = lane.under_way.acquire().await.ok();
        lane.rate_limiter.until_ready().await;
        permit
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn the_number_of_signals_in_flight_to_one_entity_is_limited() {
        let lanes = SendingLanes::new();
        let mut under_way = Vec::new();
        for _ in 0..SIGNALS_AT_A_TIME {
            under_way.push(lanes.enter("t/customer/c").await.unwrap());
        }
        let waits = || tokio::time::timeout(Duration::ZERO, lanes.enter("t/customer/c"));
        assert!(waits().await.is_err());
        drop(under_way.pop());
        assert!(waits().await.is_ok());
    }

    #[tokio::test]
    async fn signals_above_the_rate_wait() {
        let lanes = SendingLanes::new();
        let began = Instant::now();
        let mut at_once = 0;
        // On a slow machine, the rate allows some more signals in the meantime.
        while tokio::time::timeout(Duration::ZERO, lanes.enter("t/customer/c")).await.is_ok() {
            at_once += 1;
        }
        let meanwhile = began.elapsed().as_millis() * u128::from(SIGNALS_PER_SECOND.get()) / 1_000 + 1;
        let burst = u128::from(SIGNALS_AT_ONCE.get());
        assert!((burst..=burst + meanwhile).contains(&at_once), "{at_once} signals, {meanwhile} by the rate");
        assert!(lanes.enter("t/customer/c").await.is_some());
    }
}
