//! Which adapter speaks to which target.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TargetId;
use interlock_domain::toml_text::TomlFault;
use thiserror::Error;

use crate::adapter::Adapter;
use crate::declarative::DeclarativeAdapter;
use crate::json_http::JsonHttpAdapter;
use crate::pyhss::PyhssAdapter;
use crate::settings::{AdapterKind, TargetSettings};

/// Why an adapter could not be built, or found.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The base URL is none that HTTP can be spoken to.
    #[error(
        "target '{target}': '{base_url}' is not an http or https URL; write it as http://HOST:PORT in \
         [targets.{target}]"
    )]
    BaseUrl {
        /// The target.
        target: TargetId,
        /// Its base URL as it came.
        base_url: String,
    },
    /// There is no base URL, and its adapter needs one.
    #[error("target '{target}': the base URL is missing; set base_url in [targets.{target}]")]
    BaseUrlMissing {
        /// The target.
        target: TargetId,
    },
    /// What may have happened is to be read back, and the target cannot be read.
    #[error(
        "target '{target}': on_ambiguous = \"verify\" needs verify = true in [targets.{target}]; choose resend, hold \
         or give_up"
    )]
    NotVerified {
        /// The target.
        target: TargetId,
    },
    /// A secret or header name has characters that HTTP headers cannot carry.
    #[error(
        "target '{target}': its auth contains characters that an HTTP header cannot carry; check [targets.{target}] \
         auth"
    )]
    Authentication {
        /// The target.
        target: TargetId,
    },
    /// The adapter file is not named, or cannot be read.
    #[error("target '{target}': {detail}; name the adapter file in [targets.{target}] file")]
    AdapterFile {
        /// The target.
        target: TargetId,
        /// Why.
        detail: String,
    },
    /// The adapter file has faults.
    #[error(
        "target '{target}': the adapter file '{file}' has {} error(s), the first is {}; `interlock catalog check \
         {file}` lists all of them",
        faults.len(), first(faults)
    )]
    AdapterFileFaults {
        /// The target.
        target: TargetId,
        /// The file.
        file: String,
        /// All of its faults.
        faults: Vec<TomlFault>,
    },
    /// A parameter of the adapter file has no value, or one is given that the file does not declare.
    #[error("target '{target}': {detail}; see [targets.{target}.parameters]")]
    Parameter {
        /// The target.
        target: TargetId,
        /// Which, and why.
        detail: String,
    },
    /// A secret is not where the adapter file says, or does not do.
    #[error("target '{target}': {detail}")]
    Secret {
        /// The target.
        target: TargetId,
        /// Which, and what to do. It never has the secret.
        detail: String,
    },
    /// The HTTP client could not be made.
    #[error(
        "target '{target}': the HTTP client cannot be created ({detail}); check its settings in [targets.{target}]"
    )]
    Client {
        /// The target.
        target: TargetId,
        /// Why.
        detail: String,
    },
    /// No settings name this target.
    #[error("target '{target}' is not configured; add [targets.{target}] to interlock.toml")]
    UnknownTarget {
        /// The target.
        target: TargetId,
    },
}

impl RegistryError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::BaseUrl { .. } => ErrorCode::TargetBaseUrlInvalid,
            Self::BaseUrlMissing { .. } => ErrorCode::TargetBaseUrlMissing,
            Self::NotVerified { .. } => ErrorCode::TargetNotVerified,
            Self::Authentication { .. } => ErrorCode::TargetAuthInvalid,
            Self::AdapterFile { .. } => ErrorCode::TargetAdapterFileMissing,
            Self::AdapterFileFaults { .. } => ErrorCode::TargetAdapterFileFaulty,
            Self::Parameter { .. } => ErrorCode::TargetParameterInvalid,
            Self::Secret { .. } => ErrorCode::TargetSecretMissing,
            Self::Client { .. } => ErrorCode::TargetClientFailed,
            Self::UnknownTarget { .. } => ErrorCode::TargetUnknown,
        }
    }
}

fn first(faults: &[TomlFault]) -> String {
    faults.first().map(TomlFault::to_string).unwrap_or_default()
}

