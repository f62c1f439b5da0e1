//! The OpenAPI description of the gateway: what the handlers declare, and what holds for all calls: the token, the statuses that any
//! of them may have, the media type of errors, and the forms of ids. It is served at `/openapi.json`, and committed as
//! `coordinator/docs/openapi.json`.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::action_log::TICKET_BYTES_MAX;
use interlock_domain::action_words::REASON_BYTES_MAX;
use interlock_domain::event::ATTRIBUTE_BYTES_MAX;
use interlock_domain::ids::{PART_BYTES_MAX, TENANT_BYTES_MAX};
use interlock_operations::actions::ACTION_ID_BYTES_MAX;
use interlock_operations::inspection::listing::LIMIT_MAX;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use super::JSON_VALUES_MAX;

/// The calls that take events.
const EVENTS: &str = "/v1/tenants/{tenant}/events";
/// The call that takes events of PortaOne.
const ESPF: &str = "/v1/tenants/{tenant}/espf";
/// The call that plans an event.
const PLAN: &str = "/v1/tenants/{tenant}/plan";
/// The highest rate of a target, in requests per second.
const RATE_MAX: f64 = 1_000_000.0;
/// The statuses that any call with a token may have, and why.
const OF_ANY_CALL: [(&str, &str); 6] = [
    ("400", "bad_id: a part of the path is not a valid id; or another code of the catalogue of errors"),
    ("401", "token_missing or token_unknown: the call has no bearer token, or an unknown one"),
    ("403", "The token does not give access to this tenant, target or call; host_forbidden, origin_forbidden"),
    ("429", "Too many calls; see Retry-After"),
    ("502", "query_refused: the workflow of the entity is paused in Temporal, or Temporal refuses the call"),
    ("503", "Temporal is unavailable, no worker answers, or the gateway is overloaded; see Retry-After"),
];
/// The statuses that any call with a body may have besides, and why.
const OF_ANY_BODY: [(&str, &str); 3] = [
    ("408", "body_too_slow: the body did not arrive in time"),
    ("413", "body_too_large"),
    ("415", "unsupported_content_type or unsupported_content_encoding"),
];
/// The attributes of an event that has them as headers.
const BINARY_ATTRIBUTES: [(&str, &str); 6] = [
    ("ce-specversion", "Binary mode: 1.0"),
    ("ce-id", "Binary mode: the event's id"),
    ("ce-source", "Binary mode: its source"),
    ("ce-type", "Binary mode: its type"),
    ("ce-subject", "Binary mode: its customer"),
    ("ce-time", "Binary mode: its time, RFC 3339"),
];

/// The whole description. `declared` is what the handlers declare.
pub(super) fn complete(declared: &OpenApi) -> Value {
    let mut description = json!(declared);
    description["components"]["securitySchemes"]["bearer"] = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "A token of [[gateway.tokens]]. A gateway without tokens serves its own machine only, and needs none.",
    });
    description["components"]["securitySchemes"]["basic"] = json!({
        "type": "http",
        "scheme": "basic",
        "description": "A user of [espf.TENANT], or any user with a token of [[gateway.tokens]] as the password.",
    });
    description["security"] = json!([{"bearer": []}]);
    description["components"]["schemas"]["EspfEvent"] = of_espf();
    for (name, schema) in of_bodies() {
        merge(&mut description["components"]["schemas"][name], schema);
    }
    for (name, schema) in of_events() {
        description["components"]["schemas"][name] = schema;
    }
    let declared = description["components"]["schemas"].clone();
    for schema in description["components"]["schemas"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if schema.get("type").is_none() && schema.get("allOf").is_some() {
            let Fields { properties, required } = Fields::of(schema, &declared);
            let about = schema["description"].take();
            *schema = json!({"type": "object", "description": about, "properties": properties, "required": required});
        }
    }
    let paths = description["paths"].as_object_mut();
    for (path, calls) in paths.into_iter().flatten() {
        for call in calls.as_object_mut().into_iter().flat_map(Map::values_mut) {
            complete_call(path, call);
        }
    }
    description
}

