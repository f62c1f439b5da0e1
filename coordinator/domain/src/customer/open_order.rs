//! An open order, its claims and its steps.

use serde::{Deserialize, Serialize};

use super::{Dating, KeyRule, StepState};
use crate::error_code::ReasonCode;
use crate::ids::{ResourceId, Timestamp};
use crate::order::{Claim, Late, OrderKey, OrderPriority, PlannedStep};
use crate::order_parts::StepIdentity;
use crate::outcome::Outcome;
use crate::trace_parent::{self, TraceParent};

/// An open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// Its key.
    pub key: OrderKey,
    /// The digest of the catalog that planned it.
    pub catalog_digest: String,
    /// Whether it passes orders that only wait.
    pub urgent: bool,
    /// How soon its calls leave, among those of other customers. `None`: as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<OrderPriority>,
    /// Whether it needs no turn.
    pub unordered: bool,
    /// When it is no longer worth doing.
    pub expires_at: Option<Timestamp>,
    /// When it should be done. Nothing is dropped after it: the order is only shown and alerted as overdue.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// Which resources it wants, and how.
    pub claims: Vec<OrderClaim>,
    /// The resources that its customer must be known to have before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<ResourceId>,
    /// The resources that no other customer may have if a step names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_use: Vec<ResourceId>,
    /// What it does: the plan's steps, then compensations.
    pub steps: Vec<OrderStep>,
    /// Whether a step that needs all its leases has started.
    pub started: bool,
    /// Whether a person, or the resolution of a ring, let its release run before its assign is granted.
    pub release_first: bool,
    /// Whether it waits for a person before it starts, because it came late.
    pub late_hold: bool,
    /// Set if it must end without the rest of its steps.
    pub ending: Option<Ending>,
    /// The marks of the last actions that persons took on it, oldest first ([`crate::action_mark::ActionMark`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// The trace of its event: its calls continue in it, however much later.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace_parent::read_leniently")]
    pub trace_parent: Option<TraceParent>,
    /// When the workflow was reset, if that was after the order came in, or to a point before it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<Timestamp>,
    /// When its event was accepted, if its key does not contain that: it had no stamp, and the key has the event's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// The dating of its event, if it does not follow from its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dating: Option<Dating>,
    /// What subscribers were told of it.
    #[serde(default, skip_serializing_if = "Told::is_nothing")]
    pub told: Told,
    /// Its size as JSON, in bytes.
    pub weight_bytes: usize,
}

/// What subscribers were told of an open order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// That it waits for a person, as it still does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// That it is overdue.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
}

impl Told {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Why an order ends before its steps are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Ending {
    /// A younger order replaced it.
    Superseded,
    /// A person cancelled it.
    Cancelled,
    /// A step failed and the catalog says abort.
    Aborted {
        /// The step's code.
        code: ReasonCode,
    },
    /// A resource's queue was full.
    QueueFull {
        /// The resource.
        resource: ResourceId,
    },
    /// It was not done in time.
    Expired,
    /// With its plan, the customer's state would exceed its limit.
    BacklogFull,
}

/// A claim of an open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderClaim {
    /// What is wanted.
    pub claim: Claim,
    /// Its ticket at the resource.
    pub ticket: TicketState,
    /// The state of the claim.
    pub state: ClaimState,
    /// For a release: whether it superseded an older assign of this customer, so that it may have nothing to release.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded_own_assign: bool,
}

/// The ticket of a claim, as far as the customer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// The resource has no ticket.
    None,
    /// It is in the resource's queue, or a lease was granted for it.
    Out,
    /// The resource refused it, but a late copy of the claim may still arrive: it is withdrawn in the end.
    Refused,
}

/// The state of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// Not settled.
    Open,
    /// All steps that name its resource have ended.
    Settled,
    /// A release of a resource that another customer holds.
    NotHolder,
    /// A younger order of this customer replaced it.
    Superseded,
}

/// A step of an open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderStep {
    /// What must be done.
    pub planned: PlannedStep,
    /// Its state.
    #[serde(flatten)]
    pub state: StepState,
    /// How often its call was scheduled.
    pub dispatches: u32,
    /// How often its request was sent by calls that have ended, as far as their workers said; one that did not say counts as one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls: u32,
    /// How many results in a row no worker returned: a person entered them in Temporal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub by_hand: u32,
    /// How often a person amended its arguments: each time it becomes another request, with its own key.
    #[serde(default)]
    pub amendments: u32,
    /// What its idempotency key is derived from. A step that was sent by 0.1.0 keeps the rule of 0.1.0.
    #[serde(default, skip_serializing_if = "KeyRule::is_v0_1")]
    pub key_rule: KeyRule,
    /// The identity that a release uses, if it was not always the one in its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<StepIdentity>,
    /// Who skipped it and why, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out_by: Option<(String, String)>,
    /// The class of its last outcome.
    pub outcome: Option<Outcome>,
    /// For a compensation: the index of the step that it undoes.
    pub compensates: Option<usize>,
    /// Since when it is in this state.
    pub since: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Order {
    /// The indices of the steps whose calls are running.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        self.steps.iter().enumerate().filter(|(_, step)| step.state.is_running()).map(|(index, _)| index)
    }

    /// The steps that name a resource.
    pub fn steps_naming<'a>(&'a self, resource: &'a ResourceId) -> impl Iterator<Item = &'a OrderStep> + 'a {
        self.steps.iter().filter(move |step| step.planned.resources.contains(resource))
    }

    /// Whether any step had its effect, or may have had one.
    pub fn had_effect(&self) -> bool {
        self.steps.iter().any(|step| step.state.has_begun())
    }

    /// When its event was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        self.taken_at.unwrap_or(self.key.accepted_at)
    }

    /// The dating of its event.
    pub fn dating(&self) -> Dating {
        self.dating.unwrap_or_else(|| Dating::of_key(&self.key))
    }

    /// Its claim on a resource.
    pub fn claim_on(&self, resource: &ResourceId) -> Option<&OrderClaim> {
        self.claims.iter().find(|claim| claim.claim.resource == *resource)
    }
}

impl OrderStep {
    /// Its call starts.
    pub(super) fn run(&mut self) {
        self.state = StepState::Running { earlier: self.state.earlier() };
    }

    /// It must run again.
    pub(super) fn reopen(&mut self) {
        self.state = StepState::Open { earlier: self.state.earlier() };
    }

    /// It waits for a person.
    pub(super) fn hold(&mut self, code: ReasonCode, detail: String) {
        self.state = StepState::Held { code, detail, earlier: self.state.earlier() };
    }

    /// Its order ends before it started.
    pub(super) fn give_up(&mut self) {
        self.state = StepState::Cancelled { after_reset: self.state.earlier().after_reset };
    }

    /// Whether it may be given up with its order: no call of it is running, or may still arrive.
    pub(super) fn may_be_given_up(&self) -> bool {
        !self.state.is_over() && !self.state.is_in_flight()
    }
}

/// Whether a new order that comes late starts as held.
pub(super) fn late_hold(late: Late, is_late: bool) -> bool {
    is_late && late == Late::Hold
}
