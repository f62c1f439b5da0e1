//! Epochs grow: each grant of a resource has a higher epoch than all before, and calls never go back to an older one.

use std::collections::BTreeMap;

use interlock_domain::ids::ResourceId;

use super::Judge;
use super::one_holder::name;
use crate::facts::{Call, Tenure};
use crate::ledger::{Known, ResourceRecord};
use crate::verdict::{About, Findings};

impl Judge<'_> {
    pub(super) fn epochs_grow(&self, findings: &mut Findings) {
        for ((_, resource), record) in &self.ledger.resources {
            self.grants_grow(findings, resource, record);
        }
        let mut by_resource: BTreeMap<_, Vec<&Known<Call>>> = BTreeMap::new();
        for (customer, record) in &self.ledger.customers {
            for call in &record.calls {
                for resource in call.fact.epochs.keys() {
                    let realm = self.options.routing.realm(&customer.tenant, resource.kind());
                    by_resource.entry((realm, resource)).or_default().push(call);
                }
            }
        }
        for ((_, resource), mut calls) in by_resource {
            calls.sort_by_key(|call| call.fact.scheduled.ms);
            self.calls_grow(findings, resource, &calls);
        }
    }

    fn grants_grow(&self, findings: &mut Findings, resource: &ResourceId, record: &ResourceRecord) {
        let mut began: Vec<&Known<Tenure>> = record.tenures.iter().filter(|t| !t.undone && !t.fact.carried).collect();
        began.sort_by_key(|tenure| tenure.fact.began);
        for pair in began.windows(2) {
            let [earlier, later] = pair else { continue };
            findings.checked();
            // Within one workflow task the epochs are the only order.
            let is_later = later.fact.began > earlier.fact.began;
            if later.fact.epoch < earlier.fact.epoch && is_later {
                let about = About { order: None, resource: Some(resource), epoch: Some(later.fact.epoch) };
                let detail = format!(
                    "{} was granted a lower epoch than {} before it, which had {}",
                    name(&later.fact.who),
                    name(&earlier.fact.who),
                    earlier.fact.epoch
                );
                findings.violated(self.place(later, later.fact.began), &about, detail);
            }
        }
    }

    /// The calls are sorted by the time at which they were scheduled.
    fn calls_grow(&self, findings: &mut Findings, resource: &ResourceId, calls: &[&Known<Call>]) {
        let mut highest: Option<&Known<Call>> = None;
        for call in calls {
            let epoch = call.fact.epochs.get(resource).copied().unwrap_or_default();
            let known = highest.map(|call| call.fact.epochs.get(resource).copied().unwrap_or_default());
            findings.checked();
            if let (Some(before), Some(known)) = (highest, known)
                && epoch < known
            {
                let is_clear = call.fact.scheduled.ms > before.fact.scheduled.ms.saturating_add(self.clocks_apart_ms());
                if call.undone || before.undone {
                    findings.excused();
                } else if is_clear {
                    let about = About { order: Some(&call.fact.order), resource: Some(resource), epoch: Some(epoch) };
                    let detail = format!("a call starts with an older epoch than an earlier call, which had {known}");
                    findings.violated(self.place(call, call.fact.scheduled), &about, detail);
                }
                continue;
            }
            highest = Some(call);
        }
    }
}
