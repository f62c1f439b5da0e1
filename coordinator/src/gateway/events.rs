//! `POST /v1/tenants/{tenant}/events`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TenantId;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

use super::Gateway;
use super::access::Need;
use super::problem::Problem;
use super::request::{self, PathParts};
use crate::ingest::{BINARY_ATTRIBUTE_PREFIX, EventResult, EventStatus, Ingested, binary_event, events_of_json};
use crate::metrics::rejections::{self, RejectedAt};
use crate::metrics::{MetricName, Metrics};

/// After which time to ask again where Temporal is away.
const AWAY_RETRY: Duration = Duration::from_secs(5);

/// One result for each event, in the order in which they came.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Results {
    results: Vec<EventResult>,
}

/// Takes CloudEvents in: one in structured JSON, one in binary mode (`ce-*` headers), or a batch. 202 means that each
/// event has its own result; an `accepted` one reaches exactly one terminal state. Sending events again is always safe.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/events",
    params(("tenant" = String, Path, description = "The tenant")),
    request_body(content = Object, description = "A CloudEvents 1.0 event, or an array of them"),
    responses(
        (status = 202, description = "A result for each event", body = Results),
        (status = 400, description = "No event could be read", body = Problem),
        (status = 401, description = "No token, or an unknown one", body = Problem),
        (status = 403, description = "The token is not for this tenant or call; tenant_closed: the tenant was off-boarded", body = Problem),
        (status = 413, description = "Above the size limit", body = Problem),
        (status = 429, description = "Too many events; see Retry-After", body = Problem),
        (status = 503, description = "Temporal is away; none was accepted", body = Problem)
    )
)]
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(&headers, &tenant, Need::Submit)?;
    if let Some(refusal) = gateway.ingest.refuses(&tenant).await {
        return Err(Problem::new(StatusCode::FORBIDDEN, ErrorCode::TenantClosed, refusal.detail));
    }
    let body = body.map_err(|error| unreadable_body(&error))?;
    let events = read(&headers, &body)?;
    gateway.throttle.pass(&tenant, events.len()).map_err(|wait| throttled(&gateway, wait))?;
    let ingested = gateway.ingest.batch(&tenant, events).await;
    for result in &ingested.results {
        gateway.metrics.count(MetricName::EventsIngested, &[("outcome", result.status.as_str())]);
        if let (EventStatus::Rejected, Some(code)) = (result.status, &result.code) {
            rejections::count(&gateway.metrics, code, RejectedAt::Gateway);
        }
    }
    answer(ingested)
}

/// Shows what this gateway counts of events, all of it 0.
pub(super) fn begin_counting(metrics: &Metrics) {
    for status in EventStatus::ALL {
        metrics.begin(MetricName::EventsIngested, &[("outcome", status.as_str())]);
    }
    rejections::begin(metrics, RejectedAt::Gateway);
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Value>, Problem> {
    let is_binary = headers.keys().any(|name| name.as_str().starts_with(BINARY_ATTRIBUTE_PREFIX));
    if !is_binary {
        return Ok(events_of_json(body)?);
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Ok(vec![binary_event(pairs, content_type, body)?])
}

fn answer(ingested: Ingested) -> Result<Response, Problem> {
    if let Some(reason) = ingested.away {
        let detail = format!("Temporal is away, and no event was accepted: {reason}.");
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
            _ => "None of the batch is an event.".to_owned(),
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
    Ok((StatusCode::ACCEPTED, Json(Results { results: ingested.results })).into_response())
}

fn too_large(detail: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::EventTooLarge, detail)
}

fn unreadable_body(error: &BytesRejection) -> Problem {
    let problem = request::unreadable(error, ErrorCode::EventTooLarge);
    if problem.code == ErrorCode::EventTooLarge {
        return problem.with_next("Send smaller batches; one event may have 16 KiB by default.");
    }
    problem
}

fn throttled(gateway: &Gateway, wait: Duration) -> Problem {
    gateway.metrics.count(MetricName::RequestsThrottled, &[]);
    let detail = "The tenant sends more events than it may.";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyEvents, detail).retry_after(wait)
}
