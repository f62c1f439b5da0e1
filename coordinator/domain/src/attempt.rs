//! What one attempt of a step does: send, settle an earlier attempt first, or leave it to a person.
//!
//! Ambiguity is settled before anything goes on (trace 8 of the protocol): where an earlier attempt may have sent its
//! request and nobody knows what became of it, the next attempt waits until that request can no longer land, reads
//! back, and only then sends. Every decision of that kind is made here, as a pure function of what is known; the
//! activity only carries it out.

use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;
use crate::outcome::Outcome;

/// How far the promise "once" goes for one operation of one target: what the decisions here depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Capabilities {
    /// Whether the effect can be read back.
    pub verify: bool,
    /// Whether the target carries out a call only once per idempotency key, however late its copies land.
    pub idempotency_keys: bool,
    /// What is to be done after an ambiguous attempt.
    pub on_ambiguous: OnAmbiguous,
    /// How long after it was sent a request may still land, in milliseconds.
    pub max_apply_delay_ms: u64,
}

/// What is to be done after an attempt that may or may not have had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAmbiguous {
    /// Wait until it can no longer land, read back, then send if it is not there.
    Verify,
    /// Send again: the target knows the idempotency key, or a second effect does no harm.
    Resend,
    /// Wait for a person.
    Hold,
    /// End the step as failed: late is worse than never.
    GiveUp,
}

/// What an attempt leaves behind for the next one of the same schedule. It travels as heartbeat details, which the
/// server keeps whatever becomes of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "left", rename_all = "snake_case")]
pub enum Left {
    /// Nothing of this step is on its way: whatever was sent was answered.
    Settled,
    /// A request may be on its way.
    MaybeSent {
        /// The latest time at which it can have been sent.
        until: Timestamp,
    },
}

/// [`Left`], and which attempt left it. The server hands the details of the last heartbeat on from attempt to attempt:
/// those of an older attempt say nothing about the one that ended just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeftBy {
    /// The attempt, from 1.
    pub attempt: u32,
    /// What it left.
    #[serde(flatten)]
    pub left: Left,
}

/// What an attempt knows when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Which attempt of this schedule it is, from 1.
    pub attempt: u32,
    /// Whether an earlier schedule of this step may have sent its request.
    pub maybe_sent: bool,
    /// What attempts before left behind, where anything reached the server.
    pub left: Option<LeftBy>,
    /// When this attempt was scheduled: the one before had been given up by then.
    pub scheduled_at: Timestamp,
    /// How long one attempt may go on sending after it began, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// Now.
    pub now: Timestamp,
}

/// What an attempt is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Send the request.
    Send,
    /// Wait this long, read back, and go on by [`after_verification`]'s counsel.
    Verify {
        /// How long, in milliseconds; 0 where nothing can land any more.
        wait_ms: u64,
    },
    /// Wait this long, then send.
    SendLater {
        /// How long, in milliseconds.
        wait_ms: u64,
    },
    /// Report this outcome, without sending anything.
    Report(Outcome),
}

/// What an attempt is to do first.
pub fn first_move(situation: &Situation, capabilities: &Capabilities) -> Move {
    let Some(until) = maybe_sent_until(situation) else { return Move::Send };
    let lands_until = until.plus_ms(capabilities.max_apply_delay_ms);
    let wait_ms = u64::try_from(lands_until.0.saturating_sub(situation.now.0)).unwrap_or(0);
    match capabilities.on_ambiguous {
        OnAmbiguous::Verify if capabilities.verify => Move::Verify { wait_ms },
        OnAmbiguous::Resend if capabilities.idempotency_keys || wait_ms == 0 => Move::Send,
        OnAmbiguous::Resend => Move::SendLater { wait_ms },
        OnAmbiguous::Verify | OnAmbiguous::Hold => Move::Report(Outcome::Ambiguous {
            detail: "An earlier attempt may have reached the target, and its effect cannot be read back.".to_owned(),
        }),
        OnAmbiguous::GiveUp => Move::Report(Outcome::Permanent {
            code: "given_up_ambiguous".to_owned(),
            detail: "An earlier attempt may have reached the target; sending it again late is worse than never."
                .to_owned(),
        }),
    }
}

/// Until when an earlier request may have been sent; none where nothing is on its way.
fn maybe_sent_until(situation: &Situation) -> Option<Timestamp> {
    // Whoever was given up may be cut off and not know it: it goes on until its own deadline.
    let by_its_deadline = situation.scheduled_at.plus_ms(situation.attempt_timeout_ms);
    match left_just_before(situation) {
        Some(Left::MaybeSent { until }) => Some(until),
        None if situation.attempt > 1 || situation.maybe_sent => Some(by_its_deadline),
        Some(Left::Settled) | None => None,
    }
}

/// What the attempt just before left behind, where it said so.
pub fn left_just_before(situation: &Situation) -> Option<Left> {
    situation.left.filter(|left| left.attempt.checked_add(1) == Some(situation.attempt)).map(|left| left.left)
}

