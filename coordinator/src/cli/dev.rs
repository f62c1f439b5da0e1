//! `interlock dev`: all of Interlock on this machine.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use interlock_adapters::sandbox::Seed;
use interlock_connection::codec::KeyRing;
use interlock_domain::error_code::ErrorCode;
use interlock_embedded_server::EmbeddedServerOptions;
use interlock_fault::Fault;
use interlock_gateway::codec_server::{LoopbackOrigin, start as start_server};
use interlock_http_service::HttpService;
use interlock_settings::{CodecServerSettings, Settings};
use serde::Serialize;

use super::output::Output;
use crate::local::{LocalOptions, LocalPlatform};
use crate::shutdown;

/// `dev`.
#[derive(Debug, Args)]
pub(super) struct DevCommand {
    /// SQLite file for all data [default: in memory, lost at exit]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
}

/// The output once everything is ready.
#[derive(Debug, Serialize)]
struct Ready {
    temporal: String,
    ui: String,
    gateway: String,
    console: String,
    targets: BTreeMap<String, String>,
}

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(command: &DevCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let mut options = LocalOptions::from_settings(settings)?;
    options.gateway = options.settings.gateway.listen;
    let codec_server = codec_server(&options.settings).await?;
    options.server = EmbeddedServerOptions {
        db_file: command.db.clone(),
        ui: true,
        frontend_port: usual_port(TEMPORAL_PORT),
        ui_port: usual_port(TEMPORAL_UI_PORT),
        ui_codec_endpoint: codec_server.as_ref().map(|(server, _)| server.url()),
        ..EmbeddedServerOptions::default()
    };
    let started = Box::pin(LocalPlatform::start(options, &|sentence| tracing::info!("{sentence}")));
    let Some(platform) = ending.run_until_cancelled(started).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut platform = platform?;
    if let (Some((_, origin)), Some(ui)) = (&codec_server, platform.server.ui_url()) {
        // It is set only once, here.
        drop(origin.set(ui));
    }
    seed_sims(&platform)?;
    let ready = Ready {
        temporal: platform.temporal_address(),
        ui: platform.server.ui_url().unwrap_or_default(),
        gateway: platform.gateway_url(),
        console: format!("{}/console", platform.gateway_url()),
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

/// The codec server for the web UI, on a free port; none if there are no keys. The origin of the UI, which is the only one that may
/// call it, is known once the UI runs.
async fn codec_server(settings: &Settings) -> Result<Option<(HttpService, LoopbackOrigin)>, Fault> {
    let ring = KeyRing::from_settings(&settings.codec)?;
    if ring.ids().next().is_none() {
        return Ok(None);
    }
    let of_ui = CodecServerSettings {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        cors_origins: settings.codec.server.cors_origins.clone(),
        tokens: Vec::new(),
    };
    let origin = LoopbackOrigin::default();
    let server = start_server(Arc::new(ring), &of_ui, &settings.http, Arc::clone(&origin)).await?;
    Ok(Some((server, origin)))
}

/// The port of Temporal's own development server.
const TEMPORAL_PORT: u16 = 7233;
/// The port of its web UI.
const TEMPORAL_UI_PORT: u16 = 8233;

/// The usual port, if it is free.
fn usual_port(port: u16) -> Option<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
}

/// The SIMs that the sandbox HSS has from the start: the first one, and how many.
const SIMS: (u64, u64) = (1_010_000_000_001, 10);

/// Adds some SIMs for trying things out to the sandbox HSS, if one replaces a real HSS.
fn seed_sims(platform: &LocalPlatform) -> Result<(), Fault> {
    let Some(hss) = platform.sandboxes.get("hss") else { return Ok(()) };
    let (first, count) = SIMS;
    let seeds: Vec<Seed> =
        (first..first + count).map(|imsi| Seed { imsi: format!("{imsi:015}"), ..Seed::default() }).collect();
    hss.seed(&seeds).map(|_seeded| ()).map_err(|error| {
        Fault::failed(ErrorCode::SandboxNotSeeded, format!("The sandbox HSS rejected the SIMs to seed: {error}."))
    })
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
    line("console", &ready.console);
    for (target, url) in &ready.targets {
        line(target, url);
    }
    let _written = write!(
        text,
        "\nThe sandbox HSS, if you configured no other, has the SIMs 001010000000001 to 001010000000010.\nFor other \
         commands: export TEMPORAL_ADDRESS={}\nPress Ctrl-C to stop everything.",
        ready.temporal
    );
    text
}
