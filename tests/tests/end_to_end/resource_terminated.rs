//! A resource's entity is terminated. The customers that waited there are not forgotten.

use interlock_workflows::names;

use crate::events::{Customer, assigned, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::json_payload;
use crate::testbed::{run, shared};
use crate::waiting::until;

/// Asks a customer to repeat what it has and wants, like a process that notices the termination.
async fn asked_again(scene: &Scene<'_>, customer: &Customer) {
    let entity = scene.entity(&customer.id.parse().unwrap());
    entity.signal(names::REASSERT, vec![json_payload("{}")]).await;
}

/// Waits until a customer has a number according to the ledger, and these wait for it in this order.
async fn ledger_says(scene: &Scene<'_>, number: &str, holder: &Customer, waiting: &[&Customer]) {
    let expected: Vec<&str> = waiting.iter().map(|customer| customer.id.as_str()).collect();
    until(format!("{number} to be {}'s, and {expected:?} to wait", holder.id), || async {
        let state = scene.number_state(number).await?;
        let queue: Vec<&str> =
            state["queue"].as_array()?.iter().filter_map(|one| one["customer_id"].as_str()).collect();
        (state["holder"]["customer_id"] == *holder.id && queue == expected).then_some(())
    })
    .await;
}

#[test]
fn customers_waiting_for_a_number_whose_entity_was_terminated_are_served_after_they_were_asked_again() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, a3, number) = (scene.customer("A1"), scene.customer("A2"), scene.customer("A3"), number());
        scene.done(&assigned(&a1, &number)).await;
        let second = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        scene.number_entity(&number).terminate().await;

        // The claim of a new customer starts an entity that only knows that there was another one.
        let third = scene.submit(&assigned(&a3, &number)).await;
        scene.is_waiting_for(&a3, &number).await;
        let state = scene.number_state(&number).await.unwrap();
        assert_eq!(state["history"][0]["what"], "reborn", "{state:#}");
        for customer in [&a1, &a2] {
            asked_again(&scene, customer).await;
        }
        ledger_says(&scene, &number, &a1, &[&a2, &a3]).await;

        let gives_up = scene.submit(&unassigned(&a1, &number)).await;
        scene.completed(&[gives_up, second]).await;
        scene.done(&unassigned(&a2, &number)).await;
        scene.completed(&[third]).await;
        scene.judge(&[&number]);
        let expected = ["+", "-"].map(|what| [&a1, &a2].map(|customer| format!("{}{what}", customer.imsi)));
        let [[a1_gets, a2_gets], [a1_loses, a2_loses]] = expected;
        let a3_gets = format!("{}+", a3.imsi);
        assert_eq!(scene.registrations(&number), [a1_gets, a1_loses, a2_gets, a2_loses, a3_gets]);
    });
}

#[test]
fn asking_customers_again_about_a_number_whose_entity_runs_changes_nothing() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&assigned(&a1, &number)).await;
        let second = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        for customer in [&a1, &a2] {
            asked_again(&scene, customer).await;
        }
        ledger_says(&scene, &number, &a1, &[&a2]).await;
        let first = scene.submit(&unassigned(&a1, &number)).await;
        scene.completed(&[first, second]).await;
        scene.judge(&[&number]);
    });
}
