//! Routing: which namespace, task queue, workflow id and priority each entity has. Clients and workers use this one module,
//! so that they cannot disagree; callers in other languages have the same rules in the wire contract and their results in
//! the golden vectors (`vectors.json`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod address;
mod id_key;
mod priority;
mod queue;
mod target;
mod tenant_ops;

pub use address::{CUSTOMER_WORKFLOW_TYPE, EntityAddress, RESOURCE_WORKFLOW_TYPE};
pub use id_key::IdKey;
pub use priority::{Priority, TenantPlan};
pub use queue::{
    PREFIX_BYTES_MAX, QueueKind, QueuePrefix, SHARD_COUNT_DEFAULT, SHARD_COUNT_MAX, ShardCount, ShardIndex, shard_of,
};
pub use target::{TARGET_WORKFLOW_TYPE, target_of_workflow};
pub use tenant_ops::{IMPORT_WORKFLOW_TYPE, TENANT_WORKFLOW_TYPE, tenant_of_workflow};

use crate::error_code::ErrorCode;
use crate::ids::{CustomerId, CustomerRef, IdError, RealmId, ResourceId, ResourceKind, Role, TargetId, TenantId};

/// The namespace of a tenant that names none.
pub const NAMESPACE_DEFAULT: &str = "default";

/// Why routing settings are not taken, or a workflow id is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RoutingError {
    /// The prefix of the task queues has characters that it must not have, or too many.
    #[error(
        "the queue prefix '{0}' must be 1 to {PREFIX_BYTES_MAX} characters of A-Z a-z 0-9 . _ - and not begin with '__temporal'"
    )]
    Prefix(String),
    /// The count of shards is out of range.
    #[error("the shard count {0} must be from 1 to {SHARD_COUNT_MAX}")]
    ShardCount(u64),
    /// The id key is empty.
    #[error("the id key must not be empty; unset it to have plain ids")]
    IdKey,
    /// Tenants share a realm and have different namespaces, where a lease could not be handed from one to the other.
    #[error(
        "the resource kind '{kind}' is shared (realm '{realm}'), but tenants have the namespaces '{one}' and '{other}'; \
         give them one namespace, or the kind no realm"
    )]
    RealmSpansNamespaces {
        /// The kind.
        kind: ResourceKind,
        /// Its realm.
        realm: RealmId,
        /// The namespace of one tenant.
        one: String,
        /// The namespace of another.
        other: String,
    },
    /// The text is no workflow id of an entity.
    #[error("'{0}' is no entity; expected TENANT/customer/ID or REALM/resource/KIND/ID, each part percent-encoded")]
    NotAnEntity(String),
    /// A part of a workflow id is no id.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl RoutingError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Prefix(_) => ErrorCode::BadQueuePrefix,
            Self::ShardCount(_) => ErrorCode::BadShardCount,
            Self::IdKey => ErrorCode::BadIdKey,
            Self::RealmSpansNamespaces { .. } => ErrorCode::RealmSpansNamespaces,
            Self::NotAnEntity(_) => ErrorCode::NotAnEntity,
            Self::Id(_) => ErrorCode::BadId,
        }
    }
}

/// What routing depends on.
#[derive(Debug, Clone, Default)]
pub struct RoutingSettings {
    /// What the names of all task queues begin with.
    pub prefix: QueuePrefix,
    /// Over how many queues of a kind the tenants are spread.
    pub shard_count: ShardCount,
    /// The realms of the resource kinds that tenants share; any other kind has the tenant as realm.
    pub realms: BTreeMap<ResourceKind, RealmId>,
    /// What is set for single tenants; all others have the defaults.
    pub tenants: BTreeMap<TenantId, TenantSettings>,
    /// The key that hides resource ids in workflow ids, where they are to be hidden.
    pub id_key: Option<IdKey>,
}

/// What is set for one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// Its Temporal namespace.
    pub namespace: String,
    /// Its plan, which is its fairness weight.
    pub plan: TenantPlan,
    /// The targets that the catalog's roles stand for; a role that is missing is its own target.
    pub targets: BTreeMap<Role, TargetId>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self { namespace: NAMESPACE_DEFAULT.to_owned(), plan: TenantPlan::default(), targets: BTreeMap::new() }
    }
}

