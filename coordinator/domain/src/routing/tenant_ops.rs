//! Where the upkeep of tenants runs: a tenant's own workflow, and its imports, on the tenant_ops queue of its shard.

use super::{EntityRoute, QueueKind, Routing, shard_of};
use crate::ids::{TenantId, decode_part};

/// The workflow type of a tenant.
pub const TENANT_WORKFLOW_TYPE: &str = "TenantEntity";
/// The workflow type of an import of leases.
pub const IMPORT_WORKFLOW_TYPE: &str = "ResourceImport";

impl Routing {
    /// Where a tenant's own workflow is: `{prefix}/tenant/{name}`, the name percent-encoded, in the namespace of the installation,
    /// because the tenant's own namespace may not exist yet.
    pub fn tenant_entity(&self, tenant: &TenantId) -> EntityRoute {
        let shard = shard_of(tenant.as_str(), self.settings.shard_count);
        EntityRoute {
            namespace: self.settings.namespace.clone(),
            workflow_type: TENANT_WORKFLOW_TYPE,
            workflow_id: format!("{}/tenant/{}", self.settings.prefix.as_str(), tenant.encoded()),
            shard,
            task_queue: self.settings.prefix.queue(QueueKind::TenantOps, shard),
            priority: self.priority(tenant),
        }
    }

    /// Where the import of a list is: `{tenant}/import/{digest}`, in the tenant's namespace.
    pub fn import(&self, tenant: &TenantId, digest: &str) -> EntityRoute {
        let shard = shard_of(tenant.as_str(), self.settings.shard_count);
        EntityRoute {
            namespace: self.namespace(tenant).to_owned(),
            workflow_type: IMPORT_WORKFLOW_TYPE,
            workflow_id: format!("{}/import/{digest}", tenant.encoded()),
            shard,
            task_queue: self.settings.prefix.queue(QueueKind::TenantOps, shard),
            priority: self.priority(tenant),
        }
    }

    /// Where a tenant's own workflow, an import or a part of one is; none if the id is not one of these.
    pub(super) fn tenant_ops_route(&self, workflow_id: &str) -> Option<EntityRoute> {
        if let Some(tenant) = tenant_of_workflow(workflow_id) {
            return Some(self.tenant_entity(&tenant)).filter(|route| route.workflow_id == workflow_id);
        }
        match workflow_id.split('/').collect::<Vec<_>>().as_slice() {
            [tenant, "import", digest, ..] => {
                let tenant: TenantId = decode_part(tenant).ok()?.try_into().ok()?;
                Some(EntityRoute { workflow_id: workflow_id.to_owned(), ..self.import(&tenant, digest) })
            }
            _ => None,
        }
    }
}

/// The tenant whose own workflow has this id; none if the id is not a tenant's.
pub fn tenant_of_workflow(workflow_id: &str) -> Option<TenantId> {
    match workflow_id.split('/').collect::<Vec<_>>().as_slice() {
        [_, "tenant", name] => {
            let tenant: TenantId = decode_part(name).ok()?.try_into().ok()?;
            (tenant.encoded() == *name).then_some(tenant)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::RoutingSettings;

    #[test]
    fn a_tenant_and_its_imports_are_on_the_tenant_ops_queue_of_its_shard() {
        let routing = Routing::new(RoutingSettings::default()).unwrap();
        let tenant: TenantId = "o'neill".parse().unwrap();
        let (own, import) = (routing.tenant_entity(&tenant), routing.import(&tenant, "0a"));
        assert_eq!(own.workflow_id, "interlock/tenant/o%27neill");
        assert_eq!(tenant_of_workflow(&own.workflow_id), Some(tenant));
        assert_eq!(import.workflow_id, "o%27neill/import/0a");
        assert_eq!(own.task_queue, import.task_queue);
        assert!(own.task_queue.starts_with("interlock.tenant_ops."));
        assert_eq!(tenant_of_workflow("t/customer/c"), None);
        for route in [&own, &import] {
            assert_eq!(routing.route_of(&route.namespace, &route.workflow_id).as_ref(), Some(route));
        }
        let part = format!("{}/1795000000000/7", import.workflow_id);
        let found = routing.route_of(&import.namespace, &part).unwrap();
        assert_eq!((found.task_queue, found.workflow_id), (import.task_queue, part));
    }
}
