//! Why an order waits, as far as its customer knows.

use serde::{Deserialize, Serialize};

use super::lanes::NotReady;
use super::{Customer, Order, StepState};
use crate::ids::{OrderId, ResourceId, TargetId};
use crate::order::OrderState;

/// What an order waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "waits_for", rename_all = "snake_case")]
pub enum WaitingFor {
    /// Its plan.
    Admission,
    /// A lease.
    Lease {
        /// The resource; the first, where several are missing.
        resource: ResourceId,
    },
    /// Its turn behind other orders of its customer.
    Turn {
        /// The lane.
        target: TargetId,
        /// The order ahead.
        behind: Option<OrderId>,
    },
    /// A target's answer.
    Target {
        /// The target.
        target: TargetId,
        /// The step under way.
        step: String,
        /// Since when, RFC 3339.
        since: String,
    },
    /// A person.
    Person {
        /// The held step; none where the whole order came late.
        step: Option<String>,
        /// A stable code.
        code: String,
        /// A sentence.
        detail: String,
    },
}

impl Customer {
    /// Why an open order waits; none where it is unknown or over.
    pub fn waiting_for(&self, id: &OrderId) -> Option<WaitingFor> {
        if self.inbox.iter().any(|waiting| waiting.key.order == *id) {
            return Some(WaitingFor::Admission);
        }
        let order = self.orders.get(id)?;
        person(order).or_else(|| target(order)).or_else(|| self.lease(order)).or_else(|| self.turn(order))
    }

    fn lease(&self, order: &Order) -> Option<WaitingFor> {
        let open = order.steps.iter().filter(|step| step.state == StepState::Open);
        let waits = open.map(|step| self.readiness(order, step)).any(|ready| ready == Err(NotReady::Lease));
        let missing =
            || order.open_claims().map(|c| &c.claim.resource).find(|resource| !self.holds_for(order, resource));
        if waits { missing().map(|resource| WaitingFor::Lease { resource: resource.clone() }) } else { None }
    }

    fn turn(&self, order: &Order) -> Option<WaitingFor> {
        let step = order.steps.iter().find(|step| step.state == StepState::Open)?;
        let target = step.planned.target.clone();
        let uses =
            |other: &Order| other.steps.iter().any(|step| step.planned.target == target && !step.state.is_over());
        let sorted = self.sorted();
        let ahead = sorted.iter().take_while(|id| **id != order.key.order).filter(|id| uses(&self.orders[*id])).last();
        if ahead.is_none() && self.older_waits_for_admission(&order.key) {
            return Some(WaitingFor::Admission);
        }
        Some(WaitingFor::Turn { behind: ahead.cloned(), target })
    }

    /// The state of an order; none where it is not known (any more).
    pub fn state_of(&self, id: &OrderId) -> Option<OrderState> {
        if let Some(order) = self.orders.get(id) {
            let held = order.late_hold || order.steps.iter().any(|step| matches!(step.state, StepState::Held { .. }));
            return Some(match held {
                true => OrderState::Held,
                false if order.nothing_begun() => OrderState::Pending,
                false => OrderState::InProgress,
            });
        }
        if self.inbox.iter().any(|waiting| waiting.key.order == *id) {
            return Some(OrderState::Acknowledged);
        }
        self.remembered.iter().rev().find(|remembered| remembered.order == *id).map(|remembered| remembered.state)
    }
}

fn person(order: &Order) -> Option<WaitingFor> {
    if order.late_hold {
        let detail = "a younger event of this type was applied already".to_owned();
        return Some(WaitingFor::Person { step: None, code: "late".to_owned(), detail });
    }
    order.steps.iter().find_map(|step| match &step.state {
        StepState::Held { code, detail } => Some(WaitingFor::Person {
            step: Some(step.planned.name.clone()),
            code: code.clone(),
            detail: detail.clone(),
        }),
        _ => None,
    })
}

fn target(order: &Order) -> Option<WaitingFor> {
    let step = order.running().next().and_then(|index| order.steps.get(index))?;
    Some(WaitingFor::Target {
        target: step.planned.target.clone(),
        step: step.planned.name.clone(),
        since: step.since.to_rfc3339(),
    })
}
