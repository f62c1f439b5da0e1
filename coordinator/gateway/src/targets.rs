//! Reading targets, and a person's actions on them. Tenants may share a target: an action on it affects all of
//! them.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{TargetId, Timestamp};
use interlock_domain::target_entity::{Rate, TargetActionKind, TargetView};
use interlock_domain::views::{TargetActionTaken, TargetList, TargetListed};
use interlock_http_service::{Problem, UnreadBody};
use serde::Deserialize;

use super::Gateway;
use super::access::Need;
use super::actions::{Acted, preview, words};
use super::problems::problem;
use super::request::{self, PathParts};
use super::throttle::Counted;

/// How many reads the list counts as: it queries every target.
const READS_OF_LIST: usize = 10;

/// The body of an action on a target.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetActionBody {
    /// Id of the action, at most 128 bytes; repeating an action with the same id changes nothing.
    action_id: String,
    /// `pause` (no call starts any more; those in flight end as usual), `resume` or `limit`.
    action: String,
    /// Reason; kept in the target's history.
    reason: String,
    /// Person on whose behalf the bearer of the token acts.
    #[serde(default)]
    actor: Option<String>,
    /// Ticket of another system that the action belongs to, at most 100 bytes; kept in the log of actions.
    #[serde(default)]
    ticket: Option<String>,
    /// For `pause`: end of the pause, RFC 3339; if missing, until the target is resumed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    until: Option<DateTime<Utc>>,
    /// For `limit`: requests per second; null or missing to use the configured limit again.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    per_second: Option<Rate>,
}

/// All configured targets to which the token gives access.
#[utoipa::path(
    get,
    path = "/v1/targets",
    operation_id = "listTargets",
    responses(
        (status = 200, description = "targets", body = TargetList),
        (status = 403, description = "The token does not give access to targets", body = Problem)
    )
)]
pub(super) async fn list(State(gateway): State<Gateway>, headers: HeaderMap) -> Result<Json<TargetList>, Problem> {
    gateway.access.check_role(&headers, Need::Read)?;
    gateway.counted(&gateway.access.home(&headers), Counted::Reads, READS_OF_LIST)?;
    let may_see = |listed: &TargetListed| allowed(&gateway, &headers, listed.target(), Need::Read).is_ok();
    let targets = gateway.targets.list().await.map_err(problem)?.into_iter().filter(may_see).collect();
    Ok(Json(TargetList { targets }))
}

/// A target: its state, its limit, its last probe and its history.
#[utoipa::path(
    get,
    path = "/v1/targets/{name}",
    operation_id = "showTarget",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "The target", body = TargetView),
        (status = 403, description = "The token gives no access to the target, or the target does not \
                                      exist", body = Problem),
        (status = 404, description = "The target is not configured", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn show(
    State(gateway): State<Gateway>,
    PathParts(name): PathParts<String>,
    headers: HeaderMap,
) -> Result<Json<TargetView>, Problem> {
    let target: TargetId = name.parse().map_err(|error| Problem::bad_id("target", &error))?;
    allowed(&gateway, &headers, &target, Need::Read)?;
    gateway.counted(&gateway.access.home(&headers), Counted::Reads, 1)?;
    Ok(Json(gateway.targets.show(&target).await.map_err(problem)?))
}

/// Acts on a target. Repeating an action with the same `action_id` changes nothing. The token must give access to all
/// tenants that call the target. With `preview=true` nothing is done: the answer says what would happen, if the target answers its probes.
#[utoipa::path(
    post,
    path = "/v1/targets/{name}/actions",
    operation_id = "actOnTarget",
    params(
        ("name" = String, Path),
        ("preview" = Option<bool>, Query, description = "true: do nothing, and say what would happen")
    ),
    request_body = TargetActionBody,
    responses(
        (status = 200, description = "The target's state after the action, or the forecast", body = Acted<TargetActionTaken>),
        (status = 400, description = "bad_action or bad_id: the request is invalid", body = Problem),
        (status = 403, description = "The token gives no access to the target, or does not allow actions, or the \
                                      target does not exist", body = Problem),
        (status = 404, description = "The target is not configured", body = Problem),
        (status = 409, description = "Rejected, with the reason; nothing was changed", body = Problem),
        (status = 413, description = "body_too_large", body = Problem),
        (status = 415, description = "The media type of the body is not JSON", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable; the same call again is \
                                      safe", body = Problem)
    )
)]
pub(super) async fn act(
    State(gateway): State<Gateway>,
    PathParts(name): PathParts<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Json<Acted<TargetActionTaken>>, Problem> {
    let target: TargetId = name.parse().map_err(|error| Problem::bad_id("target", &error))?;
    allowed(&gateway, &headers, &target, Need::Operate)?;
    let home = gateway.access.home(&headers);
    gateway.counted(&home, Counted::Actions, 1)?;
    let is_preview = preview(&gateway, &home, query.as_deref())?;
    let body: TargetActionBody = request::action(&headers, body).await?;
    let kind = kind(&body)?;
    let words = words(&gateway, &headers, body.action_id, body.actor, body.reason, body.ticket)?;
    Ok(Json(if is_preview {
        Acted::Foreseen(Box::new(gateway.targets.preview(&target, kind, words).await.map_err(problem)?))
    } else {
        Acted::Done(gateway.targets.act(&target, kind, words).await.map_err(problem)?)
    }))
}

pub(super) fn kind(body: &TargetActionBody) -> Result<TargetActionKind, Problem> {
    let bad = |detail: String| Err(Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadAction, detail));
    let (pauses, limits) = (body.action == "pause", body.action == "limit");
    if body.until.is_some() && !pauses {
        return bad(format!("The field 'until' is only for the action 'pause', not for '{}'.", body.action));
    }
    if body.per_second.is_some() && !limits {
        return bad(format!("The field 'per_second' is only for the action 'limit', not for '{}'.", body.action));
    }
    match body.action.as_str() {
        "pause" => Ok(TargetActionKind::Pause { until: body.until.map(|until| Timestamp(until.timestamp_millis())) }),
        "resume" => Ok(TargetActionKind::Resume),
        "limit" => Ok(TargetActionKind::Limit { per_second: body.per_second }),
        other => bad(format!("The action '{other}' is unknown for targets; the actions are: pause, resume, limit.")),
    }
}

