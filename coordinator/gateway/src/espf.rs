//! `POST /v1/tenants/{tenant}/espf`: the events of PortaOne's ESPF, alone or as an NSPS connector gets them.
//!
//! The mapping of the tenant makes one event of the catalog of a body, the intake event, which is submitted like any other. What it
//! leads to is found out later, by its step (`interlock_operations::intake`): a sender waits for nobody but Temporal.

mod sender;
mod signature;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use interlock_adapters::content;
use interlock_adapters::front_door::is_json;
use interlock_adapters::mapping::{Mapping, Taken};
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::event_result::{EventResult, EventResults, EventStatus};
use interlock_domain::ids::TenantId;
use interlock_domain::order::Rejection;
use interlock_fault::Fault;
use interlock_http_service::{Problem, UnreadBody, check_media_type, check_plain};
use interlock_observability::metrics::MetricName;
use interlock_observability::metrics::rejections::{self, RejectedAt};
use interlock_operations::intake::mapping_of;
use interlock_operations::strict_json::{self, JsonError, JsonLimits};
use interlock_settings::Settings;
use serde_json::{Value, json};

use self::sender::{Proof, Senders};
use super::request::{self, PathParts};
use super::throttle::Counted;
use super::{Gateway, JSON_VALUES_MAX};

/// When to retry if Temporal is unavailable.
const AWAY_RETRY: Duration = Duration::from_secs(5);
/// When to retry if there are too many calls of a sender.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// A tenant that takes such events.
pub(super) struct EspfTenant {
    mapping: Mapping,
    senders: Senders,
}

/// The tenants that take such events.
pub(super) type EspfTenants = BTreeMap<TenantId, EspfTenant>;

/// Reads the mappings and the secrets of the settings.
///
/// # Errors
/// [`Fault`] `mapping_unreadable`, `mapping_faulty` or `gateway_token_missing`.
pub(super) fn tenants(settings: &Settings) -> Result<EspfTenants, Fault> {
    let read = |(tenant, of): (&TenantId, _)| {
        let of: &interlock_settings::EspfSettings = of;
        let target = settings.targets.get(&of.target).ok_or_else(|| {
            let message = format!("The target '{}' of [espf.{tenant}] is not configured.", of.target);
            Fault::wrong_use(ErrorCode::TargetUnknown, message)
        })?;
        let senders = Senders::new(tenant, of).map_err(|missing| {
            let message = format!("A secret of [espf.{tenant}] cannot be read: {missing}.");
            Fault::wrong_use(ErrorCode::GatewayTokenMissing, message)
        })?;
        Ok((tenant.clone(), EspfTenant { mapping: mapping_of(&of.target, target)?, senders }))
    };
    settings.espf.iter().map(read).collect()
}

/// A problem as both senders understand it: ESPF looks at the status, NSPS at `message`, `error` and `type`.
pub(super) struct EspfProblem(Problem);

impl From<Problem> for EspfProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for EspfProblem {
    fn into_response(self) -> Response {
        let kind = match self.0.status {
            401 | 403 => "AUTHENTICATION_ERROR",
            429 => "RATE_LIMIT_ERROR",
            503 => "SERVICE_ERROR",
            500.. => "INTERNAL_ERROR",
            _ => "VALIDATION_ERROR",
        };
        // A problem contains only texts and numbers, which JSON can always represent.
        let mut body = serde_json::to_value(&self.0).unwrap_or_default();
        body["message"] = json!(self.0.detail);
        body["error"] = json!(self.0.code);
        body["type"] = json!(kind);
        let (parts, _) = self.0.into_response().into_parts();
        Response::from_parts(parts, Body::from(body.to_string()))
    }
}

