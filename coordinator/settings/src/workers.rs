//! `[workers]`: how many tasks each workload's workers run at a time. Each key is declared once, in [`WORKLOAD_KEYS`]; from it come
//! the variables and the reference page.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The default time for a stopped worker's activities to continue.
const DRAIN: Duration = Duration::from_secs(20);

/// `[workers]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersSettings {
    /// How long a stopped worker lets its activities continue before it cancels them. Requests that were already sent to a
    /// target are always waited for.
    #[serde(with = "interlock_adapters::duration")]
    pub drain: Duration,
    /// Workers of customer entities.
    pub entity: WorkloadSettings,
    /// Workers of resource entities.
    pub resource: WorkloadSettings,
    /// Workers of the calls to targets.
    pub provisioning: WorkloadSettings,
    /// Workers of target entities, sweeps and unordered work.
    pub jobs: WorkloadSettings,
}

impl Default for WorkersSettings {
    fn default() -> Self {
        let unset = WorkloadSettings::default();
        Self { drain: DRAIN, entity: unset, resource: unset, provisioning: unset, jobs: unset }
    }
}

/// `[workers.entity]` and the others: missing values come from [`WorkloadDefaults`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkloadSettings {
    /// Entities that each worker keeps in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_entities: Option<NonZeroUsize>,
    /// Workflow tasks that each worker runs at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_tasks: Option<NonZeroUsize>,
    /// Local activities that each worker runs at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_activities: Option<NonZeroUsize>,
    /// Activities that each worker runs at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activities: Option<NonZeroUsize>,
    /// Activities that each worker starts per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activities_per_second: Option<f64>,
    /// What decides whether there is a free slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotSupply>,
    /// For slots by resources: there are slots as long as the machine's memory use is below this share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_memory: Option<f64>,
    /// For slots by resources: there are slots as long as the machine's CPU use is below this share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_cpu: Option<f64>,
    /// The fewest polls that each worker has open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pollers_min: Option<NonZeroUsize>,
    /// The polls at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pollers_initial: Option<NonZeroUsize>,
    /// The most polls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pollers_max: Option<NonZeroUsize>,
    /// Workers of one process for one queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers_per_queue: Option<NonZeroUsize>,
}

/// What decides whether there is a slot for one more task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotSupply {
    /// A fixed number.
    #[default]
    Fixed,
    /// As many as memory and CPU of the machine allow, up to what is set.
    ResourceBased,
}

/// The default numbers of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkloadDefaults {
    /// As the setting `cached_entities`.
    pub cached_entities: usize,
    /// As the setting `workflow_tasks`, and `local_activities`.
    pub workflow_tasks: usize,
    /// As the setting `activities`.
    pub activities: usize,
    /// As the settings `pollers_…`.
    pub pollers: Pollers,
    /// Whether a process that has more cores than queues gives a queue several workers.
    pub spreads_over_cores: bool,
}

/// How many polls a worker has open; the server's feedback scales the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pollers {
    /// The fewest.
    pub min: usize,
    /// At the start.
    pub initial: usize,
    /// The most.
    pub max: usize,
}

/// The default share of memory up to which there are slots by resources.
pub const TARGET_MEMORY: f64 = 0.8;
/// The default share of CPU up to which there are slots by resources.
pub const TARGET_CPU: f64 = 0.9;

