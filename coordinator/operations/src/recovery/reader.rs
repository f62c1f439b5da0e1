//! Reads a history, event by event.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::attempt::{Unanswered, is_settled_failure, of_unanswered};
use interlock_domain::customer::{AdmissionAnswer, Customer};
use interlock_domain::event::Event;
use interlock_domain::ids::Timestamp;
use interlock_domain::message::{Envelope, ProvisionRequest, ToCustomer};
use interlock_domain::outcome::ProvenOutcome;
use interlock_domain::recording::{Edition, Receipted, Requested};
use interlock_workflows::{COMPLETED_BY_HAND, FAILED_BY_HAND, customer_messages, edition_of_patch, names};
use serde::de::IgnoredAny;
use temporalio_common::data_converters::{CommonAttributes, RawValue};
use temporalio_common::protos::constants::PATCH_MARKER_NAME;
use temporalio_common::protos::coresdk::common::{decode_change_marker_details, extract_local_activity_marker_details};
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_common::protos::temporal::api::enums::v1::{RetryState, TimeoutType, WorkflowTaskFailedCause};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, MarkerRecordedEventAttributes, WorkflowExecutionStartedEventAttributes, history_event::Attributes,
};

use super::recorded::{
    CallEnd, EndedCall, EndedLocal, Incoming, RecordedRun, RecordedTask, RunEnd, Submitted, UnreadableHistory, bytes,
    read, time_of,
};

/// The activities with which a customer tells others once the decision is recorded.
const ADMIT_RECORDED: &str = "admit_recorded";
const SEND_RECORDED: &str = "send_recorded";

/// Something in the history that no workflow task has processed yet.
enum Pending {
    Incoming(Box<Incoming>),
    Call(Box<EndedCall>),
    Own(EndedLocal),
    Rang,
}

/// An activity that was scheduled.
enum Scheduled {
    /// A call of a step.
    Call(Box<ProvisionRequest>),
    /// An activity with which the entity tells others: its type, and the receipt that its answer repeats.
    Own(String, String),
}

/// Reads a history.
pub(super) struct Reader {
    /// What workflow tasks processed.
    pub(super) tasks: Vec<RecordedTask>,
    /// By the id of the history event.
    pending: BTreeMap<i64, Pending>,
    /// The start times of workflow tasks, by event.
    begun: BTreeMap<i64, Timestamp>,
    /// The scheduled activities, by event.
    scheduled: BTreeMap<i64, Scheduled>,
    /// The calls that the run asked to end.
    interrupted: BTreeSet<i64>,
    /// Which behaviour the run started with.
    pub(super) edition: Edition,
    /// How the run ended.
    pub(super) end: RunEnd,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            pending: BTreeMap::new(),
            begun: BTreeMap::new(),
            scheduled: BTreeMap::new(),
            interrupted: BTreeSet::new(),
            // Runs of later builds start with a patch marker.
            edition: Edition::V0_1,
            end: RunEnd::Open,
        }
    }
}

