//! Calls whose targets work on them as a job: how they stand, and asking the target before its time.
//!
//! The server begins an attempt early if its activity is reset. A reset that meets a running attempt would cost its result (the server no
//! longer knows its number), and 15 s until the next one. So a call is only reset right after it was seen to wait for an attempt that is
//! still some time away, and a reset is not repeated without another look.

use interlock_domain::attempt::LeftBy;
use interlock_domain::callback::{CallPlace, PendingCall, WorkflowRun};
use interlock_domain::ids::Timestamp;
use temporalio_client::NamespacedClient;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::data_converters::{SerializationContextData, WorkflowSerializationContext};
use temporalio_common::protos::temporal::api::common::v1::{Payloads, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::PendingActivityState as State;
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeActivityExecutionRequest, DescribeWorkflowExecutionRequest, ResetActivityExecutionRequest,
    ResetActivityRequest, reset_activity_request,
};
use tonic::{Code, Status};

use crate::call_status::{is_busy, is_gone};
use crate::entity_call_error::EntityCallError;
use crate::entity_calls::{EntityCalls, unthrottled};

/// The class of an attempt that found its job running: [`Outcome::Accepted`](interlock_domain::outcome::Outcome).
const ACCEPTED: &str = "accepted";

/// What the server says about an activity.
struct Described {
    state: State,
    is_paused: bool,
    details: Option<Payloads>,
    last_failure: Option<Failure>,
    ended_at: Option<Timestamp>,
    next_at: Option<Timestamp>,
    may_expire: bool,
}

impl EntityCalls {
    /// How a call stands. `None` if it is over, or if there is none.
    pub(crate) async fn pending_call(&self, place: &CallPlace) -> Result<Option<PendingCall>, EntityCallError> {
        let described = match &place.workflow {
            Some(run) => self.described_in_workflow(place, run).await,
            None => self.described_alone(place).await,
        };
        let described = match described {
            Ok(Some(described)) => described,
            Ok(None) => return Ok(None),
            Err(status) if is_gone(&status) => return Ok(None),
            Err(status) => return Err(EntityCallError::refused(name_of(place), status)),
        };
        let left = match described.details {
            Some(details) => {
                let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
                let converter = &self.client().options().data_converter;
                let read = converter.from_payloads::<Option<LeftBy>>(&context, details.payloads).await;
                read.map_err(|fault| EntityCallError::payload(name_of(place), &fault))?
            }
            None => None,
        };
        Ok(Some(PendingCall {
            is_running: matches!(described.state, State::Started | State::CancelRequested | State::PauseRequested),
            is_paused: described.is_paused || matches!(described.state, State::Paused | State::PauseRequested),
            left: left.map(|left| left.left),
            was_told: described.last_failure.as_ref().and_then(class_of) == Some(ACCEPTED),
            ended_at: described.ended_at,
            next_at: described.next_at,
            may_expire: described.may_expire,
        }))
    }

    async fn described_in_workflow(&self, place: &CallPlace, run: &WorkflowRun) -> Result<Option<Described>, Status> {
        let request =
            DescribeWorkflowExecutionRequest { namespace: place.namespace.clone(), execution: Some(execution_of(run)) };
        let described = self.client().clone().describe_workflow_execution(unthrottled(request)).await?.into_inner();
        let mut pending = described.pending_activities.into_iter();
        let call = pending.find(|activity| activity.activity_id == place.activity_id);
        Ok(call.map(|call| Described {
            state: call.state(),
            is_paused: call.paused,
            details: call.heartbeat_details,
            last_failure: call.last_failure,
            next_at: call.next_attempt_schedule_time.map(|at| timestamp(at.seconds, at.nanos)),
            may_expire: call.expiration_time.is_some(),
            ended_at: call.last_attempt_complete_time.map(|at| timestamp(at.seconds, at.nanos)),
        }))
    }

    async fn described_alone(&self, place: &CallPlace) -> Result<Option<Described>, Status> {
        let request = DescribeActivityExecutionRequest {
            namespace: place.namespace.clone(),
            activity_id: place.activity_id.clone(),
            include_heartbeat_details: true,
            include_last_failure: true,
            ..DescribeActivityExecutionRequest::default()
        };
        let described = self.client().clone().describe_activity_execution(unthrottled(request)).await?.into_inner();
        let pending = described.info.filter(|info| info.run_state() != State::Unspecified);
        Ok(pending.map(|info| Described {
            state: info.run_state(),
            is_paused: false,
            details: info.heartbeat_details,
            last_failure: info.last_failure,
            next_at: info.next_attempt_schedule_time.map(|at| timestamp(at.seconds, at.nanos)),
            // The server keeps the last failure of such a call over a reset.
            may_expire: false,
            ended_at: info.last_attempt_complete_time.map(|at| timestamp(at.seconds, at.nanos)),
        }))
    }

