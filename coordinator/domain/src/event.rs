//! The input: one CloudEvents 1.0 event in structured JSON, read into an [`Event`] or rejected with a reason.
//!
//! Nothing that a producer can send makes this panic: every fault ends as a [`Rejection`] whose code is stable.
//!
//! | code | meaning |
//! | --- | --- |
//! | `event_too_large` | longer than the limit in force, [`EVENT_BYTES_MAX`] by default |
//! | `not_json` | not UTF-8, not JSON, or a number that JSON readers disagree on |
//! | `not_an_event` | JSON, but not one object; or nested deeper than [`EVENT_DEPTH_MAX`] |
//! | `foreign_format` | an event in another known format |
//! | `unsupported_specversion` | `specversion` is missing or not `1.0` |
//! | `bad_id`, `bad_source`, `bad_type`, `bad_subject`, `bad_time`, `bad_sequence`, `bad_role` | that attribute |
//! | `bad_priority` | that attribute, when the event is planned |
//! | `bad_data` | `data` is missing, not an object, or has a NUL character in it |
//! | `unsupported_data` | `data_base64` instead of `data` |

mod content;
mod foreign;
mod name;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::foreign::ForeignFormat;
use crate::error_code::ErrorCode;
use crate::ids::{CustomerId, OrderId, TenantId, Timestamp};
use crate::order::{OrderPriority, Rejection};
use crate::trace_parent::{self, TRACE_PARENT_ATTRIBUTE, TraceParent};

/// The default limit on the size of an event, in bytes of JSON.
pub const EVENT_BYTES_MAX: usize = 16 * 1024;
/// How deep an event may nest; the event itself is level 1, `data` level 2.
pub const EVENT_DEPTH_MAX: usize = 32;
/// The longest `id`, `source` and `type`, in bytes of UTF-8: they are kept with the order.
pub const ATTRIBUTE_BYTES_MAX: usize = 1024;
/// The longest `sequence`, in bytes of UTF-8: it is part of every order key.
pub const SEQUENCE_BYTES_MAX: usize = 64;
/// The most digits of a numeric `sequence`, leading zeros not counted: beyond that it would not sort as a number.
pub const SEQUENCE_DIGITS_MAX: usize = 20;
/// The CloudEvents extension attribute by which the giving customer marks the event that it passes on.
pub const ROLE_ATTRIBUTE: &str = "interlockrole";
/// The CloudEvents extension attribute that says when the event was accepted, as RFC 3339. It is set by whoever submits the event to the
/// customer's entity: the gateway, `interlock submit`, `interlock customer recover`, the entity that passes an event on; optional
/// for others.
pub const ACCEPTED_AT_ATTRIBUTE: &str = "acceptedat";

/// Which of the two orders of an event (`number.moved`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// The order of the giving customer.
    From,
    /// The order of the receiving customer.
    To,
}

impl Half {
    /// The role on the wire and in the order's id: `from` or `to`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
        }
    }
}

/// One event with checked attributes. Its `data` is checked later, against the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Together with `source` it identifies the event; at most [`ATTRIBUTE_BYTES_MAX`] bytes, no control characters.
    pub id: String,
    /// Where the event comes from; limits as for `id`.
    pub source: String,
    /// What happened, e.g. `number.assigned`; limits as for `id`.
    pub event_type: String,
    /// The customer: the CloudEvents `subject`.
    pub subject: CustomerId,
    /// When it happened, as the producer says, truncated to milliseconds.
    pub time: Option<Timestamp>,
    /// The CloudEvents extension `sequence`; an integer is converted to its digits.
    pub sequence: Option<String>,
    /// The CloudEvents extension `priority`, as the producer wrote it ([`Event::priority`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Value>,
    /// Set if the event says which of two orders it stands for ([`ROLE_ATTRIBUTE`]).
    pub half: Option<Half>,
    /// The trace that it belongs to: the CloudEvents extension `traceparent`. An unreadable value is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace_parent::read_leniently")]
    pub trace_parent: Option<TraceParent>,
    /// When it was accepted, as its submitter says ([`ACCEPTED_AT_ATTRIBUTE`]). An unreadable value is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// The payload.
    pub data: Map<String, Value>,
    /// Its size when it was received, in bytes of JSON.
    pub bytes: usize,
}

impl Event {
    /// Reads one event from the bytes of its structured JSON form, at most `bytes_max` of them.
    ///
    /// # Errors
    /// A [`Rejection`] with one of the codes of this module.
    pub fn from_slice(bytes: &[u8], bytes_max: usize) -> Result<Self, Rejection> {
        let read = || {
            check_size(bytes.len(), bytes_max)?;
            let value: Value = serde_json::from_slice(bytes).map_err(|fault| {
                Rejection::new(ErrorCode::NotJson, format!("The event is not valid JSON in UTF-8: {fault}."))
            })?;
            Self::read(&value, bytes.len())
        };
        read().map_err(|rejection| rejection.of_event(name::of_bytes(bytes)))
    }

