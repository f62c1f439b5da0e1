//! `interlock ingest nats`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use interlock_fault::Fault;
use interlock_settings::Settings;

use super::Common;
use crate::cli::output::Output;

/// `ingest nats`.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "nats"), allow(dead_code, reason = "for builds with NATS"))]
pub(in crate::cli) struct NatsCommand {
    /// Servers of NATS, with commas between them
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    url: String,
    /// Stream; it must exist
    #[arg(long, value_name = "NAME")]
    stream: String,
    /// Durable consumer; it is created if it does not exist
    #[arg(long, value_name = "NAME", default_value = "interlock")]
    consumer: String,
    /// Subject of the stream to consume, * and > allowed [default: all of the stream]
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Subject for what cannot be accepted; another stream must store it
    #[arg(long, value_name = "SUBJECT")]
    dead_letter: String,
    /// After what time the server delivers a message again that was not acknowledged: of a consumer that is created
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    ack_wait: std::time::Duration,
    /// File with NATS credentials (JWT and seed)
    #[arg(long, value_name = "FILE")]
    creds: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[cfg(feature = "nats")]
pub(super) async fn run(command: &NatsCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    use interlock_brokers::nats::{Nats, NatsOptions};
    let NatsCommand { url, stream, consumer, subject, dead_letter, ack_wait, creds, common } = command;
    let options = NatsOptions {
        url: url.clone(),
        stream: stream.clone(),
        consumer: consumer.clone(),
        subject: subject.clone(),
        dead_letter: dead_letter.clone(),
        ack_wait: *ack_wait,
        in_flight_max: usize::from(common.in_flight),
        credentials: creds.clone(),
        security: super::service::security(common, &settings.broker)?,
    };
    super::service::run("nats", &Nats::new(options)?, common, settings, output).await
}

#[cfg(not(feature = "nats"))]
#[expect(clippy::unused_async, reason = "as with NATS")]
pub(super) async fn run(_command: &NatsCommand, _settings: Settings, _output: Output) -> Result<ExitCode, Fault> {
    Err(super::not_built("NATS", "nats"))
}
