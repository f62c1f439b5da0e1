//! Routing: which namespace, task queue, workflow id and priority each entity has. Clients and workers use this one module,
//! so that they cannot disagree; callers in other languages have the same rules in the wire contract and their results in
//! the golden vectors (`vectors.json`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod address;
mod id_key;
mod misplaced;
mod priority;
mod queue;
mod queue_move;
mod record;
mod target;
mod tenant_ops;

pub use address::{CUSTOMER_WORKFLOW_TYPE, EntityAddress, RESOURCE_WORKFLOW_TYPE};
pub use id_key::IdKey;
pub use misplaced::Misplacement;
pub use priority::{Priority, TenantPlan};
pub use queue::{
    PREFIX_BYTES_MAX, QueueKind, QueuePrefix, SHARD_COUNT_DEFAULT, SHARD_COUNT_MAX, ShardCount, ShardIndex, Spread,
    entity_shard, shard_of,
};
pub use queue_move::{QueueAssignment, QueueMove};
pub use record::{Disagreement, InstallationRecord, Records, agreed, to_record};
pub use target::{TARGET_WORKFLOW_TYPE, target_of_workflow};
pub use tenant_ops::{ACTION_LOG_WORKFLOW_TYPE, IMPORT_WORKFLOW_TYPE, TENANT_WORKFLOW_TYPE, tenant_of_workflow};

use crate::error_code::ErrorCode;
use crate::ids::{
    CustomerId, CustomerRef, IdError, RealmId, ResourceId, ResourceKind, Role, SubscriptionId, TargetId, TenantId,
};
use crate::subscription::{Subscription, SubscriptionSettings};

/// The namespace of an installation if the connection to Temporal names none: Temporal's own default.
pub const NAMESPACE_DEFAULT: &str = "default";

/// Why routing settings are rejected, or a text is not a workflow id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RoutingError {
    /// The prefix of the task queues is too long or has invalid characters.
    #[error(
        "the queue prefix '{0}' must be 1 to {PREFIX_BYTES_MAX} characters of A-Z a-z 0-9 . _ - and must not begin \
         with '__temporal'"
    )]
    Prefix(String),
    /// The count of shards is out of range.
    #[error("the shard count {0} must be from 1 to {SHARD_COUNT_MAX}")]
    ShardCount(u64),
    /// A spread is out of range.
    #[error("the spread {0} must be from 1 to the number of shards, which is at most {SHARD_COUNT_MAX}")]
    Spread(u64),
    /// A tenant or realm has a spread of more shards than there are.
    #[error("{whose} has a spread of {spread} shards, but there are only {count} shards")]
    SpreadOverCount {
        /// The tenant or realm.
        whose: String,
        /// Its spread.
        spread: u16,
        /// The count of shards.
        count: u16,
    },
    /// The id key is empty.
    #[error("the id key must not be empty; unset it to use plain ids")]
    IdKey,
    /// Tenants share a realm and have different namespaces, between which a lease could not be handed over.
    #[error(
        "the resource kind '{kind}' is shared (realm '{realm}'), but its tenants are in the namespaces '{one}' (the \
         connection's, the default for tenants) and '{other}'; use the connection's namespace for all of them, or \
         remove the realm from the kind"
    )]
    RealmSpansNamespaces {
        /// The kind.
        kind: ResourceKind,
        /// Its realm.
        realm: RealmId,
        /// The connection's namespace.
        one: String,
        /// The namespace of a tenant.
        other: String,
    },
    /// The text is not the workflow id of an entity.
    #[error(
        "'{0}' is not the workflow id of an entity; expected TENANT/customer/ID or REALM/resource/KIND/ID, each part \
         percent-encoded"
    )]
    NotAnEntity(String),
    /// A part of a workflow id is not a valid id.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl RoutingError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Prefix(_) => ErrorCode::BadQueuePrefix,
            Self::ShardCount(_) => ErrorCode::BadShardCount,
            Self::Spread(_) | Self::SpreadOverCount { .. } => ErrorCode::BadSpread,
            Self::IdKey => ErrorCode::BadIdKey,
            Self::RealmSpansNamespaces { .. } => ErrorCode::RealmSpansNamespaces,
            Self::NotAnEntity(_) => ErrorCode::NotAnEntity,
            Self::Id(_) => ErrorCode::BadId,
        }
    }
}

/// What routing depends on.
#[derive(Debug, Clone)]
pub struct RoutingSettings {
    /// The prefix of the names of all task queues.
    pub prefix: QueuePrefix,
    /// The namespace of the installation: used by tenants that name none, and by target entities.
    pub namespace: String,
    /// Over how many queues of a kind the tenants are spread.
    pub shard_count: ShardCount,
    /// The earlier counts by which entities may still be placed while the count changes; otherwise empty.
    pub counts_before: Vec<ShardCount>,
    /// How often the count was changed: a newer layout of the queues has a higher generation.
    pub generation: u64,
    /// The settings of shared realms.
    pub shared_realms: BTreeMap<RealmId, RealmSettings>,
    /// The realms of the resource kinds that tenants share; any other kind has the tenant as realm.
    pub realms: BTreeMap<ResourceKind, RealmId>,
    /// The settings of single tenants; all others have the defaults.
    pub tenants: BTreeMap<TenantId, TenantSettings>,
    /// The key that hides resource ids in workflow ids, if one is set.
    pub id_key: Option<IdKey>,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self {
            prefix: QueuePrefix::default(),
            namespace: NAMESPACE_DEFAULT.to_owned(),
            shard_count: ShardCount::default(),
            counts_before: Vec::new(),
            generation: 0,
            shared_realms: BTreeMap::new(),
            realms: BTreeMap::new(),
            tenants: BTreeMap::new(),
            id_key: None,
        }
    }
}

