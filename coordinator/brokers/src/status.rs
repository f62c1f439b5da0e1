//! What the health calls say, and what is counted.

use std::sync::{Arc, Mutex, PoisonError};

use interlock_domain::error_code::{ErrorCode, ErrorGroup};
use interlock_domain::event_result::{EventResult, EventStatus};
use interlock_observability::metrics::{MetricName, Metrics};
use serde_json::{Value, json};

use crate::broker::BrokerError;

/// The label of a code that is not of the catalogue.
const CODE_OTHER: &str = "other";
/// Codes of dead letters outside the chapter of rejected events.
const BESIDE: [ErrorCode; 9] = [
    ErrorCode::MessageTooLarge,
    ErrorCode::NotJson,
    ErrorCode::NotEvents,
    ErrorCode::BadHeader,
    ErrorCode::UnsupportedContentType,
    ErrorCode::RepeatedKey,
    ErrorCode::BatchTooLarge,
    ErrorCode::BodyTooManyValues,
    ErrorCode::TenantClosed,
];

#[derive(Debug, Default)]
struct State {
    /// Whether this process is connected to Temporal.
    is_started: bool,
    is_connected: bool,
    /// Which calls fail, and why.
    failing: [Option<String>; Call::ALL.len()],
    in_flight: usize,
    resting: usize,
    lag: Option<u64>,
    accepted: u64,
    dead_letters: u64,
}

impl State {
    fn word(&self) -> &'static str {
        match (self.is_started, self.is_connected && self.why_not().is_none()) {
            (false, _) => "starting",
            (true, false) => "waiting for the broker",
            (true, true) => "running",
        }
    }

    fn why_not(&self) -> Option<String> {
        self.failing.iter().flatten().next().cloned()
    }
}

/// The state of a consumption, shared with the health calls.
#[derive(Clone)]
pub struct Status {
    metrics: Metrics,
    state: Arc<Mutex<State>>,
}

impl Status {
    /// Not connected yet.
    pub fn new(metrics: Metrics) -> Self {
        for status in EventStatus::ALL {
            metrics.begin(MetricName::EventsIngested, &[("outcome", status.as_str())]);
        }
        let of_chapter = ErrorCode::ALL.iter().filter(|code| code.group() == ErrorGroup::Rejection);
        for code in of_chapter.chain(&BESIDE).map(|code| code.as_str()).chain([CODE_OTHER]) {
            metrics.begin(MetricName::BrokerDeadLetters, &[("code", code)]);
        }
        for call in Call::ALL {
            metrics.begin(MetricName::BrokerRetries, &[("call", call.as_str())]);
        }
        Self { metrics, state: Arc::default() }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// This process is connected to Temporal.
    pub fn has_temporal(&self) {
        self.with(|state| state.is_started = true);
    }

    /// Whether it is.
    pub fn is_started(&self) -> bool {
        self.with(|state| state.is_started)
    }

    /// Whether messages can be taken now; otherwise why not, in a sentence.
    pub fn ready(&self) -> Result<(), String> {
        self.with(|state| match (state.why_not(), state.is_connected) {
            (Some(why), _) => Err(why),
            (None, false) => Err("the broker is not connected yet".to_owned()),
            (None, true) => Ok(()),
        })
    }

    /// The state, for `/healthz`.
    pub fn about(&self) -> Value {
        self.with(|state| {
            json!({
                "state": state.word(),
                "waits_for": state.why_not(),
                "messages_in_flight": state.in_flight,
                "customers_to_retry": state.resting,
                "lag": state.lag,
                "events_accepted": state.accepted,
                "dead_letters": state.dead_letters,
            })
        })
    }

    /// A call to the broker worked.
    pub(crate) fn worked(&self, call: Call) {
        self.with(|state| {
            state.is_connected = true;
            state.failing[call as usize] = None;
        });
    }

    /// A fetch worked.
    pub(crate) fn fetched(&self, lag: Option<u64>) {
        self.worked(Call::Fetch);
        self.with(|state| state.lag = lag.or(state.lag));
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        if let Some(lag) = lag {
            self.metrics.gauge(MetricName::BrokerLag, lag as f64, &[]);
        }
    }

    /// A call to the broker failed, and is made again.
    pub(crate) fn failed(&self, call: Call, error: &BrokerError) {
        self.metrics.count(MetricName::BrokerRetries, &[("call", call.as_str())]);
        let is_new = self.with(|state| {
            let before = state.failing[call as usize].replace(error.to_string());
            before != state.failing[call as usize]
        });
        if is_new {
            tracing::warn!(call = call.as_str(), code = error.code.as_str(), "{}", error.message);
        }
    }

    /// An event was decided, or is sent again.
    pub(crate) fn event(&self, result: &EventResult) {
        self.metrics.count(MetricName::EventsIngested, &[("outcome", result.status.as_str())]);
        if result.status == EventStatus::Accepted {
            self.with(|state| state.accepted += 1);
        }
    }

    /// A dead letter was written.
    pub(crate) fn dead_letter(&self, code: &str) {
        let known = code.parse::<ErrorCode>().map_or(CODE_OTHER, ErrorCode::as_str);
        self.metrics.count(MetricName::BrokerDeadLetters, &[("code", known)]);
        self.with(|state| state.dead_letters += 1);
    }

    /// How much is held.
    pub(crate) fn holds(&self, in_flight: usize, resting: usize) {
        self.with(|state| (state.in_flight, state.resting) = (in_flight, resting));
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        self.metrics.gauge(MetricName::BrokerMessagesInFlight, in_flight as f64, &[]);
    }
}

/// A call to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Connect,
    Fetch,
    Acknowledge,
    DeadLetter,
}

impl Call {
    const ALL: [Self; 4] = [Self::Connect, Self::Fetch, Self::Acknowledge, Self::DeadLetter];

    /// The value of the label `call`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Fetch => "fetch",
            Self::Acknowledge => "acknowledge",
            Self::DeadLetter => "dead_letter",
        }
    }
}
