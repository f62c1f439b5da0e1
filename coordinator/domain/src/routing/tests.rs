use proptest::prelude::*;

use super::*;
use crate::ids::{PART_BYTES_MAX, TENANT_BYTES_MAX, decode_part, encode_part};

fn routing(settings: RoutingSettings) -> Routing {
    Routing::new(settings).unwrap()
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn number() -> ResourceId {
    "msisdn/12065551234".parse().unwrap()
}

fn in_namespace(namespace: &str) -> TenantSettings {
    TenantSettings { namespace: namespace.to_owned(), ..TenantSettings::default() }
}

#[test]
fn a_customer_has_its_route() {
    let route = routing(RoutingSettings::default()).customer(&tenant("default"), &"A/1".parse().unwrap());
    assert_eq!(route.namespace, "default");
    assert_eq!(route.workflow_type, "CustomerEntity");
    assert_eq!(route.workflow_id, "default/customer/A%2F1");
    assert_eq!(route.task_queue, format!("interlock.entity.{}", route.shard));
    assert_eq!(route.priority, Priority { fairness_key: "default".to_owned(), fairness_weight: 1.0 });
}

#[test]
fn a_resource_has_its_route() {
    let settings = RoutingSettings { shard_count: ShardCount::ONE, ..RoutingSettings::default() };
    let route = routing(settings).resource(&tenant("acme"), &number());
    assert_eq!(route.workflow_type, "ResourceEntity");
    assert_eq!(route.workflow_id, "acme/resource/msisdn/12065551234");
    assert_eq!(route.task_queue, "interlock.resource.00");
}

#[test]
fn tenants_that_share_a_realm_share_its_resources_and_queue() {
    let settings = RoutingSettings {
        realms: [("msisdn".parse().unwrap(), "shared-hss".parse().unwrap())].into(),
        ..RoutingSettings::default()
    };
    let routing = routing(settings);
    let (one, other) = (routing.resource(&tenant("a"), &number()), routing.resource(&tenant("b"), &number()));
    assert_eq!(one.workflow_id, "shared-hss/resource/msisdn/12065551234");
    assert_eq!((&one.workflow_id, &one.task_queue), (&other.workflow_id, &other.task_queue));
    assert_ne!(one.priority, other.priority);
    let own = "imsi/001010000000001".parse().unwrap();
    assert_eq!(routing.resource(&tenant("a"), &own).workflow_id, "a/resource/imsi/001010000000001");
}

#[test]
fn a_shared_realm_must_not_span_namespaces() {
    let tenants: BTreeMap<_, _> = [(tenant("a"), in_namespace("one")), (tenant("b"), in_namespace("two"))].into();
    let realms: BTreeMap<_, _> = [("msisdn".parse().unwrap(), "shared".parse().unwrap())].into();
    let shared = RoutingSettings { tenants: tenants.clone(), realms, ..RoutingSettings::default() };
    assert_eq!(Routing::new(shared).unwrap_err().code(), "realm_spans_namespaces");
    let apart = routing(RoutingSettings { tenants, ..RoutingSettings::default() });
    assert_eq!(apart.customer(&tenant("a"), &"c".parse().unwrap()).namespace, "one");
    assert_eq!(apart.customer(&tenant("b"), &"c".parse().unwrap()).namespace, "two");
    assert_eq!(apart.customer(&tenant("c"), &"c".parse().unwrap()).namespace, "default");
}

#[test]
fn an_id_key_hides_the_id_of_a_resource_and_nothing_else() {
    let settings = RoutingSettings { id_key: Some("a secret".parse().unwrap()), ..RoutingSettings::default() };
    let routing = routing(settings);
    let id = routing.resource(&tenant("acme"), &number()).workflow_id;
    let hidden = id.strip_prefix("acme/resource/msisdn/").unwrap();
    assert_eq!(hidden.len(), 64);
    assert!(!id.contains("12065551234"));
    assert_eq!(id.parse::<EntityAddress>().unwrap(), routing.resource_address(&tenant("acme"), &number()));
    assert_eq!(routing.customer(&tenant("acme"), &"A1".parse().unwrap()).workflow_id, "acme/customer/A1");
    assert_eq!(format!("{:?}", routing.settings().id_key), "Some(IdKey(hidden))");
    assert_eq!("".parse::<IdKey>().unwrap_err().code(), "bad_id_key");
}

#[test]
fn the_shards_of_tenants_are_stable() {
    let sixteen = ShardCount::try_from(16).unwrap();
    let shards = ["default", "acme", "océan"].map(|name| shard_of(name, sixteen).get());
    assert_eq!(shards, [1, 13, 11]);
    assert_eq!(shard_of("anybody", ShardCount::ONE).get(), 0);
}

#[test]
fn queues_have_their_names() {
    let routing = routing(RoutingSettings { prefix: "il.test".parse().unwrap(), ..RoutingSettings::default() });
    assert_eq!(routing.provisioning_queue(&"hss-east".parse().unwrap()), "il.test.provisioning-hss-east");
    assert_eq!(routing.provisioning_queue(&"a b".parse().unwrap()), "il.test.provisioning-a%20b");
    let all = routing.queues(QueueKind::TenantOps, routing.settings().shard_count.shards());
    assert_eq!((all.len(), all[0].as_str(), all[15].as_str()), (16, "il.test.tenant_ops.00", "il.test.tenant_ops.15"));
    assert!(all.contains(&routing.tenant_queue(QueueKind::TenantOps, &tenant("acme"))));
}

#[test]
fn the_count_of_shards_is_taken_at_its_edges_and_not_beyond() {
    for count in [1, u64::from(SHARD_COUNT_MAX)] {
        assert_eq!(u64::from(ShardCount::try_from(count).unwrap()), count);
    }
    for count in [0, u64::from(SHARD_COUNT_MAX) + 1, 65_537, u64::MAX] {
        assert_eq!(ShardCount::try_from(count).unwrap_err().code(), "bad_shard_count");
    }
    assert!(ShardCount::ONE.shard(0).is_ok());
    assert!(ShardCount::ONE.shard(1).is_err());
}

#[test]
fn a_prefix_is_taken_at_its_edge_and_not_beyond() {
    assert!("p".repeat(PREFIX_BYTES_MAX).parse::<QueuePrefix>().is_ok());
    for prefix in [String::new(), "p".repeat(PREFIX_BYTES_MAX + 1), "a/b".to_owned(), "__temporal".to_owned()] {
        assert_eq!(prefix.parse::<QueuePrefix>().unwrap_err().code(), "bad_queue_prefix");
    }
}

#[test]
fn a_plan_is_a_weight() {
    let weights = [TenantPlan::Free, TenantPlan::Pro, TenantPlan::Enterprise].map(|plan| plan.weight().to_string());
    assert_eq!(weights, ["1", "3", "10"]);
    let longest = tenant(&"t".repeat(TENANT_BYTES_MAX));
    assert_eq!(Priority::of(&longest, TenantPlan::Pro).fairness_key.len(), 64);
}

#[test]
fn only_the_one_way_to_write_a_workflow_id_is_taken() {
    for id in ["t/customer/c", "t/customer/a%2Fb", "t/resource/msisdn/1", "t/resource/a%2Fb/%25"] {
        assert_eq!(id.parse::<EntityAddress>().unwrap().to_string(), id);
    }
    for id in [
        "",
        "t/customer",
        "t/customer/c/d",
        "t/resource/c",
        "t/other/c",
        "t/customer/a%2fb",
        "t/customer/%41",
        "t/customer/a b",
        "t/customer/",
        "/customer/c",
        "t/customer/..",
        "t/customer/%FF",
        "t/resource/k/%",
    ] {
        assert!(id.parse::<EntityAddress>().is_err(), "{id}");
    }
}

proptest! {
    #[test]
    fn any_part_survives_its_encoding(raw in ".{1,40}") {
        prop_assert_eq!(decode_part(&encode_part(&raw)).unwrap(), raw);
    }

    #[test]
    fn any_entity_is_read_back_from_its_workflow_id(tenant in ".{1,8}", kind in ".{1,8}", id in ".{1,20}") {
        let (Ok(tenant), Ok(kind)) = (tenant.parse::<TenantId>(), kind.parse::<ResourceKind>()) else { return Ok(()) };
        let Ok(resource) = ResourceId::new(kind, &id) else { return Ok(()) };
        prop_assume!(encode_part(&id).len() <= PART_BYTES_MAX);
        let routing = routing(RoutingSettings::default());
        let address = routing.resource_address(&tenant, &resource);
        prop_assert_eq!(address.to_string().parse::<EntityAddress>().unwrap(), address);
        if let Ok(customer) = id.parse::<CustomerId>() {
            let address = EntityAddress::Customer(CustomerRef { tenant, customer });
            prop_assert_eq!(address.to_string().parse::<EntityAddress>().unwrap(), address);
        }
    }

    #[test]
    fn no_text_makes_reading_a_workflow_id_panic(raw in ".{0,60}") {
        let _ = raw.parse::<EntityAddress>();
    }

    #[test]
    fn a_shard_is_below_the_count(name in ".{1,20}", count in 1_u64..=1000) {
        let count = ShardCount::try_from(count).unwrap();
        prop_assert!(shard_of(&name, count).get() < count.get());
    }
}
