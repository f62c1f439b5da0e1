//! Why an order waits, as far as its customer knows.

use serde::{Deserialize, Serialize};

use super::readiness::NotReady;
use super::turns::Turns;
use super::{ClaimState, Customer, EventToAdmit, Order, OrderStep, StepState};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, ResourceId, TargetId, Timestamp};
use crate::order::OrderState;
use crate::wire::wire_words;

wire_words! {
    /// What is waited for, in one word.
    WaitKind {
        /// A plan.
        Admission = "admission",
        /// A lease.
        Lease = "lease",
        /// A turn behind other orders of the customer.
        Turn = "turn",
        /// A target's answer.
        Target = "target",
        /// The end of something, such as a request that may still arrive.
        Settling = "settling",
        /// A person.
        Person = "person",
        /// The end of a target's maintenance window.
        Window = "window",
        /// A start date.
        Date = "date",
        /// An event that has not arrived.
        Event = "event",
        /// Unknown: the entity that knows did not answer.
        Unanswered = "unanswered",
        /// Unknown: the caller may not ask the entity that knows.
        Forbidden = "forbidden",
    }
}

/// What an order waits for. Each says since when, in RFC 3339: since its step could have started, if only the steps before it
/// had mattered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "waits_for", rename_all = "snake_case")]
pub enum WaitingFor {
    /// Its plan, or that of an older event of its customer.
    Admission {
        /// Since when.
        since: String,
    },
    /// A lease.
    Lease {
        /// The resource; the first one, if several leases are missing.
        resource: ResourceId,
        /// All that are missing.
        resources: Vec<ResourceId>,
        /// When the customer's workflow was reset, if the customer had one of these leases before: the resource is asked
        /// whether it still has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reset_at: Option<String>,
        /// The step that waits.
        step: String,
        /// Since when.
        since: String,
    },
    /// Its turn behind other orders of its customer.
    Turn {
        /// The lane.
        target: TargetId,
        /// The order that blocks it: the one whose turn it is there, or that is working on the same resource.
        behind: Option<OrderId>,
        /// How many orders of the lane go before it.
        ahead: usize,
        /// The step that waits.
        step: String,
        /// Since when.
        since: String,
    },
    /// A target's answer.
    Target {
        /// The target.
        target: TargetId,
        /// The running step.
        step: String,
        /// Since when.
        since: String,
    },
    /// The time after which a request that may have been sent can no longer arrive; then it is read back.
    Settling {
        /// The target.
        target: TargetId,
        /// The running step.
        step: String,
        /// Since when.
        since: String,
    },
    /// A person.
    Person {
        /// The held step; none if the whole order came late.
        step: Option<String>,
        /// The target of the held step; none if the whole order came late.
        target: Option<TargetId>,
        /// A stable code.
        code: String,
        /// A sentence.
        detail: String,
        /// Since when.
        since: String,
    },
}

impl WaitingFor {
    /// What kind of wait it is.
    pub fn kind(&self) -> WaitKind {
        match self {
            Self::Admission { .. } => WaitKind::Admission,
            Self::Lease { .. } => WaitKind::Lease,
            Self::Turn { .. } => WaitKind::Turn,
            Self::Target { .. } => WaitKind::Target,
            Self::Settling { .. } => WaitKind::Settling,
            Self::Person { .. } => WaitKind::Person,
        }
    }

    /// The step that waits; none if the order as a whole does.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Lease { step, .. }
            | Self::Turn { step, .. }
            | Self::Target { step, .. }
            | Self::Settling { step, .. } => Some(step),
            Self::Person { step, .. } => step.as_deref(),
            Self::Admission { .. } => None,
        }
    }

    /// Since when, RFC 3339.
    pub fn since(&self) -> &str {
        match self {
            Self::Admission { since }
            | Self::Lease { since, .. }
            | Self::Turn { since, .. }
            | Self::Target { since, .. }
            | Self::Settling { since, .. }
            | Self::Person { since, .. } => since,
        }
    }

    /// The target at which it waits or is held; none if it waits for something else.
    pub fn target(&self) -> Option<&TargetId> {
        match self {
            Self::Turn { target, .. } | Self::Target { target, .. } | Self::Settling { target, .. } => Some(target),
            Self::Person { target, .. } => target.as_ref(),
            Self::Admission { .. } | Self::Lease { .. } => None,
        }
    }

    /// The code by which it is held.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Person { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl Customer {
    /// Why an open order waits; none if it is unknown or has ended.
    pub fn waiting_for(&self, id: &OrderId) -> Option<WaitingFor> {
        if let Some(waiting) = self.inbox.iter().find(|waiting| waiting.key.order == *id) {
            return Some(waiting.waits());
        }
        self.orders.get(id).and_then(|order| Turns::of(self).wait_of(order))
    }

    /// The state of an order; none if it is not (or no longer) known.
    pub fn state_of(&self, id: &OrderId) -> Option<OrderState> {
        if let Some(order) = self.orders.get(id) {
            return Some(order.state());
        }
        if self.inbox.iter().any(|waiting| waiting.key.order == *id) {
            return Some(OrderState::Acknowledged);
        }
        self.remembered.iter().rev().find(|remembered| remembered.order == *id).map(|remembered| remembered.state)
    }
}