impl Reader {
    /// Takes the next event.
    pub(super) fn take(&mut self, event: &HistoryEvent) {
        let Some(attributes) = &event.attributes else { return };
        match attributes {
            Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
                self.signalled(event, &signal.signal_name, signal.input.as_ref());
            }
            Attributes::WorkflowTaskStartedEventAttributes(_) => {
                self.begun.insert(event.event_id, time_of(event));
            }
            Attributes::WorkflowTaskFailedEventAttributes(failed)
                if failed.cause() == WorkflowTaskFailedCause::ResetWorkflow =>
            {
                // The run learns of it before anything else that its next task processes.
                self.pending.insert(0, Pending::Incoming(Box::new(Incoming::WasReset)));
            }
            Attributes::WorkflowTaskCompletedEventAttributes(completed) => self.task(completed.started_event_id),
            Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
                let activity_type = scheduled.activity_type.as_ref().map_or("", |activity| activity.name.as_str());
                // Other activity types have no input that matters.
                let scheduled = match activity_type {
                    ADMIT_RECORDED | SEND_RECORDED => read::<Requested<IgnoredAny>>(scheduled.input.as_ref())
                        .map(|request| Scheduled::Own(activity_type.to_owned(), request.receipt)),
                    _ => read(scheduled.input.as_ref()).map(|request| Scheduled::Call(Box::new(request))),
                };
                self.scheduled.extend(scheduled.map(|scheduled| (event.event_id, scheduled)));
            }
            Attributes::ActivityTaskCompletedEventAttributes(completed) => {
                let scheduled = self.scheduled.remove(&completed.scheduled_event_id);
                let ended = scheduled.and_then(|scheduled| ended(scheduled, completed.result.as_ref()));
                self.pending.extend(ended.map(|ended| (event.event_id, ended)));
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(asked) => {
                self.interrupted.insert(asked.scheduled_event_id);
            }
            Attributes::ActivityTaskFailedEventAttributes(failed) => {
                let how = Unended { failure: failed.failure.as_ref(), retry_state: failed.retry_state() };
                self.call_unended(event.event_id, failed.scheduled_event_id, &how);
            }
            Attributes::ActivityTaskTimedOutEventAttributes(timed_out) => {
                let how = Unended { failure: timed_out.failure.as_ref(), retry_state: timed_out.retry_state() };
                self.call_unended(event.event_id, timed_out.scheduled_event_id, &how);
            }
            Attributes::ActivityTaskCanceledEventAttributes(cancelled) => {
                let how = Unended { failure: None, retry_state: RetryState::Unspecified };
                self.call_unended(event.event_id, cancelled.scheduled_event_id, &how);
            }
            Attributes::TimerFiredEventAttributes(_) => drop(self.pending.insert(event.event_id, Pending::Rang)),
            Attributes::MarkerRecordedEventAttributes(marker) => self.marked(marker),
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) => {
                let input = accepted.accepted_request.as_ref().and_then(|request| request.input.as_ref());
                let action = input.filter(|input| input.name == names::ACT).and_then(|input| read(input.args.as_ref()));
                // The task that recorded it has processed it.
                if let (Some(action), Some(task)) = (action, self.tasks.last_mut()) {
                    task.incoming.push(Incoming::Acted(Box::new(action)));
                }
            }
            other => self.end_of_run(other),
        }
    }

    /// The events that no workflow task processed.
    pub(super) fn untaken(&mut self) -> Vec<Submitted> {
        let pending = std::mem::take(&mut self.pending).into_values();
        let submitted = pending.filter_map(|pending| match pending {
            Pending::Incoming(incoming) => match *incoming {
                Incoming::Submitted(submitted) => Some(submitted),
                Incoming::Told(_) | Incoming::Acted(_) | Incoming::WasReset | Incoming::Asked(_) => None,
            },
            Pending::Call(_) | Pending::Own(_) | Pending::Rang => None,
        });
        submitted.collect()
    }

    fn signalled(&mut self, event: &HistoryEvent, name: &str, input: Option<&Payloads>) {
        let incoming = if name == names::SUBMIT {
            // The machine applies the limit: the entity that receives the event again checks it again.
            let event_read = Event::from_slice(bytes(input), usize::MAX);
            Some(Incoming::Submitted(Submitted { event: event_read, at: time_of(event) }))
        } else if name == names::FROM_RESOURCE {
            read::<Envelope<ToCustomer>>(input).map(|envelope| Incoming::Told(envelope.message))
        } else if name == names::REASSERT {
            Some(Incoming::Asked(Box::new(customer_messages::reassert(bytes(input)))))
        } else if name == names::TELL_AGAIN {
            Some(Incoming::Asked(Box::new(customer_messages::tell_again(bytes(input)))))
        } else {
            None
        };
        if let Some(incoming) = incoming {
            self.pending.insert(event.event_id, Pending::Incoming(Box::new(incoming)));
        }
    }

    /// A workflow task completed: it processed everything that was there when it started.
    fn task(&mut self, began: i64) {
        let later = self.pending.split_off(&began);
        let taken = std::mem::replace(&mut self.pending, later);
        let at = self.begun.get(&began).copied().or_else(|| self.tasks.last().map(|task| task.at));
        let mut task = RecordedTask { at: at.unwrap_or_default(), ..RecordedTask::default() };
        for pending in taken.into_values() {
            match pending {
                Pending::Incoming(incoming) => task.incoming.push(*incoming),
                Pending::Call(call) => task.calls.push(*call),
                Pending::Own(own) => task.own.push(own),
                Pending::Rang => task.rang = true,
            }
        }
        self.tasks.push(task);
    }

    /// A call ended without a result. What else an entity started is started again by the shell.
    fn call_unended(&mut self, event: i64, scheduled: i64, how: &Unended<'_>) {
        let Some(Scheduled::Call(request)) = self.scheduled.remove(&scheduled) else { return };
        let end = if self.interrupted.contains(&scheduled) {
            if how.is_settled() { CallEnd::NotBegun } else { CallEnd::Interrupted }
        } else if request.proof.is_some() && how.is_by_hand() {
            CallEnd::ByHand(FAILED_BY_HAND)
        } else {
            CallEnd::Unanswered(of_unanswered(how.unanswered(), request.expires_at.is_some()))
        };
        self.pending.insert(event, Pending::Call(Box::new(EndedCall { request, end })));
    }

    fn marked(&mut self, marker: &MarkerRecordedEventAttributes) {
        if marker.failure.is_some() {
            return;
        }
        if marker.marker_name == PATCH_MARKER_NAME {
            let patch = decode_change_marker_details(&marker.details).map(|(patch, _)| patch);
            // The first builds with a patch had only this one.
            self.edition = patch.and_then(|patch| edition_of_patch(&patch)).unwrap_or(Edition::V0_2);
            return;
        }
        let (Some(data), result) = extract_local_activity_marker_details(&mut marker.details.clone()) else { return };
        let ended = match data.activity_type.as_str() {
            "admit" => match result.map(|result| serde_json::from_slice(&result.data)) {
                Some(Ok(answer)) => EndedLocal::Admitted(Box::new(answer)),
                Some(Err(fault)) => EndedLocal::Strange(format!("the result of 'admit' cannot be read: {fault}")),
                None => EndedLocal::Strange("'admit' has no result".to_owned()),
            },
            "send" => EndedLocal::Sent,
            other => EndedLocal::Strange(format!("the local activity '{other}' is unknown")),
        };
        if let Some(task) = self.tasks.last_mut() {
            task.locals.push(ended);
        }
    }

    fn end_of_run(&mut self, attributes: &Attributes) {
        let dead = |how, reason: &str| RunEnd::Dead { how, reason: reason.to_owned() };
        self.end = match attributes {
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => RunEnd::ContinuedAsNew,
            Attributes::WorkflowExecutionTerminatedEventAttributes(ended) => dead("terminated", &ended.reason),
            Attributes::WorkflowExecutionTimedOutEventAttributes(_) => dead("timed out", ""),
            Attributes::WorkflowExecutionFailedEventAttributes(ended) => {
                dead("failed", &ended.failure.as_ref().map(said).unwrap_or_default())
            }
            Attributes::WorkflowExecutionCanceledEventAttributes(_) => dead("canceled", ""),
            Attributes::WorkflowExecutionCompletedEventAttributes(_) => dead("completed", ""),
            _ => return,
        };
    }
}

