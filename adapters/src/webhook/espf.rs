//! A status for PortaOne's ESPF: a form with `status`, `group` and `message`.

use interlock_domain::ids::CustomerRef;
use interlock_domain::outgoing::{About, OrderReport, OutgoingEvent};
use interlock_domain::subscription::OutgoingType;

use crate::webhook_format::EspfAccount;

/// The longest message, in characters.
const MESSAGE_CHARS_MAX: usize = 4_000;

/// The path of an account's status below the base URL, e.g. `https://HOST/espf/v1`.
pub(super) fn path(account: EspfAccount, sender: &CustomerRef) -> Vec<String> {
    let customer = sender.customer.as_str();
    let path: &[&str] = match account {
        EspfAccount::IAccount => &["account", "i", customer, "status"],
        EspfAccount::Id => &["account", customer, "status"],
    };
    path.iter().map(|&segment| segment.to_owned()).collect()
}

/// The fields of the form; `None` if the event is not about an order.
pub(super) fn status(group: &str, event: &OutgoingEvent) -> Option<Vec<(String, String)>> {
    let About::Order(report) = &event.about else { return None };
    let status = match event.event_type {
        OutgoingType::OrderCompleted | OutgoingType::OrderSuperseded => "OK",
        OutgoingType::OrderAcknowledged => "IN_PROGRESS",
        OutgoingType::OrderHeld | OutgoingType::OrderOverdue => "RETRY",
        OutgoingType::OrderPartial
        | OutgoingType::OrderFailed
        | OutgoingType::OrderCancelled
        | OutgoingType::OrderRejected => "FAILED",
        OutgoingType::LeaseGranted
        | OutgoingType::LeaseReleased
        | OutgoingType::EventsLost
        | OutgoingType::SubscriptionTest => return None,
    };
    let fields = [("status", status.to_owned()), ("group", group.to_owned()), ("message", message(event, report))];
    Some(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

/// A sentence for the person who looks at the account.
fn message(event: &OutgoingEvent, report: &OrderReport) -> String {
    let what = report.event_type.as_deref().unwrap_or("event");
    let order = report.order_id.as_ref().map(|order| format!("order {order}"));
    let more = [report.code.clone(), report.detail.clone(), order].into_iter().flatten();
    let parts: Vec<String> = [format!("{what}: {}", event.event_type.state())].into_iter().chain(more).collect();
    let message = parts.join("; ");
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}
