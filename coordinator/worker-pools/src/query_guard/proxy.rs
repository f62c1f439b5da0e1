//! Passes on the calls of workers, and holds a task back until the slot of its run is free.

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use interlock_client::IN_A_TASK;
use prost::Message;
use temporalio_client::callback_based::{CallbackBasedGrpcService, GrpcRequest, GrpcSuccessResponse};
use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Connection, RetryOptions};
use temporalio_common::protos::temporal::api::enums::v1::{QueryResultType, WorkflowTaskFailedCause};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse, PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest, RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse, RespondWorkflowTaskFailedRequest,
};
use tonic::metadata::MetadataMap;
use tonic::{Code, Extensions, IntoRequest, Request, Response, Status};

use super::cuts::{Completion, GivenTasks};
use super::run_slots::{Kind, RunSlots};
use super::settled::QueryHistories;

/// The calls that workers make.
const SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";

/// How the core names a failure of its own (`WFMachinesError::Nondeterminism`).
const NONDETERMINISM: &str = "Nondeterminism error";

/// Sits between workers and the connection to the server.
pub(super) struct Proxy {
    connection: Connection,
    slots: RunSlots,
    given: GivenTasks,
    queries: QueryHistories,
}

/// Calls that are passed on unchanged.
macro_rules! passed_on {
    ($connection:expr, $call:expr, $($name:literal => $method:ident,)*) => {
        match $call.rpc.as_str() {
            $($name => {
                let mut connection = $connection.clone();
                let answer = connection.$method(read($call)?).await?;
                Ok(written(answer))
            })*
            other => Err(Status::unimplemented(format!("unknown call of a worker: {other}"))),
        }
    };
}

impl Proxy {
    /// The service for a connection above this one. Failed calls are retried there, so they are not retried here.
    pub(super) fn through(mut connection: Connection) -> CallbackBasedGrpcService {
        *connection.retry_options_mut() = RetryOptions::no_retries();
        let proxy = Arc::new(Self {
            connection,
            slots: RunSlots::default(),
            given: GivenTasks::default(),
            queries: QueryHistories::default(),
        });
        CallbackBasedGrpcService { callback: Arc::new(move |call| Arc::clone(&proxy).pass(call)) }
    }

