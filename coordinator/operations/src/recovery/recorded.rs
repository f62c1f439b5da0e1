//! A history as what the customer machine took in, workflow task by workflow task.

use interlock_domain::customer::{Action, AdmissionAnswer, Customer};
use interlock_domain::event::Event;
use interlock_domain::ids::Timestamp;
use interlock_domain::message::{ProvisionRequest, ToCustomer};
use interlock_domain::order::Rejection;
use interlock_domain::outcome::ProvenOutcome;
use interlock_domain::recording::Edition;
use interlock_workflows::StartArgument;
use serde::de::DeserializeOwned;
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use thiserror::Error;

/// Why a history cannot be gone by.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnreadableHistory {
    /// It does not begin with the start of a run.
    #[error("it does not start with the start event of a run")]
    NoStart,
    /// The state that the run before handed over is none that this version reads.
    #[error("the state of the previous run cannot be read: {0}")]
    Carried(String),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It did not.
    Open,
    /// By a next run, that has its state.
    ContinuedAsNew,
    /// By somebody or something from outside, or by a failure: its state is gone.
    Dead {
        /// `terminated`, `timed out`, `failed`, `canceled` or `completed`.
        how: &'static str,
        /// Why, where it is said.
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
    /// When it ended; when it was last heard of, where it did not.
    pub ended_at: Timestamp,
    /// What it was started with, where that can be read.
    pub start: Option<StartArgument>,
    /// The state of the run before.
    pub carried: Option<Box<Customer>>,
    /// Which behaviour it began with.
    pub(super) edition: Edition,
    /// What its workflow tasks took in, in order.
    pub(super) tasks: Vec<RecordedTask>,
    /// The events that came when no workflow task took anything in any more.
    pub(super) untaken: Vec<Submitted>,
}

/// An event as it was signalled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Submitted {
    /// The event, or why it is none.
    pub(super) event: Result<Event, Rejection>,
    /// When the server took it.
    pub(super) at: Timestamp,
}

/// What one workflow task took in.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordedTask {
    /// The time of the workflow then.
    pub(super) at: Timestamp,
    /// What came in, in order.
    pub(super) incoming: Vec<Incoming>,
    /// The activities that had ended.
    pub(super) ended: Vec<Ended>,
    /// The local activities that ended in it, in order.
    pub(super) locals: Vec<EndedLocal>,
}

/// What came in.
#[derive(Debug, Clone)]
pub(super) enum Incoming {
    Submitted(Submitted),
    Told(ToCustomer),
    Acted(Box<Action>),
    /// An operator reset the workflow.
    WasReset,
}

/// A normal activity that ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// A call of a step.
    Call(Box<EndedCall>),
    /// What leaves only once its decision is recorded.
    Own(EndedLocal),
}

/// A call that ended with an answer.
#[derive(Debug, Clone)]
pub(super) struct EndedCall {
    pub(super) request: ProvisionRequest,
    pub(super) answer: ProvenOutcome,
}

/// An activity ended by which the entity tells others. One that failed is begun again by the shell.
#[derive(Debug, Clone)]
pub(super) enum EndedLocal {
    Admitted(Box<AdmissionAnswer>),
    Sent,
    /// Its result cannot be read, or it is none that this version knows.
    Strange(String),
}

/// The bytes of the first payload; none at all where there is none.
pub(super) fn bytes(payloads: Option<&Payloads>) -> &[u8] {
    payloads.and_then(|payloads| payloads.payloads.first()).map_or(&[], |payload| payload.data.as_slice())
}

/// The first payload, read as JSON; none where it cannot be.
pub(super) fn read<T: DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    serde_json::from_slice(bytes(payloads)).ok()
}

/// When it happened.
pub(super) fn time_of(event: &HistoryEvent) -> Timestamp {
    let time = event.event_time.unwrap_or_default();
    Timestamp(time.seconds.saturating_mul(1_000).saturating_add(i64::from(time.nanos) / 1_000_000))
}
