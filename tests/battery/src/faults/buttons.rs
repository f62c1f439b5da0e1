//! Temporal's own buttons, pressed on a random entity as an operator may press them.

use interlock_client::{histories, visibility};
use interlock_connection::Installation;
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::{EventType, PendingActivityState};
use temporalio_common::protos::temporal::api::schedule::v1::SchedulePatch;
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, PatchScheduleRequest, PauseActivityRequest,
    RequestCancelWorkflowExecutionRequest, ResetActivityRequest, ResetWorkflowExecutionRequest,
    RespondActivityTaskCompletedByIdRequest, TerminateWorkflowExecutionRequest, UnpauseActivityRequest,
    pause_activity_request, reset_activity_request, unpause_activity_request,
};
use tonic::{Code, IntoRequest};
use uuid::Uuid;

const OPERATOR: &str = "battery";
const REASON: &str = "the battery presses every button";

/// An activity that an entity waits for.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The workflow id of the entity.
    pub workflow_id: String,
    /// The activity.
    pub activity_id: String,
}

/// Presses buttons in the namespace of a run.
#[derive(Clone)]
pub struct Buttons {
    client: Client,
    namespace: String,
}

impl Buttons {
    /// For this installation.
    pub fn new(installation: &Installation, namespace: &str) -> Self {
        Self { client: installation.client.clone(), namespace: namespace.to_owned() }
    }

