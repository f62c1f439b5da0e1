//! The adapters by target.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use interlock_domain::ids::TargetId;

use crate::adapter::Adapter;
use crate::declarative::DeclarativeAdapter;
use crate::error::RegistryError;
use crate::json_http::JsonHttpAdapter;
use crate::pyhss::PyhssAdapter;
use crate::settings::{AdapterKind, TargetSettings};
use crate::webhook::WebhookAdapter;

/// The adapters of all configured targets, and of receivers that come and go. Clones share them.
#[derive(Clone, Default)]
pub struct AdapterRegistry {
    adapters: Arc<RwLock<BTreeMap<TargetId, Arc<dyn Adapter>>>>,
}

impl AdapterRegistry {
    /// Creates one adapter for each target, except for external ones and those that translate events.
    ///
    /// # Errors
    /// [`RegistryError`] for the first target whose settings are invalid.
    pub fn from_settings<'a>(
        targets: impl IntoIterator<Item = (&'a TargetId, &'a TargetSettings)>,
    ) -> Result<Self, RegistryError> {
        let registry = Self::default();
        for (target, settings) in targets {
            let adapter: Arc<dyn Adapter> = match settings.adapter {
                AdapterKind::Pyhss => Arc::new(PyhssAdapter::new(target, settings)?),
                AdapterKind::Declarative => Arc::new(DeclarativeAdapter::new(target, settings)?),
                AdapterKind::Json => Arc::new(JsonHttpAdapter::new(target, settings)?),
                AdapterKind::Webhook => Arc::new(WebhookAdapter::new(target, settings)?),
                // Another program serves this target; or its adapter needs Interlock itself, and workers add it.
                AdapterKind::External | AdapterKind::Intake => continue,
            };
            registry.insert(target.clone(), adapter);
        }
        Ok(registry)
    }

    /// Adds the adapter of a target, or replaces it.
    pub fn insert(&self, target: TargetId, adapter: Arc<dyn Adapter>) {
        self.adapters.write().unwrap_or_else(PoisonError::into_inner).insert(target, adapter);
    }

    /// Removes the adapter of a target.
    pub fn remove(&self, target: &TargetId) {
        self.adapters.write().unwrap_or_else(PoisonError::into_inner).remove(target);
    }

    /// The adapter of a target.
    ///
    /// # Errors
    /// [`RegistryError::UnknownTarget`] if the target has no adapter.
    pub fn get(&self, target: &TargetId) -> Result<Arc<dyn Adapter>, RegistryError> {
        let adapters = self.adapters.read().unwrap_or_else(PoisonError::into_inner);
        adapters.get(target).cloned().ok_or_else(|| RegistryError::UnknownTarget { target: target.clone() })
    }

    /// The targets that have an adapter, sorted.
    pub fn targets(&self) -> Vec<TargetId> {
        self.adapters.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
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
        assert_eq!(registry.targets().len(), 0);
    }

    #[test]
    fn settings_that_verify_a_target_that_cannot_be_read_back_are_rejected() {
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
        assert_eq!(registry.targets(), vec![target()]);
        assert!(registry.get(&target()).is_ok());
    }
}
