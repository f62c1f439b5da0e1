//! A pool of SDK workers in one process: one worker for each queue that the process serves, each on its own thread.
//!
//! A [`WorkerPool`] gives the SDK's workers the activities, the tuning and the connection that they need, and drains them. What
//! activities do is in `interlock-activities` and `interlock-operations`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod query_guard;
mod receivers;
mod status;
mod tuning;
mod workload;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;
use interlock_activities::{
    WorkerContext, WorkerFault, WorkerThread, WorkerThreadError, WorkerTuning, entity_worker, jobs_worker,
    provisioning_worker, resource_worker, tenant_ops_worker,
};
use interlock_adapters::{AdapterKind, AdapterRegistry};
use interlock_connection::Installation;
use interlock_domain::callback::CallbackUrls;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TargetId;
use interlock_domain::routing::QueueKind;
use interlock_fault::{Fault, with_causes};
use interlock_observability::metrics::rejections::{self, RejectedAt};
use interlock_observability::metrics::{Metrics, Watch, counts};
use interlock_operations::intake;
use interlock_operations::schedules;
use interlock_operations::sweep::{SweepActivities, Sweeper};
use interlock_operations::targets::{Targets, watch_over};
use interlock_operations::tenants::{Preparation, TenantActivities, keep_shares};
use interlock_settings::CallbackSettings;
use interlock_workflows::Served;
use temporalio_client::{Client, Connection, NamespacedClient as _};
use temporalio_sdk::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use uuid::Uuid;

pub use status::PoolStatus;
pub use tuning::{PoolTuning, QueueTuning};
pub use workload::{ShardRange, Workload};

use query_guard::guarded;
use receivers::{ReceiverWorkers, Receivers};
use status::QueueStatus;

/// Which queues a pool serves, and how.
#[derive(Clone)]
pub struct WorkerPoolOptions {
    /// The kind of work.
    pub workload: Workload,
    /// The targets whose queues it serves; if empty, all that have an adapter.
    pub targets: Vec<TargetId>,
    /// The shards that it serves; if none, all.
    pub shards: Option<ShardRange>,
    /// How targets are reached.
    pub adapters: AdapterRegistry,
    /// Whether plans keep their claims. Turning this off shows the harm that leases prevent; never turn it off in production.
    pub leases: bool,
    /// How many tasks each worker runs at a time.
    pub tuning: PoolTuning,
}

impl WorkerPoolOptions {
    /// Everything, for all targets and shards.
    pub fn everything(adapters: AdapterRegistry) -> Self {
        Self {
            workload: Workload::All,
            targets: Vec::new(),
            shards: None,
            adapters,
            leases: true,
            tuning: PoolTuning::default(),
        }
    }
}

/// One queue, and the workers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct QueueToServe {
    namespace: String,
    task_queue: String,
    by: Served,
    /// The most concurrent calls, for the queue of a target that has such a limit.
    calls_max: Option<usize>,
}

/// Running workers.
pub struct WorkerPool {
    task_queues: Vec<String>,
    status: Arc<PoolStatus>,
    stop: CancellationToken,
    /// Background tasks that watch the first polls and, if this pool serves the jobs queues, the targets.
    watching: Vec<AbortOnDropHandle<()>>,
    running: JoinSet<(String, Result<(), WorkerThreadError>)>,
    /// The workers of receivers that tenants' own subscriptions name.
    of_receivers: TaskTracker,
}

