//! Kafka: a consumer group whose offsets are committed up to the last finished message of each partition.

mod desk;
mod source;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::with_causes;
use krafka::auth::{AuthConfig, TlsConfig};
use krafka::consumer::{AutoOffsetReset, Consumer, IsolationLevel, PartitionAssignmentStrategy};
use krafka::error::ErrorCode as KafkaCode;
use krafka::producer::{Acks, Producer};
use krafka::{Kafka as Client, KrafkaError};
use secrecy::ExposeSecret;

use self::desk::KafkaDesk;
use self::source::{KafkaSource, Revoked};
use crate::broker::{BoxedBroker, Broker, BrokerError, Connect};
use crate::forms::MESSAGE_BYTES_MAX;
use crate::message::{Binding, Place};
use crate::security::{Security, Tls};

/// How long a broker may take to answer a request.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long a dead letter may take to be stored.
const DELIVERY_LIMIT: Duration = Duration::from_secs(20);
/// The default time without a sign of life after which the group gives the partitions of a process to others, as Kafka has it.
pub const SESSION_TIMEOUT_DEFAULT: Duration = Duration::from_secs(45);
/// Signs of life for each session timeout.
const HEARTBEATS: u32 = 5;
/// How many messages are taken from the client at a time.
const POLL_MAX: usize = 64;
/// Bytes of one answer of a broker, over all partitions.
const FETCH_BYTES_MAX: i32 = 4 * 1024 * 1024;
/// Bytes of a compressed batch of messages after it is decompressed.
const DECOMPRESSED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How a client says who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The password is sent as it is.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

/// Where messages come from and go to.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// The brokers to ask first, with commas between them.
    pub bootstrap_servers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The topic of dead letters.
    pub dead_letter: String,
    /// The name of this process within the group (static membership): it keeps its partitions while it restarts.
    pub instance: Option<String>,
    /// After what time without a sign of life the group gives its partitions to others.
    pub session_timeout: Duration,
    /// How many messages this process holds at most.
    pub in_flight_max: usize,
    /// How it says who it is, if a user is set.
    pub mechanism: Mechanism,
    /// How the connection is protected.
    pub security: Security,
}

/// Connects to Kafka.
pub struct Kafka {
    options: KafkaOptions,
}

impl Kafka {
    /// # Errors
    /// [`BrokerError`] `broker_setting_invalid`.
    pub fn new(options: KafkaOptions) -> Result<Self, BrokerError> {
        let invalid = |detail: String| Err(BrokerError::permanent(ErrorCode::BrokerSettingInvalid, detail));
        if options.topic == options.dead_letter {
            return invalid(format!("The topic '{}' for dead letters is the one that is consumed.", options.topic));
        }
        if options.security.token.is_some() && options.security.user.is_none() {
            return invalid("Kafka has no tokens: set --user and its password.".to_owned());
        }
        Ok(Self { options })
    }

    /// How many messages are taken at a time: few enough that they have room.
    fn poll_max(&self) -> usize {
        POLL_MAX.min(self.options.in_flight_max.div_ceil(2)).max(1)
    }

    fn authentication(&self) -> Result<AuthConfig, BrokerError> {
        let Security { tls, user, .. } = &self.options.security;
        let plain = match user {
            None => AuthConfig::plaintext(),
            Some((user, password)) => {
                let (user, password) = (user.clone(), password.expose_secret().to_owned());
                match self.options.mechanism {
                    Mechanism::Plain => AuthConfig::sasl_plain(user, password),
                    Mechanism::ScramSha256 => AuthConfig::sasl_scram_sha256(user, password),
                    Mechanism::ScramSha512 => AuthConfig::sasl_scram_sha512(user, password),
                }
            }
        };
        if tls.is_on() { Ok(plain.with_tls(tls_config(tls)?)) } else { Ok(plain) }
    }

    async fn consumer(&self, client: &Client, revoked: &Revoked) -> Result<Consumer, BrokerError> {
        let options = &self.options;
        let poll_max = i32::try_from(self.poll_max()).unwrap_or(i32::MAX);
        let mut builder = client
            .consumer(options.group.clone())
            .auto_offset_reset(AutoOffsetReset::Earliest)
            .enable_auto_commit(false)
            .isolation_level(IsolationLevel::ReadCommitted)
            .partition_assignment_strategy(PartitionAssignmentStrategy::CooperativeSticky)
            .max_poll_records(poll_max)
            .max_buffered_records(poll_max)
            .fetch_max_bytes(FETCH_BYTES_MAX)
            .max_decompressed_size(DECOMPRESSED_BYTES_MAX)
            .session_timeout(options.session_timeout)
            .heartbeat_interval(options.session_timeout / HEARTBEATS)
            .metrics_push(false)
            .rebalance_listener(revoked.clone());
        if let Some(instance) = &options.instance {
            builder = builder.group_instance_id(instance.clone());
        }
        let consumer = builder.build().await.map_err(|error| broker_error("The consumer cannot be made", &error))?;
        let topic = &options.topic;
        let found = consumer.fetch_metadata(Some(topic)).await;
        let found = found.map_err(|error| broker_error(&format!("The topic '{topic}' cannot be read"), &error))?;
        if found.topics.is_empty() {
            let message = format!("The topic '{topic}' does not exist.");
            return Err(BrokerError::permanent(ErrorCode::BrokerPlaceMissing, message));
        }
        let subscribed = consumer.subscribe([topic]).await;
        subscribed.map_err(|error| broker_error(&format!("The topic '{topic}' cannot be subscribed to"), &error))?;
        Ok(consumer)
    }

