//! Which process has which tasks of the server, as seen by the proxy: whether a fault hits something.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse, RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest, RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse,
    RespondWorkflowTaskFailedRequest,
};

use super::wire::decode;
use super::{Answered, Interceptor};

/// The tasks that workers have polled and not answered yet.
#[derive(Debug, Default)]
pub struct TasksUnderWay(Mutex<BTreeMap<Vec<u8>, String>>);

impl TasksUnderWay {
    /// How many tasks the process with this id has.
    pub fn of_process(&self, pid: u32) -> usize {
        let of_process = format!("@{pid}@");
        self.lock().values().filter(|identity| identity.contains(&of_process)).count()
    }

    /// How many tasks all processes have.
    pub fn all(&self) -> usize {
        self.lock().len()
    }

    /// Forgets the tasks of a process that has ended.
    pub fn forget(&self, pid: u32) {
        let of_process = format!("@{pid}@");
        self.lock().retain(|_, identity| !identity.contains(&of_process));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that an answer hands out: its token, and who gets it.
fn handed_out(answered: &Answered<'_>) -> Option<(Vec<u8>, String)> {
    match answered.call {
        "PollWorkflowTaskQueue" => {
            let token = decode::<PollWorkflowTaskQueueResponse>(answered.answer)?.task_token;
            Some((token, decode::<PollWorkflowTaskQueueRequest>(answered.request)?.identity))
        }
        "PollActivityTaskQueue" => {
            let token = decode::<PollActivityTaskQueueResponse>(answered.answer)?.task_token;
            Some((token, decode::<PollActivityTaskQueueRequest>(answered.request)?.identity))
        }
        "RespondWorkflowTaskCompleted" => {
            let next = decode::<RespondWorkflowTaskCompletedResponse>(answered.answer)?.workflow_task?;
            Some((next.task_token, decode::<RespondWorkflowTaskCompletedRequest>(answered.request)?.identity))
        }
        _ => None,
    }
}

/// The token of the task that a request answers.
pub(crate) fn answers(call: &str, request: &Bytes) -> Option<Vec<u8>> {
    match call {
        "RespondWorkflowTaskCompleted" => {
            decode::<RespondWorkflowTaskCompletedRequest>(request).map(|answer| answer.task_token)
        }
        "RespondWorkflowTaskFailed" => {
            decode::<RespondWorkflowTaskFailedRequest>(request).map(|answer| answer.task_token)
        }
        "RespondActivityTaskCompleted" => {
            decode::<RespondActivityTaskCompletedRequest>(request).map(|answer| answer.task_token)
        }
        "RespondActivityTaskFailed" => {
            decode::<RespondActivityTaskFailedRequest>(request).map(|answer| answer.task_token)
        }
        "RespondActivityTaskCanceled" => {
            decode::<RespondActivityTaskCanceledRequest>(request).map(|answer| answer.task_token)
        }
        _ => None,
    }
}

#[async_trait]
impl Interceptor for TasksUnderWay {
    async fn after(&self, answered: &Answered<'_>) -> Option<Bytes> {
        if let Some(token) = answers(answered.call, answered.request) {
            self.lock().remove(&token);
        }
        if answered.is_ok
            && let Some((token, identity)) = handed_out(answered)
            && !token.is_empty()
        {
            self.lock().insert(token, identity);
        }
        None
    }
}
