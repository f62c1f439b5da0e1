//! The settings of one target: `[targets.NAME]` in `interlock.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use interlock_domain::ids::TargetId;
use interlock_domain::limits::EntityLimits;
use interlock_domain::target_entity::{Rate, TargetRules};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::adapter::{Fence, OnAmbiguous};
use crate::durations::{duration, optional_duration};
use crate::error::RegistryError;
use crate::protection::{MaintenanceSettings, OutageSettings, millis};
use crate::secret::Secret;

/// Which adapter speaks to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// PyHSS, the home subscriber server.
    Pyhss,
    /// Plain JSON over HTTP.
    Json,
    /// HTTP as a file describes it.
    Declarative,
    /// None of Interlock's: a program of its own, in any language, serves the target's queue (`docs/provision.md`).
    /// Interlock's workers leave that queue alone.
    External,
}

/// How Interlock proves to a target who it is. A secret is its text, `{ env = "NAME" }` or `{ file = "PATH" }`, and is
/// never printed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Bearer …`.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// `Authorization: Basic …`.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A header of its own, such as PyHSS's `Provisioning-Key`.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// PyHSS's `Provisioning-Key`.
    ProvisioningKey {
        /// The key.
        key: Secret,
    },
}

impl Authentication {
    /// Its secret, where it has one.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::None => None,
            Self::Bearer { token: secret }
            | Self::Basic { password: secret, .. }
            | Self::Header { value: secret, .. }
            | Self::ProvisioningKey { key: secret } => Some(secret),
        }
    }
}

/// The settings of one target. Durations are written `5s`, `1m 30s`, `250ms`.
///
/// ```toml
/// [targets.hss-east]
/// adapter = "pyhss"
/// base_url = "http://10.0.0.5:8080"
/// auth = { kind = "provisioning_key", key = "…" }
/// timeout = "5s"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSettings {
    /// Which adapter speaks to it.
    pub adapter: AdapterKind,
    /// Where it is: scheme, host, port and path prefix. Required, but for an external target: whoever serves that one
    /// knows.
    #[serde(default)]
    pub base_url: Option<Url>,
    /// How Interlock proves who it is. For a declarative target it stands instead of what its file says.
    #[serde(default)]
    pub auth: Authentication,
    /// How long one HTTP request may take. Default 5 s; PyHSS: at most 25 s, since beyond that its own database pool
    /// gives up and answers as if nothing were registered.
    #[serde(default = "default_timeout", with = "duration")]
    pub timeout: Duration,
    /// How long making a connection may take. Default 2 s.
    #[serde(default = "default_connect_timeout", with = "duration")]
    pub connect_timeout: Duration,
    /// How long after it was sent a request may still land. Default 35 s for PyHSS (its pool waits 30 s for a database
    /// connection), 10 s for JSON, what its file says for a declarative one.
    #[serde(default, with = "optional_duration")]
    pub max_apply_delay: Option<Duration>,
    /// Declarative only, and required there: the file that describes the target's operations, from the working directory.
    /// The bare name of a file that comes with Interlock (`espocrm.toml`) is that one, unless there is such a file here.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Declarative only: values for the parameters that the file declares.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// JSON only: what the target does with epochs. Default `none`.
    #[serde(default)]
    pub fence: Fence,
    /// JSON only: whether it carries out a call only once per `Idempotency-Key`. Default yes.
    #[serde(default = "yes")]
    pub idempotency_keys: bool,
    /// JSON only: whether it answers `GET operations/{idempotency_key}`. Default yes.
    #[serde(default = "yes")]
    pub verify: bool,
    /// JSON only: the operations that give up what their step names, e.g. `["release_number"]`. Each is done only where
    /// `GET holders/{kind}/{id}` then answers that nobody has it; a declarative target's file says `releases = true`. Default
    /// none: a release is confirmed by its own answer, whatever identity it named.
    #[serde(default)]
    pub releases: BTreeSet<String>,
    /// JSON only: what is done after an attempt that may or may not have had its effect. Default: `verify` where it can be
    /// read back, else `resend` where it knows idempotency keys, else `hold`. `resend` without such keys may have its effect
    /// twice; `give_up` ends the step as `given_up_ambiguous`.
    #[serde(default)]
    pub on_ambiguous: Option<OnAmbiguous>,
    /// PyHSS only: what the profiles of `create_subscriber` stand for, as columns of `subscriber`. Default: `default`,
    /// which is the access point with id 1.
    #[serde(default = "default_profiles")]
    pub profiles: BTreeMap<String, Map<String, Value>>,
    /// PyHSS only: the initial filter criteria template of a new IMS subscriber. Default `default_ifc.xml`.
    #[serde(default = "default_ifc_path")]
    pub ifc_path: String,
    /// PyHSS only: up to how many rows of `ims_subscriber`, and of `subscriber`, are read for what PyHSS does not look up:
    /// additional numbers (`msisdn_list`), and numbers that two subscribers share. All are read in one request for each table
    /// when a number is granted for the first time or a release finds it nowhere, and at most every 5 minutes else. Default
    /// 20,000 (about 10 MB, 1 s of PyHSS's time). An HSS with more rows of `ims_subscriber` answers "unclear" for numbers
    /// that its look-ups do not find, and a person decides. 0: nothing is read, the look-ups count as complete.
    #[serde(default = "default_scan_rows_max")]
    pub scan_rows_max: u32,
    /// How many requests a second the target is sent at most, by all workers together: the Temporal server sees to it.
    /// Default: as many as there are.
    #[serde(default)]
    pub rate_per_second: Option<Rate>,
    /// How many calls to it each worker process makes at the same time, in each namespace. Default 100. The processes do not
    /// know of each other: so many processes, so many times more.
    #[serde(default)]
    pub concurrency: Option<usize>,
    /// When it is known to be away.
    #[serde(default)]
    pub maintenance: Vec<MaintenanceSettings>,
    /// When it counts as down, and how it is called again.
    #[serde(default)]
    pub outage: OutageSettings,
}

