//! A customer: its orders and the turns at each target, its leases, and its journal.

use axum::extract::Path;
use axum::response::Response;
use interlock_domain::customer::CustomerView;
use maud::{Markup, html};

use super::order::lines;
use crate::api::part;
use crate::page::Visit;
use crate::show::{ago, order_link, resource_link, state, target_link};

/// The page.
pub(crate) async fn show(visit: Visit, Path((_, customer)): Path<(String, String)>) -> Response {
    let title = format!("Customer {customer}");
    let view: CustomerView = match visit.get_of_tenant(&format!("customers/{}", part(&customer))).await {
        Ok(view) => view,
        Err(problem) => return visit.problem(&title, &problem),
    };
    let content = html! {
        h1 { "Customer " span.id { (view.customer_id) } }
        p { (visit.temporal_of_customer(&view.customer_id)) }
        @if let Some(ended) = &view.entity_ended { p role="alert" { "Its entity does not run: " (ended) "." } }
        section aria-labelledby="lanes" { h2 #lanes { "Open orders and their turns" } (grid(&visit, &view)) }
        section aria-labelledby="leases" { h2 #leases { "Leases" } (leases(&visit, &view)) }
        section aria-labelledby="journal" { h2 #journal { "What happened" } (lines(&view.journal.iter().collect::<Vec<_>>())) }
    };
    visit.page(&title, true, &content)
}

/// Orders × targets: in a column, an order waits for those above it.
fn grid(visit: &Visit, view: &CustomerView) -> Markup {
    html! {
        @if view.orders.is_empty() { p { "No order is open." } } @else { table {
            thead { tr {
                th scope="col" { "Order" } th scope="col" { "Event" } th scope="col" { "State" }
                @for target in view.lanes.keys() { th scope="col" { (target_link(visit, target)) } }
            } }
            tbody { @for order in &view.orders { tr {
                th scope="row" { (order_link(visit, &order.order_id)) }
                td { (order.event_type) }
                td { (state(&order.state.to_string())) }
                @for lane in view.lanes.values() { td {
                    @if let Some((turn, entry)) = (1..).zip(lane).find(|(_, entry)| entry.order_id == order.order_id) {
                        (turn) ". " (entry.step) " " (state(&entry.state.to_string()))
                    }
                } }
            } } }
        } }
    }
}

fn leases(visit: &Visit, view: &CustomerView) -> Markup {
    html! {
        @if view.leases.is_empty() { p { "It holds none." } } @else { table {
            thead { tr { th scope="col" { "Resource" } th scope="col" { "Epoch" } th scope="col" { "Since" } } }
            tbody { @for lease in &view.leases { tr {
                th scope="row" { (resource_link(visit, &lease.resource)) } td.number { (lease.epoch) } td { (ago(&lease.since)) }
            } } }
        } }
    }
}
