//! The messages to entities that pass through a proxy: signals and updates, including those that start the entity.

use std::time::Duration;

use bytes::Bytes;
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_common::protos::temporal::api::update::v1::Request as UpdateRequest;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    ExecuteMultiOperationRequest, SignalWithStartWorkflowExecutionRequest, SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
    execute_multi_operation_request::operation::Operation,
};

use super::wire::{decode, encode};

/// A message to an entity that the server accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The workflow id of the entity.
    pub to: String,
    /// The name of the signal or the update.
    pub name: String,
    /// Its first argument, as JSON.
    pub text: String,
    /// The request id of a signal, by which the server recognises a copy. For an update, its id.
    pub id: String,
    /// Whether it is an update.
    pub is_update: bool,
}

fn first(payloads: Option<Payloads>) -> String {
    let payload = payloads.and_then(|payloads| payloads.payloads.into_iter().next());
    payload.map(|payload| String::from_utf8_lossy(&payload.data).into_owned()).unwrap_or_default()
}

fn updated(workflow_id: String, request: Option<UpdateRequest>) -> Option<Message> {
    let request = request?;
    let input = request.input?;
    let id = request.meta.map(|meta| meta.update_id).unwrap_or_default();
    Some(Message { to: workflow_id, name: input.name, text: first(input.args), id, is_update: true })
}

/// The messages that a request carries.
pub fn read(call: &str, body: &[u8]) -> Vec<Message> {
    let message = match call {
        "SignalWorkflowExecution" => decode::<SignalWorkflowExecutionRequest>(body).map(|signal| Message {
            to: signal.workflow_execution.map(|execution| execution.workflow_id).unwrap_or_default(),
            name: signal.signal_name,
            text: first(signal.input),
            id: signal.request_id,
            is_update: false,
        }),
        "SignalWithStartWorkflowExecution" => decode::<SignalWithStartWorkflowExecutionRequest>(body).map(|signal| {
            let (to, name, id) = (signal.workflow_id, signal.signal_name, signal.request_id);
            Message { to, name, text: first(signal.signal_input), id, is_update: false }
        }),
        "UpdateWorkflowExecution" => decode::<UpdateWorkflowExecutionRequest>(body).and_then(updated_running),
        "ExecuteMultiOperation" => {
            let operations = decode::<ExecuteMultiOperationRequest>(body).map(|many| many.operations);
            let operations = operations.into_iter().flatten().filter_map(|operation| operation.operation);
            let updates = operations.filter_map(|operation| match operation {
                Operation::UpdateWorkflow(update) => updated_running(update),
                Operation::StartWorkflow(_) => None,
            });
            return updates.collect();
        }
        _ => None,
    };
    message.into_iter().collect()
}

fn updated_running(update: UpdateWorkflowExecutionRequest) -> Option<Message> {
    updated(update.workflow_execution?.workflow_id, update.request)
}

/// Sets this workflow task time-out in the request, for the entity that it may start.
pub fn with_task_timeout(call: &str, body: Bytes, timeout: Duration) -> Bytes {
    let timeout = timeout.try_into().ok();
    match call {
        "SignalWithStartWorkflowExecution" => {
            let Some(mut request) = decode::<SignalWithStartWorkflowExecutionRequest>(&body) else { return body };
            request.workflow_task_timeout = timeout;
            encode(&request)
        }
        "StartWorkflowExecution" => {
            let Some(mut request) = decode::<StartWorkflowExecutionRequest>(&body) else { return body };
            request.workflow_task_timeout = timeout;
            encode(&request)
        }
        "ExecuteMultiOperation" => {
            let Some(mut request) = decode::<ExecuteMultiOperationRequest>(&body) else { return body };
            for operation in &mut request.operations {
                if let Some(Operation::StartWorkflow(start)) = &mut operation.operation {
                    start.workflow_task_timeout = timeout;
                }
            }
            encode(&request)
        }
        _ => body,
    }
}
