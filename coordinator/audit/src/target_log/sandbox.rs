//! The log of a sandbox target.

use interlock_adapters::sandbox::{Applied, Effect};
use interlock_domain::ids::Epoch;
use serde_json::Value;
use uuid::Uuid;

use super::{Write, WriteEffect};

/// The method of entries that no request caused.
const SEED: &str = "SEED";

/// The writes that concern who has a number.
pub(super) fn writes(entries: Vec<Value>) -> Result<Vec<Write>, serde_json::Error> {
    let mut writes = Vec::new();
    for entry in entries {
        let applied: Applied = serde_json::from_value(entry)?;
        if let Some(effect) = effect_of(&applied.effect) {
            writes.push(Write {
                seq: i64::try_from(applied.seq).unwrap_or(i64::MAX),
                at_ms: super::super::time::millis(&applied.at).unwrap_or(0),
                effect,
                key: applied.idempotency_key.as_deref().and_then(|key| Uuid::parse_str(key).ok()),
                epoch: applied.epoch.map(Epoch),
                is_seed: applied.method == SEED,
            });
        }
    }
    writes.sort_by_key(|write| write.seq);
    Ok(writes)
}

fn effect_of(effect: &Effect) -> Option<WriteEffect> {
    let takes = |table, number: &str, party: &str| WriteEffect::Takes {
        table,
        number: number.to_owned(),
        party: party.to_owned(),
    };
    let gives_up = |table, number: &str, party: &str| WriteEffect::GivesUp {
        table,
        number: number.to_owned(),
        party: party.to_owned(),
    };
    match effect {
        Effect::PrimaryNumberSet { msisdn, imsi } => Some(takes("subscriber", msisdn, imsi)),
        Effect::NumberAssigned { msisdn, imsi } => Some(takes("ims_subscriber", msisdn, imsi)),
        Effect::PrimaryNumberCleared { msisdn, imsi } => Some(gives_up("subscriber", msisdn, imsi)),
        Effect::NumberReleased { msisdn, imsi } => Some(gives_up("ims_subscriber", msisdn, imsi)),
        Effect::SimSwapped { old_imsi, new_imsi, .. } => {
            Some(WriteEffect::Renamed { old: old_imsi.clone(), new: new_imsi.clone() })
        }
        _ => None,
    }
}
