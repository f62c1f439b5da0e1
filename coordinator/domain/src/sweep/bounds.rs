//! Limits on what a sweep passes on. A look's answer, and what a sweep remembers, are payloads, of which the
//! server accepts 2 MiB; in a large outage a page of a thousand customers has a million overdue orders.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ledger::{FINDINGS_BYTES_MAX, FINDINGS_MAX, FINDINGS_OF_CAUSE_BYTES_MAX, FINDINGS_OF_CAUSE_MAX};
use super::{Cause, Finding, Ledger};

/// The part of a look's result that is passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounded {
    /// The findings: all that are already known, and as many others as can be remembered.
    pub found: Vec<Finding>,
    /// How many more there are, by cause.
    pub left_out: BTreeMap<Cause, u64>,
    /// Who did not answer, limited to those about whom something is known: for others it makes no difference.
    pub unanswered: BTreeSet<String>,
}

/// A number and size of findings.
#[derive(Debug, Clone, Copy, Default)]
struct Amount {
    findings: usize,
    bytes: usize,
}

impl Amount {
    fn with(self, finding: &Finding) -> Self {
        Self { findings: self.findings + 1, bytes: self.bytes.saturating_add(bytes(finding)) }
    }

    fn is_within(self, findings: usize, bytes: usize) -> bool {
        self.findings <= findings && self.bytes <= bytes
    }
}

impl Ledger {
    /// Leaves out, of the findings of a look and of those who did not answer it, what [`Ledger::take`] could not remember or would
    /// ignore.
    pub fn bound(&self, found: Vec<Finding>, unanswered: &BTreeSet<String>) -> Bounded {
        let mut all = Amount::default();
        let mut of_cause: BTreeMap<Cause, Amount> = BTreeMap::new();
        let mut bounded = Bounded::default();
        for finding in self.findings() {
            all = all.with(finding);
            let of_this = of_cause.entry(finding.cause).or_default();
            *of_this = of_this.with(finding);
            bounded.unanswered.extend(finding.subjects().filter(|subject| unanswered.contains(subject)));
        }
        for finding in found {
            if self.knows(&finding) {
                bounded.found.push(finding);
                continue;
            }
            let of_this = of_cause.entry(finding.cause).or_default();
            let (all_then, of_this_then) = (all.with(&finding), of_this.with(&finding));
            if all_then.is_within(FINDINGS_MAX, FINDINGS_BYTES_MAX)
                && of_this_then.is_within(FINDINGS_OF_CAUSE_MAX, FINDINGS_OF_CAUSE_BYTES_MAX)
            {
                (all, *of_this) = (all_then, of_this_then);
                bounded.found.push(finding);
            } else {
                *bounded.left_out.entry(finding.cause).or_default() += 1;
            }
        }
        bounded
    }
}

/// The size of a finding in the ledger, with its key. One that cannot be serialised counts as too large.
fn bytes(finding: &Finding) -> usize {
    #[derive(Serialize)]
    struct Entry<'a>(String, &'a Finding);
    serde_json::to_vec(&Entry(finding.key(), finding)).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Timestamp;
    use crate::sweep::Tally;

    /// The largest payload that the server accepts.
    const PAYLOAD_MAX: usize = 2 * 1024 * 1024;

    fn overdue(number: usize, detail: &str) -> Finding {
        let (tenant, customer) = ("t".parse().unwrap(), format!("C{number:06}").parse().unwrap());
        Finding {
            cause: Cause::OrderOverdue,
            customer: None,
            order: Some(crate::ids::OrderId::derive(&tenant, &customer, "/crm", "1", None)),
            tenant: Some(tenant),
            resource: None,
            target: None,
            since: Timestamp(0),
            detail: detail.to_owned(),
        }
    }

    fn parked(target: &str) -> Finding {
        let target = Some(target.parse().unwrap());
        Finding { cause: Cause::TargetParked, tenant: None, order: None, target, ..overdue(0, "") }
    }

    fn none() -> BTreeSet<String> {
        BTreeSet::new()
    }

    #[test]
    fn of_an_outage_with_many_overdue_orders_so_much_is_carried_as_can_be_remembered_and_the_target_is_told() {
        let detail = "It should have been done by then, and waits for: target.";
        let mut found: Vec<Finding> = (0..50_000).map(|number| overdue(number, detail)).collect();
        found.push(parked("hss"));
        let mut ledger = Ledger::default();
        let bounded = ledger.bound(found.clone(), &none());
        assert_eq!(bounded.found.len(), FINDINGS_OF_CAUSE_MAX + 1);
        assert_eq!(bounded.left_out, [(Cause::OrderOverdue, (50_000 - FINDINGS_OF_CAUSE_MAX) as u64)].into());
        let told = ledger.take(bounded.found.clone(), Tally::default(), &none(), None);
        assert_eq!(told.raised, bounded.found, "all that is carried is remembered");

        // Known findings stay; there is room for other causes, and findings that are over make room.
        let again = ledger.bound(found.clone(), &none());
        assert_eq!(again.found, bounded.found);
        let fewer = ledger.bound(vec![overdue(0, detail), overdue(49_999, detail)], &none());
        assert_eq!((fewer.found.len(), fewer.left_out.len()), (1, 1));
        ledger.take(fewer.found, Tally::default(), &none(), None);
        assert_eq!(ledger.bound(vec![overdue(49_999, detail)], &none()).found.len(), 1);
    }

    #[test]
    fn an_answer_with_the_longest_findings_and_all_of_them_known_is_less_than_the_server_takes() {
        let detail = "x".repeat(5_000);
        let found: Vec<Finding> = (0..2_000).map(|number| overdue(number, &detail)).collect();
        let everybody: BTreeSet<String> = found.iter().flat_map(Finding::subjects).collect();
        let mut ledger = Ledger::default();
        let first = ledger.bound(found.clone(), &everybody);
        assert_eq!(first.unanswered, none(), "nothing was known of them");
        ledger.take(first.found, Tally::default(), &none(), None);
        let next = ledger.bound(found, &everybody);
        assert!(!next.found.is_empty());
        let answer = serde_json::to_vec(&(&ledger, &next.found, &next.unanswered)).unwrap();
        assert!(answer.len() < PAYLOAD_MAX / 4 * 3, "{}", answer.len());
    }

    #[test]
    fn of_those_who_did_not_answer_they_are_carried_of_whom_something_is_known() {
        let mut ledger = Ledger::default();
        ledger.take(vec![overdue(1, ""), parked("hss")], Tally::default(), &none(), None);
        let silent: BTreeSet<String> = ["t C000001", "t C000002", " hss", " crm"].map(str::to_owned).into();
        assert_eq!(ledger.bound(Vec::new(), &silent).unanswered, [" hss", "t C000001"].map(str::to_owned).into());
    }
}