    /// Reads one event from JSON already parsed; its size is that of its compact form.
    ///
    /// # Errors
    /// A [`Rejection`] with one of the codes of this module.
    pub fn from_value(value: &Value, bytes_max: usize) -> Result<Self, Rejection> {
        let read = || {
            // Check the depth first: JSON that is nested too deeply must not be traversed further.
            check_depth(value)?;
            let bytes = value.to_string().len();
            check_size(bytes, bytes_max)?;
            Self::read(value, bytes)
        };
        read().map_err(|rejection| rejection.of_event(name::of_value(value)))
    }

    /// The id of the order that this event makes. If it makes two, the order of its own subject has the event's id,
    /// so that an entity knows it without a catalog; the order passed on has the role `to`.
    pub fn order_id(&self, tenant: &TenantId, half: Option<Half>) -> OrderId {
        let role = half.filter(|half| *half == Half::To).map(Half::as_str);
        OrderId::derive(tenant, &self.subject, &self.source, &self.id, role)
    }

    /// Its priority, if it says one: 0, the highest, to 4; an integer or its digit.
    ///
    /// Admission reads it, and not whoever receives the event: what an entity has recorded of events with another attribute of this name
    /// stays as it is.
    ///
    /// # Errors
    /// A [`Rejection`] with the code `bad_priority`.
    pub fn priority(&self) -> Result<Option<OrderPriority>, Rejection> {
        let Some(value) = &self.priority else { return Ok(None) };
        let number = match value {
            Value::String(text) if text.len() == 1 => text.parse().ok(),
            Value::Number(number) => number.as_u64(),
            _ => None,
        };
        let priority = number.and_then(|number| OrderPriority::new(number).ok());
        priority.map(Some).ok_or_else(|| {
            let detail = format!(
                "The attribute 'priority' must be an integer from 0, the highest, to {}; omit it for the usual one.",
                OrderPriority::LOWEST
            );
            Rejection::new(ErrorCode::BadPriority, detail)
        })
    }

    fn read(value: &Value, bytes: usize) -> Result<Self, Rejection> {
        check_depth(value)?;
        let Value::Object(attributes) = value else {
            return Err(Rejection::new(
                ErrorCode::NotAnEvent,
                "An event must be a single JSON object with the CloudEvents attributes; send the events of a batch one \
                 by one.",
            ));
        };
        if let Some(ForeignFormat { name, next }) = ForeignFormat::of(attributes) {
            let detail = format!("This is {name}, not a CloudEvent: {next}.");
            return Err(Rejection::new(ErrorCode::ForeignFormat, detail));
        }
        if attributes.get("specversion").and_then(Value::as_str) != Some("1.0") {
            return Err(Rejection::new(
                ErrorCode::UnsupportedSpecversion,
                "The attribute 'specversion' must be \"1.0\".",
            ));
        }
        Ok(Self {
            id: required_text(attributes, "id", ErrorCode::BadId)?,
            source: required_text(attributes, "source", ErrorCode::BadSource)?,
            event_type: required_text(attributes, "type", ErrorCode::BadType)?,
            subject: subject(attributes)?,
            time: time(attributes)?,
            sequence: sequence(attributes)?,
            priority: attribute(attributes, "priority").cloned(),
            half: half(attributes)?,
            trace_parent: attribute(attributes, TRACE_PARENT_ATTRIBUTE).and_then(trace_parent::of_value),
            accepted_at: attribute(attributes, ACCEPTED_AT_ATTRIBUTE).and_then(rfc3339),
            data: data(attributes)?,
            bytes,
        })
    }
}

/// Records in an event when it was accepted, replacing any value from the producer, unless it would then have more than `bytes_max`
/// bytes. An event with a stamp has the same place among others in every attempt of the workflow task that accepts it.
pub fn stamp(event: &mut Value, accepted_at: Timestamp, bytes_max: usize) {
    if let Value::Object(attributes) = event {
        attributes.insert(ACCEPTED_AT_ATTRIBUTE.to_owned(), accepted_at.to_rfc3339().into());
    }
    if event.to_string().len() > bytes_max
        && let Value::Object(attributes) = event
    {
        attributes.remove(ACCEPTED_AT_ATTRIBUTE);
    }
}

fn check_size(bytes: usize, bytes_max: usize) -> Result<(), Rejection> {
    if bytes > bytes_max {
        return Err(Rejection::new(
            ErrorCode::EventTooLarge,
            format!("The event has {bytes} bytes; the limit is {bytes_max}. Send a reference to large data."),
        ));
    }
    Ok(())
}

