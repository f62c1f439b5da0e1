//! Which effects may leave an entity before their workflow task is recorded (`coordinator/docs/inside/effects.md`).
//!
//! A local activity runs before its workflow task is recorded. If the completion of the task does not reach the server, the
//! task is attempted again, with a later clock and with everything that arrived meanwhile; what the first attempt sent cannot
//! be recalled. The SDK applies the signals of an attempt first, in the order of history, then updates, then results and timers.
//! So the signals of an attempt begin with those of the previous attempt, in the same order; nothing else is certain to
//! be the same, to come in the same order, or to come again at all.
//!
//! Hence the rule that [`Recording`] enforces: an effect leaves by a local activity only if everything that the run received in its
//! present workflow task was a message whose content alone decides what follows ([`Cause::Message`]). In every other
//! case it leaves by a normal activity: its content is recorded with the task that decided it, and only then does it start.

use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;
use crate::limits::CLOCKS_APART_MS_MAX;

/// The behaviour that a run of an entity started with. A run keeps it until it continues as new, so that its history
/// replays: the shell asks the SDK's patch marker when the run starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Edition {
    /// As in 0.1.0: local activities start at once, and epochs come from workflow time.
    V0_1,
    /// As in 0.2.0: effects are the same in all attempts of a workflow task.
    V0_2,
    /// As in 0.2.0 with subscriptions: a customer that does not know who is subscribed asks when it has something to tell.
    #[default]
    V0_2Tells,
}

/// What an input of an entity depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A message (a signal): every later attempt of the workflow task receives it at the same place, and its
    /// effect on the machine does not depend on workflow time.
    Message,
    /// Anything else: an update, a result, a timer, or a message whose effect depends on workflow time.
    Other,
}

/// When a message was sent, if the machine may use that time: none if the sender did not say, or if its clock is so far ahead
/// of workflow time that it cannot be trusted. `now` is the workflow time.
///
/// A later attempt, with a later `now`, may trust a time that an earlier one did not. That is harmless: without a
/// time the effect is recorded before it leaves, so the earlier attempt sent nothing.
pub fn said_at(now: Timestamp, sent_at: Option<Timestamp>) -> Option<Timestamp> {
    sent_at.filter(|sent_at| *sent_at <= now.plus_ms(CLOCKS_APART_MS_MAX))
}

/// Decides whether a local activity may start in the present workflow task of a run.
///
/// A task is identified by the length of the history at its start, in events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recording {
    /// The last task in which something other than a message was received.
    other_in: Option<u32>,
    /// Whether a local activity ended, and nothing else has happened since.
    local_ended: bool,
}

impl Recording {
    /// The run received an input in this task.
    pub fn took(&mut self, task: u32, cause: Cause) {
        self.reached(task);
        if cause == Cause::Other {
            self.other_in = Some(task);
        }
    }

    /// Something other than an input happened in this task. All earlier tasks are recorded.
    pub fn reached(&mut self, task: u32) {
        self.local_ended = false;
        if self.other_in.is_some_and(|known| known != task) {
            self.other_in = None;
        }
    }

    /// A local activity ended. Its result may be recorded later than the run receives it, or differ in the next
    /// attempt; and the task in which the run receives it is not the same in replay, so the task is not a parameter.
    pub fn local_ended(&mut self) {
        self.local_ended = true;
    }

    /// Whether a local activity that the machine wants now may start in this task.
    pub fn may_leave(&self) -> bool {
        self.other_in.is_none() && !self.local_ended
    }
}

/// The input of an activity that runs after the decision to run it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requested<I> {
    /// What the answer must repeat: it names the request by its number in the run.
    pub receipt: String,
    /// The input itself.
    pub input: I,
}

/// The answer of such an activity. Anyone with Temporal's tools can complete an activity by hand; the receipt distinguishes the answer
/// of a worker from that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipted<O> {
    /// The receipt of the request.
    pub receipt: String,
    /// The answer.
    pub output: O,
}

impl<O> Receipted<O> {
    /// The answer, if it has the receipt of the request.
    pub fn of(self, receipt: &str) -> Option<O> {
        (self.receipt == receipt).then_some(self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_messages_alone_cause_leaves_at_once() {
        let mut recording = Recording::default();
        assert!(recording.may_leave());
        recording.took(5, Cause::Message);
        recording.took(5, Cause::Message);
        assert!(recording.may_leave());
    }

    #[test]
    fn what_anything_else_causes_waits_for_the_next_task() {
        let mut recording = Recording::default();
        recording.took(5, Cause::Message);
        recording.took(5, Cause::Other);
        assert!(!recording.may_leave());
        recording.took(5, Cause::Message);
        assert!(!recording.may_leave(), "in the same task");
        recording.took(8, Cause::Message);
        assert!(recording.may_leave(), "the earlier task is recorded");
        recording.took(8, Cause::Other);
        recording.reached(11);
        assert!(recording.may_leave());
    }

    #[test]
    fn what_the_result_of_a_local_activity_causes_waits_until_something_else_happened() {
        let mut recording = Recording::default();
        recording.took(5, Cause::Message);
        recording.local_ended();
        assert!(!recording.may_leave());
        recording.took(8, Cause::Message);
        assert!(recording.may_leave());
        recording.local_ended();
        recording.reached(11);
        assert!(recording.may_leave());
    }

    #[test]
    fn an_answer_without_the_receipt_is_none() {
        let answer = |receipt: &str| Receipted { receipt: receipt.to_owned(), output: 7 };
        assert_eq!(answer("request 12 of the run").of("request 12 of the run"), Some(7));
        assert_eq!(answer("").of("request 12 of the run"), None);
    }

    #[test]
    fn a_time_is_trusted_up_to_the_distance_of_clocks() {
        let now = Timestamp(1_000_000);
        let edge = now.plus_ms(CLOCKS_APART_MS_MAX);
        assert_eq!(said_at(now, Some(edge)), Some(edge));
        assert_eq!(said_at(now, Some(edge.plus_ms(1))), None);
        assert_eq!(said_at(now, Some(Timestamp(0))), Some(Timestamp(0)));
        assert_eq!(said_at(now, None), None);
    }
}
