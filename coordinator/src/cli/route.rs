//! `interlock route TENANT [ENTITY]`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use interlock_connection::{ASKING_LIMIT, ConnectionFlags, connect, record};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, IdError, ResourceId, TenantId};
use interlock_domain::routing::{
    EntityRoute, InstallationRecord, Priority, QueueKind, Routing, ShardIndex, Spread, TenantPlan, shard_of,
};
use interlock_fault::Fault;
use interlock_settings::Settings;
use serde::Serialize;
use temporalio_client::NamespacedClient;

use super::output::Output;

/// `route`.
#[derive(Debug, Args)]
pub(super) struct RouteCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// The tenant
    #[arg(value_name = "TENANT")]
    name: String,
    /// A customer id, or a resource as KIND/ID. Write a customer id that contains a slash as customer/ID
    entity: Option<String>,
}

/// The place of a tenant.
#[derive(Debug, Serialize)]
struct TenantRoute {
    tenant: TenantId,
    plan: TenantPlan,
    namespace: String,
    shard: ShardIndex,
    /// Over how many shards its entities are spread, starting with that one.
    spread: Spread,
    priority: Priority,
    /// By kind.
    task_queues: BTreeMap<&'static str, String>,
    /// By role, for the roles that the settings map.
    provisioning_queues: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<EntityRoute>,
}

/// If INTERLOCK_QUEUE_SHARDS is set, Temporal is not asked; otherwise the recorded number is used.
pub(super) async fn run(command: &RouteCommand, settings: &Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant: TenantId = command.name.parse().map_err(|error| bad_id("tenant", &command.name, &error))?;
    let routing = routing(command, settings).await?;
    let entity = command.entity.as_deref().map(|entity| entity_route(&routing, &tenant, entity)).transpose()?;
    output.one(&tenant_route(&routing, tenant, entity), text)?;
    Ok(ExitCode::SUCCESS)
}

async fn routing(command: &RouteCommand, settings: &Settings) -> Result<Routing, Fault> {
    let (namespace, record) = if let Some(shards) = settings.queue_shards {
        let (_, client) = command.connection.options()?;
        (client.namespace, InstallationRecord::new(settings.prefix.clone(), shards))
    } else {
        let client = connect(&command.connection, ASKING_LIMIT).await?;
        (client.namespace(), record::recorded(&client, settings).await?)
    };
    settings.routing_as_recorded(&settings.catalog()?, &namespace, &record)
}

fn tenant_route(routing: &Routing, tenant: TenantId, entity: Option<EntityRoute>) -> TenantRoute {
    let of_tenant = routing.tenant(&tenant);
    let queue_of = |kind: QueueKind| (kind.as_str(), routing.tenant_queue(kind, &tenant));
    TenantRoute {
        plan: of_tenant.plan,
        namespace: routing.namespace(&tenant).to_owned(),
        shard: shard_of(tenant.as_str(), routing.settings().shard_count),
        spread: of_tenant.spread,
        priority: routing.priority(&tenant),
        task_queues: QueueKind::ALL.into_iter().map(queue_of).collect(),
        provisioning_queues: of_tenant
            .targets
            .iter()
            .map(|(role, target)| (role.to_string(), routing.provisioning_queue(target)))
            .collect(),
        entity,
        tenant,
    }
}

/// A resource if the text contains a slash, unless it starts with `customer/`.
fn entity_route(routing: &Routing, tenant: &TenantId, entity: &str) -> Result<EntityRoute, Fault> {
    let customer = entity.strip_prefix("customer/").or((!entity.contains('/')).then_some(entity));
    if let Some(customer) = customer {
        let customer: CustomerId = customer.parse().map_err(|error| bad_id("customer", customer, &error))?;
        return Ok(routing.customer(tenant, &customer));
    }
    let resource: ResourceId = entity.parse().map_err(|error| bad_id("resource", entity, &error))?;
    Ok(routing.resource(tenant, &resource))
}

fn bad_id(what: &str, text: &str, error: &IdError) -> Fault {
    Fault::wrong_use(ErrorCode::BadId, format!("'{text}' is not a valid {what}: {error}."))
}

fn text(route: &TenantRoute) -> String {
    let mut lines = vec![
        ("tenant", route.tenant.to_string()),
        ("plan", route.plan.as_str().to_owned()),
        ("namespace", route.namespace.clone()),
        ("shard", route.shard.get().to_string()),
        ("spread", route.spread.get().to_string()),
        ("fairness key", route.priority.fairness_key.clone()),
        ("fairness weight", route.priority.fairness_weight.to_string()),
    ];
    lines.extend(route.task_queues.values().map(|queue| ("task queue", queue.clone())));
    lines.extend(route.provisioning_queues.iter().map(|(role, queue)| ("task queue", format!("{queue} ({role})"))));
    if let Some(entity) = &route.entity {
        lines.push(("workflow type", entity.workflow_type.to_owned()));
        lines.push(("workflow id", entity.workflow_id.clone()));
        lines.push(("its task queue", entity.task_queue.clone()));
    }
    lines.into_iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{name:<16}{value}");
        text
    })
}

#[cfg(test)]
mod tests {
    use interlock_domain::routing::ShardCount;

    use super::*;

    fn routing() -> Routing {
        let settings = Settings::default();
        settings.routing(&settings.catalog().unwrap(), ShardCount::ONE).unwrap()
    }

    #[test]
    fn a_slash_makes_a_resource_unless_it_says_customer() {
        let tenant = TenantId::default();
        let id = |entity| entity_route(&routing(), &tenant, entity).unwrap().workflow_id;
        assert_eq!(id("A1"), "default/customer/A1");
        assert_eq!(id("customer/A/1"), "default/customer/A%2F1");
        assert_eq!(id("msisdn/12065551234"), "default/resource/msisdn/12065551234");
        assert_eq!(entity_route(&routing(), &tenant, "..").unwrap_err().code, "bad_id");
    }

    #[test]
    fn the_text_says_namespace_queues_shard_and_priority() {
        let text = text(&tenant_route(&routing(), TenantId::default(), None));
        for line in ["namespace       default", "shard           0", "fairness key    default", "interlock.entity.00"] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
