//! What one attempt of a step does: send, settle an earlier attempt first, or leave it to a person.
//!
//! Doubt is settled first: if an earlier attempt may have sent its request
//! and its result is unknown, the next attempt waits until that request can no longer arrive, reads
//! back, and only then sends. All these decisions are made here, as pure functions of what is known; the
//! activity only executes them.

use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;
use crate::ids::Timestamp;
use crate::outcome::Outcome;
use crate::retry::Wait;

/// How far a target can guarantee that one operation takes effect once. The decisions here depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Capabilities {
    /// Whether the effect can be read back.
    pub verify: bool,
    /// Whether the target performs a call only once per idempotency key, however late its copies arrive.
    pub idempotency_keys: bool,
    /// What to do after an ambiguous attempt.
    pub on_ambiguous: OnAmbiguous,
    /// How long after it was sent a request may still arrive, in milliseconds.
    pub max_apply_delay_ms: u64,
}

/// What to do after an attempt that may or may not have had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAmbiguous {
    /// Wait until it can no longer arrive, read back, then send if it is not there.
    Verify,
    /// Send again: the target knows the idempotency key, or a second effect does no harm.
    Resend,
    /// Wait for a person.
    Hold,
    /// End the step as failed, because a late call does more harm than none.
    GiveUp,
}

/// What an attempt leaves behind for the next one of the same schedule. It is kept in the heartbeat details, which the
/// server keeps even if the worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "left", rename_all = "snake_case")]
pub enum Left {
    /// No request of this step is in flight: every request that was sent was answered.
    Settled,
    /// A request may be in flight.
    MaybeSent {
        /// The latest time at which it can have been sent.
        until: Timestamp,
    },
    /// The target accepted the request as a job, whose name is kept beside this ([`LeftWithJob`]). Nothing else is in flight.
    Accepted {
        /// When it accepted.
        since: Timestamp,
    },
}

/// [`Left`], and which attempt left it. The server passes the details of the last heartbeat from attempt to attempt:
/// those of an older attempt say nothing about the attempt just before this one.
///
/// The number alone does not identify the attempt: after an operator's reset the next one is number 1 or 2 again. So an
/// attempt also records when the next one is due, and it is believed only if the next one was scheduled then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeftBy {
    /// The attempt, from 1.
    pub attempt: u32,
    /// What it left.
    #[serde(flatten)]
    pub left: Left,
    /// When the next attempt is due: the end of this one plus the pause that it asked for. None while it
    /// runs, and if a build before 0.2.0 wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// How often the request was sent by then, by this attempt and those before it. None if its worker does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
}

/// How often the attempts before this one sent the request, as far as is known: an attempt that said nothing counts as one.
pub fn calls_before(attempt: u32, left: Option<LeftBy>) -> u32 {
    let before = attempt.saturating_sub(1);
    left.map_or(before, |left| {
        let counted = left.calls.unwrap_or(left.attempt);
        counted.saturating_add(before.saturating_sub(left.attempt))
    })
}

/// The same, and the attempt itself if it is running.
pub fn calls_so_far(attempt: u32, is_running: bool, left: Option<LeftBy>) -> u32 {
    let is_counted = left.is_some_and(|left| left.attempt >= attempt);
    calls_before(attempt, left).saturating_add(u32::from(is_running && !is_counted))
}

/// [`LeftBy`] as the details of a heartbeat have it: with the target's name for the job that it accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeftWithJob {
    /// What was left, and by which attempt.
    #[serde(flatten)]
    pub left: LeftBy,
    /// The job, for [`Left::Accepted`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// How long to wait before a target is asked about a job, in milliseconds, if neither it nor the adapter says.
pub const POLL_AFTER_MS: u64 = 5_000;

/// How far the time at which an attempt expects the next one may be from the time at which the server scheduled it, in
/// milliseconds: it allows for the clocks of worker and server, and for the time that the failure took to arrive. It is shorter than the
/// silence after which the server gives an attempt up ([heartbeat time-out](https://docs.temporal.io/encyclopedia/detecting-activity-failures#heartbeat-timeout)
/// 15 s), so that what was left before an operator's reset is never mistaken for what the attempt just before left.
pub const NEXT_AT_TOLERANCE_MS: u64 = 5_000;

