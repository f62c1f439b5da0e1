//! Events that no one can read, or that are too large, unknown or hostile.

use interlock_client::{EntityClient, names};
use interlock_domain::ids::{CustomerId, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::load::producers::Producers;

/// Larger than any event may be.
const LARGE: usize = 20_000;

/// Poison for one customer.
fn doses(customer: &str) -> Vec<Value> {
    let event = |id: &str, event_type: &str, data: Value| {
        json!({
            "specversion": "1.0", "id": format!("poison-{id}-{}", Uuid::new_v4()), "source": "/battery",
            "type": event_type, "subject": customer, "data": data,
        })
    };
    vec![
        Value::Null,
        json!(42),
        json!("no event"),
        json!([[[[[[[[]]]]]]]]),
        json!({"specversion": "1.0"}),
        event("unknown", "number.eaten", json!({})),
        event("missing", "number.assigned", json!({})),
        event("wrong", "number.assigned", json!({"imsi": "x", "msisdn": ["1"]})),
        event("hostile", "number.assigned", json!({"imsi": "{imsi}{@held}", "msisdn": "../../../etc\u{0}"})),
        event("large", "service.updated", json!({"imsi": "001010000000001", "settings": {"x": "x".repeat(LARGE)}})),
        event("same", "number.changed", json!({"imsi": "001010000000001", "old_msisdn": "1", "new_msisdn": "1"})),
    ]
}

/// Sends poison, to a gateway and directly to the entity of a customer. Returns how much of it was taken by somebody.
pub async fn send(
    producers: &Producers,
    entities: &EntityClient,
    (tenant, tenant_id): (usize, &TenantId),
    customer: &str,
) -> u64 {
    let mut taken = 0;
    let Ok(id) = customer.parse::<CustomerId>() else { return 0 };
    let entity = entities.customer(tenant_id, &id);
    for dose in doses(customer) {
        taken += u64::from(producers.send_raw(tenant, dose.to_string()).await.is_some());
        let request_id = Uuid::new_v4().to_string();
        taken += u64::from(entities.signal_with_start(&entity, names::SUBMIT, &dose, &request_id).await.is_ok());
    }
    taken + u64::from(producers.send_raw(tenant, "{".to_owned()).await.is_some())
}
