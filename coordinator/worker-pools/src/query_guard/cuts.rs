//! Makes the server record workflow tasks so that replay divides the history into tasks as the first execution did.
//!
//! If a workflow task produced no command and the next one was scheduled at once, the SDK's core (0.10.1,
//! `find_end_index_of_next_wft_seq`) treats the two as one, as it must for the heartbeats of a long local activity. The server
//! also schedules a task at once for an update, before the signals that arrive while the task waits. So:
//!
//! - A worker without the run in its cache runs both tasks as one, signals before results. If the second one accepts an update,
//!   replay divides the two, at the event that the update was delivered after (`accepted_request_sequencing_event_id`).
//! - A worker with the run in its cache ran the first task by itself. If the second one accepts no update, because the server
//!   lost it in a restart, replay treats the two as one.
//!
//! Either way the run receives the same inputs in another order. It then produces other commands than the recorded ones, and its
//! tasks fail from then on. So this module writes the acceptance's event id so that replay divides where the run received
//! the tasks ([`task_before`]). If replay would not divide at a task, the task is given back to the server: the next worker runs both as
//! one, as replay does. Once the core divides consistently, this module can be removed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interlock_workflows::task_before;
use prost::Message as _;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::update::v1::Acceptance;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
};
use tokio::time::Instant;

/// The type of the message by which a worker accepts an update.
const ACCEPTANCE: &str = "temporal.api.update.v1.Acceptance";
/// Further attempts of a task are passed on unchanged, so that no task is given back forever.
const ATTEMPT_GIVEN_BACK_MAX: i32 = 3;
/// If more tasks than this are known, those that the server must have given up are forgotten.
const TASKS_KEPT: usize = 1_024;
/// The server gives up a workflow task after 10 s, unless its worker asks for more time with a completion.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// The workflow tasks that the core has.
#[derive(Debug)]
pub(super) struct GivenTasks {
    tasks: Mutex<BTreeMap<Vec<u8>, GivenTask>>,
    /// [`task_before`], replaced in tests.
    task_before: fn(&str, i64) -> Option<i64>,
}

impl Default for GivenTasks {
    fn default() -> Self {
        Self { tasks: Mutex::default(), task_before }
    }
}

#[derive(Debug)]
struct GivenTask {
    run_id: String,
    /// The id of the event with which it started.
    started: i64,
    attempt: i32,
    /// Earlier tasks after which replay divides only if this one accepts an update.
    uncertain: Vec<i64>,
    /// Whether a page of its completion accepted an update.
    accepted: bool,
    since: Instant,
}

/// What to do with a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completion {
    /// Pass it on.
    Send,
    /// Give the task back to the server.
    GiveBack,
}

impl GivenTasks {
    /// Records that the core gets this workflow task.
    pub(super) fn give(&self, task: &PollWorkflowTaskQueueResponse) {
        if task.task_token.is_empty() {
            return;
        }
        let run_id = task.workflow_execution.as_ref().map_or_else(String::new, |execution| execution.run_id.clone());
        let events = task.history.as_ref().map_or(&[][..], |history| &history.events);
        let given = GivenTask {
            run_id,
            started: task.started_event_id,
            attempt: task.attempt,
            uncertain: uncertain_cuts(events),
            accepted: false,
            since: Instant::now(),
        };
        let mut tasks = self.tasks();
        if tasks.len() >= TASKS_KEPT {
            tasks.retain(|_, task| task.since.elapsed() < FORGOTTEN_AFTER);
        }
        tasks.insert(task.task_token.clone(), given);
    }

    /// The core completes a task, or a page of it: the acceptances in it must name the task before, as this process knows it.
    pub(super) fn complete(&self, request: &mut RespondWorkflowTaskCompletedRequest) -> Completion {
        let mut tasks = self.tasks();
        let Some(task) = tasks.get_mut(&request.task_token) else { return Completion::Send };
        let Some(before) = (self.task_before)(&task.run_id, task.started) else { return Completion::Send };
        task.accepted |= accept_after(request, before);
        let is_cut = task.accepted || !task.uncertain.contains(&before);
        if request.intermediate_page || is_cut || task.attempt > ATTEMPT_GIVEN_BACK_MAX {
            Completion::Send
        } else {
            Completion::GiveBack
        }
    }