/// What an attempt knows when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Which attempt of this schedule it is, from 1.
    pub attempt: u32,
    /// Whether an earlier schedule of this step may have sent its request.
    pub maybe_sent: bool,
    /// Whether the server has heartbeat details of an earlier attempt, readable or not.
    pub has_details: bool,
    /// What earlier attempts left behind, if anything readable reached the server.
    pub left: Option<LeftBy>,
    /// When the call was scheduled by its workflow (or started, if it is a standalone activity); none if the server does not say.
    pub first_scheduled_at: Option<Timestamp>,
    /// When this attempt was scheduled: the server had given up the previous one by then.
    pub scheduled_at: Timestamp,
    /// When the server gave this attempt to a worker, by the server's clock: the attempt's time-out starts then.
    pub started_at: Timestamp,
    /// How long an attempt may continue sending after it started, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// After this time the call is no longer worth making.
    pub expires_at: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Situation {
    /// Whether this is the call's first attempt, so that no request of it can be in flight. The attempt number alone proves
    /// nothing: a reset of the activity or of its workflow makes it 1 again while an earlier attempt
    /// may still be sending. Both, however, change the time at which the attempt was scheduled.
    pub fn is_first(&self) -> bool {
        self.attempt == 1 && !self.has_details && !self.maybe_sent && self.first_scheduled_at == Some(self.scheduled_at)
    }

    /// Until when this attempt may send. The next attempt waits until this time, by the server's clock: an attempt whose worker was
    /// suspended after the server had given it the task, and resumes later, has correspondingly less time.
    pub fn deadline(&self) -> Timestamp {
        self.now.min(self.started_at).plus_ms(self.attempt_timeout_ms)
    }

    /// Whether the call is no longer worth making after this many milliseconds.
    fn is_expired_after(&self, wait_ms: u64) -> bool {
        self.expires_at.is_some_and(|at| self.now.plus_ms(wait_ms) >= at)
    }
}

/// What an attempt must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Send the request.
    Send,
    /// Wait this long, read back, and continue as [`after_verification`] says.
    Verify {
        /// How long, in milliseconds; 0 if nothing can still arrive.
        wait_ms: u64,
    },
    /// Wait this long, then send.
    SendLater {
        /// How long, in milliseconds.
        wait_ms: u64,
    },
    /// Ask about the job that the target accepted, and continue as [`after_poll`] says.
    Poll {
        /// When the target accepted it.
        since: Timestamp,
    },
    /// Report this outcome, without sending anything.
    Report(Outcome),
}

/// What an attempt must do first. A job is asked about for as long as it takes, also after its order expired.
pub fn first_move(situation: &Situation, capabilities: &Capabilities) -> Move {
    if let Some(Left::Accepted { since }) = accepted_before(situation) {
        return Move::Poll { since };
    }
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

/// The outcome of a step that was not sent before its order expired.
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

/// The job that an earlier attempt left behind. It counts whichever attempt that was, also after an operator's reset: an attempt that
/// knows of the job only asks about it, and one that goes on from there replaces what was left before it can send.
fn accepted_before(situation: &Situation) -> Option<Left> {
    situation.left.map(|left| left.left).filter(|left| matches!(left, Left::Accepted { .. }))
}

/// Until when an earlier request may have been sent; none if nothing is in flight.
fn maybe_sent_until(situation: &Situation) -> Option<Timestamp> {
    // A worker that was given up may be disconnected and not know it: it continues until its own deadline.
    let by_its_deadline = situation.scheduled_at.plus_ms(situation.attempt_timeout_ms);
    match left_just_before(situation) {
        Some(Left::MaybeSent { until }) => Some(until),
        Some(Left::Accepted { since }) => Some(since),
        Some(Left::Settled) => None,
        None if situation.is_first() => None,
        None => Some(by_its_deadline),
    }
}

/// What the attempt just before left behind, if it recorded that.
pub fn left_just_before(situation: &Situation) -> Option<Left> {
    let left = situation.left.filter(|left| left.attempt.checked_add(1) == Some(situation.attempt))?;
    let was_asked_for = |next_at: Timestamp| next_at.0.abs_diff(situation.scheduled_at.0) <= NEXT_AT_TOLERANCE_MS;
    left.next_at.is_some_and(was_asked_for).then_some(left.left)
}

/// The failure type of an attempt that was not admitted to its target, and what it leaves behind: as before the attempt.
/// `is_read_back` says whether it settled the earlier request by reading back.
pub fn not_let_through(situation: &Situation, is_read_back: bool) -> (&'static str, Left) {
    if let Some(left) = accepted_before(situation) {
        return ("accepted", left);
    }
    match maybe_sent_until(situation) {
        Some(until) if !is_read_back => ("settling", Left::MaybeSent { until }),
        _ => ("unavailable", Left::Settled),
    }
}

/// What the read-back found out about the earlier request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBack {
    /// It had its effect.
    Applied,
    /// It had no effect, or only a part of it.
    NotApplied,
    /// It had no effect, and another customer has the resource.
    InUse {
        /// Who, if the target says so.
        holder: Option<String>,
    },
    /// It is a job that the target has not ended.
    Accepted {
        /// The target's name for the job.
        job: String,
    },
    /// The target cannot say yet.
    Unclear {
        /// A sentence for a person.
        detail: String,
    },
}

