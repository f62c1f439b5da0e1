//! What a target's own log says: two holders at once, writes that no call sent, and whether the ledger is the network in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use interlock_domain::ids::{Epoch, ResourceId, Timestamp};
use interlock_domain::order::ClaimMode;
use uuid::Uuid;

use super::Judge;
use super::no_lease_lost::last_state;
use crate::facts::{At, Call, HolderEnd};
use crate::ledger::{ResourceRecord, Standing, customer_of};
use crate::target_log::{Registrations, TargetLog, Write};
use crate::verdict::{About, Findings, Where};

impl Judge<'_> {
    pub(super) fn target_one_holder(&self, findings: &mut Findings) {
        for log in self.target_logs {
            let mut registrations = Registrations::default();
            for write in &log.writes {
                findings.checked();
                let others = registrations.apply(write);
                if !others.is_empty() {
                    let others: Vec<String> = others.into_iter().collect();
                    let number = write.effect.number().unwrap_or_default();
                    let detail = format!("{number} was given to a second party while {} had it", others.join(" and "));
                    let resource = self.resource_named(number);
                    let about = About { order: None, resource, epoch: write.epoch };
                    findings.violated(place_of(log, write), &about, detail);
                }
            }
        }
    }

    pub(super) fn target_calls_are_leased(&self, findings: &mut Findings) {
        if self.target_logs.is_empty() {
            return;
        }
        // After a reset the same request may be sent again, under another epoch.
        let mut calls: BTreeMap<Uuid, Vec<&Call>> = BTreeMap::new();
        for call in self.ledger.customers.values().flat_map(|record| &record.calls) {
            calls.entry(call.fact.key).or_default().push(&call.fact);
        }
        for log in self.target_logs {
            let mut highest: BTreeMap<&str, Epoch> = BTreeMap::new();
            let promotions = log.promotions();
            for write in log.writes.iter().filter(|write| !write.is_seed && !promotions.contains(&write.seq)) {
                self.is_of_call(findings, &calls, log, write);
                // A party's new name concerns no number alone, and carries the epoch of whatever its call named first.
                let (Some(number), Some(epoch)) = (write.effect.number(), write.epoch) else { continue };
                let before = highest.entry(number).or_default();
                if epoch < *before {
                    let detail = format!("a write of {number} with an older epoch than {before} was applied");
                    let about = About { order: None, resource: self.resource_named(number), epoch: Some(epoch) };
                    findings.violated(place_of(log, write), &about, detail);
                }
                *before = epoch.max(*before);
            }
        }
    }

    /// A call of the histories sent the write, with the epoch of a lease that protects the number.
    fn is_of_call(&self, findings: &mut Findings, calls: &BTreeMap<Uuid, Vec<&Call>>, log: &TargetLog, write: &Write) {
        let number = write.effect.number().unwrap_or_default();
        let about = About { order: None, resource: self.resource_named(number), epoch: write.epoch };
        let Some(key) = write.key.filter(|_| self.is_known_by(write.at_ms)) else { return findings.unchecked() };
        let Some((call, others)) = calls.get(&key).and_then(|calls| calls.split_last()) else {
            if !self.options.all_entities {
                return findings.unchecked();
            }
            findings.checked();
            return findings.violated(
                place_of(log, write),
                &about,
                "no call of the histories sent this write".to_owned(),
            );
        };
        findings.checked();
        let covers = |call: &Call| {
            let protects = number.is_empty() || call.epochs.keys().any(|resource| resource.id() == number);
            protects && write.epoch.is_none_or(|epoch| call.epochs.values().any(|of_call| *of_call == epoch))
        };
        if !covers(call) && !others.iter().any(|call| covers(call)) {
            let about = About { order: Some(&call.order), ..about };
            let detail = format!("the call that sent this write ({}) has no lease of {number}", call.step);
            findings.violated(place_of(log, write), &about, detail);
        }
    }

    pub(super) fn ledger_is_network(&self, findings: &mut Findings) {
        for log in self.target_logs {
            let mut registrations = Registrations::default();
            for write in &log.writes {
                registrations.apply(write);
            }
            let end = log.writes.last().map_or(0, |write| write.at_ms);
            for (number, parties) in registrations.numbers() {
                for key in self.by_id.get(number.as_str()).into_iter().flatten() {
                    if let Some(record) = self.ledger.resources.get(*key) {
                        self.agrees(findings, (log, end), (&key.1, record), &parties);
                    }
                }
            }
        }
    }

    fn agrees(
        &self,
        findings: &mut Findings,
        (log, end): (&TargetLog, i64),
        (resource, record): (&ResourceId, &ResourceRecord),
        parties: &BTreeSet<&String>,
    ) {
        let state = record.state.as_ref().filter(|_| record.is_complete && record.last == Standing::Running);
        let Some(state) = state.filter(|state| self.options.settled || !state.fact.busy) else {
            return findings.unchecked();
        };
        if !self.options.settled && self.called.contains(resource) {
            return findings.unchecked();
        }
        let holder = state.fact.holder.as_ref();
        let expected = holder.map_or(Expected::Nobody, |holder| self.expected(resource, record, holder));
        let is_same = match &expected {
            Expected::Unknown => return findings.unchecked(),
            Expected::Nobody => parties.is_empty(),
            Expected::Party(party) => parties.len() == 1 && parties.contains(party),
        };
        findings.checked();
        if !is_same {
            let found: Vec<&str> = parties.iter().map(|party| party.as_str()).collect();
            let found = if found.is_empty() { "nobody".to_owned() } else { found.join(" and ") };
            let about = About { order: None, resource: Some(resource), epoch: holder.map(|holder| holder.epoch) };
            let at = At::new(i64::try_from(log.writes.len()).unwrap_or(0), Timestamp(end));
            let place = Where { workflow_id: &log.name, run_id: "", at };
            findings.violated(place, &about, format!("the target has it for {found}, the ledger for {expected}"));
        }
    }

    /// The party that the target should have for the holder.
    fn expected(&self, resource: &ResourceId, record: &ResourceRecord, holder: &HolderEnd) -> Expected {
        let of = |identity: Option<&String>| identity.cloned().map_or(Expected::Unknown, Expected::Party);
        let tenure = record.tenures.iter().rev().find(|tenure| tenure.fact.epoch == holder.epoch);
        let Some(customer) = tenure.and_then(|tenure| customer_of(&tenure.fact)) else {
            return of(holder.target_identity.as_ref());
        };
        let own = self.ledger.customers.get(customer).and_then(last_state);
        let identity = own.and_then(|own| own.fact.identities.get(resource)).or(holder.target_identity.as_ref());
        let effective = self.ledger.calls_under(customer, resource, holder.epoch).filter(|call| {
            call.fact.closed.is_some_and(|(_, closing)| closing.is_effective()) && !call.fact.compensates
        });
        let last = effective.filter_map(|call| call.fact.named.as_ref()?.get(resource)).last();
        match last {
            Some(ClaimMode::Release) => Expected::Nobody,
            Some(ClaimMode::Assign | ClaimMode::Lock) => of(identity),
            None if holder.used => of(identity),
            None => Expected::Unknown,
        }
    }

    /// The resource with this id, whatever its kind.
    fn resource_named(&self, id: &str) -> Option<&ResourceId> {
        self.by_id.get(id).and_then(|found| found.first()).map(|key| &key.1)
    }
}

/// Who should have a resource at the target.
enum Expected {
    Party(String),
    Nobody,
    /// The histories do not tell.
    Unknown,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Party(party) => f.write_str(party),
            Self::Nobody | Self::Unknown => f.write_str("nobody"),
        }
    }
}

fn place_of<'a>(log: &'a TargetLog, write: &Write) -> Where<'a> {
    Where { workflow_id: &log.name, run_id: "", at: At::new(write.seq, Timestamp(write.at_ms)) }
}
