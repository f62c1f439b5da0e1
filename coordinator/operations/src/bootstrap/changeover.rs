//! The change of the count of shards: entities on a queue that is no longer theirs are asked to move.
//!
//! Entities that are not asked move anyway when their runs are long enough: other messages tell them. This is for idle ones.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use interlock_client::visibility::{self, ENTITIES_PER_PAGE};
use interlock_client::{EntityCallError, EntityHandle, RunInfo, ServerError, task_queues};
use interlock_connection::Installation;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::routing::{EntityRoute, QueueAssignment};
use interlock_fault::Fault;
use interlock_workflows::{StartArgument, names};
use serde::Serialize;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use uuid::Uuid;

/// How many are asked at a time.
const ASKED_AT_A_TIME: usize = 32;
/// The pause between two looks: the list of entities lags a little.
const PAUSE: Duration = Duration::from_secs(2);
/// How many looks in a row must find no entity on another queue before the change is over.
const LOOKS_WITH_NOBODY: usize = 2;

/// The progress of the change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changeover {
    /// The entities that run, at the last look.
    pub entities: usize,
    /// How many of them were on another queue than their own, by that queue, at the last look.
    pub elsewhere: BTreeMap<String, usize>,
    /// How many were asked to move, by this run of the command.
    pub asked: usize,
    /// The queues to which entities should move, and which no worker serves.
    pub unserved: BTreeSet<String>,
    /// Whether no entity is on another queue any more, and the count is changed.
    pub over: bool,
}

impl Changeover {
    /// Whether no entity is on another queue any more.
    pub fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let elsewhere: usize = self.elsewhere.values().sum();
        let mut lines: Vec<String> =
            self.elsewhere.iter().map(|(queue, count)| format!("{count:>8} entities still on {queue}")).collect();
        lines.push(format!(
            "{elsewhere} of {} entities are on another queue than their own; {} were asked to move.",
            self.entities, self.asked
        ));
        if !self.unserved.is_empty() {
            let queues = self.unserved.iter().cloned().collect::<Vec<_>>().join(", ");
            lines.push(format!("No worker serves {queues}: restart the workers, then run this again."));
        } else if self.over {
            lines.push("The change of the shard count is complete.".to_owned());
        } else {
            lines.push(
                "Run this again until none is left; entities with calls in flight move when these calls end."
                    .to_owned(),
            );
        }
        lines
    }
}