    fn execution(workflow_id: &str) -> WorkflowExecution {
        WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: String::new() }
    }

    /// The running entities of this workflow type, at most a thousand.
    pub async fn running(&self, workflow_type: &str) -> Vec<String> {
        let query = format!("WorkflowType = '{workflow_type}' AND ExecutionStatus = 'Running'");
        let page = visibility::page(&self.client, &self.namespace, &query, 1_000, Vec::new()).await;
        page.map(|page| page.runs.into_iter().map(|run| run.workflow_id).collect()).unwrap_or_default()
    }

    /// Terminates an entity. Returns whether it ran.
    pub async fn terminate(&self, workflow_id: &str) -> bool {
        let request = TerminateWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: Some(Self::execution(workflow_id)),
            reason: REASON.to_owned(),
            identity: OPERATOR.to_owned(),
            ..Default::default()
        };
        self.client.clone().terminate_workflow_execution(request.into_request()).await.is_ok()
    }

    /// Requests the cancellation of an entity. Returns whether it ran.
    pub async fn cancel(&self, workflow_id: &str) -> bool {
        let request = RequestCancelWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: Some(Self::execution(workflow_id)),
            reason: REASON.to_owned(),
            identity: OPERATOR.to_owned(),
            request_id: Uuid::new_v4().to_string(),
            ..Default::default()
        };
        self.client.clone().request_cancel_workflow_execution(request.into_request()).await.is_ok()
    }

    /// Resets an entity to the end of a workflow task of its current run that is not the first one, from the `nth` last on. Returns whether
    /// there was one.
    pub async fn reset(&self, workflow_id: &str, nth_last: usize) -> bool {
        let history = histories::history(&self.client, &self.namespace, Self::execution(workflow_id)).await;
        let Ok(Some(history)) = history else { return false };
        let tasks = history.iter().filter(|event| event.event_type() == EventType::WorkflowTaskCompleted);
        let tasks: Vec<i64> = tasks.skip(1).map(|event| event.event_id).collect();
        let Some(last) = tasks.len().checked_sub(1) else { return false };
        let request = ResetWorkflowExecutionRequest {
            namespace: self.namespace.clone(),
            workflow_execution: Some(Self::execution(workflow_id)),
            reason: REASON.to_owned(),
            workflow_task_finish_event_id: tasks[last.saturating_sub(nth_last)],
            request_id: Uuid::new_v4().to_string(),
            ..Default::default()
        };
        self.client.clone().reset_workflow_execution(request.into_request()).await.is_ok()
    }

    /// The calls to targets that these entities wait for.
    pub async fn pending(&self, workflow_ids: &[String]) -> Vec<Pending> {
        let mut all = Vec::new();
        for workflow_id in workflow_ids {
            let request = DescribeWorkflowExecutionRequest {
                namespace: self.namespace.clone(),
                execution: Some(Self::execution(workflow_id)),
            };
            let described = self.client.clone().describe_workflow_execution(request.into_request()).await;
            let Ok(described) = described else { continue };
            let is_call = |pending: &PendingActivityInfo| {
                let runs = [PendingActivityState::Scheduled, PendingActivityState::Started].contains(&pending.state());
                runs && pending.activity_type.as_ref().is_some_and(|kind| kind.name == "provision")
            };
            let pending = described.into_inner().pending_activities.into_iter().filter(is_call);
            let of_entity = |pending: PendingActivityInfo| Pending {
                workflow_id: workflow_id.clone(),
                activity_id: pending.activity_id,
            };
            all.extend(pending.map(of_entity));
        }
        all
    }

    /// Resets an activity. Returns whether it was pending.
    pub async fn reset_activity(&self, of: &Pending, reset_heartbeat: bool) -> bool {
        let request = ResetActivityRequest {
            namespace: self.namespace.clone(),
            execution: Some(Self::execution(&of.workflow_id)),
            identity: OPERATOR.to_owned(),
            reset_heartbeat,
            activity: Some(reset_activity_request::Activity::Id(of.activity_id.clone())),
            ..Default::default()
        };
        self.client.clone().reset_activity(request.into_request()).await.is_ok()
    }

    /// Pauses an activity. Returns whether it was pending.
    pub async fn pause_activity(&self, of: &Pending) -> bool {
        let request = PauseActivityRequest {
            namespace: self.namespace.clone(),
            execution: Some(Self::execution(&of.workflow_id)),
            identity: OPERATOR.to_owned(),
            reason: REASON.to_owned(),
            request_id: Uuid::new_v4().to_string(),
            activity: Some(pause_activity_request::Activity::Id(of.activity_id.clone())),
        };
        self.client.clone().pause_activity(request.into_request()).await.is_ok()
    }

    /// Resumes a paused activity. Returns whether it is not paused any more: it may have ended meanwhile.
    pub async fn unpause_activity(&self, of: &Pending) -> bool {
        let request = UnpauseActivityRequest {
            namespace: self.namespace.clone(),
            execution: Some(Self::execution(&of.workflow_id)),
            identity: OPERATOR.to_owned(),
            activity: Some(unpause_activity_request::Activity::Id(of.activity_id.clone())),
            ..Default::default()
        };
        match self.client.clone().unpause_activity(request.into_request()).await {
            Ok(_) => true,
            Err(status) => status.code() == Code::NotFound,
        }
    }

    /// Completes an activity by hand with the outcome "done", which is not true. Returns whether it was pending.
    pub async fn complete_activity(&self, of: &Pending) -> bool {
        let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
        let result = Payload { metadata, data: br#"{"class":"done"}"#.to_vec(), ..Payload::default() };
        let request = RespondActivityTaskCompletedByIdRequest {
            namespace: self.namespace.clone(),
            workflow_id: of.workflow_id.clone(),
            activity_id: of.activity_id.clone(),
            result: Some(Payloads { payloads: vec![result] }),
            identity: OPERATOR.to_owned(),
            ..Default::default()
        };
        self.client.clone().respond_activity_task_completed_by_id(request.into_request()).await.is_ok()
    }

    /// Pauses or resumes a schedule. Returns whether the server did it.
    pub async fn pause_schedule(&self, schedule_id: &str, is_paused: bool) -> bool {
        let note = REASON.to_owned();
        let patch = if is_paused {
            SchedulePatch { pause: note, ..SchedulePatch::default() }
        } else {
            SchedulePatch { unpause: note, ..SchedulePatch::default() }
        };
        let request = PatchScheduleRequest {
            namespace: self.namespace.clone(),
            schedule_id: schedule_id.to_owned(),
            patch: Some(patch),
            identity: OPERATOR.to_owned(),
            request_id: Uuid::new_v4().to_string(),
        };
        self.client.clone().patch_schedule(request.into_request()).await.is_ok()
    }
}