impl WorkerPool {
    /// Starts the workers, and returns when all of them are running.
    ///
    /// # Errors
    /// [`Fault`] `worker_failed`, `worker_gap`, `target_unknown`, `nothing_to_serve`, or that of a shard that does not exist.
    pub async fn start(
        installation: &Installation,
        metrics: &Metrics,
        options: WorkerPoolOptions,
    ) -> Result<Self, Fault> {
        if options.workload.calls_targets() {
            intake::add_adapters(installation, &options.adapters)?;
        }
        let queues = queues(installation, &options)?;
        let context = context(installation, &options, metrics)?;
        begin_counts(installation, metrics, &options)?;
        let status = Arc::new(status(installation, &options, &queues));
        let runtimes = (0..status.workers_max()).map(|number| metrics.runtime(number).map(Arc::new));
        let runtimes = runtimes.collect::<Result<Vec<_>, _>>()?;
        let connections = connections(installation, status.workers_max()).await?;
        let mut pool = Self {
            task_queues: queues.iter().map(|queue| queue.task_queue.clone()).collect(),
            status: Arc::clone(&status),
            stop: CancellationToken::new(),
            watching: Vec::new(),
            running: JoinSet::new(),
            of_receivers: TaskTracker::new(),
        };
        for (queue, stands) in queues.iter().zip(status.queues()) {
            let of_workers = connections.iter().zip(&runtimes).take(stands.workers);
            for (number, (connection, runtime)) in of_workers.enumerate() {
                let client = installation.client_on(connection, &queue.namespace)?;
                let tuning = WorkerTuning { identity: Some(status.worker_identity(number)), ..stands.tuning.clone() };
                let sweeper = Sweeper::new(installation.clone(), metrics.clone(), queue.namespace.clone());
                let thread = start_worker(runtime, client, &context, queue, tuning, sweeper).await?;
                pool.running.spawn(run_until(thread, queue.task_queue.clone(), pool.stop.clone()));
            }
        }
        if let Some(receivers) =
            pool.receivers(installation, metrics, &options, &context, (&runtimes[0], &connections[0]))
        {
            pool.watching.push(AbortOnDropHandle::new(tokio::spawn(receivers.keep())));
        }
        let watched = Arc::clone(&status).watch_first_polls(installation.client.clone());
        pool.watching.push(AbortOnDropHandle::new(tokio::spawn(watched)));
        if options.workload.queue_kinds().contains(&QueueKind::Jobs) {
            let (targets, keeping) = (Targets::new(installation.clone()), schedules::keep(installation.clone()));
            let sharing = keep_shares(installation.clone());
            let metrics = metrics.clone();
            let watching = tokio::spawn(async move {
                let ((), (), ()) = futures_util::future::join3(watch_over(targets, metrics), keeping, sharing).await;
            });
            pool.watching.push(AbortOnDropHandle::new(watching));
        }
        tracing::info!(workload = %options.workload, queues = pool.task_queues.len(), "the workers are running");
        Ok(pool)
    }

    /// Serves the receivers of the subscriptions that tenants made themselves. `None` if that is not the work of this pool: it neither calls
    /// targets nor asks whether they are up, or only those that were named.
    fn receivers(
        &self,
        installation: &Installation,
        metrics: &Metrics,
        options: &WorkerPoolOptions,
        context: &Arc<WorkerContext>,
        (runtime, connection): (&Arc<Runtime>, &Connection),
    ) -> Option<Receivers> {
        let (calls, probes) =
            (options.workload.serves_targets(), options.workload.queue_kinds().contains(&QueueKind::Jobs));
        if !options.targets.is_empty() || !(calls || probes) {
            return None;
        }
        let identity = Some(self.status.worker_identity(0));
        let workers = calls.then(|| ReceiverWorkers {
            runtime: Arc::clone(runtime),
            connection: connection.clone(),
            tuning: WorkerTuning { identity, ..options.tuning.provisioning.worker.clone() },
            sweeper: Sweeper::new(installation.clone(), metrics.clone(), installation.client.namespace()),
            stop: self.stop.clone(),
            running: self.of_receivers.clone(),
        });
        let (installation, context, adapters) = (installation.clone(), Arc::clone(context), options.adapters.clone());
        Some(Receivers { installation, context, adapters, workers })
    }

    /// The queues that are served.
    pub fn task_queues(&self) -> &[String] {
        &self.task_queues
    }

    /// Its status: whether it is ready, and a description. It outlives the pool.
    pub fn status(&self) -> Arc<PoolStatus> {
        Arc::clone(&self.status)
    }

    /// Waits until a worker ends by itself, which it should not, and returns why.
    pub async fn failed(&mut self) -> Fault {
        match self.running.join_next().await {
            Some(Ok((queue, Ok(())))) => worker_fault(&queue, "it ended unexpectedly"),
            Some(Ok((queue, Err(error)))) => worker_fault(&queue, &with_causes(&error)),
            Some(Err(error)) => worker_fault("?", &error.to_string()),
            None => std::future::pending().await,
        }
    }

    /// Accepts no more work, lets running tasks finish within the grace period of the tuning, and returns when all have
    /// ended. A worker that ended with an error is logged.
    pub async fn stop(mut self) {
        self.status.drain();
        self.stop.cancel();
        self.watching.clear();
        self.of_receivers.close();
        self.of_receivers.wait().await;
        while let Some(ended) = self.running.join_next().await {
            match ended {
                Ok((_, Ok(()))) => {}
                Ok((queue, Err(error))) => tracing::error!(queue, %error, "a worker ended with an error"),
                Err(error) => tracing::error!(%error, "a worker ended with an error"),
            }
        }
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        // The background tasks must outlive the pool until the workers have drained.
        self.status.drain();
        self.stop.cancel();
        self.running.detach_all();
    }
}

