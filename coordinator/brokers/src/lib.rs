//! Takes events from message brokers: NATS JetStream and Kafka.
//!
//! A message is acknowledged only once each of its events was accepted, or once it is written as a dead letter. Events of one customer
//! are accepted in the order of the broker, one after the other; an event that Temporal does not take is sent again until it is taken, and
//! holds back the later ones of its customer only. What a process holds is bounded: when it is full, it fetches no more.
//!
//! [`consume`] holds these rules and knows no broker. `nats` and `kafka` are two features, each with one [`Source`] and one [`Desk`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod acceptance;
mod broker;
mod consumer;
mod dead_letter;
mod floors;
mod forms;
#[cfg(feature = "kafka")]
pub mod kafka;
mod lanes;
mod message;
#[cfg(feature = "nats")]
pub mod nats;
mod pace;
mod security;
mod status;
mod window;

pub use acceptance::{Acceptance, OfTenant};
pub use broker::{Acknowledges, BoxedBroker, Broker, BrokerError, Connect, Desk, Fetched, Source};
pub use consumer::{BYTES_MAX, Consumption, DRAIN, IN_FLIGHT_DEFAULT, consume};
pub use dead_letter::DeadLetter;
pub use forms::{EVENTS_PER_MESSAGE_MAX, MESSAGE_BYTES_MAX};
pub use message::{Binding, Message, Place, Position};
pub use security::{Security, Tls};
pub use status::Status;
