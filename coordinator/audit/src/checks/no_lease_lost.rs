//! No lease is held by nobody: in the end each holder in a resource's ledger knows that it holds the lease, and each lease that a
//! customer holds is the one in the ledger.
//!
//! The histories of a running system are read one after the other, and messages are under way. So a difference counts only if it has
//! lasted for longer than messages take, or if the system is said to be at rest.

use interlock_domain::ids::{CustomerRef, Epoch, ResourceId};
use interlock_domain::resource::HolderName;

use super::Judge;
use crate::facts::{At, HolderEnd, ResourceEnd};
use crate::ledger::{CustomerRecord, Known, ResourceRecord, Standing};
use crate::verdict::{About, Findings};

impl Judge<'_> {
    pub(super) fn no_lease_lost(&self, findings: &mut Findings) {
        for ((_, resource), record) in &self.ledger.resources {
            if let Some(state) = record.state.as_ref().filter(|_| record.is_complete)
                && record.last == Standing::Running
                && let Some(holder) = &state.fact.holder
                && let HolderName::Customer(customer) = &holder.who
            {
                self.knows_its_lease(findings, resource, (state, holder), customer);
            }
        }
        for (customer, record) in &self.ledger.customers {
            if let Some(state) = last_state(record) {
                for (resource, epoch) in &state.fact.leases {
                    self.is_in_ledger(findings, (customer, record), state.history, (resource, *epoch));
                }
            }
        }
    }

    /// The holder in the ledger of a resource knows of its lease.
    fn knows_its_lease(
        &self,
        findings: &mut Findings,
        resource: &ResourceId,
        (state, holder): (&Known<ResourceEnd>, &HolderEnd),
        customer: &CustomerRef,
    ) {
        let about = About { order: None, resource: Some(resource), epoch: Some(holder.epoch) };
        let place = self.place(state, self.last_of(state.history));
        // The resource knows it itself; or the customer was only named by a list or a target, and has not claimed it yet.
        if holder.orphaned || holder.incarnation.is_none() {
            return findings.excused();
        }
        let Some(record) = self.ledger.customers.get(customer) else {
            if self.options.all_entities && self.has_lasted(&[state.history]) {
                findings.checked();
                return findings.violated(
                    place,
                    &about,
                    format!("the lease is held by {customer}, which has no history"),
                );
            }
            return findings.unchecked();
        };
        let Some(own) = last_state(record) else {
            // It is dead, or a reset or restart of it is not there: the resource notices it with its next message.
            return if record.last == Standing::Dead { findings.excused() } else { findings.unchecked() };
        };
        if own.fact.leases.get(resource) == Some(&holder.epoch) {
            return findings.checked();
        }
        let lives_again = holder.incarnation.is_some_and(|incarnation| incarnation != own.fact.incarnation);
        if lives_again && state.fact.waiting == 0 {
            // Somebody terminated it. The resource notices it when the lease is wanted.
            return findings.excused();
        }
        let is_busy = state.fact.busy || own.fact.busy.contains(resource);
        if !self.options.settled && (is_busy || !self.has_lasted(&[state.history, own.history])) {
            return findings.unchecked();
        }
        findings.checked();
        let knows = match own.fact.leases.get(resource) {
            Some(epoch) => format!("has epoch {epoch}"),
            None => "does not hold it".to_owned(),
        };
        let detail = format!("the lease is held by nobody: it was granted to {customer}, which {knows}");
        findings.violated(place, &about, detail);
    }

    /// A lease that a customer holds is the one in its resource's ledger.
    fn is_in_ledger(
        &self,
        findings: &mut Findings,
        (customer, own): (&CustomerRef, &CustomerRecord),
        history: usize,
        (resource, epoch): (&ResourceId, Epoch),
    ) {
        let record = self.resource_of(customer, resource).filter(|record| record.is_complete);
        let Some((record, state)) = record.and_then(|record| Some((record, record.state.as_ref()?))) else {
            return findings.unchecked();
        };
        if record.last != Standing::Running || own.last != Standing::Running {
            // A terminated resource learns its holder from reports when it is started again.
            return findings.excused();
        }
        if is_held(&state.fact, customer, epoch) {
            return findings.checked();
        }
        let is_busy = state.fact.busy || last_state(own).is_some_and(|own| own.fact.busy.contains(resource));
        if !self.options.settled && (is_busy || !self.has_lasted(&[state.history, history])) {
            return findings.unchecked();
        }
        if is_taken(record, customer, epoch) {
            return findings.excused();
        }
        findings.checked();
        let about = About { order: None, resource: Some(resource), epoch: Some(epoch) };
        let place = self.place_in(history, self.last_of(history));
        findings.violated(
            place,
            &about,
            format!("{customer} holds a lease that its resource gives to another, or to nobody"),
        );
    }

    fn last_of(&self, history: usize) -> At {
        self.ledger.histories[history].last
    }

    /// Whether nothing has happened in these histories for longer than messages take.
    fn has_lasted(&self, histories: &[usize]) -> bool {
        let now = self.options.read_from.map_or(self.ledger.latest_ms, |read_from| read_from.0);
        let wait = i64::try_from(self.options.messages_take.as_millis()).unwrap_or(i64::MAX);
        self.options.settled || histories.iter().all(|history| self.last_of(*history).ms.saturating_add(wait) < now)
    }
}

/// The state of a customer that runs.
pub(super) fn last_state(record: &CustomerRecord) -> Option<&Known<crate::facts::CustomerEnd>> {
    if record.last != Standing::Running || !record.is_complete {
        return None;
    }
    record.states.iter().rev().find(|state| !state.undone)
}

fn is_held(state: &ResourceEnd, customer: &CustomerRef, epoch: Epoch) -> bool {
    let holder = state.holder.as_ref();
    holder.is_some_and(|holder| holder.epoch == epoch && holder.who == HolderName::Customer(customer.clone()))
}

/// Whether a person took the lease from its holder, or a reset of the resource undid the grant.
fn is_taken(record: &ResourceRecord, customer: &CustomerRef, epoch: Epoch) -> bool {
    record.tenures.iter().filter(|tenure| tenure.fact.epoch == epoch).any(|tenure| {
        let is_own = tenure.fact.who == HolderName::Customer(customer.clone());
        is_own && (tenure.undone || tenure.fact.ended.as_ref().is_some_and(|end| end.how == "forced"))
    })
}
