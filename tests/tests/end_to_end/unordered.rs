//! Events that need no turn.

use interlock_adapters::sandbox::{Action, Applied, Effect, Pattern, Rule};

use crate::events::{assigned, quota_exceeded, unassigned};
use crate::scene::{Scene, number, write_that_releases};
use crate::testbed::{Testbed, run, shared};
use crate::waiting::until_true;

/// The number of events that are sent at once.
const MANY: usize = 30;
fn sent_to(log: Vec<Applied>, number: &str) -> Vec<Applied> {
    log.into_iter()
        .filter(|entry| matches!(&entry.effect, Effect::SmsSent { msisdn, .. } if msisdn == number))
        .collect()
}

/// Each text was asked for once: none of the requests that gathered was a repeated one.
fn received_once_each(bed: &Testbed, number: &str) {
    let of_number = bed.sms.received().into_iter().filter(|request| request.body.contains(number));
    assert_eq!(of_number.count(), MANY);
}

/// The SMS gateway applies no text to a number before all of them are in flight at once.
fn sms_only_side_by_side_to(number: &str) -> Rule {
    let pattern = Pattern { body_contains: Some(number.to_owned()), ..Pattern::default() };
    Rule::always(pattern, Action::Gather { requests: MANY })
}

#[test]
fn events_without_order_run_side_by_side_past_the_entity() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        scene.bed.sms.add_rule(sms_only_side_by_side_to(&number));
        for _ in 0..MANY {
            let taken = scene.bed.platform.submit(&scene.tenant, quota_exceeded(&customer, &number)).await;
            assert_eq!(taken.status.as_str(), "accepted", "{taken:?}");
        }
        until_true("all texts", || sent_to(scene.bed.sms.log(), &number).len() == MANY).await;
        received_once_each(scene.bed, &number);
    });
}

#[test]
fn events_without_order_that_reach_an_entity_run_side_by_side_and_wait_for_nothing() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, other, number) = (scene.customer("A"), scene.customer("B"), number());
        scene.bed.sms.add_rule(sms_only_side_by_side_to(&number));
        // An order of the same customer waits for a number all the time.
        scene.done(&assigned(&other, &number)).await;
        let waiting = scene.submit(&assigned(&customer, &number)).await;
        scene.is_waiting_for(&customer, &number).await;
        for _ in 0..MANY {
            scene.submit(&quota_exceeded(&customer, &number)).await;
        }
        until_true("all texts", || sent_to(scene.bed.sms.log(), &number).len() == MANY).await;
        received_once_each(scene.bed, &number);
        assert_eq!(scene.registrations(&number), [format!("{}+", other.imsi)]);
        scene.bed.hss.add_rule(Rule::always(write_that_releases(&other), Action::Delay { ms: 100 }));
        scene.done(&unassigned(&other, &number)).await;
        scene.completed(&[waiting]).await;
        scene.judge(&[&number]);
    });
}

#[test]
fn an_event_without_order_that_is_sent_twice_has_one_effect() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        let event = quota_exceeded(&customer, &number);
        for _ in 0..3 {
            let taken = scene.bed.platform.submit(&scene.tenant, event.clone()).await;
            assert_eq!(taken.status.as_str(), "accepted", "{taken:?}");
        }
        until_true("the text", || !sent_to(scene.bed.sms.log(), &number).is_empty()).await;
        let again = scene.bed.platform.submit(&scene.tenant, event.clone()).await;
        assert_eq!(again.status.as_str(), "accepted", "{again:?}");
        let order = again.order_id.unwrap();
        assert_eq!(scene.end_of(&order).await, "completed");
        assert_eq!(sent_to(scene.bed.sms.log(), &number).len(), 1);
        // Also after it has ended: another event that is sent after the duplicate is done, and the duplicate is not.
        for event in [event, quota_exceeded(&customer, &number)] {
            let taken = scene.bed.platform.submit(&scene.tenant, event).await;
            assert_eq!(taken.status.as_str(), "accepted", "{taken:?}");
            assert_eq!(scene.end_of(&taken.order_id.unwrap()).await, "completed");
        }
        assert_eq!(sent_to(scene.bed.sms.log(), &number).len(), 2);
    });
}
