//! The state of customers in lists of entities: the search attribute `InterlockState`, in Temporal's visibility store.

use std::collections::BTreeSet;

use interlock_adapters::sandbox::{Action, Pattern, Rule};
use interlock_domain::ids::OrderId;
use interlock_domain::limits::EntityLimits;
use interlock_domain::routing::EntityAddress;
use interlock_workflows::names;
use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tonic::IntoRequest;

use crate::events::{Customer, assigned, service_updated, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::{failed_tasks, json_payload};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::{until, until_or_give_up};

/// How often an event is sent again to make its entity's run long.
const AGAIN: usize = 20;

/// The customers of a scene that lists show in a state.
async fn shown_as(scene: &Scene<'_>, state: &str) -> BTreeSet<String> {
    let installation = &scene.bed.platform.installation;
    let namespace = installation.routing.namespace(&scene.tenant).to_owned();
    let request = ListWorkflowExecutionsRequest {
        namespace: namespace.clone(),
        query: format!(
            "WorkflowType = 'CustomerEntity' AND ExecutionStatus = 'Running' AND InterlockEntityKind = 'customer' AND \
             InterlockTenant = '{}' AND InterlockState = '{state}'",
            scene.tenant
        ),
        page_size: 100,
        ..ListWorkflowExecutionsRequest::default()
    };
    let mut client = installation.client_for(&namespace).unwrap();
    let found = client.list_workflow_executions(request.into_request()).await.unwrap().into_inner();
    let ids = found.executions.into_iter().filter_map(|info| info.execution).map(|found| found.workflow_id);
    let customer = |id: String| match id.parse() {
        Ok(EntityAddress::Customer(found)) => found.customer.to_string(),
        other => panic!("{id} is no customer: {other:?}"),
    };
    ids.map(customer).collect()
}

/// Waits until lists show these customers as held, waiting and normal.
async fn lists_show(scene: &Scene<'_>, held: &[&Customer], waiting: &[&Customer], normal: &[&Customer]) {
    let expected = [held, waiting, normal].map(|some| some.iter().map(|one| one.id.clone()).collect::<BTreeSet<_>>());
    let shown =
        async || [shown_as(scene, "held").await, shown_as(scene, "waiting").await, shown_as(scene, "normal").await];
    let seen = until_or_give_up(|| async { (shown().await == expected).then_some(()) }).await;
    assert!(seen.is_some(), "lists show {:?}, not {expected:?}", shown().await);
}

/// Sends an event again and again until its entity has continued as new.
async fn continues_as_new(scene: &Scene<'_>, customer: &Customer, event: &Value) {
    let entity = scene.entity(&customer.id.parse().unwrap());
    for _ in 0..AGAIN {
        scene.submit(event).await;
        until("the entity is at rest", || entity.task_is_done()).await;
    }
    assert!(entity.runs().await.len() > 1, "{} did not continue as new", customer.id);
}

async fn waits_for(scene: &Scene<'_>, order: &OrderId, what: &str) {
    until(format!("{order} waits for a {what}"), || async {
        (scene.order(order).await?["waiting_for"]["waits_for"] == what).then_some(())
    })
    .await;
}

#[test]
fn lists_show_waiting_and_held_customers_across_runs_and_replays_until_all_is_done() {
    let limits =
        EntityLimits { continue_as_new_events: 50, continue_as_new_events_forced: 90, ..EntityLimits::default() };
    run(async {
        let mut bed = Testbed::start("visible", Wanted { limits, ..Wanted::default() }).await;
        Box::pin(shown_and_mended(&mut bed)).await;
        bed.stop().await;
    });
}

async fn shown_and_mended(bed: &mut Testbed) {
    let number = number();
    let scene = Scene::on(bed);
    let tenant = scene.tenant.clone();
    let [waits, held, holds] = ["W", "H", "N"].map(|name| scene.customer(name));
    scene.done(&assigned(&holds, &number)).await;
    let wants = assigned(&waits, &number);
    let waiting = scene.submit(&wants).await;
    waits_for(&scene, &waiting, "lease").await;
    let refused = Action::Refuse { status: 400, body: json!({"error": "no"}), retry_after_s: None };
    let pattern = Pattern { body_contains: Some(held.id.clone()), ..Pattern::default() };
    bed.crm.add_rule(Rule::always(pattern, refused));
    let updates = service_updated(&held, &json!({"ue_ambr_ul": 7}));
    // As a producer in another language, which knows nothing of search attributes.
    let start = json!({"tenant_id": tenant, "entity_id": held.id}).to_string();
    let entity = scene.entity(&held.id.parse().unwrap());
    entity.signal_with_start(vec![json_payload(start)], names::SUBMIT, vec![json_payload(updates.to_string())]).await;
    let order = scene.submit(&updates).await;
    waits_for(&scene, &order, "person").await;
    lists_show(&scene, &[&held], &[&waits], &[&holds]).await;

    continues_as_new(&scene, &waits, &wants).await;
    continues_as_new(&scene, &held, &updates).await;
    lists_show(&scene, &[&held], &[&waits], &[&holds]).await;

    // An entity that is queried now is replayed.
    bed.platform.stop_workers().await.unwrap();
    bed.platform.start_workers().await.unwrap();
    let scene = Scene { bed, tenant };
    assert_eq!(scene.customer_state(&held).await["orders"][0]["state"], "held");
    assert_eq!(scene.customer_state(&waits).await["orders"][0]["state"], "pending");

    bed.crm.set_knobs(interlock_adapters::sandbox::Knobs::default());
    let retry =
        json!({"action_id": "mended", "order_id": order, "action": "retry", "actor": "ann", "reason": "mended"});
    let answer = scene.entity(&held.id.parse().unwrap()).update(names::ACT, &retry).await;
    assert_eq!(answer["done"]["repeated"], false, "{answer}");
    scene.done(&unassigned(&holds, &number)).await;
    scene.completed(&[waiting, order]).await;
    lists_show(&scene, &[], &[], &[&held, &waits, &holds]).await;
    for customer in [&held, &waits, &holds] {
        check_runs(&scene, customer).await;
    }
    scene.judge(&[&number]);
}

/// No task failed, and the search attribute was set only for changes: once when an order arrives or is held or freed, once when the
/// last one ends, and once in each new run.
async fn check_runs(scene: &Scene<'_>, customer: &Customer) {
    let runs = scene.entity(&customer.id.parse().unwrap()).runs().await;
    let told = runs
        .iter()
        .flatten()
        // The SDK reports patch markers in the same way.
        .filter(|event| match &event.attributes {
            Some(Attributes::UpsertWorkflowSearchAttributesEventAttributes(told)) => {
                told.search_attributes.as_ref().is_some_and(|some| some.indexed_fields.contains_key("InterlockState"))
            }
            _ => false,
        })
        .count();
    println!("{}: {} runs, lists were told {told} times", customer.id, runs.len());
    assert!(told < 4 + runs.len(), "{} told lists {told} times in {} runs", customer.id, runs.len());
    for history in runs {
        assert_eq!(failed_tasks(&history), [""; 0], "{}", customer.id);
    }
}