impl WorkloadDefaults {
    /// For customer entities.
    pub const ENTITY: Self = Self {
        cached_entities: 2_000,
        workflow_tasks: 200,
        activities: 10,
        pollers: Pollers { min: 2, initial: 5, max: 50 },
        spreads_over_cores: true,
    };
    /// For resource entities: smaller, and asked by many customers.
    pub const RESOURCE: Self = Self { cached_entities: 5_000, ..Self::ENTITY };
    /// For calls to targets, which run no workflows.
    pub const PROVISIONING: Self =
        Self { cached_entities: 1, workflow_tasks: 2, activities: 100, spreads_over_cores: false, ..Self::ENTITY };
    /// For target entities, sweeps and unordered work.
    pub const JOBS: Self = Self {
        cached_entities: 200,
        workflow_tasks: 20,
        activities: 100,
        pollers: Pollers { min: 2, initial: 3, max: 20 },
        spreads_over_cores: false,
    };
    /// Each with the name of its table.
    pub const ALL: [(&'static str, Self); 4] = [
        ("entity", Self::ENTITY),
        ("resource", Self::RESOURCE),
        ("provisioning", Self::PROVISIONING),
        ("jobs", Self::JOBS),
    ];
}

/// A key of `[workers.entity]`, `[workers.resource]`, `[workers.provisioning]` and `[workers.jobs]`.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadKey {
    /// The key. The variable is `INTERLOCK_WORKERS_{WORKLOAD}_{KEY}`.
    pub key: &'static str,
    /// The default of a workload, as a person would write it.
    pub default: fn(&WorkloadDefaults) -> String,
    /// What it does.
    pub meaning: &'static str,
    /// Why the default is what it is.
    pub why: &'static str,
}

const fn key(
    key: &'static str,
    default: fn(&WorkloadDefaults) -> String,
    meaning: &'static str,
    why: &'static str,
) -> WorkloadKey {
    WorkloadKey { key, default, meaning, why }
}

fn of_workflows(defaults: &WorkloadDefaults, value: usize) -> String {
    if *defaults == WorkloadDefaults::PROVISIONING { "–".to_owned() } else { value.to_string() }
}

/// The keys that each workload has.
pub const WORKLOAD_KEYS: &[WorkloadKey] = &[
    key(
        "cached_entities",
        |of| of_workflows(of, of.cached_entities),
        "Entities that each worker keeps in memory.",
        "An entity that is not in memory is replayed from its history (some hundred events) when a message comes for \
         it. Resources are smaller than customers. Watch temporal_sticky_cache_total_forced_eviction.",
    ),
    key(
        "workflow_tasks",
        |of| of_workflows(of, of.workflow_tasks),
        "Workflow tasks that each worker runs at a time, at least 2.",
        "During admission a customer's task waits up to 2 s for resources. Most slots wait, which costs little.",
    ),
    key(
        "local_activities",
        |of| of_workflows(of, of.workflow_tasks),
        "Local activities that each worker runs at a time; not less than workflow_tasks.",
        "A workflow task runs at most one. With fewer slots, tasks would wait for each other.",
    ),
    key(
        "activities",
        |of| of.activities.to_string(),
        "Activities that each worker runs at a time. For provisioning: the calls to one target, if the target's own \
         concurrency is not set.",
        "A call spends nearly all its time waiting for its target. Entity queues have no activities of their own.",
    ),
    key(
        "activities_per_second",
        |_| "no limit".to_owned(),
        "Activities that each worker starts per second.",
        "The rate_per_second of a target protects the target, for all workers together. This setting protects a \
         machine.",
    ),
    key(
        "slots",
        |_| "fixed".to_owned(),
        "fixed, or resource_based: workflow tasks and activities start while the machine uses less memory and CPU \
         than target_memory and target_cpu, up to the numbers that are set.",
        "Fixed numbers are predictable. resource_based suits machines that run other programs too.",
    ),
    key(
        "target_memory",
        |_| TARGET_MEMORY.to_string(),
        "For slots = resource_based: the share of the machine's memory, above 0 and at most 1.",
        "Caches grow until they are full. This leaves room for them.",
    ),
    key(
        "target_cpu",
        |_| TARGET_CPU.to_string(),
        "For slots = resource_based: the share of the machine's CPU, above 0 and at most 1.",
        "Above it, tasks wait for the CPU instead of for a slot.",
    ),
    key(
        "pollers_min",
        |of| of.pollers.min.to_string(),
        "Polls that each worker keeps open at least, for each kind of task.",
        "One for new entities and one for those that the worker has in memory.",
    ),
    key(
        "pollers_initial",
        |of| of.pollers.initial.to_string(),
        "Polls at the start.",
        "The server scales the number by its backlog. A start under load begins with this number.",
    ),
    key(
        "pollers_max",
        |of| of.pollers.max.to_string(),
        "Polls at most.",
        "Each poll gets a worker some hundred tasks per second. Jobs are few.",
    ),
    key(
        "workers_per_queue",
        |of| if of.spreads_over_cores { "cores ÷ queues of the process" } else { "1" }.to_owned(),
        "Workers of one process for one queue, each with its own connection.",
        "One worker runs all its workflow code on one thread. For calls to targets, which mostly wait, one is \
         enough.",
    ),
];

