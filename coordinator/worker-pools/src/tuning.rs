//! How many tasks the workers of a pool run at a time, from the settings.

use std::num::NonZeroUsize;

use interlock_activities::{Pollers, Slots, WorkerTuning};
use interlock_settings::{SlotSupply, TARGET_CPU, TARGET_MEMORY, WorkersSettings, WorkloadDefaults, WorkloadSettings};
use temporalio_common::worker::WorkerDeploymentOptions;

/// How many tasks the workers of each kind of queue run at a time.
#[derive(Debug, Clone)]
pub struct PoolTuning {
    /// For customer entities.
    pub entity: QueueTuning,
    /// For resource entities.
    pub resource: QueueTuning,
    /// For calls to targets.
    pub provisioning: QueueTuning,
    /// For target entities, sweeps and unordered work.
    pub jobs: QueueTuning,
}

/// How many tasks the workers of one queue run at a time, and how many workers there are.
#[derive(Debug, Clone)]
pub struct QueueTuning {
    /// The tuning of each worker.
    pub worker: WorkerTuning,
    /// The number of workers, if it is set.
    per_queue: Option<NonZeroUsize>,
    /// Whether there are several workers if a process has more cores than queues.
    spreads_over_cores: bool,
}

impl Default for PoolTuning {
    fn default() -> Self {
        Self::new(&WorkersSettings::default(), None)
    }
}

impl PoolTuning {
    /// From the settings; versioned if there is a deployment.
    pub fn new(settings: &WorkersSettings, deployment: Option<&WorkerDeploymentOptions>) -> Self {
        let [entity, resource, provisioning, jobs] = settings.tables().map(|(_, of, defaults)| {
            let worker =
                WorkerTuning { drain: settings.drain, deployment: deployment.cloned(), ..worker(&of, &defaults) };
            QueueTuning { worker, per_queue: of.workers_per_queue, spreads_over_cores: defaults.spreads_over_cores }
        });
        Self { entity, resource, provisioning, jobs }
    }
}

impl QueueTuning {
    /// How many workers each queue gets, if this process serves this many queues of its kind on this many cores: one for each core,
    /// if the number is not set and workflows run there, because one worker runs all its workflow code on one thread.
    pub fn workers(&self, queues: usize, cores: usize) -> usize {
        match self.per_queue {
            Some(set) => set.get(),
            None if self.spreads_over_cores => (cores / queues.max(1)).max(1),
            None => 1,
        }
    }
}

fn worker(settings: &WorkloadSettings, defaults: &WorkloadDefaults) -> WorkerTuning {
    let or = |set: Option<NonZeroUsize>, default: usize| set.map_or(default, NonZeroUsize::get);
    let slots = match settings.slots.unwrap_or_default() {
        SlotSupply::Fixed => Slots::Fixed,
        SlotSupply::ResourceBased => Slots::by_resources(
            settings.target_memory.unwrap_or(TARGET_MEMORY),
            settings.target_cpu.unwrap_or(TARGET_CPU),
        ),
    };
    let polls = settings.pollers(defaults);
    WorkerTuning {
        pollers: Pollers { min: polls.min, initial: polls.initial, max: polls.max },
        cached_entities_max: or(settings.cached_entities, defaults.cached_entities),
        workflow_tasks_max: settings.workflow_tasks(defaults),
        local_activities_max: settings.local_activities(defaults),
        calls_max: or(settings.activities, defaults.activities),
        slots,
        activities_per_second: settings.activities_per_second,
        ..WorkerTuning::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_workflows_gets_as_many_workers_as_there_are_cores_for_it() {
        let tuning = PoolTuning::default();
        assert_eq!([1, 2, 3, 16].map(|queues| tuning.entity.workers(queues, 8)), [8, 4, 2, 1]);
        assert_eq!(tuning.resource.workers(0, 4), 4);
        assert_eq!((tuning.provisioning.workers(1, 8), tuning.jobs.workers(1, 8)), (1, 1));
        let mut settings = WorkersSettings::default();
        settings.entity.workers_per_queue = NonZeroUsize::new(3);
        assert_eq!(PoolTuning::new(&settings, None).entity.workers(16, 8), 3);
    }

    #[test]
    fn what_is_set_for_one_workload_is_not_for_another() {
        let mut settings = WorkersSettings::default();
        settings.entity.cached_entities = NonZeroUsize::new(7);
        settings.provisioning.slots = Some(SlotSupply::ResourceBased);
        settings.provisioning.activities = NonZeroUsize::new(9);
        settings.jobs.activities_per_second = Some(2.5);
        let tuning = PoolTuning::new(&settings, None);
        assert_eq!((tuning.entity.worker.cached_entities_max, tuning.resource.worker.cached_entities_max), (7, 5_000));
        assert!(matches!(tuning.provisioning.worker.slots, Slots::ByResources(_)));
        assert!(matches!(tuning.entity.worker.slots, Slots::Fixed));
        assert_eq!((tuning.provisioning.worker.calls_max, tuning.jobs.worker.calls_max), (9, 100));
        assert_eq!(tuning.jobs.worker.activities_per_second, Some(2.5));
    }
}
