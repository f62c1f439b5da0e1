//! How many signals of this process are on their way to one entity at a time.
//!
//! The server takes the calls about one entity one after the other, whoever makes them. Where many signals are always waiting,
//! each call of a workflow task (its start, every page of its history, its end) waits behind all of them; and a task during
//! which 100 signals come is failed by the server. So the fewer signals wait, the more calls a task may need: with 16 at a time
//! a task of an entity that has to be replayed from about 1,000 events never ends while they come. And an entity whose worker
//! died is replayed only some seconds later: what came meanwhile must stay far below the 10,000 signals that the server takes
//! for one run, so only so many go to an entity in a second.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Lanes: entities are dealt to them by chance, so that they need no keeping. A few entities share one.
const LANES: usize = 1_024;
/// Signals on their way in one lane at a time.
const SIGNALS_AT_A_TIME: usize = 4;
/// Signals in one lane in a second: ten times what an entity can make orders of.
const SIGNALS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("a constant that is not 0");
/// Signals in one lane that do not wait for the second to pass: fewer than fail a task.
const SIGNALS_AT_ONCE: NonZeroU32 = NonZeroU32::new(50).expect("a constant that is not 0");

struct Lane {
    under_way: Semaphore,
    pace: DefaultDirectRateLimiter,
}

/// The lanes of this process.
#[derive(Clone)]
pub(crate) struct SendingLanes {
    lanes: Arc<[Lane]>,
    deal: RandomState,
}

impl SendingLanes {
    pub(crate) fn new() -> Self {
        let pace = Quota::per_second(SIGNALS_PER_SECOND).allow_burst(SIGNALS_AT_ONCE);
        let lane = |_| Lane { under_way: Semaphore::new(SIGNALS_AT_A_TIME), pace: RateLimiter::direct(pace) };
        let lanes = (0..LANES).map(lane).collect();
        Self { lanes, deal: RandomState::new() }
    }

    /// Waits until one more signal may be sent to this entity, for as long as the permit is kept. None is never answered: no
    /// lane is ever closed.
    pub(crate) async fn enter(&self, workflow_id: &str) -> Option<SemaphorePermit<'_>> {
        let lane = self.deal.hash_one(workflow_id) % LANES as u64;
        let lane = &self.lanes[usize::try_from(lane).unwrap_or(0)];
        let permit = lane.under_way.acquire().await.ok();
        lane.pace.until_ready().await;
        permit
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn so_many_signals_go_to_one_entity_at_a_time_and_no_more() {
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
    async fn what_is_more_than_so_many_in_a_second_waits() {
        let lanes = SendingLanes::new();
        for _ in 0..SIGNALS_AT_ONCE.get() {
            drop(lanes.enter("t/customer/c").await);
        }
        let one_more = tokio::time::timeout(Duration::ZERO, lanes.enter("t/customer/c"));
        assert!(one_more.await.is_err());
        assert!(lanes.enter("t/customer/c").await.is_some());
    }
}
