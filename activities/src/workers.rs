//! The workers: one for customer entities, one for resource entities, one for each target.
//!
//! They are separate workers on separate queues, also in one process: a customer's workflow task holds its slot while
//! its local activity waits for a resource's answer, and must never wait for a slot that it occupies itself.

use std::sync::Arc;
use std::time::Duration;

use interlock_workflows::{CustomerEntity, ResourceEntity, Sweep, TargetEntity, watch_on_this_thread};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_sdk::activities::ActivityImplementer;
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::runtime::{AutoscalingOptions, PollerBehavior};
use temporalio_sdk::{Runtime, Worker, WorkerCreateError, WorkerOptions, WorkflowRegistrationError};
use thiserror::Error;

use crate::local_activities::CarriedOut;
use crate::target_activities::AtTargets;
use crate::upkeep_activities::UpkeepOfTargets;
use crate::worker_context::WorkerContext;

/// For how long at most a heartbeat is held back by the SDK.
const HEARTBEAT_HELD_BACK_MAX: Duration = Duration::from_secs(5);

/// How many polls a worker has open, scaled by the server's feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pollers {
    /// At least.
    pub min: usize,
    /// In the beginning.
    pub initial: usize,
    /// At most.
    pub max: usize,
}

/// How much a worker does at a time.
#[derive(Debug, Clone)]
pub struct WorkerTuning {
    /// Polls for tasks.
    pub pollers: Pollers,
    /// Entities kept in memory, at least 1; any other is replayed from its history when something comes for it. (With
    /// none at all the SDK loses local activities.)
    pub cached_entities_max: usize,
    /// Workflow tasks at a time.
    pub workflow_tasks_max: usize,
    /// Local activities at a time: as many as workflow tasks, or tasks wait for each other.
    pub local_activities_max: usize,
    /// Calls to one target at a time.
    pub calls_max: usize,
    /// How long a worker that is stopped lets its activities go on.
    pub drain: Duration,
    /// Worker versioning, where it is used.
    pub deployment: Option<WorkerDeploymentOptions>,
}

impl Default for WorkerTuning {
    fn default() -> Self {
        Self {
            pollers: Pollers { min: 2, initial: 5, max: 50 },
            cached_entities_max: 2_000,
            workflow_tasks_max: 200,
            local_activities_max: 200,
            calls_max: 100,
            drain: Duration::from_secs(20),
            deployment: None,
        }
    }
}

/// Why a worker could not be made.
#[derive(Debug, Error)]
pub enum WorkerFault {
    /// A workflow could not be registered.
    #[error(transparent)]
    Registration(#[from] WorkflowRegistrationError),
    /// The SDK refused its options.
    #[error(transparent)]
    Create(#[from] WorkerCreateError),
}

/// A worker for the customer entities of one queue. `client` is for the namespace of the queue.
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
        .build();
    Ok(Worker::new(runtime, client, versioned(options, tuning))?)
}

/// A worker for the resource entities of one queue. `client` is for the namespace of the queue.
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
        .build();
    Ok(Worker::new(runtime, client, versioned(options, tuning))?)
}

/// A worker for the target entities of one jobs queue, for sweeps, and for the unordered work that producers put there.
/// `client` is for the namespace of the queue; `sweeping` implements [`interlock_workflows::Sweeping`] for it.
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
    Ok(Worker::new(runtime, client, versioned(options, tuning))?)
}

/// A worker for the calls to one target. `client` is for the namespace of the queue.
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
    Ok(Worker::new(runtime, client, versioned(options, tuning))?)
}

/// Options of a worker that runs entities: what their machines see is told to whoever watches. To be called on the thread that
/// the worker runs on. (An interceptor of the SDK could hand over who watches, too. With one registered, histories were seen
/// that could not be replayed.)
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
    let pollers = AutoscalingOptions::builder()
        .minimum(tuning.pollers.min)
        .maximum(tuning.pollers.max)
        .initial(tuning.pollers.initial)
        .build();
    let slots = FixedSizeSlotSupplier::new;
    let tuner = TunerHolder::builder()
        .workflow_task_slot_supplier(slots(tuning.workflow_tasks_max))
        .activity_task_slot_supplier(slots(tuning.calls_max))
        .local_activity_task_slot_supplier(slots(tuning.local_activities_max))
        .nexus_task_slot_supplier(slots(1))
        .build();
    WorkerOptions::new(task_queue)
        .max_cached_workflows(tuning.cached_entities_max.max(1))
        .tuner(tuner)
        .workflow_task_poller_behavior(PollerBehavior::Autoscaling(pollers))
        .activity_task_poller_behavior(PollerBehavior::Autoscaling(pollers))
        .max_eager_activity_reservations_per_workflow_task(0)
        // Cancellation comes with the answer to a heartbeat: it must not wait for a heartbeat that is held back.
        .max_heartbeat_throttle_interval(HEARTBEAT_HELD_BACK_MAX)
        .graceful_shutdown_period(tuning.drain)
}

fn versioned(mut options: WorkerOptions, tuning: &WorkerTuning) -> WorkerOptions {
    if let Some(deployment) = &tuning.deployment {
        options.deployment_options = deployment.clone();
    }
    options
}