fn complete_call(path: &str, call: &mut Value) {
    let is_open = path.starts_with("/v1/callbacks/");
    if is_open {
        call["security"] = json!([]);
    }
    if path == EVENTS {
        describe_modes(call);
    }
    if path == PLAN {
        let with_data = json!({"required": ["data"], "properties": {"data": {"type": "object"}}});
        let schema = json!({"allOf": [{"$ref": "#/components/schemas/CloudEvent"}, with_data]});
        let content =
            json!({"application/cloudevents+json": {"schema": schema}, "application/json": {"schema": schema}});
        call["requestBody"] = json!({"required": true, "content": content});
    }
    if path == ESPF {
        // A signature has a header of its own, which the settings of the tenant name: OpenAPI has no scheme for it.
        call["security"] = json!([{"bearer": []}, {"basic": []}, {}]);
        let schema = json!({"$ref": "#/components/schemas/EspfEvent"});
        call["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    let has_body = call.get("requestBody").is_some();
    // A call without a token can only be refused for its host or origin.
    let any = OF_ANY_CALL.iter().filter(|(status, _)| !is_open || *status == "403");
    for (status, why) in any.chain(OF_ANY_BODY.iter().filter(|_| has_body)) {
        if call["responses"].get(status).is_none() {
            let schema = json!({"$ref": "#/components/schemas/Problem"});
            call["responses"][status] =
                json!({"description": why, "content": {"application/problem+json": {"schema": schema}}});
        }
    }
    for (status, response) in call["responses"].as_object_mut().into_iter().flatten() {
        complete_response(status, response);
    }
    let parameters = call.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        if let Some(schema) = of_parameter(path, &name) {
            parameter["schema"] = schema;
        }
    }
}

fn complete_response(status: &str, response: &mut Value) {
    if status >= "400"
        && let Some(body) = response["content"].as_object_mut().and_then(|content| content.remove("application/json"))
    {
        response["content"]["application/problem+json"] = body;
    }
    let (header, what) = match status {
        "201" => ("Location", "Path of what was made"),
        "401" => ("WWW-Authenticate", "Bearer"),
        "429" | "503" => ("Retry-After", "Seconds after which a retry may help; it may be missing"),
        _ => return,
    };
    response["headers"][header] = json!({"description": what, "schema": {"type": "string"}});
}

/// The form of a parameter that is more than a text.
fn of_parameter(path: &str, name: &str) -> Option<Value> {
    Some(match name {
        "tenant" => part(TENANT_BYTES_MAX, ""),
        "target" => json!({"type": "string", "minLength": 1, "maxLength": PART_BYTES_MAX}),
        "customer" | "name" => part(PART_BYTES_MAX, ""),
        "id" if path.contains("/subscriptions/") || path.contains("/customers/") => part(PART_BYTES_MAX, ""),
        "kind" | "id" => part(PART_BYTES_MAX, "/"),
        "order_id" => {
            let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
            json!({"type": "string", "pattern": format!("^[A-Za-z0-9._-]{{1,{PART_BYTES_MAX}}}~{uuid}$")})
        }
        "state" => {
            let states = ["acknowledged", "pending", "inProgress", "held"];
            json!({"type": "array", "minItems": 1, "items": {"type": "string", "enum": states}})
        }
        "entry" => json!({"type": "string", "pattern": "^(targets-)?[0-9]{1,20}$"}),
        "limit" => json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": 100}),
        _ => return None,
    })
}

/// An id that is a part of a workflow id. The limit is of its percent-encoded form, which no pattern can say exactly: a character that
/// is not one of `A-Za-z0-9._-` has 3 to 12 bytes in it. Any text of the given form is accepted; so are some others.
fn part(bytes_max: usize, forbidden: &str) -> Value {
    let (of_ascii, of_any) = (bytes_max / 3, bytes_max / 12);
    let ascii = if forbidden.is_empty() { "[!-~]" } else { "[!-.0-~]" };
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": bytes_max,
        "pattern": format!("^([A-Za-z0-9._-]{{1,{bytes_max}}}|{ascii}{{1,{of_ascii}}}|[^{forbidden}\\x00-\\x1f]{{1,{of_any}}})$"),
    })
}

