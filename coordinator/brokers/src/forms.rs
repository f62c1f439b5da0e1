//! The events in a message: structured JSON, a batch, or binary mode with the headers of the broker's CloudEvents binding.

use interlock_domain::error_code::ErrorCode;
use interlock_operations::ingest::{BINARY_ATTRIBUTE_PREFIX, FormatError, binary_event, events_of_json};
use interlock_operations::strict_json::JsonLimits;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::Value;

use crate::message::{Binding, Message};

/// The largest payload that is read, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// The most events of a batch in one message.
pub const EVENTS_PER_MESSAGE_MAX: usize = 1_000;
/// The most JSON values of a message: a few bytes of text may need many bytes of memory.
const VALUES_MAX: usize = 200_000;
const LIMITS: JsonLimits = JsonLimits { elements_max: EVENTS_PER_MESSAGE_MAX, values_max: VALUES_MAX };

/// The prefix of the headers of Kafka's binding.
const KAFKA_PREFIX: &str = "ce_";
const CONTENT_TYPE: &str = "content-type";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// Why a message, or an event of it, is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The stable code.
    pub(crate) code: String,
    /// What exactly.
    pub(crate) detail: String,
}

impl Reason {
    fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code: code.to_string(), detail: detail.into() }
    }
}

impl From<FormatError> for Reason {
    fn from(error: FormatError) -> Self {
        Self::new(error.code(), format!("The message cannot be read: {error}."))
    }
}

/// The events of a message.
pub(crate) fn events_of(message: &Message, binding: Binding) -> Result<Vec<Value>, Reason> {
    let bytes = message.payload.len();
    if bytes > MESSAGE_BYTES_MAX {
        let detail = format!("The message has {bytes} bytes; the limit is {MESSAGE_BYTES_MAX}.");
        return Err(Reason::new(ErrorCode::MessageTooLarge, detail));
    }
    let media_type = media_type(message)?;
    match media_type.as_deref() {
        Some(STRUCTURED | BATCH) => Ok(events_of_json(&message.payload, LIMITS)?),
        _ if is_binary(message, binding) => {
            let headers = attributes(message, binding);
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            Ok(vec![binary_event(headers, media_type.as_deref(), &message.payload, LIMITS)?])
        }
        None | Some("application/json") => Ok(events_of_json(&message.payload, LIMITS)?),
        Some(other) => {
            let detail = format!(
                "The message has the content type '{other}' and no CloudEvents headers; {STRUCTURED}, {BATCH} and \
                 application/json are read."
            );
            Err(Reason::new(ErrorCode::UnsupportedContentType, detail))
        }
    }
}

/// The content type, without its parameters.
fn media_type(message: &Message) -> Result<Option<String>, Reason> {
    let Some(value) = message.header(CONTENT_TYPE) else { return Ok(None) };
    let text = std::str::from_utf8(value).map_err(|_| FormatError::Header(CONTENT_TYPE.to_owned()))?;
    let plain = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(Some(plain).filter(|plain| !plain.is_empty()))
}

/// The name of the CloudEvents attribute in a header of this name.
fn attribute(name: &str, binding: Binding) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let prefix = match binding {
        Binding::Nats => BINARY_ATTRIBUTE_PREFIX,
        Binding::Kafka => KAFKA_PREFIX,
    };
    name.strip_prefix(prefix).map(str::to_owned)
}

fn is_binary(message: &Message, binding: Binding) -> bool {
    message.headers.iter().any(|(name, _)| attribute(name, binding).is_some_and(|name| name == "specversion"))
}

