//! Temporal's own buttons, as an operator presses them: on one entity, and in batches.

use std::sync::atomic::{AtomicBool, Ordering};

use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::activity::v1::ActivityOptions;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads};
use temporalio_common::protos::temporal::api::enums::v1::{EventType, ResetReapplyExcludeType};
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    PauseActivityRequest, PauseWorkflowExecutionRequest, RequestCancelWorkflowExecutionRequest, ResetActivityRequest,
    ResetWorkflowExecutionRequest, RespondActivityTaskCompletedByIdRequest, RespondActivityTaskFailedByIdRequest,
    StartBatchOperationRequest, TerminateWorkflowExecutionRequest, UnpauseActivityRequest,
    UnpauseWorkflowExecutionRequest, UpdateActivityOptionsRequest, pause_activity_request, reset_activity_request,
    start_batch_operation_request::Operation, unpause_activity_request, update_activity_options_request,
};
use tonic::{Code, IntoRequest};
use uuid::Uuid;

use crate::temporal_calls::RawEntity;
use crate::waiting::until;

/// The operator.
pub const OPERATOR: &str = "operator";
/// The reason.
pub const REASON: &str = "a test of what happens then";

/// Whether an entity was terminated.
static TERMINATED: AtomicBool = AtomicBool::new(false);

/// What is applied again from the history after the point of a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reapply {
    /// Signals and updates.
    All,
    /// Nothing.
    Nothing,
}

/// A pause between attempts other than the scheduled one, and the name of that field.
pub fn other_pause() -> (ActivityOptions, &'static str) {
    let mut options = ActivityOptions::default();
    let policy = options.retry_policy.get_or_insert_default();
    policy.initial_interval.get_or_insert_default().seconds = 1;
    (options, "retry_policy.initial_interval")
}

impl RawEntity {
    /// Whether any test of this process terminated an entity.
    pub fn was_one_terminated() -> bool {
        TERMINATED.load(Ordering::Relaxed)
    }

