//! Runs behind the workflow ids of entities that no worker executes. Events for them are accepted, and nothing happens.
//!
//! They have a ledger of their own, which earlier builds do not read, because these do not know the cause.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cause, Finding};
use crate::ids::{CustomerId, ResourceId, TenantId, Timestamp};
use crate::kept_text::kept;
use crate::routing::{EntityAddress, Misplacement};

/// The most runs that are remembered from one sweep to the next.
pub const MISPLACED_MAX: usize = 100;

/// A run that no worker executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MisplacedRun {
    /// The namespace.
    pub namespace: String,
    /// The workflow id.
    pub workflow_id: String,
    /// The run.
    pub run_id: String,
    /// Its tenant. `None` for a resource of a realm that is not a tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The customer whose entity it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The resource whose entity it should be, unless its id is hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// When it started.
    pub since: Timestamp,
    /// What is wrong with it, as a sentence.
    pub detail: String,
    /// The command that makes the entity work again.
    pub remedy: String,
}

impl MisplacedRun {
    /// A run of this id that was started then, and what is wrong with it.
    pub fn of(misplacement: &Misplacement, run_id: String, since: Timestamp) -> Self {
        let (tenant, customer, resource) = match &misplacement.address {
            EntityAddress::Customer(customer) => (Some(customer.tenant.clone()), Some(customer.customer.clone()), None),
            EntityAddress::Resource { realm, kind, key } => {
                (realm.as_str().parse().ok(), None, ResourceId::new(kind.clone(), key).ok())
            }
        };
        let remedy = misplacement.remedy();
        Self {
            namespace: misplacement.namespace.clone(),
            workflow_id: misplacement.expected.workflow_id.clone(),
            run_id,
            tenant,
            customer,
            resource,
            since,
            detail: kept(format!("{misplacement}. Next: '{remedy}'.")),
            remedy,
        }
    }

    /// The finding that reports it.
    pub fn finding(&self) -> Finding {
        Finding {
            cause: Cause::RunMisplaced,
            tenant: self.tenant.clone(),
            customer: self.customer.clone(),
            order: None,
            resource: self.resource.clone(),
            target: None,
            since: self.since,
            detail: self.detail.clone(),
        }
    }
}

/// What sweeps remember about such runs, by the id of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MisplacedLedger {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    known: BTreeMap<String, MisplacedRun>,
}

/// What is new about such runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MisplacedNews {
    /// Runs that were not known before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<MisplacedRun>,
    /// Runs that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<MisplacedRun>,
    /// How many there are now.
    #[serde(default)]
    pub standing: u64,
}

impl MisplacedLedger {
    /// Takes what a sweep found. `None`: it could not look, and nothing is new.
    pub fn take(&mut self, found: Option<Vec<MisplacedRun>>) -> MisplacedNews {
        let Some(found) = found else {
            return MisplacedNews { standing: self.known.len() as u64, ..MisplacedNews::default() };
        };
        let mut known = std::mem::take(&mut self.known);
        let mut news = MisplacedNews { standing: found.len() as u64, ..MisplacedNews::default() };
        for run in found.into_iter().take(MISPLACED_MAX) {
            if known.remove(&run.run_id).is_none() {
                news.raised.push(run.clone());
            }
            self.known.insert(run.run_id.clone(), run);
        }
        news.cleared = known.into_values().collect();
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Routing, RoutingSettings};

    fn run(number: usize) -> MisplacedRun {
        let routing = Routing::new(RoutingSettings::default()).unwrap();
        let workflow_id = format!("blue/customer/A{number}");
        let misplacement = routing.misplaced("default", &workflow_id, "CustomerEntity", "orders").unwrap();
        MisplacedRun::of(&misplacement, format!("run-{number}"), Timestamp(7))
    }

    #[test]
    fn each_run_is_reported_once_when_it_is_found_and_once_when_it_is_gone() {
        let mut ledger = MisplacedLedger::default();
        assert_eq!(ledger.take(Some(vec![run(1), run(2)])).raised, [run(1), run(2)]);
        let mut ledger: MisplacedLedger = serde_json::from_value(serde_json::to_value(ledger).unwrap()).unwrap();
        let nothing_new = MisplacedNews { standing: 2, ..MisplacedNews::default() };
        assert_eq!(ledger.take(Some(vec![run(2), run(1)])), nothing_new);
        assert_eq!(ledger.take(None), nothing_new);
        let news = ledger.take(Some(vec![run(3), run(1)]));
        assert_eq!((news.raised, news.cleared, news.standing), (vec![run(3)], vec![run(2)], 2));
    }

    #[test]
    fn no_more_runs_are_remembered_than_the_limit_and_all_are_counted() {
        let mut ledger = MisplacedLedger::default();
        let news = ledger.take(Some((0..=MISPLACED_MAX).map(run).collect()));
        assert_eq!((news.raised.len(), news.standing), (MISPLACED_MAX, MISPLACED_MAX as u64 + 1));
        assert_eq!(ledger.known.len(), MISPLACED_MAX);
    }

    #[test]
    fn the_findings_of_two_customers_differ_and_name_what_to_run() {
        let (one, other) = (run(1).finding(), run(2).finding());
        assert_ne!(one.key(), other.key());
        assert!(one.detail.contains("'interlock customer recover A1 --misplaced --yes --tenant blue'"), "{one:?}");
    }
}
