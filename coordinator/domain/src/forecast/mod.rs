//! What a person's action would do: the machines of the entities that it concerns run forward on copies of their present states.
//!
//! A [`Forecast`] does no I/O. It begins with one entity, runs until it needs another one ([`Forecast::run`] says which), and goes on when
//! that was given to it. What is in flight is taken up as at the start of a new run ([`customer::Input::Resumed`]), and then:
//!
//! - every call is answered "done", if its target is called at all;
//! - a look-up answers what the ledger has, and for a forced release that nobody is registered;
//! - messages arrive, in their order, and nothing new comes from outside;
//! - time passes only as far as a resource waits for it, at most [`AHEAD_MS_MAX`].
//!
//! Nothing of it is sent, and nothing changes: it works on copies.

mod noting;
mod running;
mod target;

pub use target::forecast_target;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::action_words::Refusal;
use crate::catalog::Planned;
use crate::customer::{self, Action, ActionDone, Admission, Customer};
use crate::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId, Timestamp};
use crate::order::Rejection;
use crate::recording::Edition;
use crate::resource::{self, ForceAnswer, ForceRelease, Resource};
use crate::views::ForecastEvent;

/// How far a forecast looks ahead, in milliseconds: longer than a resource waits after a contest.
pub const AHEAD_MS_MAX: u64 = 10 * 60 * 1_000;

/// The most entities that a forecast follows. What the others would do is not known.
pub const PARTIES_MAX: usize = 48;

/// The most inputs that the machines of a forecast are given. A longer run ends early.
pub const INPUTS_MAX: usize = 6_000;

/// The most events that a forecast names.
pub const EVENTS_MAX: usize = 200;

/// Plans events, as the worker that admits them would.
pub trait Plans: Sync {
    /// One answer for each event, in order, or for as many of the first ones as fit into an answer.
    fn plan(&self, admission: &Admission) -> Vec<Result<Planned, Rejection>>;
}

/// An entity that a forecast needs in order to go on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A customer of the forecast's tenant.
    Customer(CustomerId),
    /// A resource.
    Resource(ResourceId),
    /// A target: whether it is called.
    Target(TargetId),
}

/// A machine, as it is now and as it runs forward.
struct Followed<M> {
    before: M,
    machine: M,
}

/// A customer or resource, as far as the forecast knows it.
enum Known<M> {
    /// It runs forward.
    Followed(Box<Followed<M>>),
    /// Its entity does not run.
    Absent,
    /// It is left out: what it would do is not known.
    LeftOut,
}

impl<M> Known<M> {
    fn machine(&self) -> Option<&M> {
        match self {
            Self::Followed(followed) => Some(&followed.machine),
            Self::Absent | Self::LeftOut => None,
        }
    }

    fn before(&self) -> Option<&M> {
        match self {
            Self::Followed(followed) => Some(&followed.before),
            Self::Absent | Self::LeftOut => None,
        }
    }
}

/// Something that is in flight.
#[allow(clippy::large_enum_variant, reason = "few are in flight at a time, and soon over")]
enum Open {
    /// What a customer wants.
    OfCustomer(CustomerId, customer::Effect),
    /// The events of an admission are planned.
    Planned(CustomerId, Box<Admission>, Vec<Result<Planned, Rejection>>),
    /// What a resource wants.
    OfResource(ResourceId, resource::Effect),
}

/// One forecast, of one action.
pub struct Forecast<'a> {
    tenant: TenantId,
    began: Timestamp,
    now: Timestamp,
    plans: &'a dyn Plans,
    customers: BTreeMap<CustomerId, Known<Customer>>,
    resources: BTreeMap<ResourceId, Known<Resource>>,
    /// Why each target is not called, if it is not.
    targets: BTreeMap<TargetId, Option<String>>,
    open: VecDeque<Open>,
    inputs: usize,
    next: Vec<ForecastEvent>,
    cut_off: bool,
    /// The orders to which something would happen, in the order in which it would.
    touched: Vec<OrderId>,
    /// The resources that are acted on.
    acted_on: Vec<ResourceId>,
    /// Whether a look-up was answered for a forced release, and for the ledger.
    looked_up: (bool, bool),
    unknown: BTreeSet<String>,
}

