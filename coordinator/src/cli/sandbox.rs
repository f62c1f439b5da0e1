//! `interlock sandbox hss|crm|sms`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use interlock_adapters::sandbox::{self, SandboxError, SandboxOptions};
use interlock_fault::Fault;
use serde::Serialize;

use super::output::Output;
use crate::shutdown;

/// `sandbox`.
#[derive(Debug, Args)]
pub(super) struct SandboxCommand {
    /// The system to simulate
    #[arg(value_enum)]
    target: SandboxTarget,
    /// Address to listen on; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Host name to accept in addition to its addresses, localhost and names without a dot; repeatable
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Delay before each call is applied, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
}

/// The sandbox targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SandboxTarget {
    /// A home subscriber server with the API of PyHSS
    Hss,
    /// A customer database
    Crm,
    /// An SMS gateway
    Sms,
}

/// The output once it listens.
#[derive(Debug, Serialize)]
struct Listening {
    target: &'static str,
    url: String,
}

/// Runs it until SIGINT or SIGTERM.
pub(super) async fn run(command: &SandboxCommand, output: Output) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let options = SandboxOptions {
        listen: command.listen,
        hosts: command.host.clone(),
        latency: Duration::from_millis(command.latency_ms),
        ..SandboxOptions::default()
    };
    let sandbox = match command.target {
        SandboxTarget::Hss => sandbox::hss(options).await,
        SandboxTarget::Crm => sandbox::crm(options).await,
        SandboxTarget::Sms => sandbox::sms(options).await,
    }
    .map_err(|error| fault(&error))?;
    let listening = Listening { target: sandbox.name(), url: sandbox.base_url() };
    output.line(&listening, |it| {
        format!("sandbox {} listens on {url}; its log: {url}/__sandbox/log", it.target, url = it.url)
    })?;
    ending.cancelled().await;
    sandbox.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

fn fault(error: &SandboxError) -> Fault {
    Fault::failed(error.code(), format!("{error}."))
}
