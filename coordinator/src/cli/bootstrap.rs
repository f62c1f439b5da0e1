//! `interlock bootstrap`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use interlock_connection::ConnectionFlags;
use interlock_domain::routing::{RoutingError, ShardCount};
use interlock_fault::Fault;
use interlock_operations::bootstrap::{BootstrapOptions, BootstrapReport, RETENTION_DEFAULT, bootstrap};
use interlock_settings::Settings;

use super::output::Output;

/// The seconds of a day.
const DAY_S: u64 = 24 * 60 * 60;

/// `bootstrap`.
#[derive(Debug, Args)]
pub(super) struct BootstrapCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// New number of queue shards [default: the recorded number, else INTERLOCK_QUEUE_SHARDS, else 16]
    #[arg(long, value_name = "COUNT", value_parser = shard_count)]
    shards: Option<ShardCount>,
    /// Days for which new namespaces keep the histories of closed workflows
    #[arg(long, value_name = "DAYS", default_value_t = RETENTION_DEFAULT.as_secs() / DAY_S)]
    retention_days: u64,
    /// Seconds to wait for entities to move while the number of shards changes
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Only report what exists and what would be done
    #[arg(long)]
    dry_run: bool,
}

fn shard_count(text: &str) -> Result<ShardCount, String> {
    let number: u64 = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
    number.try_into().map_err(|error: RoutingError| error.to_string())
}

/// Exit code 0 if everything exists (or would), 1 if something could not be done.
pub(super) async fn run(command: &BootstrapCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let catalog = settings.catalog()?;
    let options = BootstrapOptions {
        shards: command.shards,
        retention: Duration::from_secs(command.retention_days.saturating_mul(DAY_S)),
        wait: Duration::from_secs(command.wait),
        dry_run: command.dry_run,
        ..BootstrapOptions::default()
    };
    let report = bootstrap(&command.connection, &settings, &catalog, &options).await?;
    output.one(&report, BootstrapReport::words)?;
    Ok(ExitCode::from(u8::from(!report.is_complete())))
}
