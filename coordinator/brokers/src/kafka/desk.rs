//! Committing offsets, and writing dead letters.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interlock_domain::error_code::ErrorCode;
use krafka::consumer::{Consumer, OffsetAndMetadata, TopicPartition};
use krafka::error::ErrorCode as KafkaCode;
use krafka::producer::Producer;
use krafka::{KrafkaError, Record};

use super::broker_error;
use crate::broker::{Acknowledges, BrokerError, Desk};
use crate::dead_letter::DeadLetter;
use crate::message::Position;

/// The desk.
pub(super) struct KafkaDesk {
    consumer: Arc<Consumer>,
    producer: Producer,
    topic: String,
    dead_letter: String,
}

impl KafkaDesk {
    pub(super) fn new(consumer: Arc<Consumer>, producer: Producer, topic: String, dead_letter: String) -> Self {
        Self { consumer, producer, topic, dead_letter }
    }

    async fn publish(&self, letter: &DeadLetter) -> Result<(), KrafkaError> {
        let mut record = Record::new(self.dead_letter.clone(), letter.payload.clone());
        if let Some(key) = &letter.key {
            record = record.key(key.clone());
        }
        for (name, value) in &letter.headers {
            record = record.header(name.clone(), value.clone());
        }
        self.producer.send(record).await.map(drop)
    }
}

/// Whether the broker takes no message of this size.
fn is_too_large(error: &KrafkaError) -> bool {
    let code = |code: KafkaCode| matches!(code, KafkaCode::MessageTooLarge | KafkaCode::RecordListTooLarge);
    matches!(error, KrafkaError::Broker { code: of, .. } if code(*of))
}

#[async_trait]
impl Desk for KafkaDesk {
    fn acknowledges(&self) -> Acknowledges {
        Acknowledges::UpTo
    }

    async fn acknowledge(&self, positions: &[Position]) -> Result<(), BrokerError> {
        // An offset is that of the next message to be read.
        let next = |position: &Position| {
            let partition = TopicPartition::new(self.topic.clone(), position.partition);
            (partition, OffsetAndMetadata::new(position.offset + 1))
        };
        let committed = self.consumer.commit_offsets(positions.iter().map(next)).await;
        committed.map_err(|error| broker_error("Offsets cannot be committed", &error))
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), BrokerError> {
        let published = match self.publish(letter).await {
            Err(error) if is_too_large(&error) => self.publish(&letter.without_payload()).await,
            published => published,
        };
        published.map_err(|error| {
            let what = format!("The dead letter was not stored in the topic '{}'", self.dead_letter);
            BrokerError::for_now(ErrorCode::DeadLetterUnwritten, broker_error(&what, &error).message)
        })
    }

    fn extend_every(&self) -> Option<Duration> {
        // A group has one sign of life for all partitions, which the source gives.
        None
    }

    async fn extend(&self, _positions: &[Position]) {}

    async fn give_back(&self, _positions: &[Position]) {
        // What is not committed is read again.
    }
}
