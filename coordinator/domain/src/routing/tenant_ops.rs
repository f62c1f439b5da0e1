//! Where the upkeep of tenants runs: a tenant's own workflow, its imports and the logs of persons' actions, on the tenant_ops queue of
//! its shard.

use super::{EntityRoute, QueueKind, Routing, shard_of};
use crate::ids::{TenantId, decode_part};

/// The workflow type of a tenant.
pub const TENANT_WORKFLOW_TYPE: &str = "TenantEntity";
/// The workflow type of an import of leases.
pub const IMPORT_WORKFLOW_TYPE: &str = "ResourceImport";
/// The workflow type of a log of persons' actions.
pub const ACTION_LOG_WORKFLOW_TYPE: &str = "ActionLogEntity";

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

    /// Where the log of a tenant's actions is: `{prefix}/actions/{name}`; that of the actions on targets, which tenants share:
    /// `{prefix}/actions`. Both are in the namespace of the installation.
    pub fn action_log(&self, tenant: Option<&TenantId>) -> EntityRoute {
        let prefix = self.settings.prefix.as_str();
        let shard = shard_of(tenant.map_or(prefix, TenantId::as_str), self.settings.shard_count);
        EntityRoute {
            namespace: self.settings.namespace.clone(),
            workflow_type: ACTION_LOG_WORKFLOW_TYPE,
            workflow_id: tenant
                .map_or_else(|| format!("{prefix}/actions"), |tenant| format!("{prefix}/actions/{}", tenant.encoded())),
            shard,
            task_queue: self.settings.prefix.queue(QueueKind::TenantOps, shard),
            priority: self.priority(tenant.unwrap_or(&TenantId::default())),
        }
    }

    /// Where a tenant's own workflow, a log of actions, an import or a part of one is; none if the id is not one of these.
    pub(super) fn tenant_ops_route(&self, workflow_id: &str) -> Option<EntityRoute> {
        if let Some(tenant) = tenant_of_workflow(workflow_id) {
            return Some(self.tenant_entity(&tenant)).filter(|route| route.workflow_id == workflow_id);
        }
        match workflow_id.split('/').collect::<Vec<_>>().as_slice() {
            [prefix, "actions"] if *prefix == self.settings.prefix.as_str() => Some(self.action_log(None)),
            [prefix, "actions", name] if *prefix == self.settings.prefix.as_str() => {
                let tenant: TenantId = decode_part(name).ok()?.try_into().ok()?;
                Some(self.action_log(Some(&tenant))).filter(|route| route.workflow_id == workflow_id)
            }
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
        assert_eq!(tenant_of_workflow(&own.workflow_id).as_ref(), Some(&tenant));
        assert_eq!(import.workflow_id, "o%27neill/import/0a");
        assert_eq!(own.task_queue, import.task_queue);
        assert!(own.task_queue.starts_with("interlock.tenant_ops."));
        assert_eq!(tenant_of_workflow("t/customer/c"), None);
        let (log, of_targets) = (routing.action_log(Some(&tenant)), routing.action_log(None));
        assert_eq!(
            (log.workflow_id.as_str(), of_targets.workflow_id.as_str()),
            ("interlock/actions/o%27neill", "interlock/actions")
        );
        for route in [&own, &import, &log, &of_targets] {
            assert_eq!(routing.route_of(&route.namespace, &route.workflow_id).as_ref(), Some(route));
        }
        let part = format!("{}/1795000000000/7", import.workflow_id);
        let found = routing.route_of(&import.namespace, &part).unwrap();
        assert_eq!((found.task_queue, found.workflow_id), (import.task_queue, part));
    }
}
