//! Interlock's settings: flags, then `INTERLOCK_*` variables, then `interlock.toml`, then defaults.
//!
//! Everything that can be set is declared once: single values in [`VARIABLES`], from which the environment is read and
//! `coordinator/docs/settings.md` is generated; tables in [`Settings`]. This crate reads and checks settings, and connects to nothing.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod catalog_file;
mod check;
mod codec;
mod espf;
mod http;
mod key_id;
mod reference;
mod secrets;
mod sources;
mod tables;
mod variables;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use interlock_adapters::{Adapter, AdapterKind, AdapterRegistry, TargetSettings};
use interlock_domain::catalog::Catalog;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{RealmId, TargetId, TenantId};
use interlock_domain::limits::EntityLimits;
use interlock_domain::routing::{
    InstallationRecord, NAMESPACE_DEFAULT, QueuePrefix, RealmSettings, Routing, RoutingError, RoutingSettings,
    ShardCount, TenantSettings,
};
use interlock_fault::Fault;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use codec::{CodecServerSettings, CodecSettings, CodecToken, KeySource};
pub use espf::{EspfSettings, EspfSignature, EspfUser};
pub use http::{HttpSettings, TlsSettings, is_origin};
pub use key_id::KeyId;
pub use reference::reference_page;
pub use sources::{CONFIG_FILE_DEFAULT, SettingsSources};
pub use tables::{
    AlertSettings, BrokerSettings, CallbackSettings, ConsoleSettings, GatewayRole, GatewaySettings, GatewayToken,
    LogFormat, LogSettings, SecondPersonSettings, SubscriptionSettings, SweepSettings, TargetRight,
};
pub use variables::{VARIABLES, Variable};
pub use workers::{
    Pollers, SlotSupply, TARGET_CPU, TARGET_MEMORY, WORKLOAD_KEYS, WorkersSettings, WorkloadDefaults, WorkloadKey,
    WorkloadSettings,
};

