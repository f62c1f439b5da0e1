//! The start of a world: customers, resources, who has what, the future events, and the possible faults.

use std::collections::BTreeSet;

use interlock_domain::catalog::Planned;
use interlock_domain::customer::{Admission, EventToAdmit};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event::Event;
use interlock_domain::ids::{CustomerRef, OrderId, ResourceId, Timestamp};
use interlock_domain::limits::EntityLimits;
use interlock_domain::order::{Authority, Rejection, ResourcePolicy};
use interlock_domain::planning::plan_in_order;

use crate::broken::Broken;
use crate::deed::Deed;
use crate::faults::Faults;
use crate::names::{resource, target};

/// The start time of every world, in milliseconds since 1970. Events happened within the minute before.
pub const BEGINNING_MS: i64 = 1_700_000_000_000;
/// How long a request may be in flight before it takes effect or is lost, in milliseconds.
pub const APPLY_MS_MAX: i64 = 30_000;
/// How long a call of a dead entity may continue, in milliseconds.
pub const GHOST_MS_MAX: i64 = 30_000;
/// How long a resource waits for the calls of a dead customer, in milliseconds: longer than both of the above.
pub const ORPHAN_SETTLE_MS: u64 = 90_000;
/// How long a resource without history waits for clock differences, in milliseconds.
pub const FRESH_WAIT_MS: u64 = 5_000;

/// How a customer got a resource that it has at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// By an order of its own that has ended.
    Assigned,
    /// By a seeded ledger: the resource knows it, and the customer's entity does not exist yet.
    Seeded,
    /// By a list: the same, and the customer's entity will be asked for its lease of the resource.
    Imported,
    /// Only the target knows it: the ledger is empty.
    TargetOnly,
}

/// A future event.
#[derive(Debug, Clone)]
pub struct EventSpec {
    /// The customer, as an index.
    pub customer: usize,
    /// When it happened, in milliseconds after an arbitrary start. Events are sorted by it.
    pub key: i64,
    /// Its content. `None` for an event that cannot be read.
    pub deed: Option<Deed>,
    /// The index of another event that its admission forwards to another customer.
    pub passes_on: Option<usize>,
    /// Whether it arrives only by being forwarded.
    pub is_passed_on: bool,
}

/// The start of a world, and the expected end.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name in reports.
    pub name: String,
    /// The customers. A customer's name is also its party at the targets.
    pub customers: Vec<CustomerRef>,
    /// The resources.
    pub resources: Vec<ResourceId>,
    /// Who has what at the start.
    pub start: Vec<(usize, usize, Start)>,
    /// The identity under which targets have a resource at the start, if it differs from the ledger's.
    pub registered_as: Vec<(usize, String)>,
    /// Whether targets do not report who has a resource.
    pub is_discreet: bool,
    /// The events.
    pub events: Vec<EventSpec>,
    /// The possible faults.
    pub faults: Faults,
    /// Whether targets silently accept a second holder.
    pub overwrites: bool,
    /// Whether targets can be read back after an unanswered request.
    pub verifies: bool,
    /// Whether resources ask the target before the first grant, and about orphans.
    pub authority: bool,
    /// Whether a resource without history waits for clock differences.
    pub fresh_wait: bool,
    /// The limit of a resource's queue, in tickets, if it is not the default.
    pub tickets_max: Option<usize>,
    /// The expected holders at the end, if the world has only one answer.
    pub expected: Vec<(usize, Option<usize>)>,
    /// Whether every order must end without a person.
    pub all_end: bool,
    /// Whether a ring of waits may be left to a person.
    pub ring_is_left: bool,
    /// Whether a receiver is told what becomes of all orders.
    pub is_subscribed: bool,
    /// A fixed order of arrival: each event comes only after the one before it in this list.
    pub arrivals: Vec<usize>,
    /// The rule that is broken on purpose, to test the checks.
    pub broken: Option<Broken>,
}

