//! Which effects may leave an entity before the workflow task that decided them is recorded (design §4.15).
//!
//! A local activity runs before its workflow task is recorded. If the completion of the task does not reach the server, the
//! task is attempted again, with a later clock and with everything that arrived meanwhile; what the first attempt sent stays
//! sent. The SDK applies the signals of an attempt first, in the order of history, then updates, then results and timers.
//! So the signals of an attempt begin with those of the attempt before, in the same order, and nothing else is certain to
//! be the same, to come in the same order, or to come again at all.
//!
//! Hence the rule, carried out by [`Recording`]: an effect leaves by a local activity only if everything that the run took in its
//! present workflow task came as a message whose content alone decides what follows ([`Cause::Message`]). In every other
//! case it leaves by a normal activity: its content is recorded with the task that decided it, and only then it begins.

use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;
use crate::limits::CLOCKS_APART_MS_MAX;

/// The behaviour that a run of an entity began with. A run keeps it until it continues as new, so that its history
/// replays: the shell asks the SDK's patch marker when the run begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Edition {
    /// As in 0.1.0: local activities begin at once, and epochs come from workflow time.
    V0_1,
    /// As in 0.2.0: effects are stable over the attempts of a workflow task.
    #[default]
    V0_2,
}

/// What an input of an entity rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A message (a signal): every later attempt of the workflow task takes it at the same place, and what the machine
    /// makes of it does not depend on workflow time.
    Message,
    /// Anything else: an update, a result, a timer, or a message whose effect depends on workflow time.
    Other,
}

/// When a message was sent, if the machine may go by it: none if the sender did not say so, or if its clock is so far ahead
/// of workflow time that it cannot be trusted. `now` is the workflow time.
///
/// A later attempt, with a later `now`, may come to trust a time that an earlier one did not. That is harmless: without a
/// time the effect is recorded before it leaves, so the earlier attempt sent nothing.
pub fn said_at(now: Timestamp, sent_at: Option<Timestamp>) -> Option<Timestamp> {
    sent_at.filter(|sent_at| *sent_at <= now.plus_ms(CLOCKS_APART_MS_MAX))
}

/// Decides whether a local activity may begin in the present workflow task of a run.
///
/// A task is named by the length of the history at its start, in events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recording {
    /// The task in which something else than a message was taken last.
    other_in: Option<u32>,
    /// Whether a local activity ended, and nothing else happened since.
    local_ended: bool,
}

impl Recording {
    /// The run took an input in this task.
    pub fn took(&mut self, task: u32, cause: Cause) {
        self.reached(task);
        if cause == Cause::Other {
            self.other_in = Some(task);
        }
    }

    /// Something happened in this task that is no input. Everything of earlier tasks is recorded.
    pub fn reached(&mut self, task: u32) {
        self.local_ended = false;
        if self.other_in.is_some_and(|known| known != task) {
            self.other_in = None;
        }
    }

    /// A local activity ended. Its result may be recorded later than the run hears of it, or be another one in the next
    /// attempt; in which task the run hears of it is not the same in replay, so the task is not asked for.
    pub fn local_ended(&mut self) {
        self.local_ended = true;
    }

    /// Whether a local activity that the machine wants now may begin in this task.
    pub fn may_leave(&self) -> bool {
        self.other_in.is_none() && !self.local_ended
    }
}

/// What an activity is asked that runs after the decision to do so was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requested<I> {
    /// What the answer has to repeat: it names the request by its number in the run.
    pub receipt: String,
    /// What is to be done.
    pub input: I,
}

/// What such an activity answers. Anybody with Temporal's tools can complete an activity by hand; the receipt tells the answer
/// of a worker from that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipted<O> {
    /// The receipt of the request.
    pub receipt: String,
    /// The answer.
    pub output: O,
}

impl<O> Receipted<O> {
    /// The answer, if it is one to the request with this receipt.
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