    /// The core is done with a task.
    pub(super) fn forget(&self, token: &[u8]) {
        self.tasks().remove(token);
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, GivenTask>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes into all acceptances that the update was delivered right after the task `before` started. Returns whether there is any.
///
/// Replay divides at the last task that started before that event, if it would not have divided there anyway.
fn accept_after(request: &mut RespondWorkflowTaskCompletedRequest, before: i64) -> bool {
    let mut accepted = false;
    for body in request.messages.iter_mut().filter_map(|message| message.body.as_mut()) {
        if body.type_url.rsplit('/').next() != Some(ACCEPTANCE) {
            continue;
        }
        // The server rejects one that cannot be read.
        let Ok(mut acceptance) = Acceptance::decode(body.value.as_slice()) else { continue };
        acceptance.accepted_request_sequencing_event_id = before + 1;
        body.value = acceptance.encode_to_vec();
        accepted = true;
    }
    accepted
}

/// The tasks (by the events with which they started) that produced no command, and whose next task was scheduled at once and then
/// got new inputs.
fn uncertain_cuts(events: &[HistoryEvent]) -> Vec<i64> {
    let next_is_scheduled = |at: usize| {
        let next = events.get(at + 1).map(HistoryEvent::event_type);
        next == Some(EventType::WorkflowTaskScheduled)
    };
    let got_something = |at: usize| events[at + 1..].iter().any(|event| !is_of_task(event.event_type()));
    let silent = events.iter().enumerate().filter_map(|(at, event)| match event.attributes.as_ref()? {
        Attributes::WorkflowTaskCompletedEventAttributes(completed) if next_is_scheduled(at) && got_something(at) => {
            Some(completed.started_event_id)
        }
        _ => None,
    });
    silent.collect()
}

/// Whether an event is only about a workflow task.
fn is_of_task(event: EventType) -> bool {
    matches!(
        event,
        EventType::WorkflowTaskScheduled
            | EventType::WorkflowTaskStarted
            | EventType::WorkflowTaskCompleted
            | EventType::WorkflowTaskTimedOut
            | EventType::WorkflowTaskFailed
    )
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::history::v1::{History, WorkflowTaskCompletedEventAttributes};
    use temporalio_common::protos::temporal::api::protocol::v1::Message;

    use super::*;

    fn history(types: &[EventType]) -> Vec<HistoryEvent> {
        let event = |(at, kind): (usize, &EventType)| {
            let event_id = 27 + i64::try_from(at).unwrap();
            let completed =
                WorkflowTaskCompletedEventAttributes { started_event_id: event_id - 1, ..Default::default() };
            let attributes = (*kind == EventType::WorkflowTaskCompleted)
                .then_some(Attributes::WorkflowTaskCompletedEventAttributes(completed));
            HistoryEvent { event_id, event_type: (*kind).into(), attributes, ..Default::default() }
        };
        types.iter().enumerate().map(event).collect()
    }

    #[test]
    fn a_cut_is_uncertain_after_a_task_without_commands_whose_next_one_was_scheduled_at_once_and_got_a_signal() {
        use EventType::{
            MarkerRecorded, WorkflowExecutionSignaled, WorkflowTaskCompleted, WorkflowTaskScheduled,
            WorkflowTaskStarted, WorkflowTaskTimedOut,
        };
        let by_signal = [WorkflowTaskCompleted, WorkflowTaskScheduled, WorkflowExecutionSignaled, WorkflowTaskStarted];
        assert_eq!(uncertain_cuts(&history(&by_signal)), [26]);
        let after_time_out = [
            WorkflowTaskCompleted,
            WorkflowTaskScheduled,
            WorkflowTaskTimedOut,
            WorkflowExecutionSignaled,
            WorkflowTaskScheduled,
            WorkflowTaskStarted,
        ];
        assert_eq!(uncertain_cuts(&history(&after_time_out)), [26]);
        let heartbeat = [WorkflowTaskCompleted, WorkflowTaskScheduled, WorkflowTaskStarted];
        assert!(uncertain_cuts(&history(&heartbeat)).is_empty());
        let with_command = [WorkflowTaskCompleted, MarkerRecorded, WorkflowTaskScheduled, WorkflowExecutionSignaled];
        assert!(uncertain_cuts(&history(&with_command)).is_empty());
        let by_the_signal_itself = [WorkflowTaskCompleted, WorkflowExecutionSignaled, WorkflowTaskScheduled];
        assert!(uncertain_cuts(&history(&by_the_signal_itself)).is_empty());
    }

    /// A task that started with the event 30, after one that left no command and started with the event 26. The next one was
    /// scheduled at once, and a signal came while it waited.
    fn after_a_silent_task(attempt: i32) -> PollWorkflowTaskQueueResponse {
        use EventType::{WorkflowExecutionSignaled, WorkflowTaskCompleted, WorkflowTaskScheduled, WorkflowTaskStarted};
        let types = [WorkflowTaskCompleted, WorkflowTaskScheduled, WorkflowExecutionSignaled, WorkflowTaskStarted];
        PollWorkflowTaskQueueResponse {
            task_token: b"task".to_vec(),
            started_event_id: 30,
            attempt,
            history: Some(History { events: history(&types) }),
            ..Default::default()
        }
    }

    fn completion(messages: Vec<Message>) -> RespondWorkflowTaskCompletedRequest {
        RespondWorkflowTaskCompletedRequest { task_token: b"task".to_vec(), messages, ..Default::default() }
    }

    fn acceptance() -> Message {
        let acceptance = Acceptance { accepted_request_sequencing_event_id: 28, ..Default::default() };
        let type_url = format!("type.googleapis.com/{ACCEPTANCE}");
        Message {
            body: Some(prost_wkt_types::Any { type_url, value: acceptance.encode_to_vec() }),
            ..Default::default()
        }
    }

    #[test]
    fn a_task_that_replay_would_not_cut_is_given_back_three_times() {
        let tasks = GivenTasks { task_before: |_, _| Some(26), ..GivenTasks::default() };
        for (attempt, expected) in [(1, Completion::GiveBack), (3, Completion::GiveBack), (4, Completion::Send)] {
            tasks.give(&after_a_silent_task(attempt));
            assert_eq!(tasks.complete(&mut completion(vec![])), expected, "attempt {attempt}");
        }
    }

    #[test]
    fn a_task_that_was_run_together_with_the_one_before_is_sent() {
        let tasks = GivenTasks { task_before: |_, _| Some(21), ..GivenTasks::default() };
        tasks.give(&after_a_silent_task(1));
        assert_eq!(tasks.complete(&mut completion(vec![])), Completion::Send);
    }

    #[test]
    fn a_task_that_accepts_an_update_on_any_page_is_sent_with_the_task_before_it() {
        let tasks = GivenTasks { task_before: |_, _| Some(26), ..GivenTasks::default() };
        tasks.give(&after_a_silent_task(1));
        let mut page = completion(vec![acceptance()]);
        page.intermediate_page = true;
        assert_eq!(tasks.complete(&mut page), Completion::Send);
        let written = &page.messages[0].body.as_ref().unwrap().value;
        assert_eq!(Acceptance::decode(written.as_slice()).unwrap().accepted_request_sequencing_event_id, 27);
        assert_eq!(tasks.complete(&mut completion(vec![])), Completion::Send);
    }

    #[test]
    fn a_task_of_a_run_that_is_not_known_is_sent_as_it_is() {
        let tasks = GivenTasks { task_before: |_, _| None, ..GivenTasks::default() };
        tasks.give(&after_a_silent_task(1));
        let mut request = completion(vec![acceptance()]);
        assert_eq!(tasks.complete(&mut request), Completion::Send);
        assert_eq!(request, completion(vec![acceptance()]));
        tasks.forget(b"task");
        assert_eq!(tasks.complete(&mut completion(vec![])), Completion::Send);
    }

    #[test]
    fn what_a_task_accepts_is_written_as_delivered_after_the_task_before() {
        let other = prost_wkt_types::Any {
            type_url: "type.googleapis.com/temporal.api.update.v1.Response".into(),
            value: vec![],
        };
        let message = |body| Message { body: Some(body), ..Default::default() };
        let mut request = RespondWorkflowTaskCompletedRequest {
            messages: vec![message(other.clone()), acceptance()],
            ..Default::default()
        };
        assert!(accept_after(&mut request, 21));
        let written = &request.messages[1].body.as_ref().unwrap().value;
        assert_eq!(Acceptance::decode(written.as_slice()).unwrap().accepted_request_sequencing_event_id, 22);
        assert_eq!(request.messages[0].body, Some(other.clone()));
        request.messages.truncate(1);
        assert!(!accept_after(&mut request, 21));
    }
}