/// Shows as 0 what these workers may count.
fn begin_counts(installation: &Installation, metrics: &Metrics, options: &WorkerPoolOptions) -> Result<(), Fault> {
    let kinds = options.workload.queue_kinds();
    if kinds.contains(&QueueKind::Entity) {
        rejections::begin(metrics, RejectedAt::Entity);
    }
    // Unordered work ends in jobs workers.
    if kinds.contains(&QueueKind::Entity) || kinds.contains(&QueueKind::Jobs) {
        counts::begin_orders(metrics);
    }
    if kinds.contains(&QueueKind::Jobs) {
        counts::begin_sweeps(metrics, &installation.catalog);
    }
    if options.workload.serves_targets() {
        targets(installation, options)?.iter().for_each(|target| counts::begin_target(metrics, target));
    }
    Ok(())
}

/// Runs a worker until it ends, or until the pool is stopped.
async fn run_until(
    mut thread: WorkerThread,
    queue: String,
    stop: CancellationToken,
) -> (String, Result<(), WorkerThreadError>) {
    tokio::select! {
        ended = thread.ended() => return (queue, ended),
        () = stop.cancelled() => thread.stop(),
    }
    let ended = thread.ended().await;
    (queue, ended)
}

fn context(
    installation: &Installation,
    options: &WorkerPoolOptions,
    metrics: &Metrics,
) -> Result<Arc<WorkerContext>, Fault> {
    let mut proving = installation.settings.proving_targets();
    proving.extend(options.adapters.targets());
    let context = WorkerContext::new(
        installation.entities.clone(),
        Targets::new(installation.clone()).client().clone(),
        Arc::clone(&installation.catalog),
        options.adapters.clone(),
        installation.settings.limits,
        proving,
    );
    let callbacks = callback_urls(installation.settings.callbacks.as_ref(), options.workload)?;
    let context = context
        .with_callbacks(callbacks)
        .watched_by(Arc::new(Watch::new(metrics.clone(), Arc::clone(&installation.routing))));
    Ok(Arc::new(if options.leases { context } else { context.without_leases() }))
}

/// The URLs for call backs. Only workers that call targets need them, and have the keys.
fn callback_urls(settings: Option<&CallbackSettings>, workload: Workload) -> Result<Option<CallbackUrls>, Fault> {
    settings.filter(|_| workload.serves_targets()).map(CallbackSettings::urls).transpose()
}

async fn start_worker(
    runtime: &Arc<Runtime>,
    client: Client,
    context: &Arc<WorkerContext>,
    queue: &QueueToServe,
    tuning: WorkerTuning,
    sweeper: Sweeper,
) -> Result<WorkerThread, Fault> {
    let (runtime, context) = (Arc::clone(runtime), Arc::clone(context));
    let (task_queue, by) = (queue.task_queue.clone(), queue.by);
    WorkerThread::start(&queue.task_queue, move || match by {
        Served::Customers => entity_worker(&runtime, client, &context, &task_queue, &tuning),
        Served::Resources => resource_worker(&runtime, client, &context, &task_queue, &tuning),
        Served::Jobs => jobs_worker(&runtime, client, &context, &task_queue, &tuning, SweepActivities(sweeper)),
        Served::TenantOps => {
            let upkeep = TenantActivities(Preparation::new(sweeper.installation(), context.adapters.clone()));
            tenant_ops_worker(&runtime, client, &context, &task_queue, &tuning, upkeep)
        }
        Served::Target => provisioning_worker(&runtime, client, &context, &task_queue, &tuning),
    })
    .await
    .map_err(|error| not_started(&queue.task_queue, &error))
}

fn not_started(queue: &str, error: &WorkerThreadError) -> Fault {
    match error {
        WorkerThreadError::Made(WorkerFault::Gap(missing)) => Fault::failed(
            ErrorCode::WorkerGap,
            format!("The worker of the queue {queue} does not have {} registered.", missing.join(", ")),
        ),
        other => worker_fault(queue, &with_causes(other)),
    }
}

/// The status of the queues to serve, with the number of workers.
fn status(installation: &Installation, options: &WorkerPoolOptions, queues: &[QueueToServe]) -> PoolStatus {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let stands = queues.iter().map(|queue| {
        let of = match queue.by {
            Served::Customers => &options.tuning.entity,
            Served::Resources => &options.tuning.resource,
            Served::Jobs | Served::TenantOps => &options.tuning.jobs,
            Served::Target => &options.tuning.provisioning,
        };
        let mut tuning = of.worker.clone();
        tuning.calls_max = queue.calls_max.unwrap_or(tuning.calls_max).max(1);
        let of_its_kind = queues.iter().filter(|other| other.by == queue.by).count();
        QueueStatus {
            namespace: queue.namespace.clone(),
            task_queue: queue.task_queue.clone(),
            served: queue.by,
            workers: of.workers(of_its_kind, cores),
            tuning,
            polled: false.into(),
        }
    });
    // Different from every earlier pool, even one in the same process or container: the server remembers who polled.
    let identity = format!("{}/{:08x}", installation.client.identity(), Uuid::new_v4().as_fields().0);
    PoolStatus::new(options.workload, installation.catalog.digest(), identity, stands.collect())
}

