//! Puts the facts of all histories together, by resource and by customer.
//!
//! A run that a reset created begins with a copy of another run's events. The copies are left out, and what the other run did after
//! the point of the reset is *undone*: it happened, but the entity no longer knows of it.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::ids::{CustomerRef, Epoch, RealmId, ResourceId};
use interlock_domain::resource::HolderName;
use uuid::Uuid;

use crate::facts::{
    At, Call, CustomerEnd, CustomerFacts, EntityFacts, HistoryFacts, LeaseHeld, OrderEnd, ResourceEnd, ResourceFacts,
    RunEnd, Tenure, TenureEnd, TurnFault,
};

/// A fact, the history that has it, and whether a reset undid it.
#[derive(Debug, Clone)]
pub(crate) struct Known<F> {
    pub(crate) fact: F,
    pub(crate) history: usize,
    pub(crate) undone: bool,
}

/// What is known of a resource.
#[derive(Debug, Default)]
pub(crate) struct ResourceRecord {
    /// Grants up to this epoch may be in histories that are no longer there.
    pub(crate) floor: Epoch,
    /// Sorted by epoch.
    pub(crate) tenures: Vec<Known<Tenure>>,
    /// The state at the end of its last run.
    pub(crate) state: Option<Known<ResourceEnd>>,
    pub(crate) last: Standing,
    /// Whether all its histories could be replayed: otherwise its tenures are incomplete.
    pub(crate) is_complete: bool,
}

/// What is known of a customer.
#[derive(Debug, Default)]
pub(crate) struct CustomerRecord {
    pub(crate) leases: Vec<Known<LeaseHeld>>,
    /// Sorted by time.
    pub(crate) calls: Vec<Known<Call>>,
    /// The calls under each lease, as places in `calls`.
    under: BTreeMap<(ResourceId, Epoch), Vec<usize>>,
    /// The calls with each idempotency key, as places in `calls`.
    by_key: BTreeMap<Uuid, Vec<usize>>,
    pub(crate) submitted: Vec<Known<(interlock_domain::ids::OrderId, At)>>,
    pub(crate) ended: Vec<Known<OrderEnd>>,
    pub(crate) turns_checked: u64,
    pub(crate) turn_faults: Vec<Known<TurnFault>>,
    /// The state at the end of each run that counts, in order.
    pub(crate) states: Vec<Known<CustomerEnd>>,
    pub(crate) last: Standing,
    /// Before this time, histories are missing.
    pub(crate) known_from_ms: i64,
    pub(crate) is_complete: bool,
}

/// How the last run of an entity stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It runs.
    #[default]
    Running,
    /// It was terminated or failed, and no run came after it.
    Dead,
    /// Its next run is not among the histories.
    Unknown,
}

/// All facts.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) histories: Vec<HistoryFacts>,
    pub(crate) resources: BTreeMap<(RealmId, ResourceId), ResourceRecord>,
    pub(crate) customers: BTreeMap<CustomerRef, CustomerRecord>,
    /// The time of the latest event.
    pub(crate) latest_ms: i64,
}

/// The runs of one workflow, in order.
struct Chain<'a> {
    histories: &'a [HistoryFacts],
    runs: Vec<usize>,
    /// Runs that a reset undid as a whole, and the event from which it undid others.
    undone_from: BTreeMap<&'a str, i64>,
}

impl Ledger {
    /// Puts these facts together.
    pub(crate) fn of(histories: Vec<HistoryFacts>) -> Self {
        let mut ledger = Self { latest_ms: i64::MIN, ..Self::default() };
        let mut by_workflow: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, history) in histories.iter().enumerate() {
            ledger.latest_ms = ledger.latest_ms.max(history.last.ms);
            by_workflow.entry(&history.workflow_id).or_default().push(index);
        }
        for runs in by_workflow.into_values() {
            let chain = Chain::of(&histories, runs);
            chain.add_to(&mut ledger.resources, &mut ledger.customers);
        }
        for record in ledger.customers.values_mut() {
            record.calls.sort_by_key(|call| call.fact.scheduled.ms);
            for (index, call) in record.calls.iter().enumerate() {
                record.by_key.entry(call.fact.key).or_default().push(index);
                for (resource, epoch) in &call.fact.epochs {
                    record.under.entry((resource.clone(), *epoch)).or_default().push(index);
                }
            }
        }
        ledger.histories = histories;
        ledger
    }

    /// The number of orders that have not ended.
    pub(crate) fn open_orders(&self) -> u64 {
        let last = |record: &CustomerRecord| record.states.iter().rev().find(|state| !state.undone).cloned();
        let running = self.customers.values().filter(|record| record.last == Standing::Running);
        running.filter_map(last).map(|state| u64::try_from(state.fact.open.len()).unwrap_or(u64::MAX)).sum()
    }

    /// The calls of a customer under the lease of a resource with this epoch.
    pub(crate) fn calls_under<'a>(
        &'a self,
        customer: &CustomerRef,
        resource: &ResourceId,
        epoch: Epoch,
    ) -> impl Iterator<Item = &'a Known<Call>> + use<'a> {
        let record = self.customers.get(customer);
        let under = record.and_then(|record| record.under.get(&(resource.clone(), epoch)));
        let calls = record.map_or(&[][..], |record| &record.calls);
        under.into_iter().flatten().filter_map(|index| calls.get(*index))
    }
}

