//! `interlock dev`: all of Interlock on this machine.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::output::Output;
use crate::fault::Fault;
use crate::local::{LocalOptions, LocalPlatform};
use crate::settings::Settings;
use crate::shutdown;
use crate::temporal_server::EmbeddedServerOptions;

/// `dev`.
#[derive(Debug, Args)]
pub(super) struct DevCommand {
    /// SQLite file that holds everything [default: memory, lost at the end]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
}

/// What is printed once all is ready.
#[derive(Debug, Serialize)]
struct Ready {
    temporal: String,
    ui: String,
    gateway: String,
    targets: BTreeMap<String, String>,
}

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(command: &DevCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let mut options = LocalOptions::from_settings(settings)?;
    options.gateway = options.settings.gateway.listen;
    options.server =
        EmbeddedServerOptions { db_file: command.db.clone(), ui: true, ..EmbeddedServerOptions::default() };
    let started = Box::pin(LocalPlatform::start(options, &|sentence| tracing::info!("{sentence}")));
    let Some(platform) = ending.run_until_cancelled(started).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut platform = platform?;
    let ready = Ready {
        temporal: platform.temporal_address(),
        ui: platform.server.ui_url().unwrap_or_default(),
        gateway: platform.gateway_url(),
        targets: platform.target_urls(),
    };
    output.line(&ready, text)?;
    let fault = tokio::select! {
        () = ending.cancelled() => None,
        fault = platform.failed() => Some(fault),
    };
    platform.stop().await?;
    fault.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn text(ready: &Ready) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{name:<10}{value}");
    };
    line("temporal", &ready.temporal);
    line("ui", &ready.ui);
    line("gateway", &ready.gateway);
    for (target, url) in &ready.targets {
        line(target, url);
    }
    let _written = write!(
        text,
        "\nFor other commands: export TEMPORAL_ADDRESS={} INTERLOCK_QUEUE_SHARDS=1\nCtrl-C ends it all.",
        ready.temporal
    );
    text
}