/// The settings of one shared realm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RealmSettings {
    /// Over how many shards its resources are spread.
    pub spread: Spread,
}

/// The settings of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// Its Temporal namespace; the installation's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Over how many shards its entities are spread. Resources of shared realms are not the tenant's: they are spread as
    /// their realm says ([`RealmSettings`]); otherwise tenants that share them would disagree.
    pub spread: Spread,
    /// Its plan, which sets its fairness weight.
    pub plan: TenantPlan,
    /// The targets that the catalog's roles are mapped to; for a role that is missing, the target has the role's name.
    pub targets: BTreeMap<Role, TargetId>,
    /// Who is told what becomes of its events.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subscriptions: BTreeMap<SubscriptionId, SubscriptionSettings>,
}

impl TenantSettings {
    /// The targets that are called for it, given the catalog's `roles`: those that the roles are mapped to, and the receivers of its
    /// subscriptions.
    pub fn called(&self, roles: &BTreeSet<Role>) -> BTreeSet<TargetId> {
        let mapped = roles.iter().map(|role| self.targets.get(role).cloned().unwrap_or_else(|| TargetId::from(role)));
        mapped.chain(self.subscriptions.values().map(|subscription| subscription.target.clone())).collect()
    }

    /// Whether a subscription may want to know what becomes of events of this type. Then they must go through their customer's entity, which
    /// tells.
    pub fn tells_of(&self, event_type: &str) -> bool {
        self.subscriptions.values().any(|subscription| subscription.may_want(event_type))
    }

    /// Its subscriptions, as its customers learn them.
    pub fn subscribers(&self) -> Vec<Subscription> {
        let subscriptions = self.subscriptions.iter();
        subscriptions.map(|(id, settings)| Subscription { id: id.clone(), settings: settings.clone() }).collect()
    }
}

/// The place of an entity: namespace, workflow and task queue.
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

/// Computes the place of everything.
#[derive(Debug, Clone)]
pub struct Routing {
    settings: RoutingSettings,
    default_tenant: TenantSettings,
}

impl Routing {
    /// Routing by these settings.
    ///
    /// # Errors
    /// [`RoutingError::RealmSpansNamespaces`], [`RoutingError::SpreadOverCount`].
    pub fn new(settings: RoutingSettings) -> Result<Self, RoutingError> {
        check_realms(&settings)?;
        check_spreads(&settings)?;
        Ok(Self { settings, default_tenant: TenantSettings::default() })
    }

    /// The settings that it was made from.
    pub fn settings(&self) -> &RoutingSettings {
        &self.settings
    }

    /// The settings of a tenant, or the defaults.
    pub fn tenant(&self, tenant: &TenantId) -> &TenantSettings {
        self.settings.tenants.get(tenant).unwrap_or(&self.default_tenant)
    }

    /// The namespace of a tenant.
    pub fn namespace(&self, tenant: &TenantId) -> &str {
        self.tenant(tenant).namespace.as_deref().unwrap_or(&self.settings.namespace)
    }

    /// The namespaces of all tenants, including those without settings; sorted.
    pub fn namespaces(&self) -> BTreeSet<String> {
        let named = self.settings.tenants.values().filter_map(|tenant| tenant.namespace.clone());
        named.chain([self.settings.namespace.clone()]).collect()
    }

    /// The priority of a tenant's workflows and activities.
    pub fn priority(&self, tenant: &TenantId) -> Priority {
        Priority::of(tenant, self.tenant(tenant).plan)
    }

    /// The realm of a kind for a tenant.
    pub fn realm(&self, tenant: &TenantId, kind: &ResourceKind) -> RealmId {
        self.settings.realms.get(kind).cloned().unwrap_or_else(|| RealmId::from(tenant))
    }

    /// The address of a resource as this tenant refers to it, with its id hidden if an id key is set.
    pub fn resource_address(&self, tenant: &TenantId, resource: &ResourceId) -> EntityAddress {
        let key = match &self.settings.id_key {
            Some(id_key) => id_key.hide(resource.id()),
            None => resource.id().to_owned(),
        };
        EntityAddress::Resource { realm: self.realm(tenant, resource.kind()), kind: resource.kind().clone(), key }
    }

    /// The place of a customer's entity.
    pub fn customer(&self, tenant: &TenantId, customer: &CustomerId) -> EntityRoute {
        let customer = CustomerRef { tenant: tenant.clone(), customer: customer.clone() };
        self.route(tenant, &EntityAddress::Customer(customer))
    }

