//! Routing: entities are on the queues and in the namespaces that the routing says, as the server sees them.

use std::collections::{BTreeMap, BTreeSet};

use interlock_adapters::sandbox::{self, SandboxOptions, Seed};
use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_domain::ids::TenantId;
use interlock_domain::routing::{EntityRoute, TenantSettings, shard_of};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tonic::IntoRequest;

use crate::events::{Customer, assigned, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::RawEntity;
use crate::testbed::{Testbed, Wanted, run, unique};
use crate::waiting::until;

/// The tenant that is spread over several shards, and their number.
const BIG: (&str, u64) = ("big", 3);

fn settings(namespace: Option<&str>, spread: u64) -> TenantSettings {
    TenantSettings {
        namespace: namespace.map(str::to_owned),
        spread: spread.try_into().unwrap(),
        ..TenantSettings::default()
    }
}

#[test]
fn orders_of_many_tenants_land_on_the_queues_of_their_shards_and_those_of_a_spread_tenant_on_several() {
    run(async {
        let tenants = vec![(BIG.0, settings(None, BIG.1))];
        let bed = Testbed::start("routed", Wanted { shards: Some(4), tenants, ..Wanted::default() }).await;
        let count = bed.platform.installation.routing.settings().shard_count;
        let mut used = BTreeSet::new();
        for name in ["one", "two", "three", "four", "five", "six"] {
            let scene = Scene { bed: &bed, tenant: name.parse().unwrap() };
            let (customer, number) = (scene.customer("A"), number());
            scene.done(&assigned(&customer, &number)).await;
            let shard = shard_of(name, count);
            let queue = scene.entity(&customer.id.parse().unwrap()).task_queue().await.unwrap();
            assert_eq!(queue, format!("interlock.entity.{shard}"), "{name}");
            let queue = scene.number_entity(&number).task_queue().await.unwrap();
            assert_eq!(queue, format!("interlock.resource.{shard}"), "{name}");
            used.insert(shard);
        }
        assert!(used.len() > 1, "{used:?}");
        let scene = Scene { bed: &bed, tenant: BIG.0.parse().unwrap() };
        let mut queues = BTreeMap::<String, u32>::new();
        for place in 0..12 {
            // The names are fixed, since random names might leave a shard empty.
            let customer = Customer { id: format!("B-{place}"), ..scene.customer("B") };
            scene.done(&assigned(&customer, &number())).await;
            let queue = scene.entity(&customer.id.parse().unwrap()).task_queue().await.unwrap();
            *queues.entry(queue).or_default() += 1;
        }
        let base = shard_of(BIG.0, count).get();
        let expected: BTreeSet<String> =
            (0..3).map(|step| format!("interlock.entity.{:02}", (base + step) % 4)).collect();
        assert_eq!(queues.keys().cloned().collect::<BTreeSet<_>>(), expected, "{queues:?}");
        bed.stop().await;
    });
}

#[test]
fn entities_of_two_namespaces_never_meet() {
    run(async {
        let hss_of_red = sandbox::hss(SandboxOptions::default()).await.unwrap();
        let target = TargetSettings::new(AdapterKind::Pyhss, hss_of_red.base_url().parse().unwrap());
        let (namespace_of_blue, namespace_of_red) = (unique("blue"), unique("red"));
        let (blue, red) = (namespace_of_blue.as_str(), namespace_of_red.as_str());
        let mut of_red = settings(Some(red), 1);
        of_red.targets.insert("hss".parse().unwrap(), "hss-red".parse().unwrap());
        let tenants = vec![("blue", settings(Some(blue), 1)), ("red", of_red)];
        let wanted = Wanted { tenants, targets: vec![("hss-red", target)], ..Wanted::default() };
        let bed = Testbed::start("two-namespaces", wanted).await;
        let of = |tenant: &str| Scene { bed: &bed, tenant: tenant.parse().unwrap() };
        let (in_blue, in_red) = (of("blue"), of("red"));
        // The same customers and the same number, in both.
        let (a1, a2, number) = (in_blue.customer("A1"), in_blue.customer("A2"), number());
        for customer in [&a1, &a2] {
            hss_of_red.seed(&[Seed { imsi: customer.imsi.clone(), ..Seed::default() }]).unwrap();
        }
        in_blue.done(&assigned(&a1, &number)).await;
        in_red.done(&assigned(&a1, &number)).await;
        let before = in_red.number_state(&number).await.unwrap();

        let receives = in_blue.submit(&assigned(&a2, &number)).await;
        in_blue.is_waiting_for(&a2, &number).await;
        in_blue.done(&unassigned(&a1, &number)).await;
        in_blue.completed(&[receives]).await;

        assert_eq!(in_blue.holder(&number).await, Some(a2.id.clone()));
        assert_eq!(in_red.number_state(&number).await.unwrap(), before);
        assert_eq!(before["holder"]["customer_id"], *a1.id);
        let routing = &bed.platform.installation.routing;
        let usual = bed.namespace();
        for (tenant, elsewhere) in [("blue", red), ("red", blue), ("blue", usual), ("red", usual)] {
            let tenant: TenantId = tenant.parse().unwrap();
            let route = routing.customer(&tenant, &a1.id.parse().unwrap());
            let there = EntityRoute { namespace: elsewhere.to_owned(), ..route };
            assert!(!RawEntity::new(&bed.platform, there).exists().await, "{tenant} in {elsewhere}");
        }
        for (tenant, namespace) in [("blue", blue), ("red", red)] {
            let seen = until(format!("the list of {namespace}"), || async {
                let scopes = scopes_in(&bed, namespace).await;
                (!scopes.is_empty()).then_some(scopes)
            })
            .await;
            assert_eq!(seen, BTreeSet::from([tenant.to_owned()]));
        }
        bed.stop().await;
        hss_of_red.shutdown().await;
    });
}

/// The owners of the entities in a namespace.
async fn scopes_in(bed: &Testbed, namespace: &str) -> BTreeSet<String> {
    let request = ListWorkflowExecutionsRequest {
        namespace: namespace.to_owned(),
        query: "WorkflowType IN ('CustomerEntity', 'ResourceEntity')".to_owned(),
        ..ListWorkflowExecutionsRequest::default()
    };
    let mut client = bed.platform.installation.client_for(namespace).unwrap();
    let found = client.list_workflow_executions(request.into_request()).await.unwrap().into_inner();
    let ids = found.executions.into_iter().filter_map(|info| info.execution).map(|found| found.workflow_id);
    ids.filter_map(|id| id.split('/').next().map(str::to_owned)).collect()
}
