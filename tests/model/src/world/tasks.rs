//! Workflow tasks whose effects are sent before they are recorded, and that must be retried (`coordinator/docs/inside/effects.md`).
//!
//! A local activity runs before its workflow task is recorded. While one runs, the world remembers the state at the start of the task
//! and everything that its entity has received since. If the task is lost, the state is restored, the messages arrive again first, in
//! their order, then everything else, and the clock is later. Calls and look-ups that the attempt started are commands: the server has
//! not received them, and they do not happen. Messages that its local activity sent remain sent.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use interlock_domain::customer::{self, Customer, ShownState};
use interlock_domain::ids::{OrderId, Timestamp};
use interlock_domain::order::OrderState;
use interlock_domain::recording::Cause;
use interlock_domain::resource::{self, Resource};

use super::perform::Checked;
use super::{Delivering, LocalRun, World};
use crate::broken::Broken;
use crate::fingerprint::Tracked;
use crate::sighting::{Sighting, Sightings};

/// How much later a task is retried, in milliseconds.
const LATER_MS: i64 = 10;

/// An input of an entity.
#[derive(Debug, Clone)]
pub enum Taken {
    /// An input of a customer.
    Customer(Box<customer::Input>),
    /// A person's action on an order.
    Action(Box<customer::Action>),
    /// An input of a resource.
    Resource(Box<resource::Input>),
}

impl Taken {
    fn cause(&self) -> Cause {
        match self {
            Self::Customer(input) => input.cause(),
            Self::Action(_) => Cause::Other,
            // A signal stays a signal, even if the time when it was sent is known.
            Self::Resource(input) if matches!(**input, resource::Input::Told(_)) => Cause::Message,
            Self::Resource(input) => input.cause(),
        }
    }

    /// Whether it is the result of the attempt's local activity, which the next attempt runs again.
    fn is_local_result(&self) -> bool {
        match self {
            Self::Customer(input) => matches!(**input, customer::Input::Sent | customer::Input::Admitted(_)),
            Self::Resource(input) => matches!(**input, resource::Input::Notified(_)),
            Self::Action(_) => false,
        }
    }
}

/// A task that is not recorded yet, although effects of it are sent.
#[derive(Debug, Clone)]
pub struct OpenTask<M> {
    /// The state at its start.
    before: Tracked<M>,
    /// The inputs since then, without local results.
    taken: Arc<Vec<Taken>>,
    /// The calls that it started.
    pub(super) calls: BTreeSet<(OrderId, usize)>,
    /// Whether it started a look-up.
    pub(super) looks_up: bool,
    /// Whether it started a delivery.
    pub(super) delivers: bool,
    /// The knowledge of the checks about the entity's orders before.
    ended: BTreeMap<(OrderId, u8), OrderState>,
    begun: BTreeMap<(OrderId, u8), bool>,
    /// The entity's state in lists before.
    shown: Option<ShownState>,
    /// How many messages the attempt's completed local activities have sent.
    sent: usize,
}

impl<M> Hash for OpenTask<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.before.hash(state);
        let mut taken = DefaultHasher::new();
        format!("{:?}", self.taken).hash(&mut taken);
        (taken.finish(), &self.calls, self.looks_up, self.delivers, self.sent).hash(state);
    }
}

/// What is remembered of an entity right before an input.
pub(super) struct Before<M> {
    entity: Option<Tracked<M>>,
    calls: BTreeSet<(OrderId, usize)>,
    is_local_under_way: bool,
    looks_up: bool,
    delivering: Option<Delivering>,
    ended: BTreeMap<(OrderId, u8), OrderState>,
    begun: BTreeMap<(OrderId, u8), bool>,
    shown: Option<ShownState>,
}

impl World {
    /// Whether effects with this cause are sent before they are recorded.
    fn leaves_at_once(&self, taken: &Taken) -> bool {
        match self.scenario.broken {
            Some(Broken::LeavesBeforeItsCause) => true,
            // Messages were identified by their position, and used workflow time.
            Some(Broken::NamesPositions) => taken.cause() == Cause::Message,
            _ => match taken {
                Taken::Resource(input) => input.cause() == Cause::Message,
                _ => taken.cause() == Cause::Message,
            },
        }
    }

    pub(super) fn before_customer(&self, customer: usize) -> Option<Before<Customer>> {
        let slot = &self.customers[customer];
        (self.left.tasks_lost > 0).then(|| Before {
            entity: slot.entity.clone(),
            calls: slot.calls.keys().cloned().collect(),
            is_local_under_way: slot.local.is_some(),
            looks_up: false,
            delivering: slot.delivering.clone(),
            ended: self.truth.ended.clone(),
            begun: self.truth.begun.clone(),
            shown: slot.shown,
        })
    }