    fn pass(self: Arc<Self>, call: GrpcRequest) -> BoxFuture<'static, Result<GrpcSuccessResponse, Status>> {
        async move {
            if call.service != SERVICE {
                return Err(Status::unimplemented(format!("unknown call of a worker: {}", call.service)));
            }
            match call.rpc.as_str() {
                "PollWorkflowTaskQueue" => self.poll(read(call)?).await.map(written),
                "RespondWorkflowTaskCompleted" => self.complete(read(call)?).await.map(written),
                "RespondWorkflowTaskFailed" => self.fail(read(call)?).await,
                "RespondQueryTaskCompleted" => self.answer(read(call)?).await,
                "GetWorkflowExecutionHistory" => self.history(read(call)?).await.map(written),
                _ => self.pass_on(call).await,
            }
            .map_err(|status| refused(&status))
        }
        .boxed()
    }

    /// A task, once the slot of its run is free. If a query cannot wait any longer, it is rejected here, and the poll returns nothing.
    async fn poll(
        &self,
        request: Request<PollWorkflowTaskQueueRequest>,
    ) -> Result<Response<PollWorkflowTaskQueueResponse>, Status> {
        let namespace = request.get_ref().namespace.clone();
        let mut answer = self.connection.clone().poll_workflow_task_queue(request).await?;
        let task = answer.get_ref();
        if task.task_token.is_empty() {
            return Ok(answer);
        }
        let run = task.workflow_execution.as_ref().map_or("", |execution| execution.run_id.as_str());
        let kind = if task.query.is_some() { Kind::Query } else { Kind::WorkflowTask };
        if self.slots.enter(run, &task.task_token, kind).await {
            match kind {
                Kind::WorkflowTask => self.given.give(task),
                Kind::Query => self.queries.begin(answer.get_mut()),
            }
            return Ok(answer);
        }
        self.send_away(namespace, task.task_token.clone(), &task.poller_group_id).await;
        // The core recognises an empty poll only by this.
        Ok(answer.map(|_| PollWorkflowTaskQueueResponse::default()))
    }

    /// Rejects a query that cannot be answered now. Its caller may be gone by then.
    async fn send_away(&self, namespace: String, task_token: Vec<u8>, poller_group_id: &str) {
        let refusal = RespondQueryTaskCompletedRequest {
            task_token,
            completed_type: QueryResultType::Failed.into(),
            error_message: IN_A_TASK.to_owned(),
            namespace,
            cause: WorkflowTaskFailedCause::Unspecified.into(),
            poller_group_id: poller_group_id.to_owned(),
            ..Default::default()
        };
        let answered = self.connection.clone().respond_query_task_completed(refusal.into_request()).await;
        let fault = answered.err();
        tracing::debug!(?fault, "a query cannot wait any longer for a workflow task; it is rejected");
    }

    async fn complete(
        &self,
        mut request: Request<RespondWorkflowTaskCompletedRequest>,
    ) -> Result<Response<RespondWorkflowTaskCompletedResponse>, Status> {
        let is_last = !request.get_ref().intermediate_page;
        let token = request.get_ref().task_token.clone();
        if self.given.complete(request.get_mut()) == Completion::GiveBack {
            return Err(self.give_back(request.into_inner()).await);
        }
        let answer = self.connection.clone().respond_workflow_task_completed(request).await;
        if is_last {
            // If it failed and is retried, the core still has the task: then the core itself keeps queries waiting.
            let next = answer.as_ref().ok().and_then(|answer| answer.get_ref().workflow_task.as_ref());
            let next = next.and_then(|next| {
                let run = next.workflow_execution.as_ref()?;
                Some((run.run_id.as_str(), next.task_token.as_slice())).filter(|(_, token)| !token.is_empty())
            });
            self.slots.leave(&token, next);
            if let Ok(answer) = &answer {
                self.given.forget(&token);
                answer.get_ref().workflow_task.iter().for_each(|task| self.given.give(task));
            }
        }
        answer
    }

    /// Gives a workflow task back to the server because replay would not divide the history as it was divided here. The returned status
    /// makes the core drop the run from its cache.
    async fn give_back(&self, completion: RespondWorkflowTaskCompletedRequest) -> Status {
        let failing = RespondWorkflowTaskFailedRequest {
            task_token: completion.task_token.clone(),
            cause: WorkflowTaskFailedCause::ResetStickyTaskQueue.into(),
            identity: completion.identity,
            namespace: completion.namespace,
            resource_id: completion.resource_id,
            ..Default::default()
        };
        let answer = self.connection.clone().respond_workflow_task_failed(failing.into_request()).await;
        tracing::info!(fault = ?answer.as_ref().err(), "a workflow task is run again, together with the one before it");
        // If the server did not get this, it gives up the task after its time-out.
        self.slots.leave(&completion.task_token, None);
        self.given.forget(&completion.task_token);
        Status::not_found("the workflow task is run again, together with the one before it")
    }

    async fn fail(&self, request: Request<RespondWorkflowTaskFailedRequest>) -> Result<GrpcSuccessResponse, Status> {
        let token = request.get_ref().task_token.clone();
        let answer = self.connection.clone().respond_workflow_task_failed(request).await;
        self.slots.leave(&token, None);
        self.given.forget(&token);
        answer.map(written)
    }

    /// The answer to a query. If the core itself failed, the caller is told to ask again: see [`is_core_fault`].
    async fn answer(
        &self,
        mut request: Request<RespondQueryTaskCompletedRequest>,
    ) -> Result<GrpcSuccessResponse, Status> {
        let token = request.get_ref().task_token.clone();
        if is_core_fault(request.get_ref()) {
            let message = &mut request.get_mut().error_message;
            tracing::warn!(fault = %message, "the SDK could not answer a query of an entity; its caller is told to ask again");
            *message = format!("{IN_A_TASK} ({message})");
        }
        let answer = self.connection.clone().respond_query_task_completed(request).await;
        self.slots.leave(&token, None);
        answer.map(written)
    }

    /// A further page of a task's history.
    async fn history(
        &self,
        request: Request<GetWorkflowExecutionHistoryRequest>,
    ) -> Result<Response<GetWorkflowExecutionHistoryResponse>, Status> {
        let token = request.get_ref().next_page_token.clone();
        let mut answer = self.connection.clone().get_workflow_execution_history(request).await?;
        self.queries.go_on(&token, answer.get_mut());
        Ok(answer)
    }

    async fn pass_on(&self, call: GrpcRequest) -> Result<GrpcSuccessResponse, Status> {
        passed_on!(self.connection, call,
            "GetSystemInfo" => get_system_info,
            "DescribeNamespace" => describe_namespace,
            "PollActivityTaskQueue" => poll_activity_task_queue,
            "RecordActivityTaskHeartbeat" => record_activity_task_heartbeat,
            "RespondActivityTaskCompleted" => respond_activity_task_completed,
            "RespondActivityTaskFailed" => respond_activity_task_failed,
            "RespondActivityTaskCanceled" => respond_activity_task_canceled,
            "PollNexusTaskQueue" => poll_nexus_task_queue,
            "RespondNexusTaskCompleted" => respond_nexus_task_completed,
            "RespondNexusTaskFailed" => respond_nexus_task_failed,
            "RecordWorkerHeartbeat" => record_worker_heartbeat,
            "ShutdownWorker" => shutdown_worker,
        )
    }
}

