//! The schedule of the sweeps of a namespace.

use interlock_client::ServerError;
use interlock_client::schedules::{self, DescribedSchedule};
use interlock_connection::Installation;
use interlock_domain::routing::QueueKind;

use super::report::{Check, Finding};
use crate::schedules::sweep_id;

/// Whether it exists and runs.
pub(super) async fn examine(installation: &Installation, namespace: &str) -> Finding {
    let id = sweep_id(installation);
    let described = schedules::describe(&installation.client, namespace, &id).await;
    let routing = &installation.routing;
    let served = routing.queues(QueueKind::Jobs, routing.served_shards().shards());
    judged(namespace, &id, described, &served)
}

fn judged(
    namespace: &str,
    id: &str,
    described: Result<Option<DescribedSchedule>, ServerError>,
    served: &[String],
) -> Finding {
    let at = format!("The schedule '{id}' of the sweeps in '{namespace}'");
    match described {
        Ok(Some(DescribedSchedule { paused: Some(note), .. })) => Finding::warning(
            Check::Schedules,
            format!("{at} is paused ({note}): overdue orders and lost entities are not found."),
            format!(
                "When it may run again: temporal schedule toggle --unpause --schedule-id {id} --namespace {namespace}"
            ),
        ),
        Ok(Some(DescribedSchedule { task_queue, .. })) if !served.contains(&task_queue) => Finding::error(
            Check::Schedules,
            format!("{at} starts them on the task queue '{task_queue}', which no worker of this installation serves."),
            "Run 'interlock bootstrap'.",
        ),
        Ok(Some(_)) => Finding::ok(Check::Schedules, format!("{at} runs.")),
        Ok(None) => Finding::error(
            Check::Schedules,
            format!("{at} does not exist: overdue orders and lost entities are not found."),
            "Run 'interlock bootstrap', or start a jobs worker, which creates it.",
        ),
        Err(error) => Finding::unknown(Check::Schedules, &at, &error.message()),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::super::report::Level;
    use super::*;

    #[test]
    fn a_schedule_that_is_missing_or_on_a_wrong_queue_is_an_error_and_a_paused_one_a_warning() {
        let served = ["interlock.jobs.00".to_owned()];
        let level = |described| judged("n", "interlock/sweep", described, &served).level;
        let on = |queue: &str, paused: Option<&str>| {
            Ok(Some(DescribedSchedule { paused: paused.map(str::to_owned), task_queue: queue.to_owned() }))
        };
        assert_eq!(level(on("interlock.jobs.00", None)), Level::Ok);
        assert_eq!(level(on("interlock.jobs.07", None)), Level::Error);
        assert_eq!(level(on("interlock.jobs.00", Some("by anna"))), Level::Warning);
        assert_eq!(level(Ok(None)), Level::Error);
        assert_eq!(level(Err(ServerError::from(Status::unavailable("away")))), Level::Warning);
    }
}
