//! Accepting events, for the gateway and `interlock submit` alike.
//!
//! An event is accepted by one call to Temporal: signal-with-start on its customer's entity or, for an event type without
//! ordering whose order is a single call, the start of a standalone activity whose id is the order's. Both calls carry a
//! request id that is derived from the order, so that sending an event again changes nothing.

mod fine_times;
mod formats;
mod retention;
mod splitter;
mod standalone;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use interlock_adapters::trace_context;
use interlock_client::{EntityCallError, NotSubmitted, request_id};
use interlock_connection::Installation;
use interlock_domain::catalog::Ordering;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event::{self, Event};
use interlock_domain::event_result::EventResult;
use interlock_domain::ids::{OrderId, TenantId, Timestamp};
use interlock_domain::order::Rejection;
use interlock_domain::trace_parent::{self, TRACE_PARENT_ATTRIBUTE};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tonic::Code;
use tracing::Span;
use tracing::field::Empty;

use retention::Retention;

pub use formats::{BINARY_ATTRIBUTE_PREFIX, FormatError, binary_event, events_of_json};
pub use splitter::{ITEM_BYTES_MAX, Item, NotRead, Position, Splitter};
pub use standalone::{StandaloneOrder, standalone_order};

/// How long Temporal may take to answer one acceptance.
const ACCEPT_LIMIT: Duration = Duration::from_secs(10);
/// How long an event is sent again while Temporal is unavailable.
const SUBMIT_LIMIT: Duration = Duration::from_millis(1_500);
/// How many customers' events of one batch are handled at a time.
pub const CONCURRENCY_MAX: usize = 64;

/// The result for one event, before it is reported.
enum Taken {
    Accepted,
    /// It is not a valid event.
    Unreadable(Rejection),
    Rejected(Rejection),
    Unknown {
        detail: String,
    },
    /// Temporal is unavailable, and the event was certainly not accepted.
    Away {
        detail: String,
    },
    /// Temporal is unavailable, and the event may have been accepted.
    AwayMaybeAccepted {
        detail: String,
    },
}

/// The result for a batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ingested {
    /// One result for each event, in the order of the batch.
    pub results: Vec<EventResult>,
    /// Why Temporal accepted no event, if it is unavailable.
    #[serde(skip)]
    pub away: Option<String>,
    /// Whether at least one of them is a valid event.
    #[serde(skip)]
    pub any_readable: bool,
}

/// Accepts events.
#[derive(Clone)]
pub struct Ingest {
    installation: Installation,
    retention: Retention,
}

impl Ingest {
    /// Uses this installation's connection.
    pub fn new(installation: Installation) -> Self {
        Self { installation, retention: Retention::default() }
    }

    /// The largest event, in bytes of JSON.
    pub fn event_bytes_max(&self) -> usize {
        self.installation.settings.limits.event_bytes_max
    }

    /// Why no event of a tenant is accepted, if it was off-boarded. The answer may be a few seconds old.
    pub async fn refuses(&self, tenant: &TenantId) -> Option<Rejection> {
        let news = self.installation.entities.tenant_news(tenant).await;
        news.is_closed
            .then(|| Rejection::new(ErrorCode::TenantClosed, format!("The tenant '{tenant}' was off-boarded.")))
    }

    /// Whether a subscriber may want to know what becomes of an event. Then it must go through its customer's entity, which tells.
    async fn tells_of(&self, tenant: &TenantId, event: &Event) -> bool {
        if self.installation.routing.tenant(tenant).tells_of(&event.event_type) {
            return true;
        }
        let news = self.installation.entities.tenant_news(tenant).await;
        news.subscriptions.values().any(|of| of.settings.may_want(&event.event_type))
    }

    /// Accepts a batch. Events of one customer are handled in their order, one after the other.
    pub async fn batch(&self, tenant: &TenantId, events: Vec<Value>) -> Ingested {
        let count = events.len();
        let mut by_subject: HashMap<String, Vec<(usize, Value)>> = HashMap::new();
        for (index, event) in events.into_iter().enumerate() {
            let subject = event.get("subject").and_then(Value::as_str).unwrap_or_default().to_owned();
            by_subject.entry(subject).or_default().push((index, event));
        }
        let customers = stream::iter(by_subject.into_values().map(|events| self.in_order(tenant, events)));
        let mut taken: Vec<_> = customers.buffer_unordered(CONCURRENCY_MAX).concat().await;
        taken.sort_by_key(|(index, ..)| *index);
        debug_assert_eq!(taken.len(), count);
        conclude(taken.into_iter().map(|(_, result, taken)| (result, taken)).collect())
    }

