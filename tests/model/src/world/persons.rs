//! The actions of persons.

use interlock_domain::customer::{self, ActionKind};
use interlock_domain::ids::OrderId;
use interlock_domain::limits::CLOCKS_APART_MS_MAX;
use interlock_domain::order::ReleaseWhen;
use interlock_domain::resource::{ForceRelease, Input};

use super::perform::Checked;
use super::{Action, PersonsChoice, World};
use crate::scenario::tenant;
use crate::sighting::{Sighting, Sightings};
use crate::target::owner_of;

/// How much later a person acts, in milliseconds: enough to tell what was before from what is after, whatever the clocks.
const LATER_MS: i64 = CLOCKS_APART_MS_MAX.cast_signed() + 1;

impl World {
    /// What persons may do now: anything with held orders, and cancel others.
    pub(super) fn persons(&self, actions: &mut Vec<Action>) {
        for customer in 0..self.customers.len() {
            let Some(machine) = self.machine(customer) else { continue };
            for (id, order) in machine.orders() {
                let held = order.late_hold || order.steps.iter().any(|step| step.state.is_held());
                if held && self.left.person > 0 {
                    for choice in
                        [PersonsChoice::Retry, PersonsChoice::Amend, PersonsChoice::Skip, PersonsChoice::Cancel]
                    {
                        actions.push(Action::Person(customer, id.clone(), choice));
                    }
                } else if self.left.cancelled > 0 && order.ending.is_none() {
                    actions.push(Action::Person(customer, id.clone(), PersonsChoice::Cancel));
                    if order.claims.iter().any(|c| c.claim.release_when == ReleaseWhen::Granted) && !order.release_first
                    {
                        actions.push(Action::Person(customer, id.clone(), PersonsChoice::ReleaseFirst));
                    }
                }
            }
        }
    }

    pub(super) fn person_decides(
        &mut self,
        customer: usize,
        order: &OrderId,
        choice: PersonsChoice,
        seen: &mut Sightings,
    ) -> Checked {
        let action = self.decision(customer, order, choice);
        let budget = if self.is_held(customer, order) && self.left.person > 0 {
            &mut self.left.person
        } else {
            &mut self.left.cancelled
        };
        *budget -= 1;
        seen.see(Sighting::PersonActed);
        if matches!(choice, PersonsChoice::Skip | PersonsChoice::Cancel) {
            self.leave_registered(customer, order);
        }
        self.person_acts(customer, action, seen)
    }

    fn is_held(&self, customer: usize, order: &OrderId) -> bool {
        let order = self.machine(customer).and_then(|machine| machine.orders().get(order));
        order.is_some_and(|order| order.late_hold || order.steps.iter().any(|step| step.state.is_held()))
    }

    /// The action of a person who makes this choice now.
    pub fn decision(&self, customer: usize, order: &OrderId, choice: PersonsChoice) -> customer::Action {
        let held = self.is_held(customer, order);
        let number = if held && self.left.person > 0 { self.left.person } else { self.left.cancelled };
        let kind = match choice {
            PersonsChoice::Retry => ActionKind::Retry,
            PersonsChoice::Amend => self.amendment(customer, order),
            PersonsChoice::Skip => ActionKind::Skip,
            PersonsChoice::Cancel => ActionKind::Cancel,
            PersonsChoice::ReleaseFirst => ActionKind::ReleaseFirst,
        };
        customer::Action {
            action_id: format!("{held} {number}"),
            order_id: order.clone(),
            kind,
            actor: "operator".to_owned(),
            reason: "the model says so".to_owned(),
            paused_call: false,
            content: None,
        }
    }

    /// The same data again, as a new request: the model does not depend on the content, but on the fact that it is another request. For a
    /// release that waits for its identity, they give the identity that the target has, if it is the customer's.
    fn amendment(&self, customer: usize, order: &OrderId) -> ActionKind {
        let own = self.scenario.customers[customer].customer.as_str();
        let registered = self.registered_to(customer, order).filter(|target_identity| owner_of(target_identity) == own);
        let target_identity = registered.unwrap_or_else(|| own.to_owned());
        let held = self.machine(customer).and_then(|machine| machine.orders().get(order)).into_iter();
        let held = held.flat_map(|order| &order.steps).filter(|step| step.state.is_held());
        let arguments = || [("party".to_owned(), target_identity.clone().into())].into_iter().collect();
        ActionKind::Amend { steps: held.map(|step| (step.planned.name.clone(), arguments())).collect() }
    }

    /// The party that a target has for the resource of an order's first held step.
    fn registered_to(&self, customer: usize, order: &OrderId) -> Option<String> {
        let steps = &self.machine(customer)?.orders().get(order)?.steps;
        let held = steps.iter().find(|step| step.state.is_held())?;
        self.targets.target_identities(held.planned.resources.first()?).next().cloned()
    }

    /// A person who skips a release, or the step that undoes an assign, confirms that it is done.
    fn leave_registered(&mut self, customer: usize, order: &OrderId) {
        let held = self.machine(customer).and_then(|machine| machine.orders().get(order)).into_iter();
        let named: Vec<_> = held
            .flat_map(|order| &order.steps)
            .filter(|step| step.state.is_held())
            .flat_map(|step| step.planned.resources.clone())
            .collect();
        for resource in named {
            if let Some(index) = self.scenario.resource_index(&resource) {
                self.truth.left_registered.insert(index);
            }
        }
    }

    /// A person forces a resource free. Since it becomes free in the end, later calls of its holder are excused.
    pub(super) fn force(&mut self, resource: usize, insists: bool, seen: &mut Sightings) -> Checked {
        let release = self.forced_release(insists);
        self.left.forced -= 1;
        let later = self.now + LATER_MS;
        if !insists && (self.may_pass_to(later) || !self.wakes_until(later)) {
            // What happened before the person acted was some time ago. What happens from now on was not.
            self.advance_to(later, seen)?;
        }
        seen.see(Sighting::PersonActed);
        self.tell_resource(resource, Input::Forced(release), seen)
    }

    /// The forced release of a person who insists or not.
    pub fn forced_release(&self, insists: bool) -> ForceRelease {
        ForceRelease {
            action_id: self.left.forced.to_string(),
            actor: "operator".to_owned(),
            reason: "the model says so".to_owned(),
            even_if_registered: insists,
            own_only: false,
            tenant: tenant(),
            policy: self.scenario.policy(),
        }
    }
}
