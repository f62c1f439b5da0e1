//! Ids: whatever text is an id reads the same after it was written.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use interlock_domain::callback::{CallbackKeys, KEY_BYTES_MIN};
use interlock_domain::ids::{
    CustomerId, CustomerRef, Incarnation, OrderId, PART_BYTES_MAX, RealmId, ResourceId, ResourceKind, Role,
    TENANT_BYTES_MAX, TargetId, TenantId, TicketId, Timestamp, decode_part, encode_part,
};
use interlock_domain::routing::{
    EntityAddress, IdKey, QueuePrefix, Routing, RoutingSettings, target_of_workflow, tenant_of_workflow,
};
use interlock_domain::trace_parent::TraceParent;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest workflow id that Temporal accepts, in bytes.
const WORKFLOW_ID_BYTES_MAX: usize = 1_000;

/// Texts, a line each: each by itself as an id of any kind, and all of them together as the parts of an order's id.
///
/// # Panics
/// If an id is not the same after it was written, or longer than it may be.
pub fn ids(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let lines: Vec<&str> = text.split('\n').collect();
    for line in &lines {
        encoded(line);
        read(line);
        addressed(line);
    }
    derived(&lines);
}

/// A text is the same after it was encoded and decoded, and nothing but the unreserved is left as it is.
fn encoded(text: &str) {
    let encoded = encode_part(text);
    assert_eq!(decode_part(&encoded).as_deref(), Ok(text));
    assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-%".contains(&byte)), "{encoded}");
    // What anyone encoded otherwise may be something else, but is no panic.
    let _other = decode_part(text);
}

fn callback_keys() -> CallbackKeys {
    CallbackKeys::new(vec!["k".repeat(KEY_BYTES_MIN)]).unwrap_or_else(|short| unreachable!("long enough: {short}"))
}

fn read(text: &str) {
    part::<TenantId>(text, TENANT_BYTES_MAX, TenantId::encoded);
    part::<RealmId>(text, TENANT_BYTES_MAX, RealmId::encoded);
    part::<CustomerId>(text, PART_BYTES_MAX, CustomerId::encoded);
    part::<ResourceKind>(text, PART_BYTES_MAX, ResourceKind::encoded);
    part::<TargetId>(text, PART_BYTES_MAX, TargetId::encoded);
    part::<Role>(text, PART_BYTES_MAX, Role::encoded);
    same::<ResourceId>(text);
    if let Some(order) = same::<OrderId>(text) {
        // Both cut the id at the length of its parts.
        assert!(text.starts_with(order.customer().as_str()));
        assert_eq!(order.step_key("hss.assign_number"), order.step_key("hss.assign_number"));
        let _of_0_1 = order.step_key_v0_1("hss.assign_number");
    }
    // Nobody has the key, so no text is the token of a call back.
    assert_eq!(callback_keys().verify(text), None, "{text}");
    if let Ok(trace_parent) = text.parse::<TraceParent>() {
        assert_eq!(trace_parent.to_string().parse::<TraceParent>().ok(), Some(trace_parent), "{text}");
    }
    if let Ok(key) = text.parse::<IdKey>() {
        assert_eq!(key.hide("12065551234").len(), 64);
    }
    if let Ok(prefix) = text.parse::<QueuePrefix>() {
        assert_eq!(prefix.as_str(), text);
    }
    if let Ok(time) = text.parse::<i64>() {
        let _shown = Timestamp(time).to_rfc3339();
    }
}

/// A part of a workflow id.
fn part<I>(text: &str, bytes_max: usize, encoded: impl Fn(&I) -> String)
where
    I: FromStr + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    if let Some(id) = same::<I>(text) {
        let encoded = encoded(&id);
        assert!(encoded.len() <= bytes_max && !encoded.is_empty() && encoded != "." && encoded != "..", "{encoded}");
        assert_eq!(decode_part(&encoded).as_deref(), Ok(text));
    }
}

/// An id, if the text is one: it is written as it was read, and JSON reads exactly the same ids.
fn same<I>(text: &str) -> Option<I>
where
    I: FromStr + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let json = serde_json::Value::from(text);
    let id = text.parse::<I>().ok();
    assert_eq!(serde_json::from_value::<I>(json.clone()).ok(), id, "{text}");
    if let Some(id) = &id {
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_value(id).ok(), Some(json));
    }
    id
}

/// A text as a workflow id.
fn addressed(text: &str) {
    if let Ok(address) = text.parse::<EntityAddress>() {
        assert_eq!(address.to_string(), text);
    }
    let routing = routing();
    if let Some(route) = routing.route_of("default", text) {
        assert_eq!(route.workflow_id, text);
        assert!(route.task_queue.starts_with("interlock."), "{}", route.task_queue);
    }
    if let Some(target) = target_of_workflow(text) {
        assert_eq!(target_of_workflow(&routing.target(&target).workflow_id), Some(target));
    }
    if let Some(tenant) = tenant_of_workflow(text) {
        assert_eq!(tenant_of_workflow(&routing.tenant_entity(&tenant).workflow_id), Some(tenant));
    }
}

fn routing() -> Routing {
    Routing::new(RoutingSettings::default()).unwrap_or_else(|fault| unreachable!("the defaults are valid: {fault}"))
}

/// A tenant, a customer, a source, an event's id, a kind and a resource's id, as far as they are there.
fn derived(lines: &[&str]) {
    let [tenant, customer, source, id, kind, resource, ..] = lines else { return };
    let (Ok(tenant), Ok(customer)) = (tenant.parse::<TenantId>(), customer.parse::<CustomerId>()) else { return };
    let orders = [None, Some("to")].map(|role| OrderId::derive(&tenant, &customer, source, id, role));
    assert_ne!(orders[0], orders[1]);
    let route = routing().customer(&tenant, &customer);
    assert!(route.workflow_id.len() <= WORKFLOW_ID_BYTES_MAX, "{} bytes", route.workflow_id.len());
    let me = CustomerRef { tenant: tenant.clone(), customer: customer.clone() };
    assert_eq!(route.workflow_id.parse().ok(), Some(EntityAddress::Customer(me)));
    for order in &orders {
        assert_eq!(order.customer(), customer);
        assert_eq!(order.as_str().parse::<OrderId>().as_ref(), Ok(order));
    }
    let Some(resource) = kind.parse::<ResourceKind>().ok().and_then(|kind| ResourceId::new(kind, resource).ok()) else {
        return;
    };
    let route = routing().resource(&tenant, &resource);
    assert!(route.workflow_id.len() <= WORKFLOW_ID_BYTES_MAX, "{} bytes", route.workflow_id.len());
    assert!(route.workflow_id.parse::<EntityAddress>().is_ok(), "{}", route.workflow_id);
    let lives = [1, 2].map(|life| TicketId::derive(&orders[0], &resource, Incarnation(life)));
    assert_ne!(lives[0], lives[1]);
    // A kind has no slash unless it was given one, and only the first slash separates.
    if !resource.kind().as_str().contains('/') {
        assert_eq!(resource.to_string().parse::<ResourceId>().as_ref(), Ok(&resource));
    }
}
