//! The id and type of an event that is rejected: people look for it by these.

use serde::Deserialize;
use serde_json::Value;

use super::ATTRIBUTE_BYTES_MAX;

/// The two attributes, whatever they are and whatever else there is.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    id: Value,
    #[serde(default, rename = "type")]
    event_type: Value,
}

/// Id and type of an event in JSON. `None` if its id cannot be read; the type is empty if only that cannot be read.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<(String, String)> {
    let Named { id, event_type } = serde_json::from_slice(bytes).ok()?;
    of(&id, &event_type)
}

/// The same, of JSON already parsed.
pub(super) fn of_value(event: &Value) -> Option<(String, String)> {
    of(event.get("id")?, event.get("type").unwrap_or(&Value::Null))
}

fn of(id: &Value, event_type: &Value) -> Option<(String, String)> {
    Some((readable(id)?, readable(event_type).unwrap_or_default()))
}

fn readable(attribute: &Value) -> Option<String> {
    let text = attribute.as_str()?;
    let is_readable = (1..=ATTRIBUTE_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    is_readable.then(|| text.to_owned())
}
