//! The status of a pool: what it serves, whether its polls have reached the server, and whether it drains. For probes, and for people.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use interlock_activities::{Slots, WorkerTuning};
use interlock_client::ServerError;
use interlock_client::task_queues::pollers;
use interlock_workflows::Served;
use serde_json::{Value, json};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;

use super::workload::Workload;

/// How often to ask the server whether it has the first polls: the first and the longest pause.
const ASK_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// The most queues that are named as missing polls.
const NAMED_MAX: usize = 5;

/// The status of a pool.
#[derive(Debug)]
pub struct PoolStatus {
    workload: Workload,
    catalog_digest: String,
    /// The prefix of its workers' identities; no other pool has the same.
    identity: String,
    queues: Vec<QueueStatus>,
    draining: AtomicBool,
}

/// The status of one queue of a pool.
#[derive(Debug)]
pub(super) struct QueueStatus {
    pub(super) namespace: String,
    pub(super) task_queue: String,
    pub(super) served: Served,
    /// How many workers serve it.
    pub(super) workers: usize,
    pub(super) tuning: WorkerTuning,
    /// Whether the server has had a poll from each of its workers, for each kind of task.
    pub(super) polled: AtomicBool,
}

impl PoolStatus {
    pub(super) fn new(workload: Workload, catalog_digest: &str, identity: String, queues: Vec<QueueStatus>) -> Self {
        Self { workload, catalog_digest: catalog_digest.to_owned(), identity, queues, draining: AtomicBool::new(false) }
    }

    pub(super) fn queues(&self) -> &[QueueStatus] {
        &self.queues
    }

    /// The most workers of one queue.
    pub(super) fn workers_max(&self) -> usize {
        self.queues.iter().map(|queue| queue.workers).max().unwrap_or(1)
    }

    /// The identity with which the worker of this number polls a queue.
    pub(super) fn worker_identity(&self, number: usize) -> String {
        format!("{}-{number}", self.identity)
    }

    /// It accepts no more work from now on.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Checks that it takes work from all its queues; otherwise why not, in a sentence.
    ///
    /// # Errors
    /// If it drains, or the server has not had a poll from each worker yet.
    pub fn ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("the workers are draining".to_owned());
        }
        let waiting: Vec<&str> = self.not_polled().map(|queue| queue.task_queue.as_str()).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let (named, more) = (waiting.iter().take(NAMED_MAX), waiting.len().saturating_sub(NAMED_MAX));
        let named = named.copied().collect::<Vec<_>>().join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        Err(format!("no poll of these queues has reached Temporal yet: {named}{more}"))
    }

    /// Its description, as JSON.
    pub fn about(&self) -> Value {
        let deployment = self.queues.first().and_then(|queue| queue.tuning.deployment.as_ref());
        let state = if self.draining.load(Ordering::Relaxed) { "draining" } else { "running" };
        json!({
            "service": "worker",
            "version": env!("CARGO_PKG_VERSION"),
            "workload": self.workload.as_str(),
            "state": state,
            "deployment": deployment.map(|of| &of.version.deployment_name),
            "build_id": deployment.map(|of| &of.version.build_id),
            "catalog_digest": self.catalog_digest,
            "identity": self.identity,
            "task_queues": self.queues.iter().map(QueueStatus::about).collect::<Vec<_>>(),
        })
    }

    fn not_polled(&self) -> impl Iterator<Item = &QueueStatus> {
        self.queues.iter().filter(|queue| !queue.polled.load(Ordering::Relaxed))
    }

    /// Asks the server until it has had a poll from each worker. The SDK does not report when a poll reached the server, and the first poll
    /// of an idle queue returns only after a minute.
    pub(super) async fn watch_first_polls(self: Arc<Self>, client: Client) {
        let mut pause = ASK_PAUSES.0;
        while self.not_polled().next().is_some() && !self.draining.load(Ordering::Relaxed) {
            for queue in self.not_polled() {
                match self.has_polled(&client, queue).await {
                    Ok(has_polled) => queue.polled.store(has_polled, Ordering::Relaxed),
                    Err(error) => {
                        tracing::warn!(queue = queue.task_queue, status = %error, "cannot tell whether the queue is polled");
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(ASK_PAUSES.1);
        }
    }

    async fn has_polled(&self, client: &Client, queue: &QueueStatus) -> Result<bool, ServerError> {
        for kind in queue.kinds_of_tasks() {
            let pollers = pollers(client, &queue.namespace, &queue.task_queue, *kind).await?;
            if !(0..queue.workers).all(|number| pollers.contains(&self.worker_identity(number))) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl QueueStatus {
    /// The kinds of tasks on its queues. (Entities' activities are local, so their workers' other polls are idle.)
    fn kinds_of_tasks(&self) -> &'static [TaskQueueType] {
        match self.served {
            Served::Customers | Served::Resources => &[TaskQueueType::Workflow],
            Served::Jobs | Served::TenantOps => &[TaskQueueType::Workflow, TaskQueueType::Activity],
            Served::Target => &[TaskQueueType::Activity],
        }
    }

    fn about(&self) -> Value {
        let tuning = &self.tuning;
        let supply = if matches!(tuning.slots, Slots::Fixed) { "fixed" } else { "resource_based" };
        let mut slots = json!({ "supply": supply });
        if self.served.has_workflows() {
            slots["workflow_tasks"] = tuning.workflow_tasks_max.into();
            slots["local_activities"] = tuning.local_activities_max.into();
        }
        if self.kinds_of_tasks().contains(&TaskQueueType::Activity) {
            slots["activities"] = tuning.calls_max.into();
        }
        json!({
            "namespace": self.namespace,
            "task_queue": self.task_queue,
            "workers": self.workers,
            "polled": self.polled.load(Ordering::Relaxed),
            // For each worker.
            "slots": slots,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_of(queues: usize) -> PoolStatus {
        let queue = |number: usize| QueueStatus {
            namespace: "default".to_owned(),
            task_queue: format!("interlock.entity.{number:02}"),
            served: Served::Customers,
            workers: 2,
            tuning: WorkerTuning::default(),
            polled: AtomicBool::new(false),
        };
        PoolStatus::new(Workload::Entity, "0123456789abcdef", "me/1".to_owned(), (0..queues).map(queue).collect())
    }

    #[test]
    fn a_pool_is_ready_once_every_queue_was_polled_and_until_it_drains() {
        let pool = pool_of(2);
        assert!(pool.ready().unwrap_err().ends_with("interlock.entity.00, interlock.entity.01"));
        pool.queues[0].polled.store(true, Ordering::Relaxed);
        assert!(pool.ready().unwrap_err().ends_with("Temporal yet: interlock.entity.01"));
        pool.queues[1].polled.store(true, Ordering::Relaxed);
        assert_eq!(pool.ready(), Ok(()));
        pool.drain();
        assert_eq!(pool.ready().unwrap_err(), "the workers are draining");
    }

    #[test]
    fn of_many_queues_that_were_not_polled_some_are_named() {
        assert!(pool_of(16).ready().unwrap_err().ends_with("interlock.entity.04 and 11 more"));
    }

    #[test]
    fn a_pool_says_what_it_serves() {
        let about = pool_of(1).about();
        assert_eq!((&about["workload"], &about["catalog_digest"]), (&json!("entity"), &json!("0123456789abcdef")));
        let slots = json!({"supply": "fixed", "workflow_tasks": 200, "local_activities": 200});
        assert_eq!(about["task_queues"][0]["slots"], slots);
        assert_eq!(about["build_id"], Value::Null);
    }
}
