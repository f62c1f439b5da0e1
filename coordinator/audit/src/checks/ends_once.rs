//! Each accepted event ends exactly once.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::ids::{CustomerRef, OrderId};
use uuid::Uuid;

use super::Judge;
use crate::facts::RunEnd;
use crate::ledger::{CustomerRecord, Standing};
use crate::verdict::{About, Findings, Where};

impl Judge<'_> {
    pub(super) fn ends_once(&self, findings: &mut Findings) {
        for (customer, record) in &self.ledger.customers {
            self.ends(findings, record);
            self.steps_end(findings, record);
            self.none_vanishes(findings, customer, record);
            self.none_is_lost(findings, record);
        }
    }

    /// An order ends once. A run that a reset undid does not count, and an order that a rejection ended may come again.
    fn ends(&self, findings: &mut Findings, record: &CustomerRecord) {
        let mut ended: BTreeSet<&OrderId> = BTreeSet::new();
        for end in record.ended.iter().filter(|end| !end.undone && end.fact.state != "rejected") {
            findings.checked();
            let Some(order) = &end.fact.order else { continue };
            if !ended.insert(order) {
                let about = About { order: Some(order), ..About::default() };
                let detail = format!("the order ends a second time, as {}", end.fact.state);
                findings.violated(self.place(end, end.fact.at), &about, detail);
            }
        }
    }

    /// A step of an order has its effect once within a life of the customer: after that it is not called again.
    fn steps_end(&self, findings: &mut Findings, record: &CustomerRecord) {
        // By key, the life of the customer in which the effect was recorded.
        let mut done: BTreeMap<Uuid, (usize, i64)> = BTreeMap::new();
        for call in record.calls.iter().filter(|call| !call.undone) {
            let life = self.life_of(record, call.history);
            if let Some((_, closed)) = done.get(&call.fact.key).filter(|(in_life, _)| *in_life == life)
                && call.fact.scheduled.ms > *closed
            {
                findings.checked();
                let about = About { order: Some(&call.fact.order), ..About::default() };
                let detail = format!("the step {} is called again after it had its effect", call.fact.step);
                findings.violated(self.place(call, call.fact.scheduled), &about, detail);
            }
            if let Some((closed, closing)) = call.fact.closed
                && closing.is_effective()
            {
                findings.checked();
                done.insert(call.fact.key, (life, closed.ms));
            }
        }
    }

    /// The life of the customer that a run belongs to: how many runs before it died, or were undone by a reset.
    fn life_of(&self, record: &CustomerRecord, history: usize) -> usize {
        let is_end = |state: &usize| matches!(self.ledger.histories[*state].end, RunEnd::Dead { .. });
        record.states.iter().map(|state| state.history).take_while(|state| *state != history).filter(is_end).count()
    }

    /// What was accepted has ended or is open, in every run.
    fn none_vanishes(&self, findings: &mut Findings, customer: &CustomerRef, record: &CustomerRecord) {
        if !record.is_complete {
            return findings.unchecked();
        }
        for state in record.states.iter().filter(|state| !state.undone) {
            findings.checked();
            let open = u64::try_from(state.fact.open.len()).unwrap_or(u64::MAX);
            if state.fact.accepted > state.fact.ended.saturating_add(open) {
                let history = &self.ledger.histories[state.history];
                let place = Where { workflow_id: &history.workflow_id, run_id: &history.run_id, at: history.last };
                let detail = format!(
                    "{customer} accepted {} events, of which {} ended and {open} are open",
                    state.fact.accepted, state.fact.ended
                );
                findings.violated(place, &About::default(), detail);
            }
        }
    }

    /// Each event that was signalled ended, or is open in the present run.
    fn none_is_lost(&self, findings: &mut Findings, record: &CustomerRecord) {
        if !record.is_complete || record.last == Standing::Unknown {
            return;
        }
        let ended: BTreeSet<&OrderId> = record.ended.iter().filter_map(|end| end.fact.order.as_ref()).collect();
        let last = record.states.iter().rev().find(|state| !state.undone);
        let is_running = record.last == Standing::Running;
        let open: BTreeSet<&OrderId> =
            last.filter(|_| is_running).into_iter().flat_map(|state| &state.fact.open).collect();
        let mut told: BTreeSet<&OrderId> = BTreeSet::new();
        for submitted in record.submitted.iter().filter(|submitted| told.insert(&submitted.fact.0)) {
            let (order, at) = &submitted.fact;
            // An order that ended before the first history that is still there: this is a duplicate.
            let is_old = record.known_from_ms > i64::MIN && !open.contains(order) && !ended.contains(order);
            if open.contains(order) {
                findings.checked();
                if self.options.settled {
                    let about = About { order: Some(order), ..About::default() };
                    findings.violated(self.place(submitted, *at), &about, "the order has not ended".to_owned());
                }
            } else if ended.contains(order) {
                findings.checked();
            } else if submitted.undone {
                // The operator who reset the workflow left the signal out.
                findings.excused();
            } else if is_old || self.is_not_taken_in(submitted.history, at.event) {
                findings.unchecked();
            } else {
                findings.checked();
                let about = About { order: Some(order), ..About::default() };
                let detail = match self.ledger.histories[submitted.history].end {
                    RunEnd::Dead { ref how } => format!(
                        "the event was accepted by a run that was {how}, and was not submitted again: 'interlock customer recover' does that"
                    ),
                    _ => "the event was accepted, and its order neither ended nor is open".to_owned(),
                };
                findings.violated(self.place(submitted, *at), &about, detail);
            }
        }
    }

    /// Whether an event came at the end of a history that is still open, and no workflow task has taken it.
    fn is_not_taken_in(&self, history: usize, event: i64) -> bool {
        let history = &self.ledger.histories[history];
        history.end == RunEnd::Open && event > history.taken_to
    }
}
