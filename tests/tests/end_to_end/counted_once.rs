//! Counters grow once for each thing that happened, although entities are evicted and replayed, and tasks are repeated.

use interlock_adapters::sandbox::{Action, Pattern, Rule};
use interlock_domain::ids::OrderId;
use interlock_workflows::names;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use uuid::Uuid;

use crate::events::{Customer, assigned, event, unassigned};
use crate::lossy_bed::{LossyBed, REFUSED_FOR, lost_after, tasks_given_up};
use crate::lossy_proxy::{Fate, Loss, Moment};
use crate::scene::{Scene, number};
use crate::scraped::value;
use crate::temporal_calls::event_types;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// An order that needs only the CRM, and the account there.
const EVENTS: &str = r#"
[events."account.updated"]
requires = []
steps = [{ role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", imsi = "{imsi}", settings = "{settings}" } }]
[events."account.updated".data]
required = ["imsi", "settings"]
properties.imsi = { type = "string", format = "imsi" }
properties.settings = { type = "object" }
"#;

/// How many customers go in turns.
const CUSTOMERS: u32 = 4;

/// An order that waits for a person: the HSS does not know the customer.
async fn waits_for_a_person(scene: &Scene<'_>, customer: &Customer) -> OrderId {
    let order = scene.submit(&event("line.touched", &customer.id, &json!({"imsi": customer.imsi}))).await;
    until("an order to wait for a person", || async { (scene.order(&order).await?["state"] == "held").then_some(()) })
        .await;
    order
}

/// A person's action that cancels an order.
fn cancel(order: &OrderId, action_id: &str) -> Value {
    json!({"action_id": action_id, "order_id": order, "action": "cancel", "actor": "ann", "reason": "a test"})
}

/// An order of a customer waits for a person. Meanwhile another order of the customer ends, after its event came a second time. Neither
/// the event's nor the end's task leaves a command, since what lists show of the customer stays the same.
async fn ends_silently_beside_a_held_order(scene: &Scene<'_>, customer: &Customer) -> OrderId {
    let entity = scene.entity(&customer.id.parse().unwrap());
    let held = waits_for_a_person(scene, customer).await;
    let pattern = Pattern { body_contains: Some(customer.imsi.clone()), ..Pattern::default() };
    scene.bed.crm.add_rule(Rule::once(pattern, Action::Delay { ms: 1_500 }));
    let updated =
        event("account.updated", &customer.id, &json!({"imsi": customer.imsi, "settings": {"ue_ambr_ul": 7}}));
    let order = scene.submit(&updated).await;
    until("the call to begin", || async { entity.pending_activities().await.first().map(|_| ()) }).await;
    until("the customer to wait", || entity.length_without_task()).await;
    scene.submit(&updated).await;
    scene.completed(&[order]).await;
    until("the customer to rest", || entity.length_at_rest()).await;
    let last: Vec<EventType> = event_types(&entity.history("").await).into_iter().rev().take(10).collect();
    let silent = [
        EventType::WorkflowTaskCompleted,
        EventType::WorkflowTaskStarted,
        EventType::WorkflowTaskScheduled,
        EventType::ActivityTaskCompleted,
        EventType::ActivityTaskStarted,
        EventType::WorkflowTaskCompleted,
        EventType::WorkflowTaskStarted,
        EventType::WorkflowTaskScheduled,
        EventType::WorkflowExecutionSignaled,
        EventType::ActivityTaskScheduled,
    ];
    assert_eq!(last, silent, "neither of the last two tasks left a command");
    held
}

/// The server schedules a task for an update at once. If the two tasks before it left no command and the run is not cached, the SDK executes
/// the second of them again together with the update's task, and does not call that a replay (SDK issue 1606).
#[test]
fn what_happened_before_an_update_of_an_evicted_entity_is_not_counted_again() {
    run(async {
        let wanted = Wanted { cached_entities_max: Some(1), more_events: EVENTS.to_owned(), ..Wanted::default() };
        let bed = Testbed::start("counted-once", wanted).await;
        let scene = Scene::on(&bed);
        let customers: Vec<Customer> = (0..CUSTOMERS).map(|_| Scene::newcomer("A")).collect();
        let mut held = Vec::new();
        for customer in &customers {
            held.push(ends_silently_beside_a_held_order(&scene, customer).await);
        }
        for (customer, order) in customers.iter().zip(&held) {
            let entity = scene.entity(&customer.id.parse().unwrap());
            let answer = entity.update(names::ACT, &cancel(order, &Uuid::new_v4().to_string())).await;
            assert_eq!(answer["done"]["repeated"], false, "{answer}");
        }
        // Whoever asks has them replayed, too.
        for customer in customers.iter().chain(&customers) {
            assert_eq!(scene.customer_state(customer).await["orders"], json!([]));
        }
        let text = bed.platform.metrics_text().await.unwrap();
        let ended = ["completed", "cancelled"].map(|state| {
            let state = format!("state=\"{state}\"");
            value(&text, "interlock_orders_ended_total", &[&state, "tenant_plan=\"free\""])
        });
        let expected = Some(f64::from(CUSTOMERS));
        assert_eq!(ended, [expected; 2], "{text}");
        bed.stop().await;
    });
}

/// The completion of the task is lost in which a person's action ends an order, and of the one in which a number is granted to the next
/// customer. The server repeats both.
#[test]
fn what_is_repeated_after_a_lost_task_is_not_counted_again() {
    run(async {
        let lossy = LossyBed::start("counted-lost").await;
        let scene = Scene::on(&lossy.bed);
        let (a, b, c, number) = (scene.customer("A"), scene.customer("B"), Scene::newcomer("C"), number());
        let (of_c, of_number) = (scene.entity(&c.id.parse().unwrap()), scene.number_entity(&number));
        scene.done(&assigned(&a, &number)).await;
        let gets = scene.submit(&assigned(&b, &number)).await;
        scene.is_waiting_for(&b, &number).await;
        let held = waits_for_a_person(&scene, &c).await;

        let answer = Moment::Saying { to: None, contains: vec!["\"done\"".to_owned()] };
        let fate = Fate::Lost { for_at_least: REFUSED_FOR };
        let losses = [
            lossy.proxy.lose(lost_after(of_number.workflow_id().to_owned(), &["lease_granted", &b.id])),
            lossy.proxy.lose(Loss { of: of_c.workflow_id().to_owned(), when: answer, fate }),
        ];
        let loses = scene.submit(&unassigned(&a, &number)).await;
        let action_id = Uuid::new_v4().to_string();
        let cancel = cancel(&held, &action_id);
        // An action whose task is lost is not answered, and the person asks again.
        until("the action to be answered", || async { of_c.try_to_update(names::ACT, &cancel, &action_id).await.ok() })
            .await;
        for loss in losses {
            lossy.proxy.until_lost(loss).await;
        }
        scene.completed(&[loses, gets]).await;
        scene.judge(&[&number]);
        for entity in [&of_c, &of_number] {
            until("the server to repeat a task", || async {
                entity.length_at_rest().await?;
                (tasks_given_up(entity, "").await > 0).then_some(())
            })
            .await;
        }

        let text = lossy.metrics().await;
        let of_kind = ["resource_kind=\"msisdn\""];
        let counted = [
            value(&text, "interlock_orders_ended_total", &["state=\"completed\"", "tenant_plan=\"free\""]),
            value(&text, "interlock_orders_ended_total", &["state=\"cancelled\"", "tenant_plan=\"free\""]),
            value(&text, "interlock_lease_grant_latency_seconds_count", &of_kind),
            value(&text, "interlock_hand_over_latency_seconds_count", &of_kind),
        ];
        assert_eq!(counted, [3.0, 1.0, 2.0, 1.0].map(Some), "{text}");
        Box::pin(lossy.stop()).await;
    });
}
