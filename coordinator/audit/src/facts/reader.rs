//! Reads the events of a history: what the server recorded, whatever the machines make of it.

use std::collections::BTreeMap;

use interlock_domain::event::Event;
use interlock_domain::ids::{CustomerRef, OrderId, Timestamp};
use interlock_domain::limits::EntityLimits;
use interlock_domain::message::ProvisionRequest;
use interlock_domain::outcome::{Outcome, ProvenOutcome};
use interlock_domain::routing::EntityAddress;
use interlock_workflows::names;
use serde::de::DeserializeOwned;
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowTaskFailedCause;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes};
use thiserror::Error;

use super::{At, Call, Closing, ResetPoint, RunEnd};

/// The activity that calls a target.
const PROVISION: &str = "provision";

/// Why a history cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HistoryUnreadable {
    /// It does not begin with the start of a run.
    #[error("it does not begin with the start event of a run")]
    NoStart,
    /// Its start event does not name the workflow, and nothing else did.
    #[error("its start event does not name the workflow")]
    NoWorkflowId,
    /// An event is missing, or its run is not named.
    #[error("it is incomplete: event {0} is missing, or does not name its run")]
    Incomplete(i64),
    /// It is not the JSON that the SDK writes.
    #[error("it is not a history in the JSON form of Temporal's Rust SDK: {0}")]
    NotJson(String),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(String),
}

/// Which run a history is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    pub(crate) workflow_type: String,
    pub(crate) continues: Option<String>,
    pub(crate) reset: Option<ResetPoint>,
}

/// Which run a history is of, by its events. A history that a reset created begins with the events of another run.
///
/// # Errors
/// [`HistoryUnreadable`].
pub(crate) fn identify(events: &[HistoryEvent]) -> Result<Identity, HistoryUnreadable> {
    let started = started(events)?;
    // The SDK's replayer needs them.
    let gap = (1..).zip(events).find(|(id, event)| event.event_id != *id).map(|(id, _)| id);
    let unnamed = started.original_execution_run_id.is_empty().then_some(1);
    if let Some(event) = gap.or(unnamed) {
        return Err(HistoryUnreadable::Incomplete(event));
    }
    let workflow_id = Some(started.workflow_id.clone()).filter(|id| !id.is_empty());
    let reset = events.iter().rev().find_map(reset_by);
    let (reset, new_run) = reset.map_or((None, None), |(reset, new_run)| (Some(reset), Some(new_run)));
    Ok(Identity {
        workflow_id: workflow_id.ok_or(HistoryUnreadable::NoWorkflowId)?,
        run_id: new_run.unwrap_or_else(|| started.original_execution_run_id.clone()),
        workflow_type: started.workflow_type.as_ref().map(|kind| kind.name.clone()).unwrap_or_default(),
        continues: Some(started.continued_execution_run_id.clone()).filter(|run| !run.is_empty()),
        reset,
    })
}

fn started(events: &[HistoryEvent]) -> Result<&WorkflowExecutionStartedEventAttributes, HistoryUnreadable> {
    match events.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => Ok(started),
        _ => Err(HistoryUnreadable::NoStart),
    }
}

/// The reset that an event records: where, and the run that it created.
fn reset_by(event: &HistoryEvent) -> Option<(ResetPoint, String)> {
    match event.attributes.as_ref()? {
        Attributes::WorkflowTaskFailedEventAttributes(failed)
            if failed.cause() == WorkflowTaskFailedCause::ResetWorkflow =>
        {
            let reset = ResetPoint { base_run_id: failed.base_run_id.clone(), event: event.event_id };
            Some((reset, failed.new_run_id.clone()))
        }
        _ => None,
    }
}

/// What the server recorded in a history.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) calls: Vec<Call>,
    pub(crate) submitted: Vec<(OrderId, At)>,
    pub(crate) end: Option<RunEnd>,
    /// The event with which the last completed workflow task started.
    pub(crate) taken_to: i64,
    /// See [`HistoryFacts::repeats_from_ms`](super::HistoryFacts).
    pub(crate) repeats_from_ms: BTreeMap<i64, i64>,
}

/// Reads the calls of a customer, its events, and how the run ended.
pub(crate) fn read_events(workflow_id: &str, events: &[HistoryEvent]) -> Recorded {
    let customer = match workflow_id.parse() {
        Ok(EntityAddress::Customer(customer)) => Some(customer),
        _ => None,
    };
    let mut reader = Reader {
        customer,
        recorded: Recorded::default(),
        under_way: BTreeMap::new(),
        task_started: None,
        lost_from: None,
    };
    for event in events {
        reader.take(event);
    }
    reader.recorded
}

struct Reader {
    customer: Option<CustomerRef>,
    recorded: Recorded,
    /// The calls under way, by the event that scheduled them: their places in the list, and the proofs that answers must repeat.
    under_way: BTreeMap<i64, (usize, ProvisionRequest)>,
    /// When the workflow task under way started.
    task_started: Option<i64>,
    /// When the first of the workflow tasks that were lost since the last completed one started.
    lost_from: Option<i64>,
}

