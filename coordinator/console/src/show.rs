//! Parts that several pages show.

use chrono::{DateTime, Utc};
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TargetId};
use maud::{Markup, html};
use uuid::Uuid;

use crate::page::Visit;

/// The query that asks for a forecast in place of an action, for the gateway and for the console alike.
pub(crate) const PREVIEW: &str = "preview=true";

/// A time, as how long ago it was; the time itself is shown when it is pointed at.
pub(crate) fn ago(time: &str) -> Markup {
    let Ok(at) = DateTime::parse_from_rfc3339(time) else { return html! { (time) } };
    let seconds = (Utc::now() - at.with_timezone(&Utc)).num_seconds();
    let (is_past, text) = (seconds >= 0, duration(seconds.unsigned_abs()));
    html! { time datetime=(time) title=(time) { @if is_past { (text) } @else { "in " (text) } } }
}

/// A duration in its largest unit.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A state: its colour says the same as its word.
pub(crate) fn state(name: &str) -> Markup {
    html! { span.state data-state=(name) { (name) } }
}

/// Links to the pages of what they name.
pub(crate) fn order_link(visit: &Visit, order: &OrderId) -> Markup {
    html! { a href=(visit.link(&["orders", order.as_str()])) { (order) } }
}

/// See [`order_link`].
pub(crate) fn customer_link(visit: &Visit, customer: &CustomerId) -> Markup {
    html! { a href=(visit.link(&["customers", customer.as_str()])) { (customer) } }
}

/// See [`order_link`].
pub(crate) fn resource_link(visit: &Visit, resource: &ResourceId) -> Markup {
    html! { a href=(visit.link(&["resources", resource.kind().as_str(), resource.id()])) { (resource) } }
}

/// See [`order_link`].
pub(crate) fn target_link(visit: &Visit, target: &TargetId) -> Markup {
    html! { a href=(visit.link(&["targets", target.as_str()])) { (target) } }
}

/// What every form of an action has: its id, so that sending it twice changes nothing, and the reason.
pub(crate) fn action_words(visit: &Visit, action: &str) -> Markup {
    let id = format!("console-{}", Uuid::new_v4());
    html! {
        input type="hidden" name="form_token" value=(visit.form_token());
        input type="hidden" name="action" value=(action);
        input type="hidden" name="action_id" value=(id);
        label { "Reason" input name="reason" required maxlength="500" autocomplete="off"; }
        label { "Ticket" input name="ticket" maxlength="100" size="12" autocomplete="off"; }
    }
}

/// The button that shows what a form's action would do, in place of doing it. `to` is where the form is sent.
pub(crate) fn preview_button(to: &str) -> Markup {
    html! { button formaction=(preview_of(to)) { "Preview" } }
}

/// The address at which an action is only forecast.
pub(crate) fn preview_of(address: &str) -> String {
    format!("{address}?{PREVIEW}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_largest_unit() {
        let shown = [5, 119, 120, 7_199, 7_200, 172_800].map(duration);
        assert_eq!(shown, ["5 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
    }
}