impl<'a> Forecast<'a> {
    /// A forecast for a tenant that knows no entity yet.
    pub fn new(tenant: TenantId, now: Timestamp, plans: &'a dyn Plans) -> Self {
        Self {
            tenant,
            began: now,
            now,
            plans,
            customers: BTreeMap::new(),
            resources: BTreeMap::new(),
            targets: BTreeMap::new(),
            open: VecDeque::new(),
            inputs: 0,
            next: Vec::new(),
            cut_off: false,
            touched: Vec::new(),
            acted_on: Vec::new(),
            looked_up: (false, false),
            unknown: BTreeSet::new(),
        }
    }

    /// Follows a customer from its present state. What it has in flight is in flight in the forecast, too.
    pub fn follow_customer(&mut self, customer: Customer) {
        let id = customer.me().customer.clone();
        let mut machine = customer.clone();
        machine.begin_run(Edition::default());
        let followed = Followed { before: customer, machine };
        self.customers.insert(id.clone(), Known::Followed(Box::new(followed)));
        self.tell_customer(&id, customer::Input::Resumed);
    }

    /// Follows a resource from its present state.
    pub fn follow_resource(&mut self, resource: Resource) {
        let id = resource.id().clone();
        let mut machine = resource.clone();
        machine.begin_run(Edition::default());
        let followed = Followed { before: resource, machine };
        self.resources.insert(id.clone(), Known::Followed(Box::new(followed)));
        self.tell_resource(&id, resource::Input::Resumed);
    }

    /// No entity of this customer runs.
    pub fn absent_customer(&mut self, customer: CustomerId) {
        self.customers.insert(customer, Known::Absent);
    }

    /// Says whether a target is called; if not, why.
    pub fn know_target(&mut self, target: TargetId, not_called: Option<String>) {
        self.targets.insert(target, not_called);
    }

    /// Leaves an entity out, for this reason: a sentence.
    pub fn leave_out(&mut self, party: Party, why: String) {
        self.unknown.insert(why);
        match party {
            Party::Customer(customer) => {
                self.customers.insert(customer, Known::LeftOut);
            }
            Party::Resource(resource) => {
                self.resources.insert(resource, Known::LeftOut);
            }
            Party::Target(target) => {
                self.targets.insert(target, None);
            }
        }
    }

    /// Takes a person's action on an order of a followed customer. None if that is not followed.
    ///
    /// # Errors
    /// The [`Refusal`] with which the customer would refuse it.
    pub fn act(&mut self, action: &Action) -> Option<Result<ActionDone, Refusal>> {
        let now = self.now;
        self.touch(&action.order_id);
        self.change_customer(&action.order_id.customer(), |machine| {
            let (answer, effects) = machine.act(now, action);
            (effects, answer)
        })
    }

    /// Takes a person's forced release of a followed resource. Its answer is [`Self::force_answer`].
    pub fn force(&mut self, resource: &ResourceId, release: ForceRelease) {
        self.acted_on.push(resource.clone());
        self.tell_resource(resource, resource::Input::Forced(release));
    }

    /// The answer to a forced release; none if it depends on what the forecast does not know.
    pub fn force_answer(&self, resource: &ResourceId, release: &ForceRelease) -> Option<ForceAnswer> {
        self.resource(resource)?.force_answer(release)
    }

    /// Runs forward until nothing more happens by itself. Returns an entity that it needs before it can go on: the caller gives it, or
    /// leaves it out, and calls this again.
    pub fn run(&mut self) -> Option<Party> {
        while self.inputs < INPUTS_MAX {
            let Some(open) = self.open.pop_front() else {
                if self.wake() {
                    continue;
                }
                return None;
            };
            let missing = self.missing(&open);
            match missing {
                Some(party) if self.is_full() => {
                    self.open.push_front(open);
                    let why = format!("Only {PARTIES_MAX} customers and resources are followed; there are more.");
                    self.leave_out(party, why);
                }
                Some(party) => {
                    self.open.push_front(open);
                    return Some(party);
                }
                None => self.answer(open),
            }
        }
        self.unknown.insert(format!("The forecast ends after {INPUTS_MAX} messages and answers; there are more."));
        None
    }

    fn is_full(&self) -> bool {
        self.customers.len().saturating_add(self.resources.len()) >= PARTIES_MAX
    }

    /// A customer, as it stands in the forecast.
    pub fn customer(&self, customer: &CustomerId) -> Option<&Customer> {
        self.customers.get(customer).and_then(Known::machine)
    }

    /// A resource, as it stands in the forecast.
    pub fn resource(&self, resource: &ResourceId) -> Option<&Resource> {
        self.resources.get(resource).and_then(Known::machine)
    }

    /// Whether something is not known, so that more or something else may happen.
    pub fn is_complete(&self) -> bool {
        self.unknown.is_empty()
    }
}