/// Whether a query failed in the core, and not in the workflow.
///
/// If the completion of a workflow task is lost, the core drops the run from its cache while a local activity of that task may still run. A
/// query that comes next has the core build the run again, only for the query. The result of the local activity then reaches a run that
/// has not started it, and the core (0.10.1, `WorkflowMachines::local_resolution`) takes this for nondeterminism: "Missing associated
/// machine for LocalActivity". The history is right, and the next query is answered from it.
fn is_core_fault(answer: &RespondQueryTaskCompletedRequest) -> bool {
    answer.completed_type() == QueryResultType::Failed && answer.error_message.contains(NONDETERMINISM)
}

/// A call in the form for the connection: with its metadata, except for headers of the transport.
fn read<M: Message + Default>(call: GrpcRequest) -> Result<Request<M>, Status> {
    let message = M::decode(call.proto)
        .map_err(|error| Status::internal(format!("the call {} cannot be read: {error}", call.rpc)))?;
    Ok(Request::from_parts(MetadataMap::from_headers(passing(&call.headers)), Extensions::default(), message))
}

/// The status of a failed call, for the client above: without headers of the transport, which do not apply to the decoded
/// answer, and with a broken connection as `Unavailable`. The client recognises a broken connection by the source error,
/// which is not passed on, so it would take the status for a call that its own caller cancelled.
fn refused(status: &Status) -> Status {
    let broke_off = successors(status.source(), |&error| error.source()).any(<dyn Error>::is::<hyper::Error>);
    let code = if broke_off && status.code() == Code::Cancelled { Code::Unavailable } else { status.code() };
    let details = Bytes::copy_from_slice(status.details());
    let metadata = MetadataMap::from_headers(passing(status.metadata().as_ref()));
    Status::with_details_and_metadata(code, status.message(), details, metadata)
}

/// Headers without those of the transport.
fn passing(headers: &HeaderMap) -> HeaderMap {
    let passing = headers.iter().filter(|(name, _)| !is_of_transport(name.as_str()));
    let mut passed = HeaderMap::new();
    for (name, value) in passing {
        passed.append(name.clone(), value.clone());
    }
    passed
}

/// The time-out of a call is kept; all other headers of the transport are dropped.
fn is_of_transport(header: &str) -> bool {
    let of_http = ["te", "content-type", "content-length", "host", "user-agent"];
    of_http.contains(&header) || (header.starts_with("grpc-") && header != "grpc-timeout")
}

