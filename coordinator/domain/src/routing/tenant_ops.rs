//! Where the upkeep of tenants is: a tenant's own workflow, and its imports, on the tenant_ops queue of its shard.

use super::{EntityRoute, NAMESPACE_DEFAULT, QueueKind, Routing, shard_of};
use crate::ids::{TenantId, decode_part};

/// The workflow type of a tenant.
pub const TENANT_WORKFLOW_TYPE: &str = "TenantEntity";
/// The workflow type of an import of leases.
pub const IMPORT_WORKFLOW_TYPE: &str = "ResourceImport";

impl Routing {
    /// Where a tenant's own workflow is: `{prefix}/tenant/{name}`, the name percent-encoded, in the namespace `default`: the
    /// tenant's own may not be there yet.
    pub fn tenant_entity(&self, tenant: &TenantId) -> EntityRoute {
        let shard = shard_of(tenant.as_str(), self.settings.shard_count);
        EntityRoute {
            namespace: NAMESPACE_DEFAULT.to_owned(),
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
            namespace: self.tenant(tenant).namespace.clone(),
            workflow_type: IMPORT_WORKFLOW_TYPE,
            workflow_id: format!("{}/import/{digest}", tenant.encoded()),
            shard,
            task_queue: self.settings.prefix.queue(QueueKind::TenantOps, shard),
            priority: self.priority(tenant),
        }
    }
}

/// The tenant whose own workflow has this id; none where it is no tenant's.
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
    }
}
