//! Sets the rate limit of a target's provisioning queue on the Temporal server, and reads it back.
//!
//! A queue belongs to one namespace. So a target that is called in several namespaces has several queues, and each gets an equal share
//! of the limit.

use interlock_client::task_queues::{self, QueueRateLimit};
use interlock_domain::ids::TargetId;
use interlock_domain::target_entity::{Limit, LimitRecord, Rate};
use interlock_workflows::LimitSetting;
use temporalio_sdk::activities::ActivityError;

use crate::provision::again;
use crate::worker_context::WorkerContext;

/// Sets the limit on the server, in every namespace in which the target is called. Idempotent.
///
/// # Errors
/// A retryable failure if the limit could not be set in one namespace. It is set in the others anyway.
pub(crate) async fn set_limit(worker: &WorkerContext, setting: LimitSetting) -> Result<(), ActivityError> {
    let LimitSetting { target, record } = setting;
    let reason = serde_json::to_string(&record).map_err(|error| again("unwritable", error.to_string(), None))?;
    let namespaces = namespaces(worker, &target);
    let share = record.limit.0.map(|rate| share(rate, namespaces.len()));
    let queue = worker.targets.routing().provisioning_queue(&target);
    let mut failed = None;
    for namespace in namespaces {
        let limit = QueueRateLimit { reason: reason.clone(), requests_per_second: share };
        if let Err(error) = task_queues::set_rate_limit(worker.targets.client(), &namespace, &queue, limit).await {
            failed = Some(format!("in the namespace '{namespace}': {}", error.message()));
        }
    }
    tracing::info!(%target, state = record.state, limit = ?record.limit.0.map(Rate::get), "the limit of a target");
    match failed {
        None => Ok(()),
        Some(detail) => Err(again("limit_not_set", detail, None)),
    }
}

/// The state of the target's queue. `None` if it cannot be read.
pub(crate) async fn record(worker: &WorkerContext, target: &TargetId) -> Option<LimitRecord> {
    let namespaces = namespaces(worker, target);
    let queue = worker.targets.routing().provisioning_queue(target);
    let limit = match task_queues::rate_limit(worker.targets.client(), namespaces.first()?, &queue).await {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%target, status = %error, "cannot read the limit of a target's queue");
            return None;
        }
    };
    // A limit that was never set on the queue is the server's own limit for all queues, not the target's.
    let written = limit.as_ref().and_then(|limit| serde_json::from_str::<LimitRecord>(&limit.reason).ok());
    let of_server = limit.and_then(|limit| limit.requests_per_second).map(f64::from);
    Some(read_back(written, of_server))
}

/// Combines the server's answers. The note was written together with the limit. If somebody changed the limit by hand without writing
/// such a note, only the limit is known.
fn read_back(written: Option<LimitRecord>, of_server: Option<f64>) -> LimitRecord {
    written.unwrap_or_else(|| {
        let rate = of_server.and_then(|rate| Rate::try_from(rate).ok());
        LimitRecord::of(rate.map_or(Limit::NONE, |rate| Limit(Some(rate))))
    })
}

fn namespaces(worker: &WorkerContext, target: &TargetId) -> Vec<String> {
    worker.targets.routing().namespaces_of_target(target, &worker.catalog.roles()).into_iter().collect()
}

/// The share of one of that many queues. The server counts in 32 bits.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn share(rate: Rate, queues: usize) -> f32 {
    (rate.get() / queues.max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_share_a_rate_equally() {
        let shared = |rate, queues| (share(rate, queues) * 10.0).round().to_string();
        assert_eq!([1, 2, 4].map(|queues| shared(Rate::per_second(6), queues)), ["60", "30", "15"]);
        assert_eq!(shared(Rate::ZERO, 3), "0");
    }

    #[test]
    fn a_limit_that_somebody_else_set_is_known_without_its_reason() {
        assert_eq!(read_back(None, Some(0.0)), LimitRecord::of(Limit::STOPPED));
        assert_eq!(read_back(None, None), LimitRecord::of(Limit::NONE));
    }
}