fn written<M: Message>(answer: Response<M>) -> GrpcSuccessResponse {
    let (metadata, message, _) = answer.into_parts();
    GrpcSuccessResponse { headers: passing(metadata.as_ref()), proto: message.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::sync::Mutex;
    use std::time::Duration;

    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use temporalio_client::ConnectionOptions;
    use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
    use temporalio_common::protos::temporal::api::query::v1::WorkflowQuery;
    use temporalio_common::protos::temporal::api::workflowservice::v1::{
        DescribeNamespaceRequest, DescribeNamespaceResponse, GetSystemInfoResponse, ListNamespacesRequest,
        PollActivityTaskQueueRequest, RespondQueryTaskCompletedResponse, RespondWorkflowTaskFailedResponse,
    };
    use tokio::io::AsyncWriteExt as _;
    use url::Url;

    use super::*;
    use crate::query_guard::guarded;

    const A_WHILE: Duration = Duration::from_millis(500);

    /// A server that returns these tasks to pollers, and records what it receives.
    #[derive(Default)]
    struct Server {
        tasks: Mutex<VecDeque<PollWorkflowTaskQueueResponse>>,
        /// Its answer to the next completion.
        next: Mutex<Option<PollWorkflowTaskQueueResponse>>,
        refused: Mutex<Vec<String>>,
        metadata: Mutex<Vec<HeaderMap>>,
    }

    impl Server {
        fn has(tasks: impl IntoIterator<Item = PollWorkflowTaskQueueResponse>) -> Arc<Self> {
            Arc::new(Self { tasks: Mutex::new(tasks.into_iter().collect()), ..Self::default() })
        }

        fn answer(&self, call: &GrpcRequest) -> Result<Vec<u8>, Status> {
            self.metadata.lock().unwrap().push(call.headers.clone());
            Ok(match call.rpc.as_str() {
                "GetSystemInfo" => GetSystemInfoResponse::default().encode_to_vec(),
                "PollWorkflowTaskQueue" => self.tasks.lock().unwrap().pop_front().unwrap_or_default().encode_to_vec(),
                "RespondWorkflowTaskCompleted" => {
                    let workflow_task = self.next.lock().unwrap().take();
                    RespondWorkflowTaskCompletedResponse { workflow_task, ..Default::default() }.encode_to_vec()
                }
                "RespondWorkflowTaskFailed" => RespondWorkflowTaskFailedResponse::default().encode_to_vec(),
                "RespondQueryTaskCompleted" => {
                    let told = RespondQueryTaskCompletedRequest::decode(call.proto.clone()).unwrap();
                    self.refused.lock().unwrap().push(told.error_message);
                    if told.task_token == b"expired" {
                        return Err(Status::not_found("query task not found, or already expired"));
                    }
                    RespondQueryTaskCompletedResponse::default().encode_to_vec()
                }
                "DescribeNamespace" => {
                    DescribeNamespaceResponse { failover_version: 7, ..Default::default() }.encode_to_vec()
                }
                other => return Err(Status::not_found(format!("nobody has {other}"))),
            })
        }

        /// A connection to it for workers.
        async fn for_workers(self: &Arc<Self>) -> Connection {
            let server = Arc::clone(self);
            let callback = move |call: GrpcRequest| {
                let answer = server.answer(&call);
                async move { answer.map(|proto| GrpcSuccessResponse { headers: HeaderMap::new(), proto }) }.boxed()
            };
            let options = ConnectionOptions::new(Url::parse("http://server.invalid:7233").unwrap())
                .identity("a worker".to_owned())
                .dns_load_balancing(None)
                .service_override(CallbackBasedGrpcService { callback: Arc::new(callback) })
                .build();
            let beneath = Connection::connect(options.clone()).await.unwrap();
            guarded(beneath, &options).await.unwrap()
        }
    }

    fn task(token: &str, run_id: &str) -> PollWorkflowTaskQueueResponse {
        let execution = WorkflowExecution { workflow_id: "t/customer/A1".to_owned(), run_id: run_id.to_owned() };
        PollWorkflowTaskQueueResponse {
            task_token: token.into(),
            workflow_execution: Some(execution),
            ..Default::default()
        }
    }

    fn query(token: &str, run_id: &str) -> PollWorkflowTaskQueueResponse {
        let query = WorkflowQuery { query_type: "state".to_owned(), ..Default::default() };
        PollWorkflowTaskQueueResponse { query: Some(query), ..task(token, run_id) }
    }

    /// The token of the task that a poll returned.
    async fn polled(connection: &Connection) -> String {
        let mut connection = connection.clone();
        let answer = connection.poll_workflow_task_queue(PollWorkflowTaskQueueRequest::default().into_request()).await;
        String::from_utf8(answer.unwrap().into_inner().task_token).unwrap()
    }

    async fn completed(connection: &Connection, token: &str) {
        let request = RespondWorkflowTaskCompletedRequest { task_token: token.into(), ..Default::default() };
        connection.clone().respond_workflow_task_completed(request.into_request()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_is_handed_out_once_the_workflow_task_of_its_run_is_answered() {
        let server = Server::has([task("task", "run"), query("query", "run")]);
        let connection = server.for_workers().await;
        assert_eq!(polled(&connection).await, "task");
        let asking = tokio::spawn({
            let connection = connection.clone();
            async move { polled(&connection).await }
        });
        tokio::time::sleep(A_WHILE).await;
        assert!(!asking.is_finished());
        completed(&connection, "task").await;
        assert_eq!(asking.await.unwrap(), "query");
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_gets_no_signal_that_no_workflow_task_has_given_to_the_run() {
        use temporalio_common::protos::temporal::api::enums::v1::EventType;
        use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};
        let types =
            [EventType::WorkflowTaskCompleted, EventType::WorkflowExecutionSignaled, EventType::WorkflowTaskScheduled];
        let events: Vec<_> =
            types.iter().map(|kind| HistoryEvent { event_type: (*kind).into(), ..Default::default() }).collect();
        let with_history =
            |task| PollWorkflowTaskQueueResponse { history: Some(History { events: events.clone() }), ..task };
        let server = Server::has([with_history(query("query", "run")), with_history(task("task", "another run"))]);
        let mut connection = server.for_workers().await;
        let mut counts = Vec::new();
        for _ in 0..2 {
            let asked = PollWorkflowTaskQueueRequest::default().into_request();
            let polled = connection.poll_workflow_task_queue(asked).await.unwrap().into_inner();
            counts.push(polled.history.unwrap().events.len());
        }
        assert_eq!(counts, [1, 3], "a workflow task gets its whole history");
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_waits_too_long_is_answered_so_and_the_poll_had_nothing() {
        let server = Server::has([task("task", "run"), query("query", "run"), query("other", "another run")]);
        let connection = server.for_workers().await;
        assert_eq!(polled(&connection).await, "task");
        assert_eq!(polled(&connection).await, "");
        assert_eq!(*server.refused.lock().unwrap(), [IN_A_TASK]);
        assert_eq!(polled(&connection).await, "other", "queries to other runs do not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_nobody_waits_for_any_more_is_no_fault_of_the_poll() {
        let server = Server::has([task("task", "run"), query("expired", "run")]);
        let connection = server.for_workers().await;
        assert_eq!(polled(&connection).await, "task");
        assert_eq!(polled(&connection).await, "");
        assert_eq!(*server.refused.lock().unwrap(), [IN_A_TASK]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_waits_also_for_the_task_that_the_answer_to_the_one_before_brought() {
        let server = Server::has([task("task", "run"), query("query", "run")]);
        let connection = server.for_workers().await;
        assert_eq!(polled(&connection).await, "task");
        *server.next.lock().unwrap() = Some(task("next", "run"));
        completed(&connection, "task").await;
        assert_eq!(polled(&connection).await, "");
        completed(&connection, "next").await;
        server.tasks.lock().unwrap().push_back(query("query again", "run"));
        assert_eq!(polled(&connection).await, "query again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_failed_and_an_answered_query_make_room() {
        let server = Server::has([task("task", "run"), query("query", "run"), task("next task", "run")]);
        let connection = server.for_workers().await;
        assert_eq!(polled(&connection).await, "task");
        let request = RespondWorkflowTaskFailedRequest { task_token: b"task".to_vec(), ..Default::default() };
        connection.clone().respond_workflow_task_failed(request.into_request()).await.unwrap();
        assert_eq!(polled(&connection).await, "query");

        let waiting = tokio::spawn({
            let connection = connection.clone();
            async move { polled(&connection).await }
        });
        tokio::time::sleep(A_WHILE).await;
        assert!(!waiting.is_finished());
        let request = RespondQueryTaskCompletedRequest { task_token: b"query".to_vec(), ..Default::default() };
        connection.clone().respond_query_task_completed(request.into_request()).await.unwrap();
        assert_eq!(waiting.await.unwrap(), "next task");
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_fails_in_the_core_is_to_be_asked_again_and_one_that_the_workflow_refuses_is_not() {
        let server = Server::has([query("one", "run"), query("other", "run")]);
        let connection = server.for_workers().await;
        let core = "[TMPRL1100] Nondeterminism error: Missing associated machine for LocalActivity(3)";
        for (token, fault) in [("one", core), ("other", "there is no such order")] {
            assert_eq!(polled(&connection).await, token);
            let request = RespondQueryTaskCompletedRequest {
                task_token: token.into(),
                completed_type: QueryResultType::Failed.into(),
                error_message: fault.to_owned(),
                ..Default::default()
            };
            connection.clone().respond_query_task_completed(request.into_request()).await.unwrap();
        }
        let told = server.refused.lock().unwrap().clone();
        assert!(told[0].starts_with(IN_A_TASK) && told[0].contains(core), "{}", told[0]);
        assert_eq!(told[1], "there is no such order");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_of_a_completion_is_not_its_end() {
        let server = Server::has([task("task", "run"), query("query", "run")]);
        let connection = server.for_workers().await;
        assert_eq!(polled(&connection).await, "task");
        let request = RespondWorkflowTaskCompletedRequest {
            task_token: b"task".to_vec(),
            intermediate_page: true,
            ..Default::default()
        };
        connection.clone().respond_workflow_task_completed(request.into_request()).await.unwrap();
        assert_eq!(polled(&connection).await, "");
    }

    #[tokio::test]
    async fn other_calls_go_through_with_their_time_limit_and_what_is_refused_is_refused() {
        let server = Server::has([]);
        let connection = server.for_workers().await;
        let mut request = DescribeNamespaceRequest::default().into_request();
        request.set_timeout(Duration::from_secs(10));
        let answer = connection.clone().describe_namespace(request).await.unwrap();
        assert_eq!(answer.get_ref().failover_version, 7);
        let metadata = server.metadata.lock().unwrap().pop().unwrap();
        assert_eq!(metadata.get("grpc-timeout").unwrap(), "10000000u");

        let request = PollActivityTaskQueueRequest::default().into_request();
        let refused = connection.clone().poll_activity_task_queue(request).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::NotFound, "nobody has PollActivityTaskQueue"));
    }

    #[test]
    fn what_is_said_of_a_failed_call_comes_through_without_the_encoding_of_its_answer() {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-encoding", "gzip".parse().unwrap());
        metadata.insert("x-resource-exhausted-cause", "rps".parse().unwrap());
        let details = Bytes::from_static(b"details");
        let status = Status::with_details_and_metadata(Code::ResourceExhausted, "too many", details, metadata);
        let told = refused(&status);
        assert_eq!(
            (told.code(), told.message(), told.details()),
            (Code::ResourceExhausted, "too many", &b"details"[..])
        );
        assert!(told.metadata().get("grpc-encoding").is_none());
        assert_eq!(told.metadata().get("x-resource-exhausted-cause").unwrap(), "rps");
        assert_eq!(refused(&Status::cancelled("the caller gave up")).code(), Code::Cancelled);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_off_is_unavailable_and_so_tried_again() {
        // Hyper's message for a peer that does not speak HTTP.
        let (mut peer, end) = tokio::io::duplex(4096);
        peer.write_all(b"nonsense\r\n\r\n").await.unwrap();
        let nothing = service_fn(|_| async { Ok::<_, Infallible>(hyper::Response::new(String::new())) });
        let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(end), nothing).await;
        let fault = served.unwrap_err();

        let status = Status::from_error(Box::new(fault));
        let mut cancelled = Status::cancelled("operation was canceled");
        cancelled.set_source(Arc::new(status));
        assert_eq!(refused(&cancelled).code(), Code::Unavailable);
    }

    #[tokio::test]
    async fn a_call_that_no_worker_is_known_to_make_is_refused_by_its_name() {
        let connection = Server::has([]).for_workers().await;
        let request = ListNamespacesRequest::default().into_request();
        let refused = connection.clone().list_namespaces(request).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::Unimplemented, "unknown call of a worker: ListNamespaces")
        );
    }
}