impl Reader {
    fn take(&mut self, event: &HistoryEvent) {
        let Some(attributes) = &event.attributes else { return };
        match attributes {
            Attributes::WorkflowExecutionSignaledEventAttributes(signal) if signal.signal_name == names::SUBMIT => {
                self.submitted(event, signal.input.as_ref());
            }
            Attributes::ActivityTaskScheduledEventAttributes(scheduled)
                if scheduled.activity_type.as_ref().is_some_and(|activity| activity.name == PROVISION) =>
            {
                if let Some(request) = read::<ProvisionRequest>(scheduled.input.as_ref()) {
                    self.scheduled(event, request);
                }
            }
            Attributes::ActivityTaskCompletedEventAttributes(completed) => {
                self.close(event, completed.scheduled_event_id, |request| {
                    closing(request, read(completed.result.as_ref()))
                });
            }
            Attributes::ActivityTaskFailedEventAttributes(failed) => {
                self.close(event, failed.scheduled_event_id, |_| Closing::Unanswered);
            }
            Attributes::ActivityTaskTimedOutEventAttributes(timed_out) => {
                self.close(event, timed_out.scheduled_event_id, |_| Closing::Unanswered);
            }
            Attributes::ActivityTaskCanceledEventAttributes(cancelled) => {
                self.close(event, cancelled.scheduled_event_id, |_| Closing::Unanswered);
            }
            Attributes::WorkflowTaskStartedEventAttributes(_) => self.task_started = Some(place_of(event).ms),
            Attributes::WorkflowTaskTimedOutEventAttributes(_) => self.task_lost(),
            // The task that a reset undid is one of the run that was reset.
            Attributes::WorkflowTaskFailedEventAttributes(failed)
                if failed.cause() != WorkflowTaskFailedCause::ResetWorkflow =>
            {
                self.task_lost();
            }
            Attributes::WorkflowTaskCompletedEventAttributes(completed) => {
                self.recorded.taken_to = completed.started_event_id;
                if let Some(lost_from) = self.lost_from.take() {
                    self.recorded.repeats_from_ms.insert(completed.started_event_id, lost_from);
                }
            }
            other => self.recorded.end = end_of(other).or_else(|| self.recorded.end.take()),
        }
    }

    /// A workflow task started, and its completion was not recorded.
    fn task_lost(&mut self) {
        self.lost_from = self.lost_from.or(self.task_started.take());
    }

    fn submitted(&mut self, event: &HistoryEvent, input: Option<&Payloads>) {
        let Some(customer) = &self.customer else { return };
        // An unreadable event, or one that is too large, has no order.
        if let Ok(read) = Event::from_slice(bytes(input), EntityLimits::default().event_bytes_max) {
            let order = read.order_id(&customer.tenant, read.half);
            self.recorded.submitted.push((order, place_of(event)));
        }
    }

    fn scheduled(&mut self, event: &HistoryEvent, request: ProvisionRequest) {
        let call = Call {
            order: request.order.clone(),
            step: request.step.clone(),
            target: request.target.clone(),
            operation: request.operation.clone(),
            key: request.idempotency_key,
            epochs: request.epochs.clone(),
            named: None,
            unproven: request.unproven.clone(),
            compensates: false,
            scheduled: place_of(event),
            closed: None,
        };
        self.under_way.insert(event.event_id, (self.recorded.calls.len(), request));
        self.recorded.calls.push(call);
    }

    fn close(&mut self, event: &HistoryEvent, scheduled: i64, how: impl FnOnce(&ProvisionRequest) -> Closing) {
        if let Some((index, request)) = self.under_way.remove(&scheduled) {
            self.recorded.calls[index].closed = Some((place_of(event), how(&request)));
        }
    }
}

fn closing(request: &ProvisionRequest, answer: Option<ProvenOutcome>) -> Closing {
    match answer {
        Some(answer) if !answer.is_proven(request.proof) => Closing::ByHand,
        Some(ProvenOutcome { outcome: Outcome::Done, .. }) => Closing::Done,
        Some(ProvenOutcome { outcome: Outcome::AlreadyDone, .. }) => Closing::AlreadyDone,
        Some(_) => Closing::Other,
        None => Closing::ByHand,
    }
}

fn end_of(attributes: &Attributes) -> Option<RunEnd> {
    let dead = |how: &str| Some(RunEnd::Dead { how: how.to_owned() });
    match attributes {
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued) => {
            Some(RunEnd::ContinuedAsNew { next: continued.new_execution_run_id.clone() })
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => dead("terminated"),
        Attributes::WorkflowExecutionTimedOutEventAttributes(_) => dead("timed out"),
        Attributes::WorkflowExecutionFailedEventAttributes(_) => dead("failed"),
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => dead("canceled"),
        Attributes::WorkflowExecutionCompletedEventAttributes(_) => dead("completed"),
        _ => None,
    }
}

/// The place of an event.
pub(crate) fn place_of(event: &HistoryEvent) -> At {
    let ms = event.event_time.map_or(0, |time| time.seconds.saturating_mul(1_000) + i64::from(time.nanos) / 1_000_000);
    At::new(event.event_id, Timestamp(ms))
}

fn bytes(payloads: Option<&Payloads>) -> &[u8] {
    payloads.and_then(|payloads| payloads.payloads.first()).map_or(&[], |payload| payload.data.as_slice())
}

fn read<T: DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    serde_json::from_slice(bytes(payloads)).ok()
}
