//! Acknowledging messages, and writing dead letters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::{AckKind, Context};
use async_nats::{Client, HeaderMap, Subject};
use async_trait::async_trait;
use futures_util::future::join_all;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::with_causes;

use crate::broker::{Acknowledges, BrokerError, Desk};
use crate::dead_letter::DeadLetter;
use crate::message::Position;

/// With this header the server drops a message that it has stored in the last two minutes.
const MESSAGE_ID: &str = "Nats-Msg-Id";
/// In this part of the time after which the server delivers again, it hears that a message is still being worked on.
const EXTENSIONS: u32 = 3;

/// Where to acknowledge each message: where its last delivery said.
#[derive(Debug, Clone, Default)]
pub(super) struct Replies(Arc<Mutex<BTreeMap<i64, Subject>>>);

impl Replies {
    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<i64, Subject>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn delivered(&self, sequence: i64, reply: Subject) {
        self.with(|replies| replies.insert(sequence, reply));
    }

    pub(super) fn len(&self) -> usize {
        self.with(|replies| replies.len())
    }
}

/// The desk.
pub(super) struct NatsDesk {
    client: Client,
    context: Context,
    dead_letter: String,
    replies: Replies,
    ack_wait: Duration,
}

impl NatsDesk {
    pub(super) fn new(
        client: Client,
        context: Context,
        dead_letter: String,
        replies: Replies,
        ack_wait: Duration,
    ) -> Self {
        Self { client, context, dead_letter, replies, ack_wait }
    }

    fn acker(&self, position: Position) -> Option<Acker> {
        let reply = self.replies.with(|replies| replies.get(&position.offset).cloned())?;
        Some(Acker::new(self.context.clone(), Some(reply)))
    }

    async fn confirmed(&self, position: Position) -> Result<(), BrokerError> {
        let Some(acker) = self.acker(position) else { return Ok(()) };
        acker.double_ack().await.map_err(|error| {
            let message = format!("An acknowledgement was not confirmed by NATS: {error}.");
            BrokerError::for_now(ErrorCode::BrokerUnavailable, message)
        })?;
        self.replies.with(|replies| replies.remove(&position.offset));
        Ok(())
    }

    async fn say(&self, positions: &[Position], kind: AckKind) {
        for position in positions {
            let Some(acker) = self.acker(*position) else { continue };
            if let Err(error) = acker.ack_with(kind).await {
                tracing::debug!(%error, "NATS was not told about a message");
            }
        }
        if let Err(error) = self.client.flush().await {
            tracing::debug!(%error, "NATS was not told about messages");
        }
    }

    async fn publish(&self, letter: &DeadLetter) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &letter.headers {
            headers.append(name.as_str(), String::from_utf8_lossy(value).as_ref());
        }
        headers.insert(MESSAGE_ID, letter.id.as_str());
        let subject = self.dead_letter.clone();
        self.context.publish_with_headers(subject, headers, letter.payload.clone()).await?.await.map(drop)
    }
}

#[async_trait]
impl Desk for NatsDesk {
    fn acknowledges(&self) -> Acknowledges {
        Acknowledges::Each
    }

    async fn acknowledge(&self, positions: &[Position]) -> Result<(), BrokerError> {
        let confirmed = join_all(positions.iter().map(|position| self.confirmed(*position))).await;
        confirmed.into_iter().collect()
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), BrokerError> {
        let published = match self.publish(letter).await {
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                self.publish(&letter.without_payload()).await
            }
            published => published,
        };
        published.map_err(|error| {
            let message = format!(
                "The dead letter for the subject '{}' was not stored by a stream: {}.",
                self.dead_letter,
                with_causes(&error)
            );
            BrokerError::for_now(ErrorCode::DeadLetterUnwritten, message)
        })
    }

    fn extend_every(&self) -> Option<Duration> {
        Some(self.ack_wait / EXTENSIONS)
    }

    async fn extend(&self, positions: &[Position]) {
        self.say(positions, AckKind::Progress).await;
    }

    async fn give_back(&self, positions: &[Position]) {
        self.say(positions, AckKind::Nak(None)).await;
    }
}