    async fn producer(&self, client: &Client) -> Result<Producer, BrokerError> {
        let builder = client
            .producer()
            .acks(Acks::All)
            .linger(Duration::ZERO)
            .max_block(ANSWER_LIMIT)
            .delivery_timeout(DELIVERY_LIMIT)
            // With the headers that a dead letter has in addition.
            .max_request_size(2 * MESSAGE_BYTES_MAX)
            .metrics_push(false);
        builder.build().await.map_err(|error| broker_error("The producer of dead letters cannot be made", &error))
    }
}

fn tls_config(tls: &Tls) -> Result<TlsConfig, BrokerError> {
    let path = |path: &std::path::Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            let message = format!("The path {} is not valid UTF-8.", path.display());
            BrokerError::permanent(ErrorCode::BrokerSettingInvalid, message)
        })
    };
    let mut config = TlsConfig::new();
    if let Some(authorities) = &tls.authorities {
        config = config.with_ca_cert(path(authorities)?);
    }
    if let Some((certificate, key)) = &tls.client {
        config = config.with_client_cert(path(certificate)?, path(key)?);
    }
    Ok(config)
}

/// What an error of the client means. Most of them pass.
fn broker_error(what: &str, error: &KrafkaError) -> BrokerError {
    let message = format!("{what}: {}.", with_causes(error).trim_end_matches('.'));
    match error {
        KrafkaError::Config { .. } => BrokerError::permanent(ErrorCode::BrokerSettingInvalid, message),
        // Another process has the same name in the group.
        KrafkaError::Fenced { .. } | KrafkaError::Broker { code: KafkaCode::FencedInstanceId, .. } => {
            BrokerError::permanent(ErrorCode::BrokerRefused, message)
        }
        KrafkaError::Auth { .. }
        | KrafkaError::Broker {
            code:
                KafkaCode::SaslAuthenticationFailed
                | KafkaCode::TopicAuthorizationFailed
                | KafkaCode::GroupAuthorizationFailed
                | KafkaCode::ClusterAuthorizationFailed,
            ..
        } => BrokerError::for_now(ErrorCode::BrokerRefused, message),
        KrafkaError::UnknownTopic { .. } | KrafkaError::Broker { code: KafkaCode::UnknownTopicOrPartition, .. } => {
            BrokerError::for_now(ErrorCode::BrokerPlaceMissing, message)
        }
        _ => BrokerError::for_now(ErrorCode::BrokerUnavailable, message),
    }
}

#[async_trait]
impl Connect for Kafka {
    fn place(&self) -> Place {
        let KafkaOptions { topic, group, .. } = &self.options;
        Place { binding: Binding::Kafka, source: topic.clone(), consumer: group.clone() }
    }

    fn in_flight_max(&self) -> usize {
        self.options.in_flight_max
    }

    async fn connect(&self) -> Result<BoxedBroker, BrokerError> {
        // For TLS.
        interlock_adapters::install_crypto_provider();
        let builder = Client::builder(self.options.bootstrap_servers.clone())
            .client_id("interlock")
            .security(self.authentication()?)
            .connect_timeout(ANSWER_LIMIT)
            .request_timeout(ANSWER_LIMIT)
            .allow_auto_create_topics(false);
        let client = builder.connect().await.map_err(|error| broker_error("Kafka cannot be reached", &error))?;
        let revoked = Revoked::default();
        let consumer = Arc::new(self.consumer(&client, &revoked).await?);
        let producer = self.producer(&client).await?;
        let KafkaOptions { topic, dead_letter, .. } = &self.options;
        let desk = KafkaDesk::new(Arc::clone(&consumer), producer, topic.clone(), dead_letter.clone());
        let source = KafkaSource::new(consumer, topic.clone(), self.poll_max(), revoked);
        Ok(Broker { source: Box::new(source), desk: Box::new(desk) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(in_flight_max: usize) -> KafkaOptions {
        KafkaOptions {
            bootstrap_servers: "localhost:9092".to_owned(),
            topic: "events".to_owned(),
            group: "interlock".to_owned(),
            dead_letter: "events.dead".to_owned(),
            instance: None,
            session_timeout: SESSION_TIMEOUT_DEFAULT,
            in_flight_max,
            mechanism: Mechanism::Plain,
            security: Security::default(),
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let loops = KafkaOptions { dead_letter: "events".to_owned(), ..options(1) };
        assert!(Kafka::new(loops).err().unwrap().message.contains("is the one that is consumed"));
        let token = Security { token: Some("t".into()), ..Security::default() };
        assert!(Kafka::new(KafkaOptions { security: token, ..options(1) }).is_err());
    }

    #[test]
    fn a_poll_brings_no_more_than_there_is_room_for() {
        let poll_max = |in_flight_max| Kafka::new(options(in_flight_max)).unwrap().poll_max();
        assert_eq!([1, 2, 3, 127, 128, 1_000].map(poll_max), [1, 1, 2, 64, 64, 64]);
    }
}
