//! A run that must end while calls are in flight. It waits for calls that end soon. For all other calls, the next run is told that they
//! may have been sent, and reads back before it writes.

use std::time::Duration;

use interlock_adapters::sandbox::{Action, Pattern, Received, Rule};
use interlock_domain::ids::OrderId;
use interlock_domain::limits::EntityLimits;
use serde_json::Value;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::{HistoryEvent, history_event::Attributes};

use crate::applied_log::of_account;
use crate::events::{Customer, event};
use crate::scene::Scene;
use crate::temporal_calls::{event_types, failed_tasks};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::{until, until_true};

/// One step at the CRM.
pub const ONE_STEP: &str = r#"
[events."account.tuned"]
steps = [{ role = "crm", operation = "update_service", attempt_timeout = "6s", with = { customer_id = "{@customer_id}", settings = "{settings}" } }]
[events."account.tuned".data]
required = ["settings"]
properties.settings = { type = "object" }
"#;

/// The number of signals that are sent during the call to make the history longer.
const AGAIN: usize = 25;

async fn bed(name: &str) -> Testbed {
    let limits =
        EntityLimits { continue_as_new_events: 30, continue_as_new_events_forced: 50, ..EntityLimits::default() };
    let request_timeout = Some(Duration::from_secs(6));
    Testbed::start(name, Wanted { limits, more_events: ONE_STEP.to_owned(), request_timeout, ..Wanted::default() })
        .await
}

/// The requests to the CRM for a step.
fn asked(scene: &Scene<'_>, customer: &Customer, order: &OrderId) -> Vec<Received> {
    let key = order.step_key("crm.update_service").to_string();
    let is_of_it = |received: &Received| received.body.contains(&customer.id) || received.path.contains(&key);
    scene.bed.crm.received().into_iter().filter(is_of_it).collect()
}

/// Begins an order whose call gets the trouble `action`, and makes the run so long meanwhile that it must end.
pub async fn begin(scene: &Scene<'_>, customer: &Customer, action: Action) -> OrderId {
    let pattern =
        Pattern { method: Some("POST".to_owned()), body_contains: Some(customer.id.clone()), ..Pattern::default() };
    scene.bed.crm.add_rule(Rule::once(pattern, action));
    let tuned = event("account.tuned", &customer.id, &serde_json::json!({"settings": {"value": 1}}));
    let order = scene.submit(&tuned).await;
    until_true("the call to be under way", || !asked(scene, customer, &order).is_empty()).await;
    let entity = scene.entity(&customer.id.parse().unwrap());
    for _ in 0..AGAIN {
        // A duplicate only makes the history longer.
        scene.submit(&tuned).await;
        until("the entity is at rest", || entity.task_is_done()).await;
    }
    order
}

/// The steps that a customer carries over into this run: whether each may have been sent.
fn maybe_sent(run: &[HistoryEvent]) -> Vec<bool> {
    let started = match run[0].attributes.as_ref().unwrap() {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => started.input.clone().unwrap(),
        other => panic!("a run begins with {other:?}"),
    };
    let argument: Value = serde_json::from_slice(&started.payloads[0].data).unwrap();
    let orders = argument["carried"]["orders"].as_object().cloned().unwrap_or_default();
    let steps = orders.values().flat_map(|order| order["steps"].as_array().cloned().unwrap_or_default());
    steps.map(|step| step["maybe_sent"].as_bool().unwrap()).collect()
}

/// The runs of a customer, oldest first.
async fn runs(scene: &Scene<'_>, customer: &Customer) -> Vec<Vec<HistoryEvent>> {
    let mut runs = scene.entity(&customer.id.parse().unwrap()).runs().await;
    runs.reverse();
    for run in &runs {
        assert_eq!(failed_tasks(run), [""; 0]);
    }
    runs
}

fn was_cancelled(run: &[HistoryEvent]) -> bool {
    event_types(run).contains(&EventType::ActivityTaskCancelRequested)
}

#[test]
fn a_call_that_may_have_been_sent_when_its_run_had_to_end_is_read_back_by_the_next_run_before_it_writes() {
    run(async {
        let bed = bed("calls-in-doubt").await;
        {
            let (scene, customer) = (Scene::on(&bed), Scene::newcomer("C"));
            let order = begin(&scene, &customer, Action::LoseAnswer).await;
            scene.completed(std::slice::from_ref(&order)).await;

            let runs = runs(&scene, &customer).await;
            let cancelled = runs.iter().position(|run| was_cancelled(run)).expect("no run cancelled its call");
            assert_eq!(maybe_sent(&runs[cancelled + 1]), [true]);
            let methods: Vec<String> =
                asked(&scene, &customer, &order).into_iter().map(|received| received.method).collect();
            assert_eq!(methods, ["POST", "GET"], "the next run has to read back, and has nothing to write");
            assert_eq!(of_account(&bed.crm.log(), &customer.id), [r#"service {"value":1}"#]);
        }
        bed.stop().await;
    });
}

#[test]
fn a_call_that_never_arrived_is_sent_again_by_the_next_run_after_it_has_read_back() {
    run(async {
        let bed = bed("calls-lost").await;
        {
            let (scene, customer) = (Scene::on(&bed), Scene::newcomer("C"));
            // It would be applied only long after it was given up.
            let order = begin(&scene, &customer, Action::Delay { ms: 30_000 }).await;
            let forgotten = |run: &Vec<HistoryEvent>| maybe_sent(run) == [true];
            until("a run that is told", || async { runs(&scene, &customer).await.iter().any(forgotten).then_some(()) })
                .await;
            scene.completed(std::slice::from_ref(&order)).await;
            let methods: Vec<String> =
                asked(&scene, &customer, &order).into_iter().map(|received| received.method).collect();
            assert_eq!(methods, ["POST", "GET", "POST"]);
            assert_eq!(of_account(&bed.crm.log(), &customer.id), [r#"service {"value":1}"#]);
        }
        bed.stop().await;
    });
}

#[test]
fn a_call_that_ends_soon_is_awaited_and_not_in_doubt() {
    run(async {
        let bed = bed("calls-waited-for").await;
        {
            let (scene, customer) = (Scene::on(&bed), Scene::newcomer("C"));
            let order = begin(&scene, &customer, Action::Delay { ms: 4_500 }).await;
            scene.completed(std::slice::from_ref(&order)).await;

            let runs = runs(&scene, &customer).await;
            let cancelled = runs.iter().position(|run| was_cancelled(run)).expect("no run wanted to end meanwhile");
            assert!(event_types(&runs[cancelled]).contains(&EventType::ActivityTaskCompleted));
            assert!(runs.iter().skip(1).all(|run| !maybe_sent(run).contains(&true)));
            let methods: Vec<String> =
                asked(&scene, &customer, &order).into_iter().map(|received| received.method).collect();
            assert_eq!(methods, ["POST"]);
            assert_eq!(of_account(&bed.crm.log(), &customer.id), [r#"service {"value":1}"#]);
        }
        bed.stop().await;
    });
}
