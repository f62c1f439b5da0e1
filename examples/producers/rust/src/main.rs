//! A producer of Interlock: sends CloudEvents by signal-with-start, with `interlock-client` on Temporal's own client.
//!
//! Exit code 0: all events are accepted; 1: not all, or it is not known, and sending them again is safe; 2: wrong usage.

mod send;
mod vectors;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use interlock_domain::event::{ACCEPTED_AT_ATTRIBUTE, EVENT_BYTES_MAX, Event, stamp};
use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::routing::{Routing, RoutingError, RoutingSettings, TenantPlan, TenantSettings};
use serde_json::Value;
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{ClientOptions, ConnectionOptions};
use url::Url;

use crate::send::{Producer, order_ids};

/// A producer of Interlock: sends CloudEvents with Temporal's own client, by signal-with-start.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send one event, or one on each line; prints the ids of their orders.
    Send(SendArguments),
    /// Compare the id functions with Interlock's golden vectors.
    Vectors {
        /// coordinator/domain/vectors.json
        file: PathBuf,
    },
}

#[derive(Args)]
struct SendArguments {
    /// host:port [default: `TEMPORAL_ADDRESS`, else 127.0.0.1:7233]
    #[arg(long)]
    address: Option<String>,
    /// [default: `TEMPORAL_NAMESPACE`, else default]
    #[arg(long)]
    namespace: Option<String>,
    #[arg(long, default_value_t)]
    tenant: TenantId,
    /// The tenant's plan: free, pro or enterprise.
    #[arg(long, default_value = "free", value_parser = plan)]
    plan: TenantPlan,
    /// Shards of the installation; 1 in dev.
    #[arg(long, default_value_t = 16)]
    shards: u64,
    /// Shards that the tenant is spread over.
    #[arg(long, default_value_t = 1)]
    spread: u64,
    /// First part of the task queues.
    #[arg(long, default_value = "interlock")]
    prefix: String,
    /// Seconds, for each event.
    #[arg(long, default_value_t = 30.0)]
    retry_for: f64,
    /// A file, or - for stdin.
    file: PathBuf,
}

fn plan(name: &str) -> Result<TenantPlan, serde_json::Error> {
    serde_json::from_value(name.into())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Cli::parse().command {
        Command::Send(arguments) => arguments,
        Command::Vectors { file } => return vectors::check(&file),
    };
    let prepared = read_events(&arguments.file).and_then(|events| Ok((events, connection(&arguments)?)));
    let (events, (connection, client)) = match prepared {
        Ok(prepared) => prepared,
        Err(wrong) => {
            eprintln!("{wrong} Nothing was sent.");
            return ExitCode::from(2);
        }
    };
    let routing = match routing(&arguments, &client.namespace) {
        Ok(routing) => routing,
        Err(wrong) => {
            eprintln!("{wrong} Nothing was sent.");
            return ExitCode::from(2);
        }
    };
    let retry_for = Duration::try_from_secs_f64(arguments.retry_for).unwrap_or_default();
    let mut producer = Producer::new(connection, client, routing, arguments.tenant, retry_for);
    for (index, (event, value)) in events.iter().enumerate() {
        if let Err(error) = producer.send(event, value).await {
            let (number, again) = (index + 1, "sending the same events again is safe");
            eprintln!("event {number} (id {:?}, source {:?}): {error}; {again}", event.id, event.source);
            return ExitCode::FAILURE;
        }
        for order in order_ids(&producer.tenant, event) {
            println!("{order}");
        }
    }
    ExitCode::SUCCESS
}

/// One event, which may take several lines, or one on each line.
fn read_events(file: &Path) -> Result<Vec<(Event, Value)>, String> {
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text),
        _ => std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|fault| format!("{}: {fault}.", file.display()))?;
    if let Ok(value) = serde_json::from_str(&text) {
        return Ok(vec![checked(value).map_err(|wrong| format!("event 1: {wrong}"))?]);
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let each = lines.map(|(index, line)| {
        let value = serde_json::from_str(line).map_err(|fault| format!("line {} is not JSON: {fault}.", index + 1))?;
        checked(value).map_err(|wrong| format!("event on line {}: {wrong}", index + 1))
    });
    each.collect()
}

/// The event as Interlock reads it, and as it is sent: with the time at which this producer took it, which is the same in every attempt.
fn checked(mut value: Value) -> Result<(Event, Value), String> {
    if value.get(ACCEPTED_AT_ATTRIBUTE).is_none() {
        stamp(&mut value, Timestamp(chrono::Utc::now().timestamp_millis()), EVENT_BYTES_MAX);
    }
    let event = Event::from_value(&value, EVENT_BYTES_MAX).map_err(|rejection| rejection.detail)?;
    Ok((event, value))
}

/// Address, namespace, TLS and API key: from `TEMPORAL_*` and `temporal.toml`, as in Temporal's own CLI.
fn connection(arguments: &SendArguments) -> Result<(ConnectionOptions, ClientOptions), String> {
    let options = LoadClientConfigProfileOptions::default();
    let loaded = ClientOptions::load_from_config(options).map_err(|fault| format!("{fault}."))?;
    let (mut connection, mut client) = loaded;
    if let Some(address) = &arguments.address {
        connection.target = Url::parse(&format!("http://{address}")).map_err(|fault| format!("{address}: {fault}."))?;
    }
    if let Some(namespace) = &arguments.namespace {
        client.namespace.clone_from(namespace);
    }
    Ok((connection, client))
}

/// As in the `interlock.toml` of the workers: queue prefix, shards, and the tenant's own settings.
fn routing(arguments: &SendArguments, namespace: &str) -> Result<Routing, RoutingError> {
    let tenant =
        TenantSettings { plan: arguments.plan, spread: arguments.spread.try_into()?, ..TenantSettings::default() };
    Routing::new(RoutingSettings {
        prefix: arguments.prefix.parse()?,
        namespace: namespace.to_owned(),
        shard_count: arguments.shards.try_into()?,
        tenants: [(arguments.tenant.clone(), tenant)].into(),
        ..RoutingSettings::default()
    })
}
