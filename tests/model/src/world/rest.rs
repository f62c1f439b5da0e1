//! Checks at every moment, and checks of a world at rest: nothing is leaked or lost, and nothing waits without a cause.

use std::collections::BTreeSet;

use interlock_domain::customer::{ClaimState, Customer, Order, TicketState};
use interlock_domain::ids::{OrderId, ResourceId, TicketId};
use interlock_domain::resource::{HolderName, QueuedTicket, Vacancy};

use super::World;
use super::lanes::{has_open_step, may_use, waits_for_lease_or_behind};
use super::perform::Checked;
use crate::target::owner_of;
use crate::violation::{Check, Violation};

/// The cause of an order's wait.
enum Blocker {
    /// A cause that will not end by itself.
    Cause,
    /// Another order, of this customer.
    Order(usize, OrderId),
}

impl World {
    fn machines(&self) -> impl Iterator<Item = (usize, &Customer)> {
        self.customers.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.entity.as_ref()?.get())))
    }

    /// At any moment at most one customer believes that it has a lease.
    pub(super) fn check_holders(&self) -> Checked {
        let remembered = |(index, _): &(usize, &ResourceId)| !self.truth.is_forgotten(*index);
        for (_, resource) in self.scenario.resources.iter().enumerate().filter(remembered) {
            // Nothing begins under a lease that is in doubt.
            let believes = |machine: &Customer| machine.leases().get(resource).is_some_and(|lease| !lease.doubted);
            let mut holders = self.machines().filter(|(_, machine)| believes(machine)).map(|(index, _)| index);
            if let (Some(first), Some(second)) = (holders.next(), holders.next()) {
                let detail = format!("customers {first} and {second} both have the lease of {resource}");
                return Err(Violation::new(Check::OneHolder, detail));
            }
        }
        Ok(())
    }

    /// Checks a world at rest.
    ///
    /// # Errors
    /// The first check that is red.
    pub fn check_rest(&self) -> Checked {
        self.check_nothing_under_way()?;
        self.check_events()?;
        self.check_told()?;
        for resource in 0..self.resources.len() {
            self.check_ledger(resource)?;
        }
        for (customer, machine) in self.machines() {
            self.check_shown(customer, machine)?;
            self.check_leases(customer, machine)?;
            self.check_tickets(machine)?;
        }
        self.check_waits()?;
        self.check_expectations()
    }

    fn check_nothing_under_way(&self) -> Checked {
        let calls = self
            .customers
            .iter()
            .any(|slot| !slot.calls.is_empty() || slot.local.is_some() || slot.delivering.is_some());
        let work = self.resources.iter().any(|slot| slot.notifying.is_some() || slot.looking_up.is_some());
        let ends = self.customers.iter().any(|slot| slot.is_ending) || self.resources.iter().any(|slot| slot.is_ending);
        let pending = self.machines().any(|(_, machine)| {
            !machine.inbox().is_empty()
                || !machine.outbox().is_empty()
                || !machine.unjudged().is_empty()
                || !machine.is_idle()
        });
        if calls || work || ends || pending {
            return Err(Violation::new(Check::LockUp, "something is under way, and nothing can move it"));
        }
        Ok(())
    }

    /// Every accepted event is open or ended, in the present life of its customer.
    fn check_events(&self) -> Checked {
        for (event, life) in &self.truth.submitted {
            let customer = self.scenario.events[*event].customer;
            if self.customers[customer].life != *life {
                continue;
            }
            let order = self.scenario.order_id(*event);
            let open = self.machine(customer).is_some_and(|machine| machine.orders().contains_key(&order));
            if !open && !self.truth.ended.contains_key(&(order, *life)) {
                return Err(Violation::new(Check::EventLost, format!("event {event}")));
            }
        }
        Ok(())
    }

    /// Lists of entities show the true state.
    fn check_shown(&self, customer: usize, machine: &Customer) -> Checked {
        let shown = self.customers[customer].shown;
        if shown.is_some_and(|shown| shown != machine.state_to_show()) {
            let detail = format!("{shown:?} is shown of customer {customer}, which is {:?}", machine.state_to_show());
            return Err(Violation::new(Check::Unexplained, detail));
        }
        Ok(())
    }

    /// The resource's holder knows that it is the holder; its queue holds only tickets that are wanted.
    fn check_ledger(&self, resource: usize) -> Checked {
        let machine = self.resources[resource].entity.get();
        let id = machine.id();
        if let Some(holder) = machine.holder() {
            let living = holder.customer().and_then(|customer| self.scenario.customer_index(customer));
            let living = living.and_then(|customer| self.machine(customer));
            let living = living.filter(|customer| holder.incarnation == Some(customer.incarnation()));
            let known = holder.disowned
                || living.is_none_or(|customer| customer.leases().get(id).is_some_and(|l| l.epoch == holder.epoch));
            if !known {
                let detail = format!("{id} has a holder of epoch {}, who does not know", holder.epoch);
                return Err(Violation::new(Check::LeaseLeaked, detail));
            }
        }
        for queued in machine.queue().values() {
            let ticket = &queued.ticket;
            let claimant = self.scenario.customer_index(&ticket.claimant).and_then(|customer| self.machine(customer));
            let Some(claimant) = claimant.filter(|claimant| claimant.incarnation() == ticket.incarnation) else {
                continue;
            };
            // A ticket belongs to its order. While the order is open, the ticket may outlive its own claim.
            // A ticket whose withdrawal was lost is declined when it is granted.
            if !claimant.orders().contains_key(&ticket.order) && !self.truth.signals_lost.contains(&resource) {
                return Err(Violation::new(Check::TicketLeaked, format!("{} waits for nobody", ticket.id)));
            }
        }
        Ok(())
    }

    /// The resource knows of everything that a customer holds, and the target agrees.
    fn check_leases(&self, customer: usize, machine: &Customer) -> Checked {
        for (resource, lease) in machine.leases() {
            let Some(index) = self.scenario.resource_index(resource) else { continue };
            let ledger = self.resources[index].entity.get();
            let known = ledger.holder().is_some_and(|h| h.is(machine.me()) && h.epoch == lease.epoch);
            if lease.doubted {
                let detail = format!("customer {customer} is never told whether the lease of {resource} is its own");
                return Err(Violation::new(Check::LeaseLeaked, detail));
            }
            if !known && !self.truth.resources_died.contains(&index) {
                let detail = format!("customer {customer} has a lease of {resource} that is not known there");
                return Err(Violation::new(Check::LeaseLeaked, detail));
            }
        }
        let own = machine.me().customer.as_str();
        for ((target, resource), target_identity) in &self.targets.registered {
            let Some(index) = self.scenario.resource_index(resource).filter(|_| owner_of(target_identity) == own)
            else {
                continue;
            };
            let excused = self.truth.is_excused(index)
                || self.truth.unledgered.contains(&index)
                || self.truth.resources_died.contains(&index)
                || self.is_known_otherwise(index, machine);
            if !excused && !machine.leases().contains_key(resource) {
                let detail = format!("{own} is registered for {resource} at {target} without a lease");
                return Err(Violation::new(Check::LeaseLeaked, detail));
            }
        }
        Ok(())
    }

    /// Whether the ledger knows that a customer has a resource, or will ask the target before its next grant, although the customer
    /// itself has not asked yet, or is a later life than the one that got it.
    fn is_known_otherwise(&self, resource: usize, machine: &Customer) -> bool {
        let ledger = self.resources[resource].entity.get();
        let will_look = ledger.vacancy() == Vacancy::ToLookUp || (ledger.life().is_new() && self.scenario.authority);
        if ledger.holder().is_none() && will_look {
            return true;
        }
        ledger.holder().is_some_and(|holder| match &holder.who {
            HolderName::TargetIdentity(target_identity) => owner_of(target_identity) == machine.me().customer.as_str(),
            HolderName::Customer(customer) => {
                *customer == *machine.me() && (holder.disowned || holder.incarnation != Some(machine.incarnation()))
            }
        })
    }

    /// A ticket that a customer believes to be queued is queued.
    fn check_tickets(&self, machine: &Customer) -> Checked {
        for (id, order) in machine.orders() {
            for claim in order.claims.iter().filter(|claim| claim.state == ClaimState::Open) {
                let resource = &claim.claim.resource;
                let Some(index) = self.scenario.resource_index(resource) else { continue };
                if claim.ticket != TicketState::Out || machine.leases().contains_key(resource) {
                    continue;
                }
                let ticket = TicketId::derive(id, resource, machine.incarnation());
                let ledger = self.resources[index].entity.get();
                let queued = ledger.queue().values().any(|queued| queued.ticket.id == ticket);
                if !queued && !self.truth.resources_died.contains(&index) {
                    return Err(Violation::new(Check::TicketLeaked, format!("{ticket} is in no queue")));
                }
            }
        }
        Ok(())
    }

    /// Every open order waits for a person, for a lease that somebody keeps for ever, or for an order that does.
    fn check_waits(&self) -> Checked {
        for (customer, machine) in self.machines() {
            for id in machine.orders().keys() {
                if machine.waiting_for(id).is_none() {
                    return Err(Violation::new(Check::Unexplained, format!("nothing says why {id} waits")));
                }
                let mut passed = BTreeSet::new();
                let caused = self.has_cause(customer, id, &mut passed);
                let in_ring = passed.len() > 1 && self.scenario.ring_is_left;
                if !caused && !in_ring {
                    return Err(Violation::new(Check::LockUp, format!("{id} waits without a cause")));
                }
            }
        }
        Ok(())
    }

    fn has_cause(&self, customer: usize, id: &OrderId, passed: &mut BTreeSet<(usize, OrderId)>) -> bool {
        if !passed.insert((customer, id.clone())) {
            return false;
        }
        self.blockers(customer, id).into_iter().any(|blocker| match blocker {
            Blocker::Cause => true,
            Blocker::Order(customer, order) => self.has_cause(customer, &order, passed),
        })
    }

    fn blockers(&self, customer: usize, id: &OrderId) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        let Some(machine) = self.machine(customer) else { return blockers };
        let Some(order) = machine.orders().get(id) else { return blockers };
        if order.late_hold || order.steps.iter().any(|step| step.state.is_held()) {
            blockers.push(Blocker::Cause);
        }
        for claim in order.claims.iter().filter(|claim| claim.state == ClaimState::Open) {
            let resource = &claim.claim.resource;
            if machine.leases().contains_key(resource) && !may_use(machine, order, resource) {
                let naming =
                    machine.orders().iter().filter(|(other, order)| *other != id && order.claim_on(resource).is_some());
                blockers.extend(naming.map(|(other, _)| Blocker::Order(customer, other.clone())));
            } else if !machine.leases().contains_key(resource) {
                let ticket = TicketId::derive(id, &claim.claim.resource, machine.incarnation());
                self.lease_blockers(customer, &claim.claim.resource, &ticket, &mut blockers);
            }
        }
        for step in order.steps.iter().filter(|step| step.state.is_open()) {
            let release = order.claims.iter().any(|claim| {
                step.planned.resources.contains(&claim.claim.resource)
                    && claim.claim.mode == interlock_domain::order::ClaimMode::Release
            });
            for (other_id, other) in machine.orders().iter().filter(|(other, _)| *other != id) {
                let ahead = other.key < order.key || other.started || other.urgent;
                let passable =
                    release && !other.started && !shares(order, other) && waits_for_lease_or_behind(machine, other);
                if ahead && !passable && !other.unordered && has_open_step(other, &step.planned.target) {
                    blockers.push(Blocker::Order(customer, other_id.clone()));
                }
            }
        }
        blockers
    }

    /// Why a lease that an order waits for is not free.
    fn lease_blockers(&self, waiting: usize, resource: &ResourceId, ticket: &TicketId, blockers: &mut Vec<Blocker>) {
        let Some(index) = self.scenario.resource_index(resource) else { return };
        let ledger = self.resources[index].entity.get();
        let queued = ledger.queue().values().any(|queued| queued.ticket.id == *ticket);
        if self.truth.resources_died.contains(&index) && !queued {
            // The orders that waited there are not told to ask again. A person must do that.
            blockers.push(Blocker::Cause);
            return;
        }
        let Some(holder) = ledger.holder() else {
            if ledger.vacancy() == Vacancy::Unclear {
                blockers.push(Blocker::Cause);
            }
            return;
        };
        let living = holder.customer().and_then(|customer| self.scenario.customer_index(customer));
        let living = living.and_then(|living| Some((living, self.machine(living)?)));
        let knows = |machine: &Customer| Some(machine.incarnation()) == holder.incarnation && !holder.disowned;
        let living = living.filter(|(_, machine)| knows(machine));
        let Some((living, machine)) = living else {
            // A customer that is dead or was never known may keep it for ever. Its next life must not wait for itself.
            let own = holder.customer().is_some_and(|customer| *customer == self.scenario.customers[waiting]);
            let registered = self
                .targets
                .target_identities(resource)
                .any(|target_identity| holder.target_identity.as_ref() == Some(target_identity));
            // If no authority can be asked, only a person can say what a customer did that was reset since.
            let is_own = |queued: &QueuedTicket| holder.is(&queued.ticket.claimant);
            let is_doubtful = !self.scenario.authority
                && !holder.locks_only
                && self.left.customers_reset < self.scenario.faults.customers_reset
                && (holder.incarnation.is_none() || !ledger.queue().values().any(is_own));
            if (registered || is_doubtful) && !own {
                blockers.push(Blocker::Cause);
            }
            return;
        };
        let kept = machine.leases().get(resource).is_some_and(|lease| lease.kept);
        let naming: Vec<_> = machine.orders().iter().filter(|(_, order)| order.claim_on(resource).is_some()).collect();
        if naming.is_empty() && kept {
            blockers.push(Blocker::Cause);
        }
        blockers.extend(naming.into_iter().map(|(id, _)| Blocker::Order(living, id.clone())));
    }

    /// The expected end of the world.
    fn check_expectations(&self) -> Checked {
        if self.scenario.may_deviate() {
            return Ok(());
        }
        if self.scenario.all_end
            && let Some(id) = self.machines().find_map(|(_, machine)| machine.orders().keys().next())
        {
            return Err(Violation::new(Check::LockUp, format!("{id} is open in the end")));
        }
        for (resource, customer) in &self.scenario.expected {
            let id = &self.scenario.resources[*resource];
            let expected = customer.map(|customer| self.scenario.customers[customer].customer.as_str());
            let registered: BTreeSet<&str> =
                self.targets.target_identities(id).map(|target_identity| owner_of(target_identity)).collect();
            if registered != expected.into_iter().collect() {
                let detail = format!("{id} is registered to {registered:?}, not {expected:?}");
                return Err(Violation::new(Check::Expectation, detail));
            }
        }
        Ok(())
    }
}

/// Whether two orders claim the same resource.
fn shares(one: &Order, other: &Order) -> bool {
    one.claims.iter().any(|claim| other.claim_on(&claim.claim.resource).is_some())
}
