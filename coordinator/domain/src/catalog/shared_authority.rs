//! The authority of a kind that tenants share is one target: answers of several targets about one resource could not be combined.

use std::collections::BTreeMap;

use thiserror::Error;

use super::Catalog;
use crate::ids::{RealmId, ResourceKind, TargetId, TenantId};
use crate::routing::TenantSettings;

/// Tenants that share a realm ask different targets who holds its resources.
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
    /// A tenant, and the target that it asks.
    pub one: (TenantId, TargetId),
    /// Another tenant, which asks another target.
    pub other: (TenantId, TargetId),
}

impl Catalog {
    /// Checks that all tenants with settings ask the same target about the kinds that they share. A resource is looked up in the
    /// name of the claimant, so the answer would come from the claimant's own target, which does not know another tenant's holder.
    ///
    /// # Errors
    /// [`AuthoritiesDiffer`], for the first kind for which they do not.
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
        // A tenant without a mapping asks the target that has the role's name.
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