/// This many connections: the SDK allows one worker for a queue on each.
async fn connections(installation: &Installation, count: usize) -> Result<Vec<Connection>, Fault> {
    let mut beneath = vec![installation.client.connection().clone()];
    while beneath.len() < count {
        beneath.push(installation.another_connection().await?);
    }
    let options = installation.connection_options()?;
    try_join_all(beneath.into_iter().map(|connection| guarded(connection, &options))).await
}

/// The queues to serve, in each namespace of the installation.
fn queues(installation: &Installation, options: &WorkerPoolOptions) -> Result<Vec<QueueToServe>, Fault> {
    let routing = &installation.routing;
    let count = routing.served_shards();
    let shards = match options.shards {
        Some(range) => range.shards(count)?,
        None => count.shards().collect(),
    };
    let mut named: Vec<(String, Served, Option<usize>)> = Vec::new();
    for kind in options.workload.queue_kinds() {
        let by = match kind {
            QueueKind::Entity => Served::Customers,
            QueueKind::Resource => Served::Resources,
            QueueKind::Jobs => Served::Jobs,
            QueueKind::TenantOps => Served::TenantOps,
        };
        named.extend(routing.queues(*kind, shards.iter().copied()).into_iter().map(|queue| (queue, by, None)));
    }
    if options.workload.serves_targets() {
        let targets = targets(installation, options)?;
        let settings = &installation.settings.targets;
        named.extend(targets.iter().map(|target| {
            let calls_max = settings.get(target).and_then(|settings| settings.concurrency);
            (routing.provisioning_queue(target), Served::Target, calls_max)
        }));
    }
    if named.is_empty() {
        return Err(Fault::wrong_use(
            ErrorCode::NothingToServe,
            "No target is configured with one of Interlock's adapters, so there is nothing to call.",
        ));
    }
    let in_namespace = |namespace: String| {
        let queue = |(task_queue, by, calls_max): &(String, Served, Option<usize>)| QueueToServe {
            namespace: namespace.clone(),
            task_queue: task_queue.clone(),
            by: *by,
            calls_max: *calls_max,
        };
        named.iter().map(queue).collect::<Vec<_>>()
    };
    Ok(installation.namespaces().into_iter().flat_map(in_namespace).collect())
}

/// The targets to serve: those that are named, each of which must have an adapter, or all.
fn targets(installation: &Installation, options: &WorkerPoolOptions) -> Result<BTreeSet<TargetId>, Fault> {
    for target in &options.targets {
        let settings = installation.settings.targets.get(target);
        if settings.is_some_and(|settings| settings.adapter == AdapterKind::External) {
            return Err(Fault::wrong_use(
                ErrorCode::TargetExternal,
                format!("The target '{target}' is external: its queue is served by a separate program."),
            ));
        }
        options
            .adapters
            .get(target)
            .map_err(|error| Fault::wrong_use(error.code(), format!("No target '{target}' is configured.")))?;
    }
    let named = options.targets.iter();
    Ok(if options.targets.is_empty() {
        options.adapters.targets().into_iter().collect()
    } else {
        named.cloned().collect()
    })
}

fn worker_fault(queue: &str, reason: &str) -> Fault {
    Fault::failed(ErrorCode::WorkerFailed, format!("The worker of the queue {queue} failed: {reason}."))
}

#[cfg(test)]
mod tests {
    use interlock_adapters::Secret;
    use interlock_adapters::secret::InFile;

    use super::*;

    #[test]
    fn only_workers_that_call_targets_need_the_keys_of_call_backs() {
        let missing = Secret::File(InFile { file: "/nowhere/callbacks".into() });
        let settings = CallbackSettings { url: "https://interlock.example".parse().unwrap(), keys: vec![missing] };
        for workload in [Workload::Entity, Workload::Resource, Workload::Jobs] {
            assert_eq!(callback_urls(Some(&settings), workload).unwrap(), None, "{workload}");
        }
        for workload in [Workload::Provisioning, Workload::All] {
            let fault = callback_urls(Some(&settings), workload).unwrap_err();
            assert_eq!(fault.code, "callback_key_invalid", "{workload}");
            assert_eq!(callback_urls(None, workload).unwrap(), None, "{workload}");
        }
    }
}
