//! Sends a list to its workflow, part by part, and waits for the results. After an interruption, the same list continues
//! where it stopped: the workflow knows which parts it has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use interlock_client::runs::{self, DescribedRun};
use interlock_client::{EntityCallError, EntityHandle, ServerError, histories};
use interlock_connection::Installation;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{TenantId, Timestamp};
use interlock_domain::import::{GIVES_UP_AFTER_MS, ImportPart, ImportTally, PARTS_AT_ONCE, PartAnswer, PartReport};
use interlock_fault::Fault;
use interlock_workflows::{StartArgument, names, pack, part_workflow_id};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use uuid::Uuid;

use super::{ImportTold, ListFile, ListPart};
use crate::actions::{Actions, Update};
use crate::inspection::InspectionError;

/// How long the workflow may take to answer one call.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// For how long a call is repeated.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often to check the progress of a part.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// After what time without progress a person is told.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// Sends lists of one tenant.
pub struct ImportRunner {
    installation: Installation,
    tenant: TenantId,
}

/// The state of an import, as its workflow reports it.
#[derive(Debug, Deserialize)]
struct ImportProgress {
    began_at: Timestamp,
    received: u64,
    failed: BTreeSet<u64>,
    open: BTreeMap<u64, u64>,
    waiting: Option<u64>,
}

/// The state of a part.
enum PartState {
    /// This many of its lines are done.
    UnderWay(u64),
    Over(PartReport),
    /// It ended before it was done.
    Failed,
    /// It has not started, or was already forgotten.
    Unknown,
}

/// The first element of the heartbeat details of an activity.
#[derive(Deserialize)]
struct Reached {
    lines: u64,
}

impl ImportRunner {
    /// Uses this installation's connection.
    pub fn new(installation: Installation, tenant: TenantId) -> Self {
        Self { installation, tenant }
    }

    /// Imports a list, or what is left of it, and returns the results of all its lines. Lines of parts that were done before
    /// this call are reported again, as long as Temporal keeps their workflows.
    ///
    /// # Errors
    /// [`Fault`] `list_unreadable`, `import_stalled` or `import_part_failed`; the same list then continues where it stopped.
    pub async fn run(&self, list: &ListFile, told: &mut (dyn ImportTold + Send)) -> Result<ImportTally, Fault> {
        let import = self.import(list.digest());
        let progress: ImportProgress = self.call(&import, names::BEGIN, &begins()).await?;
        let mut under_way =
            UnderWay { runner: self, import: &import, progress, open: VecDeque::new(), done: Done::default() };
        let mut parts = 0;
        for part in list.parts()? {
            let part = part?;
            parts = part.number + 1;
            under_way.bring(part, told).await?;
        }
        while under_way.open.front().is_some() {
            under_way.finish_one(told).await?;
        }
        let UnderWay { done, .. } = under_way;
        let bad = done.bad;
        // If the import is over, another command that sent the same list has completed it.
        let _progress: Option<ImportProgress> =
            self.call_running(&import, names::COMPLETE, &json!({ "parts": parts })).await?;
        let mut tally: ImportTally = self.result_of_import(&import).await?;
        tally.bad += bad;
        Ok(tally)
    }

    fn import(&self, digest: &str) -> EntityHandle {
        let start = StartArgument { tenant_id: self.tenant.to_string(), entity_id: format!("import/{digest}") };
        EntityHandle { route: self.installation.routing.import(&self.tenant, digest), start }
    }

