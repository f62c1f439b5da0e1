//! The queue of an entity while the count of shards changes: it is told its new queue, and moves there when it continues as
//! new.

use serde::{Deserialize, Serialize};

use super::queue::PREFIX_BYTES_MAX;
use crate::limits::ContinueAsNew;

/// The longest name of a queue of entities, in bytes: after the prefix come a kind and a shard.
const QUEUE_NAME_BYTES_MAX: usize = PREFIX_BYTES_MAX + 32;

/// The task queue to which an entity must move, as told by a process that knows the layout of the queues.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QueueAssignment {
    /// The generation of the layout that the sender knows: assignments of older layouts are ignored.
    pub generation: u64,
    /// The queue.
    pub task_queue: String,
}

/// What an entity knows of its queue. It travels through continue-as-new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueMove {
    /// The last assignment of the newest known layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "home")]
    queue_assignment: Option<QueueAssignment>,
    /// Whether it was asked to move soon, instead of waiting until its run is long enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    asked_to_move: bool,
}

impl QueueMove {
    /// Whether it has no assignment.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Takes an assignment; one of an older generation changes nothing, nor does one whose queue has no name of a queue of ours: the server
    /// would not let the run continue there. Returns whether it was taken.
    pub fn hear(&mut self, queue_assignment: QueueAssignment) -> bool {
        let is_newer =
            self.queue_assignment.as_ref().is_none_or(|known| known.generation <= queue_assignment.generation);
        let heard = is_newer && is_queue_name(&queue_assignment.task_queue);
        if heard {
            self.queue_assignment = Some(queue_assignment);
        }
        heard
    }

    /// The same, from a process that found the entity on another queue and asks it to move soon.
    pub fn ask_to_move(&mut self, queue_assignment: QueueAssignment) {
        self.asked_to_move |= self.hear(queue_assignment);
    }

    /// The queue of the next run; none if it stays. It does not compare the two: the server knows which queue a run
    /// is on, and a replay elsewhere must not depend on it.
    pub fn next_queue(&self) -> Option<&str> {
        self.queue_assignment.as_ref().map(|queue_assignment| queue_assignment.task_queue.as_str())
    }

    /// When a run must end, given what its length requires: an entity that was asked to move does not wait for the length, but nothing that
    /// is running is interrupted.
    pub fn judge(&self, by_length: ContinueAsNew) -> ContinueAsNew {
        match by_length {
            ContinueAsNew::No if self.asked_to_move => ContinueAsNew::WhenIdle,
            other => other,
        }
    }

    /// The state of the next run: it has moved.
    #[must_use]
    pub fn of_next_run(&self) -> Self {
        Self { queue_assignment: self.queue_assignment.clone(), asked_to_move: false }
    }
}

/// Whether queues of ours have such names: a prefix, a kind and a shard.
fn is_queue_name(name: &str) -> bool {
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=QUEUE_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_of_names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_task_queues_changes_nothing() {
        let mut queue_move = QueueMove::default();
        for task_queue in ["", "a b", "interlock.entity.\u{0}", &"q".repeat(1_001)] {
            queue_move.ask_to_move(queue_assignment(9, task_queue));
            assert!(queue_move.is_unknown(), "{task_queue}");
        }
        queue_move.ask_to_move(queue_assignment(1, "my-prefix.entity_x.07"));
        assert_eq!(queue_move.next_queue(), Some("my-prefix.entity_x.07"));
    }

    fn queue_assignment(generation: u64, task_queue: &str) -> QueueAssignment {
        QueueAssignment { generation, task_queue: task_queue.to_owned() }
    }

    #[test]
    fn who_knows_an_older_layout_is_not_heard() {
        let mut queue_move = QueueMove::default();
        assert!(queue_move.is_unknown() && queue_move.next_queue().is_none());
        assert!(queue_move.hear(queue_assignment(2, "q.2")));
        assert!(!queue_move.hear(queue_assignment(1, "q.1")));
        queue_move.ask_to_move(queue_assignment(1, "q.1"));
        assert_eq!((queue_move.next_queue(), queue_move.judge(ContinueAsNew::No)), (Some("q.2"), ContinueAsNew::No));
        assert!(queue_move.hear(queue_assignment(2, "q.3")), "of the same layout the last word counts");
        assert_eq!(queue_move.next_queue(), Some("q.3"));
    }

    #[test]
    fn only_who_is_asked_to_move_does_not_wait_until_its_run_is_long() {
        let mut queue_move = QueueMove::default();
        queue_move.hear(queue_assignment(2, "q.2"));
        assert_eq!(queue_move.judge(ContinueAsNew::No), ContinueAsNew::No);
        queue_move.ask_to_move(queue_assignment(2, "q.2"));
        assert_eq!(queue_move.judge(ContinueAsNew::No), ContinueAsNew::WhenIdle);
        assert_eq!(queue_move.judge(ContinueAsNew::Now), ContinueAsNew::Now);
        let next = queue_move.of_next_run();
        assert_eq!(next.judge(ContinueAsNew::No), ContinueAsNew::No, "one request is one move");
        assert_eq!(next.next_queue(), Some("q.2"));
    }

    #[test]
    fn what_an_entity_knows_is_read_by_builds_that_know_less_and_more() {
        let known: QueueMove = serde_json::from_str("{}").unwrap();
        assert!(known.is_unknown());
        let mut queue_move = QueueMove::default();
        queue_move.ask_to_move(queue_assignment(3, "q.1"));
        let text = serde_json::to_string(&queue_move).unwrap();
        assert_eq!(serde_json::from_str::<QueueMove>(&text).unwrap(), queue_move);
        assert_eq!(serde_json::to_string(&QueueMove::default()).unwrap(), "{}");
    }
}
