//! `POST /v1/tenants/{tenant}/plan`: what an event would do.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{ResourceId, TargetId, TenantId};
use interlock_domain::resource::ResourceView;
use interlock_domain::views::PlanView;
use interlock_http_service::{Problem, UnreadBody, check_media_type};
use interlock_operations::inspection::forecast::{NotPlanned, Sees};
use interlock_operations::strict_json::JsonLimits;

use super::access::Need;
use super::events::{is_binary, read, takes};
use super::problems::problem;
use super::request::{self, PathParts};
use super::throttle::Counted;
use super::views::{allowed, mask_foreign};
use super::{Gateway, JSON_VALUES_MAX, targets};

/// How many reads a plan counts as: it queries the customer twice, and every resource that the event claims.
const READS_OF_PLAN: usize = 10;

/// What the caller of the gateway may see.
struct Caller<'a> {
    gateway: &'a Gateway,
    headers: &'a HeaderMap,
}

impl Sees for Caller<'_> {
    fn mask(&self, tenant: &TenantId, resource: &ResourceId, view: &mut ResourceView) {
        mask_foreign(self.gateway, self.headers, tenant, resource, view);
    }

    fn sees_target(&self, target: &TargetId) -> bool {
        targets::allowed(self.gateway, self.headers, target, Need::Read).is_ok()
    }
}

/// What an event would do if it came now: its order, what that would claim and wait for, who is ahead, and the requests that its targets
/// would get, with credentials hidden. Nothing is sent, and nothing changes. The requests are shown to callers that may read the target.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/plan",
    operation_id = "planEvent",
    params(("tenant" = String, Path, description = "The tenant")),
    request_body(content = Object, description = "A CloudEvents 1.0 event"),
    responses(
        (status = 200, description = "The forecast; also for an event that would be rejected: see verdict", body = PlanView),
        (status = 400, description = "It cannot be read as one event", body = Problem),
        (status = 403, description = "The token does not give access to this tenant, or does not allow reading", body = Problem),
        (status = 413, description = "event_too_large, body_too_many_values", body = Problem),
        (status = 415, description = "The media type or encoding is not supported", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn plan(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Json<PlanView>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    gateway.counted(&tenant, Counted::Reads, READS_OF_PLAN - 1)?;
    let is_binary = is_binary(&headers);
    check_media_type(&headers, |media_type| takes(media_type, is_binary))?;
    let body = request::read(&headers, body, ErrorCode::EventTooLarge).await?;
    let limits = JsonLimits { elements_max: 1, values_max: JSON_VALUES_MAX };
    let mut events = read(&headers, is_binary, &body, limits).map_err(one_event)?;
    let Some(event) = events.pop() else {
        let detail = "The body has no event.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, ErrorCode::NoEventReadable, detail));
    };
    let caller = Caller { gateway: &gateway, headers: &headers };
    match Box::pin(gateway.inspection.plan(&tenant, event, &caller)).await {
        Ok(view) => Ok(Json(view)),
        Err(NotPlanned::NotAsked(error)) => Err(problem(error)),
        Err(NotPlanned::NotAnEvent(rejection)) => {
            let code = rejection.code.known().unwrap_or(ErrorCode::NotAnEvent);
            let status = match code {
                ErrorCode::EventTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            Err(Problem::new(status, code, rejection.detail))
        }
    }
}

/// A batch is not one event.
fn one_event(problem: Problem) -> Problem {
    if problem.code != ErrorCode::BatchTooLarge {
        return problem;
    }
    Problem::new(StatusCode::BAD_REQUEST, ErrorCode::NotAnEvent, "The body has several events; plan them one by one.")
}
