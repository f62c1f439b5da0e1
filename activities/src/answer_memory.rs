//! Remembers which resource queues recently left a claim without an answer. For a while, claims there do not wait for an answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long claims do not wait for an answer after one was missing.
const DOUBTED_FOR: Duration = Duration::from_secs(10);

/// For each task queue: the time until which claims do not wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct AnswerMemory {
    doubted_until: Mutex<BTreeMap<String, Instant>>,
}

impl AnswerMemory {
    /// Whether a claim may wait for an answer.
    pub(crate) fn may_ask(&self, task_queue: &str, now: Instant) -> bool {
        self.lock().get(task_queue).is_none_or(|until| now >= *until)
    }

    /// Records that an answer did not come.
    pub(crate) fn not_answered(&self, task_queue: &str, now: Instant) {
        self.lock().insert(task_queue.to_owned(), now + DOUBTED_FOR);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        // This memory is only a hint, so a panic elsewhere does not make it invalid.
        self.doubted_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_missing_answer_claims_do_not_wait_for_a_while() {
        let (memory, now) = (AnswerMemory::default(), Instant::now());
        assert!(memory.may_ask("q", now));
        memory.not_answered("q", now);
        assert!(!memory.may_ask("q", now + DOUBTED_FOR.checked_sub(Duration::from_millis(1)).unwrap()));
        assert!(memory.may_ask("other", now));
        assert!(memory.may_ask("q", now + DOUBTED_FOR));
    }
}
