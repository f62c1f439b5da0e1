//! What one attempt of a step does: send, settle an earlier attempt first, or leave it to a person.
//!
//! Ambiguity is settled before anything goes on (trace 8 of the protocol): where an earlier attempt may have sent its
//! request and nobody knows what became of it, the next attempt waits until that request can no longer land, reads
//! back, and only then sends. Every decision of that kind is made here, as a pure function of what is known; the
//! activity only carries it out.

use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;
use crate::ids::Timestamp;
use crate::outcome::Outcome;
use crate::retry::Wait;

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
///
/// The number alone does not say which attempt it was: an operator's reset makes the next one number 1 or 2 again. So an
/// attempt also says when the next one is to be scheduled, and is believed only where the next one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeftBy {
    /// The attempt, from 1.
    pub attempt: u32,
    /// What it left.
    #[serde(flatten)]
    pub left: Left,
    /// When the attempt after it is to be scheduled: the end of this one, and the pause that it asked for. None while it
    /// goes on, and where a build before 0.2.0 wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// How far the time for which an attempt asked may be from the time at which the server scheduled the next one, in
/// milliseconds: for the clocks of worker and server, and the time that the failure took to arrive. It is shorter than the
/// silence after which the server gives an attempt up ([heartbeat time-out](https://docs.temporal.io/encyclopedia/detecting-activity-failures#heartbeat-timeout)
/// 15 s), so that what was left before an operator's reset is never taken for what the attempt just before left.
pub const NEXT_AT_TOLERANCE_MS: u64 = 5_000;

/// What an attempt knows when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Which attempt of this schedule it is, from 1.
    pub attempt: u32,
    /// Whether an earlier schedule of this step may have sent its request.
    pub maybe_sent: bool,
    /// Whether a heartbeat of an attempt before is known to the server, whatever it said.
    pub has_details: bool,
    /// What attempts before left behind, where anything readable reached the server.
    pub left: Option<LeftBy>,
    /// When the call was scheduled by its workflow (or started, where it stands alone); none where the server does not say.
    pub first_scheduled_at: Option<Timestamp>,
    /// When this attempt was scheduled: the one before had been given up by then.
    pub scheduled_at: Timestamp,
    /// When this attempt was handed to a worker, by the server's clock: from then on the server counts.
    pub started_at: Timestamp,
    /// How long one attempt may go on sending after it began, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// From when on the call is no longer worth making.
    pub expires_at: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Situation {
    /// Whether no attempt of this call was before, so that nothing of it can be on its way. The attempt number alone proves
    /// nothing: an operator's reset of the activity, and the reset of its workflow, make it 1 again while an earlier attempt
    /// may still be sending. Each of them moves the time at which the attempt was scheduled, though.
    pub fn is_first(&self) -> bool {
        self.attempt == 1 && !self.has_details && !self.maybe_sent && self.first_scheduled_at == Some(self.scheduled_at)
    }

    /// Until when this attempt may send. Whoever comes after it waits for this time, by the server's clock: an attempt whose worker was
    /// stopped after the server had handed it out, and goes on later, has as much less time.
    pub fn deadline(&self) -> Timestamp {
        self.now.min(self.started_at).plus_ms(self.attempt_timeout_ms)
    }

    /// Whether the call is no longer worth making after so many milliseconds.
    fn is_expired_after(&self, wait_ms: u64) -> bool {
        self.expires_at.is_some_and(|at| self.now.plus_ms(wait_ms) >= at)
    }
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
    let Some(until) = maybe_sent_until(situation) else {
        return if situation.is_expired_after(0) { Move::Report(expired()) } else { Move::Send };
    };
    let lands_until = until.plus_ms(capabilities.max_apply_delay_ms);
    let wait_ms = u64::try_from(lands_until.0.saturating_sub(situation.now.0)).unwrap_or(0);
    match capabilities.on_ambiguous {
        OnAmbiguous::Verify if capabilities.verify => Move::Verify { wait_ms },
        OnAmbiguous::Resend => {
            let wait_ms = if capabilities.idempotency_keys { 0 } else { wait_ms };
            match wait_ms {
                _ if situation.is_expired_after(wait_ms) => Move::Report(given_up()),
                0 => Move::Send,
                _ => Move::SendLater { wait_ms },
            }
        }
        OnAmbiguous::Verify | OnAmbiguous::Hold => Move::Report(Outcome::Ambiguous {
            detail: "An earlier attempt may have reached the target, and its effect cannot be read back.".to_owned(),
        }),
        OnAmbiguous::GiveUp => Move::Report(given_up()),
    }
}

/// The outcome of a step that was not sent in the time in which its order was worth doing.
fn expired() -> Outcome {
    let detail = "It was not sent before it expired.".to_owned();
    Outcome::Permanent { code: ErrorCode::Expired.into(), detail }
}

/// The outcome of a step that may have been sent, and is not sent again.
fn given_up() -> Outcome {
    let detail =
        "The target may or may not have applied the call; a late retry would do more harm than none.".to_owned();
    Outcome::Permanent { code: ErrorCode::GivenUpAmbiguous.into(), detail }
}

/// Until when an earlier request may have been sent; none where nothing is on its way.
fn maybe_sent_until(situation: &Situation) -> Option<Timestamp> {
    // Whoever was given up may be cut off and not know it: it goes on until its own deadline.
    let by_its_deadline = situation.scheduled_at.plus_ms(situation.attempt_timeout_ms);
    match left_just_before(situation) {
        Some(Left::MaybeSent { until }) => Some(until),
        Some(Left::Settled) => None,
        None if situation.is_first() => None,
        None => Some(by_its_deadline),
    }
}