fn check_depth(value: &Value) -> Result<(), Rejection> {
    if deeper_than(value, EVENT_DEPTH_MAX) {
        return Err(Rejection::new(
            ErrorCode::NotAnEvent,
            format!("The event is nested more than {EVENT_DEPTH_MAX} levels deep."),
        ));
    }
    Ok(())
}

/// Whether `value` nests deeper than `levels`. It recurses no deeper than that.
fn deeper_than(value: &Value, levels: usize) -> bool {
    let within = |inner: &Value| deeper_than(inner, levels - 1);
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(within),
        Value::Object(fields) => fields.values().any(within),
        _ => false,
    }
}

/// An attribute; JSON `null` counts as absent, as the CloudEvents JSON format says.
fn attribute<'a>(attributes: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    attributes.get(name).filter(|value| !value.is_null())
}

fn required_text(attributes: &Map<String, Value>, name: &str, code: ErrorCode) -> Result<String, Rejection> {
    let text = attribute(attributes, name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Rejection::new(code, format!("The attribute '{name}' must be a non-empty text.")))?;
    if text.len() > ATTRIBUTE_BYTES_MAX {
        let detail =
            format!("The attribute '{name}' has {} bytes in UTF-8; the limit is {ATTRIBUTE_BYTES_MAX}.", text.len());
        return Err(Rejection::new(code, detail));
    }
    if text.chars().any(char::is_control) {
        let detail = format!("The attribute '{name}' must not contain control characters.");
        return Err(Rejection::new(code, detail));
    }
    Ok(text.to_owned())
}

fn subject(attributes: &Map<String, Value>) -> Result<CustomerId, Rejection> {
    let text = required_text(attributes, "subject", ErrorCode::BadSubject)?;
    text.parse().map_err(|fault| {
        Rejection::new(ErrorCode::BadSubject, format!("The attribute 'subject' must be a valid customer id: {fault}."))
    })
}

fn time(attributes: &Map<String, Value>) -> Result<Option<Timestamp>, Rejection> {
    let Some(value) = attribute(attributes, "time") else { return Ok(None) };
    rfc3339(value).map(Some).ok_or_else(|| {
        Rejection::new(
            ErrorCode::BadTime,
            "The attribute 'time' must be an RFC 3339 timestamp, for example 2026-01-31T12:00:00Z.",
        )
    })
}

/// An RFC 3339 timestamp, truncated to milliseconds.
fn rfc3339(value: &Value) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(Timestamp(time.timestamp_millis()))
}

fn sequence(attributes: &Map<String, Value>) -> Result<Option<String>, Rejection> {
    let Some(value) = attribute(attributes, "sequence") else { return Ok(None) };
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => String::new(),
    };
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = text.trim_start_matches('0').len();
    let is_refused = text.is_empty()
        || text.len() > SEQUENCE_BYTES_MAX
        || text.chars().any(char::is_control)
        || (is_number && digits > SEQUENCE_DIGITS_MAX);
    if !is_refused {
        return Ok(Some(text));
    }
    Err(Rejection::new(
        ErrorCode::BadSequence,
        format!(
            "The attribute 'sequence' must be an integer from 0, or a text of 1 to {SEQUENCE_BYTES_MAX} bytes; a \
             number may have at most {SEQUENCE_DIGITS_MAX} digits."
        ),
    ))
}

fn half(attributes: &Map<String, Value>) -> Result<Option<Half>, Rejection> {
    match attribute(attributes, ROLE_ATTRIBUTE).map(Value::as_str) {
        None => Ok(None),
        Some(Some("from")) => Ok(Some(Half::From)),
        Some(Some("to")) => Ok(Some(Half::To)),
        Some(_) => Err(Rejection::new(
            ErrorCode::BadRole,
            format!("The attribute '{ROLE_ATTRIBUTE}' must be \"from\" or \"to\"; producers omit it."),
        )),
    }
}

fn data(attributes: &Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
    if attribute(attributes, "data_base64").is_some() {
        return Err(Rejection::new(
            ErrorCode::UnsupportedData,
            "Binary data ('data_base64') is not supported; send a JSON object.",
        ));
    }
    let Some(Value::Object(data)) = attributes.get("data") else {
        return Err(Rejection::new(ErrorCode::BadData, "The attribute 'data' must be a JSON object."));
    };
    if data.iter().any(|(name, value)| name.contains('\0') || has_nul(value)) {
        // Databases behind targets reject it, or truncate the text there.
        return Err(Rejection::new(ErrorCode::BadData, "The attribute 'data' must not contain NUL characters."));
    }
    Ok(data.clone())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
#[path = "event/tests.rs"]
mod tests;
