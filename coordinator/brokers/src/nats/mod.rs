//! NATS JetStream: a durable pull consumer with explicit acknowledgement.

mod desk;
mod source;
mod subject;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config as PullConfig;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use async_trait::async_trait;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::with_causes;
use secrecy::ExposeSecret;

use self::desk::{NatsDesk, Replies};
use self::source::NatsSource;
use crate::broker::{BoxedBroker, Broker, BrokerError, Connect};
use crate::message::{Binding, Place};
use crate::security::Security;

/// How long the server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The shortest time after which the server may deliver a message again: shorter ones would not leave time to say that it is being worked on.
pub const ACK_WAIT_MIN: Duration = Duration::from_secs(1);
/// The default of this time, as NATS has it.
pub const ACK_WAIT_DEFAULT: Duration = Duration::from_secs(30);
/// How many unacknowledged messages a new consumer may have over all its processes. NATS' default.
const ACK_PENDING_MAX: i64 = 1_000;

/// Where messages come from and go to.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// The servers, with commas between them.
    pub url: String,
    /// The stream.
    pub stream: String,
    /// The durable consumer. It is created if it does not exist.
    pub consumer: String,
    /// Which subjects of the stream; none for all.
    pub subject: Option<String>,
    /// The subject of dead letters.
    pub dead_letter: String,
    /// After what time the server delivers a message again that was not acknowledged: of a new consumer.
    pub ack_wait: Duration,
    /// How many messages this process holds at most.
    pub in_flight_max: usize,
    /// A file with credentials (JWT and seed).
    pub credentials: Option<PathBuf>,
    /// How the connection is protected.
    pub security: Security,
}

/// Connects to NATS.
pub struct Nats {
    options: NatsOptions,
}

impl Nats {
    /// # Errors
    /// [`BrokerError`] `broker_setting_invalid`.
    pub fn new(options: NatsOptions) -> Result<Self, BrokerError> {
        let invalid = |detail: String| Err(BrokerError::permanent(ErrorCode::BrokerSettingInvalid, detail));
        if options.url.contains('@') {
            return invalid("The --url contains credentials, which every user of this machine can see.".to_owned());
        }
        let dead_letter = &options.dead_letter;
        if !subject::is_literal(dead_letter) {
            return invalid(format!("The subject '{dead_letter}' for dead letters is not one subject."));
        }
        if options.subject.as_ref().is_some_and(|pattern| subject::matches(pattern, dead_letter)) {
            return invalid(loops(dead_letter));
        }
        if options.ack_wait < ACK_WAIT_MIN {
            let given = options.ack_wait.as_millis();
            return invalid(format!("The --ack-wait is {given} ms; the minimum is {} ms.", ACK_WAIT_MIN.as_millis()));
        }
        Ok(Self { options })
    }

    async fn client(&self, is_disturbed: &Arc<AtomicBool>) -> Result<Client, BrokerError> {
        // For TLS.
        interlock_adapters::install_crypto_provider();
        let security = &self.options.security;
        let is_disturbed = Arc::clone(is_disturbed);
        let mut options =
            ConnectOptions::new().name("interlock").connection_timeout(ANSWER_LIMIT).event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Connected | Event::SlowConsumer(_)) {
                    is_disturbed.store(true, Ordering::Release);
                }
                tracing::debug!(%event, "NATS");
                std::future::ready(())
            });
        if let Some((user, password)) = &security.user {
            options = options.user_and_password(user.clone(), password.expose_secret().to_owned());
        }
        if let Some(token) = &security.token {
            options = options.token(token.expose_secret().to_owned());
        }
        if let Some(file) = &self.options.credentials {
            options = options.credentials_file(file).await.map_err(|error| {
                let message = format!("The credentials in {} cannot be used: {error}.", file.display());
                BrokerError::permanent(ErrorCode::BrokerSettingInvalid, message)
            })?;
        }
        if security.tls.is_on() {
            options = options.require_tls(true);
        }
        if let Some(authorities) = &security.tls.authorities {
            options = options.add_root_certificates(authorities.clone());
        }
        if let Some((certificate, key)) = &security.tls.client {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let servers: Vec<&str> = self.options.url.split(',').map(str::trim).collect();
        options.connect(servers).await.map_err(|error| not_connected(&error))
    }

    async fn stream(&self, context: &Context) -> Result<Stream, BrokerError> {
        let name = &self.options.stream;
        context.get_stream(name).await.map_err(|error| {
            let message = format!("The stream '{name}' cannot be read: {}.", with_causes(&error));
            match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.code() == NOT_FOUND => {
                    BrokerError::permanent(ErrorCode::BrokerPlaceMissing, message)
                }
                GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => {
                    BrokerError::permanent(ErrorCode::BrokerSettingInvalid, message)
                }
                _ => BrokerError::for_now(ErrorCode::BrokerUnavailable, message),
            }
        })
    }

    async fn consumer(&self, stream: &Stream) -> Result<PullConsumer, BrokerError> {
        let options = &self.options;
        let wanted = PullConfig {
            durable_name: Some(options.consumer.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: options.ack_wait,
            max_ack_pending: ACK_PENDING_MAX.max(i64::try_from(options.in_flight_max).unwrap_or(i64::MAX)),
            filter_subject: options.subject.clone().unwrap_or_default(),
            ..PullConfig::default()
        };
        let consumer = stream.get_or_create_consumer(&options.consumer, wanted).await.map_err(|error| {
            let message = format!("The consumer '{}' cannot be used: {}.", options.consumer, with_causes(&error));
            BrokerError::for_now(ErrorCode::BrokerUnavailable, message)
        })?;
        match unfit(&consumer.cached_info().config, options.subject.as_deref()) {
            None => Ok(consumer),
            Some(why) => {
                let message = format!("The consumer '{}' {why}.", options.consumer);
                Err(BrokerError::permanent(ErrorCode::BrokerConsumerUnfit, message))
            }
        }
    }
}

