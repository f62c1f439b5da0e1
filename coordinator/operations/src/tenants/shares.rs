//! The shares of tenants on the queues of targets: the weights of their plans, and the most calls a second for one tenant.
//!
//! What an entity starts has the weight of the plan with which the entity was started, perhaps years ago; the weight that is set on the
//! queue replaces it.

use std::collections::{BTreeMap, BTreeSet};

use backon::{ExponentialBuilder, Retryable};
use interlock_client::ServerError;
use interlock_client::task_queues::{self, TenantShares};
use interlock_connection::Installation;
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::{TargetId, TenantId};
use interlock_domain::routing::Routing;
use interlock_domain::target_entity::Rate;

/// The shares on each queue, by namespace and name.
type Shares = BTreeMap<(String, String), TenantShares>;

/// Sets the shares of tenants on the queues of all targets; retries until Temporal takes them, or says that it never will.
pub async fn keep_shares(installation: Installation) {
    let set = (|| set_shares(&installation)).retry(ExponentialBuilder::default().without_max_times());
    let set = set.when(ServerError::is_temporary);
    let told = set.notify(|error, _| tracing::warn!(%error, "cannot set the shares of tenants"));
    if let Err(error) = told.await {
        tracing::warn!(
            %error,
            "the shares of tenants are not set: running entities keep the weights that they were started with, and 'rate_per_tenant' limits nobody"
        );
    }
}

async fn set_shares(installation: &Installation) -> Result<(), ServerError> {
    let targets = &installation.settings.targets;
    let rates = targets.iter().map(|(target, of)| (target.clone(), of.rate_per_tenant)).collect();
    for ((namespace, queue), shares) in shares(&installation.routing, &installation.catalog, &rates) {
        if !task_queues::set_tenant_shares(&installation.client, &namespace, &queue, &shares).await? {
            tracing::warn!(namespace, queue, "the server does not report the shares of tenants");
        }
    }
    Ok(())
}

/// The weights of the configured tenants, and the rates of the configured targets. A target without a rate has its limit lifted.
fn shares(routing: &Routing, catalog: &Catalog, rates: &BTreeMap<TargetId, Option<Rate>>) -> Shares {
    let mut shares = Shares::new();
    for tenant in routing.settings().tenants.keys() {
        let priority = routing.priority(tenant);
        for target in targets_of(routing, catalog, tenant) {
            let place = (routing.namespace(tenant).to_owned(), routing.provisioning_queue(&target));
            let weights = &mut shares.entry(place).or_default().weights;
            weights.insert(priority.fairness_key.clone(), priority.fairness_weight);
        }
    }
    for (target, rate) in rates {
        for namespace in routing.namespaces_of_target(target, &catalog.roles()) {
            let place = (namespace, routing.provisioning_queue(target));
            shares.entry(place).or_default().requests_per_second = rate.map(of_server);
        }
    }
    shares
}

/// A rate as the server takes it: it counts in 32 bits.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn of_server(rate: Rate) -> f32 {
    rate.get() as f32
}

/// The targets that are called for a tenant.
pub(super) fn targets_of(routing: &Routing, catalog: &Catalog, tenant: &TenantId) -> BTreeSet<TargetId> {
    routing.tenant(tenant).called(&catalog.roles())
}

#[cfg(test)]
mod tests {
    use interlock_domain::routing::{RoutingSettings, TenantPlan, TenantSettings};

    use super::*;

    #[test]
    fn each_queue_has_the_plans_of_all_tenants_that_use_it_and_the_rate_of_its_target() {
        let of = |plan, namespace: Option<&str>, hss: &str| TenantSettings {
            plan,
            namespace: namespace.map(str::to_owned),
            targets: BTreeMap::from([("hss".parse().unwrap(), hss.parse().unwrap())]),
            ..TenantSettings::default()
        };
        let tenants = [
            ("blue", of(TenantPlan::Enterprise, None, "hss-east")),
            ("red", of(TenantPlan::Free, None, "hss-east")),
            ("green", of(TenantPlan::Pro, Some("green"), "hss-west")),
        ];
        let tenants = tenants.into_iter().map(|(tenant, of)| (tenant.parse().unwrap(), of)).collect();
        let routing = Routing::new(RoutingSettings { tenants, ..RoutingSettings::default() }).unwrap();
        let rate = |target: &str, rate: Option<u32>| (target.parse().unwrap(), rate.map(Rate::per_second));
        let rates = BTreeMap::from([rate("hss-east", Some(5)), rate("crm", Some(2)), rate("hss-west", None)]);
        let shares = shares(&routing, &Catalog::reference(), &rates);
        let at = |namespace: &str, target: &str| {
            let queue = routing.provisioning_queue(&target.parse().unwrap());
            shares.get(&(namespace.to_owned(), queue)).cloned()
        };
        let home = routing.namespace(&"blue".parse().unwrap()).to_owned();
        let weights = BTreeMap::from([("blue".to_owned(), 10.0), ("red".to_owned(), 1.0)]);
        assert_eq!(at(&home, "hss-east"), Some(TenantShares { weights, requests_per_second: Some(5.0) }));
        let weights = BTreeMap::from([("green".to_owned(), 3.0)]);
        let lifted = TenantShares { weights, requests_per_second: None };
        assert_eq!(at("green", "hss-west"), Some(lifted));
        // A role without a mapping is called in the namespaces of all.
        for (namespace, tenants) in [(home.as_str(), 2), ("green", 1)] {
            let of_crm = at(namespace, "crm").unwrap();
            assert_eq!((of_crm.weights.len(), of_crm.requests_per_second), (tenants, Some(2.0)));
        }
        assert_eq!(at("green", "hss-east"), None);
    }
}
