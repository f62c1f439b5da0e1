//! What the tests need of a broker.

use async_trait::async_trait;
use bytes::Bytes;

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Whose events it has.
    pub customer: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its payload.
    pub payload: Bytes,
}

/// A dead letter.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its payload.
    pub payload: Bytes,
}

impl Letter {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

/// A place for events at a broker, which no other test has, and one for dead letters.
#[async_trait]
pub trait Wire: Send + Sync {
    /// The arguments of `interlock ingest` for it.
    fn arguments(&self) -> Vec<String>;

    /// Sends a message, and waits until the broker has it.
    async fn send(&self, sent: &Sent);

    /// How many messages are not acknowledged, whether they were delivered or not.
    async fn unacknowledged(&self) -> u64;

    /// The dead letters so far.
    async fn dead_letters(&self) -> Vec<Letter>;

    /// The header of a dead letter that names where its message was, and its value.
    fn place_header(&self) -> &'static str;

    /// This value.
    fn place(&self) -> &str;

    /// The header of an attribute in binary mode.
    fn binary_header(&self, attribute: &str, value: &str) -> (&'static str, String);

    /// Whether events of one customer stay in order over several processes.
    fn keeps_order_over_processes(&self) -> bool;
}