impl RecordedRun {
    /// Reads a history.
    ///
    /// # Errors
    /// [`UnreadableHistory`].
    pub fn read(run_id: &str, history: &[HistoryEvent]) -> Result<Self, UnreadableHistory> {
        let (first, rest) = history.split_first().ok_or(UnreadableHistory::NoStart)?;
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &first.attributes else {
            return Err(UnreadableHistory::NoStart);
        };
        let mut reader = Reader::default();
        for event in rest {
            reader.take(event);
        }
        Ok(Self {
            run_id: run_id.to_owned(),
            began: time_of(first),
            continues: Some(started.continued_execution_run_id.clone()).filter(|run| !run.is_empty()),
            ended_at: history.last().map_or_else(|| time_of(first), time_of),
            workflow_type: started.workflow_type.as_ref().map(|named| named.name.clone()).unwrap_or_default(),
            start: read(started.input.as_ref()),
            carried: carried(started)?,
            replayed: None,
            // A run that no worker has begun behaves as its events will when they are submitted again.
            edition: if reader.tasks.is_empty() { Edition::default() } else { reader.edition },
            end: reader.end.clone(),
            untaken: reader.untaken(),
            tasks: reader.tasks,
        })
    }

    /// Whether a worker executed any of it as an entity of this workflow type. Another type has not taken the events in.
    pub(super) fn was_executed_as(&self, workflow_type: &str) -> bool {
        self.workflow_type == workflow_type && !self.tasks.is_empty()
    }