/// What to do after a read-back; `is_expired` says that the call is no longer worth making.
pub fn after_verification(read_back: ReadBack, is_expired: bool) -> AfterVerification {
    match read_back {
        ReadBack::Applied => AfterVerification::Report(Outcome::AlreadyDone),
        ReadBack::NotApplied if is_expired => AfterVerification::Report(expired()),
        ReadBack::NotApplied => AfterVerification::Send,
        ReadBack::InUse { holder } => AfterVerification::Report(Outcome::InUse { holder }),
        ReadBack::Accepted { job } => AfterVerification::Poll { job },
        ReadBack::Unclear { detail } => AfterVerification::AskAgain { detail },
    }
}

/// What follows a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterVerification {
    /// It is settled: this is the outcome of the step.
    Report(Outcome),
    /// It is settled: nothing is in flight, send the request.
    Send,
    /// It became a job that the target works on: later attempts ask about it.
    Poll {
        /// The target's name for the job.
        job: String,
    },
    /// It is not settled: another attempt reads back again.
    AskAgain {
        /// A sentence for a person.
        detail: String,
    },
}

/// Whether a request may be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaySend {
    /// It may.
    Yes,
    /// The attempt's time is over, and later attempts rely on that: another attempt must be made.
    TooLate,
    /// The order has expired: this is the outcome of the step.
    Expired(Outcome),
}

/// Whether a request may be sent: not after the attempt's deadline, and not once the call is no longer worth
/// making. `is_settled` says that no earlier attempt is in doubt.
pub fn may_send(now: Timestamp, deadline: Timestamp, expires_at: Option<Timestamp>, is_settled: bool) -> MaySend {
    match expires_at {
        Some(expires_at) if now >= expires_at => MaySend::Expired(if is_settled { expired() } else { given_up() }),
        _ if now >= deadline => MaySend::TooLate,
        _ => MaySend::Yes,
    }
}

/// How the attempts of a call ended without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered<'a> {
    /// Its last attempt failed with this type, and there was no time for another one.
    Failed(&'a str),
    /// Its time was over before any attempt ended.
    NeverAttempted,
    /// It is unknown what its last attempt did, for example because its worker died.
    Vanished,
    /// Its last attempt returned something that is not an outcome; this says why.
    Unreadable(&'a str),
    /// Its last attempt ended as cancelled, although nobody cancelled the call.
    Cancelled,
}

/// The outcome of a call whose attempts ended without one; `expires` says that its time was limited. A limited call
/// gets the time of one more attempt in addition, so that no attempt is running at its end.
pub fn of_unanswered(unanswered: Unanswered<'_>, expires: bool) -> Outcome {
    match unanswered {
        Unanswered::Failed(failure_type) if expires && is_settled_failure(failure_type) => expired(),
        Unanswered::NeverAttempted if expires => expired(),
        // An adapter should answer with an outcome; a final failure without one may have had its effect.
        other => Outcome::Ambiguous { detail: other.sentence() },
    }
}

impl Unanswered<'_> {
    /// What a person must know: whether it is the worker that does not keep to its contract, and how.
    fn sentence(self) -> String {
        const RULE: &str =
            "A worker returns an outcome, or raises a failure that can be retried (adapters/docs/provision.md).";
        match self {
            Self::Failed("") => format!(
                "The activity 'provision' ended without an outcome: its worker raised a final failure without a type. {RULE}"
            ),
            Self::Failed(failure_type) => format!(
                "The activity 'provision' ended without an outcome: its worker raised the final failure '{failure_type}'. \
                 {RULE}"
            ),
            Self::Unreadable(why) => format!(
                "The activity 'provision' ended without an outcome: its worker returned something else ({}). {RULE}",
                why.trim_end_matches('.')
            ),
            Self::Cancelled => format!(
                "The activity 'provision' ended without an outcome: its worker ended it as cancelled, but nobody had \
                 cancelled it. {RULE}"
            ),
            Self::NeverAttempted => {
                "The activity 'provision' ended without an outcome: its time was over before an attempt ended."
                    .to_owned()
            }
            Self::Vanished => {
                "The activity 'provision' ended without an outcome: it is unknown what its last attempt did.".to_owned()
            }
        }
    }
}