/// The adapters of all targets that are configured.
#[derive(Clone, Default)]
pub struct AdapterRegistry {
    adapters: BTreeMap<TargetId, Arc<dyn Adapter>>,
}

impl AdapterRegistry {
    /// One adapter for each target, but for external ones, which have none here.
    ///
    /// # Errors
    /// [`RegistryError`] for the first target whose settings do not do.
    pub fn from_settings<'a>(
        targets: impl IntoIterator<Item = (&'a TargetId, &'a TargetSettings)>,
    ) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for (target, settings) in targets {
            let adapter: Arc<dyn Adapter> = match settings.adapter {
                AdapterKind::Pyhss => Arc::new(PyhssAdapter::new(target, settings)?),
                AdapterKind::Declarative => Arc::new(DeclarativeAdapter::new(target, settings)?),
                AdapterKind::Json => Arc::new(JsonHttpAdapter::new(target, settings)?),
                // Whoever serves it is no part of this process.
                AdapterKind::External => continue,
            };
            registry.insert(target.clone(), adapter);
        }
        Ok(registry)
    }

    /// Adds an adapter, or replaces the one that the target had.
    pub fn insert(&mut self, target: TargetId, adapter: Arc<dyn Adapter>) {
        self.adapters.insert(target, adapter);
    }

    /// The adapter of a target.
    ///
    /// # Errors
    /// [`RegistryError::UnknownTarget`] where it has none.
    pub fn get(&self, target: &TargetId) -> Result<Arc<dyn Adapter>, RegistryError> {
        self.adapters.get(target).cloned().ok_or_else(|| RegistryError::UnknownTarget { target: target.clone() })
    }

    /// The targets that have an adapter, sorted.
    pub fn targets(&self) -> impl Iterator<Item = &TargetId> {
        self.adapters.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::OnAmbiguous;

    fn target() -> TargetId {
        "hss-east".parse().unwrap()
    }

    #[test]
    fn a_target_without_settings_is_named_in_the_error() {
        let error = AdapterRegistry::default().get(&target()).err().unwrap();
        assert_eq!(error.code(), "target_unknown");
        assert!(error.to_string().contains("[targets.hss-east]"));
    }

    #[test]
    fn an_address_that_is_not_http_is_refused() {
        let settings = TargetSettings::new(AdapterKind::Json, "ftp://crm/".parse().unwrap());
        let error = AdapterRegistry::from_settings([(&target(), &settings)]).err().unwrap();
        assert_eq!(error.code(), "target_base_url_invalid");
    }

    #[test]
    fn an_external_target_has_no_adapter_here() {
        let registry = AdapterRegistry::from_settings([(&target(), &TargetSettings::external())]).unwrap();
        assert_eq!(registry.targets().count(), 0);
    }

    #[test]
    fn a_target_that_cannot_be_read_back_is_not_to_be_verified() {
        let mut settings = TargetSettings::new(AdapterKind::Json, "http://127.0.0.1:1/".parse().unwrap());
        settings.verify = false;
        for (on_ambiguous, keys, expected) in [
            (None, true, OnAmbiguous::Resend),
            (None, false, OnAmbiguous::Hold),
            (Some(OnAmbiguous::Resend), false, OnAmbiguous::Resend),
            (Some(OnAmbiguous::GiveUp), true, OnAmbiguous::GiveUp),
        ] {
            (settings.on_ambiguous, settings.idempotency_keys) = (on_ambiguous, keys);
            let registry = AdapterRegistry::from_settings([(&target(), &settings)]).unwrap();
            assert_eq!(registry.get(&target()).unwrap().capabilities("any").on_ambiguous, expected);
        }
        settings.on_ambiguous = Some(OnAmbiguous::Verify);
        let error = AdapterRegistry::from_settings([(&target(), &settings)]).err().unwrap();
        assert_eq!(error.code(), "target_not_verified");
    }

    #[test]
    fn each_target_gets_its_own_adapter() {
        let settings = TargetSettings::new(AdapterKind::Pyhss, "http://127.0.0.1:1/".parse().unwrap());
        let registry = AdapterRegistry::from_settings([(&target(), &settings)]).unwrap();
        assert_eq!(registry.targets().collect::<Vec<_>>(), vec![&target()]);
        assert!(registry.get(&target()).is_ok());
    }
}
