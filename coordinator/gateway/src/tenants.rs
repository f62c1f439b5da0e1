//! Reading a tenant, and a person's actions on it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TenantId;
use interlock_domain::tenant::{TenantActionKind, TenantView};
use interlock_domain::views::TenantActionTaken;
use interlock_http_service::{Problem, UnreadBody};
use serde::Deserialize;

use super::Gateway;
use super::access::Need;
use super::actions::words;
use super::problems::problem;
use super::request::{self, PathParts};
use super::throttle::Counted;

/// The body of an action on a tenant.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantActionBody {
    /// Id of the action, at most 128 bytes; repeating an action with the same id changes nothing.
    action_id: String,
    /// `onboard` or `offboard`.
    action: String,
    /// Reason; kept in the tenant's history.
    reason: String,
    /// Person on whose behalf the bearer of the token acts.
    #[serde(default)]
    actor: Option<String>,
    /// Ticket of another system that the action belongs to, at most 100 bytes; kept in the log of actions.
    #[serde(default)]
    ticket: Option<String>,
    /// For `offboard`: whether new events are rejected before the open orders have ended.
    #[serde(default)]
    at_once: bool,
}

/// A tenant: its state, the steps of its on-boarding, and its remaining open orders.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}",
    operation_id = "showTenant",
    params(("tenant" = String, Path, description = "The tenant")),
    responses(
        (status = 200, description = "The tenant", body = TenantView),
        (status = 403, description = "The token does not give access to this tenant, or does not allow \
                                      actions", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn show(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
) -> Result<Json<TenantView>, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(&headers, &tenant, Need::Operate)?;
    gateway.counted(&tenant, Counted::Reads, 1)?;
    Ok(Json(gateway.tenants.show(&tenant).await.map_err(problem)?))
}

/// On-boards or off-boards a tenant. Repeating an action with the same `action_id` changes nothing.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/actions",
    operation_id = "actOnTenant",
    params(("tenant" = String, Path, description = "The tenant")),
    request_body = TenantActionBody,
    responses(
        (status = 200, description = "The tenant's state after the action", body = TenantActionTaken),
        (status = 400, description = "bad_action or bad_id: the request is invalid", body = Problem),
        (status = 403, description = "The token does not give access to this tenant, or does not allow \
                                      actions", body = Problem),
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
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Json<TenantActionTaken>, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(&headers, &tenant, Need::Operate)?;
    gateway.counted(&tenant, Counted::Actions, 1)?;
    let body: TenantActionBody = request::action(&headers, body).await?;
    let kind = kind(&body)?;
    let words = words(&gateway, &headers, body.action_id, body.actor, body.reason, body.ticket)?;
    Ok(Json(gateway.tenants.act(&tenant, kind, words).await.map_err(problem)?))
}

pub(super) fn kind(body: &TenantActionBody) -> Result<TenantActionKind, Problem> {
    let bad = |detail: String| Err(Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadAction, detail));
    match body.action.as_str() {
        "onboard" if body.at_once => bad("The field 'at_once' is only for the action 'offboard'.".to_owned()),
        "onboard" => Ok(TenantActionKind::Onboard),
        "offboard" => Ok(TenantActionKind::Offboard { at_once: body.at_once }),
        other => bad(format!("The action '{other}' is unknown for tenants; the actions are: onboard, offboard.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_kind(body: &'static str) -> Result<TenantActionKind, ErrorCode> {
        let body: TenantActionBody = request::parse_action(body.as_bytes()).map_err(|problem| problem.code)?;
        kind(&body).map_err(|problem| problem.code)
    }

    #[test]
    fn an_action_is_read_from_its_body() {
        let offboard = r#"{"action_id":"1","action":"offboard","reason":"r","at_once":true}"#;
        assert_eq!(read_kind(offboard), Ok(TenantActionKind::Offboard { at_once: true }));
        let onboard = r#"{"action_id":"1","action":"onboard","reason":"r"}"#;
        assert_eq!(read_kind(onboard), Ok(TenantActionKind::Onboard));
        for body in [
            r#"{"action_id":"1","action":"onboard","reason":"r","at_once":true}"#,
            r#"{"action_id":"1","action":"delete","reason":"r"}"#,
            r#"{"action_id":"1","action":"offboard"}"#,
        ] {
            assert_eq!(read_kind(body), Err(ErrorCode::BadAction), "{body}");
        }
    }
}