/// Checks that the caller may read a target, or act on it: it has a right over the target, or its token is for all tenants that
/// call it. A target that belongs to others is refused with the same text as one that does not exist.
pub(super) fn allowed(gateway: &Gateway, headers: &HeaderMap, target: &TargetId, need: Need) -> Result<(), Problem> {
    gateway.access.check_role(headers, need)?;
    if gateway.access.may_over_target(headers, target, need) {
        return Ok(());
    }
    let callers = gateway.targets.tenants_of(target);
    // Any token may read a target that tenants use without a [tenants] table that names it. Acting on it needs a right.
    let is_in_reach = match need {
        Need::Operate => !gateway.targets.is_for_everybody(target),
        Need::Read | Need::Submit => gateway.targets.is_of_role(target) || !callers.is_empty(),
    };
    if is_in_reach && callers.iter().all(|tenant| gateway.access.check(headers, tenant, need).is_ok()) {
        return Ok(());
    }
    let detail = format!("The token gives no access to the target '{target}', or no target has this name.");
    Err(Problem::new(StatusCode::FORBIDDEN, ErrorCode::TargetForbidden, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_kind(body: &'static str) -> Result<TargetActionKind, ErrorCode> {
        let body: TargetActionBody = request::parse_action(body.as_bytes()).map_err(|problem| problem.code)?;
        kind(&body).map_err(|problem| problem.code)
    }

    #[test]
    fn an_action_is_read_from_its_body() {
        let pause = r#"{"action_id":"1","action":"pause","reason":"r","until":"1970-01-01T00:00:01Z"}"#;
        assert_eq!(read_kind(pause), Ok(TargetActionKind::Pause { until: Some(Timestamp(1_000)) }));
        let limit = r#"{"action_id":"1","action":"limit","reason":"r","per_second":2}"#;
        assert_eq!(read_kind(limit), Ok(TargetActionKind::Limit { per_second: Some(Rate::per_second(2)) }));
        let lifted = r#"{"action_id":"1","action":"limit","reason":"r","per_second":null}"#;
        assert_eq!(read_kind(lifted), Ok(TargetActionKind::Limit { per_second: None }));
    }

    #[test]
    fn what_does_not_go_together_is_no_action() {
        for body in [
            r#"{"action_id":"1","action":"stop","reason":"r"}"#,
            r#"{"action_id":"1","action":"resume","reason":"r","per_second":2}"#,
            r#"{"action_id":"1","action":"limit","reason":"r","until":"1970-01-01T00:00:01Z"}"#,
            r#"{"action_id":"1","action":"limit","reason":"r","per_second":-1}"#,
        ] {
            assert_eq!(read_kind(body), Err(ErrorCode::BadAction), "{body}");
        }
    }
}