/// The status with which JetStream says that something does not exist.
const NOT_FOUND: usize = 404;

fn loops(dead_letter: &str) -> String {
    format!("The subject '{dead_letter}' for dead letters is one of those that are consumed.")
}

fn not_connected(error: &ConnectError) -> BrokerError {
    let message = format!("NATS cannot be reached: {}.", with_causes(error));
    match error.kind() {
        ConnectErrorKind::ServerParse => BrokerError::permanent(ErrorCode::BrokerSettingInvalid, message),
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            BrokerError::for_now(ErrorCode::BrokerRefused, message)
        }
        _ => BrokerError::for_now(ErrorCode::BrokerUnavailable, message),
    }
}

/// Why messages could be lost or passed over with this consumer.
fn unfit(config: &jetstream::consumer::Config, subject: Option<&str>) -> Option<String> {
    if config.ack_policy != AckPolicy::Explicit {
        return Some("does not have the acknowledgement policy 'explicit'".to_owned());
    }
    if config.max_deliver > 0 {
        return Some(format!("drops a message after {} deliveries (max_deliver)", config.max_deliver));
    }
    if config.deliver_subject.is_some() {
        return Some("is a push consumer".to_owned());
    }
    if config.headers_only {
        return Some("delivers headers only".to_owned());
    }
    let differs = |subject: &&str| config.filter_subject != **subject;
    subject.filter(differs).map(|subject| format!("has the filter '{}', not '{subject}'", config.filter_subject))
}

#[async_trait]
impl Connect for Nats {
    fn place(&self) -> Place {
        let NatsOptions { stream, consumer, .. } = &self.options;
        Place { binding: Binding::Nats, source: stream.clone(), consumer: consumer.clone() }
    }

    fn in_flight_max(&self) -> usize {
        self.options.in_flight_max
    }

    async fn connect(&self) -> Result<BoxedBroker, BrokerError> {
        let is_disturbed = Arc::new(AtomicBool::new(true));
        let client = self.client(&is_disturbed).await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER_LIMIT);
        let stream = self.stream(&context).await?;
        let dead_letter = &self.options.dead_letter;
        let of_stream = &stream.cached_info().config.subjects;
        if self.options.subject.is_none() && of_stream.iter().any(|pattern| subject::matches(pattern, dead_letter)) {
            return Err(BrokerError::permanent(ErrorCode::BrokerSettingInvalid, loops(dead_letter)));
        }
        let consumer = self.consumer(&stream).await?;
        let config = &consumer.cached_info().config;
        let ack_wait = config.backoff.iter().copied().chain([config.ack_wait]).min().unwrap_or(ACK_WAIT_DEFAULT);
        let replies = Replies::default();
        let desk = NatsDesk::new(client.clone(), context, dead_letter.clone(), replies.clone(), ack_wait);
        let source = NatsSource::new(client, consumer, replies, is_disturbed, ack_wait);
        Ok(Broker { source: Box::new(source), desk: Box::new(desk) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> NatsOptions {
        NatsOptions {
            url: "nats://a:4222,b:4222".to_owned(),
            stream: "EVENTS".to_owned(),
            consumer: "interlock".to_owned(),
            subject: Some("events.>".to_owned()),
            dead_letter: "dead.events".to_owned(),
            ack_wait: ACK_WAIT_MIN,
            in_flight_max: 1,
            credentials: None,
            security: Security::default(),
        }
    }

    fn refused(options: NatsOptions) -> String {
        let error = Nats::new(options).err().unwrap();
        assert!(error.is_permanent && error.code == ErrorCode::BrokerSettingInvalid);
        error.message
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert!(Nats::new(options()).is_ok());
        for url in ["nats://me:secret@a:4222", "a:4222,me:secret@b:4222", "nats://token@a"] {
            let message = refused(NatsOptions { url: url.to_owned(), ..options() });
            assert!(message.contains("credentials") && !message.contains("secret"), "{message}");
        }
        let dead_letter = |of: &str| refused(NatsOptions { dead_letter: of.to_owned(), ..options() });
        assert!(dead_letter("events.dead").contains("are consumed"));
        assert!(dead_letter("dead.>").contains("is not one subject"));
        assert!(dead_letter("").contains("is not one subject"));
        let ack_wait = ACK_WAIT_MIN.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(refused(NatsOptions { ack_wait, ..options() }), "The --ack-wait is 999 ms; the minimum is 1000 ms.");
    }

    #[test]
    fn a_consumer_that_could_lose_messages_is_unfit() {
        let fit =
            jetstream::consumer::Config { ack_policy: AckPolicy::Explicit, max_deliver: -1, ..Default::default() };
        assert_eq!(unfit(&fit, None), None);
        let of_none = jetstream::consumer::Config { ack_policy: AckPolicy::None, ..fit.clone() };
        assert!(unfit(&of_none, None).unwrap().contains("explicit"));
        let dropping = jetstream::consumer::Config { max_deliver: 5, ..fit.clone() };
        assert!(unfit(&dropping, None).unwrap().contains("after 5 deliveries"));
        let filtered = jetstream::consumer::Config { filter_subject: "events.a".to_owned(), ..fit };
        assert_eq!(unfit(&filtered, Some("events.a")), None);
        assert!(unfit(&filtered, Some("events.b")).unwrap().contains("not 'events.b'"));
    }
}
