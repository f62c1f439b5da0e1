//! The orders of one customer and target start in the order of their keys, as far as they are known and not started. The rule itself is
//! in `facts/witnessed.rs`, where the machine shows which orders it knows.

use super::Judge;
use crate::verdict::{About, Findings};

impl Judge<'_> {
    pub(super) fn in_turn(&self, findings: &mut Findings) {
        for record in self.ledger.customers.values() {
            findings.verdict.checked += record.turns_checked;
            for fault in &record.turn_faults {
                let about = About { order: Some(&fault.fact.order), ..About::default() };
                let detail =
                    format!("a call to {} starts: {} ({})", fault.fact.target, fault.fact.why, fault.fact.other);
                findings.violated(self.place(fault, fault.fact.at), &about, detail);
            }
        }
    }
}