    /// Terminates it, which operators should not do.
    pub async fn terminate(&self) {
        TERMINATED.store(true, Ordering::Relaxed);
        let request = TerminateWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_execution: Some(self.execution("")),
            reason: "a test of what happens then".to_owned(),
            ..Default::default()
        };
        self.client.clone().terminate_workflow_execution(request.into_request()).await.unwrap();
    }

    /// Resets its pending activities: `temporal activity reset`.
    pub async fn reset_activities(&self, activity: &str, reset_heartbeat: bool) {
        let request = ResetActivityRequest {
            namespace: self.route.namespace.clone(),
            execution: Some(self.execution("")),
            identity: "operator".to_owned(),
            reset_heartbeat,
            activity: Some(reset_activity_request::Activity::Id(activity.to_owned())),
            ..Default::default()
        };
        self.client.clone().reset_activity(request.into_request()).await.unwrap();
    }

    /// Completes an activity with this payload: `temporal activity complete`.
    pub async fn complete_activity(&self, activity: &str, result: Payload) {
        let request = RespondActivityTaskCompletedByIdRequest {
            namespace: self.route.namespace.clone(),
            workflow_id: self.route.workflow_id.clone(),
            activity_id: activity.to_owned(),
            result: Some(Payloads { payloads: vec![result] }),
            identity: "operator".to_owned(),
            ..Default::default()
        };
        self.client.clone().respond_activity_task_completed_by_id(request.into_request()).await.unwrap();
    }

    /// Fails an activity permanently, while an attempt is in flight (the server rejects it before): `temporal activity fail`.
    pub async fn fail_activity(&self, activity: &str) {
        let info = ApplicationFailureInfo { non_retryable: true, ..Default::default() };
        let failure = Failure {
            message: "by an operator".to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
            ..Default::default()
        };
        let request = RespondActivityTaskFailedByIdRequest {
            namespace: self.route.namespace.clone(),
            workflow_id: self.route.workflow_id.clone(),
            activity_id: activity.to_owned(),
            failure: Some(failure),
            identity: "operator".to_owned(),
            ..Default::default()
        };
        until("an attempt to fail", || async {
            self.client.clone().respond_activity_task_failed_by_id(request.clone().into_request()).await.ok()
        })
        .await;
    }

    /// Pauses an activity, and waits until it is: `temporal activity pause`.
    pub async fn pause_activity(&self, activity: &str) {
        let request = PauseActivityRequest {
            namespace: self.route.namespace.clone(),
            execution: Some(self.execution("")),
            identity: OPERATOR.to_owned(),
            reason: REASON.to_owned(),
            request_id: Uuid::new_v4().to_string(),
            activity: Some(pause_activity_request::Activity::Id(activity.to_owned())),
        };
        self.client.clone().pause_activity(request.into_request()).await.unwrap();
        until("the activity to be paused", || async {
            let pending = self.pending_activity(activity).await;
            pending.is_none_or(|pending| pending.paused).then_some(())
        })
        .await;
    }

    /// Resumes a paused activity: `temporal activity unpause`.
    pub async fn unpause_activity(&self, activity: &str, with_reset: bool) {
        let request = UnpauseActivityRequest {
            namespace: self.route.namespace.clone(),
            execution: Some(self.execution("")),
            identity: OPERATOR.to_owned(),
            reset_attempts: with_reset,
            reset_heartbeat: with_reset,
            activity: Some(unpause_activity_request::Activity::Id(activity.to_owned())),
            ..Default::default()
        };
        match self.client.clone().unpause_activity(request.into_request()).await {
            // An attempt that was in flight during the pause has succeeded.
            Err(status) if status.code() == Code::NotFound => {}
            answer => drop(answer.unwrap()),
        }
    }

    /// Sets another pause between attempts of an activity: `temporal activity update-options`.
    pub async fn update_activity_options(&self, activity: &str) {
        let (options, field) = other_pause();
        let mut request = UpdateActivityOptionsRequest {
            namespace: self.route.namespace.clone(),
            execution: Some(self.execution("")),
            identity: OPERATOR.to_owned(),
            activity_options: Some(options),
            activity: Some(update_activity_options_request::Activity::Id(activity.to_owned())),
            ..Default::default()
        };
        request.update_mask.get_or_insert_default().paths.push(field.to_owned());
        self.client.clone().update_activity_options(request.into_request()).await.unwrap();
    }

    /// The id of its current run.
    pub async fn run_id(&self) -> String {
        let entity = self.described().await.and_then(|entity| entity.workflow_execution_info);
        entity.and_then(|info| info.execution).unwrap().run_id
    }

    /// The end of the first workflow task of its current run.
    pub async fn first_task(&self) -> i64 {
        until("its first workflow task", || async {
            let history = self.history("").await;
            history
                .iter()
                .find(|event| event.event_type() == EventType::WorkflowTaskCompleted)
                .map(|event| event.event_id)
        })
        .await
    }

    /// One of the activities that it waits for.
    pub async fn pending_activity(&self, activity: &str) -> Option<PendingActivityInfo> {
        self.pending_activities().await.into_iter().find(|pending| pending.activity_id == activity)
    }

    /// Resets one of its runs (without an argument, the current one) to the end of the workflow task that this event completed. Returns
    /// the run that continues.
    pub async fn reset_run(&self, run_id: &str, workflow_task_finish_event_id: i64, reapply: Reapply) -> String {
        let excluded = [ResetReapplyExcludeType::Signal, ResetReapplyExcludeType::Update];
        let request = ResetWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_execution: Some(self.execution(run_id)),
            reason: REASON.to_owned(),
            workflow_task_finish_event_id,
            request_id: Uuid::new_v4().to_string(),
            reset_reapply_exclude_types: match reapply {
                Reapply::All => Vec::new(),
                Reapply::Nothing => excluded.map(i32::from).to_vec(),
            },
            ..Default::default()
        };
        let answer = self.client.clone().reset_workflow_execution(request.into_request()).await.unwrap();
        answer.into_inner().run_id
    }

    /// Resets it to the end of the workflow task that this event completed. Later signals are applied again.
    pub async fn reset_to(&self, workflow_task_finish_event_id: i64) {
        self.reset_run("", workflow_task_finish_event_id, Reapply::All).await;
    }

    /// Requests its cancellation, which entities ignore: `temporal workflow cancel`.
    pub async fn cancel(&self) {
        let request = RequestCancelWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_execution: Some(self.execution("")),
            identity: OPERATOR.to_owned(),
            reason: REASON.to_owned(),
            ..Default::default()
        };
        self.client.clone().request_cancel_workflow_execution(request.into_request()).await.unwrap();
    }

    /// Pauses it: `temporal workflow pause`.
    pub async fn pause(&self) {
        let request = PauseWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_id: self.route.workflow_id.clone(),
            identity: OPERATOR.to_owned(),
            reason: REASON.to_owned(),
            request_id: Uuid::new_v4().to_string(),
            ..Default::default()
        };
        self.client.clone().pause_workflow_execution(request.into_request()).await.unwrap();
    }

    /// Resumes it: `temporal workflow unpause`.
    pub async fn unpause(&self) {
        let request = UnpauseWorkflowExecutionRequest {
            namespace: self.route.namespace.clone(),
            workflow_id: self.route.workflow_id.clone(),
            identity: OPERATOR.to_owned(),
            request_id: Uuid::new_v4().to_string(),
            ..Default::default()
        };
        self.client.clone().unpause_workflow_execution(request.into_request()).await.unwrap();
    }

    /// Starts a batch over this entity only: `temporal batch`. The server runs one at a time, as soon as its visibility store knows the
    /// entity.
    pub async fn batch(&self, operation: Operation) {
        if matches!(operation, Operation::TerminationOperation(_)) {
            TERMINATED.store(true, Ordering::Relaxed);
        }
        let request = StartBatchOperationRequest {
            namespace: self.route.namespace.clone(),
            visibility_query: format!("WorkflowId = '{}' AND ExecutionStatus = 'Running'", self.route.workflow_id),
            job_id: Uuid::new_v4().to_string(),
            reason: REASON.to_owned(),
            operation: Some(operation),
            ..Default::default()
        };
        until("a batch to be taken", || async {
            match self.client.clone().start_batch_operation(request.clone().into_request()).await {
                Ok(_) => Some(()),
                Err(status) if status.code() == Code::ResourceExhausted => None,
                Err(status) => panic!("{status}"),
            }
        })
        .await;
    }
}
