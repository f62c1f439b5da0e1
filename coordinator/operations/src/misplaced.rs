//! Finds runs behind the workflow ids of entities that no worker executes, because somebody started them under another workflow type, on
//! another task queue or in another namespace. Events for them are accepted, and nothing happens.

use std::time::Duration;

use interlock_client::{RunInfo, ServerError, runs, visibility};
use interlock_connection::{Installation, record};
use interlock_domain::ids::Timestamp;
use interlock_domain::routing::{
    ACTION_LOG_WORKFLOW_TYPE, CUSTOMER_WORKFLOW_TYPE, EntityRoute, IMPORT_WORKFLOW_TYPE, Misplacement, QueueKind,
    RESOURCE_WORKFLOW_TYPE, Routing, TARGET_WORKFLOW_TYPE, TENANT_WORKFLOW_TYPE,
};
use interlock_domain::sweep::MisplacedRun;
use interlock_fault::Fault;
use interlock_workflows::names;
use temporalio_client::NamespacedClient;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;

/// The most runs that are looked at in a namespace: a page of the server's visibility store.
pub const RUNS_MAX: i32 = 1_000;
/// The time limit of the visibility store's answer.
const LIST_TIME: Duration = Duration::from_secs(10);

/// The runs in a namespace that no worker executes, as far as the visibility store knows them.
///
/// # Errors
/// [`ServerError`].
pub async fn misplaced_runs(installation: &Installation, namespace: &str) -> Result<Vec<MisplacedRun>, ServerError> {
    let query = question(&installation.routing, installation.entities.has_search_attributes(namespace).await);
    let page = visibility::resume(&installation.client, namespace, &query, RUNS_MAX, Vec::new(), LIST_TIME).await?.page;
    let is_suspect = |run: &RunInfo| of_run(&installation.routing, namespace, run).is_some();
    if !page.runs.iter().any(is_suspect) {
        return Ok(Vec::new());
    }
    let routing = routing_now(installation).await?;
    let misplaced = page.runs.into_iter().filter_map(|run| {
        let misplacement = of_run(&routing, namespace, &run)?;
        Some(MisplacedRun::of(&misplacement, run.run_id, Timestamp(run.started_at.timestamp_millis())))
    });
    Ok(misplaced.collect())
}

/// Where everything is according to the present record. A process that started before the number of shards changed does not know the new
/// queues, and would take entities there for misplaced.
///
/// # Errors
/// The record cannot be read, or contradicts the settings. Then it is unknown which runs are misplaced.
async fn routing_now(installation: &Installation) -> Result<Routing, ServerError> {
    let (client, settings) = (&installation.client, &installation.settings);
    let namespace = client.namespace();
    let routing = async {
        let record = record::recorded(client, settings).await?;
        settings.routing_as_recorded(&installation.catalog, &namespace, &record)
    };
    routing.await.map_err(|fault: Fault| ServerError::Payload(Box::new(fault)))
}

/// The run behind an entity's workflow id, if it runs and no worker executes it. `None` as well if the server does not know it.
///
/// # Errors
/// [`ServerError`].
pub async fn misplaced_run(
    installation: &Installation,
    route: &EntityRoute,
) -> Result<Option<(RunInfo, Misplacement)>, ServerError> {
    let described = runs::describe(&installation.client, &route.namespace, &route.workflow_id).await?;
    let Some(run) = described.map(|described| described.run) else { return Ok(None) };
    if run.status != WorkflowExecutionStatus::Running {
        return Ok(None);
    }
    if of_run(&installation.routing, &route.namespace, &run).is_none() {
        return Ok(None);
    }
    let routing = routing_now(installation).await?;
    Ok(of_run(&routing, &route.namespace, &run).map(|misplacement| (run, misplacement)))
}

fn of_run(routing: &Routing, namespace: &str, run: &RunInfo) -> Option<Misplacement> {
    routing.misplaced(namespace, &run.workflow_id, &run.workflow_type, &run.task_queue)
}

/// All running workflows that may be misplaced: those of types that Interlock does not have, and entities on queues that no worker of theirs
/// serves. The ids are judged afterwards, because the store cannot search within them. A resource that somebody else started than Interlock has
/// not said what it is (`marked`: whether entities can), and may have the id of a customer.
fn question(routing: &Routing, marked: bool) -> String {
    let served = |kind| {
        let queues = routing.queues(kind, routing.served_shards().shards());
        quoted(queues.iter().map(String::as_str))
    };
    let types = [
        CUSTOMER_WORKFLOW_TYPE,
        RESOURCE_WORKFLOW_TYPE,
        TARGET_WORKFLOW_TYPE,
        TENANT_WORKFLOW_TYPE,
        ACTION_LOG_WORKFLOW_TYPE,
        IMPORT_WORKFLOW_TYPE,
        names::RESOURCE_IMPORT_PART,
        names::SWEEP,
    ];
    let unmarked = format!(" OR (WorkflowType = '{RESOURCE_WORKFLOW_TYPE}' AND InterlockEntityKind IS NULL)");
    format!(
        "ExecutionStatus = 'Running' AND (WorkflowType NOT IN ({}) OR (WorkflowType = '{CUSTOMER_WORKFLOW_TYPE}' AND TaskQueue \
         NOT IN ({})) OR (WorkflowType = '{RESOURCE_WORKFLOW_TYPE}' AND TaskQueue NOT IN ({})){})",
        quoted(types),
        served(QueueKind::Entity),
        served(QueueKind::Resource),
        if marked { unmarked.as_str() } else { "" },
    )
}

/// Types and queues contain no quotes.
fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use interlock_domain::routing::{RoutingSettings, ShardCount};

    use super::*;

    #[test]
    fn the_question_names_all_types_of_interlock_and_all_queues_that_are_served() {
        let settings = RoutingSettings { shard_count: ShardCount::try_from(2).unwrap(), ..RoutingSettings::default() };
        let routing = Routing::new(settings).unwrap();
        let asked = question(&routing, false);
        for part in [
            "ExecutionStatus = 'Running' AND (WorkflowType NOT IN ('CustomerEntity', 'ResourceEntity', 'TargetEntity', 'TenantEntity',",
            "(WorkflowType = 'CustomerEntity' AND TaskQueue NOT IN ('interlock.entity.00', 'interlock.entity.01'))",
            "(WorkflowType = 'ResourceEntity' AND TaskQueue NOT IN ('interlock.resource.00', 'interlock.resource.01')))",
        ] {
            assert!(asked.contains(part), "{asked}");
        }
        assert!(!asked.contains("InterlockEntityKind"), "the store may not know it: {asked}");
        assert!(question(&routing, true).ends_with("AND InterlockEntityKind IS NULL))"));
    }
}
