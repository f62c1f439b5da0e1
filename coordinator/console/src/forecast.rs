//! A forecast, as a page shows it.

use interlock_domain::views::{
    ActionForecast, ForecastEvent, ForecastHolder, ForecastOrder, ForecastResource, ForecastWhat,
};
use maud::{Markup, html};

use crate::page::Visit;
use crate::show::{customer_link, order_link, resource_link, state, target_link};

/// What would happen, and what that rests on.
pub(crate) fn shown(visit: &Visit, forecast: &ActionForecast) -> Markup {
    html! {
        p role="note" { strong { "This is a forecast." } " Nothing was sent, and nothing has changed." }
        @if forecast.repeated { p { "This action was already applied: nothing would change." } }
        @if !forecast.next.is_empty() {
            section aria-labelledby="next" {
                h2 #next { "What would happen" }
                ol { @for event in &forecast.next { li { (of_event(visit, event)) } } }
                @if forecast.cut_off { p.note { "More would happen than is shown." } }
            }
        }
        section aria-labelledby="then" { h2 #then { "How it would then stand" } (then(visit, forecast)) }
        section aria-labelledby="assumes" {
            h2 #assumes { "What this takes for granted" }
            ul { @for sentence in &forecast.assumes { li { (sentence) } } @for sentence in &forecast.unknown { li { "Not known: " (sentence) } } }
        }
    }
}

fn of_event(visit: &Visit, event: &ForecastEvent) -> Markup {
    let customer =
        html! { @match &event.customer_id { Some(customer) => (customer_link(visit, customer)), None => "another" } };
    let resource = html! { @if let Some(resource) = &event.resource { (resource_link(visit, resource)) } };
    html! {
        @if event.after_ms > 0 { "After " (event.after_ms.div_ceil(1_000)) " s: " }
        @match event.what.known() {
            Some(ForecastWhat::Call) => {
                @if let Some(target) = &event.target { (target_link(visit, target)) }
                " is called: " @if let Some(step) = &event.step { (step) }
            },
            Some(ForecastWhat::Granted) => { (resource) " is granted to " (customer) },
            Some(ForecastWhat::Released) => { (resource) " comes back from " (customer) },
            Some(ForecastWhat::Ended) => { "The order ends: " @if let Some(name) = &event.state { (state(name)) } },
            Some(ForecastWhat::Target) => { "The target becomes " @if let Some(name) = &event.state { (state(name)) } },
            None => (event.what.as_str()),
        }
        @if let Some(order) = &event.order_id { " – " (order_link(visit, order)) }
    }
}

fn then(visit: &Visit, forecast: &ActionForecast) -> Markup {
    html! {
        @if !forecast.orders.is_empty() { table {
            thead { tr { th scope="col" { "Order" } th scope="col" { "Now" } th scope="col" { "Then" } th scope="col" { "Would wait for" } } }
            tbody { @for order in &forecast.orders { (of_order(visit, order)) } }
        } }
        @for resource in &forecast.resources { (of_resource(visit, resource)) }
        @if let Some(target) = &forecast.target { p {
            (target_link(visit, &target.target)) ": now " (state(target.now.as_str())) ", then " (state(target.then.as_str()))
            @match target.limit.0 { Some(rate) => { ", at most " (f64::from(rate)) " requests a second" }, None => ", without a limit" }
            @if let Some(until) = &target.until { ", until " (until) }
        } }
        @if forecast.orders.is_empty() && forecast.resources.is_empty() && forecast.target.is_none() { p { "As it does now." } }
    }
}

fn of_order(visit: &Visit, order: &ForecastOrder) -> Markup {
    html! { tr {
        th scope="row" { (order_link(visit, &order.order_id)) }
        td { @if let Some(now) = &order.now { (state(now.as_str())) } }
        td { @match &order.then { Some(then) => (state(then.as_str())), None => "no longer known" } @if let Some(code) = &order.code { " " code { (code) } } }
        td { @if let Some(wait) = &order.waits_for {
            (wait.kind())
            @if let Some(target) = wait.target() { " " (target_link(visit, target)) }
            @for resource in wait.resources() { " " (resource_link(visit, resource)) }
            @if let Some(code) = wait.code() { " " code { (code) } }
        } }
    } }
}

fn of_resource(visit: &Visit, resource: &ForecastResource) -> Markup {
    let holder = |holder: &ForecastHolder| {
        html! { @match (&holder.customer_id, holder.held) {
            (Some(customer), _) => { "held by " (customer_link(visit, customer)) },
            (None, true) => "held by another",
            (None, false) => "free",
        } }
    };
    html! { p {
        (resource_link(visit, &resource.resource)) ": now " (holder(&resource.now)) ", then " (holder(&resource.then))
        ", " (resource.waiting) " waiting"
    } }
}
