//! A world: the real machines of some customers and resources, the targets, and everything in flight between them.
//!
//! A world does nothing by itself: [`World::enabled`] lists what may happen next, [`World::perform`] makes one of these happen. The
//! explorer tries all orders, the simulator random ones. Signals are handled in the order of the receiver's history, so delivering a
//! signal and handling it are one action. Messages that a fault delays are among the strays. Claims by update, local activities, calls
//! and requests are separate actions.

mod action;
mod attempts;
mod calls;
mod customers;
mod deaths;
mod enabled;
mod lanes;
mod look_around;
mod narrate;
mod perform;
mod persons;
mod resets;
mod resources;
mod rest;
mod tasks;
mod telling;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use interlock_domain::customer::{Admission, Customer, ShownState};
use interlock_domain::ids::{CustomerRef, OrderId, ResourceId};
use interlock_domain::message::{ClaimAnswer, Delivery, ProvisionRequest, Ticket, ToCustomer, ToResource};
use interlock_domain::order::{Plan, Rejection};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::resource::Resource;

pub use action::{Action, Call, PersonsChoice, Reset};
pub use deaths::Ghost;
pub use perform::Stray;
pub use resets::{OfCustomer, OfResource, Past};
pub use tasks::OpenTask;
pub use telling::{Delivering, Told};
pub use truth::Truth;

use crate::broken::Broken;
use crate::deed::{Write, assign_on};
use crate::faults::Faults;
use crate::fingerprint::{Fingerprint, Tracked, hash_of_json};
use crate::scenario::{BEGINNING_MS, EventSpec, Scenario, Start};
use crate::sighting::Sightings;
use crate::target::{RequestId, Targets};
use crate::violation::Violation;

/// A world at one moment.
#[derive(Debug, Clone)]
pub struct World {
    /// Its scenario.
    pub scenario: Arc<Scenario>,
    /// The time, in milliseconds since 1970. It moves only if an entity waits for it, or dies.
    pub now: i64,
    /// The customers, as in the scenario.
    pub customers: Vec<CustomerSlot>,
    /// The resources, as in the scenario.
    pub resources: Vec<ResourceSlot>,
    /// The targets.
    pub targets: Targets,
    /// How often each event is still to be submitted: 0 or 1.
    pub to_submit: Vec<bool>,
    /// Delayed messages.
    pub strays: Vec<Stray>,
    /// Calls of dead entities.
    pub ghosts: Vec<Ghost>,
    /// Customers that will be asked what they have and want of a resource whose entity was lost: resource, customer.
    pub to_look_around: BTreeSet<(usize, usize)>,
    /// Customers that contradict a resource, as the sweep saw: resource, customer.
    pub to_settle: BTreeSet<(usize, usize)>,
    /// Faults that may still happen.
    pub left: Faults,
    /// What really happened, for the checks.
    pub truth: Truth,
}

/// A customer's entity and its activities.
#[derive(Debug, Clone, Default, Hash)]
pub struct CustomerSlot {
    /// The machine. `None` before its first event, and after its termination.
    pub entity: Option<Tracked<Customer>>,
    /// Its local activity in progress.
    pub local: Option<Tracked<LocalRun>>,
    /// The workflow task in progress, if effects of it are sent before it is recorded.
    pub task: Option<Box<OpenTask<Customer>>>,
    /// Its calls in flight.
    pub calls: BTreeMap<(OrderId, usize), CallRun>,
    /// Its delivery in flight, to the receiver of a subscribed scenario.
    pub delivering: Option<Delivering>,
    /// Its state in lists of entities, if it was ever set.
    pub shown: Option<ShownState>,
    /// How often it died or was reset.
    pub life: u8,
    /// The moment that it may be reset to.
    pub past: Option<Box<Past<Customer, OfCustomer>>>,
    /// Whether its run must end as soon as nothing is in flight.
    pub is_ending: bool,
}