    /// Accepts one event.
    pub async fn one(&self, tenant: &TenantId, event: Value) -> EventResult {
        let mut ingested = self.batch(tenant, vec![event]).await;
        ingested.results.remove(0)
    }

    async fn in_order(&self, tenant: &TenantId, mut events: Vec<(usize, Value)>) -> Vec<(usize, EventResult, Taken)> {
        fine_times::keep(&mut events);
        let mut results = Vec::with_capacity(events.len());
        let mut accepted_last = None;
        for (index, event) in events {
            // Of events with the same millisecond, the one that was accepted first goes first.
            let now =
                accepted_last.map_or_else(standalone::now, |last: Timestamp| standalone::now().max(last.plus_ms(1)));
            accepted_last = Some(now);
            let (result, taken) = self.take(tenant, event, now).await;
            results.push((index, result, taken));
        }
        results
    }

    /// Runs within a span that continues the trace of the event, or else of the request: the order's
    /// calls continue from there.
    async fn take(&self, tenant: &TenantId, value: Value, now: Timestamp) -> (EventResult, Taken) {
        let own = value.get(TRACE_PARENT_ATTRIBUTE).and_then(trace_parent::of_value);
        let span = tracing::error_span!("accept", %tenant, order = Empty, event.type = Empty);
        if let Some(request) = trace_context::outgoing().filter(|_| own.is_some()) {
            trace_context::link(&span, request);
        }
        trace_context::within(span, own, self.accept(tenant, value, now)).await
    }

    async fn accept(&self, tenant: &TenantId, mut value: Value, now: Timestamp) -> (EventResult, Taken) {
        let mut result = EventResult::of_raw(&value);
        let event = match Event::from_value(&value, self.event_bytes_max()) {
            Ok(event) => event,
            Err(rejection) => return (result, Taken::Unreadable(rejection)),
        };
        let catalog = &self.installation.catalog;
        let order = catalog.order_id(tenant, &event);
        result.order_id = Some(order.clone());
        Span::current().record("order", tracing::field::display(&order));
        Span::current().record("event.type", &event.event_type);
        if let Err(rejection) = catalog.validate(&event) {
            return (result, Taken::Rejected(rejection));
        }
        if let Some(rejection) = self.refuses(tenant).await {
            return (result, Taken::Rejected(rejection));
        }
        if catalog.ordering(&event.event_type) == Some(Ordering::None) && !self.tells_of(tenant, &event).await {
            match standalone_order(&self.installation, tenant, &event, &order) {
                Ok(Some(alone)) => {
                    let retention = self.retention.of(&self.installation.client, alone.namespace()).await;
                    return match retention::too_old(event.time, standalone::now(), retention) {
                        Some(rejection) => (result, Taken::Rejected(rejection)),
                        None => (result, self.start_alone(&alone).await),
                    };
                }
                Ok(None) => {}
                Err(rejection) => return (result, Taken::Rejected(rejection)),
            }
        }
        let id = submission_id(&order, &value);
        self.pass_trace_on(&mut value);
        event::stamp(&mut value, now, self.event_bytes_max());
        let entity = self.installation.entities.customer(tenant, &event.subject);
        result.workflow_id = Some(entity.route.workflow_id.clone());
        let call = self.installation.entities.submit(&entity, &value, &id, SUBMIT_LIMIT);
        let taken = match tokio::time::timeout(ACCEPT_LIMIT, call).await {
            Ok(Ok(())) => Taken::Accepted,
            Ok(Err(NotSubmitted { error, maybe_accepted })) => of_error(&error, maybe_accepted),
            Err(_) => unanswered(),
        };
        (result, taken)
    }

    /// Writes the trace into the event so that its order continues it, unless the event would then be too large.
    fn pass_trace_on(&self, event: &mut Value) {
        let Some(trace_parent) = trace_context::outgoing() else { return };
        let Value::Object(attributes) = event else { return };
        let before = attributes.insert(TRACE_PARENT_ATTRIBUTE.to_owned(), trace_parent.to_string().into());
        if event.to_string().len() > self.event_bytes_max()
            && let Value::Object(attributes) = event
        {
            match before {
                Some(before) => attributes.insert(TRACE_PARENT_ATTRIBUTE.to_owned(), before),
                None => attributes.remove(TRACE_PARENT_ATTRIBUTE),
            };
        }
    }

    async fn start_alone(&self, alone: &StandaloneOrder) -> Taken {
        match tokio::time::timeout(ACCEPT_LIMIT, alone.start(&self.installation)).await {
            Ok(Ok(())) => Taken::Accepted,
            // The SDK repeats the start, and does not say whether an earlier attempt may have arrived.
            Ok(Err(error)) => of_error(&error, true),
            Err(_) => unanswered(),
        }
    }
}

