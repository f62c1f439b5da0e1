//! Why an order waits, link by link, as far as its own customer knows. What is behind a missing lease, other entities know.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::turns::Turns;
use super::waiting::{WaitKind, WaitingFor};
use super::{Customer, Order};
use crate::ids::{Epoch, Incarnation, OrderId, ResourceId, TargetId, Timestamp};
use crate::order::OrderState;
use crate::wire::WireName;

/// A chain of waits: each link but the last waits for its turn behind the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitChain {
    /// The links, starting with the order asked for.
    pub links: Vec<WaitLink>,
}

/// What one order waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitLink {
    /// The order.
    pub order_id: OrderId,
    /// Its state.
    pub state: WireName<OrderState>,
    /// The step that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What it waits for; absent if the order has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WireName<WaitKind>>,
    /// The resource whose lease is missing; the first of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// All resources whose leases are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceId>,
    /// The target at which it waits or is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// When the customer's workflow was reset, if the order waits for a lease that is in doubt because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<String>,
    /// The order that blocks it: the one of the next link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<OrderId>,
    /// Since when, RFC 3339; for an order that has ended, when it ended.
    #[serde(default)]
    pub since: String,
    /// The code by which it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence for a person.
    #[serde(default)]
    pub detail: String,
}

impl WaitLink {
    /// The kind of wait, if this build knows it; none also if the order has ended.
    pub fn wait(&self) -> Option<WaitKind> {
        self.waits_for.as_ref().and_then(WireName::known)
    }
}

/// Why a customer still has the lease of a resource, or wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Whether it has the lease.
    pub holds: bool,
    /// The epoch of the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Since when it has the lease, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The open order that is not done with the resource: the one that has started there, or else the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// A sentence for a person.
    #[serde(default)]
    pub detail: String,
    /// The incarnation of the customer that answers; a worker of 0.1.0 does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
    /// Whether this may change soon: an admission, or a message about the resource, is under way. A worker of 0.1.0
    /// does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<bool>,
}

/// All leases of a customer: the answer to the sweep, which compares it with what resources say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasesHeld {
    /// The incarnation of the customer that answers.
    pub incarnation: Incarnation,
    /// The leases.
    pub leases: Vec<HeldOf>,
}

/// A lease of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOf {
    /// The resource.
    pub resource: ResourceId,
    /// Its fencing token.
    pub epoch: Epoch,
    /// Whether what the customer says about it may change soon.
    pub under_way: bool,
}

impl Customer {
    /// Why an order waits; none if it is unknown.
    pub fn why(&self, id: &OrderId) -> Option<WaitChain> {
        if let Some(waiting) = self.inbox.iter().find(|waiting| waiting.key.order == *id) {
            return Some(WaitChain { links: vec![link(id, OrderState::Acknowledged, waiting.waits())] });
        }
        let Some(mut order) = self.orders.get(id) else { return self.why_over(id) };
        let turns = Turns::of(self);
        let mut passed = BTreeSet::new();
        let mut links: Vec<WaitLink> = Vec::new();
        loop {
            let waiting = turns.wait_of(order)?;
            links.push(link(&order.key.order, order.state(), waiting));
            passed.insert(&order.key.order);
            let behind = links.last().and_then(|link| link.behind.as_ref());
            match behind.and_then(|behind| self.orders.get(behind)) {
                Some(ahead) if !passed.contains(&ahead.key.order) => order = ahead,
                _ => return Some(WaitChain { links }),
            }
        }
    }

    fn why_over(&self, id: &OrderId) -> Option<WaitChain> {
        let over = self.remembered.iter().rev().find(|remembered| remembered.order == *id)?;
        Some(WaitChain {
            links: vec![WaitLink {
                order_id: id.clone(),
                state: over.state.into(),
                step: None,
                waits_for: None,
                resource: None,
                resources: Vec::new(),
                target: None,
                reset_at: None,
                behind: None,
                since: over.at.to_rfc3339(),
                code: None,
                detail: format!("It has ended: {}.", over.state.as_str()),
            }],
        })
    }

    /// Why this customer still has the lease of a resource, or wants it.
    pub fn keeps(&self, resource: &ResourceId) -> Keeping {
        let lease = self.leases.get(resource);
        let naming = self.orders.values().filter(|order| order.open_on(resource));
        let order = naming.min_by_key(|order| (!order.begun_on(resource), !order.started, &order.key));
        let detail = match (lease, order) {
            (Some(lease), _) if lease.leaving.is_some() => {
                "The customer releases it as soon as no call under its lease is in flight.".to_owned()
            }
            (Some(lease), _) if lease.doubted => {
                in_doubt_since(&self.reset_at.map(Timestamp::to_rfc3339).unwrap_or_default())
            }
            (Some(_), Some(order)) => has_it_for(order, resource),
            (Some(lease), None) if lease.due.is_some() => "The customer is about to release it.".to_owned(),
            (Some(_), None) => "The customer holds it until an event releases it; no open order names it.".to_owned(),
            (None, Some(order)) => {
                format!("The customer does not hold it; its order {} waits for it.", order.key.order)
            }
            (None, None) => "The customer neither holds it nor waits for it.".to_owned(),
        };
        Keeping {
            holds: lease.is_some(),
            epoch: lease.map(|lease| lease.epoch),
            since: lease.map(|lease| lease.since.to_rfc3339()),
            order_id: order.map(|order| order.key.order.clone()),
            detail,
            incarnation: Some(self.incarnation),
            under_way: Some(self.is_under_way(resource)),
        }
    }