/// A local activity of a customer.
#[derive(Debug, Clone)]
pub enum LocalRun {
    /// Events are planned and their tickets claimed.
    Admit {
        /// The request.
        admission: Arc<Admission>,
        /// The progress of each event.
        work: Vec<EventWork>,
    },
    /// Messages are sent.
    Send {
        /// All messages.
        messages: Arc<Vec<(ResourceId, ToResource)>>,
        /// How many of them were sent.
        sent: usize,
    },
}

/// The progress of the admission of one event.
#[derive(Debug, Clone)]
pub struct EventWork {
    /// The plan.
    pub plan: Result<Plan, Rejection>,
    /// The event that must still be forwarded.
    pub to_pass_on: Option<usize>,
    /// Its tickets, and the answers.
    pub tickets: Vec<(ResourceId, Ticket, Option<ClaimAnswer>)>,
}

impl Fingerprint for LocalRun {
    fn fingerprint(&self) -> u64 {
        match self {
            Self::Admit { admission, work } => {
                let keys: Vec<_> = admission.events.iter().map(|event| &event.key).collect();
                let work: Vec<_> =
                    work.iter().map(|event| (event.plan.as_ref().ok(), event.to_pass_on, &event.tickets)).collect();
                hash_of_json(&(keys, &admission.held, &admission.holdings, work))
            }
            Self::Send { messages, sent } => hash_of_json(&(&**messages, sent)),
        }
    }
}

/// A call of a step: one activity with its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallRun {
    /// The request.
    pub request: Arc<ProvisionRequest>,
    /// The attempts that sent something.
    pub attempt: u8,
    /// Its state.
    pub phase: Phase,
}

/// The state of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// An earlier request may have been sent. It must be settled before anything is sent.
    Settling,
    /// It is about to send.
    ToSend,
    /// It waits for the answer.
    Waiting(RequestId),
    /// It has its outcome.
    Answered(Outcome),
}

/// A resource's entity and its activities.
#[derive(Debug, Clone, Hash)]
pub struct ResourceSlot {
    /// The machine.
    pub entity: Tracked<Resource>,
    /// The messages of its local activity in progress, and the results of those delivered.
    pub notifying: Option<Notifying>,
    /// Its look-up in progress; set once the target was read.
    pub looking_up: Option<Option<HolderAnswer>>,
    /// The workflow task in progress, if effects of it are sent before it is recorded.
    pub task: Option<Box<OpenTask<Resource>>>,
    /// The moment that it may be reset to.
    pub past: Option<Box<Past<Resource, OfResource>>>,
    /// Whether its run must end as soon as nothing is in flight.
    pub is_ending: bool,
}

/// A resource's local activity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notifying {
    /// All messages.
    pub messages: Arc<Vec<(CustomerRef, ToCustomer)>>,
    /// The results of those that were delivered.
    pub deliveries: Vec<Delivery>,
}

