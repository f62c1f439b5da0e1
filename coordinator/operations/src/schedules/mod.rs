//! The Temporal schedules of an installation: the sweep, one for each namespace.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use interlock_connection::Installation;
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
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CreateScheduleRequest, DescribeScheduleRequest, UpdateScheduleRequest,
};
use tonic::{Code, IntoRequest, Status};
use uuid::Uuid;

/// A run that is later than this is skipped: a sweep looks at the present state.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Ensures that the schedules exist as configured; retries until they do.
pub async fn keep(installation: Installation) {
    let ensured = (|| ensure(&installation)).retry(ExponentialBuilder::default().without_max_times());
    let told = ensured.notify(|error, _| tracing::warn!(%error, "cannot set the schedules of the sweeps"));
    if let Err(error) = told.await {
        tracing::error!(%error, "the schedules of the sweeps were not set in time");
    }
}

/// Creates the schedules, or changes them to the configuration. It can be repeated.
///
/// # Errors
/// The server's error for the first namespace that failed.
pub async fn ensure(installation: &Installation) -> Result<(), Status> {
    for namespace in installation.namespaces() {
        ensure_in(installation, &namespace).await?;
    }
    Ok(())
}

/// The same for one namespace.
///
/// # Errors
/// The server's answer.
pub async fn ensure_in(installation: &Installation, namespace: &str) -> Result<(), Status> {
    if !make_sweep(installation, namespace).await? {
        update_sweep(installation, namespace).await?;
    }
    Ok(())
}

/// The id of the schedule of sweeps, the same in each namespace: `{prefix}/sweep`.
pub fn sweep_id(installation: &Installation) -> String {
    format!("{}/sweep", installation.routing.settings().prefix.as_str())
}

/// Creates the schedule of a namespace's sweeps, and returns whether it was missing.
///
/// # Errors
/// The server's answer.
pub async fn make_sweep(installation: &Installation, namespace: &str) -> Result<bool, Status> {
    let request = CreateScheduleRequest {
        namespace: namespace.to_owned(),
        schedule_id: sweep_id(installation),
        schedule: Some(sweep(installation, namespace)),
        identity: installation.client.identity(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    match WorkflowService::create_schedule(&mut installation.client.clone(), request.into_request()).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::AlreadyExists => Ok(false),
        Err(status) => Err(status),
    }
}

/// Changes the schedule of a namespace's sweeps to what is configured.
///
/// # Errors
/// The server's answer.
pub async fn update_sweep(installation: &Installation, namespace: &str) -> Result<(), Status> {
    let request = UpdateScheduleRequest {
        namespace: namespace.to_owned(),
        schedule_id: sweep_id(installation),
        schedule: Some(sweep(installation, namespace)),
        identity: installation.client.identity(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    WorkflowService::update_schedule(&mut installation.client.clone(), request.into_request()).await.map(|_| ())
}

/// Whether the schedule of a namespace's sweeps exists.
///
/// # Errors
/// The server's answer.
pub async fn has_sweep(installation: &Installation, namespace: &str) -> Result<bool, Status> {
    let request =
        DescribeScheduleRequest { namespace: namespace.to_owned(), schedule_id: sweep_id(installation) }.into_request();
    match WorkflowService::describe_schedule(&mut installation.client.clone(), request).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(status),
    }
}

/// The schedule of a namespace's sweeps: on the jobs queue of the shard that follows from the namespace.
fn sweep(installation: &Installation, namespace: &str) -> Schedule {
    let settings = installation.routing.settings();
    let queue = settings.prefix.queue(QueueKind::Jobs, shard_of(namespace, settings.shard_count));
    let mut nothing = Payload { data: b"{}".to_vec(), ..Payload::default() };
    nothing.metadata.insert("encoding".to_owned(), b"json/plain".to_vec());
    let action = NewWorkflowExecutionInfo {
        workflow_id: sweep_id(installation),
        workflow_type: Some(WorkflowType { name: names::SWEEP.to_owned() }),
        task_queue: Some(TaskQueue { name: queue, ..TaskQueue::default() }),
        input: Some(Payloads { payloads: vec![nothing] }),
        ..NewWorkflowExecutionInfo::default()
    };
    let interval = installation.settings.sweep.interval;
    Schedule {
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
    }
}
