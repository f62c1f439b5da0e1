//! A list of open orders: the filter is the address, which can be kept and sent to others. Actions on many of them.

use axum::extract::RawQuery;
use axum::response::Response;
use interlock_domain::customer::ListedOrder;
use interlock_domain::views::OrderPage;
use maud::{Markup, html};
use url::form_urlencoded;

use crate::page::Visit;
use crate::show::{ago, customer_link, order_link, state};

/// The filters that a list has, in the order of their fields, and the name that a person knows them by.
const FILTERS: [(&str, &str); 4] =
    [("customer", "Customer"), ("target", "Target"), ("code", "Code"), ("limit", "At most")];
/// The states that can be chosen.
const STATES: [&str; 4] = ["acknowledged", "pending", "inProgress", "held"];
/// The actions on many orders.
const ACTIONS: [(&str, &str); 3] = [("retry", "Retry"), ("skip", "Skip the step"), ("cancel", "Cancel")];

/// The page.
pub(crate) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Response {
    let given: Vec<(String, String)> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&given).finish();
    let page: OrderPage = match visit.get_of_tenant(&format!("orders?{query}")).await {
        Ok(page) => page,
        Err(problem) => return visit.problem("Orders", &problem),
    };
    let content = html! {
        h1 { "Orders" }
        (filter_form(&given))
        (table(&visit, &page))
        @if let Some(cursor) = &page.next_cursor {
            @let next = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(given.iter().filter(|(name, _)| name != "cursor")).append_pair("cursor", cursor).finish();
            p { a href=(format!("?{next}")) rel="next" { "More" } }
        }
        @for of in &page.unanswered { p.note { (customer_link(&visit, &of.customer_id)) ": " (of.detail) " " code { (of.code) } } }
    };
    visit.page("Orders", !visit.may_act(), &content)
}

fn filter_form(given: &[(String, String)]) -> Markup {
    let value = |name: &str| given.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value.as_str());
    html! {
        form.filter {
            label { "State" select name="state" {
                option value="" { "all open" }
                @for name in STATES { option value=(name) selected[value("state") == name] { (name) } }
            } }
            @for (name, text) in FILTERS { label { (text) input name=(name) value=(value(name)) size="12"; } }
            label { input type="checkbox" name="overdue" value="true" checked[value("overdue") == "true"]; "past their time limit" }
            button { "Show" }
        }
    }
}

fn table(visit: &Visit, page: &OrderPage) -> Markup {
    let act = visit.may_act() && page.orders.iter().any(|order| !order.stands_alone);
    html! {
        @if page.orders.is_empty() { p { "No order is like that." } } @else {
            @if act { (bulk(visit)) }
            table {
                thead { tr {
                    @if act { th scope="col" { input type="checkbox" data-all aria-label="All of them"; } }
                    th scope="col" { "Order" } th scope="col" { "Customer" } th scope="col" { "Event" } th scope="col" { "State" }
                    th scope="col" { "Waits for" } th scope="col" { "Since" } th scope="col" { "Result" }
                } }
                tbody { @for order in &page.orders { tr {
                    @if act { td { @if !order.stands_alone {
                        input type="checkbox" data-order=(order.order_id) aria-label=(order.order_id)
                            data-action=(format!("{}/actions", visit.link(&["orders", order.order_id.as_str()])));
                    } } }
                    td { (order_link(visit, &order.order_id)) }
                    td { (customer_link(visit, &order.customer_id)) }
                    td { (order.event_type) " " span.note { (order.event_id) } }
                    td { (state(&order.state.to_string())) }
                    td { (waits(order)) }
                    td { (ago(&order.since)) }
                    td data-result {}
                } } }
            }
        }
    }
}

/// What an order waits for, in a few words.
pub(crate) fn waits(order: &ListedOrder) -> Markup {
    html! {
        @if let Some(wait) = &order.waiting_for {
            (wait.kind())
            @if let Some(target) = wait.target() { " " (target) }
            @for resource in wait.resources() { " " (resource) }
            @if let Some(code) = wait.code() { " " code { (code) } }
            @if let Some(detail) = wait.detail() { br; span.note { (detail) } }
        }
    }
}

/// The form for an action on the chosen orders. The script sends one action after the other, and can be stopped in between.
fn bulk(visit: &Visit) -> Markup {
    html! {
        form.bulk data-bulk {
            input type="hidden" name="form_token" value=(visit.form_token());
            label { "Action" select name="action" { @for (name, text) in ACTIONS { option value=(name) { (text) } } } }
            label { "Reason" input name="reason" required maxlength="500" autocomplete="off"; }
            label { "Ticket" input name="ticket" maxlength="100" size="12" autocomplete="off"; }
            label { "Stop after refusals" input name="refusals" type="number" min="1" value="5"; }
            button { "Act on the chosen " span data-count { "0" } }
            button type="button" data-preview { "Preview" }
            button type="button" data-stop disabled { "Stop" }
            progress max="1" value="0" aria-label="Progress" {}
        }
    }
}