/// Takes one event of PortaOne's ESPF, or the same event as an NSPS connector gets it. 202 means that the event has a result: an
/// `accepted` one is durable and is processed in its turn, an `ignored` one needs nothing, and sending a `rejected` one again will not
/// help. A repeated event gets the same answer and has no second effect. Besides bearer tokens with the role `submit`, the call takes
/// basic authorisation and signed requests, as the settings of the tenant say.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/espf",
    operation_id = "submitEspfEvent",
    params(("tenant" = String, Path, description = "The tenant")),
    request_body(content = Object, description = "The event"),
    responses(
        (status = 202, description = "The event's result: accepted, ignored or rejected", body = EventResults),
        (status = 400, description = "espf_body_invalid: the body is not such an event; not_json, repeated_key", body = Problem),
        (status = 401, description = "token_missing, token_unknown, credentials_unknown, signature_invalid, signature_expired", body = Problem),
        (status = 403, description = "The token does not give access to this tenant or call; tenant_closed: the tenant \
                                      was off-boarded", body = Problem),
        (status = 404, description = "espf_not_configured: the tenant takes no such events", body = Problem),
        (status = 413, description = "body_too_large, body_too_many_values", body = Problem),
        (status = 429, description = "Too many events or calls; see Retry-After", body = Problem),
        (status = 503, description = "Temporal is unavailable, or the gateway is overloaded: send the event again, which is \
                                      always safe; see Retry-After", body = Problem)
    )
)]
pub(super) async fn submit(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Response, EspfProblem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    let of_tenant = gateway.espf.get(&tenant);
    let proof = sender::check(&gateway.access, of_tenant.map(|of| &of.senders), &headers, &tenant)?;
    // Before anything that depends on the settings: a web page's form gets the same answer everywhere.
    check_media_type(&headers, is_json)?;
    if matches!(proof, Proof::AfterBody { .. }) {
        // What is signed is the body as it was sent.
        check_plain(&headers)?;
    }
    let of_tenant = of_tenant.ok_or_else(|| {
        let detail = format!("The tenant '{tenant}' takes no events of ESPF.");
        Problem::new(StatusCode::NOT_FOUND, ErrorCode::EspfNotConfigured, detail)
    })?;
    let _under_way = gateway.calls.begin(proof.slot()).ok_or_else(|| too_many(&gateway))?;
    if let Some(refusal) = gateway.ingest.refuses(&tenant).await {
        return Err(Problem::new(StatusCode::FORBIDDEN, ErrorCode::TenantClosed, refusal.detail).into());
    }
    gateway.has_room(&tenant)?;
    let taken = {
        let body = request::read(&headers, body, ErrorCode::BodyTooLarge).await?;
        if matches!(proof, Proof::AfterBody { .. }) {
            of_tenant.senders.check_signature(&headers, &body)?;
        }
        taken(&of_tenant.mapping, &headers, &body)?
    };
    gateway.counted(&tenant, Counted::Events, 1)?;
    let result = result_of(&gateway, &tenant, taken).await;
    gateway.metrics.count(MetricName::EventsIngested, &[("outcome", result.status.as_str())]);
    if let (EventStatus::Rejected, Some(code)) = (result.status, &result.code) {
        rejections::count(&gateway.metrics, code, RejectedAt::Gateway);
        tracing::warn!(%tenant, event = result.event_id, %code, detail = result.detail, "an event of ESPF was rejected");
    }
    Ok(answer(result)?)
}

fn too_many(gateway: &Gateway) -> Problem {
    gateway.metrics.count(MetricName::RequestsThrottled, &[]);
    let detail = "The limit of concurrent calls of this sender is reached.";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyCalls, detail).retry_after(BUSY_RETRY)
}

