//! Every call that needs a lease carries one, which its customer held and its resource recorded as granted.

use interlock_domain::ids::{CustomerRef, Epoch, ResourceId};

use super::Judge;
use super::one_holder::knows_grant;
use crate::facts::Call;
use crate::ledger::{CustomerRecord, Known};
use crate::verdict::{About, Findings};

impl Judge<'_> {
    pub(super) fn calls_are_leased(&self, findings: &mut Findings) {
        for (customer, record) in &self.ledger.customers {
            for call in &record.calls {
                for (resource, epoch) in &call.fact.epochs {
                    self.is_leased(findings, customer, record, call, (resource, *epoch));
                }
                self.names_leases(findings, call);
            }
        }
    }

    fn is_leased(
        &self,
        findings: &mut Findings,
        customer: &CustomerRef,
        own: &CustomerRecord,
        call: &Known<Call>,
        (resource, epoch): (&ResourceId, Epoch),
    ) {
        let about = About { order: Some(&call.fact.order), resource: Some(resource), epoch: Some(epoch) };
        let place = self.place(call, call.fact.scheduled);
        // A call is scheduled in the task in which the lease is taken, or later.
        let is_it = |lease: &crate::facts::LeaseHeld| {
            lease.resource == *resource && lease.epoch == epoch && lease.from.ms <= call.fact.scheduled.ms
        };
        let is_held = own.leases.iter().any(|lease| is_it(&lease.fact));
        if own.is_complete && own.known_from_ms <= call.fact.scheduled.ms && !is_held {
            findings.checked();
            return findings.violated(place, &about, format!("{customer} calls under a lease that it never held"));
        }
        let record = self.resource_of(customer, resource).filter(|record| record.is_complete);
        let Some(record) = record.filter(|_| self.is_known_by(call.fact.scheduled.ms)) else {
            return findings.unchecked();
        };
        if !knows_grant(record, customer, epoch) {
            if epoch <= record.floor {
                return findings.unchecked();
            }
            findings.checked();
            let detail = format!("{customer} calls under a lease that its resource did not grant");
            return findings.violated(place, &about, detail);
        }
        findings.checked();
    }

    /// The request carries a lease for each resource that the step names, unless it says that it is not proven.
    fn names_leases(&self, findings: &mut Findings, call: &Known<Call>) {
        let Some(named) = &call.fact.named else { return };
        for resource in named.keys() {
            findings.checked();
            if !call.fact.epochs.contains_key(resource) && !call.fact.unproven.contains(resource) {
                let about = About { order: Some(&call.fact.order), resource: Some(resource), epoch: None };
                let detail = format!("the call {} names the resource and carries no lease of it", call.fact.step);
                findings.violated(self.place(call, call.fact.scheduled), &about, detail);
            }
        }
    }
}
