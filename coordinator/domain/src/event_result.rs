//! The result that a producer gets for each event.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error_code::{ErrorCode, ReasonCode};
use crate::ids::OrderId;
use crate::order::Rejection;

/// Whether an event was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// It will reach exactly one terminal state.
    Accepted,
    /// It was not accepted, and sending it unchanged will not help.
    Rejected,
    /// It may have been accepted. Sending it again is safe.
    Unknown,
    /// Nothing is to be done for it: the mapping of its producer's events says so. Only calls with such a mapping answer this.
    Ignored,
}

impl EventStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Rejected, Self::Unknown, Self::Ignored];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Ignored => "ignored",
        }
    }
}

/// The result for one event. Attributes that the event does not have are null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventResult {
    /// The event's `id`.
    pub event_id: Option<String>,
    /// The status.
    pub status: EventStatus,
    /// The order that it creates.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub order_id: Option<OrderId>,
    /// The event's `subject`.
    pub customer_id: Option<String>,
    /// The workflow id of its entity; null for an order that needs no entity.
    pub workflow_id: Option<String>,
    /// A stable code that says why it was not accepted.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Option<ReasonCode>,
    /// The reason as a sentence.
    pub detail: Option<String>,
}

/// One result for each event, in the order in which they were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Results))]
pub struct EventResults {
    /// The results.
    pub results: Vec<EventResult>,
}

impl EventResult {
    /// The parts of a result that are known before the event is checked, so that its sender can always match it.
    pub fn of_raw(event: &Value) -> Self {
        let text = |name| event.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            event_id: text("id"),
            status: EventStatus::Unknown,
            order_id: None,
            customer_id: text("subject"),
            workflow_id: None,
            code: None,
            detail: None,
        }
    }

    /// The same event, accepted.
    #[must_use]
    pub fn accepted(self) -> Self {
        Self { status: EventStatus::Accepted, ..self }
    }

    /// The same event, rejected for this reason.
    #[must_use]
    pub fn rejected(self, rejection: Rejection) -> Self {
        Self { status: EventStatus::Rejected, code: Some(rejection.code), detail: Some(rejection.detail), ..self }
    }

    /// The same event, for which nothing is to be done.
    #[must_use]
    pub fn ignored(self, reason: String) -> Self {
        Self { status: EventStatus::Ignored, code: Some(ErrorCode::EventIgnored.into()), detail: Some(reason), ..self }
    }

    /// The same event; whether it was accepted is unknown.
    #[must_use]
    pub fn unknown(self, code: ErrorCode, detail: String) -> Self {
        Self { status: EventStatus::Unknown, code: Some(code.into()), detail: Some(detail), ..self }
    }
}
