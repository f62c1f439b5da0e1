//! What Temporal knows about an entity's run: whether it still runs, and the state of its calls. The entity itself knows nothing about
//! the attempts of its calls.

use chrono::{DateTime, Utc};
use interlock_domain::attempt::{LeftBy, calls_so_far};
use interlock_domain::customer::{CallView, WaitView};
use interlock_domain::entity_end::EntityEnd;
use interlock_domain::ids::Timestamp;
use interlock_domain::outcome::Outcome;
use temporalio_common::data_converters::{DataConverter, SerializationContextData, WorkflowSerializationContext};
use temporalio_common::protos::temporal::api::enums::v1::{PendingActivityState, WorkflowExecutionStatus};
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeWorkflowExecutionResponse;

use crate::failure_text::{FailedAttempt, failure_text};
use crate::paused::Paused;

/// The activity that calls targets.
const CALL: &str = "provision";

/// A run of an entity.
pub struct EntityRun {
    status: WorkflowExecutionStatus,
    calls: Vec<PendingActivityInfo>,
    paused: Option<Paused>,
    paused_activity: Option<(String, Paused)>,
}

/// A call that is in flight or waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallUnderWay {
    /// Its id in Temporal.
    activity_id: String,
    /// The operator's pause of it, if any.
    paused: Option<Paused>,
    /// The number of the current or next attempt, from 1.
    attempt: i32,
    /// Why the last attempt failed.
    last_failure: Option<FailedAttempt>,
    /// When the next attempt starts, if the call waits.
    next_attempt_at: Option<Timestamp>,
    /// How often its attempts have sent the request, as far as is known; one that is running counts.
    calls: u32,
}

impl EntityRun {
    /// Reads a run from the server's description of it.
    pub fn of(described: DescribeWorkflowExecutionResponse) -> Self {
        let status =
            described.workflow_execution_info.map_or(WorkflowExecutionStatus::Unspecified, |info| info.status());
        let pause_info = described.workflow_extended_info.and_then(|info| info.pause_info);
        let is_paused = status == WorkflowExecutionStatus::Paused || pause_info.is_some();
        let paused = is_paused.then(|| Paused::workflow(pause_info));
        let is_call = |call: &PendingActivityInfo| call.activity_type.as_ref().is_some_and(|kind| kind.name == CALL);
        let paused_activity =
            |activity: &PendingActivityInfo| Some((activity.activity_id.clone(), Paused::call(activity)?));
        let paused_activity = described.pending_activities.iter().find_map(paused_activity);
        let calls = described.pending_activities.into_iter().filter(is_call).collect();
        Self { status, calls, paused, paused_activity }
    }

    /// How it ended, if it did and no other run follows. The entity then does nothing more.
    pub fn ended(&self) -> Option<EntityEnd> {
        match self.status {
            WorkflowExecutionStatus::Terminated => Some(EntityEnd::Terminated),
            WorkflowExecutionStatus::TimedOut => Some(EntityEnd::TimedOut),
            WorkflowExecutionStatus::Failed => Some(EntityEnd::Failed),
            WorkflowExecutionStatus::Canceled => Some(EntityEnd::Cancelled),
            WorkflowExecutionStatus::Completed => Some(EntityEnd::Completed),
            WorkflowExecutionStatus::Running
            | WorkflowExecutionStatus::Paused
            | WorkflowExecutionStatus::ContinuedAsNew
            | WorkflowExecutionStatus::Unspecified => None,
        }
    }

    /// The operator's pause of the workflow, if any.
    pub fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// Any of its activities that an operator paused, with its id.
    pub fn paused_activity(&self) -> Option<(&str, &Paused)> {
        self.paused_activity.as_ref().map(|(activity, paused)| (activity.as_str(), paused))
    }

