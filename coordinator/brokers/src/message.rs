//! A message as a broker delivers it.

use bytes::Bytes;

/// Where a message is among those of its source. Messages of one partition are in the order of their offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Kafka's partition; 0 in NATS.
    pub partition: i32,
    /// Kafka's offset, or the sequence in the stream of NATS.
    pub offset: i64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is.
    pub position: Position,
    /// The subject or topic to which it was sent.
    pub origin: String,
    /// Kafka's key.
    pub key: Option<Bytes>,
    /// Its headers, in their order.
    pub headers: Vec<(String, Bytes)>,
    /// Its payload.
    pub payload: Bytes,
}

impl Message {
    /// The first header of this name, without regard to case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(of, _)| of.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }

    /// The bytes that it takes, roughly.
    pub fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.payload.len() + headers + self.key.as_ref().map_or(0, Bytes::len)
    }
}

/// How CloudEvents are written in messages of a broker: the bindings differ in the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// `ce-id`, percent-encoded as in HTTP.
    Nats,
    /// `ce_id`, UTF-8.
    Kafka,
}

/// Where the messages of a consumer come from, as dead letters say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// How events are written.
    pub binding: Binding,
    /// The stream or topic.
    pub source: String,
    /// The durable consumer or group.
    pub consumer: String,
}