/// What the attempt just before left behind, where it said so.
pub fn left_just_before(situation: &Situation) -> Option<Left> {
    let left = situation.left.filter(|left| left.attempt.checked_add(1) == Some(situation.attempt))?;
    let was_asked_for = |next_at: Timestamp| next_at.0.abs_diff(situation.scheduled_at.0) <= NEXT_AT_TOLERANCE_MS;
    left.next_at.is_some_and(was_asked_for).then_some(left.left)
}

/// What an attempt fails as and leaves behind that was not let through to its target: it is as it was before the attempt.
/// `is_read_back` says whether the earlier request was settled in it by reading back.
pub fn not_let_through(situation: &Situation, is_read_back: bool) -> (&'static str, Left) {
    match maybe_sent_until(situation) {
        Some(until) if !is_read_back => ("settling", Left::MaybeSent { until }),
        _ => ("unavailable", Left::Settled),
    }
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

/// What to do with what reading back said; `is_expired` says that the call is no longer worth making.
pub fn after_verification(read_back: ReadBack, is_expired: bool) -> AfterVerification {
    match read_back {
        ReadBack::Applied => AfterVerification::Report(Outcome::AlreadyDone),
        ReadBack::NotApplied if is_expired => AfterVerification::Report(expired()),
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

/// Whether a request may be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaySend {
    /// It may.
    Yes,
    /// The attempt's time is over, and others count on it: another attempt is to be made.
    TooLate,
    /// The order's time is over: this is the outcome of the step.
    Expired(Outcome),
}

/// Whether a request may be begun: never from the attempt's deadline on, and never from the time on when it is no longer worth
/// making. `is_settled` says that nothing of an earlier attempt is in doubt.
pub fn may_send(now: Timestamp, deadline: Timestamp, expires_at: Option<Timestamp>, is_settled: bool) -> MaySend {
    match expires_at {
        Some(expires_at) if now >= expires_at => MaySend::Expired(if is_settled { expired() } else { given_up() }),
        _ if now >= deadline => MaySend::TooLate,
        _ => MaySend::Yes,
    }
}

/// How the attempts of a call ended that gave no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered<'a> {
    /// Its last attempt failed with this type, and there was no time for another one.
    Failed(&'a str),
    /// Its time was over before any attempt ended.
    NeverAttempted,
    /// Nobody knows what its last attempt did: its worker died, or the like.
    Vanished,
}

/// The outcome of a call whose attempts ended without one; `expires` says that its time was limited. A call that is limited
/// gets the time of one more attempt on top, so that none is under way when it is over.
pub fn of_unanswered(unanswered: Unanswered<'_>, expires: bool) -> Outcome {
    match unanswered {
        Unanswered::Failed(failure_type) if expires && is_settled_failure(failure_type) => expired(),
        Unanswered::NeverAttempted if expires => expired(),
        // An adapter should answer outcomes; what fails for good without one may have had its effect.
        Unanswered::Failed(failure_type) => Outcome::Ambiguous {
            detail: format!(
                "The activity 'provision' ended without an outcome; its last failure was '{failure_type}'."
            ),
        },
        Unanswered::NeverAttempted | Unanswered::Vanished => {
            Outcome::Ambiguous { detail: "The activity 'provision' ended without an outcome.".to_owned() }
        }
    }
}

/// The failure of an attempt that waited until nothing could land any more, and read back that nothing did: the attempt after it
/// sends. An attempt that waited never sends itself: an operator may have had the server begin another one meanwhile, which
/// counts on it that no attempt before it sends later than its own time-out after it was scheduled.
pub const READ_BACK: &str = "read_back";
/// The failure of an attempt that was cancelled before it sent anything.
pub const INTERRUPTED: &str = "interrupted";
/// The failure of an attempt whose time was over before it sent anything.
pub const TOO_LATE: &str = "too_late";

/// Whether an attempt that failed with this type, which is an outcome class or one of this module's constants, left
/// nothing on its way: its step may be sent again without settling anything.
pub fn is_settled_failure(failure_type: &str) -> bool {
    matches!(failure_type, "transient" | "throttled" | "unavailable" | READ_BACK | INTERRUPTED | TOO_LATE)
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
        /// What it waits for.
        wait: Wait,
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
                wait: Wait::AtLeast(capabilities.max_apply_delay_ms),
                outcome,
            },
            OnAmbiguous::Resend => {
                let lands_within = Wait::AtLeast(capabilities.max_apply_delay_ms);
                let wait = if capabilities.idempotency_keys { Wait::Pause } else { lands_within };
                AfterCall::Retry { left: Left::MaybeSent { until: now }, wait, outcome }
            }
            OnAmbiguous::Verify | OnAmbiguous::Hold => AfterCall::Report(outcome),
            OnAmbiguous::GiveUp => AfterCall::Report(given_up()),
        },
        Outcome::Throttled { .. } | Outcome::Transient { .. } | Outcome::Unavailable { .. } => {
            let wait = outcome.retry_after_ms().map_or(Wait::Pause, Wait::AskedFor);
            AfterCall::Retry { left: Left::Settled, wait, outcome }
        }
        Outcome::Done | Outcome::AlreadyDone | Outcome::InUse { .. } | Outcome::Permanent { .. } => {
            AfterCall::Report(outcome)
        }
    }
}

#[cfg(test)]
mod tests;
