//! `interlock ingest kafka`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use interlock_fault::Fault;
use interlock_settings::Settings;

use super::Common;
use crate::cli::output::Output;

/// `ingest kafka`.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "for builds with Kafka"))]
pub(in crate::cli) struct KafkaCommand {
    /// Brokers to ask first, with commas between them
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    bootstrap_servers: String,
    /// Topic; it must exist
    #[arg(long, value_name = "NAME")]
    topic: String,
    /// Consumer group
    #[arg(long, value_name = "NAME", default_value = "interlock")]
    group: String,
    /// Topic for what cannot be accepted; it must exist
    #[arg(long, value_name = "TOPIC")]
    dead_letter: String,
    /// Name of this process within the group (static membership): if it restarts, it has its partitions again at once
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// After what time without a sign of life the group gives the partitions of this process to others
    #[arg(long, value_name = "DURATION", default_value = "45s", value_parser = humantime::parse_duration)]
    session_timeout: std::time::Duration,
    /// How this client says who it is, if there is a --user
    #[arg(long, value_enum, value_name = "MECHANISM", default_value_t)]
    sasl_mechanism: SaslMechanism,
    #[command(flatten)]
    common: Common,
}

/// As Kafka names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum SaslMechanism {
    /// The password as it is: with TLS only
    Plain,
    /// SCRAM with SHA-256
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// SCRAM with SHA-512
    #[default]
    #[value(name = "scram-sha-512")]
    ScramSha512,
}

#[cfg(feature = "kafka")]
pub(super) async fn run(command: &KafkaCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    use interlock_brokers::kafka::{Kafka, KafkaOptions, Mechanism};
    let common = &command.common;
    let options = KafkaOptions {
        bootstrap_servers: command.bootstrap_servers.clone(),
        topic: command.topic.clone(),
        group: command.group.clone(),
        dead_letter: command.dead_letter.clone(),
        instance: command.instance.clone(),
        session_timeout: command.session_timeout,
        in_flight_max: usize::from(common.in_flight),
        mechanism: match command.sasl_mechanism {
            SaslMechanism::Plain => Mechanism::Plain,
            SaslMechanism::ScramSha256 => Mechanism::ScramSha256,
            SaslMechanism::ScramSha512 => Mechanism::ScramSha512,
        },
        security: super::service::security(common, &settings.broker)?,
    };
    super::service::run("kafka", &Kafka::new(options)?, common, settings, output).await
}

#[cfg(not(feature = "kafka"))]
#[expect(clippy::unused_async, reason = "as with Kafka")]
pub(super) async fn run(_command: &KafkaCommand, _settings: Settings, _output: Output) -> Result<ExitCode, Fault> {
    Err(super::not_built("Kafka", "kafka"))
}
