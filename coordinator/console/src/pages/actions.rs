//! Who did what: persons' actions, with a filter that is the address.

use axum::extract::{Path, RawQuery};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use interlock_domain::action_log::{ActionList, ActionObject, LoggedAction, ProposalState, SecondPersonView};
use interlock_http_service::UnreadBody;
use maud::{Markup, html};
use serde_json::json;
use url::form_urlencoded;

use crate::api::{ApiProblem, part};
use crate::form::Form;
use crate::page::Visit;
use crate::show::{ago, state};

/// The filters, in the order of their fields, and the name that a person knows them by.
const FILTERS: [(&str, &str); 6] = [
    ("person", "Person"),
    ("reason", "Reason"),
    ("ticket", "Ticket"),
    ("action", "Action"),
    ("object", "On"),
    ("limit", "At most"),
];

/// The page.
pub(crate) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Response {
    let given: Vec<(String, String)> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&given).finish();
    let list: ActionList = match visit.get_of_tenant(&format!("actions?{query}")).await {
        Ok(list) => list,
        Err(problem) => return visit.problem("Who did what", &problem),
    };
    let value = |name: &str| given.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value.as_str());
    let content = html! {
        h1 { "Who did what" }
        form.filter {
            @for (name, text) in FILTERS { label { (text) input name=(name) value=(value(name)) size="12"; } }
            label { input type="checkbox" name="waiting" value="true" checked[value("waiting") == "true"]; "waiting for a second person" }
            button { "Show" }
        }
        (table(&visit, &list))
        @if list.no_longer_kept > 0 { p.note { (list.no_longer_kept) " older actions are no longer kept." } }
    };
    visit.page("Who did what", true, &content)
}

fn table(visit: &Visit, list: &ActionList) -> Markup {
    html! {
        @if list.actions.is_empty() { p { "No action is like that." } } @else {
            table {
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "On" }
                    th scope="col" { "Why" } th scope="col" { "Ticket" } th scope="col" { "Outcome" }
                } }
                tbody { @for action in &list.actions { tr {
                    td { (ago(&action.at)) }
                    td { (action.actor) @if let Some(second) = &action.second_person { (second_person(second)) } }
                    td { (action.action) }
                    td { (object(visit, action)) }
                    td { (action.reason) }
                    td { @if let Some(ticket) = &action.ticket { (ticket) } }
                    td { (outcome(action)) @if visit.may_act() && is(action, ProposalState::Open) { (confirm_form(visit, action)) } }
                } } }
            }
        }
    }
}

/// The thing, as a link to its page if it has one.
fn object(visit: &Visit, action: &LoggedAction) -> Markup {
    let id = action.id.as_str();
    let link = match action.on.known() {
        Some(ActionObject::Order) => Some(visit.link(&["orders", id])),
        Some(ActionObject::Resource) => id.split_once('/').map(|(kind, id)| visit.link(&["resources", kind, id])),
        Some(ActionObject::Target) => Some(visit.link(&["targets", id])),
        Some(ActionObject::Tenant) | None => None,
    };
    html! {
        (action.on) " "
        @if let Some(link) = link { a href=(link) { (id) } } @else { (id) }
    }
}

fn outcome(action: &LoggedAction) -> Markup {
    html! {
        @match &action.outcome {
            Some(end) => { (state(end.as_str())) },
            None if is(action, ProposalState::Open) => { span.note { "waits for a second person" } },
            None if is(action, ProposalState::Expired) => { span.note { "expired: no second person confirmed it" } },
            None => { span.note { "unknown: it was sent, and no more was noted" } },
        }
        @if let Some(code) = &action.code { " " code { (code) } }
        @if let Some(detail) = &action.detail { br; span.note { (detail) } }
    }
}

fn is(action: &LoggedAction, wanted: ProposalState) -> bool {
    action.second_person.as_ref().is_some_and(|second| second.state == wanted)
}

/// Who confirmed it; until when somebody can.
fn second_person(second: &SecondPersonView) -> Markup {
    html! {
        br;
        @match &second.confirmed_by {
            Some(by) => { span.note { "confirmed by " (by) } },
            None => { span.note { "until " (ago(&second.until)) } },
        }
    }
}

fn confirm_form(visit: &Visit, action: &LoggedAction) -> Markup {
    html! {
        form.action method="post" action=(format!("{}/confirmation", visit.link(&["actions", &action.entry]))) {
            input type="hidden" name="form_token" value=(visit.form_token());
            input type="hidden" name="action" value="confirm";
            button { "Confirm" }
        }
    }
}

/// Confirms an action of somebody else.
pub(crate) async fn confirm(
    visit: Visit,
    Path((_, entry)): Path<(String, String)>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Response {
    let taken: Result<(), ApiProblem> = async {
        let form = Form::read(&headers, body).await?;
        visit.check(&form)?;
        let tenant = part(visit.tenant.as_str());
        let path = format!("/v1/tenants/{tenant}/actions/{}/confirmation", part(&entry));
        visit.post(&path, &json!({})).await.map(drop)
    }
    .await;
    match taken {
        Ok(()) => Redirect::to(&visit.link(&["actions"])).into_response(),
        Err(problem) => visit.problem("Not done", &problem),
    }
}
