//! CloudEvents as a producer sends them.

use serde_json::{Value, json};
use uuid::Uuid;

/// A customer with its subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The CloudEvents subject.
    pub id: String,
    /// Its IMSI.
    pub imsi: String,
}

/// An event of this type without a time: the time of its acceptance counts.
pub fn event(event_type: &str, customer: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": Uuid::new_v4().to_string(),
        "source": "/tests",
        "type": event_type,
        "subject": customer,
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// The same event, with a time this many milliseconds before a moment.
pub fn happened(mut event: Value, before_ms: i64, moment: chrono::DateTime<chrono::Utc>) -> Value {
    let at = moment - chrono::TimeDelta::milliseconds(before_ms);
    event["time"] = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into();
    event
}

/// `customer` gets `number`.
pub fn assigned(customer: &Customer, number: &str) -> Value {
    event("number.assigned", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

/// `customer` releases `number`.
pub fn unassigned(customer: &Customer, number: &str) -> Value {
    event("number.unassigned", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

/// `customer` changes its number.
pub fn changed(customer: &Customer, old: &str, new: &str) -> Value {
    event("number.changed", &customer.id, &json!({"imsi": customer.imsi, "old_msisdn": old, "new_msisdn": new}))
}

/// `number` moves from one customer to another.
pub fn moved(from: &Customer, to: &Customer, number: &str) -> Value {
    let target_identity = |customer: &Customer| json!({"customer_id": customer.id, "imsi": customer.imsi});
    event(
        "number.moved",
        &from.id,
        &json!({"msisdn": number, "from": target_identity(from), "to": target_identity(to)}),
    )
}

/// A change of `customer`'s service. The SIM need not be known to belong to it.
pub fn service_updated(customer: &Customer, settings: &Value) -> Value {
    event("line.updated", &customer.id, &json!({"imsi": customer.imsi, "settings": settings}))
}

/// `customer` terminates its contract.
pub fn terminated(customer: &Customer) -> Value {
    event("customer.terminated", &customer.id, &json!({"imsi": customer.imsi}))
}

/// A text message to `number`, which needs no turn.
pub fn quota_exceeded(customer: &Customer, number: &str) -> Value {
    event("quota.exceeded", &customer.id, &json!({"msisdn": number, "kind": "data", "limit": 80}))
}
