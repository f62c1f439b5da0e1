//! Counts each observation of an entity's run once, however often the run is executed.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use interlock_domain::observation::Observation;
use lru::LruCache;

/// How many numbers are remembered, about 80 bytes each. The one that was not needed for the longest time is forgotten first.
const NUMBERS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// What a registry has counted of runs. All workers of a process share it, since one of them may repeat what another one did.
pub(super) struct CountedOnce {
    /// The number of the last observation that was counted, by the hash of its run and of what it is counted as.
    last: Mutex<LruCache<u64, u32>>,
}

impl Default for CountedOnce {
    fn default() -> Self {
        Self::with_room_for(NUMBERS_MAX)
    }
}

impl CountedOnce {
    fn with_room_for(numbers_max: NonZeroUsize) -> Self {
        Self { last: Mutex::new(LruCache::new(numbers_max)) }
    }

    /// Whether the observation with this number is to be counted: it was not before.
    pub(super) fn is_new(&self, run_id: &str, number: u32, observation: &Observation) -> bool {
        let key = BuildHasherDefault::<DefaultHasher>::default().hash_one((run_id, observation.counted_as()));
        let mut all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.get_or_insert_mut(key, || 0);
        let is_new = number > *last;
        *last = number.max(*last);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::order::OrderState;

    use super::*;

    fn once(numbers_max: usize) -> CountedOnce {
        CountedOnce::with_room_for(numbers_max.try_into().unwrap())
    }

    fn ended(state: OrderState) -> Observation {
        Observation::OrderEnded { tenant: "t".parse().unwrap(), state, rejected: None }
    }

    fn granted(waited_ms: u64) -> Observation {
        Observation::LeaseGranted { kind: "msisdn".parse().unwrap(), waited_ms }
    }

    #[test]
    fn what_a_run_observes_again_is_not_counted_again() {
        let once = once(10);
        let (completed, failed) = (ended(OrderState::Completed), ended(OrderState::Failed));
        let first = [(1, &completed), (1, &failed), (2, &completed)];
        assert_eq!(first.map(|(number, observation)| once.is_new("run", number, observation)), [true; 3]);
        assert_eq!(first.map(|(number, observation)| once.is_new("run", number, observation)), [false; 3]);
        // A task that is repeated may observe more than it did before.
        assert!(once.is_new("run", 3, &completed) && !once.is_new("run", 1, &failed));
    }

    #[test]
    fn what_is_measured_again_is_the_same_observation() {
        let once = once(10);
        assert!(once.is_new("run", 1, &granted(4_000)) && !once.is_new("run", 1, &granted(9_000)));
    }

    #[test]
    fn each_run_is_counted_by_itself_and_may_begin_in_another_process() {
        let (once, completed) = (once(10), ended(OrderState::Completed));
        assert!(once.is_new("run 1", 1, &completed));
        // Another process counted the first three.
        assert!(once.is_new("run 2", 4, &completed) && !once.is_new("run 2", 4, &completed));
    }

    #[test]
    fn at_its_limit_the_number_that_was_not_needed_for_the_longest_time_is_forgotten() {
        let (once, completed) = (once(2), ended(OrderState::Completed));
        let is_new = |run_id: &str| once.is_new(run_id, 1, &completed);
        assert_eq!(["1", "2", "1", "3"].map(is_new), [true, true, false, true]);
        assert_eq!(["1", "3", "2"].map(is_new), [false, false, true]);
    }
}
