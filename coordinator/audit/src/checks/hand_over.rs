//! The next holder's first call starts only after the previous holder's release was confirmed, and nothing that the previous holder
//! sent is still under way. Only a person may break this, and then it is recorded.
//!
//! A resource whose histories are missing or do not replay has no ledger to judge by. It is judged by the calls alone
//! (`by_calls.rs`).

use interlock_domain::ids::{CustomerRef, ResourceId};
use interlock_domain::order::ClaimMode;

use super::Judge;
use super::one_holder::name;
use crate::facts::{At, Call, Tenure, TenureEnd};
use crate::ledger::{Known, ResourceRecord, customer_of};
use crate::verdict::{About, Findings};

/// One holder and the next.
struct HandOver<'a> {
    resource: &'a ResourceId,
    from: &'a Known<Tenure>,
    to: &'a Known<Tenure>,
    /// The next holder's first call under its lease.
    first: &'a Known<Call>,
}

impl Judge<'_> {
    pub(super) fn hand_over(&self, findings: &mut Findings) {
        for ((_, resource), record) in self.ledger.resources.iter().filter(|(_, record)| record.is_complete) {
            self.hand_overs_of(findings, resource, record);
        }
        self.hand_overs_by_calls(findings);
    }

    fn hand_overs_of(&self, findings: &mut Findings, resource: &ResourceId, record: &ResourceRecord) {
        // A lease that a reset undid was not handed over by this ledger; the check of holders has it.
        let tenures: Vec<&Known<Tenure>> = record.tenures.iter().filter(|tenure| !tenure.undone).collect();
        for pair in tenures.windows(2) {
            let [from, to] = pair else { continue };
            if from.fact.who == to.fact.who {
                continue;
            }
            let first = customer_of(&to.fact).and_then(|customer| self.first_call(customer, resource, to));
            match first {
                // A lease that was never used broke nothing.
                None => findings.checked(),
                Some(first) if !self.is_known_by(first.fact.scheduled.ms) => findings.unchecked(),
                Some(first) => self.handed_over(findings, &HandOver { resource, from, to, first }),
            }
        }
    }

    fn first_call<'a>(
        &'a self,
        customer: &CustomerRef,
        resource: &'a ResourceId,
        tenure: &Known<Tenure>,
    ) -> Option<&'a Known<Call>> {
        let calls = self.ledger.calls_under(customer, resource, tenure.fact.epoch);
        calls.min_by_key(|call| call.fact.scheduled.ms)
    }

    fn handed_over(&self, findings: &mut Findings, hand_over: &HandOver<'_>) {
        let HandOver { resource, from, to, first } = hand_over;
        findings.checked();
        // What only the target names calls nothing, and becomes the customer of that name once it claims.
        let Some(customer) = customer_of(&from.fact) else { return };
        let about = About { order: Some(&first.fact.order), resource: Some(resource), epoch: Some(to.fact.epoch) };
        let place = self.place(first, first.fact.scheduled);
        let previous = format!("{} with epoch {}", name(&from.fact.who), from.fact.epoch);
        let Some(end) = &from.fact.ended else {
            let detail = format!("{} calls the target, and the lease of {previous} never ended", name(&to.fact.who));
            return findings.violated(place, &about, detail);
        };
        if end.by_person || end.how == "forced" {
            return findings.excused();
        }
        if end.how.is_empty() && !end.was_orphan {
            let detail = format!("the lease of {previous} ended for no recorded reason, and the next holder calls");
            return findings.violated(place, &about, detail);
        }
        if !self.is_before(end.at, first.fact.scheduled) {
            let detail = format!("its first call starts before the lease of {previous} ended");
            return findings.violated(place, &about, detail);
        }
        if let Some(call) = self.under_way(customer, hand_over) {
            if call.undone || end.was_orphan {
                return findings.excused();
            }
            let detail = format!(
                "its first call starts while a call of {previous} is under way: {} of order {}, event {}",
                call.fact.step, call.fact.order, call.fact.scheduled.event
            );
            return findings.violated(place, &about, detail);
        }
        if end.how == "released" {
            self.is_confirmed(findings, hand_over, customer, end);
        }
    }

    /// A call of the previous holder under its lease that has not ended when the next holder's first call starts.
    fn under_way<'a>(&'a self, customer: &CustomerRef, hand_over: &'a HandOver<'_>) -> Option<&'a Known<Call>> {
        let starts = hand_over.first.fact.scheduled;
        let mut calls = self.ledger.calls_under(customer, hand_over.resource, hand_over.from.fact.epoch);
        calls.find(|call| !call.fact.closed.is_some_and(|(closed, _)| self.is_before(closed, starts)))
    }

    /// The release was confirmed by the target: a call of the previous holder that gives the resource up ended with its effect.
    fn is_confirmed(&self, findings: &mut Findings, hand_over: &HandOver<'_>, customer: &CustomerRef, end: &TenureEnd) {
        let HandOver { resource, from, to, first } = hand_over;
        let record = self.ledger.customers.get(customer).filter(|record| record.known_from_ms <= end.at.ms);
        let Some(record) = record else {
            // What the previous holder recorded is not there any more.
            findings.verdict.checked -= 1;
            return findings.unchecked();
        };
        let confirms = |call: &Call| {
            let is_by_then = |at: At| self.is_before(at, end.at) && self.is_before(at, first.fact.scheduled);
            call.closed.is_some_and(|(at, closing)| closing.is_effective() && is_by_then(at))
        };
        let is_release =
            |call: &Call| call.named.as_ref().is_none_or(|named| named.get(*resource) == Some(&ClaimMode::Release));
        let is_confirmed = match end.proof {
            Some(key) => record.calls_with(key).any(|call| confirms(&call.fact)),
            None if end.without_call => true,
            None => {
                let mut calls = self.ledger.calls_under(customer, resource, from.fact.epoch);
                calls.any(|call| is_release(&call.fact) && confirms(&call.fact))
            }
        };
        if !is_confirmed {
            let about = About { order: Some(&first.fact.order), resource: Some(resource), epoch: Some(to.fact.epoch) };
            let detail = format!(
                "its first call starts although no call of {} confirmed the release of epoch {}",
                name(&from.fact.who),
                from.fact.epoch
            );
            findings.violated(self.place(first, first.fact.scheduled), &about, detail);
        }
    }
}