    /// The call on a target's queue. `None` if there is none, or if there are several, which cannot be told apart.
    pub async fn call_at(&self, converter: &DataConverter, queue: &str) -> Option<CallUnderWay> {
        let mut calls = self.calls.iter().filter(|call| queue_of(call) == Some(queue));
        let (Some(call), None) = (calls.next(), calls.next()) else { return None };
        let last_failure = match call.last_failure.clone() {
            Some(failure) => Some(FailedAttempt::of(failure_text(converter, failure).await)),
            None => None,
        };
        let next = call.next_attempt_schedule_time.as_ref();
        let next_attempt_at = next.map(|at| Timestamp(at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000));
        let attempt = u32::try_from(call.attempt).unwrap_or(0);
        let is_running = call.state() == PendingActivityState::Started;
        Some(CallUnderWay {
            calls: calls_so_far(attempt, is_running, left_by(converter, call).await),
            activity_id: call.activity_id.clone(),
            paused: Paused::call(call),
            attempt: call.attempt,
            last_failure,
            next_attempt_at,
        })
    }
}

/// What its attempts left behind, if one said so.
async fn left_by(converter: &DataConverter, call: &PendingActivityInfo) -> Option<LeftBy> {
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let details = call.heartbeat_details.clone()?.payloads;
    converter.from_payloads::<Option<LeftBy>>(&context, details).await.ok().flatten()
}

fn queue_of(call: &PendingActivityInfo) -> Option<&str> {
    call.activity_options.as_ref()?.task_queue.as_ref().map(|queue| queue.name.as_str())
}

