//! Checks of P1 and P2 when a call begins or a request is sent. They do not use the machines' rules, but only what has begun, what is
//! registered, and what is in flight.

use interlock_domain::customer::{Customer, Lease, Order};
use interlock_domain::ids::{OrderId, ResourceId, TargetId};
use interlock_domain::message::ProvisionRequest;

use super::perform::Checked;
use super::{Ghost, World};
use crate::deed::Write;
use crate::sighting::{Sighting, Sightings};
use crate::target::{Request, owner_of, writes_of};
use crate::violation::{Check, Violation};

impl World {
    /// Checks a call that a customer's machine starts.
    pub(super) fn check_call(
        &mut self,
        customer: usize,
        order: &OrderId,
        step: usize,
        request: &ProvisionRequest,
        seen: &mut Sightings,
    ) -> Checked {
        if self.customers[customer].calls.contains_key(&(order.clone(), step)) {
            return Err(Violation::new(Check::OneCallPerLane, format!("step {step} of {order} began twice")));
        }
        if !self.truth.interrupted.remove(&(order.clone(), step)) {
            self.check_lane(customer, order, request, seen)?;
        }
        let writes = writes_of(request);
        for (write, resource) in &writes {
            self.check_lease(customer, order, resource, request, seen)?;
            if *write == Write::Release && !request.epochs.contains_key(resource) {
                // It belongs to somebody else, and this is known: removing one's own registration has no effect.
                continue;
            }
            self.check_nobody_else_calls(customer, resource)?;
            self.check_released(customer, resource)?;
        }
        let named = self.machine(customer).and_then(|machine| {
            let identity = machine.orders().get(order)?.steps.get(step)?.identity.clone()?;
            Some(identity.named != identity.sent)
        });
        if named == Some(true) {
            seen.see(Sighting::OtherIdentity);
        }
        if request.operation == "undo" {
            seen.see(Sighting::Compensation);
        }
        Ok(())
    }

    /// Records that a call of an order began. All calls that begin at one moment are checked before this.
    pub(super) fn has_begun(&mut self, customer: usize, order: &OrderId, request: &ProvisionRequest) {
        let life = self.customers[customer].life;
        let writes = writes_of(request);
        let releases = !writes.is_empty() && writes.iter().all(|(write, _)| *write == Write::Release);
        *self.truth.begun.entry((order.clone(), life)).or_default() |= !releases;
    }

    /// The lease is held, and its epoch grows from holder to holder.
    fn check_lease(
        &mut self,
        customer: usize,
        order: &OrderId,
        resource: &ResourceId,
        request: &ProvisionRequest,
        seen: &mut Sightings,
    ) -> Checked {
        use interlock_domain::customer::ClaimState;
        let Some(machine) = self.machine(customer) else { return Ok(()) };
        let held = machine.leases().get(resource).map(|lease| lease.epoch);
        let claim = machine.orders().get(order).and_then(|order| order.claim_on(resource)).map(|claim| claim.state);
        let Some(epoch) = held.filter(|epoch| request.epochs.get(resource) == Some(epoch)) else {
            if claim == Some(ClaimState::NotHolder) {
                return Ok(());
            }
            return Err(Violation::new(Check::LeaseHeld, format!("{order} calls without the lease of {resource}")));
        };
        let Some(index) = self.scenario.resource_index(resource) else { return Ok(()) };
        if let Some((last, last_epoch)) = self.truth.last_call.insert(index, (customer, epoch)) {
            if last != customer {
                seen.see(Sighting::HandOver);
            }
            if epoch < last_epoch || (last != customer && epoch == last_epoch) {
                let detail = format!("{order} calls with epoch {epoch} of {resource} after {last_epoch}");
                return Err(Violation::new(Check::EpochGrows, detail));
            }
        }
        Ok(())
    }