impl TargetSettings {
    /// The settings of a target of this kind at this address, all else by default.
    pub fn new(adapter: AdapterKind, base_url: Url) -> Self {
        Self::by_default(adapter, Some(base_url))
    }

    /// The settings of a target that a program of its own serves.
    pub fn external() -> Self {
        Self::by_default(AdapterKind::External, None)
    }

    /// Where the target is.
    ///
    /// # Errors
    /// [`RegistryError::BaseUrlMissing`].
    pub(crate) fn address(&self, target: &TargetId) -> Result<&Url, RegistryError> {
        self.base_url.as_ref().ok_or_else(|| RegistryError::BaseUrlMissing { target: target.clone() })
    }

    fn by_default(adapter: AdapterKind, base_url: Option<Url>) -> Self {
        Self {
            adapter,
            base_url,
            auth: Authentication::None,
            timeout: default_timeout(),
            connect_timeout: default_connect_timeout(),
            max_apply_delay: None,
            file: None,
            parameters: BTreeMap::new(),
            fence: Fence::None,
            idempotency_keys: true,
            verify: true,
            on_ambiguous: None,
            releases: BTreeSet::new(),
            profiles: default_profiles(),
            ifc_path: default_ifc_path(),
            scan_rows_max: default_scan_rows_max(),
            rate_per_second: None,
            concurrency: None,
            maintenance: Vec::new(),
            outage: OutageSettings::default(),
        }
    }
}

fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

fn default_connect_timeout() -> Duration {
    Duration::from_secs(2)
}

fn default_profiles() -> BTreeMap<String, Map<String, Value>> {
    let mut columns = Map::new();
    columns.insert("default_apn".to_owned(), 1.into());
    columns.insert("apn_list".to_owned(), "1".into());
    BTreeMap::from([("default".to_owned(), columns)])
}

fn default_ifc_path() -> String {
    "default_ifc.xml".to_owned()
}

fn default_scan_rows_max() -> u32 {
    20_000
}

fn yes() -> bool {
    true
}

impl TargetSettings {
    /// The rules by which the target's entity goes; it continues as new by these limits.
    pub fn rules(&self, limits: EntityLimits) -> TargetRules {
        let outage = &self.outage;
        TargetRules {
            rate: self.rate_per_second,
            breaker_failures: outage.failures,
            breaker_open_ms: millis(outage.open_for),
            open_processes: outage.processes,
            probe_first_ms: millis(outage.probe_first),
            probe_cap_ms: millis(outage.probe_cap),
            ramp_stage_ms: millis(outage.ramp_stage),
            ramp_top: outage.ramp_top,
            maintenance: self.maintenance.iter().map(MaintenanceSettings::window).collect(),
            limits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Value) -> Result<TargetSettings, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn durations_are_written_as_a_person_writes_them() {
        let settings = read(serde_json::json!({
            "adapter": "json", "base_url": "http://crm/", "timeout": "1m 30s", "max_apply_delay": "250ms"
        }))
        .unwrap();
        assert_eq!(settings.timeout, Duration::from_secs(90));
        assert_eq!(settings.max_apply_delay, Some(Duration::from_millis(250)));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error =
            read(serde_json::json!({"adapter": "json", "base_url": "http://crm/", "timout": "5s"})).unwrap_err();
        assert!(error.to_string().contains("timout"), "{error}");
    }

    #[test]
    fn only_an_external_target_does_without_an_address() {
        let target: TargetId = "billing".parse().unwrap();
        let external = read(serde_json::json!({"adapter": "external"})).unwrap();
        assert_eq!((external.adapter, &external.base_url), (AdapterKind::External, &None));
        let nowhere = read(serde_json::json!({"adapter": "json"})).unwrap();
        assert_eq!(nowhere.address(&target).unwrap_err().code(), "target_base_url_missing");
    }

    #[test]
    fn a_secret_is_never_printed() {
        let settings = read(serde_json::json!({
            "adapter": "pyhss", "base_url": "http://hss/", "auth": {"kind": "provisioning_key", "key": "open sesame"}
        }))
        .unwrap();
        assert!(!format!("{settings:?}").contains("sesame"));
    }
}