impl World {
    /// The start of a scenario.
    ///
    /// # Panics
    /// If a customer cannot get what it has at the start. That is a mistake in the scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let mut scenario = scenario.clone();
        let written = scenario.events.len();
        let to_have: Vec<_> = scenario.start.iter().filter(|start| start.2 == Start::Assigned).copied().collect();
        for (age, (customer, resource, _)) in (1_i64..).zip(to_have) {
            let on = targets_of(&scenario, resource);
            let on: Vec<&str> = on.iter().map(String::as_str).collect();
            let deed = assign_on(&on, &scenario.resources[resource].to_string());
            let (passes_on, is_passed_on) = (None, false);
            scenario.events.push(EventSpec { customer, key: -age, deed: Some(deed), passes_on, is_passed_on });
        }
        let (faults, broken) = (std::mem::take(&mut scenario.faults), scenario.broken.take());
        let mut world = Self::empty(scenario);
        world.start_ledger();
        world.run_prelude(written);
        world.start_otherwise();
        let scenario = Arc::make_mut(&mut world.scenario);
        (scenario.faults, scenario.broken) = (faults, broken);
        world.targets.confirms_blindly = broken == Some(Broken::ConfirmsUnderOneIdentity);
        world.left = faults;
        for (event, spec) in world.scenario.events[..written].iter().enumerate() {
            world.to_submit[event] = !spec.is_passed_on;
        }
        world
    }

    fn empty(scenario: Scenario) -> Self {
        let customer = CustomerSlot::default();
        let resources = scenario.resources.iter().map(|id| ResourceSlot::new(id.clone())).collect();
        let targets =
            Targets { overwrites: scenario.overwrites, is_discreet: scenario.is_discreet, ..Targets::default() };
        Self {
            now: BEGINNING_MS,
            customers: vec![customer; scenario.customers.len()],
            resources,
            targets,
            to_submit: vec![false; scenario.events.len()],
            strays: Vec::new(),
            ghosts: Vec::new(),
            to_look_around: BTreeSet::new(),
            to_settle: BTreeSet::new(),
            left: Faults::default(),
            truth: Truth { unledgered: scenario.unledgered(), ..Truth::default() },
            scenario: Arc::new(scenario),
        }
    }

    /// What seeded ledgers and targets know before any event.
    fn start_ledger(&mut self) {
        let scenario = Arc::clone(&self.scenario);
        for (customer, resource, start) in &scenario.start {
            if *start == Start::Assigned {
                continue;
            }
            let target_identity = scenario.customers[*customer].customer.to_string();
            for on in targets_of(&scenario, *resource) {
                let place = (crate::names::target(&on), scenario.resources[*resource].clone());
                self.targets.registered.insert(place, target_identity.clone());
            }
            if *start == Start::Seeded {
                self.seed(*resource, scenario.customers[*customer].clone(), target_identity);
            } else if *start == Start::Imported {
                self.import(*resource, scenario.customers[*customer].clone());
                self.to_look_around.insert((*resource, *customer));
            }
        }
    }

    /// Runs the orders by which customers got what they have at the start.
    fn run_prelude(&mut self, written: usize) {
        for event in written..self.to_submit.len() {
            self.to_submit[event] = true;
            let mut seen = Sightings::default();
            while let Some(action) = self.enabled().into_iter().find(|action| !action.is_optional()) {
                self.perform(&action, &mut seen).expect("a customer must get a resource that no other one wants");
            }
        }
    }

    /// The registrations at targets that differ from the ledger.
    fn start_otherwise(&mut self) {
        let scenario = Arc::clone(&self.scenario);
        self.truth.unledgered.extend(scenario.outside());
        for (resource, target_identity) in &scenario.registered_as {
            let id = &scenario.resources[*resource];
            for (_, holder) in self.targets.registered.iter_mut().filter(|((_, known), _)| known == id) {
                holder.clone_from(target_identity);
            }
        }
    }

    /// The world's fingerprint.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.now.hash(&mut hasher);
        self.customers.hash(&mut hasher);
        self.resources.hash(&mut hasher);
        self.targets.hash(&mut hasher);
        self.to_submit.hash(&mut hasher);
        self.strays.hash(&mut hasher);
        self.ghosts.hash(&mut hasher);
        self.to_look_around.hash(&mut hasher);
        self.to_settle.hash(&mut hasher);
        self.left.hash(&mut hasher);
        self.truth.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether nothing more happens, unless something goes wrong or a person acts.
    pub fn is_at_rest(&self) -> bool {
        self.enabled().iter().all(Action::is_optional)
    }

    /// Performs one action.
    ///
    /// # Errors
    /// The first check that is red after it.
    pub fn perform(&mut self, action: &Action, seen: &mut Sightings) -> Result<(), Violation> {
        self.act(action, seen)?;
        self.record_what_is_over();
        self.check_holders()
    }
}

/// The targets at which a resource is registered, in this scenario.
fn targets_of(scenario: &Scenario, resource: usize) -> BTreeSet<String> {
    let wanted = &scenario.resources[resource];
    let deeds = scenario.events.iter().filter_map(|event| event.deed.as_ref());
    let registering = deeds.flat_map(|deed| &deed.steps).filter(|step| {
        step.writes.iter().any(|(write, named)| named == wanted && !matches!(write, Write::Touch | Write::Rename))
    });
    let mut targets: BTreeSet<String> = registering.map(|step| step.target.clone()).collect();
    targets.insert("hss".to_owned());
    targets
}
