//! Subscriptions: who is told of outcomes, in the manner of TM Forum's hub.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, SubscriptionId, TargetId, TenantId};
use interlock_domain::subscription::{OutgoingFormat, OutgoingType};
use interlock_domain::views::{SubscriptionList, SubscriptionMade, SubscriptionView};
use interlock_http_service::{Problem, UnreadBody};
use interlock_operations::actions::ActionWords;
use interlock_operations::subscriptions::NewSubscription;
use serde::Deserialize;
use uuid::Uuid;

use super::Gateway;
use super::access::Need;
use super::problems::problem;
use super::request::{self, PathParts};
use super::throttle::Counted;

/// A subscription to be made. `callback` and `query` are those of TM Forum's hub.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionBody {
    /// URL of the receiver, on the public internet unless the settings allow other addresses.
    callback: String,
    /// Filter of TM Forum's hub: `eventType` (`ServiceOrderStateChangeEvent`, `ServiceOrderJeopardyEvent`: the format is then `tmf641`)
    /// and `state` (states of orders, separated by commas), joined by `&`. Instead of `types`.
    #[serde(default)]
    query: Option<String>,
    /// `cloudevents` (default), `cloudevents_binary`, `tmf641` or `espf`.
    #[serde(default)]
    format: Option<OutgoingFormat>,
    /// Types of events, e.g. `interlock.order.completed`. Default: all that are about orders.
    #[serde(default)]
    types: BTreeSet<OutgoingType>,
    /// Only orders made by events of these types.
    #[serde(default)]
    event_types: BTreeSet<String>,
    /// Only orders with a step at one of these targets.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    step_targets: BTreeSet<TargetId>,
    /// Only these customers.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    customers: BTreeSet<CustomerId>,
}