    /// Lets the next attempt of a call begin now. What its attempts left behind stays, and a pause stays. A call that is over needs
    /// nothing. A server that does not know the command leaves the call as it is. Returns whether the server took it; `false`: it is busy.
    pub(crate) async fn bring_forward(&self, place: &CallPlace) -> Result<bool, EntityCallError> {
        let brought = if let Some(run) = &place.workflow {
            self.reset_in(run, place).await
        } else {
            self.reset_alone(place).await
        };
        match brought {
            // A server that takes no such command for standalone activities: `history.enableStandaloneActivityOperatorCommands`.
            Err(status) if status.code() == Code::Unimplemented => {
                tracing::warn!(%status, call = name_of(place), "a call cannot be brought forward: it goes on at its interval");
                Ok(true)
            }
            Err(status) if is_busy(&status) => Ok(false),
            // It ended meanwhile, or is being cancelled.
            Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition) => Ok(true),
            other => other.map(|()| true).map_err(|status| EntityCallError::refused(name_of(place), status)),
        }
    }

    async fn reset_in(&self, run: &WorkflowRun, place: &CallPlace) -> Result<(), Status> {
        let request = ResetActivityRequest {
            namespace: place.namespace.clone(),
            execution: Some(execution_of(run)),
            identity: self.client().identity(),
            activity: Some(reset_activity_request::Activity::Id(place.activity_id.clone())),
            keep_paused: true,
            ..ResetActivityRequest::default()
        };
        self.client().clone().reset_activity(unthrottled(request)).await.map(drop)
    }

    async fn reset_alone(&self, place: &CallPlace) -> Result<(), Status> {
        let request = ResetActivityExecutionRequest {
            namespace: place.namespace.clone(),
            activity_id: place.activity_id.clone(),
            identity: self.client().identity(),
            keep_paused: true,
            resource_id: format!("activity:{}", place.activity_id),
            ..ResetActivityExecutionRequest::default()
        };
        self.client().clone().reset_activity_execution(unthrottled(request)).await.map(drop)
    }
}