    /// The leases that this customer has, each as its resource should know it.
    pub fn leases_held(&self) -> LeasesHeld {
        let held = self.leases.iter().map(|(resource, lease)| HeldOf {
            resource: resource.clone(),
            epoch: lease.epoch,
            under_way: self.is_under_way(resource),
        });
        LeasesHeld { incarnation: self.incarnation, leases: held.collect() }
    }

    /// Whether an admission is running or waiting that may bring a lease, or a message about the resource is under way.
    fn is_under_way(&self, resource: &ResourceId) -> bool {
        !self.inbox.is_empty()
            || self.to_reassert.contains_key(resource)
            || self.outbox.iter().any(|(to, _)| to == resource)
            || self.unjudged.iter().any(|grant| grant.resource == *resource)
    }
}

fn has_it_for(order: &Order, resource: &ResourceId) -> String {
    let id = &order.key.order;
    if order.begun_on(resource) {
        format!("The customer's order {id} is using it.")
    } else {
        format!("The customer holds it for its order {id}, which has not started there.")
    }
}

fn link(order: &OrderId, state: OrderState, waiting: WaitingFor) -> WaitLink {
    let mut link = WaitLink {
        order_id: order.clone(),
        state: state.into(),
        step: None,
        waits_for: Some(waiting.kind().into()),
        resource: None,
        resources: Vec::new(),
        target: waiting.target().cloned(),
        reset_at: None,
        behind: None,
        since: waiting.since().to_owned(),
        code: waiting.code().map(str::to_owned),
        detail: sentence(state, &waiting),
    };
    match waiting {
        WaitingFor::Lease { resource, resources, reset_at, step, .. } => {
            (link.resource, link.resources, link.step) = (Some(resource), resources, Some(step));
            link.reset_at = reset_at;
        }
        WaitingFor::Turn { behind, step, .. } => (link.behind, link.step) = (behind, Some(step)),
        WaitingFor::Target { step, .. } | WaitingFor::Settling { step, .. } => link.step = Some(step),
        WaitingFor::Person { step, .. } => link.step = step,
        WaitingFor::Admission { .. } => {}
    }
    link
}

/// Why a known lease is not used.
fn in_doubt_since(reset_at: &str) -> String {
    format!(
        "The customer's workflow was reset at {reset_at}; the resource is asked whether the customer still holds the \
         lease."
    )
}

/// A wait, as a sentence for a person.
fn sentence(state: OrderState, waiting: &WaitingFor) -> String {
    match waiting {
        WaitingFor::Admission { .. } if state == OrderState::Acknowledged => {
            "It was accepted and waits to be planned.".to_owned()
        }
        WaitingFor::Admission { .. } => "An older event of its customer waits to be planned first.".to_owned(),
        WaitingFor::Lease { resources, reset_at, step, .. } => {
            let named: Vec<String> = resources.iter().map(ToString::to_string).collect();
            let leases = if named.len() == 1 { "the lease" } else { "the leases" };
            let doubt = reset_at.as_ref().map(|at| format!(" {}", in_doubt_since(at))).unwrap_or_default();
            format!("Its step {step} waits for {leases} of {}.{doubt}", named.join(", "))
        }
        WaitingFor::Turn { target, behind: None, step, .. } => {
            format!("Its step {step} waits for its turn at {target}, until fewer calls are in flight.")
        }
        WaitingFor::Turn { target, behind: Some(behind), ahead, step, .. } => {
            let others = if *ahead > 1 { format!(", one of {ahead} orders before it there") } else { String::new() };
            format!("Its step {step} waits for its turn at {target}, behind {behind}{others}.")
        }
        WaitingFor::Target { target, step, .. } => {
            format!("Its step {step} is in flight: {target} has not answered yet, or the call is being retried.")
        }
        WaitingFor::Settling { target, step, .. } => {
            format!(
                "An earlier request of its step {step} may still arrive at {target}; after that the step is read back."
            )
        }
        WaitingFor::Person { step: Some(step), detail, .. } => {
            format!("Its step {step} is held for a person: {}.", detail.trim_end_matches('.'))
        }
        WaitingFor::Person { step: None, detail, .. } => {
            format!("It arrived late and is held for a person: {}.", detail.trim_end_matches('.'))
        }
    }
}