    /// No call or request of another customer, or of an earlier life, is in flight for the resource.
    fn check_nobody_else_calls(&self, customer: usize, resource: &ResourceId) -> Checked {
        let names = |request: &ProvisionRequest| request.epochs.contains_key(resource);
        let index = self.scenario.resource_index(resource);
        if index.is_none_or(|index| self.truth.is_forgotten(index)) {
            return Ok(());
        }
        // Work in flight of a run that must end is read back, and sends nothing.
        let others = self.customers.iter().enumerate().filter(|(other, slot)| *other != customer && !slot.is_ending);
        for (other, slot) in others {
            if let Some(((order, _), _)) = slot.calls.iter().find(|(_, run)| names(&run.request)) {
                let detail = format!("customer {customer} calls for {resource} beside {order} of customer {other}");
                return Err(Violation::new(Check::OneWriter, detail));
            }
        }
        let excused = index.is_some_and(|index| self.truth.forced.contains(&index));
        // The call itself settles an attempt that an operator made the server give up.
        let is_own = |ghost: &Ghost| ghost.customer == customer && ghost.life == self.customers[customer].life;
        if !excused && self.ghosts.iter().any(|ghost| names(&ghost.call.request) && !is_own(ghost)) {
            let detail = format!("customer {customer} calls for {resource} beside a call of a dead entity");
            return Err(Violation::new(Check::OneWriter, detail));
        }
        let life = self.customers[customer].life;
        self.check_nothing_flies(customer, life, resource)
    }

    fn check_nothing_flies(&self, customer: usize, life: u8, resource: &ResourceId) -> Checked {
        let Some(index) = self.scenario.resource_index(resource) else { return Ok(()) };
        if self.truth.is_forgotten(index) {
            return Ok(());
        }
        let excused = self.truth.forced.contains(&index);
        for (id, request) in &self.targets.flying {
            let other = request.customer != customer || id.life != life;
            let dead = id.life != self.customers[request.customer].life;
            let named = request.epochs.contains_key(resource);
            if other && named && !(dead && excused) {
                let detail = format!("customer {customer} writes on {resource} while a request of {} flies", id.order);
                return Err(Violation::new(Check::OneWriter, detail));
            }
        }
        Ok(())
    }

    /// A request is sent. No request of another customer can take effect any more.
    pub(super) fn check_request(&self, life: u8, request: &Request) -> Checked {
        let leased = |(_, resource): &&(Write, ResourceId)| request.epochs.contains_key(resource);
        for (_, resource) in request.writes.iter().filter(leased) {
            self.check_nothing_flies(request.customer, life, resource)?;
        }
        Ok(())
    }

    /// No other customer is registered: the previous holder's release was confirmed on every target.
    fn check_released(&self, customer: usize, resource: &ResourceId) -> Checked {
        let Some(index) = self.scenario.resource_index(resource) else { return Ok(()) };
        if self.truth.unledgered.contains(&index) || self.truth.is_excused(index) {
            return Ok(());
        }
        let own = self.scenario.customers[customer].customer.as_str();
        match self.targets.target_identities(resource).find(|target_identity| owner_of(target_identity) != own) {
            Some(target_identity) => {
                let detail = format!("{own} calls for {resource}, which is registered to {target_identity}");
                Err(Violation::new(Check::ReleaseBeforeWrite, detail))
            }
            None => Ok(()),
        }
    }

    /// P1 with its exceptions.
    fn check_lane(&self, customer: usize, id: &OrderId, request: &ProvisionRequest, seen: &mut Sightings) -> Checked {
        let Some(machine) = self.machine(customer) else { return Ok(()) };
        let Some(order) = machine.orders().get(id).filter(|order| !order.unordered) else { return Ok(()) };
        let lane = &request.target;
        let busy = self.customers[customer].calls.iter().find(|((other, _), run)| {
            run.request.target == *lane && machine.orders().get(other).is_none_or(|other| !other.unordered)
        });
        if let Some(((other, _), _)) = busy {
            return Err(Violation::new(Check::OneCallPerLane, format!("{id} calls {lane} beside {other}")));
        }
        let begun = self.begun(customer, id).is_some();
        if !begun && machine.inbox().iter().any(|waiting| waiting.key < order.key) {
            return Err(Violation::new(Check::LaneOrder, format!("{id} begins before an older accepted event")));
        }
        for (other_id, other) in machine.orders() {
            if other_id == id || other.unordered || !has_open_step(other, lane) {
                continue;
            }
            if let Some(why) = self.is_in_front(customer, machine, (id, order), (other_id, other), request) {
                return Err(Violation::new(Check::LaneOrder, format!("{id} calls {lane} before {other_id}: {why}")));
            }
            if other.key < order.key {
                seen.see(Sighting::Overtaking);
            }
        }
        Ok(())
    }

