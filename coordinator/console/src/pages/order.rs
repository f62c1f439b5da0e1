//! An order: its steps and claims, what happened to it, why it waits, and what a person can do.

use axum::extract::Path;
use axum::response::Response;
use interlock_domain::catalog::DataField;
use interlock_domain::customer::{CustomerView, JournalView, OrderView};
use interlock_domain::ids::ResourceId;
use interlock_domain::order::OrderState;
use interlock_domain::resource::{HistoryView, ResourceView};
use interlock_domain::views::{Link, Why};
use maud::{Markup, html};

use crate::acting::{self, ActedOn, Sent};
use crate::api::{ApiProblem, part};
use crate::form::FIELD;
use crate::page::{Visit, told};
use crate::picture;
use crate::show::{action_words, ago, customer_link, order_link, preview_button, resource_link, state, target_link};
use crate::timeline::{self, Kept};

/// The actions that need nothing but a reason: name, button, and what it does.
const ACTIONS: [(&str, &str, &str); 4] = [
    ("retry", "Retry", "The held step is called again."),
    ("skip", "Skip the step", "The held step counts as done. You say that its effect is not needed, or is there."),
    (
        "release_first",
        "Release first",
        "The lease that it waits for is released at its holder, before the holder's other orders.",
    ),
    (
        "cancel",
        "Cancel",
        "The order ends without its effect. Steps that had theirs are undone, if the catalog says how.",
    ),
];

/// The most resources whose histories are looked at for a line of time.
const HISTORIES_MAX: usize = 4;

