//! The settings of one target: `[targets.NAME]` in `interlock.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use interlock_domain::ids::TargetId;
use interlock_domain::limits::EntityLimits;
use interlock_domain::subscription::OutgoingFormat;
use interlock_domain::target_entity::{Rate, TargetRules};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::adapter::{Fence, OnAmbiguous};
use crate::durations::{duration, optional_duration};
use crate::error::RegistryError;
use crate::protection::{MaintenanceSettings, OutageSettings, millis};
use crate::secret::Secret;
use crate::webhook_format::EspfAccount;

/// The kind of adapter of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// PyHSS, the home subscriber server.
    Pyhss,
    /// Plain JSON over HTTP.
    Json,
    /// An HTTP API that a file describes.
    Declarative,
    /// The receiver of a subscription: it is told of outcomes, and has no operations.
    Webhook,
    /// It translates the events of a producer into those of the catalog, by a mapping. Interlock itself does so.
    Intake,
    /// No adapter of Interlock: another program, in any language, serves the target's queue (`docs/provision.md`). Interlock's workers
    /// do not poll that queue.
    External,
}

/// How Interlock authenticates to a target. A secret is its text, `{ env = "NAME" }` or `{ file = "PATH" }`, and is never printed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Authentication {
    /// No authentication.
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
    /// Its secret, if it has one.
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
    /// The kind of adapter.
    pub adapter: AdapterKind,
    /// The URL: scheme, host, port and path prefix. Required, except for an external target and one that translates events.
    #[serde(default)]
    pub base_url: Option<Url>,
    /// How Interlock authenticates. For a declarative target this replaces the setting in its file.
    #[serde(default)]
    pub auth: Authentication,
    /// The time limit of one HTTP request. Default 5 s. For PyHSS at most 25 s, since after that its database pool gives up and it
    /// answers as if nothing were registered.
    #[serde(default = "default_timeout", with = "duration")]
    pub timeout: Duration,
    /// The time limit of opening a connection. Default 2 s.
    #[serde(default = "default_connect_timeout", with = "duration")]
    pub connect_timeout: Duration,
    /// The longest pause that the target can ask for with `Retry-After` and the like. A longer one is shortened to it, and logged.
    /// Default 5 minutes.
    #[serde(default = "default_retry_after_max", with = "duration")]
    pub retry_after_max: Duration,
    /// How long a request may take effect after it was sent. Default 35 s for PyHSS (its pool waits 30 s for a database connection), 10
    /// s for JSON, the value in its file for a declarative target.
    #[serde(default, with = "optional_duration")]
    pub max_apply_delay: Option<Duration>,
    /// Declarative and intake only, and required there: the path of the file that describes the target's operations, or of the mapping,
    /// relative to the working directory. The bare name of a file that comes with Interlock (`espocrm.toml`) means that file, unless
    /// such a file exists here.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Intake only: the target of `look_up`s of the mapping, whose adapter file has these queries. Required if the mapping has any.
    #[serde(default)]
    pub producer: Option<TargetId>,
    /// Declarative only: values for the parameters that the file declares.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// JSON only: what the target does with epochs. Default `none`.
    #[serde(default)]
    pub fence: Fence,
    /// JSON only: whether the target performs a call only once per `Idempotency-Key`. Default yes.
    #[serde(default = "yes")]
    pub idempotency_keys: bool,
    /// JSON only: whether it answers `GET operations/{idempotency_key}`. Default yes.
    #[serde(default = "yes")]
    pub verify: bool,
    /// JSON only: what a response to an operation must satisfy to count as a success: `status` (default `2xx`), `header`, `body` and
    /// `text`, as in a row of an [adapter file](crate::declarative): `{ body = [{ pointer = "/result", equals = "OK" }] }`. Default: a
    /// 2xx whose body is a JSON object without a sign of a failure, such as `error` or `"success": false`.
    #[serde(default)]
    pub success: Option<Value>,
    /// JSON only: whether a 2xx without a body is a success. Default no, except for 204, which never has one.
    #[serde(default)]
    pub empty_success: bool,
    /// JSON only: the operations that give up what their step names, e.g. `["release_number"]`. Each is done only if `GET
    /// holders/{kind}/{id}` then reports no holder; the file of a declarative target says `releases = true` instead. Default none: the
    /// answer to a release confirms it, whatever identity it named.
    #[serde(default)]
    pub releases: BTreeSet<String>,
    /// JSON only: what to do after an ambiguous attempt. Default: `verify` if the target can be read back, otherwise `resend` if it
    /// honours idempotency keys, otherwise `hold`. `resend` without such keys may cause the effect twice; `give_up` ends the step as
    /// `given_up_ambiguous`.
    #[serde(default)]
    pub on_ambiguous: Option<OnAmbiguous>,
    /// PyHSS only: the profiles of `create_subscriber`, as columns of `subscriber`. Default: `default`, which is the access point with
    /// id 1.
    #[serde(default = "default_profiles")]
    pub profiles: BTreeMap<String, Map<String, Value>>,
    /// PyHSS only: the initial filter criteria template of a new IMS subscriber. Default `default_ifc.xml`.
    #[serde(default = "default_ifc_path")]
    pub ifc_path: String,
    /// PyHSS only: the most rows of `ims_subscriber`, and of `subscriber`, that are read to find what PyHSS cannot look up: additional
    /// numbers (`msisdn_list`), and numbers that two subscribers share. One request for each table reads all rows when a number is
    /// granted for the first time or a release finds it nowhere, and otherwise at most every 5 minutes. Default 20,000 (about 10 MB, 1
    /// s of PyHSS's time). If an HSS has more rows of `ims_subscriber`, it answers "unclear" for numbers that its look-ups do not find,
    /// and a person decides. 0: nothing is read, and the look-ups count as complete.
    #[serde(default = "default_scan_rows_max")]
    pub scan_rows_max: u32,
    /// Webhook only: how events are written: `cloudevents` (default), `cloudevents_binary`, `tmf641` or `espf`.
    #[serde(default)]
    pub format: OutgoingFormat,
    /// Webhook only: the keys that sign each request as Standard Webhooks describes it, e.g. `[{ env = "CRM_HOOK_KEY" }]`: base64 of 24 to
    /// 64 bytes, with or without `whsec_`. All of them sign: a receiver that changes its key needs both for a while. Default: none.
    #[serde(default)]
    pub signing_keys: Vec<Secret>,
    /// Webhook with `espf` only, and required there: the `group` of the status, e.g. `HSS`.
    #[serde(default)]
    pub espf_group: Option<String>,
    /// Webhook with `espf` only: what a customer's id is there: `i_account` (default) or `id`.
    #[serde(default)]
    pub espf_account: EspfAccount,
    /// JSON and declarative only: whether the target gets a URL with each call, to which it can post when a job is over: in the header
    /// `X-Interlock-Callback` (JSON) or where the file writes `{{ callback_url }}`. Needs `[callbacks]`. Default no: it is only asked.
    #[serde(default)]
    pub callbacks: bool,
    /// The most requests a second to the target, by all workers together. The Temporal server enforces it. Default: no limit.
    #[serde(default)]
    pub rate_per_second: Option<Rate>,
    /// The most requests a second to the target for one tenant with the plan `free`; three times as many with `pro`, ten times with
    /// `enterprise`. The Temporal server enforces it, by the weight of the tenant's fairness key. Default: no limit.
    #[serde(default)]
    pub rate_per_tenant: Option<Rate>,
    /// The most concurrent calls of each worker process to it, in each namespace. Default 100. The processes do not know of each other,
    /// so the total grows with their number.
    #[serde(default)]
    pub concurrency: Option<usize>,
    /// Its planned outages.
    #[serde(default)]
    pub maintenance: Vec<MaintenanceSettings>,
    /// When it counts as down, and how calls to it resume.
    #[serde(default)]
    pub outage: OutageSettings,
}

