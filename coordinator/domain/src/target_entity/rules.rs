//! The configuration of a target. It reaches its entity by message, and so is recorded in history.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MaintenanceWindow, Rate};
use crate::limits::EntityLimits;

/// How a target is protected, and what happens in an outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetRules {
    /// The most requests per second, over all workers and namespaces; none for no limit.
    pub rate: Option<Rate>,
    /// How many failures in a row open the breaker of a worker process.
    pub breaker_failures: u32,
    /// How long it stays open, in milliseconds; then it allows one call.
    pub breaker_open_ms: u64,
    /// How many worker processes must report failures before it counts as down.
    pub open_processes: u32,
    /// How long after it went down the first probe is made, in milliseconds; the wait doubles each time.
    pub probe_first_ms: u64,
    /// The longest wait between probes, in milliseconds.
    pub probe_cap_ms: u64,
    /// How long each stage of the ramp (1, 2, 4 … requests a second) lasts, in milliseconds.
    pub ramp_stage_ms: u64,
    /// The stage at which a ramp ends if no rate is configured, in requests a second.
    pub ramp_top: Rate,
    /// When it is known to be unavailable.
    pub maintenance: Vec<MaintenanceWindow>,
    /// The limits of its entity: when it continues as new.
    pub limits: EntityLimits,
}

impl Default for TargetRules {
    fn default() -> Self {
        Self {
            rate: None,
            breaker_failures: 5,
            breaker_open_ms: 5_000,
            open_processes: 1,
            probe_first_ms: 5_000,
            probe_cap_ms: 60_000,
            ramp_stage_ms: 5_000,
            ramp_top: Rate::per_second(64),
            maintenance: Vec::new(),
            limits: EntityLimits::default(),
        }
    }
}

/// Why rules are invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key} {reason}")]
pub struct RuleFault {
    /// The setting.
    pub key: &'static str,
    /// The reason, as the end of a sentence that starts with the key.
    pub reason: String,
}

impl TargetRules {
    /// Checks that the rules are valid.
    ///
    /// # Errors
    /// [`RuleFault`], for the first invalid one.
    pub fn check(&self) -> Result<(), RuleFault> {
        let fault = |key, reason: &str| Err(RuleFault { key, reason: reason.to_owned() });
        if self.rate.is_some_and(Rate::is_zero) {
            return fault("rate_per_second", "is 0; to stop the calls, pause the target");
        }
        if self.breaker_failures == 0 {
            return fault("outage.failures", "is 0; it must be at least 1");
        }
        if self.breaker_open_ms == 0 {
            return fault("outage.open_for", "must not be 0");
        }
        if self.open_processes == 0 {
            return fault("outage.processes", "is 0; it must be at least 1");
        }
        if self.probe_first_ms == 0 || self.ramp_stage_ms == 0 {
            return fault("outage", "has a duration of 0");
        }
        if self.probe_cap_ms < self.probe_first_ms {
            return fault("outage.probe_cap", "is shorter than outage.probe_first");
        }
        for window in &self.maintenance {
            if window.lasts_ms == 0 {
                return fault("maintenance", "has a window with a duration of 0");
            }
            if window.every_ms.is_some_and(|every_ms| every_ms <= window.lasts_ms) {
                return fault("maintenance", "has a window that starts again before it has ended");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Timestamp;

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert_eq!(TargetRules::default().check(), Ok(()));
        let key = |rules: TargetRules| rules.check().unwrap_err().key;
        assert_eq!(key(TargetRules { rate: Some(Rate::ZERO), ..TargetRules::default() }), "rate_per_second");
        assert_eq!(key(TargetRules { open_processes: 0, ..TargetRules::default() }), "outage.processes");
        assert_eq!(key(TargetRules { ramp_stage_ms: 0, ..TargetRules::default() }), "outage");
        assert_eq!(key(TargetRules { probe_cap_ms: 4_999, ..TargetRules::default() }), "outage.probe_cap");
        for (lasts_ms, every_ms) in [(0, None), (10, Some(10))] {
            let window = MaintenanceWindow { begins: Timestamp(0), lasts_ms, every_ms, reason: String::new() };
            assert_eq!(key(TargetRules { maintenance: vec![window], ..TargetRules::default() }), "maintenance");
        }
    }

    #[test]
    fn rules_of_another_version_are_read() {
        assert_eq!(serde_json::from_str::<TargetRules>("{\"new\":1}").unwrap(), TargetRules::default());
    }
}
