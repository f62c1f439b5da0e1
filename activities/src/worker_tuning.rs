//! How much a worker does at a time.

use std::time::Duration;

use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_sdk::runtime::worker_tuner::{
    FixedSizeSlotSupplier, ResourceBasedController, ResourceBasedSlotOptions, ResourceBasedSlotsForType,
    ResourceBasedTunerOptions, SlotSupplier, TunerHolder,
};
use temporalio_sdk::runtime::{AutoscalingOptions, PollerBehavior};

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

/// Who says whether there is a slot for one more task.
#[derive(Debug, Clone, Default)]
pub enum Slots {
    /// There are as many as the tuning says.
    #[default]
    Fixed,
    /// There are as many as memory and CPU of the machine allow, and no more than the tuning says. Workers of one process
    /// share the controller: they share the machine.
    ByResources(ResourceBasedController),
}

impl Slots {
    /// Slots that are given out while the machine's memory and CPU are used less than this, each a share from 0 to 1.
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
    /// Who says whether there is a slot for one more workflow task or call. Local activities have fixed slots always: a
    /// workflow task that has begun must not wait for the machine to become idle.
    pub slots: Slots,
    /// Activities that one worker begins in a second; none: no limit.
    pub activities_per_second: Option<f64>,
    /// How long a worker that is stopped lets its activities go on before it asks them to end. A request that was sent to
    /// a target is waited for all the same.
    pub drain: Duration,
    /// Worker versioning, where it is used.
    pub deployment: Option<WorkerDeploymentOptions>,
    /// As whom the worker polls; none: as its client.
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
