//! A person's actions on orders and resources.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use interlock_domain::action_mark::ON_BEHALF_OF;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{OrderId, ResourceId, ResourceKind, TenantId};
use interlock_domain::views::{ActionForecast, ActionTaken, ForceTaken};
use interlock_http_service::{Problem, UnreadBody};
use interlock_operations::actions::{ActionError, ActionWords, ForceRequest, OrderAction, OrderRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Gateway;
use super::access::Need;
use super::problems::{IntoProblem, problem};
use super::request::{self, PathParts};
use super::throttle::Counted;
use super::views;

/// The body of an action on an order.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderActionBody {
    /// Id of the action, at most 128 bytes; repeating an action with the same id changes nothing.
    action_id: String,
    /// `retry`, `skip`, `amend`, `cancel` or `release_first`.
    pub(super) action: String,
    /// Reason; kept in the customer's journal.
    reason: String,
    /// Person on whose behalf the bearer of the token acts.
    #[serde(default)]
    actor: Option<String>,
    /// Ticket of another system that the action belongs to, at most 100 bytes; kept in the log of actions.
    #[serde(default)]
    ticket: Option<String>,
    /// For `amend`: the fields of the event's data to correct, each in the form that a producer would send.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(super) data: Option<Map<String, Value>>,
}

/// The body of an action on a resource.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceActionBody {
    /// Id of the action, at most 128 bytes; repeating an action with the same id changes nothing.
    action_id: String,
    /// `force_release`.
    action: String,
    /// Reason; kept in the resource's history.
    reason: String,
    /// Person on whose behalf the bearer of the token acts.
    #[serde(default)]
    actor: Option<String>,
    /// Ticket of another system that the action belongs to, at most 100 bytes; kept in the log of actions.
    #[serde(default)]
    ticket: Option<String>,
    /// Whether to release it even if the target has it registered to the holder, or cannot tell; this is marked in the
    /// history.
    #[serde(default)]
    even_if_registered: bool,
}

/// What an action did, or its forecast.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum Acted<T> {
    /// It was done.
    Done(T),
    /// It is what would happen: nothing was done.
    Foreseen(Box<ActionForecast>),
}

/// How many reads a preview counts as: it queries every entity that the action concerns.
const READS_OF_PREVIEW: usize = 10;

/// Counts a preview, and says whether it is one.
pub(super) fn preview(gateway: &Gateway, tenant: &TenantId, query: Option<&str>) -> Result<bool, Problem> {
    let is_preview = request::is_preview(query)?;
    if is_preview {
        gateway.counted(tenant, Counted::Reads, READS_OF_PREVIEW)?;
    }
    Ok(is_preview)
}

/// Acts on an order. Repeating an action with the same `action_id` changes nothing. With `preview=true` nothing is done: the answer says
/// what would happen.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/orders/{order_id}/actions",
    operation_id = "actOnOrder",
    params(
        ("tenant" = String, Path),
        ("order_id" = String, Path, description = "CUSTOMER~UUID"),
        ("preview" = Option<bool>, Query, description = "true: do nothing, and say what would happen")
    ),
    request_body = OrderActionBody,
    responses(
        (status = 200, description = "The order's state after the action, or the forecast", body = Acted<ActionTaken>),
        (status = 400, description = "bad_action, bad_id, invalid_data and others: the request is \
                                      invalid", body = Problem),
        (status = 403, description = "The token may not act for this tenant", body = Problem),
        (status = 404, description = "Never seen", body = Problem),
        (status = 409, description = "Rejected, with the reason; nothing was changed", body = Problem),
        (status = 413, description = "body_too_large", body = Problem),
        (status = 415, description = "The media type of the body is not JSON", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable; the same call again is \
                                      safe", body = Problem)
    )
)]
pub(super) async fn on_order(
    State(gateway): State<Gateway>,
    PathParts((tenant, order_id)): PathParts<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Json<Acted<ActionTaken>>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let is_preview = preview(&gateway, &tenant, query.as_deref())?;
    let order_id: OrderId = order_id.parse().map_err(|error| Problem::bad_id("order", &error))?;
    let body: OrderActionBody = request::action(&headers, body).await?;
    let words = words(&gateway, &headers, body.action_id, body.actor, body.reason, body.ticket)?;
    let action = OrderAction::of_name(&body.action, body.data).map_err(problem)?;
    let request = OrderRequest { order_id, action, words };
    Ok(Json(if is_preview {
        let forecast = Box::pin(gateway.actions.preview_on_order(&tenant, &request)).await;
        Acted::Foreseen(Box::new(forecast.map_err(problem)?))
    } else {
        Acted::Done(gateway.actions.on_order(&tenant, &request).await.map_err(problem)?)
    }))
}

