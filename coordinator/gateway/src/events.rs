//! `POST /v1/tenants/{tenant}/events`.

use axum::Json;
use axum::extract::State;
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use interlock_adapters::content;
use interlock_adapters::front_door::{is_json, media_type};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event_result::{EventResult, EventResults, EventStatus};
use interlock_domain::ids::TenantId;
use interlock_http_service::{Problem, UnreadBody, check_media_type};
use interlock_observability::metrics::rejections::{self, RejectedAt};
use interlock_observability::metrics::{MetricName, Metrics};
use interlock_operations::ingest::{BINARY_ATTRIBUTE_PREFIX, Ingested, binary_event, events_of_json};
use interlock_operations::strict_json::JsonLimits;
use serde_json::Value;
use std::time::Duration;

use super::access::Need;
use super::problems::problem;
use super::request::{self, PathParts};
use super::throttle::Counted;
use super::{Gateway, JSON_VALUES_MAX};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
/// When to retry if Temporal is unavailable.
const AWAY_RETRY: Duration = Duration::from_secs(5);

/// Accepts CloudEvents: one in structured JSON, one in binary mode (`ce-*` headers), or a batch. 202 means that each
/// event has its own result; an `accepted` event reaches exactly one terminal state. Sending events again is always
/// safe.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/events",
    operation_id = "submitEvents",
    params(("tenant" = String, Path, description = "The tenant")),
    request_body(content = Object, description = "A CloudEvents 1.0 event, or an array of such events"),
    responses(
        (status = 202, description = "One result for each event", body = EventResults),
        (status = 204, description = "All were accepted, and the call had 'Prefer: return=minimal'"),
        (status = 400, description = "No event could be read", body = Problem),
        (status = 401, description = "No token, or an unknown one", body = Problem),
        (status = 403, description = "The token does not give access to this tenant or call; tenant_closed: the tenant \
                                      was off-boarded", body = Problem),
        (status = 408, description = "The body did not arrive in time", body = Problem),
        (status = 413, description = "Above the size limit: event_too_large, batch_too_large, \
                                      body_too_many_values", body = Problem),
        (status = 415, description = "The media type or encoding is not supported", body = Problem),
        (status = 429, description = "Too many events; see Retry-After", body = Problem),
        (status = 503, description = "Temporal is unavailable, or the gateway is overloaded; certainly none was \
                                      accepted; see Retry-After", body = Problem)
    )
)]
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Response, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(&headers, &tenant, Need::Submit)?;
    if let Some(refusal) = gateway.ingest.refuses(&tenant).await {
        return Err(Problem::new(StatusCode::FORBIDDEN, ErrorCode::TenantClosed, refusal.detail));
    }
    let is_binary = is_binary(&headers);
    check_media_type(&headers, |media_type| takes(media_type, is_binary))?;
    gateway.has_room(&tenant)?;
    let events = {
        let body = request::read(&headers, body, ErrorCode::EventTooLarge).await.map_err(advised)?;
        let elements_max = usize::try_from(gateway.batch_events_max.get()).unwrap_or(usize::MAX);
        read(&headers, is_binary, &body, JsonLimits { elements_max, values_max: JSON_VALUES_MAX })?
    };
    gateway.counted(&tenant, Counted::Events, events.len())?;
    let ingested = gateway.ingest.batch(&tenant, events).await;
    for result in &ingested.results {
        gateway.metrics.count(MetricName::EventsIngested, &[("outcome", result.status.as_str())]);
        if let (EventStatus::Rejected, Some(code)) = (result.status, &result.code) {
            rejections::count(&gateway.metrics, code, RejectedAt::Gateway);
        }
    }
    answer(ingested, wants_minimal(&headers))
}

/// The handshake of [CloudEvents web hooks](https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md): a sender asks
/// whether it may send, and how fast. It may, with a token: the handshake itself needs none, and changes nothing.
pub(super) async fn handshake(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    let mut answer = StatusCode::OK.into_response();
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    if let Some(origin) = headers.get(REQUEST_ORIGIN) {
        let per_minute = u64::from(gateway.events_per_second_max.get()).saturating_mul(60);
        answer.headers_mut().insert(ALLOWED_ORIGIN, origin.clone());
        answer.headers_mut().insert(ALLOWED_RATE, per_minute.into());
    }
    Ok(answer)
}