    /// The place of a resource's entity, as this tenant refers to the resource.
    pub fn resource(&self, tenant: &TenantId, resource: &ResourceId) -> EntityRoute {
        self.route(tenant, &self.resource_address(tenant, resource))
    }

    /// The place of the entity with this address, for calls on behalf of `tenant`.
    pub fn route(&self, tenant: &TenantId, address: &EntityAddress) -> EntityRoute {
        let kind = match address {
            EntityAddress::Customer(_) => QueueKind::Entity,
            EntityAddress::Resource { .. } => QueueKind::Resource,
        };
        let workflow_id = address.to_string();
        let shard = entity_shard(address.scope(), &workflow_id, self.settings.shard_count, self.spread(address));
        EntityRoute {
            namespace: self.namespace(tenant).to_owned(),
            workflow_type: address.workflow_type(),
            workflow_id,
            shard,
            task_queue: self.settings.prefix.queue(kind, shard),
            priority: self.priority(tenant),
        }
    }

    /// The place where the entity of a workflow in this namespace should be, or a workflow for the upkeep of tenants; none if
    /// it does not belong to this installation.
    pub fn route_of(&self, namespace: &str, workflow_id: &str) -> Option<EntityRoute> {
        if let Some(target) = target_of_workflow(workflow_id) {
            let is_ours = |route: &EntityRoute| route.workflow_id == workflow_id && route.namespace == namespace;
            return Some(self.target(&target)).filter(is_ours);
        }
        if let Some(route) = self.tenant_ops_route(workflow_id) {
            return Some(route).filter(|route| route.namespace == namespace);
        }
        let address: EntityAddress = workflow_id.parse().ok()?;
        let on_behalf_of: TenantId = address.scope().parse().ok()?;
        Some(EntityRoute { namespace: namespace.to_owned(), ..self.route(&on_behalf_of, &address) })
    }

    /// Over how many shards the entities of this tenant or realm are spread.
    fn spread(&self, address: &EntityAddress) -> Spread {
        match address {
            EntityAddress::Customer(customer) => self.tenant(&customer.tenant).spread,
            EntityAddress::Resource { realm, kind, .. } if self.settings.realms.contains_key(kind) => {
                self.settings.shared_realms.get(realm).copied().unwrap_or_default().spread
            }
            // The realm is the tenant.
            EntityAddress::Resource { realm, .. } => {
                realm.as_str().parse().map(|tenant| self.tenant(&tenant).spread).unwrap_or_default()
            }
        }
    }

    /// The task queue of this kind for a tenant's work that belongs to no entity: it is not spread.
    pub fn tenant_queue(&self, kind: QueueKind, tenant: &TenantId) -> String {
        self.settings.prefix.queue(kind, shard_of(tenant.as_str(), self.settings.shard_count))
    }

    /// The task queues of this kind for some shards, for the workers that serve them.
    pub fn queues(&self, kind: QueueKind, shards: impl IntoIterator<Item = ShardIndex>) -> Vec<String> {
        shards.into_iter().map(|shard| self.settings.prefix.queue(kind, shard)).collect()
    }

    /// The shards that workers serve: those of the present count and, while it changes, of the earlier counts.
    pub fn served_shards(&self) -> ShardCount {
        self.settings.counts_before.iter().copied().chain([self.settings.shard_count]).max().unwrap_or_default()
    }

    /// The queue assignment that callers send to an entity: none, except while the count of shards changes.
    pub fn queue_assignment(&self, route: &EntityRoute) -> Option<QueueAssignment> {
        let changes = !self.settings.counts_before.is_empty();
        changes.then(|| QueueAssignment { generation: self.settings.generation, task_queue: route.task_queue.clone() })
    }

    /// The one task queue of a target's provisioning activities.
    pub fn provisioning_queue(&self, target: &TargetId) -> String {
        self.settings.prefix.provisioning_queue(target)
    }
}

fn check_realms(settings: &RoutingSettings) -> Result<(), RoutingError> {
    let Some((kind, realm)) = settings.realms.first_key_value() else { return Ok(()) };
    // Tenants without settings are in the connection's namespace, and they are in the realm as well.
    let one = &settings.namespace;
    let mut namespaces = settings.tenants.values().filter_map(|tenant| tenant.namespace.as_ref());
    match namespaces.find(|namespace| *namespace != one) {
        Some(other) => Err(RoutingError::RealmSpansNamespaces {
            kind: kind.clone(),
            realm: realm.clone(),
            one: one.clone(),
            other: other.clone(),
        }),
        None => Ok(()),
    }
}

fn check_spreads(settings: &RoutingSettings) -> Result<(), RoutingError> {
    let tenants = settings.tenants.iter().map(|(tenant, of)| (format!("the tenant '{tenant}'"), of.spread));
    let realms = settings.shared_realms.iter().map(|(realm, of)| (format!("the realm '{realm}'"), of.spread));
    let count = settings.shard_count.get();
    match tenants.chain(realms).find(|(_, spread)| spread.get() > count) {
        Some((whose, spread)) => Err(RoutingError::SpreadOverCount { whose, spread: spread.get(), count }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
