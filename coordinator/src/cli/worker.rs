//! `interlock worker`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use interlock_activities::WorkerTuning;
use interlock_domain::ids::TargetId;
use serde::Serialize;

use super::output::Output;
use crate::connection::{ConnectionFlags, STARTUP_LIMIT};
use crate::fault::Fault;
use crate::health::{self, Readiness};
use crate::http_service::HttpService;
use crate::installation::{Installation, Patience};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::shutdown;
use crate::worker_pool::{ShardRange, WorkerPool, WorkerPoolOptions, Workload, deployment_from_environment};

/// `worker`.
#[derive(Debug, Args)]
pub(super) struct WorkerCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// What this process does
    #[arg(long, value_enum, default_value_t)]
    workload: Workload,
    /// The targets whose calls it makes [default: all that are configured]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    targets: Vec<TargetId>,
    /// The shards that it serves, FIRST-LAST [default: all]
    #[arg(long, value_name = "RANGE")]
    shards: Option<ShardRange>,
    /// Where /healthz, /readyz and /metrics are; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
}

/// What is printed once the workers run.
#[derive(Debug, Serialize)]
struct Running {
    workload: &'static str,
    listen: String,
    task_queues: Vec<String>,
}

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(command: &WorkerCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let catalog = settings.catalog()?;
    let adapters = settings.adapters()?;
    let metrics = Metrics::start()?;
    let running = Arc::new(AtomicBool::new(false));
    let health = HttpService::start(command.listen, health::router(readiness(&running), metrics.clone())).await?;
    let connected = Installation::connect(&command.connection, settings, catalog, Patience::Sdk, STARTUP_LIMIT);
    let Some(installation) = ending.run_until_cancelled(Box::pin(connected)).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let options = WorkerPoolOptions {
        workload: command.workload,
        targets: command.targets.clone(),
        shards: command.shards,
        adapters,
        leases: true,
        tuning: WorkerTuning { deployment: deployment_from_environment(), ..WorkerTuning::default() },
    };
    let mut pool = WorkerPool::start(&installation?, &metrics, options).await?;
    running.store(true, Ordering::Relaxed);
    let said =
        Running { workload: command.workload.as_str(), listen: health.url(), task_queues: pool.task_queues().to_vec() };
    output.line(&said, |it| {
        format!("workers for {} serve {} queues; metrics at {}/metrics", it.workload, it.task_queues.len(), it.listen)
    })?;
    let fault = tokio::select! {
        () = ending.cancelled() => None,
        fault = pool.failed() => Some(fault),
    };
    running.store(false, Ordering::Relaxed);
    pool.stop().await;
    health.stop().await;
    fault.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn readiness(running: &Arc<AtomicBool>) -> Readiness {
    let running = Arc::clone(running);
    Arc::new(move || {
        let is_running = running.load(Ordering::Relaxed);
        Box::pin(async move { is_running.then_some(()).ok_or_else(|| "the workers do not run".to_owned()) })
    })
}