    /// All events that were signalled, in order.
    pub(super) fn submitted(&self) -> impl Iterator<Item = &Submitted> {
        let taken = self.tasks.iter().flat_map(|task| &task.incoming).filter_map(|incoming| match incoming {
            Incoming::Submitted(submitted) => Some(submitted),
            Incoming::Told(_) | Incoming::Acted(_) | Incoming::WasReset | Incoming::Asked(_) => None,
        });
        taken.chain(&self.untaken)
    }
}

fn carried(started: &WorkflowExecutionStartedEventAttributes) -> Result<Option<Box<Customer>>, UnreadableHistory> {
    if started.continued_execution_run_id.is_empty() {
        return Ok(None);
    }
    let argument = RawValue::new(started.input.clone().unwrap_or_default().payloads);
    match interlock_workflows::carried::<Box<Customer>>(&argument) {
        Ok(carried) => Ok(Some(carried)),
        Err(fault) => Err(UnreadableHistory::Carried(fault.to_string())),
    }
}

/// How a call ended that has no result.
struct Unended<'a> {
    failure: Option<&'a Failure>,
    retry_state: RetryState,
}

impl<'a> Unended<'a> {
    /// As `interlock_workflows::unanswered` derives it from what the SDK makes of the event.
    fn unanswered(&self) -> Unanswered<'a> {
        self.failure.map_or(Unanswered::Cancelled, of_failure)
    }

    /// Whether it failed in such a way that no other attempt is made, which Interlock's workers never do.
    fn is_by_hand(&self) -> bool {
        self.retry_state == RetryState::NonRetryableFailure
            && matches!(self.info(), Some(FailureInfo::ApplicationFailureInfo(_)))
    }

    /// Whether it is known to have sent nothing.
    fn is_settled(&self) -> bool {
        matches!(self.info(), Some(FailureInfo::ApplicationFailureInfo(info)) if is_settled_failure(&info.r#type))
    }

    fn info(&self) -> Option<&'a FailureInfo> {
        self.failure.and_then(|failure| failure.failure_info.as_ref())
    }
}

fn of_failure(failure: &Failure) -> Unanswered<'_> {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => Unanswered::Failed(&info.r#type),
        Some(FailureInfo::TimeoutFailureInfo(info)) if info.timeout_type() == TimeoutType::ScheduleToClose => {
            failure.cause.as_deref().map_or(Unanswered::NeverAttempted, of_failure)
        }
        _ => Unanswered::Vanished,
    }
}

/// The result of an activity. Of what the entity tells others, an unreadable one counts as no result: the shell starts it again, as it does
/// if the answer does not repeat the receipt.
fn ended(scheduled: Scheduled, result: Option<&Payloads>) -> Option<Pending> {
    match scheduled {
        Scheduled::Call(request) => {
            let end = match serde_json::from_slice::<ProvenOutcome>(bytes(result)) {
                Ok(answer) => CallEnd::Answered(Box::new(answer)),
                Err(_) if request.proof.is_some() => CallEnd::ByHand(COMPLETED_BY_HAND),
                Err(fault) => {
                    let unreadable = Unanswered::Unreadable(&fault.to_string());
                    CallEnd::Unanswered(of_unanswered(unreadable, request.expires_at.is_some()))
                }
            };
            Some(Pending::Call(Box::new(EndedCall { request, end })))
        }
        Scheduled::Own(activity_type, receipt) if activity_type == ADMIT_RECORDED => {
            let answer = read::<Receipted<AdmissionAnswer>>(result)?.of(&receipt)?;
            Some(Pending::Own(EndedLocal::Admitted(Box::new(answer))))
        }
        Scheduled::Own(_, receipt) => {
            read::<Receipted<()>>(result)?.of(&receipt)?;
            Some(Pending::Own(EndedLocal::Sent))
        }
    }
}

/// The message of a failure. If failures are encrypted, the message is in the encoded attributes, decrypted with the history.
fn said(failure: &Failure) -> String {
    let beside = failure.encoded_attributes.as_ref();
    let attributes = beside.and_then(|payload| serde_json::from_slice::<CommonAttributes>(&payload.data).ok());
    attributes.map_or_else(|| failure.message.clone(), |attributes| attributes.message)
}
