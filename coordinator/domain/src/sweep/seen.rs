//! What a sweep saw, and the findings that follow.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cause, Finding};
use crate::customer::waiting::WaitKind;
use crate::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId, Timestamp};
use crate::order::OrderState;
use crate::target_entity::TargetStateName;
use crate::wire::WireName;

/// When something is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRules {
    /// How long an order may wait for a lease before the sweep checks whether the resource has its ticket, in milliseconds: messages
    /// take this long.
    pub patience_ms: u64,
    /// How long a target may not be called, in milliseconds.
    pub parked_ms: u64,
}

/// An open order that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingOrder {
    /// The tenant.
    pub tenant: TenantId,
    /// The order.
    pub order: OrderId,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// Its state.
    pub state: WireName<OrderState>,
    /// What it waits for, in one word.
    pub waits_for: String,
    /// The same for counting; none if no code counts it.
    #[serde(default)]
    pub wait: Option<Wait>,
    /// The leases that it waits for, if that is it.
    pub lease: Option<LeaseWait>,
}

/// A wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The cause.
    pub cause: WireName<WaitKind>,
    /// The target at which it waits.
    pub target: Option<TargetId>,
    /// Since when.
    pub since: Timestamp,
}

/// A wait for leases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseWait {
    /// Those that are missing.
    pub resources: Vec<ResourceId>,
    /// Since when.
    pub since: Timestamp,
}

/// A resource for whose lease an order waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ResourceSeen {
    /// Its entity does not run.
    NotRunning,
    /// It answered.
    Running {
        /// The orders that wait there.
        queue: BTreeSet<OrderId>,
        /// The customer that holds it, if the holder is a customer, and whether its entity runs.
        holder: Option<(TenantId, CustomerId, bool)>,
    },
}

/// Orders that wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingSeen {
    /// The orders.
    pub orders: BTreeSet<(TenantId, OrderId)>,
    /// Since when the newest of them waits.
    pub since: Timestamp,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSeen {
    /// The target.
    pub target: TargetId,
    /// Its state.
    pub state: WireName<TargetStateName>,
    /// Since when; in an outage, since the outage started.
    pub since: Timestamp,
    /// Whether it is called normally, or was until recently.
    pub is_called: bool,
}

impl TargetSeen {
    /// A target as its view shows it: its state, since when, and since when it counts as down. A target that answers its probes and
    /// fails again in each ramp is in one continuous outage; it ends with the ramp that succeeds.
    pub fn of(
        target: TargetId,
        state: WireName<TargetStateName>,
        since: Timestamp,
        down_since: Option<Timestamp>,
    ) -> Self {
        let (is_called, may_be_down) = match state.known() {
            Some(TargetStateName::Closed) => (true, false),
            Some(TargetStateName::Ramping) => (down_since.is_none(), true),
            Some(TargetStateName::Open | TargetStateName::Probing) => (false, true),
            Some(TargetStateName::Maintenance | TargetStateName::Paused) | None => (false, false),
        };
        let in_outage = down_since.filter(|_| may_be_down);
        Self { target, state, since: in_outage.unwrap_or(since), is_called }
    }
}

/// A resource whose entity was terminated, and its holder at that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminatedResource {
    /// The tenant of the holder.
    pub tenant: TenantId,
    /// The holder.
    pub customer: CustomerId,
    /// The resource.
    pub resource: ResourceId,
    /// Its present state.
    pub now: ResourceSeen,
}

/// Everything that a sweep saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Open orders.
    pub orders: Vec<WaitingOrder>,
    /// The resources that orders wait for, if they were asked.
    pub resources: BTreeMap<(TenantId, ResourceId), ResourceSeen>,
    /// Rings; it does not matter from which order each was seen.
    pub rings: Vec<RingSeen>,
    /// Targets.
    pub targets: Vec<TargetSeen>,
    /// Resources whose entities were terminated recently.
    pub terminated: Vec<TerminatedResource>,
}

/// The findings that follow from what was seen, in the order of their keys; each once.
pub fn findings(rules: &SweepRules, now: Timestamp, seen: &Seen) -> Vec<Finding> {
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    let mut add = |finding: Finding| {
        // If several orders wait at one resource, the one that has waited longest sets the start.
        let known = found.entry(finding.key()).or_insert_with(|| finding.clone());
        if finding.since < known.since {
            *known = finding;
        }
    };
    for order in &seen.orders {
        overdue(now, order).into_iter().for_each(&mut add);
        unknown_at_resources(rules, now, seen, order).into_iter().for_each(&mut add);
    }
    seen.rings.iter().filter_map(|ring| ring_of(rules, now, ring)).for_each(&mut add);
    seen.targets.iter().filter_map(|target| parked(rules, now, target)).for_each(&mut add);
    found.into_values().collect()
}

