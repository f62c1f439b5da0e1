//! Entities that are queried all the time, as by people who wait for an order: by Interlock, which waits until they are idle, and by
//! Temporal's UI, which does not. The queries meet running local activities, so that replay sees early what the first execution saw
//! late (`workflows/src/life.rs`). And a query that arrived together with a workflow task made the SDK's core forget the task
//! (`coordinator/worker-pools/src/query_guard/`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::join_all;
use interlock_domain::ids::{ResourceId, TenantId};
use interlock_domain::limits::EntityLimits;
use serde_json::json;

use crate::events::{Customer, assigned, service_updated, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::failed_tasks;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// The number of concurrent askers, in each of the two ways.
const ASKERS: usize = 3;
/// How often the number is handed on.
const ROUNDS: usize = 8;
/// How often each customer's service changes meanwhile.
const SERVICES: usize = 25;

#[test]
fn an_entity_that_is_queried_all_the_time_replays_from_its_beginning() {
    asked_under_load("asked", EntityLimits::default());
}

#[test]
fn an_entity_that_is_queried_all_the_time_continues_as_new_and_replays() {
    let limits =
        EntityLimits { continue_as_new_events: 50, continue_as_new_events_forced: 90, ..EntityLimits::default() };
    asked_under_load("asked-fifty-events", limits);
}

fn asked_under_load(name: &str, limits: EntityLimits) {
    run(async {
        let mut bed = Testbed::start(name, Wanted { limits, ..Wanted::default() }).await;
        let (tenant, customers) = Box::pin(under_load(&bed)).await;
        // An entity that is queried now is replayed.
        bed.platform.stop_workers().await.unwrap();
        bed.platform.start_workers().await.unwrap();
        for customer in &customers {
            let id = customer.id.parse().unwrap();
            let answered = until(format!("{id} answers after its replay"), || async {
                let answer = bed.platform.customer(&tenant, &id).await;
                answer.inspect_err(|error| eprintln!("{id}: {error}")).ok()
            });
            assert_eq!(answered.await["orders"], json!([]));
        }
        bed.stop().await;
    });
}

async fn under_load(bed: &Testbed) -> (TenantId, Vec<Customer>) {
    let scene = Scene::on(bed);
    let customers: Vec<Customer> = (1..=3).map(|place| scene.customer(&format!("Q{place}"))).collect();
    let number = number();
    let done = AtomicBool::new(false);
    let (asked, asked_at_once) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = async {
        tokio::join!(go_round(&scene, &customers, &number), change_services(&scene, &customers));
        done.store(true, Ordering::Relaxed);
    };
    let in_one_way = |asker: usize| ask(&scene, &customers[asker % customers.len()], &number, &done, &asked);
    let in_the_other =
        |asker: usize| ask_at_once(&scene, &customers[asker % customers.len()], &number, &done, &asked_at_once);
    tokio::join!(work, join_all((0..ASKERS).map(in_one_way)), join_all((0..ASKERS).map(in_the_other)));
    let answers = [asked, asked_at_once].map(AtomicU64::into_inner);
    println!("answered {} times, and {} times at once", answers[0], answers[1]);
    assert!(answers.iter().all(|count| *count > 0), "{answers:?}");

    scene.judge(&[&number]);
    for customer in &customers {
        let entity = scene.entity(&customer.id.parse().unwrap());
        for history in entity.runs().await {
            assert_eq!(failed_tasks(&history), [""; 0], "{}", customer.id);
        }
    }
    for history in scene.number_entity(&number).runs().await {
        assert_eq!(failed_tasks(&history), [""; 0], "{number}");
    }
    (scene.tenant.clone(), customers)
}

/// Asks without a pause, whether there is an answer or not.
async fn ask(scene: &Scene<'_>, customer: &Customer, number: &str, done: &AtomicBool, asked: &AtomicU64) {
    let resource: ResourceId = format!("msisdn/{number}").parse().unwrap();
    let customer = customer.id.parse().unwrap();
    while !done.load(Ordering::Relaxed) {
        let answers = tokio::join!(
            scene.bed.platform.customer(&scene.tenant, &customer),
            scene.bed.platform.resource(&scene.tenant, &resource)
        );
        asked.fetch_add(u64::from(answers.0.is_ok()) + u64::from(answers.1.is_ok()), Ordering::Relaxed);
    }
}

/// The same, like Temporal's UI.
async fn ask_at_once(scene: &Scene<'_>, customer: &Customer, number: &str, done: &AtomicBool, asked: &AtomicU64) {
    let customer = scene.entity(&customer.id.parse().unwrap());
    let number = scene.number_entity(number);
    while !done.load(Ordering::Relaxed) {
        let answers = tokio::join!(customer.query("state"), number.query("state"));
        asked.fetch_add(u64::from(answers.0.is_ok()) + u64::from(answers.1.is_ok()), Ordering::Relaxed);
    }
}

async fn go_round(scene: &Scene<'_>, customers: &[Customer], number: &str) {
    for round in 0..ROUNDS {
        let customer = &customers[round % customers.len()];
        scene.done(&assigned(customer, number)).await;
        scene.done(&unassigned(customer, number)).await;
    }
}

async fn change_services(scene: &Scene<'_>, customers: &[Customer]) {
    let mut orders = Vec::new();
    for value in 1..=SERVICES {
        for customer in customers {
            orders.push(scene.submit(&service_updated(customer, &json!({"ue_ambr_ul": value}))).await);
        }
    }
    scene.completed(&orders).await;
}
