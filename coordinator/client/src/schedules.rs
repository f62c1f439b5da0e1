//! Schedules that start a workflow at an interval.

use std::time::Duration;

use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::common::v1::{Payloads, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::ScheduleOverlapPolicy;
use temporalio_common::protos::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleAction, SchedulePolicies, ScheduleSpec, schedule_action,
};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflow::v1::NewWorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CreateScheduleRequest, DescribeScheduleRequest, DescribeScheduleResponse, UpdateScheduleRequest,
};
use tonic::IntoRequest;
use uuid::Uuid;

use crate::payloads::plain_json;
use crate::server_error::ServerError;

/// A schedule of a workflow whose argument is an empty object. A run is skipped while the one before is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowSchedule {
    /// The id of the schedule, and the beginning of the ids of its workflows.
    pub id: String,
    /// The type of the workflow.
    pub workflow_type: &'static str,
    /// The task queue of the workflow.
    pub task_queue: String,
    /// The time from one start to the next.
    pub interval: Duration,
    /// A start that was missed for longer than this is left out.
    pub catch_up: Duration,
}

impl WorkflowSchedule {
    /// Creates the schedule in a namespace. Returns whether it did not exist.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn create(&self, client: &Client, namespace: &str) -> Result<bool, ServerError> {
        let request = CreateScheduleRequest {
            namespace: namespace.to_owned(),
            schedule_id: self.id.clone(),
            schedule: Some(self.to_proto()),
            identity: client.identity(),
            request_id: Uuid::new_v4().to_string(),
            ..CreateScheduleRequest::default()
        };
        let created = WorkflowService::create_schedule(&mut client.clone(), request.into_request()).await;
        match created.map_err(ServerError::from) {
            Ok(_) => Ok(true),
            Err(error) if error.is_taken() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes the schedule of this id in a namespace, except for its state: a schedule that somebody paused stays paused. Returns whether
    /// it is paused.
    ///
    /// # Errors
    /// [`ServerError`], also if somebody changed the schedule at the same time.
    pub async fn update(&self, client: &Client, namespace: &str) -> Result<bool, ServerError> {
        let described = described(client, namespace, &self.id).await?;
        let state = described.schedule.and_then(|schedule| schedule.state);
        let is_paused = state.as_ref().is_some_and(|state| state.paused);
        let request = UpdateScheduleRequest {
            namespace: namespace.to_owned(),
            schedule_id: self.id.clone(),
            schedule: Some(Schedule { state, ..self.to_proto() }),
            conflict_token: described.conflict_token,
            identity: client.identity(),
            request_id: Uuid::new_v4().to_string(),
            ..UpdateScheduleRequest::default()
        };
        WorkflowService::update_schedule(&mut client.clone(), request.into_request()).await?;
        Ok(is_paused)
    }

    fn to_proto(&self) -> Schedule {
        let action = NewWorkflowExecutionInfo {
            workflow_id: self.id.clone(),
            workflow_type: Some(WorkflowType { name: self.workflow_type.to_owned() }),
            task_queue: Some(TaskQueue { name: self.task_queue.clone(), ..TaskQueue::default() }),
            input: Some(Payloads { payloads: vec![plain_json(b"{}".to_vec())] }),
            ..NewWorkflowExecutionInfo::default()
        };
        Schedule {
            spec: Some(ScheduleSpec {
                interval: vec![IntervalSpec { interval: self.interval.try_into().ok(), phase: None }],
                ..ScheduleSpec::default()
            }),
            action: Some(ScheduleAction { action: Some(schedule_action::Action::StartWorkflow(action)) }),
            policies: Some(SchedulePolicies {
                overlap_policy: ScheduleOverlapPolicy::Skip.into(),
                catchup_window: self.catch_up.try_into().ok(),
                ..SchedulePolicies::default()
            }),
            state: None,
        }
    }
}

/// A schedule, as the server describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribedSchedule {
    /// Whether somebody paused it, and the note that was left then.
    pub paused: Option<String>,
    /// The task queue of its workflow.
    pub task_queue: String,
}

/// Whether a schedule exists in a namespace.
///
/// # Errors
/// [`ServerError`].
pub async fn exists(client: &Client, namespace: &str, schedule_id: &str) -> Result<bool, ServerError> {
    describe(client, namespace, schedule_id).await.map(|described| described.is_some())
}

