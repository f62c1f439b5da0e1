//! The histories of workflows, and what is read from single events of them.

use serde::de::DeserializeOwned;
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::data_converters::SerializationContextData;
use temporalio_common::payload_visitor::decode_payloads;
use temporalio_common::protos::temporal::api::common::v1::{Payload, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::HistoryEventFilterType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
};
use tonic::IntoRequest;

use crate::payloads::decode;
use crate::server_error::ServerError;

/// A page of a history, decrypted, with the server's token of the next page. The token is empty on the last page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryPage {
    /// The events.
    pub events: Vec<HistoryEvent>,
    /// The token.
    pub next: Vec<u8>,
}

/// One page of the history of a run, from a token on, or from the beginning if the token is empty. `None` if the server does not have
/// the history.
///
/// # Errors
/// [`ServerError`]; `Payload` if an event cannot be decrypted.
pub async fn history_page(
    client: &Client,
    namespace: &str,
    run: WorkflowExecution,
    token: Vec<u8>,
) -> Result<Option<HistoryPage>, ServerError> {
    let request = GetWorkflowExecutionHistoryRequest { next_page_token: token, ..request(namespace, run) };
    let page = match page(client, request).await {
        Ok(page) => page,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut history = page.history.unwrap_or_default();
    let codec = client.options().data_converter.codec();
    let decrypted = decode_payloads(&mut history, codec, &SerializationContextData::None).await;
    decrypted.map_err(ServerError::payload)?;
    Ok(Some(HistoryPage { events: history.events, next: page.next_page_token }))
}

/// The whole history of a run, decrypted. `None` if the server does not have it.
///
/// # Errors
/// [`ServerError`]; `Payload` if an event cannot be decrypted.
pub async fn history(
    client: &Client,
    namespace: &str,
    run: WorkflowExecution,
) -> Result<Option<Vec<HistoryEvent>>, ServerError> {
    let (mut events, mut token) = (Vec::new(), Vec::new());
    loop {
        let Some(page) = history_page(client, namespace, run.clone(), token).await? else { return Ok(None) };
        events.extend(page.events);
        if page.next.is_empty() {
            return Ok(Some(events));
        }
        token = page.next;
    }
}

/// The result of a workflow that has completed. `None` if its last run did not complete.
///
/// # Errors
/// [`ServerError`]; `Payload` if the result is not of this type.
pub async fn result<A: DeserializeOwned + 'static>(
    client: &Client,
    namespace: &str,
    workflow_id: &str,
) -> Result<Option<A>, ServerError> {
    let run = WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: String::new() };
    let request = GetWorkflowExecutionHistoryRequest {
        history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
        ..request(namespace, run)
    };
    let events = page(client, request).await?.history.unwrap_or_default().events;
    match result_in(events) {
        Some(payloads) => decode(client, payloads).await.map(Some),
        None => Ok(None),
    }
}

/// The result of the last run of the same schedule that completed. The server writes it into the first event of the next run; the SDK
/// does not pass it to the workflow. `None` if there is none.
///
/// # Errors
/// [`ServerError`]; `Payload` if the result is not of this type.
pub async fn last_completion_result<A: DeserializeOwned + 'static>(
    client: &Client,
    namespace: &str,
    run: WorkflowExecution,
) -> Result<Option<A>, ServerError> {
    let request = GetWorkflowExecutionHistoryRequest { maximum_page_size: 1, ..request(namespace, run) };
    let events = page(client, request).await?.history.unwrap_or_default().events;
    match last_completion_result_in(events) {
        Some(payloads) => decode(client, payloads).await.map(Some),
        None => Ok(None),
    }
}

fn request(namespace: &str, run: WorkflowExecution) -> GetWorkflowExecutionHistoryRequest {
    GetWorkflowExecutionHistoryRequest {
        namespace: namespace.to_owned(),
        execution: Some(run),
        ..GetWorkflowExecutionHistoryRequest::default()
    }
}

async fn page(
    client: &Client,
    request: GetWorkflowExecutionHistoryRequest,
) -> Result<GetWorkflowExecutionHistoryResponse, ServerError> {
    Ok(client.clone().get_workflow_execution_history(request.into_request()).await?.into_inner())
}

