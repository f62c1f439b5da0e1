//! A number, a SIM, an address: who holds it, who waits for it, and what happened, with the proof.

use axum::extract::Path;
use axum::response::Response;
use interlock_domain::resource::{HistoryView, ResourceView};
use maud::{Markup, html};

use crate::acting::{self, ActedOn, Sent};
use crate::api::part;
use crate::page::Visit;
use crate::show::{action_words, ago, customer_link, order_link, preview_button, state};

/// The page.
pub(crate) async fn show(visit: Visit, Path((_, kind, id)): Path<(String, String, String)>) -> Response {
    let title = format!("{kind} {id}");
    let view: ResourceView = match visit.get_of_tenant(&format!("resources/{}/{}", part(&kind), part(&id))).await {
        Ok(view) => view,
        Err(problem) => return visit.problem(&title, &problem),
    };
    let content = html! {
        h1 { (kind) " " span.id { (id) } }
        p { (visit.temporal_of_resource(&view.resource)) }
        @if let Some(ended) = &view.entity_ended { p role="alert" { "Its entity does not run: " (ended) "." } }
        section aria-labelledby="holder" { h2 #holder { "Holder" } (holder(&visit, &view)) }
        section aria-labelledby="queue" { h2 #queue { "Who waits" } (queue(&visit, &view)) }
        section aria-labelledby="history" { h2 #history { "What happened" } (history(&visit, &view)) }
        @if view.holder.is_some() && visit.may_act() {
            section aria-labelledby="actions" {
                h2 #actions { "Act" }
                @let to = format!("{}/actions", visit.link(&["resources", &kind, &id]));
                form.action method="post" action=(to) {
                    p { "Release it by force. First the target is asked who has it. If the holder has it there, nothing happens." }
                    (action_words(&visit, "force_release"))
                    label { input type="checkbox" name="even_if_registered" value="true"; "even if the target has it registered to the holder, or cannot tell" }
                    button { "Release by force" }
                    (preview_button(&to))
                }
            }
        }
    };
    visit.page(&title, !visit.may_act(), &content)
}

fn holder(visit: &Visit, view: &ResourceView) -> Markup {
    html! {
        @match &view.holder {
            None => p { "Nobody. The last epoch is " (view.epoch) "." },
            Some(holder) => dl {
                dt { "Customer" } dd {
                    @match (&holder.customer_id, &holder.tenant_id) {
                        (Some(customer), Some(tenant)) if *tenant == visit.tenant => (customer_link(visit, customer)),
                        (Some(customer), tenant) => { @if let Some(tenant) = tenant { (tenant) " " } (customer) }
                        (None, _) => "unknown here",
                    }
                }
                @if let Some(name) = holder.target_identity.as_ref().and_then(|name| name.shown()) { dt { "Known to targets as" } dd { (name) } }
                @if let Some(order) = &holder.order_id { dt { "Order" } dd { (order_link(visit, order)) } }
                dt { "Epoch" } dd { (holder.epoch) }
                dt { "Since" } dd { (ago(&holder.since)) }
                @if let Some(at) = &holder.orphaned_at { dt { "Its entity does not know of it" } dd { (ago(at)) } }
            },
        }
        @if let Some(rival) = &view.also_held_by { p role="alert" { "Also claimed by " (rival.tenant_id) " " (rival.customer_id) ", epoch " (rival.epoch) "." } }
    }
}

fn queue(visit: &Visit, view: &ResourceView) -> Markup {
    html! {
        @if view.queue.is_empty() { p { "Nobody." } } @else {
            @if let Some(wait) = &view.waiting_for { p { "The first one waits for: " strong { (wait) }
                @if let Some(since) = &view.waiting_since { ", " (ago(since)) } } }
            ol { @for waiter in &view.queue { li {
                @if waiter.tenant_id == visit.tenant { (customer_link(visit, &waiter.customer_id)) } @else { (waiter.tenant_id) " " (waiter.customer_id) }
                @if let Some(order) = &waiter.order_id { " for " (order_link(visit, order)) }
                ", " (ago(&waiter.since))
            } } }
        }
    }
}

fn history(visit: &Visit, view: &ResourceView) -> Markup {
    html! {
        @if view.history.is_empty() { p { "Nothing that is kept." } }
        ol.line { @for line in view.history.iter().rev() { li { (of_history(visit, line)) } } }
    }
}

fn of_history(visit: &Visit, line: &HistoryView) -> Markup {
    html! {
        p {
            (ago(&line.at)) " " (state(&line.what.to_string()))
            @if let Some(who) = &line.who { " " (who) }
            ", epoch " (line.epoch)
            @if let Some(order) = &line.order_id { ", " (order_link(visit, order)) }
        }
        @if let Some(detail) = &line.detail { p { (detail) } }
        @if let Some(proof) = &line.proof { p.note {
            "Proof: " (order_link(visit, &proof.order_id))
            @if let Some(step) = &proof.step { ", " (step.target) " answered " (step.operation) " with " (step.outcome) }
            ", " (ago(&proof.at))
            @if let Some(actor) = &proof.actor { ", decided by " (actor) }
            @if let Some(reason) = &proof.reason { ": " (reason) }
        } }
        @if let Some(actor) = &line.actor { p { "By " (actor) @if let Some(reason) = &line.reason { ": " (reason) } } }
    }
}

/// Releases it by force, or shows what that would do.
pub(crate) async fn act(visit: Visit, Path((_, kind, id)): Path<(String, String, String)>, sent: Sent) -> Response {
    let tenant = part(visit.tenant.as_str());
    let on = ActedOn {
        what: format!("{kind} {id}"),
        call: format!("/v1/tenants/{tenant}/resources/{}/{}/actions", part(&kind), part(&id)),
        page: visit.link(&["resources", &kind, &id]),
    };
    acting::act(&visit, &on, sent, |form, action| {
        action.insert("even_if_registered".to_owned(), (form.get("even_if_registered") == "true").into());
        Ok(())
    })
    .await
}