/// The server's description of a schedule. `None` if there is no such schedule.
///
/// # Errors
/// [`ServerError`].
pub async fn describe(
    client: &Client,
    namespace: &str,
    schedule_id: &str,
) -> Result<Option<DescribedSchedule>, ServerError> {
    match described(client, namespace, schedule_id).await {
        Ok(described) => Ok(Some(described.schedule.map(described_schedule).unwrap_or_default())),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn described(
    client: &Client,
    namespace: &str,
    schedule_id: &str,
) -> Result<DescribeScheduleResponse, ServerError> {
    let request = DescribeScheduleRequest { namespace: namespace.to_owned(), schedule_id: schedule_id.to_owned() };
    let described = WorkflowService::describe_schedule(&mut client.clone(), request.into_request()).await;
    Ok(described.map_err(ServerError::from)?.into_inner())
}

fn described_schedule(schedule: Schedule) -> DescribedSchedule {
    let paused = schedule.state.filter(|state| state.paused).map(|state| state.notes);
    let queue = match schedule.action.and_then(|action| action.action) {
        Some(schedule_action::Action::StartWorkflow(started)) => started.task_queue,
        None => None,
    };
    DescribedSchedule { paused, task_queue: queue.map(|queue| queue.name).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::schedule::v1::ScheduleState;
    use temporalio_common::protos::temporal::api::workflowservice::v1::{
        CreateScheduleResponse, UpdateScheduleResponse,
    };
    use tonic::Status;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    fn sweep() -> WorkflowSchedule {
        WorkflowSchedule {
            id: "interlock/sweep".to_owned(),
            workflow_type: "Sweep",
            task_queue: "interlock.jobs.00".to_owned(),
            interval: Duration::from_mins(1),
            catch_up: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn a_schedule_that_somebody_paused_stays_paused_when_it_is_changed() {
        let state =
            ScheduleState { paused: true, notes: "ann: the database moves".to_owned(), ..ScheduleState::default() };
        let described = DescribeScheduleResponse {
            schedule: Some(Schedule { state: Some(state.clone()), ..Schedule::default() }),
            conflict_token: b"7".to_vec(),
            ..DescribeScheduleResponse::default()
        };
        let server = ScriptedServer::default().answers("DescribeSchedule", &described);
        let server = server.answers("UpdateSchedule", &UpdateScheduleResponse::default());
        let (server, client) = server.client().await;
        assert!(sweep().update(&client, "default").await.unwrap());
        let _asked: DescribeScheduleRequest = server.request();
        let request: UpdateScheduleRequest = server.request();
        let schedule = request.schedule.unwrap();
        assert_eq!((schedule.state, request.conflict_token), (Some(state), b"7".to_vec()));
        assert_eq!(schedule.spec.unwrap().interval[0].interval, Duration::from_mins(1).try_into().ok());
    }

    #[tokio::test]
    async fn a_schedule_that_exists_is_not_created_again() {
        const CREATE: &str = "CreateSchedule";
        let server = ScriptedServer::default().answers(CREATE, &CreateScheduleResponse::default());
        let server = server.refuses(CREATE, Status::already_exists("schedule is already running"));
        let (server, client) =
            server.refuses("DescribeSchedule", Status::not_found("schedule not found")).client().await;
        let sweep = sweep();
        assert!(sweep.create(&client, "default").await.unwrap());
        assert!(!sweep.create(&client, "default").await.unwrap());
        assert!(!exists(&client, "default", &sweep.id).await.unwrap());
        let request: CreateScheduleRequest = server.request();
        let schedule = request.schedule.unwrap();
        assert_eq!(schedule.spec.unwrap().interval[0].interval, Duration::from_mins(1).try_into().ok());
        let Some(schedule_action::Action::StartWorkflow(started)) = schedule.action.unwrap().action else {
            panic!("it starts no workflow");
        };
        assert_eq!(
            (started.workflow_id.as_str(), started.workflow_type.unwrap().name.as_str()),
            ("interlock/sweep", "Sweep")
        );
        assert_eq!(started.input.unwrap().payloads, [plain_json(b"{}".to_vec())]);
    }
}