impl TargetSettings {
    /// The settings of a target of this kind at this address, with defaults for all else.
    pub fn new(adapter: AdapterKind, base_url: Url) -> Self {
        Self::by_default(adapter, Some(base_url))
    }

    /// The settings of a target that translates events by the mapping in this file.
    pub fn intake(file: impl Into<PathBuf>, producer: Option<TargetId>) -> Self {
        Self { file: Some(file.into()), producer, ..Self::by_default(AdapterKind::Intake, None) }
    }

    /// The settings of a target that another program serves.
    pub fn external() -> Self {
        Self::by_default(AdapterKind::External, None)
    }

    /// The URL of the target.
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
            retry_after_max: default_retry_after_max(),
            max_apply_delay: None,
            file: None,
            producer: None,
            parameters: BTreeMap::new(),
            fence: Fence::None,
            idempotency_keys: true,
            verify: true,
            on_ambiguous: None,
            success: None,
            empty_success: false,
            releases: BTreeSet::new(),
            profiles: default_profiles(),
            ifc_path: default_ifc_path(),
            scan_rows_max: default_scan_rows_max(),
            rate_per_second: None,
            rate_per_tenant: None,
            callbacks: false,
            format: OutgoingFormat::default(),
            signing_keys: Vec::new(),
            espf_group: None,
            espf_account: EspfAccount::default(),
            concurrency: None,
            maintenance: Vec::new(),
            outage: OutageSettings::default(),
        }
    }
}

fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

fn default_retry_after_max() -> Duration {
    Duration::from_mins(5)
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
    /// The rules of the target's entity. It continues as new according to these limits.
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
    fn only_an_external_target_needs_no_address() {
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
