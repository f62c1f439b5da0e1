//! `interlock worker`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Args;
use interlock_adapters::AdapterRegistry;
use interlock_connection::deployment::deployment_from_environment;
use interlock_connection::{ATTEMPT_LIMIT, CallRetries, ConnectionFlags, Installation, Waiting};
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::TargetId;
use interlock_fault::Fault;
use interlock_http_service::{HttpOptions, HttpService};
use interlock_observability::health::{self, About, Readiness};
use interlock_observability::metrics::Metrics;
use interlock_operations::bootstrap::{BootstrapOptions, bootstrap};
use interlock_settings::Settings;
use interlock_worker_pools::{PoolStatus, PoolTuning, ShardRange, WorkerPool, WorkerPoolOptions, Workload};
use serde::Serialize;
use serde_json::json;

use super::output::Output;
use crate::shutdown;

/// `worker`.
#[derive(Debug, Args)]
pub(super) struct WorkerCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// Work of this process
    #[arg(long, value_enum, default_value_t)]
    workload: Workload,
    /// Targets that this process calls [default: all configured targets]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    targets: Vec<TargetId>,
    /// Shards that this process serves, FIRST-LAST [default: all]
    #[arg(long, value_name = "RANGE")]
    shards: Option<ShardRange>,
    /// First do what `interlock bootstrap` does; several processes may do so at a time
    #[arg(long)]
    bootstrap: bool,
    /// Address of /healthz, /readyz and /metrics; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
}

/// The output once the workers are running.
#[derive(Debug, Serialize)]
struct Running {
    workload: &'static str,
    listen: String,
    task_queues: Vec<String>,
}

/// The status of the pool, once there is one.
type PoolOnceStarted = Arc<OnceLock<Arc<PoolStatus>>>;

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(command: &WorkerCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let catalog = settings.catalog()?;
    // A process that calls no targets needs neither their addresses nor their secrets.
    let adapters = if command.workload.calls_targets() { settings.adapters()? } else { AdapterRegistry::default() };
    let metrics = Metrics::start()?;
    let deployment = deployment_from_environment()?;
    let tuning = PoolTuning::new(&settings.workers, deployment.as_ref());
    let (started, waiting) = (PoolOnceStarted::default(), Waiting::default());
    let calls =
        health::router(about(&started, &waiting, command.workload), readiness(&started, &waiting), metrics.clone());
    let health =
        HttpService::start(command.listen, calls, HttpOptions::of_health(&settings.http, command.listen)).await?;
    let options = WorkerPoolOptions {
        workload: command.workload,
        targets: command.targets.clone(),
        shards: command.shards,
        adapters,
        leases: true,
        tuning,
    };
    // The server may go away again before all workers are connected.
    let start = async || {
        if command.bootstrap {
            prepare(&command.connection, &settings, &catalog).await?;
        }
        let (settings, catalog) = (settings.clone(), catalog.clone());
        let connected = Installation::connect(&command.connection, settings, catalog, CallRetries::Sdk, ATTEMPT_LIMIT);
        WorkerPool::start(&Box::pin(connected).await?, &metrics, options.clone()).await
    };
    let pool = waiting.until_started(&command.connection, start);
    let Some(pool) = ending.run_until_cancelled(Box::pin(pool)).await else {
        health.stop().await;
        return Ok(ExitCode::SUCCESS);
    };
    let mut pool = pool?;
    let pool_status = started.get_or_init(|| pool.status());
    tracing::debug!(about = %pool_status.about(), "the worker pool is running");
    let said =
        Running { workload: command.workload.as_str(), listen: health.url(), task_queues: pool.task_queues().to_vec() };
    output.line(&said, |it| {
        format!("workers for {} serve {} queues; metrics at {}/metrics", it.workload, it.task_queues.len(), it.listen)
    })?;
    let fault = tokio::select! {
        () = ending.cancelled() => None,
        fault = pool.failed() => Some(fault),
    };
    pool.stop().await;
    health.stop().await;
    fault.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Does what `interlock bootstrap` does. What Temporal refuses is logged and does not keep the workers from starting, unless it is the
/// record: without it, they wait, and this is done again.
async fn prepare(connection: &ConnectionFlags, settings: &Settings, catalog: &Catalog) -> Result<(), Fault> {
    // A change of the count of shards continues when `interlock bootstrap` is run again: the workers are needed for it.
    let options = BootstrapOptions { wait: Duration::ZERO, ..BootstrapOptions::default() };
    let report = bootstrap(connection, settings, catalog, &options).await?;
    for deed in report.not_done() {
        tracing::warn!("the bootstrap is not complete: {}", deed.words());
    }
    Ok(())
}

fn readiness(started: &PoolOnceStarted, waiting: &Waiting) -> Readiness {
    let (started, waiting) = (Arc::clone(started), waiting.clone());
    Arc::new(move || {
        let not_running = || Err(format!("the workers are not running yet: {}", waiting.reason()));
        let ready = started.get().map_or_else(not_running, |pool| pool.ready());
        Box::pin(std::future::ready(ready))
    })
}

fn about(started: &PoolOnceStarted, waiting: &Waiting, workload: Workload) -> About {
    let (started, waiting) = (Arc::clone(started), waiting.clone());
    let starting = move || {
        json!({
            "service": "worker",
            "version": env!("CARGO_PKG_VERSION"),
            "workload": workload.as_str(),
            "state": "starting",
            "waits_for": waiting.reason(),
        })
    };
    Arc::new(move || started.get().map_or_else(&starting, |pool| pool.about()))
}