/// Whether the caller needs no results if all events are accepted (RFC 7240, 4.2).
fn wants_minimal(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences =
        values.flat_map(|value| value.split(',')).filter_map(|preference| preference.split(';').next());
    preferences.any(|preference| {
        let plain: String = preference.chars().filter(|sign| !sign.is_whitespace() && *sign != '"').collect();
        plain.eq_ignore_ascii_case("return=minimal")
    })
}

/// Shows the gateway's counters as 0.
pub(super) fn begin_counting(metrics: &Metrics) {
    metrics.begin(MetricName::RequestsThrottled, &[]);
    for status in EventStatus::ALL {
        metrics.begin(MetricName::EventsIngested, &[("outcome", status.as_str())]);
    }
    rejections::begin(metrics, RejectedAt::Gateway);
}

/// Whether the attributes of the event are only in headers. The media type of a structured event decides: its sender may repeat the
/// attributes as headers.
pub(super) fn is_binary(headers: &HeaderMap) -> bool {
    let is_structured = media_type(headers).is_some_and(|media_type| media_type.starts_with("application/cloudevents"));
    !is_structured && headers.keys().any(|name| name.as_str().starts_with(BINARY_ATTRIBUTE_PREFIX))
}

/// Whether events come in bodies of this media type. In binary mode it is the media type of the event's data.
pub(super) fn takes(media_type: &str, is_binary: bool) -> bool {
    let structured = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"];
    if is_binary { is_json(media_type) } else { structured.contains(&media_type) }
}

/// The events of a body.
pub(super) fn read(
    headers: &HeaderMap,
    is_binary: bool,
    body: &[u8],
    limits: JsonLimits,
) -> Result<Vec<Value>, Problem> {
    // Only a body with a mark or another charset differs from its text. What is not valid is read as it is, and reported.
    let text = content::strict_text(headers, body);
    let body = text.as_deref().map_or(body, str::as_bytes);
    if !is_binary {
        return events_of_json(body, limits).map_err(problem);
    }
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Ok(vec![binary_event(pairs, media_type(headers).as_deref(), body, limits).map_err(problem)?])
}

fn answer(ingested: Ingested, wants_minimal: bool) -> Result<Response, Problem> {
    if let Some(reason) = ingested.away {
        let detail = format!("Temporal is unavailable, and no event was accepted: {reason}.");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporalUnavailable, detail)
            .retry_after(AWAY_RETRY));
    }
    let is_too_large =
        |result: &EventResult| result.code.as_ref().is_some_and(|code| *code == ErrorCode::EventTooLarge);
    if let Some(first) = ingested.results.first().filter(|_| ingested.results.iter().all(is_too_large)) {
        let mut problem = too_large(first.detail.clone().unwrap_or_default());
        if ingested.results.len() > 1 {
            problem.results = ingested.results.into_boxed_slice();
        }
        return Err(problem);
    }
    if !ingested.any_readable {
        let detail = match ingested.results.as_slice() {
            [only] => only.detail.clone().unwrap_or_default(),
            _ => "No item of the batch is an event.".to_owned(),
        };
        let code = match ingested.results.as_slice() {
            [EventResult { code: Some(code), .. }] => code.known(),
            _ => None,
        };
        let code = code.unwrap_or(ErrorCode::NoEventReadable);
        let mut problem = Problem::new(StatusCode::BAD_REQUEST, code, detail);
        problem.results = ingested.results.into_boxed_slice();
        return Err(problem);
    }
    if wants_minimal && ingested.results.iter().all(|result| result.status == EventStatus::Accepted) {
        let applied = (HeaderName::from_static("preference-applied"), "return=minimal");
        return Ok((StatusCode::NO_CONTENT, [applied]).into_response());
    }
    Ok((StatusCode::ACCEPTED, Json(EventResults { results: ingested.results })).into_response())
}

fn too_large(detail: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::EventTooLarge, detail)
}

fn advised(problem: Problem) -> Problem {
    if problem.code == ErrorCode::EventTooLarge {
        return problem.with_next("Send smaller batches; the size limit of one event is 16 KiB by default.");
    }
    problem
}