/// What the mapping makes of a body.
pub(super) fn taken(mapping: &Mapping, headers: &HeaderMap, body: &[u8]) -> Result<Taken, Problem> {
    // Only a body with a mark or another charset differs from its text. What is not valid is read as it is, and reported.
    let text = content::strict_text(headers, body);
    let body = text.as_deref().map_or(body, str::as_bytes);
    let limits = JsonLimits { elements_max: usize::MAX, values_max: JSON_VALUES_MAX };
    let body: Value = strict_json::read(body, limits).map_err(|error| {
        let (status, code) = match error {
            JsonError::DuplicateKey(_) => (StatusCode::BAD_REQUEST, ErrorCode::RepeatedKey),
            JsonError::TooManyValues(_) | JsonError::TooManyElements(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::BodyTooManyValues)
            }
            JsonError::NotJson(_) => (StatusCode::BAD_REQUEST, ErrorCode::NotJson),
        };
        Problem::new(status, code, format!("The body is not valid JSON: {error}."))
    })?;
    mapping.take(&body).map_err(|fault| {
        let detail = format!("The body is not an event of ESPF or NSPS: {fault}.");
        Problem::new(StatusCode::BAD_REQUEST, ErrorCode::EspfBodyInvalid, detail)
    })
}

async fn result_of(gateway: &Gateway, tenant: &TenantId, taken: Taken) -> EventResult {
    let raw = |event_id: String| EventResult::of_raw(&json!({ "id": event_id }));
    match taken {
        Taken::Event(event) => gateway.ingest.one(tenant, event).await,
        Taken::Ignored { event_id, reason } => raw(event_id).ignored(reason),
        Taken::Refused { event_id, code, detail } => raw(event_id).rejected(Rejection::new(code, detail)),
    }
}

/// The answer. An event that was perhaps not accepted must be sent again; one that was rejected must not.
fn answer(result: EventResult) -> Result<Response, Problem> {
    if result.status == EventStatus::Unknown {
        let code = result.code.as_ref().and_then(ReasonCode::known).unwrap_or(ErrorCode::TemporalUnavailable);
        let detail = format!("The event may not have been accepted: {}", result.detail.clone().unwrap_or_default());
        let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(AWAY_RETRY);
        problem.results = [result].into();
        return Err(problem);
    }
    Ok((StatusCode::ACCEPTED, Json(EventResults { results: vec![result] })).into_response())
}

#[cfg(test)]
mod tests {
    use interlock_adapters::mapping::shipped;

    use super::*;

    fn code(body: &str) -> Option<ErrorCode> {
        let mapping = Mapping::parse(shipped("portaone-espf.toml").unwrap()).unwrap();
        taken(&mapping, &HeaderMap::new(), body.as_bytes()).err().map(|problem| problem.code)
    }

    #[test]
    fn a_body_that_is_no_event_is_named_for_what_it_is() {
        assert_eq!(code("{"), Some(ErrorCode::NotJson));
        assert_eq!(code("[]"), Some(ErrorCode::EspfBodyInvalid));
        assert_eq!(code(r#"{"event_type":"DID/Updated","event_type":"x"}"#), Some(ErrorCode::RepeatedKey));
        assert_eq!(
            code(r#"{"event_type":"DID/Updated","variables":{"number":"1"}}"#),
            Some(ErrorCode::EspfBodyInvalid)
        );
        assert_eq!(code(r#"{"event_type":"No/Such","variables":{"i_event":1}}"#), None, "it has a result instead");
    }

    #[tokio::test]
    async fn a_problem_says_the_same_to_both_senders() {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporalUnavailable, "No.");
        let response = EspfProblem(problem.retry_after(AWAY_RETRY)).into_response();
        assert_eq!(
            (response.status(), &response.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
        );
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["error"]), (&json!("temporal_unavailable"), &json!("temporal_unavailable")));
        assert_eq!(
            (&body["type"], &body["message"], &body["status"]),
            (&json!("SERVICE_ERROR"), &json!("No."), &json!(503))
        );
    }

    #[test]
    fn an_event_that_may_be_lost_must_be_sent_again_and_a_rejected_one_must_not() {
        let result = EventResult::of_raw(&json!({"id": "1"}));
        let away = result.clone().unknown(ErrorCode::TemporalUnavailable, "cut.".to_owned());
        assert_eq!(answer(away).unwrap_err().status, 503);
        let rejected = result.rejected(Rejection::new(ErrorCode::EventTooLarge, "x"));
        assert_eq!(answer(rejected).unwrap().status(), StatusCode::ACCEPTED);
    }
}
