//! How a target applied the waiting orders after its outage: in order, and how fast compared with the limits of the ramp.

use std::collections::BTreeMap;
use std::time::Duration;

use interlock_adapters::sandbox::{Applied, Effect};
use serde_json::Value;

use crate::Failure;

/// The shortest time for that many requests through a ramp of 1, 2, 4 … requests a second, one stage each, and then through the rate
/// itself.
pub fn shortest(steps: usize, rate: u32, stage: Duration) -> Duration {
    let mut left = u32::try_from(steps).map_or(f64::INFINITY, f64::from);
    let (mut stages, mut at) = (0, 1_u32);
    while at < rate {
        let in_stage = f64::from(at) * stage.as_secs_f64();
        if left <= in_stage {
            return stage * stages + Duration::from_secs_f64(left / f64::from(at));
        }
        left -= in_stage;
        stages += 1;
        at = at.saturating_mul(2);
    }
    stage * stages + Duration::from_secs_f64(left / f64::from(rate))
}

/// When the first and the last service was updated, in milliseconds. `None` if none was.
pub fn first_and_last_ms(log: &[Applied]) -> Result<Option<(i64, i64)>, Failure> {
    let mut times = Vec::new();
    for entry in log.iter().filter(|entry| matches!(entry.effect, Effect::ServiceUpdated { .. })) {
        times.push(chrono::DateTime::parse_from_rfc3339(&entry.at)?.timestamp_millis());
    }
    Ok(times.first().copied().zip(times.last().copied()))
}

/// How many services were updated.
pub fn applied(log: &[Applied]) -> usize {
    log.iter().filter(|entry| matches!(entry.effect, Effect::ServiceUpdated { .. })).count()
}

/// How many subscriptions got their values in another order than 1, 2, 3 …, or not exactly once each.
pub fn out_of_order(log: &[Applied]) -> usize {
    let mut values: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in log {
        if let Effect::ServiceUpdated { of, settings } = &entry.effect {
            let value = settings.get("ue_ambr_dl").and_then(Value::as_u64);
            values.entry(of).or_default().extend(value);
        }
    }
    values.values().filter(|values| !values.iter().copied().eq(1..=values.len() as u64)).count()
}