impl CallUnderWay {
    /// The operator's pause of it, if any.
    pub fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// How often its attempts have sent the request, as far as is known; one that is running counts.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// A sentence about the call. `None` for a first attempt that is not paused, since there is nothing to report.
    pub fn sentence(&self, now: DateTime<Utc>) -> Option<String> {
        let said: Vec<String> = self.paused.iter().map(Paused::sentence).chain(self.attempts(now)).collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    fn attempts(&self, now: DateTime<Utc>) -> Option<String> {
        let FailedAttempt { sentence: failure, outcome } = self.last_failure.as_ref()?;
        let next = self.next_attempt_at.filter(|at| at.0 > now.timestamp_millis());
        if let Some(Outcome::Accepted { job, .. }) = outcome {
            let next = next.map(|at| format!("; it is asked next at {}", at.to_rfc3339())).unwrap_or_default();
            return Some(format!("The target works on it as job '{job}'{next}."));
        }
        let next = next.map(|at| format!(", scheduled for {}", at.to_rfc3339())).unwrap_or_default();
        Some(format!("This is attempt {}{next}; the last one failed: {}.", self.attempt, failure.trim_end_matches('.')))
    }

    /// Adds it to an order's view, next to what the order waits for.
    pub fn show_in(&self, waiting_for: &mut WaitView) {
        waiting_for.paused = self.paused.as_ref().map(Paused::view);
        waiting_for.call = Some(CallView {
            activity_id: self.activity_id.clone(),
            attempt: self.attempt,
            last_failure: self.last_failure.as_ref().map(|failed| failed.sentence.clone()),
            last_outcome: self.last_failure.as_ref().and_then(|failed| failed.outcome.clone()),
            next_attempt_at: self.next_attempt_at.map(Timestamp::to_rfc3339),
        });
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::attempt::Left;
    use interlock_domain::customer::waiting::WaitingFor;
    use temporalio_common::protos::temporal::api::activity::v1::ActivityOptions;
    use temporalio_common::protos::temporal::api::common::v1::{ActivityType, Payloads};
    use temporalio_common::protos::temporal::api::failure::v1::Failure;
    use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
    use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;

    use super::*;

    fn call(activity: &str, queue: &str, attempt: i32, failure: Option<&str>) -> PendingActivityInfo {
        let task_queue = TaskQueue { name: queue.to_owned(), ..TaskQueue::default() };
        PendingActivityInfo {
            activity_type: Some(ActivityType { name: activity.to_owned() }),
            attempt,
            last_failure: failure.map(|message| Failure { message: message.to_owned(), ..Failure::default() }),
            activity_options: Some(ActivityOptions { task_queue: Some(task_queue), ..ActivityOptions::default() }),
            ..PendingActivityInfo::default()
        }
    }

    fn run(status: WorkflowExecutionStatus, pending_activities: Vec<PendingActivityInfo>) -> EntityRun {
        let info = WorkflowExecutionInfo { status: status.into(), ..WorkflowExecutionInfo::default() };
        EntityRun::of(DescribeWorkflowExecutionResponse {
            workflow_execution_info: Some(info),
            pending_activities,
            ..DescribeWorkflowExecutionResponse::default()
        })
    }

    #[test]
    fn a_run_with_a_successor_is_not_the_end() {
        assert_eq!(run(WorkflowExecutionStatus::Terminated, Vec::new()).ended(), Some(EntityEnd::Terminated));
        for goes_on in [WorkflowExecutionStatus::Running, WorkflowExecutionStatus::ContinuedAsNew] {
            assert_eq!(run(goes_on, Vec::new()).ended(), None);
        }
    }

    #[tokio::test]
    async fn a_single_call_at_a_target_is_shown() {
        let hss = "interlock.provisioning-hss";
        let calls = vec![
            call(CALL, hss, 3, Some(r#"{"class":"unavailable","detail":"503 Service Unavailable."}"#)),
            call(CALL, "interlock.provisioning-crm", 1, None),
            call("look_up", hss, 9, None),
        ];
        let run = run(WorkflowExecutionStatus::Running, calls);
        let converter = DataConverter::default();
        let told = run.call_at(&converter, hss).await.unwrap();
        let now = DateTime::from_timestamp_millis(0).unwrap();
        assert_eq!(told.sentence(now).unwrap(), "This is attempt 3; the last one failed: 503 Service Unavailable.");
        assert_eq!(told.calls(), 2, "the third attempt has not begun");
        let later = CallUnderWay { next_attempt_at: Some(Timestamp(1_000)), ..told };
        assert!(later.sentence(now).unwrap().contains("attempt 3, scheduled for 1970-01-01T00:00:01.000Z;"));
        let mut waiting_for = WaitView::from(WaitingFor::Admission { since: "now".to_owned() });
        later.show_in(&mut waiting_for);
        let call = waiting_for.call.unwrap();
        assert_eq!(call.last_failure.as_deref(), Some("503 Service Unavailable."));
        assert_eq!(call.last_outcome.map(|outcome| outcome.class()), Some("unavailable"));
        assert_eq!((call.attempt, call.next_attempt_at.as_deref()), (3, Some("1970-01-01T00:00:01.000Z")));
        let job = r#"{"class":"accepted","job":"17","detail":"queued"}"#.to_owned();
        let on_job = CallUnderWay { last_failure: Some(FailedAttempt::of(job)), ..later };
        assert_eq!(
            on_job.sentence(now).unwrap(),
            "The target works on it as job '17'; it is asked next at 1970-01-01T00:00:01.000Z."
        );
        let running = PendingActivityInfo {
            state: PendingActivityState::Started.into(),
            ..super::tests::call(CALL, hss, 3, None)
        };
        let left = LeftBy { attempt: 2, left: Left::Settled, next_at: None, calls: Some(1) };
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let details = converter.to_payloads(&context, &Some(left)).await.unwrap();
        let said = PendingActivityInfo { heartbeat_details: Some(Payloads { payloads: details }), ..running.clone() };
        for (call, calls) in [(running, 3), (said, 2)] {
            let run = super::tests::run(WorkflowExecutionStatus::Running, vec![call]);
            assert_eq!(run.call_at(&converter, hss).await.unwrap().calls(), calls);
        }
        let at_crm = run.call_at(&converter, "interlock.provisioning-crm").await.unwrap();
        assert_eq!(at_crm.sentence(now), None, "it never failed");
        assert_eq!(run.call_at(&converter, "interlock.provisioning-billing").await, None);
    }

    #[tokio::test]
    async fn of_several_calls_at_a_target_none_is_shown() {
        let queue = "interlock.provisioning-hss";
        let calls = vec![call(CALL, queue, 1, None), call(CALL, queue, 2, None)];
        let run = run(WorkflowExecutionStatus::Running, calls);
        assert_eq!(run.call_at(&DataConverter::default(), queue).await, None);
    }
}
