//! The weights of tenants on the queues of targets. What an entity starts has the weight of the plan with which the entity was started,
//! perhaps years ago; the weight that is set on the queue replaces it.

use std::collections::{BTreeMap, BTreeSet};

use backon::{ExponentialBuilder, Retryable};
use interlock_client::{ServerError, task_queues};
use interlock_connection::Installation;
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::{TargetId, TenantId};
use interlock_domain::routing::Routing;

/// Per namespace and queue, the weights of tenants by their fairness keys.
type Weights = BTreeMap<(String, String), BTreeMap<String, f32>>;

/// Sets the weights of the configured tenants on the queues of their targets; retries until Temporal takes them, or says that it never will.
pub async fn keep_weights(installation: Installation) {
    let set = (|| set_weights(&installation)).retry(ExponentialBuilder::default().without_max_times());
    let set = set.when(ServerError::is_temporary);
    let told = set.notify(|error, _| tracing::warn!(%error, "cannot set the weights of the tenants' plans"));
    if let Err(error) = told.await {
        tracing::warn!(%error, "the weights of the tenants' plans are not set: running entities keep those that they were started with");
    }
}

async fn set_weights(installation: &Installation) -> Result<(), ServerError> {
    for ((namespace, queue), weights) in weights(&installation.routing, &installation.catalog) {
        if !task_queues::set_fairness_weights(&installation.client, &namespace, &queue, &weights).await? {
            tracing::warn!(namespace, queue, "the server does not report the weights of the tenants' plans");
        }
    }
    Ok(())
}

/// The weights of the configured tenants.
fn weights(routing: &Routing, catalog: &Catalog) -> Weights {
    let mut weights = Weights::new();
    for tenant in routing.settings().tenants.keys() {
        let priority = routing.priority(tenant);
        for target in targets_of(routing, catalog, tenant) {
            let place = (routing.namespace(tenant).to_owned(), routing.provisioning_queue(&target));
            weights.entry(place).or_default().insert(priority.fairness_key.clone(), priority.fairness_weight);
        }
    }
    weights
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
    fn each_queue_has_the_weights_of_the_plans_of_all_tenants_that_use_it() {
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
        let weights = weights(&routing, &Catalog::reference());
        let at = |namespace: &str, target: &str| {
            let queue = routing.provisioning_queue(&target.parse().unwrap());
            weights.get(&(namespace.to_owned(), queue)).cloned().unwrap_or_default()
        };
        let home = routing.namespace(&"blue".parse().unwrap()).to_owned();
        assert_eq!(at(&home, "hss-east"), BTreeMap::from([("blue".to_owned(), 10.0), ("red".to_owned(), 1.0)]));
        assert_eq!(at("green", "hss-west"), BTreeMap::from([("green".to_owned(), 3.0)]));
        assert_eq!(at(&home, "crm").len(), 2, "a role without a mapping");
        assert!(at("green", "hss-east").is_empty());
    }
}
