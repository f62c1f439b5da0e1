//! The verdict: for each promise how much was checked, and where it was broken.

use std::fmt;

use interlock_domain::ids::{Epoch, OrderId, ResourceId, Timestamp};
use serde::Serialize;

use crate::facts::At;

/// What is checked. The names in JSON are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// Every history replays deterministically.
    Replays,
    /// A resource has one holder at a time, and nobody holds a lease that its resource did not record as granted.
    OneHolder,
    /// The next holder's first call starts only after the previous holder's release was confirmed.
    HandOver,
    /// Epochs grow, and no call carries an older epoch than an earlier call to the same resource.
    EpochsGrow,
    /// Every call that needs a lease carries one that its customer held.
    CallsAreLeased,
    /// No lease is held by nobody.
    NoLeaseLost,
    /// Each accepted event ends exactly once.
    EndsOnce,
    /// The orders of one customer and target take effect in the order of their keys.
    InTurn,
    /// A target never had a resource for two holders at once.
    TargetOneHolder,
    /// A target applied only writes that a call of the histories sent, under a lease.
    TargetCallsAreLeased,
    /// In the end the target has what the ledger says.
    LedgerIsNetwork,
}

impl Promise {
    /// All, in the order of the verdict.
    pub const ALL: [Self; 11] = [
        Self::Replays,
        Self::OneHolder,
        Self::HandOver,
        Self::EpochsGrow,
        Self::CallsAreLeased,
        Self::NoLeaseLost,
        Self::EndsOnce,
        Self::InTurn,
        Self::TargetOneHolder,
        Self::TargetCallsAreLeased,
        Self::LedgerIsNetwork,
    ];

    /// The name in JSON and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replays => "replays",
            Self::OneHolder => "one_holder",
            Self::HandOver => "hand_over",
            Self::EpochsGrow => "epochs_grow",
            Self::CallsAreLeased => "calls_are_leased",
            Self::NoLeaseLost => "no_lease_lost",
            Self::EndsOnce => "ends_once",
            Self::InTurn => "in_turn",
            Self::TargetOneHolder => "target_one_holder",
            Self::TargetCallsAreLeased => "target_calls_are_leased",
            Self::LedgerIsNetwork => "ledger_is_network",
        }
    }

    /// What the promise says, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Replays => "every history replays",
            Self::OneHolder => "each lease has one holder at a time, and its resource recorded the grant",
            Self::HandOver => "the next holder's first call starts after the release was confirmed",
            Self::EpochsGrow => "epochs grow",
            Self::CallsAreLeased => "every call that needs a lease has one",
            Self::NoLeaseLost => "no lease is held by nobody",
            Self::EndsOnce => "each accepted event ends exactly once",
            Self::InTurn => "orders of one customer and target start in the order of their keys",
            Self::TargetOneHolder => "a target never had two holders of one resource",
            Self::TargetCallsAreLeased => "a target applied only what a call of the histories sent",
            Self::LedgerIsNetwork => "in the end, ledger and target agree",
        }
    }
}

/// The place and the content of one violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What was broken.
    pub promise: Promise,
    /// The entity's workflow id; for a target's log, the name of the log.
    pub workflow_id: String,
    /// The run; empty for a target's log.
    pub run_id: String,
    /// The event of the run; for what a machine decided, the event with which its workflow task started; for a target's log, the
    /// number of the entry.
    pub event_id: i64,
    /// The time of that event, RFC 3339.
    pub at: String,
    /// The order, if one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The resource, if one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// The epoch of the lease, if one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// What happened, in a sentence.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, workflow_id, event_id, at, detail, .. } = self;
        write!(f, "{}: {detail}\n    {workflow_id}", promise.as_str())?;
        if !self.run_id.is_empty() {
            write!(f, " run {}", self.run_id)?;
        }
        write!(f, " event {event_id} at {at}")?;
        if let Some(order) = &self.order_id {
            write!(f, " order {order}")?;
        }
        if let Some(resource) = &self.resource {
            write!(f, " resource {resource}")?;
        }
        if let Some(epoch) = self.epoch {
            write!(f, " epoch {epoch}")?;
        }
        Ok(())
    }
}

/// What became of one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PromiseVerdict {
    /// The promise.
    pub promise: Promise,
    /// The number of things that were checked.
    pub checked: u64,
    /// How many of them broke it.
    pub violations: u64,
    /// How many of them broke it because a person decided so, or an operator killed or reset an entity, which is recorded.
    pub excused: u64,
    /// How many could not be checked: a history is missing, or what they depend on is still under way.
    pub unchecked: u64,
}

/// What the audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether everything was audited and nothing was broken.
    pub clean: bool,
    /// The number of histories that were read.
    pub histories: u64,
    /// Histories that were left out because of the limit on memory.
    pub left_out: u64,
    /// The number of customers.
    pub customers: u64,
    /// The number of resources.
    pub resources: u64,
    /// The number of orders that have not ended.
    pub open_orders: u64,
    /// One for each promise.
    pub promises: Vec<PromiseVerdict>,
    /// The violations, the first ones of each promise.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// What became of a promise.
    pub fn of(&self, promise: Promise) -> Option<&PromiseVerdict> {
        self.promises.iter().find(|verdict| verdict.promise == promise)
    }
}

/// The result of one check, while it is made.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) verdict: PromiseVerdict,
    pub(crate) violations: Vec<Violation>,
    shown_max: usize,
}

/// What a violation is about.
#[derive(Debug, Default, Clone)]
pub(crate) struct About<'a> {
    pub(crate) order: Option<&'a OrderId>,
    pub(crate) resource: Option<&'a ResourceId>,
    pub(crate) epoch: Option<Epoch>,
}

/// Where a violation is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Where<'a> {
    pub(crate) workflow_id: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) at: At,
}

impl Findings {
    pub(crate) fn new(promise: Promise, shown_max: usize) -> Self {
        let verdict = PromiseVerdict { promise, checked: 0, violations: 0, excused: 0, unchecked: 0 };
        Self { verdict, violations: Vec::new(), shown_max }
    }

    pub(crate) fn checked(&mut self) {
        self.verdict.checked += 1;
    }

    pub(crate) fn excused(&mut self) {
        self.verdict.excused += 1;
    }

    pub(crate) fn unchecked(&mut self) {
        self.verdict.unchecked += 1;
    }

    pub(crate) fn violated(&mut self, place: Where<'_>, about: &About<'_>, detail: String) {
        self.verdict.violations += 1;
        if self.violations.len() < self.shown_max {
            self.violations.push(Violation {
                promise: self.verdict.promise,
                workflow_id: place.workflow_id.to_owned(),
                run_id: place.run_id.to_owned(),
                event_id: place.at.event,
                at: Timestamp(place.at.ms).to_rfc3339(),
                order_id: about.order.cloned(),
                resource: about.resource.cloned(),
                epoch: about.epoch,
                detail,
            });
        }
    }
}
