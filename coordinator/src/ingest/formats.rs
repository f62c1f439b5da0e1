//! The forms in which events come: structured JSON, a batch, or binary with `ce-*` headers.

use std::borrow::Cow;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::decode_part;
use serde_json::{Map, Value};
use thiserror::Error;

/// What the names of the headers of an event in binary mode begin with.
pub const BINARY_ATTRIBUTE_PREFIX: &str = "ce-";

/// Why no event could be read at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The body is not JSON.
    #[error("the body is not JSON in UTF-8: {0}")]
    NotJson(String),
    /// The body is JSON, but no event and no batch.
    #[error("the body must be one event, a JSON object, or a batch of them, a JSON array that is not empty")]
    NotEvents,
    /// A header is not text.
    #[error("the header '{0}' is no text")]
    Header(String),
    /// The body of an event in binary mode is not JSON.
    #[error("an event in binary mode needs the content type application/json, not '{0}'")]
    ContentType(String),
}

impl FormatError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotJson(_) => ErrorCode::NotJson,
            Self::NotEvents => ErrorCode::NotEvents,
            Self::Header(_) => ErrorCode::BadHeader,
            Self::ContentType(_) => ErrorCode::UnsupportedContentType,
        }
    }
}

/// The events of a JSON text: one object, or an array of anything, each of which gets its own result.
///
/// # Errors
/// [`FormatError`] where there is none.
pub fn events_of_json(body: &[u8]) -> Result<Vec<Value>, FormatError> {
    match serde_json::from_slice(body).map_err(|error| FormatError::NotJson(error.to_string()))? {
        Value::Array(events) if !events.is_empty() => Ok(events),
        event @ Value::Object(_) => Ok(vec![event]),
        _ => Err(FormatError::NotEvents),
    }
}

/// One event of its `ce-*` headers (names in lower case, values as bytes) and its body.
///
/// # Errors
/// [`FormatError`].
pub fn binary_event<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    content_type: &str,
    body: &[u8],
) -> Result<Value, FormatError> {
    let mut event = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.strip_prefix(BINARY_ATTRIBUTE_PREFIX) else { continue };
        let bad = || FormatError::Header(name.to_owned());
        let text = std::str::from_utf8(value).map_err(|_| bad())?;
        // The HTTP binding percent-encodes what headers cannot carry, and takes a quoted text for what is within.
        event.insert(attribute.to_owned(), Value::from(decode_part(&unquoted(text)).map_err(|_| bad())?));
    }
    if !body.is_empty() {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !(essence.is_empty() || essence == "application/json" || essence.ends_with("+json")) {
            return Err(FormatError::ContentType(essence.to_owned()));
        }
        let data = serde_json::from_slice(body).map_err(|error| FormatError::NotJson(error.to_string()))?;
        event.insert("data".to_owned(), data);
    }
    Ok(Value::Object(event))
}

/// The text within double quotes, where there are any, as RFC 9110 (5.6.4) reads it: the id of an event is the same however it
/// is spelled, or its duplicate would be another event.
fn unquoted(text: &str) -> Cow<'_, str> {
    let Some(quoted) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return text.into() };
    let mut plain = String::with_capacity(quoted.len());
    let mut escaped = false;
    for letter in quoted.chars() {
        escaped = letter == '\\' && !escaped;
        if !escaped {
            plain.push(letter);
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_one_event_or_a_batch() {
        assert_eq!(events_of_json(b"{\"id\":\"1\"}").unwrap(), [json!({"id": "1"})]);
        assert_eq!(events_of_json(b"[{\"id\":\"1\"},7]").unwrap().len(), 2);
        assert_eq!(events_of_json(b"[]").unwrap_err().code(), "not_events");
        assert_eq!(events_of_json(b"7").unwrap_err().code(), "not_events");
        assert_eq!(events_of_json(b"{").unwrap_err().code(), "not_json");
    }

    #[test]
    fn headers_and_body_make_an_event() {
        let headers: [(&str, &[u8]); 3] = [("ce-id", b"1"), ("ce-subject", b"A%201"), ("accept", b"*/*")];
        let event = binary_event(headers, "application/json; charset=utf-8", b"{\"imsi\":\"001\"}").unwrap();
        assert_eq!(event, json!({"id": "1", "subject": "A 1", "data": {"imsi": "001"}}));
        let strange: [(&str, &[u8]); 1] = [("ce-id", b"\xff")];
        assert_eq!(binary_event(strange, "", b"").unwrap_err().code(), "bad_header");
        assert_eq!(binary_event([], "text/xml", b"<a/>").unwrap_err().code(), "unsupported_content_type");
    }

    #[test]
    fn an_attribute_is_the_same_however_its_header_spells_it() {
        let id = |value: &str| binary_event([("ce-id", value.as_bytes())], "", b"").unwrap()["id"].clone();
        for spelled in ["a b\"c", "\"a b\\\"c\"", "a%20b%22c", "\"a%20b\\\"c\"", "\"\\a b\\\"c\""] {
            assert_eq!(id(spelled), "a b\"c", "{spelled}");
        }
        assert_eq!((id("\""), id("\"\""), id("\"a\\\\\"")), (json!("\""), json!(""), json!("a\\")));
    }
}
