//! Pulling messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::{Batch, BatchError};
use async_nats::{Client, jetstream};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::with_causes;
use tokio::time::{Instant, sleep, timeout};

use super::ANSWER_LIMIT;
use super::desk::Replies;
use crate::broker::{BrokerError, Fetched, Source};
use crate::message::{Message, Position};

/// How many messages are pulled at a time.
const PULL_MAX: usize = 64;
/// How long a pull waits for the first message.
const POLL: Duration = Duration::from_millis(500);
/// How long it waits if there is no room.
const PAUSE: Duration = Duration::from_millis(100);

/// The source.
pub(super) struct NatsSource {
    client: Client,
    consumer: PullConsumer,
    replies: Replies,
    /// Whether messages may have been delivered to nobody since the last look: at the start, and after the connection was lost.
    is_disturbed: Arc<AtomicBool>,
    ack_wait: Duration,
    /// Until when messages that are unacknowledged elsewhere may not have been delivered again. Later ones must not overtake them.
    settled_at: Option<Instant>,
}

impl NatsSource {
    pub(super) fn new(
        client: Client,
        consumer: PullConsumer,
        replies: Replies,
        is_disturbed: Arc<AtomicBool>,
        ack_wait: Duration,
    ) -> Self {
        Self { client, consumer, replies, is_disturbed, ack_wait, settled_at: None }
    }

    /// If messages are unacknowledged that this process does not hold, they were delivered to a process that ended, or into a lost
    /// connection: the server delivers them again after its time, and before all others. Until then nothing is fetched.
    async fn settle(&mut self) -> Result<(), BrokerError> {
        let info = self.consumer.get_info().await.map_err(|error| {
            self.is_disturbed.store(true, Ordering::Release);
            let message = format!("The consumer cannot be read: {}.", with_causes(&error));
            BrokerError::for_now(ErrorCode::BrokerUnavailable, message)
        })?;
        let elsewhere = info.num_ack_pending.saturating_sub(self.replies.len());
        self.settled_at = (elsewhere > 0).then(|| Instant::now() + self.ack_wait);
        if elsewhere > 0 {
            let seconds = self.ack_wait.as_secs_f64();
            tracing::info!(
                messages = elsewhere,
                seconds,
                "waits for messages of an earlier process to be delivered again"
            );
        }
        Ok(())
    }

    /// Reads a pull to its end. If it breaks, what it brought is kept, and the rest is delivered again.
    async fn read(&self, pull: Result<Batch, BatchError>) -> Result<Vec<jetstream::Message>, BrokerError> {
        let failed = |why: String| {
            self.is_disturbed.store(true, Ordering::Release);
            Err(BrokerError::for_now(ErrorCode::BrokerUnavailable, format!("NATS delivers no messages: {why}.")))
        };
        let mut pull = match pull {
            Ok(pull) => pull,
            Err(error) => return failed(with_causes(&error)),
        };
        let mut messages = Vec::new();
        loop {
            match timeout(ANSWER_LIMIT, pull.next()).await {
                Ok(None) => return Ok(messages),
                Ok(Some(Ok(message))) => messages.push(message),
                Ok(Some(Err(error))) if messages.is_empty() => return failed(error.to_string()),
                Err(_) if messages.is_empty() => return failed("it does not answer".to_owned()),
                Ok(Some(Err(_))) | Err(_) => {
                    self.is_disturbed.store(true, Ordering::Release);
                    return Ok(messages);
                }
            }
        }
    }

    fn take(&self, message: &jetstream::Message) -> Option<(Message, u64)> {
        let reply = message.reply.clone()?;
        let info = message.info().ok()?;
        let sequence = i64::try_from(info.stream_sequence).ok()?;
        self.replies.delivered(sequence, reply);
        let mut headers = Vec::new();
        for (name, values) in message.headers.iter().flat_map(|headers| headers.iter()) {
            let value = |value: &async_nats::HeaderValue| Bytes::copy_from_slice(value.as_str().as_bytes());
            headers.extend(values.iter().map(|of| (name.to_string(), value(of))));
        }
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        let message = Message {
            position: Position { partition: 0, offset: sequence },
            origin: message.subject.to_string(),
            key: None,
            headers,
            payload: message.payload.clone(),
        };
        Some((message, info.pending))
    }
}

#[async_trait]
impl Source for NatsSource {
    async fn fetch(&mut self, room: usize) -> Result<Fetched, BrokerError> {
        if self.client.connection_state() != State::Connected {
            self.is_disturbed.store(true, Ordering::Release);
            return Err(BrokerError::for_now(ErrorCode::BrokerUnavailable, "The connection to NATS is lost."));
        }
        if self.is_disturbed.swap(false, Ordering::AcqRel) {
            self.settle().await?;
        }
        if let Some(at) = self.settled_at {
            let now = Instant::now();
            if now < at {
                sleep((at - now).min(POLL)).await;
                return Ok(Fetched::default());
            }
            self.settled_at = None;
        }
        if room == 0 {
            sleep(PAUSE).await;
            return Ok(Fetched::default());
        }
        // What is there at once; otherwise the first one that comes. No pull is left open that could be answered when nobody listens.
        let mut pulled = self.read(self.consumer.fetch().max_messages(room.min(PULL_MAX)).messages().await).await?;
        if pulled.is_empty() {
            pulled = self.read(self.consumer.batch().max_messages(1).expires(POLL).messages().await).await?;
        }
        let taken: Vec<_> = pulled.iter().filter_map(|message| self.take(message)).collect();
        let lag = taken.last().map_or(0, |(_, pending)| *pending);
        let messages = taken.into_iter().map(|(message, _)| message).collect();
        Ok(Fetched { messages, revoked: Vec::new(), lag: Some(lag) })
    }

    async fn close(&mut self) {
        if let Err(error) = self.client.drain().await {
            tracing::debug!(%error, "NATS was not told of the end");
        }
    }
}
