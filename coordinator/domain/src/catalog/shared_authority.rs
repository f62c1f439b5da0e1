//! The authority of a kind that tenants share is one target: what several targets say of one resource nobody could put together.

use std::collections::BTreeMap;

use thiserror::Error;

use super::Catalog;
use crate::ids::{RealmId, ResourceKind, TargetId, TenantId};
use crate::routing::TenantSettings;

/// Tenants that share a realm ask different targets who has its resources.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the resource kind '{kind}' is shared (realm '{realm}'), but its authority is the target '{}' for the tenant '{}' \
     and '{}' for the tenant '{}'; use one target for all of them",
    .one.1, .one.0, .other.1, .other.0
)]
pub struct AuthoritiesDiffer {
    /// The kind.
    pub kind: ResourceKind,
    /// Its realm.
    pub realm: RealmId,
    /// A tenant, and whom it asks.
    pub one: (TenantId, TargetId),
    /// Another tenant that asks somebody else.
    pub other: (TenantId, TargetId),
}

impl Catalog {
    /// Checks that all tenants of whom something is set ask the same target about what they share. A resource is looked up in the
    /// name of whoever claims it, so the answer would be that of the claimant's own target, where another tenant's holder is not known.
    ///
    /// # Errors
    /// [`AuthoritiesDiffer`], for the first kind of which they do not.
    pub fn check_authorities(
        &self,
        tenants: &BTreeMap<TenantId, TenantSettings>,
    ) -> Result<(), Box<AuthoritiesDiffer>> {
        for (kind, rule) in &self.inner.kinds {
            let (Some(realm), Some(role)) = (&rule.realm, rule.authority_role()) else { continue };
            let asked = |of: &TenantSettings| of.targets.get(role).cloned().unwrap_or_else(|| TargetId::from(role));
            let mut all = tenants.iter().map(|(tenant, of)| (tenant.clone(), asked(of)));
            let Some(one) = all.next() else { continue };
            if let Some(other) = all.find(|(_, target)| *target != one.1) {
                return Err(Box::new(AuthoritiesDiffer { kind: kind.clone(), realm: realm.clone(), one, other }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::REFERENCE_TEXT;
    use super::*;

    fn calls(role: &str, target: &str) -> TenantSettings {
        let targets = [(role.parse().unwrap(), target.parse().unwrap())].into();
        TenantSettings { targets, ..TenantSettings::default() }
    }

    #[test]
    fn tenants_that_share_numbers_ask_one_target_who_has_them() {
        let shared = REFERENCE_TEXT.replace("[resources.msisdn]\n", "[resources.msisdn]\nrealm = \"numbers\"\n");
        let (shared, own) = (Catalog::parse(&shared).unwrap(), Catalog::reference());
        let tenants =
            |blue, green| BTreeMap::from([("blue".parse().unwrap(), blue), ("green".parse().unwrap(), green)]);
        let differ = tenants(calls("hss", "hss-east"), calls("hss", "hss-west"));
        let fault = shared.check_authorities(&differ).unwrap_err();
        assert_eq!((fault.one.1.as_str(), fault.other.1.as_str()), ("hss-east", "hss-west"));
        assert!(fault.to_string().contains("'green'"), "{fault}");
        // Who maps nothing asks the target that is called as the role is.
        assert!(shared.check_authorities(&tenants(calls("hss", "hss-east"), TenantSettings::default())).is_err());
        assert_eq!(own.check_authorities(&differ), Ok(()), "each has its own numbers");
        let same = tenants(calls("hss", "hss-east"), calls("hss", "hss-east"));
        assert_eq!(shared.check_authorities(&same), Ok(()));
        assert_eq!(
            shared.check_authorities(&tenants(calls("crm", "a"), calls("crm", "b"))),
            Ok(()),
            "not the authority"
        );
    }
}