/// Looks repeatedly, and asks entities on another queue to move, each once, until none is left or the time is over.
///
/// # Errors
/// [`Fault`] `temporal_refused` if Temporal does not list the entities, or does not accept the requests to them.
pub(super) async fn carry_on(installation: &Installation, wait: Duration) -> Result<Changeover, Fault> {
    let until = Instant::now() + wait;
    let mut move_all = MoveAll { installation, served: BTreeMap::new(), asked: HashSet::new() };
    let mut looks_with_nobody = 0;
    loop {
        let mut seen = move_all.look().await?;
        looks_with_nobody = if seen.elsewhere.is_empty() { looks_with_nobody + 1 } else { 0 };
        seen.over = looks_with_nobody >= LOOKS_WITH_NOBODY;
        let may_look_again = Instant::now() + PAUSE <= until || (seen.elsewhere.is_empty() && !seen.over);
        if seen.over || !seen.unserved.is_empty() || !may_look_again {
            return Ok(seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct MoveAll<'a> {
    installation: &'a Installation,
    /// Whether a worker serves a queue, by namespace and queue.
    served: BTreeMap<(String, String), bool>,
    /// Namespaces and workflow ids.
    asked: HashSet<(String, String)>,
}

impl MoveAll<'_> {
    async fn look(&mut self) -> Result<Changeover, Fault> {
        let mut seen = Changeover::default();
        let client = &self.installation.client;
        let types = [
            names::CUSTOMER_ENTITY,
            names::RESOURCE_ENTITY,
            names::TARGET_ENTITY,
            names::TENANT_ENTITY,
            names::ACTION_LOG,
            names::RESOURCE_IMPORT,
            // It is waited for: parts do not move.
            names::RESOURCE_IMPORT_PART,
        ];
        let query = format!("WorkflowType IN ('{}') AND ExecutionStatus = 'Running'", types.join("', '"));
        for namespace in self.installation.namespaces() {
            let mut token = Vec::new();
            loop {
                let page = visibility::page(client, &namespace, &query, ENTITIES_PER_PAGE, token).await;
                let page = page.map_err(|error| refused("the list of entities", &error))?;
                let misplaced = self.misplaced(&namespace, page.runs, &mut seen).await?;
                self.ask(misplaced).await?;
                if page.next.is_empty() {
                    break;
                }
                token = page.next;
            }
        }
        seen.asked = self.asked.len();
        Ok(seen)
    }

    /// Counts the entities of a page, and returns those that are on another queue, can move, and were not asked yet.
    async fn misplaced(
        &mut self,
        namespace: &str,
        page: Vec<RunInfo>,
        seen: &mut Changeover,
    ) -> Result<Vec<EntityRoute>, Fault> {
        let mut misplaced = Vec::new();
        for run in page {
            // It belongs to another installation, or to no tenant.
            let Some(route) = self.installation.routing.route_of(namespace, &run.workflow_id) else { continue };
            seen.entities += 1;
            if run.task_queue == route.task_queue {
                continue;
            }
            *seen.elsewhere.entry(run.task_queue).or_default() += 1;
            if !self.is_served(namespace, &route.task_queue).await? {
                seen.unserved.insert(route.task_queue);
            } else if self.asked.insert((namespace.to_owned(), route.workflow_id.clone())) {
                misplaced.push(route);
            }
        }
        Ok(misplaced)
    }

    /// Whether a worker polls this queue for workflow tasks: no entity is sent to a queue that no worker serves.
    async fn is_served(&mut self, namespace: &str, queue: &str) -> Result<bool, Fault> {
        let place = (namespace.to_owned(), queue.to_owned());
        if let Some(served) = self.served.get(&place) {
            return Ok(*served);
        }
        let pollers = task_queues::pollers(&self.installation.client, namespace, queue, TaskQueueType::Workflow).await;
        let pollers = pollers.map_err(|error| refused(queue, &error))?;
        self.served.insert(place, !pollers.is_empty());
        Ok(!pollers.is_empty())
    }

    async fn ask(&self, misplaced: Vec<EntityRoute>) -> Result<(), Fault> {
        let (entities, generation) = (&self.installation.entities, self.installation.routing.settings().generation);
        let asked = futures_util::stream::iter(misplaced.into_iter().map(|route| async move {
            let queue_assignment = QueueAssignment { generation, task_queue: route.task_queue.clone() };
            // The entity runs, so the start argument is never used.
            let start = StartArgument { tenant_id: String::new(), entity_id: String::new() };
            let entity = EntityHandle { route, start };
            entities.signal(&entity, names::MOVE_TO, &queue_assignment, &Uuid::new_v4().to_string()).await
        }));
        let answers: Vec<Result<_, EntityCallError>> = asked.buffer_unordered(ASKED_AT_A_TIME).collect().await;
        for answer in answers {
            // One that no longer runs has no queue.
            let _delivery = answer.map_err(|error| Fault::failed(error.code(), format!("{error}.")))?;
        }
        Ok(())
    }
}

fn refused(what: &str, error: &ServerError) -> Fault {
    Fault::failed(ErrorCode::TemporalRefused, format!("Temporal did not return {what}: {}.", error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_lives_elsewhere_and_what_to_do() {
        let mut changeover = Changeover { entities: 9, asked: 2, ..Changeover::default() };
        changeover.elsewhere.insert("interlock.entity.00".to_owned(), 3);
        let text = changeover.lines().join("\n");
        assert!(text.contains("3 entities still on interlock.entity.00") && text.contains("3 of 9"), "{text}");
        assert!(text.contains("Run this again"), "{text}");
        changeover.unserved.insert("interlock.entity.02".to_owned());
        assert!(changeover.lines().join("\n").contains("No worker serves interlock.entity.02"));
        let over = Changeover { entities: 9, over: true, ..Changeover::default() };
        assert!(over.lines().join("\n").ends_with("The change of the shard count is complete."));
    }
}
