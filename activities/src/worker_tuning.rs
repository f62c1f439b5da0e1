//! The concurrency of a worker.

use std::time::Duration;

use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_sdk::runtime::worker_tuner::{
    FixedSizeSlotSupplier, ResourceBasedController, ResourceBasedSlotOptions, ResourceBasedSlotsForType,
    ResourceBasedTunerOptions, SlotSupplier, TunerHolder,
};
use temporalio_sdk::runtime::{AutoscalingOptions, PollerBehavior};

/// The number of open polls of a worker. The SDK scales it by the server's feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pollers {
    /// The minimum.
    pub min: usize,
    /// The number at the start.
    pub initial: usize,
    /// The maximum.
    pub max: usize,
}

/// What decides whether there is a slot for one more task.
#[derive(Debug, Clone, Default)]
pub enum Slots {
    /// A fixed number of slots, as configured.
    #[default]
    Fixed,
    /// As many slots as memory and CPU of the machine allow, at most the configured number. The workers of one process share the
    /// controller, since they share the machine.
    ByResources(ResourceBasedController),
}

impl Slots {
    /// Slots are given out while the machine uses less memory and CPU than this, each a share from 0 to 1.
    pub fn by_resources(memory: f64, cpu: f64) -> Self {
        let targets = ResourceBasedTunerOptions::builder().target_memory_usage(memory).target_cpu_usage(cpu).build();
        Self::ByResources(ResourceBasedController::new(targets))
    }

    fn at_most(&self, slots: usize) -> SlotSupplier {
        match self {
            Self::Fixed => FixedSizeSlotSupplier::new(slots).into(),
            Self::ByResources(controller) => {
                let options = ResourceBasedSlotOptions::builder().maximum_slots(slots).build();
                ResourceBasedSlotsForType::with_controller(controller.clone(), options).into()
            }
        }
    }
}

/// The concurrency of a worker.
#[derive(Debug, Clone)]
pub struct WorkerTuning {
    /// Polls for tasks.
    pub pollers: Pollers,
    /// The number of entities kept in memory, at least 1. Other entities are replayed from history when they get a task. (Without a
    /// cache the SDK loses local activities.)
    pub cached_entities_max: usize,
    /// The most concurrent workflow tasks.
    pub workflow_tasks_max: usize,
    /// The most concurrent local activities: as many as workflow tasks, otherwise tasks wait for each other.
    pub local_activities_max: usize,
    /// The most concurrent calls to one target.
    pub calls_max: usize,
    /// What decides whether there is a slot for one more workflow task or call. Local activities always have fixed slots: a workflow
    /// task that has begun must not wait until the machine is idle.
    pub slots: Slots,
    /// The most activities that one worker starts in a second. `None`: no limit.
    pub activities_per_second: Option<f64>,
    /// How long a worker that is stopping lets its activities run before it asks them to end. It always waits for requests that were
    /// sent to a target.
    pub drain: Duration,
    /// Worker versioning, if it is used.
    pub deployment: Option<WorkerDeploymentOptions>,
    /// The identity that the worker polls with. `None`: its client's.
    pub identity: Option<String>,
}

impl Default for WorkerTuning {
    fn default() -> Self {
        Self {
            pollers: Pollers { min: 2, initial: 5, max: 50 },
            cached_entities_max: 2_000,
            workflow_tasks_max: 200,
            local_activities_max: 200,
            calls_max: 100,
            slots: Slots::Fixed,
            activities_per_second: None,
            drain: Duration::from_secs(20),
            deployment: None,
            identity: None,
        }
    }
}

impl WorkerTuning {
    pub(crate) fn tuner(&self) -> TunerHolder {
        TunerHolder::builder()
            .workflow_task_slot_supplier(self.slots.at_most(self.workflow_tasks_max))
            .activity_task_slot_supplier(self.slots.at_most(self.calls_max))
            .local_activity_task_slot_supplier(FixedSizeSlotSupplier::new(self.local_activities_max))
            .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
            .build()
    }

    pub(crate) fn poller_behavior(&self) -> PollerBehavior {
        let Pollers { min, initial, max } = self.pollers;
        PollerBehavior::Autoscaling(AutoscalingOptions::builder().minimum(min).maximum(max).initial(initial).build())
    }
}