/// Where an entity is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityRoute {
    /// The Temporal namespace.
    pub namespace: String,
    /// The workflow type: [`CUSTOMER_WORKFLOW_TYPE`] or [`RESOURCE_WORKFLOW_TYPE`].
    pub workflow_type: &'static str,
    /// The workflow id.
    pub workflow_id: String,
    /// The shard of its queue.
    pub shard: ShardIndex,
    /// The task queue of its workflow tasks.
    pub task_queue: String,
    /// The priority of what is started for the tenant.
    pub priority: Priority,
}

/// Answers where everything is.
#[derive(Debug, Clone)]
pub struct Routing {
    settings: RoutingSettings,
    default_tenant: TenantSettings,
}

impl Routing {
    /// Routing by these settings.
    ///
    /// # Errors
    /// [`RoutingError::RealmSpansNamespaces`].
    pub fn new(settings: RoutingSettings) -> Result<Self, RoutingError> {
        if let Some((kind, realm)) = settings.realms.first_key_value() {
            let mut namespaces = settings.tenants.values().map(|tenant| &tenant.namespace);
            if let Some(one) = namespaces.next()
                && let Some(other) = namespaces.find(|other| *other != one)
            {
                return Err(RoutingError::RealmSpansNamespaces {
                    kind: kind.clone(),
                    realm: realm.clone(),
                    one: one.clone(),
                    other: other.clone(),
                });
            }
        }
        Ok(Self { settings, default_tenant: TenantSettings::default() })
    }

    /// The settings it was made of.
    pub fn settings(&self) -> &RoutingSettings {
        &self.settings
    }

    /// What is set for a tenant, or the defaults.
    pub fn tenant(&self, tenant: &TenantId) -> &TenantSettings {
        self.settings.tenants.get(tenant).unwrap_or(&self.default_tenant)
    }

    /// The priority of a tenant's workflows and activities.
    pub fn priority(&self, tenant: &TenantId) -> Priority {
        Priority::of(tenant, self.tenant(tenant).plan)
    }

    /// The realm of a kind for a tenant.
    pub fn realm(&self, tenant: &TenantId, kind: &ResourceKind) -> RealmId {
        self.settings.realms.get(kind).cloned().unwrap_or_else(|| RealmId::from(tenant))
    }

    /// The address of a resource as this tenant means it, its id hidden where an id key is set.
    pub fn resource_address(&self, tenant: &TenantId, resource: &ResourceId) -> EntityAddress {
        let key = match &self.settings.id_key {
            Some(id_key) => id_key.hide(resource.id()),
            None => resource.id().to_owned(),
        };
        EntityAddress::Resource { realm: self.realm(tenant, resource.kind()), kind: resource.kind().clone(), key }
    }

    /// Where a customer's entity is.
    pub fn customer(&self, tenant: &TenantId, customer: &CustomerId) -> EntityRoute {
        let customer = CustomerRef { tenant: tenant.clone(), customer: customer.clone() };
        self.route(tenant, &EntityAddress::Customer(customer))
    }

    /// Where a resource's entity is, as this tenant means the resource.
    pub fn resource(&self, tenant: &TenantId, resource: &ResourceId) -> EntityRoute {
        self.route(tenant, &self.resource_address(tenant, resource))
    }

    /// Where the entity of this address is, for calls on behalf of `tenant`.
    pub fn route(&self, tenant: &TenantId, address: &EntityAddress) -> EntityRoute {
        let kind = match address {
            EntityAddress::Customer(_) => QueueKind::Entity,
            EntityAddress::Resource { .. } => QueueKind::Resource,
        };
        let shard = shard_of(address.scope(), self.settings.shard_count);
        EntityRoute {
            namespace: self.tenant(tenant).namespace.clone(),
            workflow_type: address.workflow_type(),
            workflow_id: address.to_string(),
            shard,
            task_queue: self.settings.prefix.queue(kind, shard),
            priority: self.priority(tenant),
        }
    }

    /// The task queue of this kind that a tenant's work goes to.
    pub fn tenant_queue(&self, kind: QueueKind, tenant: &TenantId) -> String {
        self.settings.prefix.queue(kind, shard_of(tenant.as_str(), self.settings.shard_count))
    }

    /// The task queues of this kind for some shards, for the workers that serve them.
    pub fn queues(&self, kind: QueueKind, shards: impl IntoIterator<Item = ShardIndex>) -> Vec<String> {
        shards.into_iter().map(|shard| self.settings.prefix.queue(kind, shard)).collect()
    }

    /// The one task queue of a target's provisioning activities.
    pub fn provisioning_queue(&self, target: &TargetId) -> String {
        self.settings.prefix.provisioning_queue(target)
    }
}

#[cfg(test)]
mod tests;