    /// Why another order of the lane must go first, if it must.
    fn is_in_front(
        &self,
        customer: usize,
        machine: &Customer,
        (id, order): (&OrderId, &Order),
        (other_id, other): (&OrderId, &Order),
        request: &ProvisionRequest,
    ) -> Option<&'static str> {
        let started = |id| self.begun(customer, id) == Some(true);
        if order.urgent && !other.urgent {
            return None;
        }
        let writes = writes_of(request);
        let releases = !writes.is_empty() && writes.iter().all(|(write, _)| *write == Write::Release);
        let same = writes.iter().any(|(_, resource)| other.claim_on(resource).is_some());
        if releases && !same && !started(other_id) && waits_for_lease_or_behind(machine, other) {
            return None;
        }
        if other.urgent && !order.urgent {
            return Some("it is urgent");
        }
        let has_begun = |id| self.begun(customer, id).is_some();
        if has_begun(id) {
            return None;
        }
        if started(other_id) && other.started {
            return Some("it has started");
        }
        if other.key > order.key {
            return None;
        }
        Some("it is older")
    }

    /// Whether a step of an order began, and if so, whether one other than a release did.
    pub(super) fn begun(&self, customer: usize, order: &OrderId) -> Option<bool> {
        self.truth.begun.get(&(order.clone(), self.customers[customer].life)).copied()
    }
}

/// Whether an order has a step in a lane that is not over.
pub(super) fn has_open_step(order: &Order, lane: &TargetId) -> bool {
    order.steps.iter().any(|step| step.planned.target == *lane && !step.state.is_over())
}

/// Whether an order lacks a lease that one of its open steps names.
pub(super) fn waits_for_lease(machine: &Customer, order: &Order) -> bool {
    let open = order.steps.iter().filter(|step| step.state.is_open());
    let mut resources = open.flat_map(|step| &step.planned.resources);
    resources.any(|resource| !may_use(machine, order, resource))
}

/// Whether a customer has a lasting lease without doubt, and no other order of it is in the middle of its work there.
pub(super) fn may_use(machine: &Customer, order: &Order, resource: &ResourceId) -> bool {
    let stays = |lease: &Lease| lease.leaving.is_none() && lease.due.is_none() && !lease.doubted;
    let stays = machine.leases().get(resource).is_some_and(stays);
    let in_the_middle = |other: &Order| {
        let naming = || other.steps.iter().filter(|step| step.planned.resources.contains(resource));
        naming().any(|step| !step.state.is_over()) && naming().any(|step| step.dispatches > 0)
    };
    stays && !machine.orders().values().any(|other| other.key != order.key && in_the_middle(other))
}

/// Whether an order waits for a lease, or in a lane behind an older order that does.
pub(super) fn waits_for_lease_or_behind(machine: &Customer, order: &Order) -> bool {
    let lanes = |order: &Order| -> Vec<TargetId> {
        let open = order.steps.iter().filter(|step| !step.state.is_over());
        open.map(|step| step.planned.target.clone()).collect()
    };
    let older = machine.orders().values().filter(|other| other.key < order.key && !other.unordered);
    waits_for_lease(machine, order)
        || older.into_iter().any(|other| {
            lanes(order).iter().any(|lane| has_open_step(other, lane)) && waits_for_lease_or_behind(machine, other)
        })
}
