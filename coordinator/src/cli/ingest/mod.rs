//! `interlock ingest`: takes events from a broker.

mod kafka;
mod nats;
#[cfg(any(feature = "kafka", feature = "nats"))]
mod service;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use interlock_connection::ConnectionFlags;
use interlock_fault::Fault;
use interlock_settings::Settings;

use self::kafka::KafkaCommand;
use self::nats::NatsCommand;
use super::output::Output;

/// How many messages a process holds unless told otherwise; as the crate of the brokers has it, which is not always there.
const IN_FLIGHT_DEFAULT: &str = "256";
/// The most messages that a process may hold.
const IN_FLIGHT_MAX: i64 = 10_000;

/// `ingest`.
#[derive(Debug, Subcommand)]
pub(super) enum IngestCommand {
    /// From a stream of NATS JetStream, by a durable pull consumer
    Nats(Box<NatsCommand>),
    /// From a topic of Kafka, in a consumer group
    Kafka(Box<KafkaCommand>),
}

/// What is the same for each broker.
#[derive(Debug, Args)]
#[cfg_attr(not(any(feature = "kafka", feature = "nats")), allow(dead_code, reason = "for builds with a broker"))]
struct Common {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// User, whose password is in INTERLOCK_BROKER_PASSWORD or in [broker] of the settings
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Use TLS, also if nothing else about it is set
    #[arg(long)]
    broker_tls: bool,
    /// Certificate authorities of the broker, in PEM [default: public ones]
    #[arg(long, value_name = "FILE")]
    broker_ca: Option<PathBuf>,
    /// Certificate of this client, in PEM
    #[arg(long, value_name = "FILE", requires = "broker_key")]
    broker_cert: Option<PathBuf>,
    /// Key of this certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "broker_cert")]
    broker_key: Option<PathBuf>,
    /// How many messages this process holds at most; when it holds as many, it fetches no more
    #[arg(long, value_name = "N", default_value = IN_FLIGHT_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=IN_FLIGHT_MAX))]
    in_flight: u16,
    /// Address of /healthz, /readyz and /metrics; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9091")]
    listen: SocketAddr,
}

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(command: &IngestCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    match command {
        IngestCommand::Nats(command) => nats::run(command, settings, output).await,
        IngestCommand::Kafka(command) => kafka::run(command, settings, output).await,
    }
}

/// The command exists, but the broker's client was not built.
#[cfg(not(all(feature = "kafka", feature = "nats")))]
fn not_built(broker: &str, feature: &str) -> Fault {
    use interlock_domain::error_code::ErrorCode;
    let message =
        format!("This program was built without the feature '{feature}', so it cannot consume from {broker}.");
    let next = format!("Build it with the feature: 'cargo build --release --features {feature}'.");
    Fault::wrong_use(ErrorCode::BrokerNotBuilt, message).with_next(next)
}