/// The request id of a submission. It is the same whenever the same event is sent, and another one if the event was corrected: the server
/// would drop that one otherwise, and the entity could not take it.
fn submission_id(order: &OrderId, event: &Value) -> String {
    let said = hex::encode(Sha256::digest(event.to_string()));
    request_id::of(&["submit", order.as_str(), &said])
}

fn unanswered() -> Taken {
    Taken::Unknown { detail: format!("Temporal did not respond within {} s.", ACCEPT_LIMIT.as_secs()) }
}

/// What an error of the acceptance means for the event.
fn of_error(error: &EntityCallError, maybe_accepted: bool) -> Taken {
    match error.status() {
        Some(status) if status.code() == Code::Unavailable => {
            let detail = status.message().to_owned();
            if maybe_accepted { Taken::AwayMaybeAccepted { detail } } else { Taken::Away { detail } }
        }
        // The entity has more than it can accept at the moment. The event was not accepted; it can be sent again later.
        Some(status) if error.will_pass() => Taken::Unknown { detail: status.message().to_owned() },
        Some(status) if is_refusal(status.code()) => Taken::Rejected(Rejection::new(
            ErrorCode::TemporalRefused,
            format!("Temporal rejected the event: {}.", status.message()),
        )),
        _ => Taken::Unknown { detail: error.to_string() },
    }
}

/// Codes with which Temporal says that it did not accept the call and never will.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
    )
}

/// The results for each event, and whether Temporal is unavailable.
fn conclude(taken: Vec<(EventResult, Taken)>) -> Ingested {
    let may_be_accepted =
        |taken: &Taken| matches!(taken, Taken::Accepted | Taken::Unknown { .. } | Taken::AwayMaybeAccepted { .. });
    let any_answered = taken.iter().any(|(_, taken)| may_be_accepted(taken));
    let any_readable = taken.iter().any(|(_, taken)| !matches!(taken, Taken::Unreadable(_)));
    let mut away = None;
    let results = taken
        .into_iter()
        .map(|(result, taken)| match taken {
            Taken::Accepted => result.accepted(),
            Taken::Unreadable(rejection) | Taken::Rejected(rejection) => result.rejected(rejection),
            Taken::Unknown { detail } => result.unknown(ErrorCode::TemporalNotAnswering, detail),
            Taken::AwayMaybeAccepted { detail } => result.unknown(ErrorCode::TemporalUnavailable, detail),
            Taken::Away { detail } => {
                away = Some(detail.clone());
                result.unknown(ErrorCode::TemporalUnavailable, detail)
            }
        })
        .collect();
    Ingested { results, away: away.filter(|_| !any_answered), any_readable }
}

#[cfg(test)]
mod tests {
    use interlock_domain::event_result::EventStatus;

    use super::*;

    fn result() -> EventResult {
        EventResult::of_raw(&serde_json::json!({"id": "1", "subject": "A1"}))
    }

    #[test]
    fn a_corrected_event_is_another_submission_and_the_same_event_is_not() {
        let order: OrderId = "A1~6f9619ff-8b86-5011-b42d-00cf4fc964ff".parse().unwrap();
        let event = serde_json::json!({"id": "1", "data": {"imsi": "1"}});
        let corrected = serde_json::json!({"id": "1", "data": {"imsi": "2"}});
        assert_eq!(submission_id(&order, &event), submission_id(&order, &event.clone()));
        assert_ne!(submission_id(&order, &event), submission_id(&order, &corrected));
    }

    #[test]
    fn temporal_is_away_only_where_it_took_nothing() {
        let away = || (result(), Taken::Away { detail: "no".to_owned() });
        let rejected = || (result(), Taken::Rejected(Rejection::new(ErrorCode::NotJson, "x")));
        assert!(conclude(vec![away(), rejected()]).away.is_some());
        let with_accepted = conclude(vec![away(), (result(), Taken::Accepted)]);
        assert_eq!(with_accepted.away, None);
        assert_eq!(with_accepted.results[0].status, EventStatus::Unknown);
        assert_eq!(with_accepted.results[0].code, Some(ErrorCode::TemporalUnavailable.into()));
        assert_eq!(conclude(vec![rejected()]).away, None);
        let in_doubt = conclude(vec![away(), (result(), Taken::AwayMaybeAccepted { detail: "cut".to_owned() })]);
        assert_eq!(in_doubt.away, None, "one of them may have been accepted");
        assert!(in_doubt.results.iter().all(|result| result.status == EventStatus::Unknown));
    }
}
