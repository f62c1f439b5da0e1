//! An open order, its claims and its steps.

use serde::{Deserialize, Serialize};

use super::journal::StepIdentity;
use super::{Dating, KeyRule, StepState};
use crate::error_code::ReasonCode;
use crate::ids::{ResourceId, Timestamp};
use crate::order::{Claim, Late, OrderKey, PlannedStep};
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
    /// Whether it needs no turn.
    pub unordered: bool,
    /// When it is no longer worth doing.
    pub expires_at: Option<Timestamp>,
    /// When it should be done. Nothing is dropped after it: whoever is in charge is told.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// What it wants of which resource.
    pub claims: Vec<OrderClaim>,
    /// The resources that its customer must be known to have before it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<ResourceId>,
    /// The resources that nobody else may have where a step names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_use: Vec<ResourceId>,
    /// What it does: the plan's steps, then compensations.
    pub steps: Vec<OrderStep>,
    /// Whether a step that needs all its leases has begun.
    pub started: bool,
    /// Whether a person, or a ring, let its release go before its assign is granted.
    pub release_first: bool,
    /// Whether it waits for a person before it begins: it came late.
    pub late_hold: bool,
    /// Set once it is to end without doing the rest.
    pub ending: Option<Ending>,
    /// The marks of the last actions that persons took on it, oldest first ([`crate::action_mark::ActionMark`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// The trace that its event belongs to: its calls go on in it, however much later.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace_parent::read_leniently")]
    pub trace_parent: Option<TraceParent>,
    /// When the workflow was reset, if it was since the order came in, or to a moment before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<Timestamp>,
    /// When its event was taken in, where its key does not say so: nobody had stamped it, and its own time stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// What its event said of its time, where that does not follow from its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dating: Option<Dating>,
    /// Its size as JSON, in bytes.
    pub weight_bytes: usize,
}

/// Why an order ends before its steps are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Ending {
    /// A younger order settled the matter.
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
    /// With its plan the customer's state would be over its limit.
    BacklogFull,
}

/// A claim of an open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderClaim {
    /// What is wanted.
    pub claim: Claim,
    /// Its ticket at the resource.
    pub ticket: TicketState,
    /// Where the claim stands.
    pub state: ClaimState,
}

/// The ticket of a claim, as far as the customer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// The resource has none.
    None,
    /// It stands in the resource's queue, or a lease was granted for it.
    Out,
    /// The resource refused it, but a late copy of its claim may still get there: it is withdrawn in the end.
    Refused,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// Not settled.
    Open,
    /// All steps that name its resource are over.
    Settled,
    /// A release of something that somebody else holds.
    NotHolder,
    /// A younger order of this customer settled the matter.
    Superseded,
}

/// A step of an open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderStep {
    /// What is to be done.
    pub planned: PlannedStep,
    /// Where it stands.
    #[serde(flatten)]
    pub state: StepState,
    /// How often its call was scheduled.
    pub dispatches: u32,
    /// How many results in a row came for it that no worker gave: by a person in Temporal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub by_hand: u32,
    /// How often a person amended its arguments: each time it becomes another request, with a key of its own.
    #[serde(default)]
    pub amendments: u32,
    /// What its idempotency key is made of. A step that was sent by 0.1.0 keeps the rule of 0.1.0.
    #[serde(default, skip_serializing_if = "KeyRule::is_v0_1")]
    pub key_rule: KeyRule,
    /// The identity that a release goes by, where it was not always the one that its event named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<StepIdentity>,
    /// Who left it out and why, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out_by: Option<(String, String)>,
    /// The class of its last outcome.
    pub outcome: Option<Outcome>,
    /// For a compensation: the index of the step that it undoes.
    pub compensates: Option<usize>,
    /// Since when it stands so.
    pub since: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Order {
    /// The indexes of the steps whose call is under way.
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

    /// What its event said of its time.
    pub fn dating(&self) -> Dating {
        self.dating.unwrap_or_else(|| Dating::of_key(&self.key))
    }

    /// Its claim on a resource.
    pub fn claim_on(&self, resource: &ResourceId) -> Option<&OrderClaim> {
        self.claims.iter().find(|claim| claim.claim.resource == *resource)
    }
}

impl OrderStep {
    /// Its call begins.
    pub(super) fn run(&mut self) {
        self.state = StepState::Running { earlier: self.state.earlier() };
    }

    /// It is to be done again.
    pub(super) fn reopen(&mut self) {
        self.state = StepState::Open { earlier: self.state.earlier() };
    }

    /// It waits for a person.
    pub(super) fn hold(&mut self, code: ReasonCode, detail: String) {
        self.state = StepState::Held { code, detail, earlier: self.state.earlier() };
    }

    /// Its order ends before it began.
    pub(super) fn give_up(&mut self) {
        self.state = StepState::Cancelled { after_reset: self.state.earlier().after_reset };
    }

    /// Whether it may be given up with its order: no call of it is under way, or may still land.
    pub(super) fn may_be_given_up(&self) -> bool {
        !self.state.is_over() && !self.state.is_in_flight()
    }
}

/// What a new order begins as, where it comes late.
pub(super) fn late_hold(late: Late, is_late: bool) -> bool {
    is_late && late == Late::Hold
}
