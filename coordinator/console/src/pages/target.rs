//! A target: whether it is called, how often, and why not.

use axum::extract::Path;
use axum::response::Response;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::target_entity::TargetView;
use maud::{Markup, html};
use serde_json::Value;

use crate::acting::{self, ActedOn, Sent};
use crate::api::part;
use crate::form::refused;
use crate::page::Visit;
use crate::show::{action_words, ago, preview_button, state};

/// The page.
pub(crate) async fn show(visit: Visit, Path((_, target)): Path<(String, String)>) -> Response {
    let title = format!("Target {target}");
    let view: TargetView = match visit.get(&format!("/v1/targets/{}", part(&target))).await {
        Ok(view) => view,
        Err(problem) => return visit.problem(&title, &problem),
    };
    let content = html! {
        h1 { "Target " span.id { (view.target) } }
        (summary(&view))
        p { a href=(format!("{}?target={}", visit.link(&["orders"]), part(&target))) { "Orders that wait for it" } }
        section aria-labelledby="history" { h2 #history { "What happened" }
            ol.line { @for line in view.history.iter().rev() { li {
                p { (ago(&line.at)) " " strong { (line.what) } @if let Some(who) = &line.who { " by " (who) } }
                @if let Some(detail) = &line.detail { p { (detail) } }
            } } }
        }
        @if visit.may_act() { section aria-labelledby="actions" { h2 #actions { "Act" } (actions(&visit, &view)) } }
    };
    visit.page(&title, !visit.may_act(), &content)
}

fn summary(view: &TargetView) -> Markup {
    html! {
        dl {
            dt { "State" } dd { (state(&view.state.to_string())) ", " (ago(&view.since)) }
            @if let Some(since) = &view.down_since { dt { "Down" } dd { (ago(since)) } }
            @if let Some(reason) = &view.reason { dt { "Why" } dd { (reason) @if let Some(actor) = &view.actor { " (" (actor) ")" } } }
            @if let Some(until) = &view.until { dt { "Until" } dd { (ago(until)) } }
            @if let Some(next) = &view.next_probe_at { dt { "Next probe" } dd { (ago(next)) } }
            @if let Some(probe) = &view.last_probe { dt { "Last probe" } dd { @if probe.up { "answered" } @else { (probe.detail) } ", " (ago(&probe.at)) } }
            dt { "Requests a second" } dd { @match view.limit.0 { Some(rate) => (f64::from(rate)), None => "no limit" }
                @if view.limit_pending { ", and the server does not know the next limit yet" } }
            @if let Some(fault) = &view.limit_fault { dt { "Limit" } dd { (fault) } }
            @if let Some(rate) = view.limited_to { dt { "Limited by a person to" } dd { (f64::from(rate)) } }
        }
        @if view.unserved { p role="alert" { "No worker polls its queue: calls to it do not start." } }
        @if !view.breakers.is_empty() { ul { @for breaker in &view.breakers { li { (breaker.process) ": " (breaker.reason) ", " (ago(&breaker.since)) } } } }
    }
}

fn actions(visit: &Visit, view: &TargetView) -> Markup {
    let to = format!("{}/actions", visit.link(&["targets", view.target.as_str()]));
    html! {
        form.action method="post" action=(to) {
            p { "No call starts any more. Calls in flight end as usual." }
            (action_words(visit, "pause"))
            button { "Pause" }
            (preview_button(&to))
        }
        form.action method="post" action=(to) {
            p { "Calls start again." }
            (action_words(visit, "resume"))
            button { "Resume" }
            (preview_button(&to))
        }
        form.action method="post" action=(to) {
            p { "At most so many requests a second. Empty: as configured." }
            label { "Requests a second" input name="per_second" inputmode="decimal"; }
            (action_words(visit, "limit"))
            button { "Limit" }
            (preview_button(&to))
        }
    }
}

/// Pauses, resumes or limits it, or shows what that would do.
pub(crate) async fn act(visit: Visit, Path((_, target)): Path<(String, String)>, sent: Sent) -> Response {
    let on = ActedOn {
        what: format!("target {target}"),
        call: format!("/v1/targets/{}/actions", part(&target)),
        page: visit.link(&["targets", &target]),
    };
    acting::act(&visit, &on, sent, |form, action| {
        if form.get("action") == "limit" && !form.get("per_second").is_empty() {
            let rate: Result<Value, _> = serde_json::from_str(form.get("per_second"));
            let rate =
                rate.map_err(|_| refused(400, ErrorCode::BadAction, "The requests a second must be a number."))?;
            action.insert("per_second".to_owned(), rate);
        }
        Ok(())
    })
    .await
}
