//! The workers: one for customer entities, one for resource entities, one for each target.
//!
//! They are separate workers on separate queues, even in one process. A customer's workflow task holds its slot while its local
//! activity waits for a resource's answer, and it must never wait for a slot that it occupies itself.

use std::sync::Arc;
use std::time::Duration;

use interlock_workflows::{
    ActionLogEntity, CustomerEntity, ResourceEntity, ResourceImport, ResourceImportPart, Served, Sweep, TargetEntity,
    TenantEntity, watch_on_this_thread,
};
use temporalio_client::Client;
use temporalio_sdk::activities::ActivityImplementer;
use temporalio_sdk::{Runtime, Worker, WorkerCreateError, WorkerOptions, WorkflowRegistrationError};
use thiserror::Error;

use crate::import_activities::ImportsLeases;
use crate::local_activities::CarriedOut;
use crate::recorded_activities::CarriedOutRecorded;
use crate::registered::missing;
use crate::target_activities::AtTargets;
use crate::upkeep_activities::UpkeepOfTargets;
use crate::worker_context::WorkerContext;
use crate::worker_tuning::WorkerTuning;

/// The longest time for which the SDK may delay a heartbeat.
const HEARTBEAT_HELD_BACK_MAX: Duration = Duration::from_secs(5);

/// Why a worker could not be created.
#[derive(Debug, Error)]
pub enum WorkerFault {
    /// A workflow could not be registered.
    #[error(transparent)]
    Registration(#[from] WorkflowRegistrationError),
    /// The worker would serve a queue that has types which it has not registered.
    #[error("it does not have {} registered", .0.join(", "))]
    Gap(Vec<String>),
    /// The SDK rejected its options.
    #[error(transparent)]
    Create(#[from] WorkerCreateError),
}

/// A worker for the customer entities of one queue. `client` must belong to the namespace of the queue.
///
/// # Errors
/// [`WorkerFault`].
pub fn entity_worker(
    runtime: &Runtime,
    client: Client,
    context: &Arc<WorkerContext>,
    task_queue: &str,
    tuning: &WorkerTuning,
) -> Result<Worker, WorkerFault> {
    let options = watched(task_queue, tuning, context)
        .register_workflow::<CustomerEntity>()?
        .register_activities(CarriedOut(Arc::clone(context)))
        .register_activities(CarriedOutRecorded(Arc::clone(context)))
        .build();
    worker(runtime, client, options, tuning, Served::Customers)
}

/// A worker for the resource entities of one queue. `client` must belong to the namespace of the queue.
///
/// # Errors
/// [`WorkerFault`].
pub fn resource_worker(
    runtime: &Runtime,
    client: Client,
    context: &Arc<WorkerContext>,
    task_queue: &str,
    tuning: &WorkerTuning,
) -> Result<Worker, WorkerFault> {
    let options = watched(task_queue, tuning, context)
        .register_workflow::<ResourceEntity>()?
        .register_activities(CarriedOut(Arc::clone(context)))
        .register_activities(CarriedOutRecorded(Arc::clone(context)))
        .build();
    worker(runtime, client, options, tuning, Served::Resources)
}

/// A worker for the target entities of one jobs queue, for sweeps, and for the unordered work that producers put there. `client` must
/// belong to the namespace of the queue; `sweeping` implements [`interlock_workflows::Sweeping`] for it.
///
/// # Errors
/// [`WorkerFault`].
pub fn jobs_worker(
    runtime: &Runtime,
    client: Client,
    context: &Arc<WorkerContext>,
    task_queue: &str,
    tuning: &WorkerTuning,
    sweeping: impl ActivityImplementer,
) -> Result<Worker, WorkerFault> {
    let options = watched(task_queue, tuning, context)
        .register_workflow::<TargetEntity>()?
        .register_workflow::<Sweep>()?
        .register_activities(AtTargets(Arc::clone(context)))
        .register_activities(UpkeepOfTargets(Arc::clone(context)))
        .register_activities(sweeping)
        .build();
    worker(runtime, client, options, tuning, Served::Jobs)
}

/// A worker for the upkeep of tenants: their own workflows, and imports of leases. `client` must belong to the namespace of the queue;
/// `upkeep` implements [`interlock_workflows::TenantUpkeep`].
///
/// # Errors
/// [`WorkerFault`].
pub fn tenant_ops_worker(
    runtime: &Runtime,
    client: Client,
    context: &Arc<WorkerContext>,
    task_queue: &str,
    tuning: &WorkerTuning,
    upkeep: impl ActivityImplementer,
) -> Result<Worker, WorkerFault> {
    let options = watched(task_queue, tuning, context)
        .register_workflow::<TenantEntity>()?
        .register_workflow::<ActionLogEntity>()?
        .register_activities(upkeep)
        .register_workflow::<ResourceImport>()?
        .register_workflow::<ResourceImportPart>()?
        .register_activities(ImportsLeases(Arc::clone(context)))
        .build();
    worker(runtime, client, options, tuning, Served::TenantOps)
}

/// A worker for the calls to one target. `client` must belong to the namespace of the queue.
///
/// # Errors
/// [`WorkerFault`].
pub fn provisioning_worker(
    runtime: &Runtime,
    client: Client,
    context: &Arc<WorkerContext>,
    task_queue: &str,
    tuning: &WorkerTuning,
) -> Result<Worker, WorkerFault> {
    let options = options(task_queue, tuning).register_activities(AtTargets(Arc::clone(context))).build();
    worker(runtime, client, options, tuning, Served::Target)
}

/// The options of a worker that runs entities. The observer receives what their machines observe. Call this on the thread that the
/// worker runs on. (An interceptor of the SDK could also pass the observer. With one registered, a history could once not be replayed,
/// and the cause was never found.)
fn watched(
    task_queue: &str,
    tuning: &WorkerTuning,
    context: &Arc<WorkerContext>,
) -> temporalio_sdk::WorkerOptionsBuilder<impl temporalio_sdk::worker_options_builder::State> {
    watch_on_this_thread(Arc::clone(&context.observer));
    options(task_queue, tuning)
}

fn options(
    task_queue: &str,
    tuning: &WorkerTuning,
) -> temporalio_sdk::WorkerOptionsBuilder<impl temporalio_sdk::worker_options_builder::State> {
    WorkerOptions::new(task_queue)
        .max_cached_workflows(tuning.cached_entities_max.max(1))
        .tuner(tuning.tuner())
        .workflow_task_poller_behavior(tuning.poller_behavior())
        .activity_task_poller_behavior(tuning.poller_behavior())
        .max_eager_activity_reservations_per_workflow_task(0)
        // A cancellation arrives in the answer to a heartbeat, so heartbeats must not be delayed.
        .max_heartbeat_throttle_interval(HEARTBEAT_HELD_BACK_MAX)
        .graceful_shutdown_period(tuning.drain)
}

/// The worker with these options, if it has registered all types of its queue.
fn worker(
    runtime: &Runtime,
    client: Client,
    mut options: WorkerOptions,
    tuning: &WorkerTuning,
    served: Served,
) -> Result<Worker, WorkerFault> {
    let missing = missing(&options, &served.needs());
    if !missing.is_empty() {
        return Err(WorkerFault::Gap(missing));
    }
    if let Some(deployment) = &tuning.deployment {
        options.deployment_options = deployment.clone();
    }
    options.max_worker_activities_per_second = tuning.activities_per_second;
    options.client_identity_override.clone_from(&tuning.identity);
    Ok(Worker::new(runtime, client, options)?)
}