/// The class of an attempt's failure.
fn class_of(failure: &Failure) -> Option<&str> {
    match failure.failure_info.as_ref()? {
        FailureInfo::ApplicationFailureInfo(info) => Some(&info.r#type),
        _ => None,
    }
}

fn timestamp(seconds: i64, nanos: i32) -> Timestamp {
    Timestamp(seconds * 1_000 + i64::from(nanos) / 1_000_000)
}

fn execution_of(run: &WorkflowRun) -> WorkflowExecution {
    WorkflowExecution { workflow_id: run.workflow_id.clone(), run_id: run.run_id.clone() }
}

fn name_of(place: &CallPlace) -> &str {
    place.workflow.as_ref().map_or(&place.activity_id, |run| &run.workflow_id)
}

#[cfg(test)]
mod tests {
    use interlock_domain::attempt::{Left, LeftWithJob};
    use temporalio_common::data_converters::DataConverter;
    use temporalio_common::protos::temporal::api::activity::v1::ActivityExecutionInfo;
    use temporalio_common::protos::temporal::api::common::v1::Payload;
    use temporalio_common::protos::temporal::api::failure::v1::ApplicationFailureInfo;
    use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
    use temporalio_common::protos::temporal::api::workflowservice::v1::{
        DescribeActivityExecutionResponse, DescribeWorkflowExecutionResponse, ResetActivityExecutionResponse,
        ResetActivityResponse,
    };

    use super::*;
    use crate::scripted_server::ScriptedServer;

    const LEFT: Left = Left::Accepted { since: Timestamp(5) };

    const NOTHING_KNOWN: PendingCall = PendingCall {
        is_running: false,
        is_paused: false,
        left: None,
        was_told: false,
        ended_at: None,
        next_at: None,
        may_expire: false,
    };

    fn in_workflow() -> CallPlace {
        let workflow = WorkflowRun { workflow_id: "blue/customer/A1".to_owned(), run_id: "r1".to_owned() };
        CallPlace { namespace: "default".to_owned(), workflow: Some(workflow), activity_id: "7".to_owned() }
    }

    fn alone() -> CallPlace {
        CallPlace { workflow: None, activity_id: "A1~1".to_owned(), ..in_workflow() }
    }

    async fn details() -> Option<Payloads> {
        let left = LeftBy { attempt: 1, left: LEFT, next_at: None, calls: Some(1) };
        let left = Some(LeftWithJob { left, job: Some("17".to_owned()) });
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        Some(Payloads { payloads: DataConverter::default().to_payloads(&context, &left).await.unwrap() })
    }

    fn failed(class: &str) -> Failure {
        let info = ApplicationFailureInfo { r#type: class.to_owned(), ..ApplicationFailureInfo::default() };
        Failure { failure_info: Some(FailureInfo::ApplicationFailureInfo(info)), ..Failure::default() }
    }

    #[tokio::test]
    async fn a_call_in_a_workflow_is_found_by_its_id_in_its_run() {
        let pending = |id: &str, state: State| PendingActivityInfo {
            activity_id: id.to_owned(),
            state: state.into(),
            ..PendingActivityInfo::default()
        };
        let at = prost_wkt_types::Timestamp { seconds: 2, nanos: 500_000_000 };
        let waits = PendingActivityInfo {
            heartbeat_details: details().await,
            last_attempt_complete_time: Some(at),
            next_attempt_schedule_time: Some(at),
            last_failure: Some(failed("accepted")),
            expiration_time: Some(at),
            ..pending("7", State::Scheduled)
        };
        let paused = PendingActivityInfo { paused: true, ..pending("7", State::Scheduled) };
        let expected = PendingCall {
            left: Some(LEFT),
            was_told: true,
            ended_at: Some(Timestamp(2_500)),
            next_at: Some(Timestamp(2_500)),
            may_expire: true,
            ..NOTHING_KNOWN
        };
        for (activities, expected) in [
            (vec![pending("6", State::Started), waits], Some(expected)),
            (vec![pending("7", State::Started)], Some(PendingCall { is_running: true, ..NOTHING_KNOWN })),
            (vec![paused], Some(PendingCall { is_paused: true, ..NOTHING_KNOWN })),
            (vec![pending("6", State::Scheduled)], None),
        ] {
            let described = DescribeWorkflowExecutionResponse {
                pending_activities: activities,
                ..DescribeWorkflowExecutionResponse::default()
            };
            let server = ScriptedServer::default().answers("DescribeWorkflowExecution", &described);
            let (server, client) = server.client().await;
            let found = EntityCalls::new(client).pending_call(&in_workflow()).await.unwrap();
            assert_eq!(found, expected);
            let asked: DescribeWorkflowExecutionRequest = server.request();
            assert_eq!(asked.execution.unwrap().run_id, "r1");
        }
        let call = PendingActivityInfo {
            heartbeat_details: Some(Payloads { payloads: vec![Payload::default()] }),
            ..pending("7", State::Scheduled)
        };
        let unreadable = DescribeWorkflowExecutionResponse {
            pending_activities: vec![call],
            ..DescribeWorkflowExecutionResponse::default()
        };
        let (_, client) = ScriptedServer::default().answers("DescribeWorkflowExecution", &unreadable).client().await;
        let error = EntityCalls::new(client).pending_call(&in_workflow()).await.unwrap_err();
        assert_eq!(error.code().as_str(), "payload_unreadable");
        let server = ScriptedServer::default().refuses("DescribeWorkflowExecution", Status::not_found("no such run"));
        let (_, client) = server.client().await;
        assert_eq!(EntityCalls::new(client).pending_call(&in_workflow()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_call_that_stands_alone_is_found_while_it_is_pending() {
        let info = |state: State, details| ActivityExecutionInfo {
            run_state: state.into(),
            heartbeat_details: details,
            last_failure: Some(failed("throttled")),
            ..ActivityExecutionInfo::default()
        };
        let waits = PendingCall { left: Some(LEFT), ..NOTHING_KNOWN };
        for (info, expected) in [
            (info(State::Scheduled, details().await), Some(waits)),
            (info(State::Paused, details().await), Some(PendingCall { is_paused: true, ..waits })),
            (info(State::Started, None), Some(PendingCall { is_running: true, left: None, ..waits })),
            (info(State::Unspecified, None), None),
        ] {
            let described =
                DescribeActivityExecutionResponse { info: Some(info), ..DescribeActivityExecutionResponse::default() };
            let server = ScriptedServer::default().answers("DescribeActivityExecution", &described);
            let (_, client) = server.client().await;
            assert_eq!(EntityCalls::new(client).pending_call(&alone()).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_call_is_brought_forward_with_all_that_is_known_and_stays_paused() {
        let server = ScriptedServer::default()
            .answers("ResetActivity", &ResetActivityResponse::default())
            .answers("ResetActivityExecution", &ResetActivityExecutionResponse::default())
            .refuses("ResetActivity", Status::not_found("it is over"))
            .refuses("ResetActivityExecution", Status::failed_precondition("it is over"))
            .refuses(
                "ResetActivityExecution",
                Status::unimplemented("Standalone activity operator commands are disabled"),
            )
            .refuses("ResetActivity", Status::resource_exhausted("Workflow is busy."))
            .refuses("ResetActivity", Status::permission_denied("no"));
        let (server, client) = server.client().await;
        let calls = EntityCalls::new(client);
        for place in [in_workflow(), alone(), in_workflow(), alone(), alone()] {
            assert!(calls.bring_forward(&place).await.unwrap());
        }
        assert!(!calls.bring_forward(&in_workflow()).await.unwrap(), "it is not repeated without another look");
        assert_eq!(calls.bring_forward(&in_workflow()).await.unwrap_err().status().unwrap().message(), "no");
        let reset: ResetActivityRequest = server.request();
        assert_eq!((reset.keep_paused, reset.reset_heartbeat), (true, false));
        assert_eq!(reset.execution.unwrap().run_id, "r1");
        let reset: ResetActivityExecutionRequest = server.request();
        assert_eq!((reset.keep_paused, reset.reset_heartbeat, reset.activity_id.as_str()), (true, false, "A1~1"));
    }
}
