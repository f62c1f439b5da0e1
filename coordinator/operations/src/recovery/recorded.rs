//! A history as inputs of the customer machine, workflow task by workflow task.

use interlock_domain::customer::{Action, AdmissionAnswer, Customer, Input};
use interlock_domain::event::Event;
use interlock_domain::ids::Timestamp;
use interlock_domain::message::{ProvisionRequest, ToCustomer};
use interlock_domain::order::Rejection;
use interlock_domain::outcome::{Outcome, ProvenOutcome};
use interlock_domain::recording::Edition;
use interlock_workflows::StartArgument;
use serde::de::DeserializeOwned;
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use thiserror::Error;

/// Why a history cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnreadableHistory {
    /// It does not begin with the start of a run.
    #[error("it does not start with the start event of a run")]
    NoStart,
    /// This version cannot read the state from the previous run.
    #[error("the state of the previous run cannot be read: {0}")]
    Carried(String),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It has not ended.
    Open,
    /// By a next run, which has its state.
    ContinuedAsNew,
    /// By termination, time-out or failure: its state is gone.
    Dead {
        /// `terminated`, `timed out`, `failed`, `canceled` or `completed`.
        how: &'static str,
        /// Why, if it is known.
        reason: String,
    },
}

/// One run of a customer entity, from its history.
#[derive(Debug, Clone)]
pub struct RecordedRun {
    /// Its id.
    pub run_id: String,
    /// When it began.
    pub began: Timestamp,
    /// The run that it continues.
    pub continues: Option<String>,
    /// How it ended.
    pub end: RunEnd,
    /// When it ended; if it has not, the time of its last event.
    pub ended_at: Timestamp,
    /// Its workflow type.
    pub workflow_type: String,
    /// Its start argument, if it can be read.
    pub start: Option<StartArgument>,
    /// The state from the previous run.
    pub carried: Option<Box<Customer>>,
    /// The customer at its end, by the replay of its history. `None` if the run has not died, or cannot be replayed.
    pub(super) replayed: Option<Box<Customer>>,
    /// Which behaviour it started with.
    pub(super) edition: Edition,
    /// What its workflow tasks processed, in order.
    pub(super) tasks: Vec<RecordedTask>,
    /// The events after its last workflow task.
    pub(super) untaken: Vec<Submitted>,
}

/// A signalled event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Submitted {
    /// The event, or why it is invalid.
    pub(super) event: Result<Event, Rejection>,
    /// When the server accepted it.
    pub(super) at: Timestamp,
}

/// What one workflow task processed.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordedTask {
    /// The workflow time.
    pub(super) at: Timestamp,
    /// The activities with which the entity tells others that had ended, in order.
    pub(super) own: Vec<EndedLocal>,
    /// The inputs, in order.
    pub(super) incoming: Vec<Incoming>,
    /// The calls that had ended, in order.
    pub(super) calls: Vec<EndedCall>,
    /// Whether a timer had fired.
    pub(super) rang: bool,
    /// The local activities that ended in it, in order.
    pub(super) locals: Vec<EndedLocal>,
}

/// An input.
#[derive(Debug, Clone)]
pub(super) enum Incoming {
    Submitted(Submitted),
    Told(ToCustomer),
    Acted(Box<Action>),
    /// An operator reset the workflow.
    WasReset,
    /// Another signal that changes what follows: to repeat what it has, or to tell a receiver again.
    Asked(Box<Input>),
}

/// A call that ended.
#[derive(Debug, Clone)]
pub(super) struct EndedCall {
    pub(super) request: Box<ProvisionRequest>,
    pub(super) end: CallEnd,
}

/// How a call ended, as the shell tells the machine.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CallEnd {
    /// With an answer.
    Answered(Box<ProvenOutcome>),
    /// A person completed or failed it.
    ByHand(&'static str),
    /// Without an answer.
    Unanswered(Outcome),
    /// The run was ending, and asked it to end.
    Interrupted,
    /// The same, and it has sent nothing: the next run starts it as if it had never started.
    NotBegun,
}

/// The result of an activity with which the entity tells others. The shell repeats one that failed.
#[derive(Debug, Clone)]
pub(super) enum EndedLocal {
    Admitted(Box<AdmissionAnswer>),
    Sent,
    /// Its result cannot be read, or is unknown to this version.
    Strange(String),
}

/// The bytes of the first payload; empty if there is none.
pub(super) fn bytes(payloads: Option<&Payloads>) -> &[u8] {
    payloads.and_then(|payloads| payloads.payloads.first()).map_or(&[], |payload| payload.data.as_slice())
}

/// The first payload, read as JSON; none if that fails.
pub(super) fn read<T: DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    serde_json::from_slice(bytes(payloads)).ok()
}

/// When it happened.
pub(super) fn time_of(event: &HistoryEvent) -> Timestamp {
    let time = event.event_time.unwrap_or_default();
    Timestamp(time.seconds.saturating_mul(1_000).saturating_add(i64::from(time.nanos) / 1_000_000))
}