/// What reading back said of the earlier request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBack {
    /// It had its effect.
    Applied,
    /// It had none, or a part of it only.
    NotApplied,
    /// It had none, and somebody else has the resource.
    InUse {
        /// Who, where the target says so.
        holder: Option<String>,
    },
    /// Nobody can say yet.
    Unclear {
        /// A sentence for a person.
        detail: String,
    },
}

/// What to do with what reading back said.
pub fn after_verification(read_back: ReadBack) -> AfterVerification {
    match read_back {
        ReadBack::Applied => AfterVerification::Report(Outcome::AlreadyDone),
        ReadBack::NotApplied => AfterVerification::Send,
        ReadBack::InUse { holder } => AfterVerification::Report(Outcome::InUse { holder }),
        ReadBack::Unclear { detail } => AfterVerification::AskAgain { detail },
    }
}

/// What follows a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterVerification {
    /// It is settled: this is the outcome of the step.
    Report(Outcome),
    /// It is settled: nothing is on its way, the request is to be sent.
    Send,
    /// It is not settled: another attempt asks again.
    AskAgain {
        /// A sentence for a person.
        detail: String,
    },
}

/// Whether a request may be begun: never after the attempt's deadline, since others count on it.
pub fn may_send(now: Timestamp, deadline: Timestamp) -> bool {
    now < deadline
}

/// The failure of an attempt that was cancelled before it sent anything.
pub const INTERRUPTED: &str = "interrupted";
/// The failure of an attempt whose time was over before it sent anything.
pub const TOO_LATE: &str = "too_late";

/// Whether an attempt that failed with this type, which is an outcome class or one of this module's constants, left
/// nothing on its way: its step may be sent again without settling anything.
pub fn is_settled_failure(failure_type: &str) -> bool {
    matches!(failure_type, "transient" | "throttled" | "unavailable" | INTERRUPTED | TOO_LATE)
}

/// What follows a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterCall {
    /// This is the outcome of the step.
    Report(Outcome),
    /// Another attempt is to be made.
    Retry {
        /// What this attempt leaves behind.
        left: Left,
        /// How long to wait at least, in milliseconds, where more is known than the retry policy's back-off.
        delay_ms: Option<u64>,
        /// The outcome of this attempt.
        outcome: Outcome,
    },
}

