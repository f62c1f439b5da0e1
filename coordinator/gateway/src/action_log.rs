//! Who did what: the log of persons' actions.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use interlock_domain::action_log::{ActionFilter, ActionList, ActionObject};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TargetId;
use interlock_domain::views::ActionConfirmed;
use interlock_http_service::{Problem, UnreadBody};
use interlock_operations::actions::{ACTIONS_LISTED_DEFAULT, ACTIONS_LISTED_MAX};
use serde::Deserialize;
use url::form_urlencoded;

use super::Gateway;
use super::access::Need;
use super::actions::{self, actor_of, own_only};
use super::problems::problem;
use super::request::{self, PathParts};
use super::targets;
use super::views::allowed;

/// The persons' actions of a tenant, newest first: on its orders, its resources and itself, and those on targets to which the token gives
/// access. Actions that somebody sends to Temporal without Interlock's gateway or command are not in it. The newest 1,000 are kept.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/actions",
    operation_id = "listActions",
    params(
        ("tenant" = String, Path, description = "The tenant"),
        ("person" = Option<String>, Query, description = "Only actions whose actor contains this, in upper or lower case"),
        ("reason" = Option<String>, Query, description = "Only actions whose reason contains this, in upper or lower case"),
        ("ticket" = Option<String>, Query, description = "Only actions with this ticket, in upper or lower case"),
        ("action" = Option<String>, Query, description = "Only these: retry, skip, amend, cancel, release_first, force_release, pause, \
                                                          resume, limit, onboard, offboard, subscribe or unsubscribe"),
        ("object" = Option<String>, Query, description = "Only actions on things whose id contains this, in upper or lower case"),
        ("waiting" = Option<bool>, Query, description = "true: only actions that wait for a second person"),
        ("limit" = Option<usize>, Query, description = "At most this many, 1 to 1,000; 100 by default")
    ),
    responses(
        (status = 200, description = "The actions", body = ActionList),
        (status = 400, description = "bad_query or bad_id", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable", body = Problem)
    )
)]
pub(super) async fn list(
    State(gateway): State<Gateway>,
    PathParts(tenant): PathParts<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<ActionList>, Problem> {
    let tenant = allowed(&gateway, &headers, &tenant)?;
    let filter = filter(query.as_deref().unwrap_or_default())?;
    let sees = |target: &_| targets::allowed(&gateway, &headers, target, Need::Read).is_ok();
    Ok(Json(gateway.actions.logs().list(&tenant, &filter, sees).await.map_err(problem)?))
}

/// The body of a confirmation.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmationBody {
    /// Person on whose behalf the bearer of the token confirms.
    #[serde(default)]
    actor: Option<String>,
}

/// Confirms an action that needs a second person, and carries it out. The bearer of the token must be another one than the bearer who
/// proposed it, and must be allowed to take the action alone. The same call again is safe, and carries it out if it was not.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/actions/{entry}/confirmation",
    operation_id = "confirmAction",
    params(
        ("tenant" = String, Path, description = "The tenant"),
        ("entry" = String, Path, description = "entry of the action in the list of actions")
    ),
    request_body = ConfirmationBody,
    responses(
        (status = 200, description = "The action was carried out", body = ActionConfirmed),
        (status = 400, description = "bad_action or bad_id: the request is invalid", body = Problem),
        (status = 403, description = "The token may not act for this tenant, or on this target", body = Problem),
        (status = 404, description = "proposal_unknown, or the thing was never seen", body = Problem),
        (status = 409, description = "same_person, proposal_expired, proposal_decided, or the refusal of the action", body = Problem),
        (status = 413, description = "body_too_large", body = Problem),
        (status = 415, description = "The media type of the body is not JSON", body = Problem),
        (status = 429, description = "Rate limit exceeded; see Retry-After", body = Problem),
        (status = 503, description = "no_worker, or Temporal is unavailable; the same call again is safe", body = Problem)
    )
)]
pub(super) async fn confirm(
    State(gateway): State<Gateway>,
    PathParts((tenant, entry)): PathParts<(String, String)>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Json<ActionConfirmed>, Problem> {
    let tenant = actions::allowed(&gateway, &headers, &tenant)?;
    let body: ConfirmationBody = request::action(&headers, body).await?;
    let proposal = gateway.confirmations.proposal(&tenant, &entry).await.map_err(problem)?;
    if proposal.on == ActionObject::Target {
        let target: TargetId = proposal.id.parse().map_err(|error| Problem::bad_id("target", &error))?;
        targets::allowed(&gateway, &headers, &target, Need::Operate)?;
    }
    let by = actor_of(&gateway, &headers, body.actor);
    let own_only = |kind: &_| own_only(&gateway, &headers, &tenant, kind);
    Ok(Json(gateway.confirmations.confirm(&tenant, &entry, &by, own_only).await.map_err(problem)?))
}

/// The filter of a query.
pub(super) fn filter(query: &str) -> Result<ActionFilter, Problem> {
    let mut filter = ActionFilter { limit: Some(ACTIONS_LISTED_DEFAULT), ..ActionFilter::default() };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let field = match name.as_ref() {
            "person" => &mut filter.person,
            "reason" => &mut filter.reason,
            "ticket" => &mut filter.ticket,
            "action" => &mut filter.action,
            "object" => &mut filter.object,
            "waiting" => {
                filter.waiting = value.parse().map_err(|_| bad_query("waiting must be true or false"))?;
                continue;
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=ACTIONS_LISTED_MAX).contains(limit));
                let wrong = || bad_query(format!("limit must be a number from 1 to {ACTIONS_LISTED_MAX}"));
                filter.limit = Some(limit.ok_or_else(wrong)?);
                continue;
            }
            other => return Err(bad_query(format!("this call has no parameter '{other}'"))),
        };
        *field = Some(value.into_owned());
    }
    Ok(filter)
}

fn bad_query(what: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadQuery, format!("The query string is invalid: {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_actions_are_wanted() {
        let some = |text: &str| Some(text.to_owned());
        let wanted = filter("person=ann&reason=ported%20out&ticket=INC-7&action=retry&object=A~1&limit=7").unwrap();
        let expected = ActionFilter {
            person: some("ann"),
            reason: some("ported out"),
            ticket: some("INC-7"),
            action: some("retry"),
            object: some("A~1"),
            limit: Some(7),
            ..ActionFilter::default()
        };
        assert_eq!(wanted, expected);
        assert!(filter("waiting=true").unwrap().waiting);
        assert_eq!(filter("").unwrap().limit, Some(100));
        assert_eq!(filter("limit=1000").unwrap().limit, Some(1_000));
        for wrong in ["limit=0", "limit=1001", "limit=all", "persn=ann", "waiting=yes"] {
            assert_eq!(filter(wrong).unwrap_err().code, ErrorCode::BadQuery, "{wrong}");
        }
    }
}