/// The variable of a workload's key.
pub fn variable_name(workload: &str, key: &str) -> String {
    format!("INTERLOCK_WORKERS_{}_{}", workload.to_uppercase(), key.to_uppercase())
}

impl WorkersSettings {
    /// The table of each workload, with its name and its defaults.
    pub fn tables(&self) -> [(&'static str, WorkloadSettings, WorkloadDefaults); 4] {
        let [entity, resource, provisioning, jobs] = WorkloadDefaults::ALL;
        [
            (entity.0, self.entity, entity.1),
            (resource.0, self.resource, resource.1),
            (provisioning.0, self.provisioning, provisioning.1),
            (jobs.0, self.jobs, jobs.1),
        ]
    }

    /// Settings that contradict each other: the key, and what is wrong with it.
    pub(super) fn fault(&self) -> Option<(String, String)> {
        self.tables().into_iter().find_map(|(name, settings, defaults)| {
            settings.fault(&defaults).map(|(key, reason)| (format!("workers.{name}.{key}"), reason))
        })
    }
}

impl WorkloadSettings {
    /// The polls, as set or by default.
    pub fn pollers(&self, defaults: &WorkloadDefaults) -> Pollers {
        Pollers {
            min: self.pollers_min.map_or(defaults.pollers.min, NonZeroUsize::get),
            initial: self.pollers_initial.map_or(defaults.pollers.initial, NonZeroUsize::get),
            max: self.pollers_max.map_or(defaults.pollers.max, NonZeroUsize::get),
        }
    }

    /// Workflow tasks at a time, as set or by default.
    pub fn workflow_tasks(&self, defaults: &WorkloadDefaults) -> usize {
        self.workflow_tasks.map_or(defaults.workflow_tasks, NonZeroUsize::get)
    }

    /// Local activities at a time, as set; by default as many as workflow tasks.
    pub fn local_activities(&self, defaults: &WorkloadDefaults) -> usize {
        self.local_activities.map_or_else(|| self.workflow_tasks(defaults), NonZeroUsize::get)
    }

    fn fault(&self, defaults: &WorkloadDefaults) -> Option<(&'static str, String)> {
        let polls = self.pollers(defaults);
        if polls.min > polls.initial || polls.initial > polls.max {
            let reason = format!(
                "is {}; it must be from pollers_min, {}, to pollers_max, {}",
                polls.initial, polls.min, polls.max
            );
            return Some(("pollers_initial", reason));
        }
        let tasks = self.workflow_tasks(defaults);
        if tasks < 2 {
            return Some(("workflow_tasks", format!("is {tasks}; it must be at least 2")));
        }
        let local = self.local_activities(defaults);
        if local < tasks {
            return Some(("local_activities", format!("is {local}; it must be at least workflow_tasks, {tasks}")));
        }
        if self.activities_per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Some(("activities_per_second", "must be above 0".to_owned()));
        }
        let no_share = |share: Option<f64>| share.is_some_and(|share| !(share > 0.0 && share <= 1.0));
        let shares = [("target_memory", self.target_memory), ("target_cpu", self.target_cpu)];
        let (key, _) = shares.into_iter().find(|(_, share)| no_share(*share))?;
        Some((key, "must be above 0 and at most 1".to_owned()))
    }
}