/// All settings, checked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The prefix of the names of all task queues.
    pub prefix: QueuePrefix,
    /// Over how many shards the tenants are spread, if it is set: then it must equal the number recorded in the namespaces.
    pub queue_shards: Option<ShardCount>,
    /// The key with which resource ids are hashed before they become part of a workflow id.
    pub id_key: Option<SecretString>,
    /// The keys under which histories are encrypted, and the codec server.
    pub codec: CodecSettings,
    /// The directory for downloads.
    pub cache_dir: Option<PathBuf>,
    /// Whether downloads are forbidden.
    pub offline: bool,
    /// The Temporal CLI to use for the embedded server.
    pub temporal_cli: Option<PathBuf>,
    /// The tenant for commands that do not name one.
    pub tenant: TenantId,
    /// The catalog file; the reference catalog if none is named.
    pub catalog: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogSettings,
    /// The limits of the HTTP services of a process.
    pub http: HttpSettings,
    /// The HTTP gateway.
    pub gateway: GatewaySettings,
    /// The console that it serves.
    pub console: ConsoleSettings,
    /// The limits of entities.
    pub limits: EntityLimits,
    /// How many tasks workers run at a time.
    pub workers: WorkersSettings,
    /// How often the sweep looks at everything that waits, and when it raises an alert.
    pub sweep: SweepSettings,
    /// Where alerts are sent.
    pub alerts: AlertSettings,
    /// The secrets for the connection to a broker.
    pub broker: BrokerSettings,
    /// Where targets report the end of a job; none if they are only asked.
    pub callbacks: Option<CallbackSettings>,
    /// For the subscriptions that tenants make themselves.
    pub subscriptions: SubscriptionSettings,
    /// Which actions need a second person.
    pub second_person: SecondPersonSettings,
    /// The tenants that take events of ESPF and NSPS, and how.
    pub espf: BTreeMap<TenantId, EspfSettings>,
    /// The tenants by name. A tenant without an entry has the plan `free` and the namespace of the connection.
    pub tenants: BTreeMap<TenantId, TenantSettings>,
    /// The realms that tenants share, by name.
    pub realms: BTreeMap<RealmId, RealmSettings>,
    /// The targets by name.
    pub targets: BTreeMap<TargetId, TargetSettings>,
    /// Warnings about settings that are valid but questionable.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads, combines and checks the settings of these sources.
    ///
    /// # Errors
    /// [`Fault`] with the code `settings_file_unreadable`, `settings_file_malformed` (also for unknown keys; with file and
    /// line) or `setting_invalid` (with the name of the flag, variable or key).
    pub fn load(sources: &SettingsSources) -> Result<Self, Fault> {
        let settings = sources::read(sources)?;
        check::check(&settings)?;
        Ok(settings)
    }

    /// The settings from this process's environment, without flags: for tests and tools.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_environment() -> Result<Self, Fault> {
        Self::load(&SettingsSources::from_environment())
    }

    /// The catalog: the named file, or the reference catalog.
    ///
    /// # Errors
    /// [`Fault`] `catalog_unreadable` or `catalog_faulty`, with the first fault and how many there are.
    pub fn catalog(&self) -> Result<Catalog, Fault> {
        self.catalog.as_deref().map_or_else(|| Ok(Catalog::reference()), catalog_file::read)
    }

    /// The namespaces of the tenants, sorted; tenants without one use that of the connection.
    pub fn namespaces(&self, of_connection: &str) -> BTreeSet<String> {
        let named = self.tenants.values().filter_map(|tenant| tenant.namespace.clone());
        named.chain([of_connection.to_owned()]).collect()
    }

    /// Where everything is, as far as it is known without asking Temporal. `shards` is the number of shards if the settings do
    /// not say.
    ///
    /// # Errors
    /// [`Fault`] with the code of a [`RoutingError`].
    pub fn routing(&self, catalog: &Catalog, shards: ShardCount) -> Result<Routing, Fault> {
        let record = InstallationRecord::new(self.prefix.clone(), self.queue_shards.unwrap_or(shards));
        self.routing_as_recorded(catalog, NAMESPACE_DEFAULT, &record)
    }

    /// Where everything is, according to the record. `namespace` is that of the connection.
    ///
    /// # Errors
    /// [`Fault`] with the code of a [`RoutingError`], or `realm_authorities_differ`.
    pub fn routing_as_recorded(
        &self,
        catalog: &Catalog,
        namespace: &str,
        record: &InstallationRecord,
    ) -> Result<Routing, Fault> {
        catalog.check_authorities(&self.tenants).map_err(|differ| {
            Fault::wrong_use(
                ErrorCode::RealmAuthoritiesDiffer,
                format!("The settings contradict each other: {differ}."),
            )
        })?;
        let id_key = self
            .id_key
            .as_ref()
            .map(|key| key.expose_secret().parse())
            .transpose()
            .map_err(|error| routing_fault(&error))?;
        Routing::new(RoutingSettings {
            prefix: record.prefix.clone(),
            namespace: namespace.to_owned(),
            shard_count: record.shards,
            counts_before: record.before.clone(),
            generation: record.generation,
            shared_realms: self.realms.clone(),
            realms: catalog.realms(),
            tenants: self.tenants.clone(),
            id_key,
        })
        .map_err(|error| routing_fault(&error))
    }

    /// The adapters of the targets.
    ///
    /// # Errors
    /// [`Fault`] with the code of a registry error, for the first target with invalid settings.
    pub fn adapters(&self) -> Result<AdapterRegistry, Fault> {
        AdapterRegistry::from_settings(&self.targets)
            .map_err(|error| Fault::wrong_use(error.code(), format!("{error}.")))
    }

    /// The adapter of one target.
    ///
    /// # Errors
    /// [`Fault`] with the code of a registry error.
    pub fn adapter_of(&self, target: &TargetId) -> Result<Arc<dyn Adapter>, Fault> {
        let registry = AdapterRegistry::from_settings(self.targets.get_key_value(target));
        let found = registry.and_then(|registry| registry.get(target));
        found.map_err(|error| Fault::wrong_use(error.code(), format!("{error}.")))
    }

    /// The targets that Interlock's own workers serve, which repeat the proof of a request in their answer. Planning needs
    /// them, without their addresses and secrets.
    pub fn proving_targets(&self) -> BTreeSet<TargetId> {
        let own = self.targets.iter().filter(|(_, settings)| settings.adapter != AdapterKind::External);
        own.map(|(target, _)| target.clone()).collect()
    }
}

fn routing_fault(error: &RoutingError) -> Fault {
    Fault::wrong_use(error.code(), format!("The settings contradict each other: {error}."))
}

#[cfg(test)]
mod strangers_tests;
#[cfg(test)]
mod tests;