impl EventToAdmit {
    /// What an event in the inbox waits for.
    pub(super) fn waits(&self) -> WaitingFor {
        WaitingFor::Admission { since: self.accepted_at().to_rfc3339() }
    }
}

impl Order {
    /// The state of an open order.
    pub fn state(&self) -> OrderState {
        match self.is_held() {
            true => OrderState::Held,
            false if self.nothing_begun() => OrderState::Pending,
            false => OrderState::InProgress,
        }
    }

    /// Whether it waits for a person.
    pub(super) fn is_held(&self) -> bool {
        self.late_hold || self.steps.iter().any(|step| step.state.is_held())
    }

    /// Since when a step of it could have started, as far as the steps before it decide.
    fn step_since(&self, step: &OrderStep) -> Timestamp {
        let before = step.planned.after.iter().filter_map(|index| self.steps.get(*index));
        before.map(|earlier| earlier.since).fold(step.since, Timestamp::max)
    }

    fn waits_for_person(&self) -> Option<WaitingFor> {
        if self.late_hold {
            return Some(WaitingFor::Person {
                step: None,
                target: None,
                code: ErrorCode::Late.into(),
                detail: "a newer event of this type was already applied".to_owned(),
                since: self.steps.first().map_or(self.accepted_at(), |step| step.since).to_rfc3339(),
            });
        }
        self.steps.iter().find_map(|step| match &step.state {
            StepState::Held { code, detail, .. } => Some(WaitingFor::Person {
                step: Some(step.planned.name.clone()),
                target: Some(step.planned.target.clone()),
                code: code.to_string(),
                detail: detail.clone(),
                since: step.since.to_rfc3339(),
            }),
            _ => None,
        })
    }

    fn waits_for_target(&self) -> Option<WaitingFor> {
        let step = self.running().next().and_then(|index| self.steps.get(index))?;
        let (target, name) = (step.planned.target.clone(), step.planned.name.clone());
        let since = step.since.to_rfc3339();
        Some(if step.state.maybe_sent() {
            WaitingFor::Settling { target, step: name, since }
        } else {
            WaitingFor::Target { target, step: name, since }
        })
    }
}

impl Turns<'_> {
    /// What an open order waits for; none if it has nothing left to do.
    pub(super) fn wait_of(&self, order: &Order) -> Option<WaitingFor> {
        let own = order.waits_for_person().or_else(|| order.waits_for_target());
        own.or_else(|| self.waits_for_lease(order)).or_else(|| self.waits_for_turn(order))
    }

    fn waits_for_lease(&self, order: &Order) -> Option<WaitingFor> {
        let holds = |resource: &ResourceId| self.holds(order, resource);
        let open = order.steps.iter().filter(|step| step.state.is_open());
        let step = open.into_iter().find(|step| self.readiness(order, step) == Err(NotReady::Lease))?;
        let missing = missing_leases(order, step, &holds);
        // A lease that the customer has, and under which another of its orders works, is a matter of turns.
        let (in_use, missing): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|resource| self.used_by(order, resource).is_some());
        let since = order.step_since(step).to_rfc3339();
        if let Some(first) = missing.first() {
            let reset_at = missing.iter().find_map(|resource| self.in_doubt_since(resource)).map(Timestamp::to_rfc3339);
            let (resource, resources) = (Clone::clone(*first), missing.into_iter().cloned().collect());
            return Some(WaitingFor::Lease { resource, resources, reset_at, step: step.planned.name.clone(), since });
        }
        let behind = self.used_by(order, in_use.first()?)?;
        Some(WaitingFor::Turn {
            target: step.planned.target.clone(),
            behind: Some(behind.clone()),
            ahead: self.ahead(order, step).map_or(1, |ahead| ahead.count.max(1)),
            step: step.planned.name.clone(),
            since,
        })
    }

    fn waits_for_turn(&self, order: &Order) -> Option<WaitingFor> {
        let open = || order.steps.iter().filter(|step| step.state.is_open());
        let step = open().find(|step| order.comes_next(step)).or_else(|| open().next())?;
        let since = order.step_since(step);
        let ahead = self.ahead(order, step);
        if let Some(older) = self.admitted_first(order).filter(|_| ahead.is_none()) {
            return Some(WaitingFor::Admission { since: since.max(older.accepted_at).to_rfc3339() });
        }
        Some(WaitingFor::Turn {
            target: step.planned.target.clone(),
            behind: ahead.as_ref().map(|ahead| ahead.behind.clone()),
            ahead: ahead.map_or(0, |ahead| ahead.count),
            step: step.planned.name.clone(),
            since: since.to_rfc3339(),
        })
    }
}

/// The resources whose leases a step lacks: those that it names, and those that its order needs before it starts.
fn missing_leases<'a>(
    order: &'a Order,
    step: &'a OrderStep,
    holds: &dyn Fn(&ResourceId) -> bool,
) -> Vec<&'a ResourceId> {
    let is_ours =
        |resource: &&ResourceId| order.claim_on(resource).is_none_or(|claim| claim.state != ClaimState::NotHolder);
    let needed = order.open_claims().map(|claim| &claim.claim.resource).filter(|resource| order.open_on(resource));
    let mut missing: Vec<&ResourceId> = Vec::new();
    for resource in step.planned.resources.iter().filter(is_ours).chain(needed) {
        if !holds(resource) && !missing.contains(&resource) {
            missing.push(resource);
        }
    }
    missing
}
