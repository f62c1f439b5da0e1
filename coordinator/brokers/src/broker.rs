//! What the rules need of a broker.

use std::time::Duration;

use async_trait::async_trait;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;

use crate::dead_letter::DeadLetter;
use crate::message::{Message, Place, Position};

/// What a broker could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{code}]")]
pub struct BrokerError {
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence.
    pub message: String,
    /// Whether it will be the same if it is tried again.
    pub is_permanent: bool,
}

impl BrokerError {
    /// It may work later.
    pub fn for_now(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_permanent: false }
    }

    /// It will not work later.
    pub fn permanent(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_permanent: true }
    }
}

impl From<BrokerError> for Fault {
    fn from(error: BrokerError) -> Self {
        let wrong_use = error.code == ErrorCode::BrokerSettingInvalid;
        Self { wrong_use, ..Self::failed(error.code, error.message) }
    }
}

/// What one fetch brought.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The messages, in the order of each partition.
    pub messages: Vec<Message>,
    /// The partitions that this process no longer has. What it holds of them belongs to another process now.
    pub revoked: Vec<i32>,
    /// How many messages wait at the broker, if it is known.
    pub lag: Option<u64>,
}

/// Where messages come from.
#[async_trait]
pub trait Source: Send {
    /// The next messages, at most `room`, or none after a moment. Without room it fetches none, and only shows the broker that this process
    /// lives. A message may come again; it has the same position then.
    async fn fetch(&mut self, room: usize) -> Result<Fetched, BrokerError>;

    /// Ends it in good order.
    async fn close(&mut self);
}

/// How messages are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledges {
    /// Each by itself.
    Each,
    /// One position of a partition stands for all before it.
    UpTo,
}

/// Where finished messages go.
#[async_trait]
pub trait Desk: Send + Sync {
    /// How [`Desk::acknowledge`] is meant.
    fn acknowledges(&self) -> Acknowledges;

    /// Acknowledges messages. It returns once the broker has confirmed it.
    async fn acknowledge(&self, positions: &[Position]) -> Result<(), BrokerError>;

    /// Writes a dead letter. It returns once the broker has stored it.
    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), BrokerError>;

    /// How often the broker must hear that held messages are still being worked on.
    fn extend_every(&self) -> Option<Duration>;

    /// Says that these messages are still being worked on.
    async fn extend(&self, positions: &[Position]);

    /// Gives back messages that will not be acknowledged, in their order.
    async fn give_back(&self, positions: &[Position]);
}

/// A connected broker.
pub struct Broker<S, D> {
    /// Where messages come from.
    pub source: S,
    /// Where they go when they are finished.
    pub desk: D,
}

/// A broker of any kind.
pub type BoxedBroker = Broker<Box<dyn Source>, Box<dyn Desk>>;

/// Connects to a broker.
#[async_trait]
pub trait Connect: Send + Sync {
    /// Where the messages come from.
    fn place(&self) -> Place;

    /// How many messages the broker may hand out before they are acknowledged, at most.
    fn in_flight_max(&self) -> usize;

    /// Connects once.
    async fn connect(&self) -> Result<BoxedBroker, BrokerError>;
}
