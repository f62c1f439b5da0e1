//! Where target entities are: one for each target instance, whichever tenants use it.

use std::collections::BTreeSet;

use super::{EntityRoute, Priority, QueueKind, Routing, TenantSettings, shard_of};
use crate::ids::{Role, TargetId, decode_part};
use crate::subscription::subscription_of;

/// The workflow type of a target entity.
pub const TARGET_WORKFLOW_TYPE: &str = "TargetEntity";

impl Routing {
    /// Where a target's entity is: `{prefix}/target/{name}`, the name percent-encoded, in the namespace of the installation, on
    /// the jobs queue of the shard that follows from the name.
    pub fn target(&self, target: &TargetId) -> EntityRoute {
        let shard = shard_of(target.as_str(), self.settings.shard_count);
        let prefix = &self.settings.prefix;
        EntityRoute {
            namespace: self.settings.namespace.clone(),
            workflow_type: TARGET_WORKFLOW_TYPE,
            workflow_id: format!("{}/target/{}", prefix.as_str(), target.encoded()),
            shard,
            task_queue: prefix.queue(QueueKind::Jobs, shard),
            priority: Priority { fairness_key: prefix.as_str().to_owned(), fairness_weight: 1.0 },
        }
    }

    /// The namespaces in which a target is called: those of the tenants that map one of the catalog's `roles` to it or have it as the receiver
    /// of a subscription, including tenants without settings. Never empty.
    pub fn namespaces_of_target(&self, target: &TargetId, roles: &BTreeSet<Role>) -> BTreeSet<String> {
        if let Some((tenant, _)) = subscription_of(target) {
            return BTreeSet::from([self.namespace(&tenant).to_owned()]);
        }
        let calls_it = |tenant: &&TenantSettings| tenant.called(roles).contains(target);
        let tenants = self.settings.tenants.values().chain([&self.default_tenant]);
        let namespace =
            |tenant: &TenantSettings| tenant.namespace.clone().unwrap_or_else(|| self.settings.namespace.clone());
        let mut namespaces: BTreeSet<String> = tenants.filter(calls_it).map(namespace).collect();
        if namespaces.is_empty() {
            namespaces.insert(self.settings.namespace.clone());
        }
        namespaces
    }
}

/// The target whose entity has this workflow id; none if the id is not a target entity's.
pub fn target_of_workflow(workflow_id: &str) -> Option<TargetId> {
    match workflow_id.split('/').collect::<Vec<_>>().as_slice() {
        [_, "target", name] => {
            let target: TargetId = decode_part(name).ok()?.try_into().ok()?;
            (target.encoded() == *name).then_some(target)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ids::SubscriptionId;
    use crate::routing::RoutingSettings;
    use crate::subscription::SubscriptionSettings;

    fn role(name: &str) -> Role {
        name.parse().unwrap()
    }

    fn hook() -> BTreeMap<SubscriptionId, SubscriptionSettings> {
        let settings = serde_json::from_value(serde_json::json!({"target": "hook"})).unwrap();
        BTreeMap::from([("crm".parse().unwrap(), settings)])
    }

    fn routing() -> Routing {
        let tenant = |namespace: &str, targets: &[(&str, &str)]| TenantSettings {
            namespace: Some(namespace.to_owned()),
            targets: targets.iter().map(|(of, target)| (role(of), target.parse().unwrap())).collect(),
            ..TenantSettings::default()
        };
        let tenants = BTreeMap::from([
            ("blue".parse().unwrap(), tenant("blue", &[("hss", "hss-east")])),
            ("red".parse().unwrap(), tenant("red", &[("hss", "hss-east")])),
            ("green".parse().unwrap(), TenantSettings { subscriptions: hook(), ..tenant("green", &[]) }),
        ]);
        Routing::new(RoutingSettings { tenants, ..RoutingSettings::default() }).unwrap()
    }

    #[test]
    fn a_target_entity_is_found_by_its_targets_name() {
        let route = routing().target(&"hss east".parse().unwrap());
        assert_eq!(route.workflow_id, "interlock/target/hss%20east");
        assert_eq!(target_of_workflow(&route.workflow_id).unwrap().as_str(), "hss east");
        assert!(route.task_queue.starts_with("interlock.jobs."));
        for other in ["t/customer/c", "t/resource/msisdn/1", "interlock/target/", "interlock/target/a/b"] {
            assert_eq!(target_of_workflow(other), None, "{other}");
        }
    }

    #[test]
    fn a_target_is_called_in_the_namespaces_of_those_who_use_it_and_no_others() {
        let roles = BTreeSet::from([role("hss"), role("crm")]);
        let of = |target: &str| {
            let namespaces = routing().namespaces_of_target(&target.parse().unwrap(), &roles);
            namespaces.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("hss-east"), "blue red");
        assert_eq!(of("hss"), "default green");
        assert_eq!(of("crm"), "blue default green red");
        assert_eq!(of("nobody-uses-it"), "default");
        assert_eq!(of("hook"), "green", "the receiver of a subscription");
    }
}