/// What to do with what a call answered, at `now`.
pub fn after_call(outcome: Outcome, capabilities: &Capabilities, now: Timestamp) -> AfterCall {
    match outcome {
        Outcome::Ambiguous { .. } => match capabilities.on_ambiguous {
            OnAmbiguous::Verify if capabilities.verify => AfterCall::Retry {
                left: Left::MaybeSent { until: now },
                delay_ms: Some(capabilities.max_apply_delay_ms),
                outcome,
            },
            OnAmbiguous::Resend => {
                let delay_ms = (!capabilities.idempotency_keys).then_some(capabilities.max_apply_delay_ms);
                AfterCall::Retry { left: Left::MaybeSent { until: now }, delay_ms, outcome }
            }
            OnAmbiguous::Verify | OnAmbiguous::Hold => AfterCall::Report(outcome),
            OnAmbiguous::GiveUp => AfterCall::Report(Outcome::Permanent {
                code: "given_up_ambiguous".to_owned(),
                detail: "The target may or may not have carried it out; sending it again late is worse than never."
                    .to_owned(),
            }),
        },
        Outcome::Throttled { retry_after_ms, .. } => {
            AfterCall::Retry { left: Left::Settled, delay_ms: retry_after_ms, outcome }
        }
        Outcome::Transient { .. } | Outcome::Unavailable { .. } => {
            AfterCall::Retry { left: Left::Settled, delay_ms: None, outcome }
        }
        Outcome::Done | Outcome::AlreadyDone | Outcome::InUse { .. } | Outcome::Permanent { .. } => {
            AfterCall::Report(outcome)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn capabilities(on_ambiguous: OnAmbiguous) -> Capabilities {
        Capabilities { verify: true, idempotency_keys: false, on_ambiguous, max_apply_delay_ms: 35_000 }
    }

    fn situation(attempt: u32, maybe_sent: bool, left: Option<Left>) -> Situation {
        let left = left.map(|left| LeftBy { attempt: attempt - 1, left });
        Situation { attempt, maybe_sent, left, scheduled_at: NOW, attempt_timeout_ms: 10_000, now: NOW }
    }

    #[test]
    fn a_first_attempt_sends_at_once() {
        assert_eq!(first_move(&situation(1, false, None), &capabilities(OnAmbiguous::Verify)), Move::Send);
    }

    #[test]
    fn an_attempt_after_a_clean_refusal_sends_at_once() {
        let after_refusal = situation(2, false, Some(Left::Settled));
        assert_eq!(first_move(&after_refusal, &capabilities(OnAmbiguous::Verify)), Move::Send);
    }

    #[test]
    fn what_an_older_attempt_left_says_nothing_about_the_one_that_vanished_since() {
        let stale = LeftBy { attempt: 1, left: Left::Settled };
        let third = Situation { left: Some(stale), ..situation(3, false, None) };
        assert_eq!(first_move(&third, &capabilities(OnAmbiguous::Verify)), Move::Verify { wait_ms: 10_000 + 35_000 });
    }

    #[test]
    fn an_attempt_whose_predecessor_vanished_waits_out_its_deadline_and_the_apply_delay_and_verifies() {
        let vanished = situation(2, false, None);
        assert_eq!(
            first_move(&vanished, &capabilities(OnAmbiguous::Verify)),
            Move::Verify { wait_ms: 10_000 + 35_000 }
        );
    }

    #[test]
    fn an_attempt_that_was_carried_over_settles_first_although_it_is_the_first_of_its_schedule() {
        let carried = situation(1, true, None);
        assert!(matches!(first_move(&carried, &capabilities(OnAmbiguous::Verify)), Move::Verify { .. }));
    }

    #[test]
    fn what_can_no_longer_land_is_read_back_at_once() {
        let long_ago = Left::MaybeSent { until: Timestamp(NOW.0 - 35_000) };
        assert_eq!(
            first_move(&situation(2, false, Some(long_ago)), &capabilities(OnAmbiguous::Verify)),
            Move::Verify { wait_ms: 0 }
        );
        let just_not = Left::MaybeSent { until: Timestamp(NOW.0 - 34_999) };
        assert_eq!(
            first_move(&situation(2, false, Some(just_not)), &capabilities(OnAmbiguous::Verify)),
            Move::Verify { wait_ms: 1 }
        );
    }

    #[test]
    fn sending_again_waits_unless_the_target_knows_the_idempotency_key() {
        let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
        let without_keys = capabilities(OnAmbiguous::Resend);
        assert_eq!(first_move(&unsettled, &without_keys), Move::SendLater { wait_ms: 35_000 });
        let with_keys = Capabilities { idempotency_keys: true, ..without_keys };
        assert_eq!(first_move(&unsettled, &with_keys), Move::Send);
    }

    #[test]
    fn what_cannot_be_read_back_is_left_to_a_person() {
        let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
        let blind = Capabilities { verify: false, ..capabilities(OnAmbiguous::Verify) };
        for held in [blind, capabilities(OnAmbiguous::Hold)] {
            assert!(matches!(first_move(&unsettled, &held), Move::Report(Outcome::Ambiguous { .. })));
        }
    }

    #[test]
    fn what_is_worse_late_than_never_is_given_up() {
        let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
        let Move::Report(Outcome::Permanent { code, .. }) = first_move(&unsettled, &capabilities(OnAmbiguous::GiveUp))
        else {
            panic!("expected a permanent outcome");
        };
        assert_eq!(code, "given_up_ambiguous");
    }

    #[test]
    fn an_ambiguous_answer_is_followed_by_another_attempt_once_it_can_no_longer_land() {
        let ambiguous = Outcome::Ambiguous { detail: "timed out".to_owned() };
        assert_eq!(
            after_call(ambiguous.clone(), &capabilities(OnAmbiguous::Verify), NOW),
            AfterCall::Retry { left: Left::MaybeSent { until: NOW }, delay_ms: Some(35_000), outcome: ambiguous }
        );
    }

    #[test]
    fn a_refusal_leaves_nothing_on_its_way_and_keeps_the_targets_own_delay() {
        let throttled = Outcome::Throttled { retry_after_ms: Some(7_000), detail: String::new() };
        assert_eq!(
            after_call(throttled.clone(), &capabilities(OnAmbiguous::Verify), NOW),
            AfterCall::Retry { left: Left::Settled, delay_ms: Some(7_000), outcome: throttled }
        );
    }

    #[test]
    fn what_reading_back_says_settles_the_step_or_asks_again() {
        assert_eq!(after_verification(ReadBack::Applied), AfterVerification::Report(Outcome::AlreadyDone));
        assert_eq!(after_verification(ReadBack::NotApplied), AfterVerification::Send);
        let somebody = Some("other".to_owned());
        assert_eq!(
            after_verification(ReadBack::InUse { holder: somebody.clone() }),
            AfterVerification::Report(Outcome::InUse { holder: somebody })
        );
        assert!(matches!(
            after_verification(ReadBack::Unclear { detail: String::new() }),
            AfterVerification::AskAgain { .. }
        ));
    }

    #[test]
    fn a_failure_is_settled_where_its_attempt_left_nothing_on_its_way() {
        let detail = String::new();
        let outcomes = [
            Outcome::Transient { detail: detail.clone() },
            Outcome::Throttled { retry_after_ms: None, detail: detail.clone() },
            Outcome::Unavailable { detail: detail.clone() },
            Outcome::Ambiguous { detail },
        ];
        for outcome in outcomes {
            let class = outcome.class();
            let after = after_call(outcome, &capabilities(OnAmbiguous::Verify), NOW);
            let AfterCall::Retry { left, .. } = after else { panic!("expected another attempt") };
            assert_eq!(is_settled_failure(class), left == Left::Settled, "{class}");
        }
    }

    #[test]
    fn nothing_is_sent_from_the_deadline_on() {
        assert!(may_send(Timestamp(9), Timestamp(10)));
        assert!(!may_send(Timestamp(10), Timestamp(10)));
    }
}
