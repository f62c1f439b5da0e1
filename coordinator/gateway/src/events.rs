//! `POST /v1/tenants/{tenant}/events`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
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

/// When to retry if Temporal is unavailable.
const AWAY_RETRY: Duration = Duration::from_secs(5);

/// Accepts CloudEvents: one in structured JSON, one in binary mode (`ce-*` headers), or a batch. 202 means that each
/// event has its own result; an `accepted` event reaches exactly one terminal state. Sending events again is always
/// safe.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/events",
    params(("tenant" = String, Path, description = "The tenant")),
    request_body(content = Object, description = "A CloudEvents 1.0 event, or an array of such events"),
    responses(
        (status = 202, description = "One result for each event", body = EventResults),
        (status = 400, description = "No event could be read", body = Problem),
        (status = 401, description = "No token, or an unknown one", body = Problem),
        (status = 403, description = "The token does not give access to this tenant or call; tenant_closed: the tenant \
                                      was off-boarded", body = Problem),
        (status = 408, description = "The body did not arrive in time", body = Problem),
        (status = 413, description = "Above the size limit: event_too_large, batch_too_large, \
                                      body_too_many_values", body = Problem),
        (status = 415, description = "The media type or encoding is not supported", body = Problem),
        (status = 429, description = "Too many events; see Retry-After", body = Problem),
        (status = 503, description = "Temporal is unavailable, or the gateway is overloaded; none was accepted; see \
                                      Retry-After", body = Problem)
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
        let body = request::read(body, ErrorCode::EventTooLarge).await.map_err(advised)?;
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
    answer(ingested)
}

/// Shows the gateway's counters of events as 0.
pub(super) fn begin_counting(metrics: &Metrics) {
    for status in EventStatus::ALL {
        metrics.begin(MetricName::EventsIngested, &[("outcome", status.as_str())]);
    }
    rejections::begin(metrics, RejectedAt::Gateway);
}

fn is_binary(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(BINARY_ATTRIBUTE_PREFIX))
}

/// Whether events come in bodies of this media type. In binary mode it is the media type of the event's data.
fn takes(media_type: &str, is_binary: bool) -> bool {
    let structured = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"];
    if is_binary { is_json(media_type) } else { structured.contains(&media_type) }
}

fn read(headers: &HeaderMap, is_binary: bool, body: &[u8], limits: JsonLimits) -> Result<Vec<Value>, Problem> {
    if !is_binary {
        return events_of_json(body, limits).map_err(problem);
    }
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Ok(vec![binary_event(pairs, media_type(headers).as_deref(), body, limits).map_err(problem)?])
}

fn answer(ingested: Ingested) -> Result<Response, Problem> {
    if let Some(reason) = ingested.away {
        let detail = format!("Temporal is unavailable, and no event was accepted: {reason}.");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporalUnavailable, detail)
            .retry_after(AWAY_RETRY));
    }
    if let [only] = ingested.results.as_slice()
        && only.code.as_ref().is_some_and(|code| *code == ErrorCode::EventTooLarge)
    {
        return Err(too_large(only.detail.clone().unwrap_or_default()));
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
