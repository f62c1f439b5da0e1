//! Judges a log: was every number handed over properly, or did two parties have it at once?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::applied::{Applied, Effect};

/// A write that gave a number to one party while another still had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOverFault {
    /// The entry of the log for that write.
    pub seq: u64,
    /// The number.
    pub msisdn: String,
    /// Who got it.
    pub imsi: String,
    /// Who had it.
    pub held_by: Vec<String>,
}

impl fmt::Display for HandOverFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, msisdn, imsi, held_by } = self;
        write!(f, "entry {seq}: {imsi} got {msisdn} while {} still had it", held_by.join(" and "))
    }
}

/// Who has a number, in which table, and in how many of its rows.
type Holders = BTreeMap<String, BTreeMap<(&'static str, String), usize>>;

/// Goes through the log of a sandbox HSS and finds every write that broke a hand-over. It needs only the log.
pub fn hand_over_faults(log: &[Applied]) -> Vec<HandOverFault> {
    let mut holders = Holders::new();
    let mut faults = Vec::new();
    for entry in log {
        match &entry.effect {
            Effect::PrimaryNumberSet { msisdn, imsi } => {
                faults.extend(give(&mut holders, "subscriber", msisdn, imsi, entry.seq));
            }
            Effect::NumberAssigned { msisdn, imsi } => {
                faults.extend(give(&mut holders, "ims_subscriber", msisdn, imsi, entry.seq));
            }
            Effect::PrimaryNumberCleared { msisdn, imsi } => take(&mut holders, "subscriber", msisdn, imsi),
            Effect::NumberReleased { msisdn, imsi } => take(&mut holders, "ims_subscriber", msisdn, imsi),
            Effect::SimSwapped { old_imsi, new_imsi, .. } => {
                // One customer under two identities. Whether another party has the number is judged for both together.
                for of_number in holders.values_mut() {
                    for ((table, imsi), rows) in std::mem::take(of_number) {
                        let imsi = if imsi == *old_imsi { new_imsi.clone() } else { imsi };
                        *of_number.entry((table, imsi)).or_default() += rows;
                    }
                }
            }
            _ => {}
        }
    }
    faults
}

fn give(holders: &mut Holders, table: &'static str, msisdn: &str, imsi: &str, seq: u64) -> Option<HandOverFault> {
    let of_number = holders.entry(msisdn.to_owned()).or_default();
    let others: BTreeSet<&String> =
        of_number.keys().map(|(_, holder)| holder).filter(|holder| *holder != imsi).collect();
    let held_by: Vec<String> = others.into_iter().cloned().collect();
    *of_number.entry((table, imsi.to_owned())).or_default() += 1;
    let fault = HandOverFault { seq, msisdn: msisdn.to_owned(), imsi: imsi.to_owned(), held_by };
    (!fault.held_by.is_empty()).then_some(fault)
}

fn take(holders: &mut Holders, table: &'static str, msisdn: &str, imsi: &str) {
    let Some(of_number) = holders.get_mut(msisdn) else { return };
    let place = (table, imsi.to_owned());
    match of_number.get_mut(&place) {
        Some(rows) if *rows > 1 => *rows -= 1,
        _ => {
            of_number.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn log(effects: &[Value]) -> Vec<Applied> {
        let entry = |(index, effect): (usize, &Value)| {
            let mut entry = json!({
                "seq": index + 1, "at": "", "target": "hss", "request": index, "method": "", "path": "",
                "operation": "", "msisdn": "12065551234"
            });
            entry.as_object_mut().unwrap().extend(effect.as_object().unwrap().clone());
            serde_json::from_value(entry).unwrap()
        };
        effects.iter().enumerate().map(entry).collect()
    }

    fn of(effect: &str, imsi: &str) -> Value {
        json!({"effect": effect, "imsi": imsi})
    }

    #[test]
    fn a_complete_hand_over_is_not_a_violation() {
        let log = log(&[
            of("primary_number_set", "A1"),
            of("number_assigned", "A1"),
            of("number_released", "A1"),
            of("primary_number_cleared", "A1"),
            of("primary_number_set", "A2"),
            of("number_assigned", "A2"),
        ]);
        assert_eq!(hand_over_faults(&log), vec![]);
    }

    #[test]
    fn giving_a_number_while_half_of_it_belongs_to_another_is_a_violation() {
        let log = log(&[
            of("primary_number_set", "A1"),
            of("number_assigned", "A1"),
            of("number_released", "A1"),
            of("number_assigned", "A2"),
        ]);
        let faults = hand_over_faults(&log);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].to_string(), "entry 4: A2 got 12065551234 while A1 still had it");
    }

    #[test]
    fn a_number_in_two_rows_of_one_sim_is_given_up_with_the_second() {
        let doubled = [of("number_assigned", "A1"), of("number_assigned", "A1"), of("number_released", "A1")];
        let early = log(&[&doubled[..], &[of("number_assigned", "A2")]].concat());
        assert_eq!(hand_over_faults(&early).len(), 1);
        let late = log(&[&doubled[..], &[of("number_released", "A1"), of("number_assigned", "A2")]].concat());
        assert_eq!(hand_over_faults(&late), vec![]);
    }

    #[test]
    fn a_swapped_sim_keeps_its_number() {
        let swapped = json!({"effect": "sim_swapped", "table": "subscriber", "old_imsi": "A1", "new_imsi": "A9"});
        let log = log(&[of("primary_number_set", "A1"), swapped, of("number_assigned", "A9")]);
        assert_eq!(hand_over_faults(&log), vec![]);
    }
}
