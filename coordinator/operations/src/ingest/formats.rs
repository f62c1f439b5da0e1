//! The forms of events: structured JSON, a batch, or binary with `ce-*` headers.

use std::borrow::Cow;

use interlock_adapters::front_door::is_json;
use interlock_domain::error_code::ErrorCode;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::strict_json::{self, JsonError, JsonLimits};

/// The prefix of the headers of an event in binary mode.
pub const BINARY_ATTRIBUTE_PREFIX: &str = "ce-";

/// Why no event could be read at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The body is not JSON.
    #[error("the body is not valid JSON in UTF-8: {0}")]
    NotJson(String),
    /// The body is JSON, but neither an event nor a batch.
    #[error("the body must be one event (a JSON object) or a batch of events (a JSON array that is not empty)")]
    NotEvents,
    /// A header is not text.
    #[error("the header '{0}' is not valid text")]
    Header(String),
    /// The body of an event in binary mode is not JSON.
    #[error("an event in binary mode needs the content type application/json, not '{0}'")]
    ContentType(String),
    /// An object has a key twice.
    #[error("duplicate key '{0}' in one object")]
    DuplicateKey(String),
    /// The batch is too large.
    #[error("the batch has more than {0} events")]
    BatchTooLarge(usize),
    /// The body has too many values.
    #[error("the body has more than {0} values")]
    TooManyValues(usize),
}

impl From<JsonError> for FormatError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotJson(reason) => Self::NotJson(reason),
            JsonError::DuplicateKey(key) => Self::DuplicateKey(key),
            JsonError::TooManyElements(max) => Self::BatchTooLarge(max),
            JsonError::TooManyValues(max) => Self::TooManyValues(max),
        }
    }
}

impl FormatError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotJson(_) => ErrorCode::NotJson,
            Self::NotEvents => ErrorCode::NotEvents,
            Self::Header(_) => ErrorCode::BadHeader,
            Self::ContentType(_) => ErrorCode::UnsupportedContentType,
            Self::DuplicateKey(_) => ErrorCode::RepeatedKey,
            Self::BatchTooLarge(_) => ErrorCode::BatchTooLarge,
            Self::TooManyValues(_) => ErrorCode::BodyTooManyValues,
        }
    }
}

/// The events in a JSON text: one object, or an array of any values, each of which gets its own result.
///
/// # Errors
/// [`FormatError`] if there are none.
pub fn events_of_json(body: &[u8], limits: JsonLimits) -> Result<Vec<Value>, FormatError> {
    match strict_json::read(body, limits)? {
        Value::Array(events) if !events.is_empty() => Ok(events),
        event @ Value::Object(_) => Ok(vec![event]),
        _ => Err(FormatError::NotEvents),
    }
}

/// An event from its `ce-*` headers (names in lower case, values as bytes) and its body, whose media type may be missing.
///
/// # Errors
/// [`FormatError`].
pub fn binary_event<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    media_type: Option<&str>,
    body: &[u8],
    limits: JsonLimits,
) -> Result<Value, FormatError> {
    let mut event = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.strip_prefix(BINARY_ATTRIBUTE_PREFIX) else { continue };
        let bad = || FormatError::Header(name.to_owned());
        let text = std::str::from_utf8(value).map_err(|_| bad())?;
        // The HTTP binding percent-encodes what headers cannot carry, and removes the quotes of a quoted string.
        let plain = unquoted(text);
        let decoded = percent_decode_str(&plain).decode_utf8().map_err(|_| bad())?;
        event.insert(attribute.to_owned(), Value::from(decoded.into_owned()));
    }
    if !body.is_empty() {
        if !media_type.is_none_or(is_json) {
            return Err(FormatError::ContentType(media_type.unwrap_or_default().to_owned()));
        }
        // An array here is data, not a batch.
        let data = strict_json::read(body, JsonLimits { elements_max: usize::MAX, ..limits })?;
        event.insert("data".to_owned(), data);
    }
    Ok(Value::Object(event))
}

/// The text within double quotes, if it is quoted, according to RFC 9110 (5.6.4). An event's id must be the same however it
/// is written, or its duplicate would be another event.
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
        assert_eq!(events_of_json(b"{\"id\":\"1\"}", JsonLimits::NONE).unwrap(), [json!({"id": "1"})]);
        assert_eq!(events_of_json(b"[{\"id\":\"1\"},7]", JsonLimits::NONE).unwrap().len(), 2);
        assert_eq!(events_of_json(b"[]", JsonLimits::NONE).unwrap_err().code(), "not_events");
        assert_eq!(events_of_json(b"7", JsonLimits::NONE).unwrap_err().code(), "not_events");
        assert_eq!(events_of_json(b"{", JsonLimits::NONE).unwrap_err().code(), "not_json");
    }

    #[test]
    fn headers_and_body_make_an_event() {
        let headers: [(&str, &[u8]); 3] = [("ce-id", b"1"), ("ce-subject", b"A%201"), ("accept", b"*/*")];
        let event = binary_event(headers, Some("application/json"), b"{\"imsi\":\"001\"}", JsonLimits::NONE).unwrap();
        assert_eq!(event, json!({"id": "1", "subject": "A 1", "data": {"imsi": "001"}}));
        let strange: [(&str, &[u8]); 1] = [("ce-id", b"\xff")];
        assert_eq!(binary_event(strange, None, b"", JsonLimits::NONE).unwrap_err().code(), "bad_header");
        assert_eq!(
            binary_event([], Some("text/xml"), b"<a/>", JsonLimits::NONE).unwrap_err().code(),
            "unsupported_content_type"
        );
    }

    #[test]
    fn an_attribute_is_the_same_however_its_header_spells_it() {
        let id = |value: &str| {
            binary_event([("ce-id", value.as_bytes())], None, b"", JsonLimits::NONE).unwrap()["id"].clone()
        };
        for spelled in ["a b\"c", "\"a b\\\"c\"", "a%20b%22c", "\"a%20b\\\"c\"", "\"\\a b\\\"c\""] {
            assert_eq!(id(spelled), "a b\"c", "{spelled}");
        }
        assert_eq!((id("\""), id("\"\""), id("\"a\\\\\"")), (json!("\""), json!(""), json!("a\\")));
    }
}
