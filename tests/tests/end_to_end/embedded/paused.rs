//! Calls and workflows that an operator paused in Temporal: the commands report the pause, its operator and its reason, and a retry
//! resumes the call.

use interlock_adapters::sandbox::{Action, Rule};
use interlock_domain::ids::OrderId;
use serde_json::Value;

use crate::command::{done, interlock};
use crate::embedded::buttons::{bed, freed, handed_over, taken};
use crate::embedded::resets::{Point, reset};
use crate::events::Customer;
use crate::scene::{Scene, number, write_that_begins_to_assign};
use crate::temporal_buttons::{OPERATOR, REASON, Reapply};
use crate::temporal_calls::RawEntity;
use crate::testbed::run;
use crate::waiting::until;

/// The pause that the target asks for: long enough to pause the call meanwhile.
const RETRY_AFTER_S: u64 = 20;

fn entity_of(scene: &Scene<'_>, customer: &Customer) -> RawEntity {
    scene.entity(&customer.id.parse().unwrap())
}

/// A customer's order for a number, which the target rejected the first time, and whose call is paused.
async fn paused_call(scene: &Scene<'_>, customer: &Customer, number: &str) -> OrderId {
    let refuse = Action::Refuse { status: 503, body: Value::Null, retry_after_s: Some(RETRY_AFTER_S) };
    scene.bed.hss.add_rule(Rule::once(write_that_begins_to_assign(number), refuse));
    let order = scene.submit(&taken(customer, number)).await;
    let entity = entity_of(scene, customer);
    let activity = until("a call that failed once", || async {
        let pending = entity.pending_activities().await.into_iter().next()?;
        (pending.attempt == 2).then_some(pending.activity_id)
    })
    .await;
    entity.pause_activity(&activity).await;
    order
}

#[test]
fn a_paused_call_is_shown_and_a_retry_resumes_it() {
    run(async {
        let scene = Scene::on(bed().await);
        let (customer, number) = (scene.customer("A"), number());
        let order = paused_call(&scene, &customer, &number).await;
        let why = done(&scene, &["order", "why", order.as_str()]).await;
        assert!(why.contains(&format!("Paused by an operator ({OPERATOR})")) && why.contains(REASON), "{why}");
        assert!(why.contains(&format!("interlock order retry {order}")), "{why}");
        let show = done(&scene, &["order", "show", order.as_str()]).await;
        assert!(show.contains("paused by an operator") && show.contains(REASON), "{show}");

        let retry = ["order", "retry", order.as_str(), "--reason", "the HSS was moved", "--action-id", "go-on"];
        done(&scene, &retry).await;
        scene.completed(std::slice::from_ref(&order)).await;
        assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi)]);
        let state = scene.customer_state(&customer).await;
        let line = state["journal"].as_array().unwrap().iter().find(|line| line["what"] == "action go-on").cloned();
        let line = line.unwrap_or_else(|| panic!("{state:#}"));
        assert_eq!(line["detail"], "the paused call of hss.assign_number continues");
        assert_eq!(line["reason"], "the HSS was moved");
    });
}

#[test]
fn an_order_that_is_cancelled_while_its_call_is_paused_is_undone_once_the_call_is_over() {
    run(async {
        let scene = Scene::on(bed().await);
        let (customer, next, number) = (scene.customer("A"), scene.customer("B"), number());
        let order = paused_call(&scene, &customer, &number).await;
        let waits = scene.submit(&taken(&next, &number)).await;
        scene.is_waiting_for(&next, &number).await;
        done(&scene, &["order", "cancel", order.as_str(), "--reason", "it was a mistake"]).await;
        let why = done(&scene, &["order", "why", order.as_str()]).await;
        assert!(why.contains("Paused by an operator"), "it still waits for its call: {why}");
        done(&scene, &["order", "retry", order.as_str(), "--reason", "to its end"]).await;
        let ended = scene.end_of(&order).await;
        assert!(["cancelled", "failed"].contains(&ended.as_str()), "{ended}");
        scene.completed(&[waits]).await;
        scene.judge(&[&number]);
        assert_eq!(scene.registrations(&number).last().unwrap(), &format!("{}+", next.imsi));
    });
}

#[test]
fn a_retry_of_an_order_whose_call_is_not_paused_is_refused() {
    run(async {
        let scene = Scene::on(bed().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&taken(&a1, &number)).await;
        let order = scene.submit(&taken(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let said = interlock(&scene, &["order", "retry", order.as_str(), "--reason", "impatience"]).await;
        assert!(said.code != 0 && (said.stdout + &said.stderr).contains("nothing_held"));
    });
}

#[test]
fn a_paused_workflow_of_a_customer_is_shown_and_continues_once_it_is_unpaused() {
    run(async {
        let scene = Scene::on(bed().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&taken(&a1, &number)).await;
        let take = scene.submit(&taken(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let entity = entity_of(&scene, &a2);
        until("A2 to be at rest", || entity.length_at_rest()).await;
        entity.pause().await;
        let why = done(&scene, &["order", "why", take.as_str()]).await;
        assert!(why.contains(&format!("Paused by an operator ({OPERATOR})")) && why.contains(REASON), "{why}");
        assert!(why.contains("temporal workflow unpause"), "{why}");
        let show = interlock(&scene, &["order", "show", take.as_str()]).await;
        let said = show.stdout + &show.stderr;
        assert!(said.contains("Paused by an operator") && said.contains(REASON), "{said}");
        let give = scene.done(&freed(&a1, &number)).await;
        assert_eq!(scene.registrations(&number).len(), 2, "A2 does nothing while it is paused");
        entity.unpause().await;
        scene.completed(&[give, take]).await;
        handed_over(&scene, &a1, &a2, &number);
    });
}

#[test]
fn while_the_workflow_of_a_number_is_paused_orders_wait_for_it_and_a_reset_customer_says_why() {
    run(async {
        let scene = Scene::on(bed().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&taken(&a1, &number)).await;
        let of_number = scene.number_entity(&number);
        until("the number to be at rest", || of_number.length_at_rest()).await;
        of_number.pause().await;
        // Its claim by update is rejected, so it is sent as a signal, which the server stores.
        let take = scene.submit(&taken(&a2, &number)).await;
        let entity = entity_of(&scene, &a1);
        let give = scene.submit(&freed(&a1, &number)).await;
        until("the release to be over", || async {
            let order = scene.order(&give).await?;
            (order["state"] == "completed").then_some(())
        })
        .await;
        // It no longer knows that it gave the number back, and the number cannot tell it.
        reset(&entity, Point::BeforeLastCall, Reapply::All).await;
        let why = until("why the release waits", || async {
            let why = interlock(&scene, &["order", "why", give.as_str()]).await;
            why.stdout.contains("workflow was reset at").then_some(why.stdout)
        })
        .await;
        assert!(why.contains("is asked whether the customer still holds the lease"), "{why}");
        let show = done(&scene, &["order", "show", give.as_str()]).await;
        assert!(show.contains("workflow reset"), "{show}");
        of_number.unpause().await;
        scene.completed(&[take]).await;
        scene.judge(&[&number]);
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
        assert_eq!(scene.registrations(&number), expected);
    });
}
