//! An event as a CloudEvent.

use http::HeaderName;
use interlock_domain::ids::{CustomerRef, Timestamp};
use interlock_domain::outgoing::{About, OutgoingEvent, ReportedStep};
use interlock_domain::resource::ProofView;
use serde_json::{Map, Value, json};

/// The `source` of a tenant's events.
fn source(sender: &CustomerRef) -> String {
    format!("/interlock/{}", sender.tenant.encoded())
}

/// The whole event in structured JSON.
pub(super) fn structured(sender: &CustomerRef, event: &OutgoingEvent) -> Value {
    json!({
        "specversion": "1.0",
        "id": event.id,
        "source": source(sender),
        "type": event.event_type,
        "subject": sender.customer,
        "time": event.at.to_rfc3339(),
        "datacontenttype": "application/json",
        "data": data(sender, event),
    })
}

/// The attributes in binary mode. Values are percent-encoded as the HTTP binding 1.0.2, 3.1.3.2, demands.
pub(super) fn headers(sender: &CustomerRef, event: &OutgoingEvent) -> Vec<(HeaderName, String)> {
    let attribute = |name: &'static str, value: &str| (HeaderName::from_static(name), encoded(value));
    vec![
        attribute("ce-specversion", "1.0"),
        attribute("ce-id", &event.id.to_string()),
        attribute("ce-source", &source(sender)),
        attribute("ce-type", event.event_type.as_str()),
        attribute("ce-subject", sender.customer.as_str()),
        attribute("ce-time", &event.at.to_rfc3339()),
    ]
}

/// A header value: everything but printable ASCII is percent-encoded, and so are space, `"` and `%`.
fn encoded(value: &str) -> String {
    let encoded = value.bytes().map(|byte| match byte {
        b'!' | b'#'..=b'$' | b'&'..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// What happened: the `data` of the event. Fields have the names of `GET …/orders/{order_id}` and `GET …/resources/{kind}/{id}`.
pub(super) fn data(sender: &CustomerRef, event: &OutgoingEvent) -> Value {
    if event.about == About::Test {
        return json!({});
    }
    let mut data = Map::from_iter([("customer_id".to_owned(), json!(sender.customer))]);
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            data.insert(name.to_owned(), value);
        }
    };
    match &event.about {
        About::Order(report) => {
            put("order_id", json!(report.order_id));
            put("event_id", json!(report.event_id));
            put("type", json!(report.event_type));
            put("state", json!(event.event_type.state()));
            put("code", json!(report.code));
            put("detail", json!(report.detail));
            put("due_at", json!(report.due_at.map(Timestamp::to_rfc3339)));
            put("steps", report.steps.iter().map(step).collect());
            put("claims", json!(report.claims));
            put("no_longer_kept", if report.parts_dropped { json!(true) } else { Value::Null });
        }
        About::Lease(change) => {
            put("resource", json!(change.resource));
            put("epoch", json!(change.epoch));
            put("order_id", json!(change.order_id));
            put("how", json!(change.how));
            put("proof", json!(change.proof.as_ref().map(ProofView::from)));
        }
        About::Lost(lost) => {
            put("count", json!(lost.count));
            put("since", json!(lost.since.to_rfc3339()));
        }
        About::Test => {}
    }
    Value::Object(data)
}

fn step(reported: &ReportedStep) -> Value {
    json!(reported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_value_is_printable_ascii() {
        assert_eq!(encoded("A1 \"ü\" 100%"), "A1%20%22%C3%BC%22%20100%25");
        assert_eq!(encoded("/interlock/acme~!$&"), "/interlock/acme~!$&");
    }
}
