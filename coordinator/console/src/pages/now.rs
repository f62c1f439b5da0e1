//! What is going on: targets, orders by state, and what is held, by cause.

use std::collections::BTreeMap;

use axum::response::Response;
use interlock_domain::customer::ListedOrder;
use interlock_domain::views::{OrderPage, TargetList, TargetListed};
use maud::{Markup, html};

use crate::api::ApiProblem;
use crate::causes::grouped;
use crate::page::{Visit, told};
use crate::show::{ago, order_link, state, target_link};

/// How many orders are looked at: the longest page that a list has.
const LOOKED_AT: usize = 1_000;

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let targets: Result<TargetList, _> = visit.get("/v1/targets").await;
    let open: Result<OrderPage, _> = visit.get_of_tenant(&format!("orders?limit={LOOKED_AT}")).await;
    let held: Result<OrderPage, _> = visit.get_of_tenant(&format!("orders?state=held&limit={LOOKED_AT}")).await;
    let content = html! {
        h1 { "Now" }
        section aria-labelledby="held" { h2 #held { "Held, by cause" } (or_told(&held, |page| causes(&visit, page))) }
        section aria-labelledby="targets" {
            h2 #targets { "Targets" }
            (or_told(&targets, |list| target_table(&visit, list, open.as_ref().map_or(&[], |page| &page.orders))))
        }
        section aria-labelledby="states" { h2 #states { "Open orders" } (or_told(&open, |page| states(&visit, page))) }
    };
    visit.page("Now", true, &content)
}

fn or_told<T>(answer: &Result<T, ApiProblem>, shown: impl FnOnce(&T) -> Markup) -> Markup {
    match answer {
        Ok(answer) => shown(answer),
        Err(problem) => told(problem),
    }
}

/// Says if there are more orders than were looked at, or some could not be.
fn completeness(page: &OrderPage) -> Markup {
    html! {
        @if page.next_cursor.is_some() { p.note { "There are more: only the first " (page.orders.len()) " are counted here." } }
        @if !page.unanswered.is_empty() { p.note { (page.unanswered.len()) " customers did not answer: their orders are missing here." } }
    }
}

fn causes(visit: &Visit, page: &OrderPage) -> Markup {
    let causes = grouped(&page.orders);
    html! {
        @if causes.is_empty() && page.unanswered.is_empty() {
            p { "Nothing is held." }
        } @else {
            table {
                thead { tr { th scope="col" { "Orders" } th scope="col" { "Code" } th scope="col" { "Target" } th scope="col" { "Step" }
                    th scope="col" { "What" } th scope="col" { "First" } th scope="col" { "Last" } th scope="col" { "For example" } } }
                tbody { @for (cause, held) in &causes { tr {
                    td.number { a href=(filter(visit, &cause.code, &cause.target)) { (held.count) } }
                    td { code { (cause.code) } }
                    td { (cause.target) }
                    td { (cause.step) }
                    td { (cause.text) }
                    td { (ago(&held.first)) }
                    td { (ago(&held.last)) }
                    td { @if let Some(order) = &held.example { (order_link(visit, &order.order_id)) } }
                } } }
            }
        }
        (completeness(page))
    }
}

/// The page with the orders of a cause.
fn filter(visit: &Visit, code: &str, target: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", "held");
    for (name, value) in [("code", code), ("target", target)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    format!("{}?{}", visit.link(&["orders"]), query.finish())
}

/// How many orders wait for each target, and since when the first one does.
fn backlogs(orders: &[ListedOrder]) -> BTreeMap<String, (usize, String)> {
    let mut backlogs: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for order in orders {
        let Some(target) = &order.target else { continue };
        let (count, oldest) = backlogs.entry(target.to_string()).or_default();
        *count += 1;
        if oldest.is_empty() || order.since < *oldest {
            oldest.clone_from(&order.since);
        }
    }
    backlogs
}

fn target_table(visit: &Visit, list: &TargetList, orders: &[ListedOrder]) -> Markup {
    let backlogs = backlogs(orders);
    html! {
        table {
            thead { tr { th scope="col" { "Target" } th scope="col" { "State" } th scope="col" { "Since" } th scope="col" { "Waiting" }
                th scope="col" { "Oldest" } th scope="col" { "Requests a second" } th scope="col" { "Why" } } }
            tbody { @for listed in &list.targets {
                @let backlog = backlogs.get(listed.target().as_str());
                tr {
                    th scope="row" { (target_link(visit, listed.target())) }
                    @match listed {
                        TargetListed::Answered(view) => {
                            td { (state(&view.state.to_string())) @if view.unserved { " " (state("unserved")) } }
                            td { (ago(&view.since)) }
                            td.number { (backlog.map_or(0, |(count, _)| *count)) }
                            td { @if let Some((_, oldest)) = backlog { (ago(oldest)) } }
                            td.number { @match view.limit.0 { Some(rate) => (f64::from(rate)), None => "no limit" } }
                            td { @if let Some(reason) = &view.reason { (reason) } @if let Some(actor) = &view.actor { " (" (actor) ")" } }
                        }
                        TargetListed::Unanswered(of) => {
                            td colspan="6" { (of.unanswered.detail) " " code { (of.unanswered.code) } }
                        }
                    }
                }
            } }
        }
    }
}

fn states(visit: &Visit, page: &OrderPage) -> Markup {
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for order in &page.orders {
        *states.entry(order.state.to_string()).or_default() += 1;
    }
    html! {
        @if states.is_empty() && page.unanswered.is_empty() {
            p { "No order is open." }
        } @else {
            ul.counts { @for (name, count) in &states {
                li { a href=(format!("{}?state={name}", visit.link(&["orders"]))) { (state(name)) " " (count) } }
            } }
        }
        p { a href=(format!("{}?overdue=true", visit.link(&["orders"]))) { "Those past their time limit" } }
        (completeness(page))
    }
}
