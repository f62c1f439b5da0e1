//! P2: a number has one holder at a time at the network, and in the end ledger and network agree.

use std::collections::{BTreeMap, BTreeSet};

use interlock_adapters::sandbox::{Applied, Effect, hand_over_faults};
use interlock_domain::ids::ResourceId;
use interlock_operations::inspection::{Inspection, InspectionError};

use super::{Evidence, Verdict};
use crate::error::BatteryError;

/// Every write that gave a number to one subscription while another still had it.
pub(super) fn hand_over(evidence: &Evidence<'_>) -> Verdict {
    let assigned =
        |log: &Vec<Applied>| log.iter().filter(|entry| matches!(entry.effect, Effect::PrimaryNumberSet { .. })).count();
    let checked = format!("{} registrations of numbers", evidence.logs.hss.iter().map(assigned).sum::<usize>());
    let mut verdict = Verdict::new("P2 hand-over", checked);
    for (tenant, log) in evidence.logs.hss.iter().enumerate() {
        for fault in hand_over_faults(log) {
            verdict.violated(format!(
                "{}: {fault}; {}",
                evidence.tenants[tenant].id,
                around(log, &fault.msisdn, fault.seq)
            ));
        }
    }
    verdict
}

/// The last five entries of a number up to one entry.
fn around(log: &[Applied], number: &str, seq: u64) -> String {
    let of_number =
        log.iter().filter(|entry| entry.seq <= seq && of(&entry.effect).is_some_and(|(of, _)| of == number));
    let shown = of_number.map(|entry| {
        let key = entry.idempotency_key.as_deref().unwrap_or("no key");
        let epoch = entry.epoch.map_or_else(|| "no epoch".to_owned(), |epoch| epoch.to_string());
        format!("[{} {} {:?} key {key} epoch {epoch}]", entry.seq, entry.at, entry.effect)
    });
    let shown: Vec<String> = shown.collect();
    shown[shown.len().saturating_sub(5)..].join(" ")
}

/// The number and the subscription of an effect.
fn of(effect: &Effect) -> Option<(&str, &str)> {
    match effect {
        Effect::PrimaryNumberSet { msisdn, imsi }
        | Effect::PrimaryNumberCleared { msisdn, imsi }
        | Effect::NumberAssigned { msisdn, imsi }
        | Effect::NumberReleased { msisdn, imsi } => Some((msisdn, imsi)),
        _ => None,
    }
}

/// Who has each number in the end, in either table of the HSS.
fn registered(log: &[Applied]) -> BTreeMap<String, BTreeSet<String>> {
    let mut rows: BTreeMap<(&str, String, String), i64> = BTreeMap::new();
    for entry in log {
        let (table, by) = match &entry.effect {
            Effect::PrimaryNumberSet { .. } => ("subscriber", 1),
            Effect::PrimaryNumberCleared { .. } => ("subscriber", -1),
            Effect::NumberAssigned { .. } => ("ims_subscriber", 1),
            Effect::NumberReleased { .. } => ("ims_subscriber", -1),
            Effect::SimSwapped { table, old_imsi, new_imsi } => {
                for ((of_table, number, imsi), count) in std::mem::take(&mut rows) {
                    let imsi = if of_table == table && imsi == *old_imsi { new_imsi.clone() } else { imsi };
                    *rows.entry((of_table, number, imsi)).or_default() += count;
                }
                continue;
            }
            _ => continue,
        };
        if let Some((number, imsi)) = of(&entry.effect) {
            *rows.entry((table, number.to_owned(), imsi.to_owned())).or_default() += by;
        }
    }
    let mut registered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((_, number, imsi), count) in rows {
        if count > 0 {
            registered.entry(number).or_default().insert(imsi);
        }
    }
    registered
}

/// Whether each number's ledger names the one that the network has it registered to.
pub(super) async fn as_in_the_ledger(evidence: &Evidence<'_>) -> Result<Verdict, BatteryError> {
    let mut numbers = 0;
    let inspection = Inspection::new(evidence.stage.platform.installation.clone());
    let mut violations = Vec::new();
    for (tenant, of_tenant) in evidence.tenants.iter().enumerate() {
        let mut at_network = registered(&evidence.logs.hss[tenant]);
        for number in &of_tenant.numbers {
            numbers += 1;
            let resource: ResourceId = format!("msisdn/{number}")
                .parse()
                .map_err(|_| BatteryError::Unjudged { what: "reading a number", reason: number.clone() })?;
            let at_network = at_network.remove(number).unwrap_or_default();
            let view = match inspection.resource(&of_tenant.id, &resource).await {
                Ok(view) => view,
                Err(InspectionError::NeverSeen(_)) if at_network.is_empty() => continue,
                Err(error) => {
                    violations.push(format!("{resource} does not answer: {error}"));
                    continue;
                }
            };
            let holder = view.holder.as_ref().and_then(|holder| Some(holder.customer_id.as_ref()?.to_string()));
            let expected: BTreeSet<String> = at_network.iter().map(|imsi| owner(of_tenant, imsi)).collect();
            let is_same = expected.len() <= 1 && expected.first() == holder.as_ref();
            if !is_same || !view.queue.is_empty() {
                violations.push(format!(
                    "{resource} of {}: the ledger says {holder:?} at epoch {} with {} waiting, the network {at_network:?}",
                    of_tenant.id,
                    view.epoch,
                    view.queue.len()
                ));
            }
        }
    }
    let checked = format!("{numbers} numbers");
    Ok(Verdict { violations, ..Verdict::new("ledger equals network", checked) })
}

/// The customer of a SIM. Ids of SIMs end with the place of their customer.
fn owner(tenant: &crate::load::population::Tenant, imsi: &str) -> String {
    let place = imsi.len().checked_sub(8).and_then(|at| imsi[at..].parse::<usize>().ok());
    place.map_or_else(|| imsi.to_owned(), |place| tenant.person(place).id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::population::populate;

    #[test]
    fn a_sim_belongs_to_its_person() {
        for tenant in populate(20, 4) {
            let person = tenant.person(7);
            assert!(person.sims.iter().all(|sim| owner(&tenant, sim) == person.id));
        }
    }
}
