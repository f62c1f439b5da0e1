//! What Temporal recorded: no task failed by poison, and no run grew beyond its limit.

use interlock_client::{RunInfo, histories, visibility};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::{WorkflowExecutionStatus, WorkflowTaskFailedCause};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};

use super::{Evidence, Verdict};
use crate::error::BatteryError;
use crate::stage::Stage;

/// The most events of a run: the forced continue-as-new at 2,000 events, and what may arrive until then.
const EVENTS_MAX: usize = 3_000;

/// The history of a run.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The run.
    pub run: RunInfo,
    /// Its history.
    pub history: History,
}

impl Recorded {
    /// A name for a file.
    pub fn file_name(&self) -> String {
        format!("{}.{}", self.run.workflow_id.replace('/', "_"), self.run.run_id)
    }

    fn place(&self, event: &HistoryEvent) -> String {
        format!("{} run {} event {}", self.run.workflow_id, self.run.run_id, event.event_id)
    }
}

fn unjudged(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> BatteryError {
    move |error| BatteryError::Unjudged { what, reason: error.to_string() }
}

/// The histories of all runs of the stage's namespace.
pub(super) async fn all(stage: &Stage) -> Result<Vec<Recorded>, BatteryError> {
    let (client, namespace) = (&stage.platform.installation.client, stage.platform.server.namespace());
    let fault = unjudged("reading the histories");
    let mut recorded = Vec::new();
    for run in visibility::all(client, namespace, "").await.map_err(|error| fault(&error))? {
        let execution = WorkflowExecution { workflow_id: run.workflow_id.clone(), run_id: run.run_id.clone() };
        let history = histories::history(client, namespace, execution).await.map_err(|error| fault(&error))?;
        recorded.extend(history.map(|events| Recorded { run, history: History { events } }));
    }
    Ok(recorded)
}

/// No workflow and no workflow task failed.
pub(super) fn poison(evidence: &Evidence<'_>) -> Verdict {
    // An input that arrives when a run wants to end makes the server repeat the task; the point of a reset is no failure, either. A worker
    // gives a task back that replay would divide differently (`query_guard`).
    let expected = [
        WorkflowTaskFailedCause::UnhandledCommand,
        WorkflowTaskFailedCause::ResetWorkflow,
        WorkflowTaskFailedCause::ResetStickyTaskQueue,
    ];
    let mut violations = Vec::new();
    for recorded in &evidence.recorded {
        for event in &recorded.history.events {
            if let Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) = &event.attributes
                && !expected.contains(&failed.cause())
            {
                let message = failed.failure.as_ref().map_or("", |failure| failure.message.as_str());
                violations.push(format!("{}: {} {message}", recorded.place(event), failed.cause().as_str_name()));
            }
        }
        if recorded.run.status == WorkflowExecutionStatus::Failed {
            violations.push(format!("{} run {} failed", recorded.run.workflow_id, recorded.run.run_id));
        }
    }
    let taken = evidence.tally.get("poison").hit;
    let checked = format!("{taken} doses of poison, {} runs", evidence.recorded.len());
    Verdict { violations, ..Verdict::new("P7 poison is harmless", checked) }
}

/// No run grew beyond its limit.
pub(super) fn bounded(evidence: &Evidence<'_>) -> Verdict {
    let longest = evidence.recorded.iter().max_by_key(|recorded| recorded.history.events.len());
    let events = longest.map_or(0, |longest| longest.history.events.len());
    let mut verdict = Verdict::new("P8 bounded", format!("the longest history has {events} events"));
    for recorded in evidence.recorded.iter().filter(|recorded| recorded.history.events.len() > EVENTS_MAX) {
        let events = recorded.history.events.len();
        verdict.violated(format!("{} run {} has {events} events", recorded.run.workflow_id, recorded.run.run_id));
    }
    verdict
}
