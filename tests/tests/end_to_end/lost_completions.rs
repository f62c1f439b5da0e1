//! Completions of workflow tasks are lost after their local activities ran (`coordinator/docs/inside/effects.md`), on a real server.
//!
//! The messages have been sent. The server retries the task later, with everything that arrived meanwhile before the timers and results
//! that the first attempt knew.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_adapters::sandbox::{Action, Rule};
use interlock_domain::ids::ResourceId;
use serde_json::json;

use crate::command::interlock;
use crate::events::{Customer, assigned, event, happened, unassigned};
use crate::lossy_bed::{LossyBed, REFUSED_FOR, lost_after};
use crate::lossy_proxy::{Fate, Loss, Moment};
use crate::scene::{Scene, number, write_that_begins_to_assign};
use crate::testbed::run;
use crate::waiting::until;

fn slow(what: &str, customer: &Customer, number: &str) -> serde_json::Value {
    event(what, &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

fn workflow_id(scene: &Scene<'_>, resource: &ResourceId) -> String {
    scene.bed.platform.installation.routing.resource(&scene.tenant, resource).workflow_id
}

/// Trace 21 of `tests/model/src/worlds/traces.rs`. The first grant of a number depends on `resource` being fresh: on a timer, or on the
/// answer of its authority. The grant is sent, and its task is lost. An older claim arrives before the task is retried.
async fn an_older_claim_comes_after_a_grant_that_was_not_recorded(lossy: &LossyBed, kind: &str) {
    let scene = Scene::on(&lossy.bed);
    let (b, c, number) = (scene.customer("B"), scene.customer("C"), number());
    let (assign, unassign) = match kind {
        "slow" => ("slow.assigned", "slow.unassigned"),
        _ => ("line.assigned", "line.unassigned"),
    };
    let resource: ResourceId = format!("{kind}/{number}").parse().unwrap();
    let older = happened(slow(assign, &c, &number), 60_000, chrono::Utc::now());
    // B's write is still in flight when the task is retried.
    lossy.bed.hss.add_rule(Rule::once(write_that_begins_to_assign(&number), Action::Delay { ms: 3_500 }));
    let loss = lossy.proxy.lose(lost_after(workflow_id(&scene, &resource), &["lease_granted", &b.id]));
    let first = scene.submit(&slow(assign, &b, &number)).await;
    lossy.proxy.until_lost(loss).await;
    let second = scene.submit(&older).await;
    let c_has_it = until("the number to know of C's claim", || async {
        let state = scene.bed.platform.resource(&scene.tenant, &resource).await.ok()?;
        let is_queued = state["queue"].as_array()?.iter().any(|waiter| waiter["customer_id"] == *c.id);
        let has_it = state["holder"]["customer_id"] == *c.id;
        (is_queued || has_it).then_some(has_it)
    });
    let c_has_it = c_has_it.await;
    scene.completed(&[first]).await;
    scene.judge(&[&number]);
    assert!(!c_has_it, "{number} was granted to B, who has it registered, and then to C");
    // B releases it. Then C gets it, whose claim is older but arrived later.
    let third = scene.submit(&slow(unassign, &b, &number)).await;
    scene.completed(&[third, second]).await;
    scene.judge(&[&number]);
    let expected = [format!("{}+", b.imsi), format!("{}-", b.imsi), format!("{}+", c.imsi)];
    assert_eq!(scene.registrations(&number), expected);
}

#[test]
fn no_other_customer_gets_a_fresh_number_after_the_task_of_its_first_grant_was_lost() {
    run(async {
        let lossy = LossyBed::start("lost-21").await;
        let timer = an_older_claim_comes_after_a_grant_that_was_not_recorded(&lossy, "slow");
        let look_up = an_older_claim_comes_after_a_grant_that_was_not_recorded(&lossy, "msisdn");
        tokio::join!(timer, look_up);
        Box::pin(lossy.stop()).await;
    });
}

/// Trace 22 of the same file. A gives the number back, B gets a grant with an epoch, and the task is lost. B's return at that epoch
/// counts, and C gets the number.
#[test]
fn a_number_whose_grant_was_sent_in_a_lost_task_can_be_given_back() {
    run(async {
        let lossy = LossyBed::start("lost-22").await;
        let scene = Scene::on(&lossy.bed);
        let (a, b, c) = (scene.customer("A"), scene.customer("B"), scene.customer("C"));
        let number = number();
        scene.done(&assigned(&a, &number)).await;
        let second = scene.submit(&assigned(&b, &number)).await;
        scene.is_waiting_for(&b, &number).await;
        let resource: ResourceId = format!("msisdn/{number}").parse().unwrap();
        let loss = lossy.proxy.lose(lost_after(workflow_id(&scene, &resource), &["lease_granted", &b.id]));
        let first = scene.submit(&unassigned(&a, &number)).await;
        lossy.proxy.until_lost(loss).await;
        scene.completed(&[first, second]).await;
        let third = scene.submit(&unassigned(&b, &number)).await;
        let fourth = scene.submit(&assigned(&c, &number)).await;
        scene.completed(&[third, fourth]).await;
        scene.judge(&[&number]);
        let expected = [(&a, '+'), (&a, '-'), (&b, '+'), (&b, '-'), (&c, '+')];
        assert_eq!(scene.registrations(&number), expected.map(|(who, what)| format!("{}{what}", who.imsi)));
        assert_eq!(scene.holder(&number).await, Some(c.id.clone()));
        Box::pin(lossy.stop()).await;
    });
}

/// The entity whose completion is lost in a hand-over.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// The holder that releases the number.
    Holder,
    /// The customer that gets it next.
    Next,
    /// The customer whose order is cancelled while it waits.
    Cancelled,
    /// The number.
    Number,
}

/// A whole hand-over. The completion after the entity sent such a message is lost. Meanwhile an older claim arrives, and a person
/// cancels a younger one.
async fn a_hand_over_with(lossy: &LossyBed, of: Of, message: &str, fate: Fate) {
    let scene = Scene::on(&lossy.bed);
    let [a, b, c, d] = ["A", "B", "C", "D"].map(|name| scene.customer(name));
    let number = number();
    scene.done(&assigned(&a, &number)).await;
    let entity = |customer: &Customer| {
        let id = customer.id.parse().unwrap();
        scene.bed.platform.installation.routing.customer(&scene.tenant, &id).workflow_id
    };
    let of = match of {
        Of::Holder => entity(&a),
        Of::Next => entity(&b),
        Of::Cancelled => entity(&d),
        Of::Number => workflow_id(&scene, &format!("msisdn/{number}").parse().unwrap()),
    };
    let older = happened(assigned(&c, &number), 60_000, chrono::Utc::now());
    // The entity's messages name this number and no other.
    let contains = [message.to_owned(), number.clone()];
    let when = Moment::After { to: None, contains: contains.to_vec() };
    let loss = lossy.proxy.lose(Loss { of, when, fate });
    let gets = scene.submit(&assigned(&b, &number)).await;
    scene.is_waiting_for(&b, &number).await;
    let cancelled = scene.submit(&assigned(&d, &number)).await;
    scene.is_waiting_for(&d, &number).await;
    let loses = scene.submit(&unassigned(&a, &number)).await;
    // An action whose task is lost is not answered, and the person asks again.
    let is_cancelled = || async {
        interlock(&scene, &["order", "cancel", cancelled.as_str(), "--reason", "a test"]).await;
        scene.order(&cancelled).await.filter(|shown| shown["state"] == "cancelled")
    };
    until("the order to be cancelled", is_cancelled).await;
    lossy.proxy.until_lost(loss).await;
    let gets_too = scene.submit(&older).await;
    scene.completed(&[loses]).await;
    let is_completed = async |order| scene.order(order).await.is_some_and(|shown| shown["state"] == "completed");
    let b_is_first = until("somebody to get the number", || async {
        if is_completed(&gets).await {
            return Some(true);
        }
        is_completed(&gets_too).await.then_some(false)
    })
    .await;
    let (first, last) = if b_is_first { (&b, &c) } else { (&c, &b) };
    let released = scene.submit(&unassigned(first, &number)).await;
    scene.completed(&[released, gets, gets_too]).await;
    assert_eq!(scene.end_of(&cancelled).await, "cancelled");
    scene.judge(&[&number]);
    let expected = [(&a, '+'), (&a, '-'), (first, '+'), (first, '-'), (last, '+')];
    assert_eq!(scene.registrations(&number), expected.map(|(who, what)| format!("{}{what}", who.imsi)));
    assert_eq!(scene.holder(&number).await, Some(last.id.clone()));
}

#[test]
fn a_hand_over_ends_well_whichever_completion_is_lost_in_it() {
    run(async {
        let lossy = LossyBed::start("lost-table").await;
        let lost = Fate::Lost { for_at_least: REFUSED_FOR };
        let late = Fate::Held { by: Duration::from_secs(2) };
        let cases = [
            (Of::Next, "claim", lost),
            (Of::Holder, "\"give_back\"", lost),
            (Of::Holder, "\"give_back\"", Fate::AnswerLost),
            (Of::Cancelled, "\"withdraw\"", lost),
            (Of::Cancelled, "\"withdraw\"", late),
            (Of::Number, "\"lease_granted\"", lost),
            (Of::Number, "\"lease_granted\"", Fate::AnswerLost),
            (Of::Number, "\"lease_granted\"", late),
        ];
        let all = cases.map(|(of, message, fate)| Box::pin(a_hand_over_with(&lossy, of, message, fate)));
        join_all(all).await;
        Box::pin(lossy.stop()).await;
    });
}