/// The customers that must repeat what they have and want of a resource: those that wait and are not known there, and
/// the holders of terminated resources, if the resource now has no known holder.
pub fn to_reassert(rules: &SweepRules, now: Timestamp, seen: &Seen) -> BTreeSet<(TenantId, CustomerId, ResourceId)> {
    let mut to_say = BTreeSet::new();
    for order in &seen.orders {
        for (resource, state) in waits(rules, now, seen, order) {
            let is_unknown = match state {
                ResourceSeen::NotRunning => true,
                ResourceSeen::Running { queue, .. } => !queue.contains(&order.order),
            };
            if is_unknown {
                to_say.insert((order.tenant.clone(), order.order.customer(), resource.clone()));
            }
        }
    }
    for terminated in &seen.terminated {
        let is_forgotten = match &terminated.now {
            ResourceSeen::NotRunning => true,
            ResourceSeen::Running { holder, .. } => holder.is_none(),
        };
        if is_forgotten {
            to_say.insert((terminated.tenant.clone(), terminated.customer.clone(), terminated.resource.clone()));
        }
    }
    to_say
}

fn is_past(since: Timestamp, patience_ms: u64, now: Timestamp) -> bool {
    since.plus_ms(patience_ms) < now
}

/// The resources that were seen and for which an order has waited for longer than messages take.
fn waits<'a>(
    rules: &SweepRules,
    now: Timestamp,
    seen: &'a Seen,
    order: &'a WaitingOrder,
) -> impl Iterator<Item = (&'a ResourceId, &'a ResourceSeen)> + use<'a> {
    let wait = order.lease.as_ref().filter(|wait| is_past(wait.since, rules.patience_ms, now));
    let resources = wait.into_iter().flat_map(|wait| &wait.resources);
    resources.filter_map(|resource| {
        let state = seen.resources.get(&(order.tenant.clone(), resource.clone()))?;
        Some((resource, state))
    })
}

fn overdue(now: Timestamp, order: &WaitingOrder) -> Option<Finding> {
    let due_at = order.due_at.filter(|due_at| *due_at < now)?;
    Some(Finding {
        cause: Cause::OrderOverdue,
        tenant: Some(order.tenant.clone()),
        customer: None,
        order: Some(order.order.clone()),
        resource: None,
        target: None,
        since: due_at,
        detail: format!("It should have been done by {}, and waits for: {}.", due_at.to_rfc3339(), order.waits_for),
    })
}

fn unknown_at_resources(rules: &SweepRules, now: Timestamp, seen: &Seen, order: &WaitingOrder) -> Vec<Finding> {
    let Some(since) = order.lease.as_ref().map(|wait| wait.since) else { return Vec::new() };
    let finding = |cause, about_order: bool, resource: &ResourceId, detail: String| Finding {
        cause,
        tenant: Some(order.tenant.clone()),
        customer: None,
        order: about_order.then(|| order.order.clone()),
        resource: Some(resource.clone()),
        target: None,
        since,
        detail,
    };
    let mut found = Vec::new();
    for (resource, state) in waits(rules, now, seen, order) {
        match state {
            ResourceSeen::NotRunning => found.push(finding(
                Cause::ResourceNotRunning,
                false,
                resource,
                format!(
                    "Its entity is not running, and {} waits for its lease; the customers that wait are asked to claim \
                     it again.",
                    order.order
                ),
            )),
            ResourceSeen::Running { queue, .. } if !queue.contains(&order.order) => found.push(finding(
                Cause::TicketForgotten,
                true,
                resource,
                format!(
                    "It waits for the lease of {resource}, but the resource has no ticket for it; its customer is \
                     asked to claim it again."
                ),
            )),
            ResourceSeen::Running { holder: Some((tenant, customer, false)), .. } => found.push(finding(
                Cause::HolderNotRunning,
                false,
                resource,
                format!(
                    "{} waits for its lease, and the entity of its holder {tenant}/{customer} is not running.",
                    order.order
                ),
            )),
            ResourceSeen::Running { .. } => {}
        }
    }
    found
}

/// A ring that can break by itself does so at once: one that lasts needs a person.
fn ring_of(rules: &SweepRules, now: Timestamp, ring: &RingSeen) -> Option<Finding> {
    let (tenant, order) = ring.orders.first().filter(|_| is_past(ring.since, rules.patience_ms, now))?;
    let all: Vec<String> = ring.orders.iter().map(|(_, order)| order.to_string()).collect();
    Some(Finding {
        cause: Cause::RingOfWaits,
        tenant: Some(tenant.clone()),
        customer: None,
        order: Some(order.clone()),
        resource: None,
        target: None,
        since: ring.since,
        detail: format!("These orders wait for each other: {}.", all.join(", ")),
    })
}

fn parked(rules: &SweepRules, now: Timestamp, target: &TargetSeen) -> Option<Finding> {
    let is_long = !target.is_called && is_past(target.since, rules.parked_ms, now);
    is_long.then(|| Finding {
        cause: Cause::TargetParked,
        tenant: None,
        customer: None,
        order: None,
        resource: None,
        target: Some(target.target.clone()),
        since: target.since,
        detail: format!(
            "It has not been called normally since {}; its state is '{}'.",
            target.since.to_rfc3339(),
            target.state
        ),
    })
}
