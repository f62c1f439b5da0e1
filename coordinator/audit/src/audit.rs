//! The audit: takes in histories and logs, and gives the verdict.

use std::path::Path;

use interlock_domain::ids::{Epoch, ResourceId};
use interlock_domain::routing::{CUSTOMER_WORKFLOW_TYPE, EntityAddress, RESOURCE_WORKFLOW_TYPE};
use interlock_replay::Replayer;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

use crate::checks::Judge;
use crate::error::AuditError;
use crate::facts::{
    CustomerFacts, EntityFacts, HistoryFacts, HistoryUnreadable, Identity, Recorded, ResourceFacts, RunEnd, Seen,
    SeenCustomer, Witnessed, identify, place_of, read_events,
};
use crate::history_file;
use crate::ledger::Ledger;
use crate::options::Options;
use crate::target_log::TargetLog;
use crate::verdict::{PromiseVerdict, Verdict};

/// An audit of histories.
#[derive(Debug)]
pub struct Audit {
    pub(crate) options: Options,
    replayer: Replayer<Witnessed>,
    facts: Vec<HistoryFacts>,
    kept: usize,
    left_out: u64,
    target_logs: Vec<TargetLog>,
}

impl Audit {
    /// An audit without histories. It starts a thread that replays.
    ///
    /// # Errors
    /// [`AuditError::Replayer`] if the thread cannot start.
    pub fn new(options: Options) -> Result<Self, AuditError> {
        let replayer = Replayer::start()?;
        Ok(Self { options, replayer, facts: Vec::new(), kept: 0, left_out: 0, target_logs: Vec::new() })
    }

    /// Takes in one history, decrypted: the events of one run, from its start. The order of histories does not matter.
    ///
    /// # Errors
    /// [`AuditError::History`] if it is not a history. A history that does not replay is a violation, which the verdict reports.
    pub async fn add_history(&mut self, events: Vec<HistoryEvent>) -> Result<(), AuditError> {
        let facts = self.facts_of(events).await.map_err(|fault| fault.into_error("a history"))?;
        self.keep(facts);
        Ok(())
    }

    /// Takes in all histories in a folder and the folders in it: files `*.json` and `*.json.gz`, in the JSON form of Temporal's Rust
    /// SDK. Returns how many there were.
    ///
    /// # Errors
    /// [`AuditError::History`] names the first file that is not a history.
    pub async fn add_folder(&mut self, folder: &Path) -> Result<u64, AuditError> {
        let files = history_file::below(folder)?;
        for file in &files {
            let named = |fault: HistoryUnreadable| AuditError::History(file.display().to_string(), fault);
            let events = history_file::read(file).map_err(named)?;
            let facts = self.facts_of(events).await.map_err(|fault| fault.into_error(&file.display().to_string()))?;
            self.keep(facts);
        }
        Ok(u64::try_from(files.len()).unwrap_or(u64::MAX))
    }

    /// Takes in a target's own log.
    pub fn add_target_log(&mut self, log: TargetLog) {
        self.target_logs.push(log);
    }

    /// Judges what was taken in.
    pub fn verdict(self) -> Verdict {
        let ledger = Ledger::of(self.facts);
        let findings = Judge::new(&ledger, &self.options, &self.target_logs).all();
        let promises: Vec<PromiseVerdict> = findings.iter().map(|findings| findings.verdict.clone()).collect();
        let is_kept = promises.iter().all(|promise| promise.violations == 0);
        Verdict {
            clean: is_kept && self.left_out == 0,
            histories: u64::try_from(ledger.histories.len()).unwrap_or(u64::MAX),
            left_out: self.left_out,
            customers: u64::try_from(ledger.customers.len()).unwrap_or(u64::MAX),
            resources: u64::try_from(ledger.resources.len()).unwrap_or(u64::MAX),
            open_orders: ledger.open_orders(),
            promises,
            violations: findings.into_iter().flat_map(|findings| findings.violations).collect(),
        }
    }