impl Scenario {
    /// An empty world.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            customers: Vec::new(),
            resources: Vec::new(),
            start: Vec::new(),
            registered_as: Vec::new(),
            is_discreet: false,
            events: Vec::new(),
            faults: Faults::default(),
            overwrites: false,
            verifies: true,
            authority: false,
            fresh_wait: false,
            tickets_max: None,
            expected: Vec::new(),
            all_end: true,
            ring_is_left: false,
            is_subscribed: false,
            arrivals: Vec::new(),
            broken: None,
        }
    }

    /// The index of a customer, by name. A new name is added.
    ///
    /// # Panics
    /// If the name is not valid as an id.
    pub fn customer(&mut self, name: &str) -> usize {
        let customer = CustomerRef { tenant: tenant(), customer: name.parse().expect("a short name") };
        index_of(&mut self.customers, customer)
    }

    /// The index of a resource, by name. A new name is added.
    pub fn resource(&mut self, name: &str) -> usize {
        index_of(&mut self.resources, resource(name))
    }

    /// `customer` has `resource` at the start, by an order of its own.
    #[must_use]
    pub fn has(self, customer: &str, resource: &str) -> Self {
        self.has_by(customer, resource, Start::Assigned)
    }

    /// `customer` has `resource` at the start, and got it in this way.
    #[must_use]
    pub fn has_by(mut self, customer: &str, resource: &str, start: Start) -> Self {
        let start = (self.customer(customer), self.resource(resource), start);
        self.start.push(start);
        self
    }

    /// Targets have `resource` under this identity at the start, whatever the ledger says.
    #[must_use]
    pub fn registered_as(mut self, resource: &str, target_identity: &str) -> Self {
        let registered = (self.resource(resource), target_identity.to_owned());
        self.registered_as.push(registered);
        self
    }

    /// Targets do not report who has a resource.
    #[must_use]
    pub fn discreet(mut self) -> Self {
        self.is_discreet = true;
        self
    }

    /// An event of `customer` that happened at `key`.
    #[must_use]
    pub fn event(mut self, customer: &str, key: i64, deed: Deed) -> Self {
        for resource in &deed.claims {
            index_of(&mut self.resources, resource.resource.clone());
        }
        let customer = self.customer(customer);
        self.events.push(EventSpec { customer, key, deed: Some(deed), passes_on: None, is_passed_on: false });
        self
    }

    /// An event of `customer` that cannot be read.
    #[must_use]
    pub fn poison(mut self, customer: &str) -> Self {
        let customer = self.customer(customer);
        self.events.push(EventSpec { customer, key: 0, deed: None, passes_on: None, is_passed_on: false });
        self
    }

    /// The last event is one half. Its admission forwards the other half to `customer`.
    #[must_use]
    pub fn passing_on(mut self, customer: &str, key: i64, deed: Deed) -> Self {
        let giving = self.events.len() - 1;
        self = self.event(customer, key, deed);
        self.events[giving].passes_on = Some(giving + 1);
        self.events[giving + 1].is_passed_on = true;
        self
    }

    /// Events arrive in the order in which they are listed.
    #[must_use]
    pub fn arriving_in_order(mut self) -> Self {
        self.arrivals = (0..self.events.len()).collect();
        self
    }

    /// At the end `customer` has `resource`.
    #[must_use]
    pub fn ends_with(mut self, resource: &str, customer: &str) -> Self {
        let expected = (self.resource(resource), Some(self.customer(customer)));
        self.expected.push(expected);
        self
    }

    /// At the end no customer has `resource`.
    #[must_use]
    pub fn ends_free(mut self, resource: &str) -> Self {
        let expected = (self.resource(resource), None);
        self.expected.push(expected);
        self
    }

    /// An order may wait for ever, if there is a cause.
    #[must_use]
    pub fn may_wait(mut self) -> Self {
        self.all_end = false;
        self
    }

    /// A receiver is told what becomes of all orders.
    #[must_use]
    pub fn subscribed(mut self) -> Self {
        self.is_subscribed = true;
        self
    }

    /// A ring of waits may be left to a person.
    #[must_use]
    pub fn may_ring(mut self) -> Self {
        self.all_end = false;
        self.ring_is_left = true;
        self
    }

    /// Resources ask the target before the first grant.
    #[must_use]
    pub fn with_authority(mut self) -> Self {
        self.authority = true;
        self
    }

    /// Targets silently accept a second holder, so resources ask them before the first grant.
    #[must_use]
    pub fn overwriting(mut self) -> Self {
        self.overwrites = true;
        self.authority = true;
        self
    }

    /// The same world with these faults, under a longer name.
    #[must_use]
    pub fn with(mut self, label: &str, faults: Faults) -> Self {
        if !label.is_empty() {
            self.name = format!("{} + {label}", self.name);
        }
        self.faults = faults;
        if faults.resources_terminated > 0 {
            // Without an authority, a reborn resource could not learn who has it.
            self.authority = true;
            self.fresh_wait = true;
        }
        if faults.resources_lost > 0 {
            // Only the target knows a holder whose entity never existed.
            self.authority |= self.start.iter().any(|(_, _, start)| *start != Start::Assigned);
            self.fresh_wait = true;
        }
        if faults.customers_terminated > 0 || faults.leases_forgotten > 0 {
            self.authority = true;
        }
        self
    }

    /// The same world with one rule broken.
    #[must_use]
    pub fn breaking(mut self, broken: Broken) -> Self {
        self.broken = Some(broken);
        self
    }

    /// Whether a fault is possible that makes orders end differently from the plan, or wait for a person.
    pub fn may_deviate(&self) -> bool {
        let faults = self.faults;
        faults.refused > 0
            || faults.cancelled > 0
            || faults.forced > 0
            || faults.customers_terminated > 0
            || faults.leases_forgotten > 0
            || faults.customers_reset > 0
            || faults.resources_reset > 0
            || faults.resources_terminated > 0
            || (faults.ambiguous > 0 && !self.verifies)
    }

    /// The policy that travels with the tickets.
    pub fn policy(&self) -> ResourcePolicy {
        ResourcePolicy {
            authority: (self.authority && self.broken != Some(Broken::SkipsTheLookUp))
                .then(|| Authority { target: target("hss"), operation: "find_holder".to_owned() }),
            authority_proves: true,
            orphan_settle_ms: if self.broken == Some(Broken::SettlesOrphansAtOnce) { 0 } else { ORPHAN_SETTLE_MS },
            fresh_wait_ms: if self.fresh_wait { FRESH_WAIT_MS } else { 0 },
            limits: EntityLimits {
                tickets_max: self.tickets_max.unwrap_or(EntityLimits::default().tickets_max),
                ..EntityLimits::default()
            },
        }
    }

    /// The event at an index, in the form in which it arrives.
    pub fn incoming(&self, event: usize) -> Event {
        let spec = &self.events[event];
        Event {
            id: format!("e{event}"),
            source: "model".to_owned(),
            event_type: spec.deed.as_ref().map_or_else(String::new, |deed| deed.name.clone()),
            subject: self.customers[spec.customer].customer.clone(),
            time: Some(Timestamp(BEGINNING_MS - 60_000 + spec.key)),
            sequence: None,
            half: None,
            trace_parent: None,
            accepted_at: None,
            priority: None,
            data: serde_json::Map::new(),
            bytes: 100,
        }
    }

    /// The order of an event.
    pub fn order_id(&self, event: usize) -> OrderId {
        self.incoming(event).order_id(&tenant(), None)
    }

    /// The index of an event of this world, by its id.
    pub fn event_index(&self, event_id: &str) -> Option<usize> {
        event_id.strip_prefix('e')?.parse().ok().filter(|index| *index < self.events.len())
    }

    /// What the scenario says of an event that waits for admission.
    pub fn spec_of(&self, waiting: &EventToAdmit) -> Option<&EventSpec> {
        self.event_index(&waiting.event.id).map(|event| &self.events[event])
    }

    /// Plans the events of a batch in the order in which an admission does, with deeds in place of a catalog.
    pub fn plan_batch(&self, admission: &Admission) -> Vec<Result<Planned, Rejection>> {
        let policy = self.policy();
        plan_in_order(admission, |waiting, holdings| {
            let deed = self.spec_of(waiting).and_then(|spec| spec.deed.as_ref());
            let deed = deed.ok_or_else(|| Rejection::new(ErrorCode::UnknownEventType, "No such event."))?;
            let mut plan = deed.plan(&admission.customer.customer, holdings, &policy)?;
            if let Some(broken) = self.broken {
                broken.planned(&mut plan);
            }
            Ok(Planned { order: waiting.key.order.clone(), plan, forward: None })
        })
    }

    /// The index of a customer.
    pub fn customer_index(&self, customer: &CustomerRef) -> Option<usize> {
        self.customers.iter().position(|known| known == customer)
    }

    /// The index of a resource.
    pub fn resource_index(&self, resource: &ResourceId) -> Option<usize> {
        self.resources.iter().position(|known| known == resource)
    }

    /// The resources that a target has registered for somebody other than the ledger's holder.
    pub fn outside(&self) -> impl Iterator<Item = usize> + '_ {
        let has = |(resource, target_identity): &&(usize, String)| {
            let of = |(customer, known, _): &(usize, usize, Start)| {
                known == resource
                    && self.customers[*customer].customer.as_str() == crate::target::owner_of(target_identity)
            };
            !self.start.iter().any(of)
        };
        self.registered_as.iter().filter(has).map(|(resource, _)| *resource)
    }

    /// The resources that only the target knows to be taken at the start.
    pub fn unledgered(&self) -> BTreeSet<usize> {
        let only = self.start.iter().filter(|(_, _, start)| *start == Start::TargetOnly);
        only.map(|(_, resource, _)| *resource).chain(self.outside()).collect()
    }
}

/// The tenant of all worlds.
///
/// # Panics
/// Never, since its name is a valid id.
pub fn tenant() -> interlock_domain::ids::TenantId {
    "t".parse().expect("a short name")
}

fn index_of<T: PartialEq>(known: &mut Vec<T>, wanted: T) -> usize {
    if let Some(index) = known.iter().position(|item| *item == wanted) {
        return index;
    }
    known.push(wanted);
    known.len() - 1
}
