//! The state of a connection, and how long it may stay in it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a connection without a request is kept before another may take its place.
const LEFT_ALONE: Duration = Duration::from_millis(500);
/// How long further bytes from the caller are discarded after the response, so that the caller reads the response instead of a reset.
const CLOSING: Duration = Duration::from_secs(2);
/// The limit of a state without a limit.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// How long each state may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) header: Duration,
    pub(super) body: Duration,
    pub(super) idle: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between two requests.
    Idle,
    /// The head of a request has not arrived yet: for the first request from the start, for later ones from their first byte.
    Heading,
    /// A request is being handled.
    Busy,
    /// The response is sent, and nothing more is accepted.
    Closing,
}

struct State {
    phase: Phase,
    since: Instant,
    /// Since when the caller reads nothing of what is sent.
    stuck_since: Option<Instant>,
    /// Whether a body was not read to its end.
    left_unread: bool,
    /// Whether some of the head of a request has arrived.
    has_part_of_head: bool,
}

/// One connection, shared by the code that serves it and the code that counts connections.
pub(super) struct Conversation {
    times: Times,
    state: Mutex<State>,
    sooner: Notify,
    evicted: CancellationToken,
}

impl Conversation {
    pub(super) fn new(times: Times) -> Self {
        let state = State {
            phase: Phase::Heading,
            since: Instant::now(),
            stuck_since: None,
            left_unread: false,
            has_part_of_head: false,
        };
        Self { times, state: Mutex::new(state), sooner: Notify::new(), evicted: CancellationToken::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state();
        (state.phase, state.since) = (phase, Instant::now());
        drop(state);
        if phase != Phase::Busy {
            self.sooner.notify_one();
        }
    }

    /// The connection is ready: the TLS handshake is done.
    pub(super) fn opened(&self) {
        self.enter(Phase::Heading);
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        let mut state = self.state();
        state.has_part_of_head |= matches!(state.phase, Phase::Idle | Phase::Heading);
        let begins = state.phase == Phase::Idle;
        drop(state);
        if begins {
            self.enter(Phase::Heading);
        }
    }

    /// A request has arrived.
    pub(super) fn asked(&self) {
        self.state().has_part_of_head = false;
        self.enter(Phase::Busy);
    }

    /// Its response was sent.
    pub(super) fn answered(&self) {
        if self.state().phase == Phase::Busy {
            self.enter(Phase::Idle);
        }
    }

    /// The body of a request is not read to its end.
    pub(super) fn leaves_unread(&self) {
        self.state().left_unread = true;
    }

    /// Nothing more is sent. Returns whether to wait for further bytes from the caller.
    pub(super) fn closes(&self) -> bool {
        self.enter(Phase::Closing);
        self.state().left_unread
    }

    /// Records whether the caller reads what is sent.
    pub(super) fn sends(&self, takes: bool) {
        let mut state = self.state();
        let before = state.stuck_since;
        state.stuck_since = if takes { None } else { before.or_else(|| Some(Instant::now())) };
        let begins = before.is_none() && !takes;
        drop(state);
        if begins {
            self.sooner.notify_one();
        }
    }

    /// When its time is over, in its present state.
    pub(super) fn deadline(&self) -> Instant {
        let state = self.state();
        let lasts = match state.phase {
            Phase::Idle => self.times.idle,
            Phase::Heading => self.times.header,
            Phase::Busy => NEVER,
            Phase::Closing => CLOSING,
        };
        let of_phase = state.since + lasts;
        state.stuck_since.map_or(of_phase, |since| of_phase.min(since + self.times.body))
    }

    /// Returns when the deadline may have become earlier.
    pub(super) async fn sooner(&self) {
        self.sooner.notified().await;
    }

    /// Whether a request is being handled.
    pub(super) fn is_busy(&self) -> bool {
        self.state().phase == Phase::Busy
    }

    /// Whether a part of the head of a request has arrived, and the caller takes what is sent: then it is told that it is too slow.
    pub(super) fn has_begun_a_head(&self) -> bool {
        let state = self.state();
        state.phase == Phase::Heading && state.has_part_of_head && state.stuck_since.is_none()
    }

    /// Since when it has had no request, if that is long enough for another connection to take its place.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let state = self.state();
        let waits = match state.phase {
            Phase::Busy => false,
            Phase::Closing => true,
            Phase::Idle | Phase::Heading => state.since.elapsed() >= LEFT_ALONE,
        };
        waits.then_some(state.since)
    }

    /// Gives its place to another connection.
    pub(super) fn evict(&self) {
        self.evicted.cancel();
    }

    /// Returns when its place was given to another.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Conversation {
        let seconds = Duration::from_secs;
        Conversation::new(Times { header: seconds(10), body: seconds(30), idle: seconds(60) })
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_time_and_a_request_has_none() {
        let it = conversation();
        let lasts = || it.deadline() - Instant::now();
        assert_eq!(lasts(), Duration::from_secs(10));
        it.received();
        tokio::time::advance(Duration::from_secs(1)).await;
        // More bytes of the same head do not extend its time.
        it.received();
        assert_eq!(lasts(), Duration::from_secs(9));
        it.asked();
        assert!(lasts() > Duration::from_hours(24));
        it.sends(false);
        assert_eq!(lasts(), Duration::from_secs(30));
        it.sends(true);
        it.answered();
        assert_eq!(lasts(), Duration::from_mins(1));
        it.received();
        assert_eq!(lasts(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_waits_for_a_while_gives_way() {
        let it = conversation();
        assert_eq!(it.waits_since(), None);
        tokio::time::advance(LEFT_ALONE).await;
        assert!(it.waits_since().is_some());
        it.asked();
        tokio::time::advance(LEFT_ALONE).await;
        assert_eq!(it.waits_since(), None);
        it.closes();
        assert!(it.waits_since().is_some());
    }
}