impl CustomerRecord {
    /// The calls with this idempotency key.
    pub(crate) fn calls_with(&self, key: Uuid) -> impl Iterator<Item = &Known<Call>> {
        self.by_key.get(&key).into_iter().flatten().filter_map(|index| self.calls.get(*index))
    }
}

impl<'a> Chain<'a> {
    fn of(histories: &'a [HistoryFacts], mut runs: Vec<usize>) -> Self {
        // The runs that a reset made begin with the same event as the run that was reset: those come later.
        let last_reset = |index: usize| histories[index].reset.as_ref().map_or(0, |reset| reset.event);
        runs.sort_by_key(|index| {
            let history = &histories[*index];
            (history.began, history.reset.is_some(), history.last.ms, last_reset(*index))
        });
        let mut chain = Self { histories, runs, undone_from: BTreeMap::new() };
        for index in chain.runs.clone() {
            if let Some(reset) = &histories[index].reset {
                chain.undo(&reset.base_run_id, reset.event - 1, &histories[index].run_id);
            }
        }
        chain
    }

    /// A reset undid a run from this event on, and the runs that continued it.
    fn undo(&mut self, run_id: &'a str, event: i64, by: &str) {
        let mut seen = BTreeSet::new();
        let mut pending = vec![(run_id, event)];
        while let Some((run_id, event)) = pending.pop() {
            if !seen.insert(run_id) {
                continue;
            }
            let from = self.undone_from.entry(run_id).or_insert(event);
            *from = (*from).min(event);
            let next = self.runs.iter().map(|index| &self.histories[*index]);
            let next = next.filter(|next| next.continues.as_deref() == Some(run_id) && next.reset.is_none());
            pending.extend(next.filter(|next| next.run_id != by).map(|next| (next.run_id.as_str(), 0)));
        }
    }

    fn has(&self, run_id: &str) -> bool {
        self.runs.iter().any(|index| self.histories[*index].run_id == run_id)
    }

    /// The first event of a run that is its own, and not a copy of a run that is there, too.
    fn own_from(&self, history: &HistoryFacts) -> i64 {
        history.reset.as_ref().filter(|reset| self.has(&reset.base_run_id)).map_or(i64::MIN, |reset| reset.event - 1)
    }

    /// A fact at this place, unless it is a copy.
    fn known<F>(&self, index: usize, at: At, fact: F) -> Option<Known<F>> {
        let history = &self.histories[index];
        let undone = self.undone_from.get(history.run_id.as_str()).is_some_and(|from| at.event >= *from);
        (at.event >= self.own_from(history)).then_some(Known { fact, history: index, undone })
    }

    fn standing(&self) -> Standing {
        match self.last().map(|history| &history.end) {
            Some(RunEnd::Open) => Standing::Running,
            Some(RunEnd::ContinuedAsNew { .. }) | None => Standing::Unknown,
            Some(RunEnd::Dead { .. }) => Standing::Dead,
        }
    }

    /// The run that is current: one that is open, or else the last one.
    fn last_index(&self) -> Option<usize> {
        let open = self.runs.iter().rev().find(|index| self.histories[**index].end == RunEnd::Open);
        open.or(self.runs.last()).copied()
    }

