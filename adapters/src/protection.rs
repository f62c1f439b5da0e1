//! How a target is protected and how its outages are handled: the part of `[targets.NAME]` that no adapter reads.

use std::time::Duration;

use chrono::{DateTime, Utc};
use interlock_domain::ids::Timestamp;
use interlock_domain::target_entity::{MaintenanceWindow, Rate, TargetRules};
use serde::{Deserialize, Serialize};

use crate::durations::{duration, optional_duration};

/// `[targets.NAME.outage]`: when a target counts as down, and how calls to it resume. Durations are written `5s`, `1m 30s`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutageSettings {
    /// The number of consecutive failures after which a worker process stops calling the target for a while. Default 5.
    pub failures: u32,
    /// How long it stops calling. Default 5 s.
    #[serde(with = "duration")]
    pub open_for: Duration,
    /// How many worker processes must report this before the target counts as down. Default 1.
    pub processes: u32,
    /// The wait before the first probe after that. It doubles each time. Default 5 s.
    #[serde(with = "duration")]
    pub probe_first: Duration,
    /// The longest wait between probes. Default 1 minute.
    #[serde(with = "duration")]
    pub probe_cap: Duration,
    /// The length of each stage of the ramp in which calls resume: 1, 2, 4 … requests a second. Default 5 s.
    #[serde(with = "duration")]
    pub ramp_stage: Duration,
    /// The stage at which the ramp ends if no rate is configured, in requests a second. Default 64.
    pub ramp_top: Rate,
}

impl Default for OutageSettings {
    fn default() -> Self {
        let usual = TargetRules::default();
        Self {
            failures: usual.breaker_failures,
            open_for: Duration::from_millis(usual.breaker_open_ms),
            processes: usual.open_processes,
            probe_first: Duration::from_millis(usual.probe_first_ms),
            probe_cap: Duration::from_millis(usual.probe_cap_ms),
            ramp_stage: Duration::from_millis(usual.ramp_stage_ms),
            ramp_top: usual.ramp_top,
        }
    }
}

/// `[[targets.NAME.maintenance]]`: a planned outage of the target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceSettings {
    /// When it begins for the first time, as RFC 3339: `2026-12-01T02:00:00Z`.
    pub begins: DateTime<Utc>,
    /// How long it lasts.
    #[serde(with = "duration")]
    pub lasts: Duration,
    /// The period of a repeated outage, from start to start: `1d`, `7d`. It ignores time zones and summer time. Default: it does not
    /// repeat.
    #[serde(default, with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// The purpose, for people.
    #[serde(default)]
    pub reason: String,
}

impl MaintenanceSettings {
    /// The window as the machines know it.
    pub fn window(&self) -> MaintenanceWindow {
        MaintenanceWindow {
            begins: Timestamp(self.begins.timestamp_millis()),
            lasts_ms: millis(self.lasts),
            every_ms: self.every.map(millis),
            reason: self.reason.clone(),
        }
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use interlock_domain::limits::EntityLimits;

    use super::*;
    use crate::settings::TargetSettings;

    fn settings(protection: &str) -> TargetSettings {
        toml::from_str(&format!("adapter = \"json\"\nbase_url = \"http://crm/\"\n{protection}")).unwrap()
    }

    #[test]
    fn without_settings_a_target_has_the_default_rules() {
        assert_eq!(settings("").rules(EntityLimits::default()), TargetRules::default());
    }

    #[test]
    fn settings_become_rules() {
        let settings = settings(
            r#"
            rate_per_second = 2.5
            concurrency = 7
            [outage]
            processes = 2
            probe_first = "1s"
            [[maintenance]]
            begins = "1970-01-02T00:00:00Z"
            lasts = "2h"
            every = "7d"
            reason = "backup"
            "#,
        );
        let rules = settings.rules(EntityLimits::default());
        assert_eq!((rules.rate.map(Rate::get), rules.open_processes, rules.probe_first_ms), (Some(2.5), 2, 1_000));
        assert_eq!(settings.concurrency, Some(7));
        let day = 86_400_000;
        let window = MaintenanceWindow {
            begins: Timestamp(day),
            lasts_ms: 7_200_000,
            every_ms: Some(7 * 86_400_000),
            reason: "backup".to_owned(),
        };
        assert_eq!(rules.maintenance, [window]);
    }

    #[test]
    fn settings_that_are_written_for_another_process_can_be_read_there() {
        let outage = OutageSettings { probe_first: Duration::from_millis(1_500), ..OutageSettings::default() };
        let text = toml::to_string(&outage).unwrap();
        assert_eq!(toml::from_str::<OutageSettings>(&text).unwrap(), outage);
    }
}