    pub(super) fn before_resource(&self, resource: usize) -> Option<Before<Resource>> {
        let slot = &self.resources[resource];
        (self.left.tasks_lost > 0).then(|| Before {
            entity: Some(slot.entity.clone()),
            calls: BTreeSet::new(),
            is_local_under_way: slot.notifying.is_some(),
            looks_up: slot.looking_up.is_some(),
            delivering: None,
            ended: BTreeMap::new(),
            begun: BTreeMap::new(),
            shown: None,
        })
    }

    /// A customer received an input. It belongs to the task in progress, or begins one whose effects are sent early.
    pub(super) fn customer_took(&mut self, customer: usize, before: Option<Before<Customer>>, taken: Taken) {
        let Some(before) = before else { return };
        let leaves = self.leaves_at_once(&taken);
        let slot = &mut self.customers[customer];
        let begun: BTreeSet<_> = slot.calls.keys().filter(|call| !before.calls.contains(*call)).cloned().collect();
        let is_local_begun = !before.is_local_under_way && slot.local.is_some();
        // A delivery that was in flight before is only changed by its end.
        let delivers = slot.delivering.is_some() && slot.delivering != before.delivering;
        if let Some(task) = &mut slot.task {
            task.took(taken);
            task.calls.extend(begun);
            task.delivers |= delivers;
        } else if is_local_begun && leaves {
            slot.task = OpenTask::new(before, taken, begun, false).map(Box::new);
            slot.task.iter_mut().for_each(|task| task.delivers = delivers);
        }
    }

    /// The same for a resource.
    pub(super) fn resource_took(&mut self, resource: usize, before: Option<Before<Resource>>, taken: Taken) {
        let Some(before) = before else { return };
        let leaves = self.leaves_at_once(&taken);
        let slot = &mut self.resources[resource];
        let looks_up = !before.looks_up && slot.looking_up.is_some();
        let is_local_begun = !before.is_local_under_way && slot.notifying.is_some();
        if let Some(task) = &mut slot.task {
            task.took(taken);
            task.looks_up |= looks_up;
        } else if is_local_begun && leaves {
            slot.task = OpenTask::new(before, taken, BTreeSet::new(), looks_up).map(Box::new);
        }
    }

    /// A customer's local activity has ended. Its task is recorded, unless another local activity continues in it.
    pub(super) fn customer_local_ends(&mut self, customer: usize, sent: usize) {
        let chains = self.scenario.broken == Some(Broken::LeavesBeforeItsCause);
        let task = &mut self.customers[customer].task;
        match task {
            Some(task) if chains => task.sent += sent,
            _ => *task = None,
        }
    }

    /// The same for a resource.
    pub(super) fn resource_local_ends(&mut self, resource: usize, sent: usize) {
        let chains = self.scenario.broken == Some(Broken::LeavesBeforeItsCause);
        let task = &mut self.resources[resource].task;
        match task {
            Some(task) if chains => task.sent += sent,
            _ => *task = None,
        }
    }

    /// No more effects are sent: the task is recorded.
    pub(super) fn record_what_is_over(&mut self) {
        self.customers.iter_mut().filter(|slot| slot.local.is_none()).for_each(|slot| slot.task = None);
        self.resources.iter_mut().filter(|slot| slot.notifying.is_none()).for_each(|slot| slot.task = None);
    }

    /// Whether something was sent in a task of a customer that is not recorded.
    pub(super) fn may_lose_customer_task(&self, customer: usize) -> bool {
        let slot = &self.customers[customer];
        let begun = slot.local.as_ref().is_some_and(|local| match local.get() {
            LocalRun::Send { sent, .. } => *sent > 0,
            LocalRun::Admit { work, .. } => {
                work.iter().flat_map(|event| &event.tickets).any(|(_, _, answer)| answer.is_some())
            }
        });
        self.left.tasks_lost > 0
            && self.may_pass_to(self.now + LATER_MS)
            && slot.task.as_ref().is_some_and(|task| begun || task.sent > 0)
    }

    /// The same for a resource.
    pub(super) fn may_lose_resource_task(&self, resource: usize) -> bool {
        let slot = &self.resources[resource];
        let begun = slot.notifying.as_ref().is_some_and(|notifying| !notifying.deliveries.is_empty());
        self.left.tasks_lost > 0
            && self.may_pass_to(self.now + LATER_MS)
            && slot.task.as_ref().is_some_and(|task| begun || task.sent > 0)
    }