    /// Calls the import's workflow, starting it if it does not run; repeats the call if there is no answer. A repeated call
    /// has no further effect.
    async fn call<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        import: &EntityHandle,
        update: &str,
        message: &M,
    ) -> Result<A, Fault> {
        let began = Instant::now();
        loop {
            let id = Uuid::new_v4().to_string();
            let asked = self.installation.entities.update_with_start(import, update, message, &id);
            let reason = match tokio::time::timeout(ANSWER_LIMIT, asked).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error @ EntityCallError::Payload { .. })) => return Err(stalled(&error.to_string())),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no worker answers".to_owned(),
            };
            if began.elapsed() > PATIENCE {
                return Err(stalled(&reason));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Calls the import's workflow if it runs; none if it does not, because it is over. A call for one import must not start
    /// another one, which would never get its parts.
    async fn call_running<A: DeserializeOwned>(
        &self,
        import: &EntityHandle,
        update: &str,
        message: &Value,
    ) -> Result<Option<A>, Fault> {
        let actions = Actions::new(self.installation.clone());
        let began = Instant::now();
        loop {
            let asked = Update {
                what: "The import",
                entity: import,
                name: update,
                id: &Uuid::new_v4().to_string(),
                argument: message,
                limit: ANSWER_LIMIT,
            };
            match actions.update(asked).await {
                Ok(answer) => {
                    return serde_json::from_value(answer).map(Some).map_err(|error| stalled(&error.to_string()));
                }
                Err(InspectionError::NeverSeen(_)) => return Ok(None),
                Err(error) if began.elapsed() > PATIENCE => return Err(stalled(&error.to_string())),
                Err(error) => tracing::debug!(%error, "the import is called again"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn result_of_import(&self, import: &EntityHandle) -> Result<ImportTally, Fault> {
        let began = Instant::now();
        loop {
            let described = self.describe(import, &import.route.workflow_id).await;
            match described.map(|described| described.map(|described| described.run.status)) {
                Ok(Some(WorkflowExecutionStatus::Completed)) => {
                    let result = self.result(import, &import.route.workflow_id).await;
                    return result.map_err(|error| stalled(&error.message()));
                }
                Ok(Some(WorkflowExecutionStatus::Running | WorkflowExecutionStatus::ContinuedAsNew) | None) => {}
                Ok(Some(status)) => return Err(stalled(&format!("its workflow is {}", status.as_str_name()))),
                Err(error) if began.elapsed() > PATIENCE => return Err(stalled(&error.message())),
                Err(_) => {}
            }
            if began.elapsed() > PATIENCE {
                return Err(stalled("its workflow does not end"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn part_state(
        &self,
        import: &EntityHandle,
        began_at: Timestamp,
        number: u64,
    ) -> Result<PartState, ServerError> {
        let workflow_id = part_workflow_id(&import.route.workflow_id, began_at, number);
        let Some(described) = self.describe(import, &workflow_id).await? else { return Ok(PartState::Unknown) };
        match described.run.status {
            WorkflowExecutionStatus::Completed => self.result(import, &workflow_id).await.map(PartState::Over),
            WorkflowExecutionStatus::Running => {
                let reached: Option<Reached> = described.heartbeat(&self.installation.client).await.flatten();
                Ok(PartState::UnderWay(reached.map_or(0, |reached| reached.lines)))
            }
            _ => Ok(PartState::Failed),
        }
    }

    async fn describe(&self, import: &EntityHandle, workflow_id: &str) -> Result<Option<DescribedRun>, ServerError> {
        runs::describe(&self.installation.client, &import.route.namespace, workflow_id).await
    }

    /// The result of a workflow that has ended.
    async fn result<A: DeserializeOwned + 'static>(
        &self,
        import: &EntityHandle,
        workflow_id: &str,
    ) -> Result<A, ServerError> {
        let result = histories::result(&self.installation.client, &import.route.namespace, workflow_id).await?;
        result.ok_or_else(|| ServerError::Payload("its workflow did not answer".into()))
    }
}

/// The results of a list so far.
#[derive(Debug, Default)]
struct Done {
    lines: u64,
    /// Lines that are in no part.
    bad: u64,
    tally: ImportTally,
}

/// The running parts, oldest first.
struct UnderWay<'a> {
    runner: &'a ImportRunner,
    import: &'a EntityHandle,
    progress: ImportProgress,
    open: VecDeque<u64>,
    done: Done,
}

impl UnderWay<'_> {
    /// Sends a part, unless the workflow has it, as soon as there is room for it.
    async fn bring(&mut self, part: ListPart, told: &mut (dyn ImportTold + Send)) -> Result<(), Fault> {
        for problem in &part.bad {
            told.problem(problem);
            self.done.bad += 1;
            self.done.tally.bad += 1;
        }
        while self.open.len() >= PARTS_AT_ONCE {
            self.finish_one(told).await?;
        }
        let number = part.number;
        if number >= self.progress.received || self.progress.failed.contains(&number) {
            let data = pack(&part.leases).map_err(|fault| stalled(&fault.to_string()))?;
            let message = ImportPart { number, lines: part.leases.len() as u64, data };
            self.send(&message).await?;
        }
        self.open.push_back(number);
        Ok(())
    }

    async fn send(&mut self, part: &ImportPart) -> Result<(), Fault> {
        loop {
            match self.runner.call_running(self.import, names::PART, &json!(part)).await? {
                Some(PartAnswer::Taken) => {
                    self.progress.failed.remove(&part.number);
                    return Ok(());
                }
                None => {
                    let described = self.runner.describe(self.import, &self.import.route.workflow_id).await;
                    let status = described.ok().flatten().map(|described| described.run.status);
                    if status != Some(WorkflowExecutionStatus::Completed) {
                        return Err(stalled(&format!("its workflow ended before it got part {}", part.number)));
                    }
                    // Another command sent the rest of the same list.
                    self.progress.failed.remove(&part.number);
                    return Ok(());
                }
                Some(PartAnswer::Busy) => tokio::time::sleep(LOOK_EVERY).await,
                Some(PartAnswer::Expected { number }) => {
                    return Err(stalled(&format!("it waits for part {number}, not for {}", part.number)));
                }
            }
        }
    }

    /// Waits until the oldest part has ended, and reports its results.
    async fn finish_one(&mut self, told: &mut (dyn ImportTold + Send)) -> Result<(), Fault> {
        let Some(number) = self.open.pop_front() else { return Ok(()) };
        let (mut moved, mut last, mut unknown) = (Instant::now(), 0, 0_u32);
        loop {
            let looked = self.runner.part_state(self.import, self.progress.began_at, number).await;
            match looked {
                Ok(PartState::Over(report)) => {
                    report.problems.iter().for_each(|problem| told.problem(problem));
                    self.done.lines += report.tally.lines();
                    self.done.tally.add(&report.tally);
                    told.reached(self.done.lines + self.done.bad, &self.done.tally);
                    return Ok(());
                }
                Ok(PartState::UnderWay(lines)) if lines != last => {
                    (moved, last) = (Instant::now(), lines);
                    told.reached(self.done.lines + self.done.bad + lines, &self.done.tally);
                }
                Ok(PartState::Failed) => {
                    return Err(Fault::failed(ErrorCode::ImportPartFailed, format!("Part {number} ended too early.")));
                }
                Ok(PartState::Unknown) => {
                    unknown += 1;
                    // A part that waits has no workflow yet; if it does not wait, its workflow is already forgotten.
                    if unknown.is_multiple_of(8) {
                        self.progress = self.runner.call(self.import, names::BEGIN, &begins()).await?;
                        let is_known =
                            self.progress.open.contains_key(&number) || self.progress.waiting == Some(number);
                        if !is_known {
                            told.notice(&format!(
                                "part {number} was already imported, and Temporal no longer has the results of its \
                                 lines"
                            ));
                            return Ok(());
                        }
                    }
                }
                Ok(PartState::UnderWay(_)) => {}
                Err(error) => tracing::warn!(status = %error, "cannot read the progress of the import"),
            }
            if moved.elapsed() > QUIET_MAX {
                moved = Instant::now();
                told.notice("no progress for a while; check that workers are running, then wait or run it again");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The argument with which a command starts an import.
fn begins() -> Value {
    json!({ "gives_up_after_ms": GIVES_UP_AFTER_MS })
}

fn stalled(reason: &str) -> Fault {
    Fault::failed(ErrorCode::ImportStalled, format!("The import makes no progress: {reason}."))
}