fn result_in(events: Vec<HistoryEvent>) -> Option<Vec<Payload>> {
    match events.into_iter().last()?.attributes? {
        Attributes::WorkflowExecutionCompletedEventAttributes(completed) => {
            Some(completed.result.map(|result| result.payloads).unwrap_or_default())
        }
        _ => None,
    }
}

fn last_completion_result_in(events: Vec<HistoryEvent>) -> Option<Vec<Payload>> {
    match events.into_iter().next()?.attributes? {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => {
            Some(started.last_completion_result?.payloads).filter(|payloads| !payloads.is_empty())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::common::v1::Payloads;
    use temporalio_common::protos::temporal::api::history::v1::{
        History, WorkflowExecutionCompletedEventAttributes, WorkflowExecutionStartedEventAttributes,
        WorkflowExecutionTerminatedEventAttributes,
    };

    use tonic::Status;

    use super::*;
    use crate::payloads::plain_json;
    use crate::scripted_server::ScriptedServer;

    const GET: &str = "GetWorkflowExecutionHistory";

    fn event(attributes: Attributes) -> HistoryEvent {
        HistoryEvent { attributes: Some(attributes), ..HistoryEvent::default() }
    }

    fn payloads() -> Payloads {
        Payloads { payloads: vec![plain_json(b"1".to_vec())] }
    }

    #[tokio::test]
    async fn a_history_is_read_to_its_last_page() {
        let page = |event_id, next: &[u8]| GetWorkflowExecutionHistoryResponse {
            history: Some(History { events: vec![HistoryEvent { event_id, ..HistoryEvent::default() }] }),
            next_page_token: next.to_vec(),
            ..GetWorkflowExecutionHistoryResponse::default()
        };
        let server = ScriptedServer::default().answers(GET, &page(1, b"two")).answers(GET, &page(2, b""));
        let (server, client) = server.refuses(GET, Status::not_found("workflow not found for ID: x")).client().await;
        let run = || WorkflowExecution { workflow_id: "x".to_owned(), run_id: "1".to_owned() };
        let events = history(&client, "default", run()).await.unwrap().unwrap();
        assert_eq!(events.iter().map(|event| event.event_id).collect::<Vec<_>>(), [1, 2]);
        let (first, second): (GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryRequest) =
            (server.request(), server.request());
        assert_eq!((first.execution, second.next_page_token.as_slice()), (Some(run()), &b"two"[..]));
        assert_eq!(history(&client, "default", run()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_result_of_a_workflow_is_decoded() {
        let completed = WorkflowExecutionCompletedEventAttributes { result: Some(payloads()), ..Default::default() };
        let events = vec![event(Attributes::WorkflowExecutionCompletedEventAttributes(completed))];
        let closed = GetWorkflowExecutionHistoryResponse { history: Some(History { events }), ..Default::default() };
        let server = ScriptedServer::default().answers(GET, &closed).answers(GET, &closed);
        let (_, client) = server.client().await;
        assert_eq!(result::<u64>(&client, "default", "x").await.unwrap(), Some(1));
        assert!(matches!(result::<String>(&client, "default", "x").await, Err(ServerError::Payload(_))));
    }

    #[test]
    fn only_a_completed_workflow_has_a_result() {
        let completed = WorkflowExecutionCompletedEventAttributes { result: Some(payloads()), ..Default::default() };
        let completed = event(Attributes::WorkflowExecutionCompletedEventAttributes(completed));
        assert_eq!(result_in(vec![completed]), Some(payloads().payloads));
        let terminated = WorkflowExecutionTerminatedEventAttributes::default();
        let terminated = event(Attributes::WorkflowExecutionTerminatedEventAttributes(terminated));
        assert_eq!(result_in(vec![terminated]), None);
        assert_eq!(result_in(Vec::new()), None);
    }

    #[test]
    fn the_first_run_of_a_schedule_has_no_earlier_result() {
        let started = |last_completion_result| {
            let started = WorkflowExecutionStartedEventAttributes { last_completion_result, ..Default::default() };
            vec![event(Attributes::WorkflowExecutionStartedEventAttributes(started))]
        };
        assert_eq!(last_completion_result_in(started(Some(payloads()))), Some(payloads().payloads));
        assert_eq!(last_completion_result_in(started(Some(Payloads::default()))), None);
        assert_eq!(last_completion_result_in(started(None)), None);
        assert_eq!(last_completion_result_in(Vec::new()), None);
    }
}
