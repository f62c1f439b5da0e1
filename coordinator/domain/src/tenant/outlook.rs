//! A tenant's settings, as one process has them. Settings are not part of a tenant's workflow: whoever on-boards it sends
//! theirs, and a worker with other settings does not prepare it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StepFault;
use crate::error_code::ErrorCode;
use crate::ids::TenantId;
use crate::routing::Routing;

/// What the settings of a process mean for a tenant. It is text, so that another build can read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantOutlook {
    /// Its namespace.
    pub namespace: String,
    /// Its plan.
    pub plan: String,
    /// Over how many shards its entities are spread.
    pub spread: u16,
    /// The targets that roles are mapped to, if they differ from the role.
    pub targets: BTreeMap<String, String>,
}

impl TenantOutlook {
    /// What this routing means for the tenant.
    pub fn of(routing: &Routing, tenant: &TenantId) -> Self {
        let settings = routing.tenant(tenant);
        Self {
            namespace: routing.namespace(tenant).to_owned(),
            plan: settings.plan.as_str().to_owned(),
            spread: settings.spread.get(),
            targets: settings.targets.iter().map(|(role, target)| (role.to_string(), target.to_string())).collect(),
        }
    }

    /// Checks that the process that on-boards the tenant has the same.
    ///
    /// # Errors
    /// [`StepFault`] `tenant_settings_differ`, which lists the differences.
    pub fn agrees_with(&self, wanted: &Self) -> Result<(), StepFault> {
        let pairs = [
            ("namespace", self.namespace.clone(), wanted.namespace.clone()),
            ("plan", self.plan.clone(), wanted.plan.clone()),
            ("spread", self.spread.to_string(), wanted.spread.to_string()),
            ("targets", self.targets_in_words(), wanted.targets_in_words()),
        ];
        let differ = pairs.into_iter().filter(|(_, here, there)| here != there);
        let words: Vec<String> = differ
            .map(|(what, here, there)| {
                format!("{what}: '{here}' on the worker, '{there}' in the process that on-boards it")
            })
            .collect();
        if words.is_empty() {
            return Ok(());
        }
        Err(StepFault { code: ErrorCode::TenantSettingsDiffer.into(), detail: words.join("; ") })
    }

    fn targets_in_words(&self) -> String {
        let words: Vec<String> = self.targets.iter().map(|(role, target)| format!("{role}={target}")).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_other_settings_is_told_in_what_they_differ() {
        let targets = |target: &str| BTreeMap::from([("hss".to_owned(), target.to_owned())]);
        let here = TenantOutlook {
            namespace: "default".to_owned(),
            plan: "free".to_owned(),
            spread: 1,
            targets: targets("hss-east"),
        };
        assert_eq!(here.agrees_with(&here.clone()), Ok(()));
        let there = TenantOutlook { namespace: "blue".to_owned(), targets: targets("hss-west"), ..here.clone() };
        let fault = here.agrees_with(&there).unwrap_err();
        assert_eq!(fault.code.to_string(), "tenant_settings_differ");
        for part in ["namespace: 'default' on the worker, 'blue'", "hss=hss-east", "hss=hss-west"] {
            assert!(fault.detail.contains(part), "{part} in {}", fault.detail);
        }
        assert!(!fault.detail.contains("plan"), "{}", fault.detail);
    }
}
