//! `interlock demo`.

use std::process::ExitCode;

use clap::Args;

use super::output::Output;
use crate::fault::Fault;
use crate::settings::Settings;
use crate::telemetry::Color;

/// `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoCommand {
    /// Send the same events with the leases off, and see the number being lost
    #[arg(long)]
    without_leases: bool,
}

pub(super) async fn run(
    command: &DemoCommand,
    settings: Settings,
    output: Output,
    color: Color,
) -> Result<ExitCode, Fault> {
    let _ = (command, settings, output, color);
    std::future::ready(()).await;
    Ok(ExitCode::SUCCESS)
}
