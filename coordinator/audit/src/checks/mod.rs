//! The checks, one file for each promise.

mod by_calls;
mod calls_are_leased;
mod ends_once;
mod epochs_grow;
mod hand_over;
mod in_turn;
mod no_lease_lost;
mod one_holder;
mod replays;
mod targets;

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::ids::{CustomerRef, RealmId, ResourceId};

use crate::facts::At;
use crate::ledger::{Known, Ledger, ResourceRecord};
use crate::options::Options;
use crate::target_log::TargetLog;
use crate::verdict::{Findings, Promise, Where};

/// All that the checks need.
pub(crate) struct Judge<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) options: &'a Options,
    pub(crate) target_logs: &'a [TargetLog],
    /// The resources with an id, whatever their kinds and realms.
    by_id: BTreeMap<&'a str, Vec<&'a (RealmId, ResourceId)>>,
    /// The resources whose leases protect a call that is under way.
    called: BTreeSet<&'a ResourceId>,
}

impl<'a> Judge<'a> {
    /// For these facts.
    pub(crate) fn new(ledger: &'a Ledger, options: &'a Options, target_logs: &'a [TargetLog]) -> Self {
        let mut by_id: BTreeMap<&str, Vec<&(RealmId, ResourceId)>> = BTreeMap::new();
        for key in ledger.resources.keys() {
            by_id.entry(key.1.id()).or_default().push(key);
        }
        let calls = ledger.customers.values().flat_map(|record| &record.calls);
        let called = calls.filter(|call| call.fact.closed.is_none()).flat_map(|call| call.fact.epochs.keys()).collect();
        Self { ledger, options, target_logs, by_id, called }
    }

    /// Makes all checks.
    pub(crate) fn all(&self) -> Vec<Findings> {
        Promise::ALL.into_iter().map(|promise| self.check(promise)).collect()
    }

    fn check(&self, promise: Promise) -> Findings {
        let mut findings = Findings::new(promise, self.options.violations_shown_max);
        match promise {
            Promise::Replays => self.replays(&mut findings),
            Promise::OneHolder => self.one_holder(&mut findings),
            Promise::HandOver => self.hand_over(&mut findings),
            Promise::EpochsGrow => self.epochs_grow(&mut findings),
            Promise::CallsAreLeased => self.calls_are_leased(&mut findings),
            Promise::NoLeaseLost => self.no_lease_lost(&mut findings),
            Promise::EndsOnce => self.ends_once(&mut findings),
            Promise::InTurn => self.in_turn(&mut findings),
            Promise::TargetOneHolder => self.target_one_holder(&mut findings),
            Promise::TargetCallsAreLeased => self.target_calls_are_leased(&mut findings),
            Promise::LedgerIsNetwork => self.ledger_is_network(&mut findings),
        }
        findings
    }

    fn place<F>(&self, known: &Known<F>, at: At) -> Where<'a> {
        self.place_in(known.history, at)
    }

    fn place_in(&self, history: usize, at: At) -> Where<'a> {
        let history = &self.ledger.histories[history];
        Where { workflow_id: &history.workflow_id, run_id: &history.run_id, at }
    }

    /// Whether every history was read after this time, so that none lacks what happened then.
    fn is_known_by(&self, ms: i64) -> bool {
        self.options.read_from.is_none_or(|read_from| ms <= read_from.0)
    }

    /// Whether one time is before another, as far as the clocks of the server's hosts tell.
    fn is_before(&self, earlier: At, later: At) -> bool {
        earlier.ms <= later.ms.saturating_add(self.clocks_apart_ms())
    }

    /// The earliest time at which a machine may have decided what its history records here: the workflow task that records it may
    /// repeat one that was lost after it had sent its messages.
    fn decided_from<F>(&self, known: &Known<F>, at: At) -> At {
        self.ledger.histories[known.history].decided_from(at)
    }

    fn clocks_apart_ms(&self) -> i64 {
        i64::try_from(self.options.clocks_apart.as_millis()).unwrap_or(i64::MAX)
    }

    /// The record of the resource that a customer means.
    fn resource_of(&self, customer: &CustomerRef, resource: &ResourceId) -> Option<&'a ResourceRecord> {
        let realm: RealmId = self.options.routing.realm(&customer.tenant, resource.kind());
        self.ledger.resources.get(&(realm, resource.clone()))
    }
}