/// The failure of an attempt that waited until nothing could still arrive, and found by reading back that nothing had: the next
/// attempt sends. An attempt that waited never sends itself: an operator may have reset the activity meanwhile, and the new attempt
/// relies on earlier ones not sending later than their own time-out after they were scheduled.
pub const READ_BACK: &str = "read_back";
/// The failure of an attempt that was cancelled before it sent anything.
pub const INTERRUPTED: &str = "interrupted";
/// The failure of an attempt whose time was over before it sent anything.
pub const TOO_LATE: &str = "too_late";

/// How an attempt can end, in one of a few words: the class of its outcome, why another attempt follows, or `other`.
pub const ATTEMPT_CLASSES: [&str; 15] = [
    "done",
    "already_done",
    "accepted",
    "in_use",
    "transient",
    "throttled",
    "unavailable",
    "permanent",
    "ambiguous",
    "unclear",
    "settling",
    READ_BACK,
    INTERRUPTED,
    TOO_LATE,
    "other",
];

/// Whether an attempt that failed with this type (an outcome class or one of this module's constants) left
/// nothing in flight: its step may be sent again without settling anything.
pub fn is_settled_failure(failure_type: &str) -> bool {
    matches!(failure_type, "transient" | "throttled" | "unavailable" | READ_BACK | INTERRUPTED | TOO_LATE)
}

/// What to do after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterCall {
    /// This is the outcome of the step.
    Report(Outcome),
    /// Make another attempt.
    Retry {
        /// What this attempt leaves behind.
        left: Left,
        /// What it waits for.
        wait: Wait,
        /// The outcome of this attempt.
        outcome: Outcome,
    },
}

/// What a target says about a job that it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobAnswer {
    /// It works on it.
    Running {
        /// When to ask again, in milliseconds from now, if it says so.
        poll_after_ms: Option<u64>,
        /// A sentence for a person.
        detail: String,
    },
    /// It ended, with this outcome of the call.
    Ended(Outcome),
    /// It does not know the job any more, or never did.
    Unknown {
        /// A sentence for a person.
        detail: String,
    },
    /// It could not be asked: an outcome class that says why. The job may still run.
    NotTold(Outcome),
}

/// What to do after an answer about a job that was accepted at `since`, at `now`. Nothing is sent while the job may run. A job that the
/// target does not know leaves its call in doubt.
pub fn after_poll(
    answer: JobAnswer,
    job: &str,
    since: Timestamp,
    capabilities: &Capabilities,
    now: Timestamp,
) -> AfterCall {
    let left = Left::Accepted { since };
    match answer {
        JobAnswer::Running { poll_after_ms, detail } => AfterCall::Retry {
            left,
            wait: Wait::AskedFor(poll_after_ms.unwrap_or(POLL_AFTER_MS)),
            outcome: Outcome::Accepted { job: job.to_owned(), poll_after_ms, detail },
        },
        JobAnswer::NotTold(outcome) => {
            AfterCall::Retry { left, wait: outcome.retry_after_ms().map_or(Wait::Pause, Wait::AskedFor), outcome }
        }
        JobAnswer::Unknown { detail } => after_call(Outcome::Ambiguous { detail }, capabilities, now),
        JobAnswer::Ended(outcome) => after_call(outcome, capabilities, now),
    }
}

/// What to do after this outcome of a call, at `now`.
pub fn after_call(outcome: Outcome, capabilities: &Capabilities, now: Timestamp) -> AfterCall {
    match outcome {
        Outcome::Accepted { poll_after_ms, .. } => AfterCall::Retry {
            left: Left::Accepted { since: now },
            wait: Wait::AskedFor(poll_after_ms.unwrap_or(POLL_AFTER_MS)),
            outcome,
        },
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