    /// Keeps facts, as far as there is room.
    pub(crate) fn keep(&mut self, facts: HistoryFacts) {
        let count = facts.count();
        if self.kept + count > self.options.facts_max {
            self.left_out += 1;
            return;
        }
        self.kept += count;
        self.facts.push(facts);
    }

    /// Replays a history, and extracts its facts.
    pub(crate) async fn facts_of(&self, events: Vec<HistoryEvent>) -> Result<HistoryFacts, Unused> {
        let identity = identify(&events)?;
        let recorded = read_events(&identity.workflow_id, &events);
        let (began, last) = (events.first().map(place_of), events.last().map(place_of));
        let (replay_fault, seen) = if recorded.taken_to == 0 {
            // No workflow task has completed: there is nothing to replay.
            (None, Seen::Nothing)
        } else {
            let replayed = self.replayer.replay(identity.run_id.clone(), events).await.map_err(AuditError::from)?;
            (replayed.fault, replayed.seen)
        };
        Ok(HistoryFacts {
            began: began.unwrap_or_default(),
            last: last.unwrap_or_default(),
            taken_to: recorded.taken_to,
            repeats_from_ms: recorded.repeats_from_ms.clone(),
            end: recorded.end.clone().unwrap_or(RunEnd::Open),
            replay_fault,
            entity: entity(&identity, recorded, seen),
            workflow_id: identity.workflow_id,
            run_id: identity.run_id,
            continues: identity.continues,
            reset: identity.reset,
        })
    }
}

/// Why a history was not used.
#[derive(Debug)]
pub(crate) enum Unused {
    Unreadable(HistoryUnreadable),
    Failed(AuditError),
}

impl Unused {
    pub(crate) fn into_error(self, what: &str) -> AuditError {
        match self {
            Self::Unreadable(fault) => AuditError::History(what.to_owned(), fault),
            Self::Failed(error) => error,
        }
    }
}

impl From<HistoryUnreadable> for Unused {
    fn from(fault: HistoryUnreadable) -> Self {
        Self::Unreadable(fault)
    }
}

impl From<AuditError> for Unused {
    fn from(error: AuditError) -> Self {
        Self::Failed(error)
    }
}

/// What was recorded and seen of an entity.
fn entity(identity: &Identity, recorded: Recorded, seen: Seen) -> EntityFacts {
    match (seen, identity.workflow_id.parse()) {
        (Seen::Resource(seen), _) => EntityFacts::Resource(seen.facts),
        (Seen::Customer(seen), Ok(EntityAddress::Customer(me))) => {
            EntityFacts::Customer(customer(CustomerFacts::blank(me), recorded, *seen))
        }
        // Nothing was replayed, or it failed before the machine took anything.
        (Seen::Nothing, Ok(EntityAddress::Customer(me))) if identity.workflow_type == CUSTOMER_WORKFLOW_TYPE => {
            EntityFacts::Customer(customer(CustomerFacts::blank(me), recorded, SeenCustomer::default()))
        }
        (Seen::Nothing, Ok(EntityAddress::Resource { realm, kind, key }))
            if identity.workflow_type == RESOURCE_WORKFLOW_TYPE =>
        {
            match ResourceId::new(kind, &key) {
                Ok(resource) => EntityFacts::Resource(ResourceFacts {
                    realm,
                    resource,
                    floor: Epoch(0),
                    tenures: Vec::new(),
                    state: crate::facts::ResourceEnd::default(),
                }),
                Err(_) => EntityFacts::Other,
            }
        }
        _ => EntityFacts::Other,
    }
}

fn customer(blank: CustomerFacts, recorded: Recorded, seen: SeenCustomer) -> CustomerFacts {
    let mut calls = recorded.calls;
    for call in &mut calls {
        if let Some((named, compensates)) = seen.steps.get(&(call.order.clone(), call.step.clone())) {
            (call.named, call.compensates) = (Some(named.clone()), *compensates);
        }
    }
    CustomerFacts {
        leases: seen.leases,
        calls,
        submitted: recorded.submitted,
        ended: seen.ended,
        turns: seen.turns,
        state: seen.state,
        ..blank
    }
}
