//! What becomes of a message that cannot be accepted.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::forms::Reason;
use crate::message::{Binding, Message, Place};

/// The prefix of the headers that a dead letter has in addition to those of its message.
const OWN_PREFIX: &str = "interlock-";
/// Headers with which the publisher of a message speaks to NATS. In a dead letter they would be commands again.
const NATS_PREFIX: &str = "nats-";
/// The longest detail, in bytes.
const DETAIL_BYTES_MAX: usize = 512;
/// How many rejected events of a batch are named.
const NAMED_MAX: usize = 32;

/// A message with the reason why it was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The same whenever this message is written again.
    pub id: String,
    /// The code of its reason.
    pub code: String,
    /// The headers of the message, and those that begin with `interlock-`.
    pub headers: Vec<(String, Bytes)>,
    /// Kafka's key.
    pub key: Option<Bytes>,
    /// The payload of the message.
    pub payload: Bytes,
}

impl DeadLetter {
    /// Of a message, with the reasons by the places of the events, from 0. A message that cannot be read has one reason and no place.
    pub(crate) fn new(
        message: &Message,
        place: &Place,
        reasons: &[(Option<usize>, Reason)],
        now: DateTime<Utc>,
    ) -> Self {
        let position = message.position;
        let unknown = Reason { code: String::new(), detail: String::new() };
        let first = reasons.first().map_or(&unknown, |(_, reason)| reason);
        let id = match place.binding {
            Binding::Nats => format!("interlock/{}/{}/{}", place.source, place.consumer, position.offset),
            Binding::Kafka => {
                format!("interlock/{}/{}/{}/{}", place.source, place.consumer, position.partition, position.offset)
            }
        };
        let mut own = vec![
            ("interlock-id", id.clone()),
            ("interlock-code", first.code.clone()),
            ("interlock-detail", plain(&first.detail)),
            ("interlock-time", now.to_rfc3339_opts(SecondsFormat::Millis, true)),
        ];
        own.extend(match place.binding {
            Binding::Nats => vec![
                ("interlock-stream", place.source.clone()),
                ("interlock-sequence", position.offset.to_string()),
                ("interlock-subject", message.origin.clone()),
            ],
            Binding::Kafka => vec![
                ("interlock-topic", message.origin.clone()),
                ("interlock-partition", position.partition.to_string()),
                ("interlock-offset", position.offset.to_string()),
            ],
        });
        let rejected: Vec<String> =
            reasons.iter().filter_map(|(at, _)| Some((*at)? + 1)).map(|at| at.to_string()).collect();
        if !rejected.is_empty() {
            let named = rejected[..rejected.len().min(NAMED_MAX)].join(",");
            own.push(("interlock-rejected", rejected.len().to_string()));
            own.push(("interlock-rejected-events", named));
        }
        let kept = message.headers.iter().filter(|(name, _)| is_kept(name)).cloned();
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), Bytes::from(value)));
        let headers = kept.chain(own).collect();
        Self { id, code: first.code.clone(), headers, key: message.key.clone(), payload: message.payload.clone() }
    }

    /// The same without its payload, for a broker that does not take it with more headers. The message itself is where the headers say.
    #[must_use]
    pub fn without_payload(&self) -> Self {
        let mut headers: Vec<_> =
            self.headers.iter().filter(|(name, _)| name.starts_with(OWN_PREFIX)).cloned().collect();
        let bytes = self.payload.len().to_string();
        headers.push(("interlock-payload-left-out".to_owned(), Bytes::from(format!("{bytes} bytes"))));
        Self { headers, payload: Bytes::new(), ..self.clone() }
    }
}

/// Whether a dead letter has this header of its message. A dead letter that was sent again has those of its own next reason only.
fn is_kept(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with(OWN_PREFIX) && !name.starts_with(NATS_PREFIX)
}

/// A text that a header can carry.
fn plain(text: &str) -> String {
    let mut plain: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let mut end = plain.len().min(DETAIL_BYTES_MAX);
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    plain.truncate(end);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Position;

    fn message() -> Message {
        let header = |name: &str, value: &str| (name.to_owned(), Bytes::from(value.to_owned()));
        Message {
            position: Position { partition: 2, offset: 7 },
            origin: "events.blue".to_owned(),
            key: Some(Bytes::from_static(b"A1")),
            headers: vec![header("ce-id", "1"), header("Nats-Msg-Id", "x"), header("interlock-code", "old")],
            payload: Bytes::from_static(b"nonsense"),
        }
    }

    fn reason(detail: &str) -> Reason {
        Reason { code: "not_json".to_owned(), detail: detail.to_owned() }
    }

    fn of<'a>(letter: &'a DeadLetter, name: &str) -> Option<&'a str> {
        let values: Vec<_> = letter.headers.iter().filter(|(of, _)| of == name).collect();
        assert!(values.len() <= 1, "{name}: {values:?}");
        values.first().map(|(_, value)| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn a_dead_letter_says_what_was_wrong_and_where_it_was() {
        let place = Place { binding: Binding::Nats, source: "EVENTS".to_owned(), consumer: "interlock".to_owned() };
        let letter = DeadLetter::new(&message(), &place, &[(None, reason("line 1\nis\u{0}wrong"))], Utc::now());
        assert_eq!(letter.id, "interlock/EVENTS/interlock/7");
        assert_eq!(of(&letter, "interlock-code"), Some("not_json"));
        assert_eq!(of(&letter, "interlock-detail"), Some("line 1 is wrong"));
        assert_eq!(of(&letter, "interlock-subject"), Some("events.blue"));
        assert_eq!(of(&letter, "interlock-sequence"), Some("7"));
        assert_eq!((of(&letter, "ce-id"), of(&letter, "Nats-Msg-Id")), (Some("1"), None));
        assert_eq!(of(&letter, "interlock-rejected"), None);
        assert_eq!((letter.payload.as_ref(), letter.key), (&b"nonsense"[..], message().key));
    }

    #[test]
    fn a_dead_letter_of_kafka_names_partition_offset_and_the_rejected_events() {
        let place = Place { binding: Binding::Kafka, source: "events".to_owned(), consumer: "group".to_owned() };
        let reasons: Vec<_> = (0..40).map(|at| (Some(at), reason("x"))).collect();
        let letter = DeadLetter::new(&message(), &place, &reasons, Utc::now());
        assert_eq!(letter.id, "interlock/events/group/2/7");
        assert_eq!((of(&letter, "interlock-partition"), of(&letter, "interlock-offset")), (Some("2"), Some("7")));
        assert_eq!(of(&letter, "interlock-rejected"), Some("40"));
        assert!(of(&letter, "interlock-rejected-events").unwrap().ends_with(",31,32"));
        let short = letter.without_payload();
        assert_eq!((of(&short, "interlock-payload-left-out"), of(&short, "ce-id")), (Some("8 bytes"), None));
        assert!(short.payload.is_empty() && short.id == letter.id);
    }

    #[test]
    fn a_detail_has_a_longest_length() {
        assert_eq!(plain(&"x".repeat(DETAIL_BYTES_MAX)).len(), DETAIL_BYTES_MAX);
        assert_eq!(plain(&"é".repeat(DETAIL_BYTES_MAX)).len(), DETAIL_BYTES_MAX);
        assert_eq!(plain(&format!("x{}", "é".repeat(DETAIL_BYTES_MAX))).len(), DETAIL_BYTES_MAX - 1);
    }
}
