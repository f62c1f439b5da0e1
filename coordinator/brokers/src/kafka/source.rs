//! Polling messages, within a consumer group.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use interlock_domain::error_code::ErrorCode;
use krafka::consumer::{Consumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition};

use super::broker_error;
use crate::broker::{BrokerError, Fetched, Source};
use crate::message::{Message, Position};

/// How long a poll waits for messages.
const POLL: Duration = Duration::from_millis(500);
/// The same if there is no room for any.
const PAUSE: Duration = Duration::from_millis(100);

/// The partitions that went to other processes since the last poll.
#[derive(Debug, Clone, Default)]
pub(super) struct Revoked(Arc<Mutex<Vec<i32>>>);

impl Revoked {
    fn with<T>(&self, change: impl FnOnce(&mut Vec<i32>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, partitions: &[TopicPartition]) {
        tracing::info!(partitions = partitions.len(), "partitions are another process's now, or assigned anew");
        self.with(|revoked| revoked.extend(partitions.iter().map(|of| of.partition)));
    }
}

impl ConsumerRebalanceListener for Revoked {
    async fn on_partitions_assigned(&self, partitions: &[TopicPartition]) {
        tracing::info!(partitions = partitions.len(), "partitions are this process's now");
    }

    async fn on_partitions_revoked(&self, partitions: &[TopicPartition]) {
        self.add(partitions);
    }

    async fn on_partitions_lost(&self, partitions: &[TopicPartition]) {
        self.add(partitions);
    }
}

/// The source.
pub(super) struct KafkaSource {
    consumer: Arc<Consumer>,
    topic: String,
    poll_max: usize,
    revoked: Revoked,
}

impl KafkaSource {
    pub(super) fn new(consumer: Arc<Consumer>, topic: String, poll_max: usize, revoked: Revoked) -> Self {
        Self { consumer, topic, poll_max, revoked }
    }

    async fn partitions(&self) -> Vec<i32> {
        self.consumer.assignment().await.remove(&self.topic).unwrap_or_default()
    }

    async fn lag(&self) -> Option<u64> {
        let lags = self.consumer.lag().await;
        let known: Vec<u64> = lags.values().filter_map(|of| of.lag).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }

    fn take(record: ConsumerRecord) -> Message {
        let headers = record.headers.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect();
        Message {
            position: Position { partition: record.partition, offset: record.offset },
            origin: record.topic.to_string(),
            key: record.key,
            headers,
            payload: record.value.unwrap_or_default(),
        }
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn fetch(&mut self, room: usize) -> Result<Fetched, BrokerError> {
        // A poll brings up to its maximum, and it must go on, or the group takes the partitions away.
        let (wait, is_full) = if room < self.poll_max { (PAUSE, true) } else { (POLL, false) };
        let partitions = self.partitions().await;
        if is_full {
            self.consumer.pause(&self.topic, &partitions).await;
        } else {
            self.consumer.resume(&self.topic, &partitions).await;
        }
        let polled = self.consumer.poll(wait).await;
        let revoked = self.revoked.with(std::mem::take);
        match polled {
            Ok(records) => {
                let messages = records.into_iter().map(Self::take).collect();
                Ok(Fetched { messages, revoked, lag: self.lag().await })
            }
            // What went to others must be said even if the poll failed then.
            Err(_) if !revoked.is_empty() => Ok(Fetched { messages: Vec::new(), revoked, lag: None }),
            Err(error) => {
                let error = broker_error("Kafka delivers no messages", &error);
                // A topic that was there comes back, or is created again.
                let is_permanent = error.is_permanent && error.code != ErrorCode::BrokerPlaceMissing;
                Err(BrokerError { is_permanent, ..error })
            }
        }
    }

    async fn close(&mut self) {
        if let Err(error) = self.consumer.close().await {
            tracing::debug!(%error, "the group was not left");
        }
    }
}
