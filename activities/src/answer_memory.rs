//! Which resource queues lately left a claim without an answer: for a while no answer is waited for there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long no answer is waited for after one did not come.
const DOUBTED_FOR: Duration = Duration::from_secs(10);

/// By task queue, until when it is doubted that claims are answered.
#[derive(Debug, Default)]
pub(crate) struct AnswerMemory {
    doubted_until: Mutex<BTreeMap<String, Instant>>,
}

impl AnswerMemory {
    /// Whether an answer may be waited for.
    pub(crate) fn may_ask(&self, task_queue: &str, now: Instant) -> bool {
        self.lock().get(task_queue).is_none_or(|until| now >= *until)
    }

    /// Notes that an answer did not come.
    pub(crate) fn not_answered(&self, task_queue: &str, now: Instant) {
        self.lock().insert(task_queue.to_owned(), now + DOUBTED_FOR);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        // What is noted here is only ever a hint: a panic elsewhere does not spoil it.
        self.doubted_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_did_not_answer_is_not_asked_for_a_while() {
        let (memory, now) = (AnswerMemory::default(), Instant::now());
        assert!(memory.may_ask("q", now));
        memory.not_answered("q", now);
        assert!(!memory.may_ask("q", now + DOUBTED_FOR.checked_sub(Duration::from_millis(1)).unwrap()));
        assert!(memory.may_ask("other", now));
        assert!(memory.may_ask("q", now + DOUBTED_FOR));
    }
}