/// What the bodies of actions have to satisfy beyond their types.
fn of_bodies() -> [(&'static str, Value); 6] {
    // The limits are of bytes: a text of as many characters may still be too long.
    let words = |actions: &[&str]| {
        let (control, plain) = ("\\x00-\\x1f\\x7f-\\x9f", "[^\\s\\x00-\\x1f\\x7f-\\x9f]");
        let id = format!("^[^{control}]*{plain}[^{control}]*$");
        json!({"properties": {
            "action": {"enum": actions},
            "action_id": {"minLength": 1, "maxLength": ACTION_ID_BYTES_MAX, "pattern": id},
            "reason": {"minLength": 1, "maxLength": REASON_BYTES_MAX, "pattern": "\\S"},
            "actor": {"minLength": 1, "pattern": "\\S"},
            "ticket": {"minLength": 1, "maxLength": TICKET_BYTES_MAX, "pattern": id},
        }})
    };
    let only = |action: &str, field: &str, otherwise: Value| {
        let is = json!({"properties": {"action": {"const": action}}, "required": ["action"]});
        json!({"if": is, "else": {"properties": {field: otherwise}}})
    };
    let with = |mut schema: Value, rules: Vec<Value>| {
        schema["allOf"] = json!(rules);
        schema
    };
    let mut amends = only("amend", "data", json!({"type": "null"}));
    amends["then"] = json!({"required": ["data"], "properties": {"data": {"type": "object", "minProperties": 1}}});
    let mut of_target = words(&["pause", "resume", "limit"]);
    of_target["properties"]["until"] = json!({"format": "date-time"});
    of_target["properties"]["per_second"] = json!({"minimum": 0, "maximum": RATE_MAX});
    let null = || json!({"type": "null"});
    let of_target = with(of_target, vec![only("pause", "until", null()), only("limit", "per_second", null())]);
    let of_tenant = with(words(&["onboard", "offboard"]), vec![only("offboard", "at_once", json!({"const": false}))]);
    let excluding = json!({"if": {"properties": {"query": {"type": "string"}}, "required": ["query"]},
        "then": {"properties": {"types": {"maxItems": 0}}}});
    let parts = json!({"uniqueItems": false, "items": {"minLength": 1, "maxLength": PART_BYTES_MAX}});
    let subscription = json!({
        "properties": {
            "callback": {"pattern": "^https?://"},
            "types": {"uniqueItems": false},
            "event_types": {"uniqueItems": false},
            "step_targets": parts,
            "customers": parts,
        },
        "allOf": [excluding],
        "example": {"callback": "https://crm.example/interlock", "types": ["interlock.order.completed", "interlock.order.held"]},
    });
    [
        ("OrderActionBody", with(words(&["retry", "skip", "amend", "cancel", "release_first"]), vec![amends])),
        ("ResourceActionBody", words(&["force_release"])),
        ("ConfirmationBody", json!({"properties": {"actor": {"minLength": 1, "pattern": "\\S"}}})),
        ("TargetActionBody", of_target),
        ("TenantActionBody", of_tenant),
        ("SubscriptionBody", subscription),
    ]
}

/// The events that the gateway takes.
fn of_events() -> [(&'static str, Value); 2] {
    // The limits are of bytes: a text of as many characters may still be too long.
    let text = json!({"type": "string", "minLength": 1, "maxLength": ATTRIBUTE_BYTES_MAX, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$"});
    let mut customer = part(PART_BYTES_MAX, "");
    customer["description"] = json!("The customer");
    let event = json!({
        "type": "object",
        "description": "A CloudEvents 1.0 event in JSON. Its type, and what its data must have, are in the catalog. An event that the catalog \
                        does not take is answered with its own result, 'rejected'.",
        "required": ["specversion", "id", "source", "type", "subject"],
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": text,
            "source": text,
            "type": text,
            "subject": customer,
            "time": {"type": ["string", "null"], "format": "date-time"},
            "data": {"type": ["object", "null"]},
        },
        "example": {
            "specversion": "1.0",
            "id": "7f8c2a",
            "source": "//crm.example/orders",
            "type": "number.assigned",
            "subject": "A1",
            "time": "2026-03-01T09:30:00Z",
            "data": {"msisdn": "12065551234", "imsi": "001010000000001"},
        },
    });
    let batch = json!({"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/CloudEvent"},
        "description": format!("Several events: as many as the setting gateway.batch_events_max allows, with {JSON_VALUES_MAX} values in all")});
    [("CloudEvent", event), ("CloudEventBatch", batch)]
}

/// An event of ESPF, or of NSPS around it.
fn of_espf() -> Value {
    let id = json!({"anyOf": [{"type": "string", "pattern": "\\S"}, {"type": "integer"}]});
    let env = json!({"type": ["string", "integer", "null"]});
    let raw = json!({
        "type": "object",
        "required": ["event_type", "variables"],
        "properties": {
            "event_type": {"type": "string", "minLength": 1},
            "variables": {"type": "object", "required": ["i_event"], "properties": {"i_event": id, "i_env": env}},
        },
        "example": {"event_type": "DID/Updated", "variables": {"i_event": "4711", "number": "12065551234"}},
    });
    let enriched = json!({
        "type": "object",
        "required": ["data"],
        "not": {"required": ["event_type"]},
        "properties": {
            "event_id": {"description": "The id if the event has no i_event"},
            "data": raw,
            "pb_data": {"description": "More about the account and its SIM"},
            "created_at": {"description": "The time if the event has no event_time"},
        },
    });
    json!({
        "description": "An event of PortaOne's ESPF, or the same event as an NSPS connector gets it. Ids may be texts or integers. What \
                        becomes of an event of a type that the mapping does not have is in its result.",
        "anyOf": [raw, enriched],
    })
}

/// The three modes in which events come: structured, in a batch, and binary.
fn describe_modes(call: &mut Value) {
    let (event, batch) =
        (json!({"$ref": "#/components/schemas/CloudEvent"}), json!({"$ref": "#/components/schemas/CloudEventBatch"}));
    call["requestBody"] = json!({
        "required": true,
        "description": "Structured mode: one event. Batched mode: several. application/json is taken as either. Binary mode: the attributes are \
                        in headers ce-*, the body is the event's data, and its media type is that of JSON; ce-specversion, ce-id, ce-source, \
                        ce-type and ce-subject are then required.",
        "content": {
            "application/cloudevents+json": {"schema": event},
            "application/cloudevents-batch+json": {"schema": batch},
            "application/json": {"schema": {"anyOf": [event, batch, {"type": "object", "description": "Binary mode: the event's data"}]}},
        },
    });
    let prefer = ("Prefer", "return=minimal: if all events are accepted, an answer without their results");
    let mut parameters = call["parameters"].as_array_mut();
    for (name, what) in BINARY_ATTRIBUTES.into_iter().chain([prefer]) {
        let parameter =
            json!({"name": name, "in": "header", "required": false, "description": what, "schema": {"type": "string"}});
        if let Some(parameters) = parameters.as_deref_mut() {
            parameters.push(parameter);
        }
    }
}

/// The fields of an object.
#[derive(Default)]
struct Fields {
    properties: BTreeMap<String, Value>,
    required: BTreeSet<String>,
}

impl Fields {
    /// The fields that an object of this schema can have. A schema of parts ("allOf"), as serde's `flatten` has it, becomes one object: a
    /// part that may be missing is not `null` in it, and generators of clients know no parts that are alternatives.
    fn of(schema: &Value, schemas: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
            return Self::of(&schemas[name], schemas);
        }
        let parts = |key: &str| schema[key].as_array().map(|parts| parts.iter().map(|part| Self::of(part, schemas)));
        if let Some(parts) = parts("allOf") {
            return parts.fold(Self::default(), |all, part| {
                let required = all.required.union(&part.required).cloned().collect();
                Self { required, ..all.joined(part) }
            });
        }
        if let Some(parts) = parts("oneOf").or_else(|| parts("anyOf")) {
            let joined = parts.reduce(|all, part| {
                let required = all.required.intersection(&part.required).cloned().collect();
                Self { required, ..all.joined(part) }
            });
            return joined.unwrap_or_default();
        }
        let properties = schema["properties"].as_object().cloned().unwrap_or_default().into_iter().collect();
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Self { properties, required: required.map(str::to_owned).collect() }
    }

    /// The properties of both. One that both have is as either says.
    fn joined(mut self, other: Self) -> Self {
        for (name, property) in other.properties {
            let Some(known) = self.properties.get_mut(&name) else {
                self.properties.insert(name, property);
                continue;
            };
            if without_words(known) == without_words(&property) {
                continue;
            }
            match (known.get_mut("enum").and_then(Value::as_array_mut), property["enum"].as_array()) {
                (Some(known), Some(words)) => {
                    let new: Vec<Value> = words.iter().filter(|word| !known.contains(word)).cloned().collect();
                    known.extend(new);
                }
                _ => *known = json!({"anyOf": [known.take(), property]}),
            }
        }
        self
    }
}

/// A schema without its description.
fn without_words(schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema.as_object_mut().map(|fields| fields.remove("description"));
    schema
}

/// Adds to a schema what another one says besides; objects are merged, all else is replaced.
fn merge(schema: &mut Value, other: Value) {
    match (schema, other) {
        (Value::Object(fields), Value::Object(others)) => {
            for (name, value) in others {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (schema, other) => *schema = other,
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::ids::{CustomerId, TenantId};
    use interlock_domain::target_entity::Rate;
    use regex::Regex;

    use super::*;

    #[test]
    fn what_the_description_allows_is_taken() {
        assert!(Rate::try_from(RATE_MAX).is_ok() && Rate::try_from(RATE_MAX + 1.0).is_err());
        let form = |bytes_max| Regex::new(part(bytes_max, "")["pattern"].as_str().unwrap()).unwrap();
        let (tenant, customer) = (form(TENANT_BYTES_MAX), form(PART_BYTES_MAX));
        for (sign, described) in [("a", 64), ("+", 21), ("\u{10348}", 5)] {
            let (longest, longer) = (sign.repeat(described), sign.repeat(described + 1));
            assert!(tenant.is_match(&longest) && !tenant.is_match(&longer), "{sign}");
            assert!(longest.parse::<TenantId>().is_ok(), "{sign}");
        }
        for (sign, described) in [("a", 250), ("+", 83), ("\u{10348}", 20)] {
            let (longest, longer) = (sign.repeat(described), sign.repeat(described + 1));
            assert!(customer.is_match(&longest) && !customer.is_match(&longer), "{sign}");
            assert!(longest.parse::<CustomerId>().is_ok(), "{sign}");
        }
    }
}