    /// The task of a customer is retried.
    pub(super) fn lose_customer_task(&mut self, customer: usize, seen: &mut Sightings) -> Checked {
        // An entity that wakes meanwhile may wake in the lost attempt.
        self.advance_to(self.now + LATER_MS, seen)?;
        self.left.tasks_lost -= 1;
        seen.see(Sighting::TaskLost);
        let slot = &mut self.customers[customer];
        let Some(task) = slot.task.take() else { return Ok(()) };
        let sent = match slot.local.as_ref().map(Tracked::get) {
            Some(LocalRun::Send { sent, .. }) => *sent,
            _ => 0,
        };
        slot.local = None;
        slot.entity = Some(task.before.clone());
        slot.shown = task.shown;
        slot.calls.retain(|call, _| !task.calls.contains(call));
        if task.delivers {
            slot.delivering = None;
        }
        self.forget_attempt(customer, &task);
        for taken in task.again() {
            match taken {
                Taken::Customer(input) => {
                    self.end_call_again(customer, &input);
                    self.tell_customer(customer, *input, seen)?;
                }
                Taken::Action(action) => self.person_acts(customer, *action, seen)?,
                Taken::Resource(_) => {}
            }
        }
        if self.scenario.broken == Some(Broken::NamesPositions)
            && let Some(local) = &mut self.customers[customer].local
        {
            local.change(|local| {
                if let LocalRun::Send { sent: position, messages } = local {
                    *position = sent.min(messages.len());
                }
            });
        }
        self.end_customer_run(customer, seen)
    }

    /// A call that was ended by hand or by the end of a run is started again in this attempt, too.
    fn end_call_again(&mut self, customer: usize, input: &customer::Input) {
        if let customer::Input::StepEndedByHand { order, step, .. } | customer::Input::StepInterrupted { order, step } =
            input
        {
            let key = (order.clone(), *step);
            self.customers[customer].calls.remove(&key);
            self.truth.interrupted.insert(key);
        }
    }

    /// What the checks saw of the attempt's orders did not happen.
    fn forget_attempt(&mut self, customer: usize, task: &OpenTask<Customer>) {
        let own = &self.scenario.customers[customer].customer;
        let stays = |order: &OrderId, was_before: bool| was_before || order.customer() != *own;
        self.truth.ended.retain(|key, _| stays(&key.0, task.ended.contains_key(key)));
        self.truth.begun.retain(|key, _| stays(&key.0, task.begun.contains_key(key)));
    }

    /// The task of a resource is retried.
    pub(super) fn lose_resource_task(&mut self, resource: usize, seen: &mut Sightings) -> Checked {
        // An entity that wakes meanwhile may wake in the lost attempt.
        self.advance_to(self.now + LATER_MS, seen)?;
        self.left.tasks_lost -= 1;
        seen.see(Sighting::TaskLost);
        let slot = &mut self.resources[resource];
        let Some(task) = slot.task.take() else { return Ok(()) };
        let deliveries = slot.notifying.take().map(|notifying| notifying.deliveries).unwrap_or_default();
        slot.entity = task.before.clone();
        if task.looks_up {
            slot.looking_up = None;
        }
        for taken in task.again() {
            if let Taken::Resource(input) = taken {
                self.tell_resource(resource, *input, seen)?;
            }
        }
        if self.scenario.broken == Some(Broken::NamesPositions)
            && let Some(notifying) = &mut self.resources[resource].notifying
        {
            // The server has already seen these request ids, and drops the messages.
            notifying.deliveries = deliveries;
            notifying.deliveries.truncate(notifying.messages.len());
        }
        self.end_resource_run(resource, seen)
    }

    /// A person's action reaches a customer.
    pub(super) fn person_acts(&mut self, customer: usize, action: customer::Action, seen: &mut Sightings) -> Checked {
        let now = Timestamp(self.now);
        let before = self.before_customer(customer);
        self.change_customer(customer, seen, |machine| machine.act(now, &action).1)?;
        self.customer_took(customer, before, Taken::Action(Box::new(action)));
        Ok(())
    }
}

impl<M> OpenTask<M> {
    fn new(before: Before<M>, taken: Taken, calls: BTreeSet<(OrderId, usize)>, looks_up: bool) -> Option<Self> {
        let Before { entity, ended, begun, shown, .. } = before;
        let taken_before = Arc::new(Vec::new());
        let mut task = Self {
            before: entity?,
            taken: taken_before,
            calls,
            looks_up,
            delivers: false,
            ended,
            begun,
            shown,
            sent: 0,
        };
        task.took(taken);
        Some(task)
    }

    fn took(&mut self, taken: Taken) {
        if !taken.is_local_result() {
            Arc::make_mut(&mut self.taken).push(taken);
        }
    }

    /// The inputs of the next attempt, in the SDK's order: messages first, in their order, then the rest.
    fn again(&self) -> Vec<Taken> {
        let (messages, rest): (Vec<_>, Vec<_>) =
            self.taken.iter().cloned().partition(|taken| taken.cause() == Cause::Message);
        messages.into_iter().chain(rest).collect()
    }
}
