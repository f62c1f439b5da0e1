//! The Temporal schedules of an installation: the sweep, one for each namespace.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use interlock_domain::routing::{QueueKind, shard_of};
use interlock_workflows::names;
use temporalio_client::NamespacedClient;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::ScheduleOverlapPolicy;
use temporalio_common::protos::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleAction, SchedulePolicies, ScheduleSpec, schedule_action,
};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{CreateScheduleRequest, UpdateScheduleRequest};
use tonic::{Code, IntoRequest, Status};
use uuid::Uuid;

use crate::installation::Installation;

/// What was missed for longer is not caught up: a sweep looks at what is now.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Sees to it that the schedules are there, as configured; tries until they are.
pub async fn keep(installation: Installation) {
    let ensured = (|| ensure(&installation)).retry(ExponentialBuilder::default().without_max_times());
    let told = ensured.notify(|error, _| tracing::warn!(%error, "the schedules of sweeps cannot be set"));
    if let Err(error) = told.await {
        tracing::error!(%error, "the schedules of sweeps were not set");
    }
}

/// Makes the schedules, or changes them to what is configured. Safe to do again and again.
///
/// # Errors
/// The server's answer for the first namespace where it cannot be done.
pub async fn ensure(installation: &Installation) -> Result<(), Status> {
    for namespace in installation.namespaces() {
        ensure_in(installation, namespace).await?;
    }
    Ok(())
}

/// The same for one namespace.
///
/// # Errors
/// The server's answer.
pub async fn ensure_in(installation: &Installation, namespace: String) -> Result<(), Status> {
    let (schedule_id, schedule) = sweep(installation, &namespace);
    let (identity, request_id) = (installation.client.identity(), Uuid::new_v4().to_string());
    let request = CreateScheduleRequest {
        namespace: namespace.clone(),
        schedule_id: schedule_id.clone(),
        schedule: Some(schedule.clone()),
        identity: identity.clone(),
        request_id: request_id.clone(),
        ..Default::default()
    };
    let created = WorkflowService::create_schedule(&mut installation.client.clone(), request.into_request()).await;
    match created {
        Ok(_) => {}
        Err(status) if status.code() == Code::AlreadyExists => {
            let request = UpdateScheduleRequest {
                namespace,
                schedule_id,
                schedule: Some(schedule),
                identity,
                request_id,
                ..Default::default()
            };
            WorkflowService::update_schedule(&mut installation.client.clone(), request.into_request()).await?;
        }
        Err(status) => return Err(status),
    }
    Ok(())
}

/// The id and the schedule of a namespace's sweep: `{prefix}/sweep`, on the jobs queue of the shard that the namespace makes.
fn sweep(installation: &Installation, namespace: &str) -> (String, Schedule) {
    let settings = installation.routing.settings();
    let id = format!("{}/sweep", settings.prefix.as_str());
    let queue = settings.prefix.queue(QueueKind::Jobs, shard_of(namespace, settings.shard_count));
    let mut nothing = Payload { data: b"{}".to_vec(), ..Payload::default() };
    nothing.metadata.insert("encoding".to_owned(), b"json/plain".to_vec());
    let action = NewWorkflowExecutionInfo {
        workflow_id: id.clone(),
        workflow_type: Some(WorkflowType { name: names::SWEEP.to_owned() }),
        task_queue: Some(TaskQueue { name: queue, ..TaskQueue::default() }),
        input: Some(Payloads { payloads: vec![nothing] }),
        ..NewWorkflowExecutionInfo::default()
    };
    let interval = installation.settings.sweep.interval;
    let schedule = Schedule {
        spec: Some(ScheduleSpec {
            interval: vec![IntervalSpec { interval: interval.try_into().ok(), phase: None }],
            ..ScheduleSpec::default()
        }),
        action: Some(ScheduleAction { action: Some(schedule_action::Action::StartWorkflow(action)) }),
        policies: Some(SchedulePolicies {
            overlap_policy: ScheduleOverlapPolicy::Skip.into(),
            catchup_window: CATCH_UP.try_into().ok(),
            ..SchedulePolicies::default()
        }),
        state: None,
    };
    (id, schedule)
}
