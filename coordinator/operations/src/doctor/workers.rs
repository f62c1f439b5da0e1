//! The workers that poll each queue of the installation.

use futures_util::StreamExt;
use interlock_adapters::AdapterKind;
use interlock_client::{ServerError, task_queues};
use interlock_connection::Installation;
use interlock_domain::routing::QueueKind;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;

use super::joined;
use super::report::{Check, Finding, Level};

/// The kinds of queues that the workers of each installation poll.
const KINDS: [QueueKind; 4] = [QueueKind::Entity, QueueKind::Resource, QueueKind::Jobs, QueueKind::TenantOps];
/// How many queues are asked for at a time.
const ASKED_AT_A_TIME: usize = 8;

/// The queues of entities and jobs in a namespace. Each is polled for workflows and activities.
pub(super) async fn examine(installation: &Installation, namespace: &str) -> Vec<Finding> {
    let routing = &installation.routing;
    let queue =
        |kind| routing.queues(kind, routing.served_shards().shards()).into_iter().map(move |queue| (kind, queue));
    let asked = futures_util::stream::iter(KINDS.into_iter().flat_map(queue)).map(|(kind, queue)| async move {
        let client = &installation.client;
        let (workflows, activities) = tokio::join!(
            task_queues::pollers(client, namespace, &queue, TaskQueueType::Workflow),
            task_queues::pollers(client, namespace, &queue, TaskQueueType::Activity),
        );
        let (level, verdict, next) = of_queue(kind, workflows, activities);
        (level, queue, verdict, next)
    });
    let things: Vec<_> = asked.buffered(ASKED_AT_A_TIME).collect().await;
    let mut findings = joined(Check::Workers, things);
    for finding in &mut findings {
        finding.detail = format!("'{namespace}': {}", finding.detail);
    }
    findings
}

fn of_queue(
    kind: QueueKind,
    workflows: Result<Vec<String>, ServerError>,
    activities: Result<Vec<String>, ServerError>,
) -> (Level, String, Option<String>) {
    let workload = match kind {
        QueueKind::Entity => "entity",
        QueueKind::Resource => "resource",
        QueueKind::Jobs | QueueKind::TenantOps => "jobs",
    };
    let start = || Some(format!("Start workers: 'interlock worker --workload {workload}' (or all)."));
    match (workflows, activities) {
        (Ok(workflows), Ok(activities)) => match (workflows.is_empty(), activities.is_empty()) {
            (true, true) => (Level::Error, "no worker polls it.".to_owned(), start()),
            (true, false) => (Level::Error, "no worker polls it for workflows.".to_owned(), start()),
            (false, true) => (Level::Error, "no worker polls it for activities.".to_owned(), start()),
            (false, false) => (Level::Ok, "workers poll it.".to_owned(), None),
        },
        (Err(error), _) | (_, Err(error)) => {
            let verdict = format!("the server does not say who polls it: {}.", error.message().trim_end_matches('.'));
            (Level::Warning, verdict, Some("Run it again.".to_owned()))
        }
    }
}

/// The queues of the configured targets, in the namespaces in which they are called.
pub(super) async fn examine_targets(installation: &Installation, usable: &[String]) -> Vec<Finding> {
    let roles = installation.catalog.roles();
    let mut things = Vec::new();
    for (target, settings) in &installation.settings.targets {
        let queue = installation.routing.provisioning_queue(target);
        for namespace in installation.routing.namespaces_of_target(target, &roles) {
            if usable.contains(&namespace) {
                let client = &installation.client;
                let polled = task_queues::pollers(client, &namespace, &queue, TaskQueueType::Activity).await;
                let (level, verdict, next) = of_target(settings.adapter == AdapterKind::External, polled);
                things.push((level, format!("'{namespace}': {queue}"), verdict, next));
            }
        }
    }
    joined(Check::Workers, things)
}

fn of_target(is_external: bool, polled: Result<Vec<String>, ServerError>) -> (Level, String, Option<String>) {
    match polled {
        Ok(pollers) if pollers.is_empty() && is_external => (
            Level::Error,
            "no worker of the external program polls it, so no call to this target starts.".to_owned(),
            Some("Start the program that serves this target (adapters/docs/provision.md).".to_owned()),
        ),
        Ok(pollers) if pollers.is_empty() => (
            Level::Error,
            "no worker polls it, so no call to this target starts.".to_owned(),
            Some("Start workers: 'interlock worker --workload provisioning' (or all).".to_owned()),
        ),
        Ok(_) => (Level::Ok, "workers poll it.".to_owned(), None),
        Err(error) => {
            let verdict = format!("the server does not say who polls it: {}.", error.message().trim_end_matches('.'));
            (Level::Warning, verdict, Some("Run it again.".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn a_queue_needs_workers_for_workflows_and_activities() {
        let some = || Ok(vec!["worker".to_owned()]);
        let none = || Ok(Vec::new());
        let level = |workflows, activities| of_queue(QueueKind::Entity, workflows, activities).0;
        assert_eq!(level(some(), some()), Level::Ok);
        for (workflows, activities) in [(none(), none()), (none(), some()), (some(), none())] {
            assert_eq!(level(workflows, activities), Level::Error);
        }
        assert_eq!(level(Err(ServerError::from(Status::unavailable("away"))), some()), Level::Warning);
    }

    #[test]
    fn an_external_target_that_no_program_serves_is_named_as_such() {
        let (level, verdict, next) = of_target(true, Ok(Vec::new()));
        assert_eq!(level, Level::Error);
        assert!(verdict.contains("external program") && next.unwrap().contains("provision.md"), "{verdict}");
        let (level, _, next) = of_target(false, Ok(Vec::new()));
        assert!(level == Level::Error && next.unwrap().contains("--workload provisioning"));
        assert_eq!(of_target(true, Ok(vec!["w".to_owned()])).0, Level::Ok);
    }
}
