//! Hand-overs of resources whose own histories are missing or do not replay, judged by the calls of their customers alone.
//!
//! A build that grants too early makes histories that do not replay. What its customers sent is in their histories all the same: two of
//! them that called a target under leases of one resource, one after the other, and the first one's release between them, or not.

use std::collections::BTreeMap;

use interlock_domain::ids::{CustomerRef, Epoch, RealmId, ResourceId};
use interlock_domain::order::ClaimMode;

use super::Judge;
use crate::facts::Call;
use crate::ledger::{Known, Standing};
use crate::verdict::{About, Findings};

/// The calls of one customer in a row, by epoch, for one resource.
struct Turn<'a> {
    customer: &'a CustomerRef,
    calls: Vec<(Epoch, &'a Known<Call>)>,
}

impl<'a> Judge<'a> {
    /// Judges the resources without a complete ledger.
    pub(super) fn hand_overs_by_calls(&self, findings: &mut Findings) {
        for ((_, resource), mut calls) in self.calls_without_ledger() {
            calls.sort_by_key(|(_, epoch, call)| (*epoch, call.fact.scheduled.ms));
            let mut turns: Vec<Turn<'_>> = Vec::new();
            for (customer, epoch, call) in calls {
                match turns.last_mut().filter(|turn| turn.customer == customer) {
                    Some(turn) => turn.calls.push((epoch, call)),
                    None => turns.push(Turn { customer, calls: vec![(epoch, call)] }),
                }
            }
            for pair in turns.windows(2) {
                if let [from, to] = pair {
                    self.handed_over_by_calls(findings, resource, from, to);
                }
            }
        }
    }

    #[allow(clippy::type_complexity, reason = "a table that only the caller reads")]
    fn calls_without_ledger(
        &self,
    ) -> BTreeMap<(RealmId, &'a ResourceId), Vec<(&'a CustomerRef, Epoch, &'a Known<Call>)>> {
        let mut by_resource: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (customer, record) in &self.ledger.customers {
            for call in &record.calls {
                for (resource, epoch) in &call.fact.epochs {
                    let realm = self.options.routing.realm(&customer.tenant, resource.kind());
                    let of_resource = self.ledger.resources.get(&(realm.clone(), resource.clone()));
                    if !of_resource.is_some_and(|record| record.is_complete) {
                        by_resource.entry((realm, resource)).or_default().push((customer, *epoch, call));
                    }
                }
            }
        }
        by_resource
    }

    fn handed_over_by_calls(&self, findings: &mut Findings, resource: &ResourceId, from: &Turn<'_>, to: &Turn<'_>) {
        let Some((epoch, first)) = to.calls.iter().min_by_key(|(_, call)| call.fact.scheduled.ms) else { return };
        if !self.is_known_by(first.fact.scheduled.ms) {
            return findings.unchecked();
        }
        let starts = first.fact.scheduled;
        let is_over = |call: &Known<Call>| call.fact.closed.is_some_and(|(closed, _)| self.is_before(closed, starts));
        let under_way = from.calls.iter().map(|(_, call)| *call).find(|call| !is_over(call));
        let holds = from.calls.iter().map(|(_, call)| *call).filter(|call| is_over(call));
        let fault = match under_way {
            Some(call) => Some((call, "is under way, or starts later")),
            None => {
                holds_after(resource, holds).map(|call| (call, "had its effect, and no release of it was confirmed"))
            }
        };
        let Some((call, why)) = fault else { return findings.checked() };
        let last = self.ledger.customers.get(from.customer).map(|record| record.last);
        if last == Some(Standing::Unknown) {
            // What it did since is not there.
            return findings.unchecked();
        }
        findings.checked();
        if last == Some(Standing::Dead) || call.undone || first.undone {
            return findings.excused();
        }
        let about = About { order: Some(&first.fact.order), resource: Some(resource), epoch: Some(*epoch) };
        let detail = format!(
            "its first call starts while a call of {} {why}: {} of order {}, event {}",
            from.customer, call.fact.step, call.fact.order, call.fact.scheduled.event
        );
        findings.violated(self.place(first, starts), &about, detail);
    }
}

/// The last call after which the customer has the resource at the target, if these calls end so.
fn holds_after<'a>(resource: &ResourceId, calls: impl Iterator<Item = &'a Known<Call>>) -> Option<&'a Known<Call>> {
    let mut ended: Vec<&Known<Call>> =
        calls.filter(|call| call.fact.closed.is_some_and(|(_, closing)| closing.is_effective())).collect();
    ended.sort_by_key(|call| call.fact.closed.map(|(closed, _)| closed.ms));
    let mut has = None;
    for call in ended {
        match call.fact.named.as_ref().and_then(|named| named.get(resource)) {
            Some(ClaimMode::Assign) if call.fact.compensates => has = None,
            Some(ClaimMode::Assign) => has = Some(call),
            Some(ClaimMode::Release) => has = None,
            // A lock changes nothing; what the machine did not start is unknown.
            Some(ClaimMode::Lock) | None => {}
        }
    }
    has
}