/// The page.
pub(crate) async fn show(visit: Visit, Path((_, order)): Path<(String, String)>) -> Response {
    let path = format!("orders/{}", part(&order));
    let view: OrderView = match visit.get_of_tenant(&path).await {
        Ok(view) => view,
        Err(problem) => return visit.problem(&format!("Order {order}"), &problem),
    };
    let is_open = view.waiting_for.is_some();
    let why: Option<Result<Why, ApiProblem>> =
        if is_open { Some(visit.get_of_tenant(&format!("{path}/why")).await) } else { None };
    let customer: Result<CustomerView, _> =
        visit.get_of_tenant(&format!("customers/{}", part(view.customer_id.as_str()))).await;
    let histories = histories(&visit, &view).await;
    let content = html! {
        h1 { "Order " span.id { (view.order_id) } }
        (summary(&visit, &view))
        @match why {
            Some(Ok(why)) => { section aria-labelledby="why" { h2 #why { "Why it waits" } (picture::of_chain(&visit, &why)) (chain(&visit, &why)) } }
            Some(Err(problem)) => { section aria-labelledby="why" { h2 #why { "Why it waits" } (told(&problem)) } }
            None => {}
        }
        section aria-labelledby="steps" { h2 #steps { "Steps" } (steps(&visit, &view)) }
        @if !view.claims.is_empty() { section aria-labelledby="claims" { h2 #claims { "Claims" } (claims(&visit, &view)) } }
        section aria-labelledby="journal" { h2 #journal { "What happened" } (match &customer {
            Ok(customer) => timeline::shown(&visit, &Kept { order: &view, journal: &customer.journal, histories: &histories }),
            Err(problem) => told(problem),
        }) }
        @if is_open && visit.may_act() {
            section aria-labelledby="actions" {
                h2 #actions { "Act" }
                (actions(&visit, &view, &visit.catalog().data_fields(&view.event_type)))
            }
        }
    };
    visit.page(&format!("Order {}", view.order_id), is_open && !visit.may_act(), &content)
}

/// The histories of the resources that it claims. One that does not answer is left out: its page says why.
async fn histories(visit: &Visit, view: &OrderView) -> Vec<(ResourceId, Vec<HistoryView>)> {
    let mut histories = Vec::new();
    for claim in view.claims.iter().take(HISTORIES_MAX) {
        let (kind, id) = (part(claim.resource.kind().as_str()), part(claim.resource.id()));
        let shown: Result<ResourceView, ApiProblem> = visit.get_of_tenant(&format!("resources/{kind}/{id}")).await;
        if let Ok(shown) = shown {
            histories.push((claim.resource.clone(), shown.history));
        }
    }
    histories
}

fn summary(visit: &Visit, view: &OrderView) -> Markup {
    html! {
        dl {
            dt { "State" } dd { (state(&view.state.to_string())) @if let Some(code) = &view.code { " " code { (code) } } }
            @if let Some(detail) = &view.detail { dt { "Result" } dd { (detail) } }
            dt { "Customer" } dd { (customer_link(visit, &view.customer_id)) (visit.temporal_of_customer(&view.customer_id)) }
            dt { "Event" } dd { (view.event_type) " " span.note { (view.event_id) } }
            @if let Some(due) = &view.due_at { dt { "Due" } dd { (ago(due)) } }
            @if let Some(at) = &view.reset_at { dt { "Workflow reset" } dd { (ago(at)) } }
            @if let Some(ended) = &view.entity_ended { dt { "Entity" } dd { (ended) } }
        }
        @if view.no_longer_kept { p.note { "It ended some time ago: not everything about it is kept." } }
    }
}

/// The chain as a tree: each link waits for those below it that are one step further to the right.
fn chain(visit: &Visit, why: &Why) -> Markup {
    html! {
        @if why.ring { p role="alert" { "Orders wait for each other in a ring: they are marked. Cancel one of them." } }
        ol.chain { @for link in &why.chain { li data-depth=(link.depth.min(12)) data-ring[link.in_ring] { (of_chain(visit, link)) } } }
        @if why.cut_off { p.note { "The chain is longer than what is shown." } }
    }
}

fn of_chain(visit: &Visit, link: &Link) -> Markup {
    let is_own = link.tenant_id == visit.tenant;
    html! {
        p {
            @match (&link.order_id, &link.customer_id) {
                (Some(order), _) if is_own => (order_link(visit, order)),
                (Some(order), _) => { (link.tenant_id) " " (order) }
                (None, Some(customer)) if is_own => (customer_link(visit, customer)),
                (None, Some(customer)) => { (link.tenant_id) " " (customer) }
                (None, None) => (link.tenant_id),
            }
            @if let Some(name) = &link.state { " " (state(&name.to_string())) }
            @if let Some(wait) = &link.waits_for { " waits for " strong { (wait) } }
            @if let Some(resource) = &link.resource { " " (resource_link(visit, resource)) }
            @if let Some(holder) = &link.holder { ", held by " (holder) }
            @if let Some(target) = &link.target { " " (target_link(visit, target)) }
            @if let Some(name) = &link.target_state { " " (state(&name.to_string())) }
            @if let Some(step) = &link.step { " in the step " (step) }
            @if let Some(since) = &link.since { ", " (ago(since)) }
            @if link.in_ring { " " (state("ring")) }
        }
        @if let Some(detail) = &link.detail { p { (detail) @if let Some(code) = &link.code { " " code { (code) } } } }
        @if let Some(next) = &link.next { p.next { (next) } }
    }
}

fn steps(visit: &Visit, view: &OrderView) -> Markup {
    let call = view.waiting_for.as_ref().and_then(|wait| wait.call.as_ref().map(|call| (wait.step(), call)));
    html! {
        @if view.steps.is_empty() { p { "None are known." } } @else { table {
            thead { tr { th scope="col" { "Step" } th scope="col" { "Target" } th scope="col" { "Operation" } th scope="col" { "State" }
                th scope="col" { "Attempts" } th scope="col" { "Last outcome" } } }
            tbody { @for step in &view.steps { tr {
                th scope="row" { (step.name) }
                td { (target_link(visit, &step.target)) }
                td { (step.operation) }
                td { (state(&step.state.to_string())) }
                td.number { (step.attempts) }
                td {
                    @if let Some(outcome) = &step.outcome { (outcome) }
                    @if let Some((_, call)) = call.filter(|(of, _)| *of == Some(step.name.as_str())) {
                        @if let Some(failure) = &call.last_failure { br; span.note { "Attempt " (call.attempt) ": " (failure) } }
                        @if let Some(next) = &call.next_attempt_at { br; span.note { "Next attempt " (ago(next)) } }
                    }
                }
            } } }
        } }
    }
}

fn claims(visit: &Visit, view: &OrderView) -> Markup {
    html! { table {
        thead { tr { th scope="col" { "Resource" } th scope="col" { "Mode" } th scope="col" { "State" } th scope="col" { "Epoch" } } }
        tbody { @for claim in &view.claims { tr {
            th scope="row" { (resource_link(visit, &claim.resource)) }
            td { (claim.mode) } td { (state(&claim.state.to_string())) } td.number { @if let Some(epoch) = &claim.epoch { (epoch) } }
        } } }
    } }
}

/// Lines of a journal, newest first.
pub(crate) fn lines(journal: &[&JournalView]) -> Markup {
    html! {
        @if journal.is_empty() { p { "Nothing that is kept." } } @else { ol.line { @for line in journal.iter().rev() { li {
            p { (ago(&line.at)) " " strong { (line.entry.what) } @if let Some(code) = &line.entry.code { " " code { (code) } } }
            @if let Some(detail) = &line.entry.detail { p { (detail) } }
            @if let Some(actor) = &line.entry.actor { p { "By " (actor) @if let Some(reason) = &line.entry.reason { ": " (reason) } } }
        } } } }
    }
}

fn actions(visit: &Visit, view: &OrderView, fields: &[DataField]) -> Markup {
    let to = format!("{}/actions", visit.link(&["orders", view.order_id.as_str()]));
    let is_held = view.state.known() == Some(OrderState::Held);
    html! {
        @for (name, button, what) in ACTIONS { @if is_held || name != "skip" {
            form.action method="post" action=(to) {
                p { (what) } (action_words(visit, name)) button { (button) } (preview_button(&to))
            }
        } }
        @if !fields.is_empty() { details {
            summary { "Amend the event" }
            form.action method="post" action=(to) {
                p { "Fill in only what is wrong. The corrected event is checked before anything changes." }
                @for field in fields {
                    label { (field.name) @if let Some(what) = &field.description { " " span.note { (what) } }
                        input name=(format!("{FIELD}{}", field.name)) autocomplete="off"; }
                    input type="hidden" name=(format!("type.{}", field.name)) value=(field.type_name.as_deref().unwrap_or_default());
                }
                (action_words(visit, "amend"))
                button { "Amend" }
                (preview_button(&to))
            }
        } }
    }
}

/// Acts on the order, or shows what that would do.
pub(crate) async fn act(visit: Visit, Path((_, order)): Path<(String, String)>, sent: Sent) -> Response {
    let on = ActedOn {
        what: format!("order {order}"),
        call: format!("/v1/tenants/{}/orders/{}/actions", part(visit.tenant.as_str()), part(&order)),
        page: visit.link(&["orders", &order]),
    };
    acting::act(&visit, &on, sent, |form, action| {
        if form.get("action") == "amend" {
            action.insert("data".to_owned(), form.event_fields()?.into());
        }
        Ok(())
    })
    .await
}
