//! `interlock gateway`.

use std::process::ExitCode;

use clap::Args;
use interlock_connection::{ATTEMPT_LIMIT, CallRetries, ConnectionFlags, Installation, Waiting};
use interlock_fault::Fault;
use interlock_observability::metrics::Metrics;
use interlock_settings::Settings;
use serde::Serialize;

use super::output::Output;
use super::settings_flag::SettingsFlag;
use crate::shutdown;

/// `gateway`.
#[derive(Debug, Args)]
pub(super) struct GatewayCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// Address to listen on; port 0 picks a free port [env: INTERLOCK_GATEWAY_LISTEN] [default: 127.0.0.1:8088]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl GatewayCommand {
    /// The flags that set a setting.
    pub(super) fn settings_flags(&self) -> Vec<SettingsFlag> {
        self.listen.iter().map(|listen| ("--listen", "gateway.listen", listen.clone())).collect()
    }
}

/// The output once it listens.
#[derive(Debug, Serialize)]
struct Listening {
    gateway: String,
}

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(command: &GatewayCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let catalog = settings.catalog()?;
    let listen = settings.gateway.listen;
    let metrics = Metrics::start()?;
    let waiting = Waiting::default();
    let listening = interlock_gateway::listen(&settings, &metrics, listen, &waiting).await?;
    let connect = async || {
        let (settings, catalog) = (settings.clone(), catalog.clone());
        let connected =
            Installation::connect(&command.connection, settings, catalog, CallRetries::Brief, ATTEMPT_LIMIT);
        Box::pin(connected).await
    };
    let connected = waiting.until_started(&command.connection, connect);
    let Some(installation) = ending.run_until_cancelled(Box::pin(connected)).await else {
        listening.stop().await;
        return Ok(ExitCode::SUCCESS);
    };
    let gateway = listening.serve(&installation?, &metrics);
    let listening = Listening { gateway: gateway.url() };
    output.line(&listening, |it| format!("gateway listens on {}; its API: {}/openapi.json", it.gateway, it.gateway))?;
    ending.cancelled().await;
    gateway.stop().await;
    Ok(ExitCode::SUCCESS)
}