/// The headers of the event as HTTP has them. Kafka's are not encoded, so they are encoded here.
fn attributes(message: &Message, binding: Binding) -> Vec<(String, Vec<u8>)> {
    let of_event = |(name, value): &(String, bytes::Bytes)| {
        let name = format!("{BINARY_ATTRIBUTE_PREFIX}{}", attribute(name, binding)?);
        let value = match binding {
            Binding::Nats => value.to_vec(),
            Binding::Kafka => percent_encode(value, NON_ALPHANUMERIC).to_string().into_bytes(),
        };
        Some((name, value))
    };
    message.headers.iter().filter_map(of_event).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::message::Position;

    fn message(headers: &[(&str, &str)], payload: impl Into<Bytes>) -> Message {
        let header = |(name, value): &(&str, &str)| ((*name).to_owned(), Bytes::copy_from_slice(value.as_bytes()));
        Message {
            position: Position { partition: 0, offset: 1 },
            origin: "events".to_owned(),
            key: None,
            headers: headers.iter().map(header).collect(),
            payload: payload.into(),
        }
    }

    fn code(message: &Message) -> String {
        events_of(message, Binding::Nats).unwrap_err().code
    }

    #[test]
    fn an_event_is_read_in_every_form() {
        let event = json!({"id": "1", "subject": "A"});
        let (one, batch) = (event.to_string(), json!([event, 7]).to_string());
        for headers in [&[][..], &[("Content-Type", "application/cloudevents+json; charset=utf-8")]] {
            let read = events_of(&message(headers, one.clone()), Binding::Nats).unwrap();
            assert_eq!(read, std::slice::from_ref(&event));
        }
        let headers = [("content-type", "application/cloudevents-batch+json")];
        assert_eq!(events_of(&message(&headers, batch), Binding::Kafka).unwrap(), [event, json!(7)]);
    }

    #[test]
    fn headers_are_read_as_the_binding_of_the_broker_says() {
        let read = |headers: &[(&str, &str)], binding| {
            events_of(&message(headers, "{\"imsi\":\"1\"}"), binding).unwrap().remove(0)
        };
        let expected = json!({"specversion": "1.0", "id": "a%20\"b\"", "data": {"imsi": "1"}});
        let kafka = [("ce_specversion", "1.0"), ("ce_id", "a%20\"b\""), ("content-type", "application/json")];
        assert_eq!(read(&kafka, Binding::Kafka), expected);
        let nats = [("ce-specversion", "1.0"), ("Ce-Id", "a%2520%22b%22"), ("trace", "x")];
        assert_eq!(read(&nats, Binding::Nats), expected);
        let array = message(&nats, "[1]");
        assert_eq!(events_of(&array, Binding::Nats).unwrap()[0]["data"], json!([1]), "an array is data here");
    }

    #[test]
    fn what_cannot_be_read_has_a_reason() {
        assert_eq!(code(&message(&[], "nonsense")), "not_json");
        assert_eq!(code(&message(&[], "")), "not_json");
        assert_eq!(code(&message(&[], "7")), "not_events");
        assert_eq!(code(&message(&[], "{\"id\":1,\"id\":2}")), "repeated_key");
        assert_eq!(code(&message(&[("content-type", "text/xml")], "<a/>")), "unsupported_content_type");
        assert_eq!(
            code(&message(&[("ce-specversion", "1.0"), ("content-type", "text/xml")], "<a/>")),
            "unsupported_content_type"
        );
        let strange =
            Message { headers: vec![("content-type".to_owned(), Bytes::from_static(b"\xff"))], ..message(&[], "{}") };
        assert_eq!(code(&strange), "bad_header");
    }

    #[test]
    fn a_message_has_limits() {
        let of_bytes = |bytes: usize| message(&[], format!("{{\"id\":\"{}\"}}", "x".repeat(bytes - 9)));
        assert!(events_of(&of_bytes(MESSAGE_BYTES_MAX), Binding::Nats).is_ok());
        assert_eq!(code(&of_bytes(MESSAGE_BYTES_MAX + 1)), "message_too_large");
        let of_events = |count: usize| message(&[], format!("[{}]", vec!["{}"; count].join(",")));
        let most = events_of(&of_events(EVENTS_PER_MESSAGE_MAX), Binding::Nats).unwrap();
        assert_eq!(most.len(), EVENTS_PER_MESSAGE_MAX);
        assert_eq!(code(&of_events(EVENTS_PER_MESSAGE_MAX + 1)), "batch_too_large");
        let values = format!("{{\"a\":[{}]}}", vec!["1"; VALUES_MAX].join(","));
        assert_eq!(code(&message(&[], values)), "body_too_many_values");
    }
}