    fn last(&self) -> Option<&'a HistoryFacts> {
        self.last_index().map(|index| &self.histories[index])
    }

    /// Whether the run before this one is not there.
    fn is_cut_off(&self, history: &HistoryFacts) -> bool {
        history.continues.as_ref().is_some_and(|before| !self.has(before))
    }

    fn add_to(
        &self,
        resources: &mut BTreeMap<(RealmId, ResourceId), ResourceRecord>,
        customers: &mut BTreeMap<CustomerRef, CustomerRecord>,
    ) {
        let is_complete = self.runs.iter().all(|index| self.histories[*index].replay_fault.is_none());
        for index in &self.runs {
            let history = &self.histories[*index];
            match &history.entity {
                EntityFacts::Resource(facts) => {
                    let key = (facts.realm.clone(), facts.resource.clone());
                    let record = resources.entry(key).or_default();
                    (record.is_complete, record.last) = (is_complete, self.standing());
                    self.add_resource(record, *index, facts);
                }
                EntityFacts::Customer(facts) => {
                    let record = customers
                        .entry(facts.me.clone())
                        .or_insert_with(|| CustomerRecord { known_from_ms: i64::MIN, ..CustomerRecord::default() });
                    (record.is_complete, record.last) = (is_complete, self.standing());
                    self.add_customer(record, *index, facts);
                }
                EntityFacts::Other => {}
            }
        }
    }

    fn add_resource(&self, record: &mut ResourceRecord, index: usize, facts: &ResourceFacts) {
        let history = &self.histories[index];
        if self.is_cut_off(history) {
            record.floor = record.floor.max(facts.floor);
        }
        let undone_from = self.undone_from.get(history.run_id.as_str()).copied().unwrap_or(i64::MAX);
        for tenure in &facts.tenures {
            let mut tenure = tenure.clone();
            // What ended it was undone: the next run says how it went on.
            tenure.ended = tenure.ended.filter(|end| end.at.event < undone_from);
            let undone = tenure.began.event >= undone_from;
            if tenure.ended.is_none() && undone_from == i64::MAX {
                tenure.ended = ended_with(history);
            }
            // Only what an earlier run had can be there already.
            let same = |known: &&mut Known<Tenure>| known.fact.epoch == tenure.epoch && known.fact.who == tenure.who;
            let may_be_known = tenure.carried || history.reset.is_some();
            let known = if may_be_known { record.tenures.iter_mut().rev().find(same) } else { None };
            if let Some(known) = known {
                known.undone &= undone;
                (known.fact.ended, known.history) = (tenure.ended, index);
                continue;
            }
            record.tenures.push(Known { fact: tenure, history: index, undone });
        }
        record.tenures.sort_by_key(|known| known.fact.epoch);
        if self.last_index() == Some(index) {
            record.state = Some(Known { fact: facts.state.clone(), history: index, undone: false });
        }
    }

    fn add_customer(&self, record: &mut CustomerRecord, index: usize, facts: &CustomerFacts) {
        let history = &self.histories[index];
        if self.is_cut_off(history) {
            record.known_from_ms = record.known_from_ms.max(history.began.ms);
        }
        let is_over = history.end != RunEnd::Open;
        record.leases.extend(facts.leases.iter().filter_map(|lease| {
            // It was granted before the point of the reset, and in doubt since: the run that was reset says until when it was held.
            if lease.doubted && lease.from.event < self.own_from(history) {
                return None;
            }
            let mut lease = lease.clone();
            // Nobody holds it in a run that has ended: the next run has it, or it is lost.
            lease.until = lease.until.or(is_over.then_some(history.last));
            let at = lease.until.unwrap_or(history.last).max(lease.from);
            self.known(index, at, lease)
        }));
        for call in &facts.calls {
            self.add_call(record, index, call);
        }
        record.submitted.extend(facts.submitted.iter().filter_map(|s| self.known(index, s.1, s.clone())));
        record.ended.extend(facts.ended.iter().filter_map(|end| self.known(index, end.at, end.clone())));
        record.turns_checked += facts.turns.checked;
        record.turn_faults.extend(facts.turns.faults.iter().filter_map(|f| self.known(index, f.at, f.clone())));
        let undone = self.undone_from.contains_key(history.run_id.as_str());
        record.states.push(Known { fact: facts.state.clone(), history: index, undone });
    }

    /// A call that was under way at the point of a reset is in both runs. If it ended before the reset was made, the run that was reset knows
    /// its end, and the later run has it called again, which reads back first; otherwise the later run knows its end.
    fn add_call(&self, record: &mut CustomerRecord, index: usize, call: &Call) {
        if let Some(known) = self.known(index, call.scheduled, call.clone()) {
            record.calls.push(known);
            return;
        }
        let same = |known: &&mut Known<Call>| known.fact.scheduled == call.scheduled && known.fact.key == call.key;
        if let Some(known) = record.calls.iter_mut().find(same) {
            known.fact.closed = known.fact.closed.or(call.closed);
        }
    }
}

/// The end of what was not handed on when a run died.
fn ended_with(history: &HistoryFacts) -> Option<TenureEnd> {
    let RunEnd::Dead { how } = &history.end else { return None };
    let (proof, without_call, by_person) = (None, false, false);
    Some(TenureEnd { at: history.last, how: how.clone(), proof, without_call, by_person, was_orphan: true })
}

/// The customer of a tenure, if it is one.
pub(crate) fn customer_of(tenure: &Tenure) -> Option<&CustomerRef> {
    match &tenure.who {
        HolderName::Customer(customer) => Some(customer),
        HolderName::TargetIdentity(_) => None,
    }
}
