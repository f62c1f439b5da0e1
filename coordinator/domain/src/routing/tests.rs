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
    TenantSettings { namespace: Some(namespace.to_owned()), ..TenantSettings::default() }
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
    assert_eq!(Routing::new(shared.clone()).unwrap_err().code(), "realm_spans_namespaces");
    // A tenant without settings is in the connection's namespace, and has the same numbers.
    let one = BTreeMap::from([(tenant("a"), in_namespace("one"))]);
    let alone = RoutingSettings { tenants: one, ..shared };
    assert_eq!(Routing::new(alone.clone()).unwrap_err().code(), "realm_spans_namespaces");
    assert!(Routing::new(RoutingSettings { namespace: "one".to_owned(), ..alone }).is_ok());
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

fn spread(number: u64) -> Spread {
    number.try_into().unwrap()
}

fn spread_out(shards: u64, of_acme: u64) -> RoutingSettings {
    let acme = TenantSettings { spread: spread(of_acme), ..TenantSettings::default() };
    RoutingSettings {
        shard_count: shards.try_into().unwrap(),
        tenants: [(tenant("acme"), acme)].into(),
        ..RoutingSettings::default()
    }
}

/// The shards of a hundred customers of acme, and how many there are of each.
fn shards_of_customers(routing: &Routing) -> BTreeMap<u16, u32> {
    let shards = (0..100).map(|n| routing.customer(&tenant("acme"), &format!("c{n}").parse().unwrap()).shard.get());
    shards.fold(BTreeMap::new(), |mut counted, shard| {
        *counted.entry(shard).or_default() += 1;
        counted
    })
}

#[test]
fn a_tenant_that_is_spread_has_so_many_shards_from_its_own_on_and_over_the_end() {
    assert_eq!(shard_of("acme", 16.try_into().unwrap()).get(), 13);
    let shards = shards_of_customers(&routing(spread_out(16, 4)));
    assert_eq!(shards.keys().copied().collect::<Vec<_>>(), [0, 13, 14, 15]);
    assert!(shards.values().all(|customers| *customers > 10), "{shards:?}");
    assert_eq!(shards_of_customers(&routing(spread_out(16, 16))).len(), 16);
    assert_eq!(shards_of_customers(&routing(spread_out(16, 1))), [(13, 100)].into());
}

#[test]
fn where_an_entity_of_a_spread_tenant_lives_is_stable() {
    let routing = routing(spread_out(16, 4));
    let customers = ["A1", "A2", "A/3"].map(|id| routing.customer(&tenant("acme"), &id.parse().unwrap()).task_queue);
    assert_eq!(customers, ["interlock.entity.13", "interlock.entity.14", "interlock.entity.13"]);
    assert_eq!(routing.resource(&tenant("acme"), &number()).task_queue, "interlock.resource.15");
    assert_eq!(routing.tenant_queue(QueueKind::Jobs, &tenant("acme")), "interlock.jobs.13");
}

#[test]
fn a_shared_realm_is_spread_by_its_own_setting_and_by_no_tenants() {
    let shared = |of_realm: u64| {
        let mut settings = spread_out(16, 16);
        settings.realms.insert("msisdn".parse().unwrap(), "shared".parse().unwrap());
        settings.shared_realms.insert("shared".parse().unwrap(), RealmSettings { spread: spread(of_realm) });
        let routing = routing(settings);
        let queue = |tenant_id: &str, n: u32| {
            routing.resource(&tenant(tenant_id), &format!("msisdn/{n}").parse().unwrap()).task_queue
        };
        (0..100).for_each(|n| assert_eq!(queue("acme", n), queue("other", n)));
        (0..100).map(|n| queue("acme", n)).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((shared(1), shared(4)), (1, 4));
}

#[test]
fn a_spread_is_taken_at_its_edges_and_not_beyond() {
    assert!(Routing::new(spread_out(4, 4)).is_ok());
    let refused = Routing::new(spread_out(4, 5)).unwrap_err();
    assert_eq!(refused.code(), "bad_spread");
    assert_eq!(refused.to_string(), "the tenant 'acme' has a spread of 5 shards, but there are only 4 shards");
    let mut of_realm = spread_out(4, 1);
    of_realm.shared_realms.insert("shared".parse().unwrap(), RealmSettings { spread: spread(5) });
    assert_eq!(Routing::new(of_realm).unwrap_err().code(), "bad_spread");
    for wrong in [0, u64::from(SHARD_COUNT_MAX) + 1] {
        assert_eq!(Spread::try_from(wrong).unwrap_err().code(), "bad_spread");
    }
}

#[test]
fn while_the_count_changes_all_queues_are_served_and_entities_are_told_where_they_live() {
    let mut settings = RoutingSettings { shard_count: 4.try_into().unwrap(), ..RoutingSettings::default() };
    let at_rest = routing(settings.clone());
    let route = at_rest.customer(&tenant("acme"), &"A1".parse().unwrap());
    assert_eq!((at_rest.served_shards().get(), at_rest.queue_assignment(&route)), (4, None));
    settings.counts_before = vec![6.try_into().unwrap(), 2.try_into().unwrap()];
    settings.generation = 3;
    let changing = routing(settings);
    let queue_assignment = QueueAssignment { generation: 3, task_queue: route.task_queue.clone() };
    assert_eq!((changing.served_shards().get(), changing.queue_assignment(&route)), (6, Some(queue_assignment)));
}

#[test]
fn where_a_workflow_is_to_live_is_known_by_its_id() {
    let routing = routing(spread_out(16, 4));
    let of = |id: &str| routing.route_of("default", id).map(|route| route.task_queue);
    let customer = routing.customer(&tenant("acme"), &"A2".parse().unwrap());
    assert_eq!(of(&customer.workflow_id), Some(customer.task_queue));
    let resource = routing.resource(&tenant("acme"), &number());
    assert_eq!(of(&resource.workflow_id), Some(resource.task_queue));
    let target = routing.target(&"hss".parse().unwrap());
    assert_eq!(of(&target.workflow_id), Some(target.task_queue));
    for nobody in ["interlock/sweep", "interlock/installation", "other/target/hss", "t/other/c"] {
        assert_eq!(of(nobody), None, "{nobody}");
    }
    assert_eq!(routing.route_of("blue", &target.workflow_id), None);
}

#[test]
fn tenants_that_name_no_namespace_have_that_of_the_installation() {
    let settings = RoutingSettings {
        namespace: "home.a1b2c".to_owned(),
        tenants: [(tenant("a"), in_namespace("one")), (tenant("b"), TenantSettings::default())].into(),
        ..RoutingSettings::default()
    };
    let routing = routing(settings);
    let namespaces = ["a", "b", "c"].map(|name| routing.namespace(&tenant(name)));
    assert_eq!(namespaces, ["one", "home.a1b2c", "home.a1b2c"]);
    assert_eq!(routing.namespaces().into_iter().collect::<Vec<_>>(), ["home.a1b2c", "one"]);
    assert_eq!(routing.target(&"hss".parse().unwrap()).namespace, "home.a1b2c");
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
    fn a_shard_is_below_the_count(name in ".{1,20}", id in ".{1,20}", count in 1_u64..=1000, spread in 1_u64..=1000) {
        let (count, spread) = (ShardCount::try_from(count).unwrap(), Spread::try_from(spread).unwrap());
        let shard = entity_shard(&name, &id, count, spread).get();
        prop_assert!(shard < count.get());
        let step = (shard + count.get() - shard_of(&name, count).get()) % count.get();
        prop_assert!(step < spread.get());
    }
}
