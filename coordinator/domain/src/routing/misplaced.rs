//! Runs behind the workflow ids of entities that no worker of the installation executes: somebody started them under another workflow type,
//! on another task queue, or in another namespace.

use std::fmt;

use super::{EntityAddress, EntityRoute, QueueKind, Routing};
use crate::ids::{CustomerId, TenantId};

/// The run behind the workflow id of an entity that is not where the workers of the installation serve it.
#[derive(Debug, Clone, PartialEq)]
pub struct Misplacement {
    /// The entity.
    pub address: EntityAddress,
    /// Where it should be.
    pub expected: EntityRoute,
    /// Where the run is.
    pub namespace: String,
    /// The workflow type of the run.
    pub workflow_type: String,
    /// The task queue of the run.
    pub task_queue: String,
}

impl Misplacement {
    /// The customer whose entity it should be. `None` if it is a resource.
    pub fn customer(&self) -> Option<(&TenantId, &CustomerId)> {
        match &self.address {
            EntityAddress::Customer(customer) => Some((&customer.tenant, &customer.customer)),
            EntityAddress::Resource { .. } => None,
        }
    }

    /// The command that makes the entity work again. What the run of a customer received is submitted again; of a resource nothing is
    /// lost, since the customers repeat what they have and want.
    pub fn remedy(&self) -> String {
        let in_place = self.namespace == self.expected.namespace;
        match self.customer().filter(|_| in_place) {
            Some((tenant, customer)) => {
                format!("interlock customer recover {customer} --misplaced --yes --tenant {tenant}")
            }
            None => format!(
                "temporal workflow terminate --namespace {} --workflow-id {} --reason misplaced",
                self.namespace, self.expected.workflow_id
            ),
        }
    }
}

impl fmt::Display for Misplacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differs = |what: &str, is: &str, expected: &str| {
            (is != expected).then(|| format!("{what} '{is}' instead of '{expected}'"))
        };
        let expected = &self.expected;
        // A queue that is served is as good as the expected one; it is named only where it explains something.
        let differences: Vec<String> = [
            differs("in the namespace", &self.namespace, &expected.namespace),
            differs("as workflow type", &self.workflow_type, expected.workflow_type),
            differs("on the task queue", &self.task_queue, &expected.task_queue),
        ]
        .into_iter()
        .flatten()
        .collect();
        write!(
            f,
            "The run behind the workflow id {} was started {}, so no worker of this installation executes it",
            expected.workflow_id,
            differences.join(" and ")
        )
    }
}

impl Routing {
    /// Whether the run behind an entity's workflow id is one that no worker of this installation executes. `None` if it is in its place, or if
    /// the workflow id is not that of a customer or a resource. A queue of another shard is served, too.
    pub fn misplaced(
        &self,
        namespace: &str,
        workflow_id: &str,
        workflow_type: &str,
        task_queue: &str,
    ) -> Option<Misplacement> {
        let address: EntityAddress = workflow_id.parse().ok()?;
        let expected = match &address {
            EntityAddress::Customer(customer) => self.route(&customer.tenant, &address),
            // Several tenants may share its realm, which is then in the namespace of the installation.
            EntityAddress::Resource { .. } => self.route_of(namespace, workflow_id)?,
        };
        let kind = match address {
            EntityAddress::Customer(_) => QueueKind::Entity,
            EntityAddress::Resource { .. } => QueueKind::Resource,
        };
        let is_served = self.queues(kind, self.served_shards().shards()).iter().any(|queue| queue == task_queue);
        let is_in_place = namespace == expected.namespace && workflow_type == expected.workflow_type && is_served;
        (!is_in_place).then(|| Misplacement {
            address,
            expected,
            namespace: namespace.to_owned(),
            workflow_type: workflow_type.to_owned(),
            task_queue: task_queue.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::routing::{RoutingSettings, ShardCount, TenantSettings};

    const CUSTOMER: &str = "blue/customer/A1";

    fn routing() -> Routing {
        let own = TenantSettings { namespace: Some("green".to_owned()), ..TenantSettings::default() };
        Routing::new(RoutingSettings {
            shard_count: ShardCount::try_from(4).unwrap(),
            tenants: BTreeMap::from([("green".parse().unwrap(), own)]),
            ..RoutingSettings::default()
        })
        .unwrap()
    }

    fn misplaced(workflow_id: &str, workflow_type: &str, task_queue: &str) -> Option<Misplacement> {
        routing().misplaced("default", workflow_id, workflow_type, task_queue)
    }

    #[test]
    fn a_run_on_any_served_queue_is_in_its_place() {
        for shard in 0..4 {
            assert_eq!(misplaced(CUSTOMER, "CustomerEntity", &format!("interlock.entity.{shard:02}")), None);
            let queue = format!("interlock.resource.{shard:02}");
            assert_eq!(misplaced("blue/resource/msisdn/1206", "ResourceEntity", &queue), None);
        }
        for other in
            ["order-17", "interlock/target/hss", "interlock/tenant/blue", "blue/import/0a/1/2", "blue/customer/a b"]
        {
            assert_eq!(misplaced(other, "Anything", "anywhere"), None, "{other}");
        }
    }

    #[test]
    fn a_wrong_type_queue_or_namespace_is_named_with_the_command_that_helps() {
        let queue = routing().customer(&"blue".parse().unwrap(), &"A1".parse().unwrap()).task_queue;
        for (workflow_type, task_queue, said) in [
            ("CustomerEntty", queue.as_str(), "as workflow type 'CustomerEntty' instead of 'CustomerEntity'"),
            ("ResourceEntity", queue.as_str(), "as workflow type 'ResourceEntity' instead of 'CustomerEntity'"),
            ("CustomerEntity", "orders", "on the task queue 'orders' instead of 'interlock.entity."),
            ("CustomerEntity", "interlock.entity.04", "on the task queue 'interlock.entity.04'"),
            ("CustomerEntity", "interlock.resource.00", "on the task queue 'interlock.resource.00'"),
            ("customer", "orders", "'CustomerEntity' and on the task queue 'orders'"),
        ] {
            let found = misplaced(CUSTOMER, workflow_type, task_queue).unwrap();
            assert!(found.to_string().contains(said), "{found}");
            assert_eq!(found.remedy(), "interlock customer recover A1 --misplaced --yes --tenant blue");
        }
        let resource = misplaced("blue/resource/msisdn/1206", "ResourceEntity", "orders").unwrap();
        assert!(resource.remedy().starts_with("temporal workflow terminate --namespace default"), "{resource}");
        let elsewhere = misplaced("green/customer/A1", "CustomerEntity", "interlock.entity.00").unwrap();
        assert!(elsewhere.to_string().contains("in the namespace 'default' instead of 'green'"), "{elsewhere}");
        assert!(elsewhere.remedy().contains("terminate --namespace default --workflow-id green/customer/A1"));
    }
}