/// Acts on a resource: releases it by force. First the target is asked who has it, then the holder; this may take some
/// seconds. Repeating an action with the same `action_id` changes nothing. With `preview=true` nothing is done and nobody is asked: the
/// answer says what would happen, if the target said that nobody has it.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/resources/{kind}/{id}/actions",
    operation_id = "actOnResource",
    params(
        ("tenant" = String, Path),
        ("kind" = String, Path),
        ("id" = String, Path, description = "Its id within its kind"),
        ("preview" = Option<bool>, Query, description = "true: do nothing, and say what would happen")
    ),
    request_body = ResourceActionBody,
    responses(
        (status = 200, description = "The resource's state after the action, or the forecast", body = Acted<ForceTaken>),
        (status = 400, description = "bad_action or bad_id: the request is invalid", body = Problem),
        (status = 403, description = "The token may not act for this tenant", body = Problem),
        (status = 404, description = "Never seen", body = Problem),
        (
            status = 409,
            description = "Rejected, with the reason: still_registered, holder_has_open_orders, authority_unanswered, \
                           …",
            body = Problem
        ),
        (status = 413, description = "body_too_large", body = Problem),
        (status = 415, description = "The media type of the body is not JSON", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable; the same call again is \
                                      safe", body = Problem)
    )
)]
pub(super) async fn on_resource(
    State(gateway): State<Gateway>,
    PathParts((tenant, kind, id)): PathParts<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Json<Acted<ForceTaken>>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let is_preview = preview(&gateway, &tenant, query.as_deref())?;
    let kind = kind.parse().map_err(|error| Problem::bad_id("kind", &error))?;
    let resource = ResourceId::new(kind, &id).map_err(|error| Problem::bad_id("resource", &error))?;
    let body: ResourceActionBody = request::action(&headers, body).await?;
    let words = words(&gateway, &headers, body.action_id, body.actor, body.reason, body.ticket)?;
    if body.action != "force_release" {
        let detail = format!("The action '{}' is unknown for resources; the actions are: force_release.", body.action);
        return Err(Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadAction, detail));
    }
    let own_only = own_only(&gateway, &headers, &tenant, resource.kind());
    let request = ForceRequest { resource, even_if_registered: body.even_if_registered, own_only, words };
    if is_preview {
        let forecast = Box::pin(gateway.actions.preview_force_release(&tenant, &request)).await;
        return Ok(Json(Acted::Foreseen(Box::new(forecast.map_err(problem)?))));
    }
    let mut taken = gateway.actions.force_release(&tenant, &request).await.map_err(problem)?;
    views::mask_foreign(&gateway, &headers, &tenant, &request.resource, &mut taken.state);
    Ok(Json(Acted::Done(taken)))
}

pub(super) fn allowed(gateway: &Gateway, headers: &HeaderMap, tenant: &str) -> Result<TenantId, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(headers, &tenant, Need::Operate)?;
    gateway.counted(&tenant, Counted::Actions, 1)?;
    Ok(tenant)
}

/// The actor, the reason and the ticket. The actor is the caller; the name in the body only says on whose behalf.
pub(super) fn words(
    gateway: &Gateway,
    headers: &HeaderMap,
    action_id: String,
    actor: Option<String>,
    reason: String,
    ticket: Option<String>,
) -> Result<ActionWords, Problem> {
    let actor = actor_of(gateway, headers, actor);
    let words = ActionWords { action_id, actor, reason, ticket, confirmed_by: None };
    words.check().map_err(problem)?;
    Ok(words)
}

/// The caller, and on whose behalf it acts.
pub(super) fn actor_of(gateway: &Gateway, headers: &HeaderMap, named: Option<String>) -> String {
    let caller = gateway.access.caller(headers);
    match named {
        Some(name) if name != caller => format!("{caller}{ON_BEHALF_OF}{name}"),
        _ => caller,
    }
}

/// Whether the caller has a right over the tenant's own leases of this kind only: what tenants share also belongs to other tenants.
pub(super) fn own_only(gateway: &Gateway, headers: &HeaderMap, tenant: &TenantId, kind: &ResourceKind) -> bool {
    let realm = gateway.inspection.shared_realm(tenant, kind);
    realm.is_some_and(|realm| !gateway.access.may_over_realm(headers, &realm, Need::Operate))
}

impl IntoProblem for ActionError {
    fn into_problem(self) -> Problem {
        let (code, sentence) = (self.code(), self.sentence());
        match self {
            ActionError::Unreached(error) => error.into_problem(),
            ActionError::Refused { .. } => Problem::new(status_of(code), code, sentence),
        }
    }
}

/// 400 for an invalid action, 404 for a missing object, 409 for an action that is refused in the present state.
fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadAction
        | ErrorCode::SubscriptionInvalid
        | ErrorCode::CallbackForbidden
        | ErrorCode::InvalidData
        | ErrorCode::NotDistinct
        | ErrorCode::AmendNothing
        | ErrorCode::AmendUnknownField
        | ErrorCode::AmendIncomplete => StatusCode::BAD_REQUEST,
        ErrorCode::OrderUnknown | ErrorCode::SubscriptionUnknown | ErrorCode::ProposalUnknown => StatusCode::NOT_FOUND,
        _ => StatusCode::CONFLICT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_action_is_told_from_what_is_refused() {
        assert_eq!(status_of(ErrorCode::BadAction), StatusCode::BAD_REQUEST);
        assert_eq!(status_of(ErrorCode::OrderUnknown), StatusCode::NOT_FOUND);
        for refused in [ErrorCode::ReleaseConfirmed, ErrorCode::AmendChangesClaim, ErrorCode::StillRegistered] {
            assert_eq!(status_of(refused), StatusCode::CONFLICT);
        }
    }

    #[test]
    fn a_body_with_a_field_too_many_is_no_action() {
        let body = br#"{"action_id":"x","action":"retry","reason":"r","resaon":"r"}"#;
        let problem = request::parse_action::<OrderActionBody>(body).err().unwrap();
        assert_eq!((problem.status, problem.code), (400, ErrorCode::BadAction));
    }
}
