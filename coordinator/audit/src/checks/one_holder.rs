//! A resource has one holder at a time.
//!
//! The resource's own ledger has at most one holder, by its type. So what is checked is what customers hold: each lease that a customer
//! held must be one that the resource recorded as granted to that customer, and no two customers may hold leases of one resource at
//! the same time. A grant that left before it was recorded, and that a later attempt of the workflow task gave to somebody else, is a
//! lease that its resource does not know.

use std::collections::BTreeMap;

use interlock_domain::ids::{CustomerRef, Epoch, ResourceId};
use interlock_domain::resource::HolderName;

use super::Judge;
use crate::facts::LeaseHeld;
use crate::ledger::{Known, ResourceRecord, customer_of};
use crate::verdict::{About, Findings};

/// The ends of a tenure that its customer did not cause: it may believe for a while that it still holds the lease.
const WITHOUT_CUSTOMER: [&str; 9] =
    ["forced", "declined", "orphaned", "disowned", "looked_up", "imported", "reset", "unsure", "reasserted"];

type Held<'a> = (&'a CustomerRef, &'a Known<LeaseHeld>);

impl Judge<'_> {
    pub(super) fn one_holder(&self, findings: &mut Findings) {
        let mut by_resource: BTreeMap<(_, &ResourceId), Vec<Held<'_>>> = BTreeMap::new();
        for (customer, record) in &self.ledger.customers {
            for lease in &record.leases {
                let realm = self.options.routing.realm(&customer.tenant, lease.fact.resource.kind());
                by_resource.entry((realm, &lease.fact.resource)).or_default().push((customer, lease));
            }
        }
        for held in by_resource.values_mut() {
            held.sort_by_key(|(_, lease)| lease.fact.from.ms);
            for (customer, lease) in held.iter() {
                self.is_recorded(findings, customer, lease);
            }
            self.overlaps(findings, held);
        }
        for ((_, resource), record) in &self.ledger.resources {
            self.one_holder_per_epoch(findings, resource, record);
        }
    }

    /// The resource recorded the grant of a lease that a customer held.
    fn is_recorded(&self, findings: &mut Findings, customer: &CustomerRef, lease: &Known<LeaseHeld>) {
        let LeaseHeld { resource, epoch, from, .. } = &lease.fact;
        if lease.fact.carried && self.ledger.histories[lease.history].continues.is_some() {
            // It was checked, or cannot be checked, in the run in which it began.
            return;
        }
        let record = self.resource_of(customer, resource).filter(|record| record.is_complete);
        let Some(record) = record.filter(|_| self.is_known_by(from.ms)) else {
            findings.unchecked();
            return;
        };
        if knows_grant(record, customer, *epoch) {
            findings.checked();
        } else if *epoch <= record.floor {
            findings.unchecked();
        } else {
            findings.checked();
            let about = About { order: None, resource: Some(resource), epoch: Some(*epoch) };
            let detail = format!("{customer} holds a lease that the history of its resource does not grant to it");
            findings.violated(self.place(lease, *from), &about, detail);
        }
    }

    /// No two customers hold leases at the same time. The leases are sorted by their beginning.
    fn overlaps(&self, findings: &mut Findings, held: &[Held<'_>]) {
        // The lease that lasts longest so far.
        let mut before: Option<Held<'_>> = None;
        for (customer, lease) in held {
            let end = |lease: &Known<LeaseHeld>| {
                lease.fact.until.map_or(i64::MAX, |until| self.decided_from(lease, until).ms)
            };
            if let Some((other, earlier)) = before
                && other != *customer
                && !lease.fact.carried
            {
                findings.checked();
                if end(earlier) > lease.fact.from.ms.saturating_add(self.clocks_apart_ms()) {
                    if lease.undone || earlier.undone || self.ended_without_customer(other, &earlier.fact) {
                        findings.excused();
                    } else {
                        let LeaseHeld { resource, epoch, from, .. } = &lease.fact;
                        let about = About { order: None, resource: Some(resource), epoch: Some(*epoch) };
                        let detail = format!(
                            "{customer} holds it while {other} still holds it with epoch {}",
                            earlier.fact.epoch
                        );
                        findings.violated(self.place(lease, *from), &about, detail);
                    }
                }
            }
            if before.is_none_or(|(_, earlier)| end(earlier) <= end(lease)) {
                before = Some((customer, lease));
            }
        }
    }

    /// Whether the resource took the lease from its holder for a reason that is recorded, and without the holder.
    fn ended_without_customer(&self, customer: &CustomerRef, lease: &LeaseHeld) -> bool {
        let Some(record) = self.resource_of(customer, &lease.resource) else { return false };
        record.tenures.iter().filter(|tenure| tenure.fact.epoch == lease.epoch).any(|tenure| {
            tenure.undone
                || tenure
                    .fact
                    .ended
                    .as_ref()
                    .is_some_and(|end| end.was_orphan || end.by_person || WITHOUT_CUSTOMER.contains(&end.how.as_str()))
        })
    }

    fn one_holder_per_epoch(&self, findings: &mut Findings, resource: &ResourceId, record: &ResourceRecord) {
        for pair in record.tenures.windows(2) {
            let [one, other] = pair else { continue };
            findings.checked();
            let both_customers = customer_of(&one.fact).is_some() && customer_of(&other.fact).is_some();
            let is_same = one.fact.epoch == other.fact.epoch && one.fact.who != other.fact.who;
            if is_same && both_customers && !one.undone && !other.undone {
                let about = About { order: None, resource: Some(resource), epoch: Some(one.fact.epoch) };
                let detail =
                    format!("one epoch was granted to {} and to {}", name(&one.fact.who), name(&other.fact.who));
                findings.violated(self.place(other, other.fact.began), &about, detail);
            }
        }
    }
}

/// Whether a resource recorded the grant of this epoch to this customer.
pub(super) fn knows_grant(record: &ResourceRecord, customer: &CustomerRef, epoch: Epoch) -> bool {
    let from = record.tenures.partition_point(|tenure| tenure.fact.epoch < epoch);
    let same = record.tenures[from..].iter().take_while(|tenure| tenure.fact.epoch == epoch);
    same.into_iter().any(|tenure| customer_of(&tenure.fact) == Some(customer))
}

/// A holder in words.
pub(super) fn name(who: &HolderName) -> String {
    match who {
        HolderName::Customer(customer) => customer.to_string(),
        HolderName::TargetIdentity(identity) => format!("the target's party {identity}"),
    }
}