/// The subscriptions of a tenant: those in the settings, and those that were made here.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/subscriptions",
    operation_id = "listSubscriptions",
    params(("tenant" = String, Path, description = "The tenant")),
    responses(
        (status = 200, description = "The subscriptions", body = SubscriptionList),
        (status = 403, description = "The token does not give access to this tenant, or does not allow reading", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn list(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
) -> Result<Json<SubscriptionList>, Problem> {
    let tenant = reads(&gateway, &headers, &tenant)?;
    Ok(Json(gateway.subscriptions.list(&tenant).await.map_err(problem)?))
}

/// One subscription.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/subscriptions/{id}",
    operation_id = "showSubscription",
    params(("tenant" = String, Path, description = "The tenant"), ("id" = String, Path, description = "The subscription")),
    responses(
        (status = 200, description = "The subscription", body = SubscriptionView),
        (status = 403, description = "The token does not give access to this tenant, or does not allow reading", body = Problem),
        (status = 404, description = "never_seen", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn show(
    State(gateway): State<Gateway>,
    PathParts((tenant, id)): PathParts<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<SubscriptionView>, Problem> {
    let tenant = reads(&gateway, &headers, &tenant)?;
    let id: SubscriptionId = id.parse().map_err(|error| Problem::bad_id("subscription", &error))?;
    Ok(Json(gateway.subscriptions.show(&tenant, &id).await.map_err(problem)?))
}

/// Makes a subscription. Interlock chooses its id; the same call again makes another one.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/subscriptions",
    operation_id = "addSubscription",
    params(("tenant" = String, Path, description = "The tenant")),
    request_body = SubscriptionBody,
    responses(
        (status = 201, description = "The subscription, with the key of its signatures; the header Location has its path", body = SubscriptionMade),
        (status = 400, description = "bad_action, subscription_invalid or callback_forbidden: the request is invalid", body = Problem),
        (status = 403, description = "The token does not give access to this tenant, or does not allow actions", body = Problem),
        (status = 409, description = "subscriptions_full", body = Problem),
        (status = 413, description = "body_too_large", body = Problem),
        (status = 415, description = "The media type of the body is not JSON", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn add(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<SubscriptionMade>), Problem> {
    let tenant = acts(&gateway, &headers, &tenant)?;
    let body: SubscriptionBody = request::action(&headers, body).await?;
    let words = words(&gateway, &headers, "subscribed by HTTP");
    let made = gateway.subscriptions.add(&tenant, wanted(body)?, words).await.map_err(problem)?;
    let path = format!("/v1/tenants/{}/subscriptions/{}", tenant.encoded(), made.subscription.id.encoded());
    Ok((StatusCode::CREATED, [(LOCATION, path)], Json(made)))
}

/// Removes a subscription that was made here.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/subscriptions/{id}",
    operation_id = "removeSubscription",
    params(("tenant" = String, Path, description = "The tenant"), ("id" = String, Path, description = "The subscription")),
    responses(
        (status = 204, description = "It was removed"),
        (status = 403, description = "The token does not give access to this tenant, or does not allow actions", body = Problem),
        (status = 404, description = "subscription_unknown", body = Problem),
        (status = 409, description = "subscription_configured: it is in the settings", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable; the same call again is safe", body = Problem)
    )
)]
pub(super) async fn remove(
    State(gateway): State<Gateway>,
    PathParts((tenant, id)): PathParts<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let tenant = acts(&gateway, &headers, &tenant)?;
    let id: SubscriptionId = id.parse().map_err(|error| Problem::bad_id("subscription", &error))?;
    let words = words(&gateway, &headers, "unsubscribed by HTTP");
    gateway.subscriptions.remove(&tenant, &id, words).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

fn reads(gateway: &Gateway, headers: &HeaderMap, tenant: &str) -> Result<TenantId, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(headers, &tenant, Need::Read)?;
    gateway.counted(&tenant, Counted::Reads, 1)?;
    Ok(tenant)
}

fn acts(gateway: &Gateway, headers: &HeaderMap, tenant: &str) -> Result<TenantId, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|error| Problem::bad_id("tenant", &error))?;
    gateway.access.check(headers, &tenant, Need::Operate)?;
    gateway.counted(&tenant, Counted::Actions, 1)?;
    Ok(tenant)
}

fn words(gateway: &Gateway, headers: &HeaderMap, reason: &str) -> ActionWords {
    let (action_id, actor) = (Uuid::new_v4().to_string(), gateway.access.caller(headers));
    ActionWords { action_id, actor, reason: reason.to_owned(), ticket: None, confirmed_by: None }
}

fn wanted(body: SubscriptionBody) -> Result<NewSubscription, Problem> {
    let invalid = |detail: String| Problem::new(StatusCode::BAD_REQUEST, ErrorCode::SubscriptionInvalid, detail);
    let (of_query, types) = match &body.query {
        Some(_) if !body.types.is_empty() => {
            return Err(invalid("The fields 'query' and 'types' exclude each other.".to_owned()));
        }
        Some(query) => queried(query).map_err(invalid)?,
        None => (None, body.types),
    };
    let format = body.format.or(of_query).unwrap_or_default();
    let SubscriptionBody { callback, event_types, step_targets, customers, .. } = body;
    Ok(NewSubscription { callback, format, types, event_types, step_targets, customers })
}

/// Reads a query of TM Forum's hub: the format and the types of events that it means, or why it cannot be read.
fn queried(query: &str) -> Result<(Option<OutgoingFormat>, BTreeSet<OutgoingType>), String> {
    let (mut format, mut types) = (None, BTreeSet::new());
    let mut states = BTreeSet::new();
    for part in query.trim_start_matches('?').split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match (name, value) {
            ("eventType", "ServiceOrderStateChangeEvent") => {
                format = Some(OutgoingFormat::Tmf641);
                types.extend(
                    OutgoingType::ALL.iter().filter(|of| of.is_of_order() && **of != OutgoingType::OrderOverdue),
                );
            }
            ("eventType", "ServiceOrderJeopardyEvent") => {
                format = Some(OutgoingFormat::Tmf641);
                types.insert(OutgoingType::OrderOverdue);
            }
            ("state", list) => {
                for state in list.split(',') {
                    let of = OutgoingType::ALL.iter().find(|of| of.is_of_order() && of.state() == state);
                    states.insert(*of.ok_or_else(|| format!("The query has the unknown state '{state}'."))?);
                }
            }
            _ => {
                return Err(format!(
                    "The query has '{part}'; it may have eventType (ServiceOrderStateChangeEvent, \
                     ServiceOrderJeopardyEvent) and state."
                ));
            }
        }
    }
    if !states.is_empty() {
        types = if types.is_empty() { states } else { types.intersection(&states).copied().collect() };
        if types.is_empty() {
            return Err("The query excludes every event.".to_owned());
        }
    }
    Ok((format, types))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(query: &str) -> Vec<&'static str> {
        queried(query).unwrap().1.into_iter().map(OutgoingType::state).collect()
    }

    #[test]
    fn a_query_of_tm_forums_hub_selects_states_and_the_format() {
        assert_eq!(queried("").unwrap(), (None, BTreeSet::new()));
        assert_eq!(types("eventType=ServiceOrderStateChangeEvent&state=completed,failed"), ["completed", "failed"]);
        assert_eq!(types("state=held"), ["held"]);
        assert_eq!(types("eventType=ServiceOrderJeopardyEvent"), ["overdue"]);
        assert_eq!(queried("eventType=ServiceOrderJeopardyEvent").unwrap().0, Some(OutgoingFormat::Tmf641));
        for bad in ["eventType=Other", "state=done", "status=held", "eventType=ServiceOrderJeopardyEvent&state=held"] {
            assert!(queried(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subscription_is_read_from_its_body() {
        let read = |json: serde_json::Value| {
            let body: Result<SubscriptionBody, _> = serde_json::from_value(json);
            body.map_err(|_| ErrorCode::BadAction).and_then(|body| wanted(body).map_err(|problem| problem.code))
        };
        let all = read(serde_json::json!({"callback": "https://crm.example"})).unwrap();
        assert_eq!((all.format, all.types.len()), (OutgoingFormat::CloudEvents, 0));
        let both =
            serde_json::json!({"callback": "https://x", "query": "state=held", "types": ["interlock.order.held"]});
        assert_eq!(read(both).err(), Some(ErrorCode::SubscriptionInvalid));
        for bad in [serde_json::json!({}), serde_json::json!({"callback": "https://x", "colour": 1})] {
            assert_eq!(read(bad).err(), Some(ErrorCode::BadAction));
        }
    }
}
