//! One event for subscribers.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{Epoch, OrderId, ResourceId, Timestamp};
use crate::message::{GiveBack, LeaseProof};
use crate::order_parts::{ClaimView, StepView};
use crate::subscription::OutgoingType;

/// An event for subscribers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingEvent {
    /// Its id: it follows from what the event is about, so it is the same however often the event is sent, also after the history of the
    /// customer was reset.
    pub id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: OutgoingType,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub about: About,
}

/// What an event for subscribers is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// An order.
    Order(OrderReport),
    /// A lease.
    Lease(LeaseChange),
    /// Events that this receiver does not get.
    Lost(LostEvents),
    /// Nothing: a person tests the receiver.
    Test,
}

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// The order. `None` if the event could not be read far enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The id of the event that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The type of that event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// A stable code that says why, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence that says why, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it should be done, if the catalog says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Its steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ReportedStep>,
    /// Its claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimView>,
    /// Whether its steps and claims were dropped, because too much waited for the receiver.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parts_dropped: bool,
}

/// A step of an order, with the evidence of its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedStep {
    /// The step.
    #[serde(flatten)]
    pub step: StepView,
    /// The key under which its request was sent, or would be. `None` if an event is told again from the journal, which does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Uuid>,
}

/// A change of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseChange {
    /// The resource.
    pub resource: ResourceId,
    /// The lease's fencing token.
    pub epoch: Epoch,
    /// The order for which the lease was granted.
    pub order_id: OrderId,
    /// Why the lease was given back. `None` for a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<GiveBack>,
    /// The evidence for giving it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<LeaseProof>,
}

/// Events of one customer that a receiver does not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostEvents {
    /// How many.
    pub count: u64,
    /// When the first of them happened.
    pub since: Timestamp,
}

impl OutgoingEvent {
    /// Drops the steps and claims of an order. Returns whether there were any.
    pub fn drop_parts(&mut self) -> bool {
        let About::Order(report) = &mut self.about else { return false };
        if report.steps.is_empty() && report.claims.is_empty() {
            return false;
        }
        (report.steps, report.claims) = (Vec::new(), Vec::new());
        report.parts_dropped = true;
        true
    }

    /// Its size as JSON, in bytes.
    pub fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |json| json.len())
    }
}
