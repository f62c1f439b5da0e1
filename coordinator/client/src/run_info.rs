//! A run of a workflow, as the server lists and describes it.

use chrono::{DateTime, Utc};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;

/// A run of a workflow, as the server lists and describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// The id of the workflow.
    pub workflow_id: String,
    /// The id of the run.
    pub run_id: String,
    /// Whether it runs, and how it ended.
    pub status: WorkflowExecutionStatus,
    /// When it started. The start of 1970 if the server did not say.
    pub started_at: DateTime<Utc>,
    /// The task queue of its workflow tasks.
    pub task_queue: String,
    /// Its workflow type.
    pub workflow_type: String,
    /// The names of the fields of its memo, sorted.
    pub memo_fields: Vec<String>,
}

impl RunInfo {
    /// Reads the server's information about a run. `None` if it does not name the run.
    pub(crate) fn of(info: WorkflowExecutionInfo) -> Option<Self> {
        let status = info.status();
        let started_at = info.start_time.map(|time| time_of(time.seconds, time.nanos)).unwrap_or_default();
        let WorkflowExecution { workflow_id, run_id } = info.execution?;
        let workflow_type = info.r#type.map(|workflow_type| workflow_type.name).unwrap_or_default();
        let mut memo_fields: Vec<String> = info.memo.unwrap_or_default().fields.into_keys().collect();
        memo_fields.sort();
        Some(Self { workflow_id, run_id, status, started_at, task_queue: info.task_queue, workflow_type, memo_fields })
    }
}

/// Temporal's time: seconds since 1970, and nanoseconds.
pub(crate) fn time_of(seconds: i64, nanos: i32) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, u32::try_from(nanos).unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_an_id_is_left_out() {
        let execution = WorkflowExecution { workflow_id: "t/customer/A1".to_owned(), run_id: "1".to_owned() };
        let mut info = WorkflowExecutionInfo { execution: Some(execution), ..WorkflowExecutionInfo::default() };
        info.start_time.get_or_insert_default().seconds = 2;
        info.start_time.get_or_insert_default().nanos = 3_000_000;
        let run = RunInfo::of(info).unwrap();
        assert_eq!((run.workflow_id.as_str(), run.started_at.timestamp_millis()), ("t/customer/A1", 2_003));
        assert_eq!(RunInfo::of(WorkflowExecutionInfo::default()), None);
    }
}
