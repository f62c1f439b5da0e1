//! When a step is retried, and when no longer.

use std::time::Duration;

use interlock_adapters::sandbox::{Action, Received, Rule, Times};
use interlock_domain::ids::OrderId;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::history::v1::ActivityTaskScheduledEventAttributes;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use tokio::sync::OnceCell;

use crate::doubtful_targets::{Doubtful, DoubtfulBed, InDoubt};
use crate::events::event;
use crate::scene::{Scene, number, write_that_begins_to_assign};
use crate::testbed::run;

/// How long an event of a type `soon.…` is valid, in milliseconds.
const EXPIRES_AFTER_MS: i64 = 3_000;

/// The answer of a target that asks for a pause of this many seconds, or gives no time.
fn refuse(status: u16, retry_after_s: Option<u64>) -> Action {
    Action::Refuse { status, body: Value::Null, retry_after_s }
}

async fn bed() -> &'static DoubtfulBed {
    static BED: OnceCell<DoubtfulBed> = OnceCell::const_new();
    BED.get_or_init(|| DoubtfulBed::start("retried", None, "4s", Duration::from_secs(5))).await
}

fn received_at_ms(request: &Received) -> i64 {
    chrono::DateTime::parse_from_rfc3339(&request.at).unwrap().timestamp_millis()
}

/// The times between the requests, in milliseconds.
fn gaps_ms(requests: &[Received]) -> Vec<i64> {
    requests.windows(2).map(|pair| received_at_ms(&pair[1]) - received_at_ms(&pair[0])).collect()
}

/// A target that rejects with `Retry-After`, first with 429, then with 503, is not called earlier.
async fn is_left_alone(target: Doubtful) {
    let in_doubt = InDoubt::at(bed().await, target);
    // An assignment at the HSS is two writes. If the second one is rejected, the first one is in doubt.
    let write = match target {
        Doubtful::Hss => write_that_begins_to_assign(&in_doubt.number),
        _ => target.write(&in_doubt.number),
    };
    for refusal in [refuse(429, Some(3)), refuse(503, Some(2))] {
        bed().await.sandbox(target).add_rule(Rule::once(write.clone(), refusal));
    }
    let order = in_doubt.submit().await;
    assert_eq!(in_doubt.end(&order).await, "completed");
    let is_it = |request: &Received| write.method.as_ref().is_some_and(|method| *method == request.method);
    let requests: Vec<Received> = in_doubt.requests().into_iter().filter(is_it).collect();
    let gaps = gaps_ms(&requests);
    assert!(gaps.len() == 2 && gaps[0] >= 3_000 && gaps[1] >= 2_000, "{target:?}: {gaps:?}");
    assert_eq!(in_doubt.effects(), 1);
}

#[test]
fn a_json_target_is_not_called_before_its_retry_after_has_passed() {
    run(is_left_alone(Doubtful::Crm));
}

#[test]
fn the_hss_is_not_called_before_its_retry_after_has_passed() {
    run(is_left_alone(Doubtful::Hss));
}

#[test]
fn a_target_without_a_retry_after_is_called_again_after_the_pauses_of_the_catalog() {
    run(async {
        let in_doubt = InDoubt::at(bed().await, Doubtful::Crm);
        let rule =
            Rule { times: Times::Count(3), ..Rule::once(in_doubt.target.write(&in_doubt.number), refuse(503, None)) };
        bed().await.sandbox(Doubtful::Crm).add_rule(rule);
        let order = in_doubt.submit().await;
        assert_eq!(in_doubt.end(&order).await, "completed");
        // initial 500 ms, doubled, cap 2 s; the jitter removes up to half.
        let gaps = gaps_ms(&in_doubt.requests());
        assert!(gaps.len() == 3 && gaps[0] >= 250 && gaps[1] >= 500 && gaps[2] >= 1_000, "{gaps:?}");
    });
}

/// How the calls of an order's customer were scheduled.
async fn scheduled(scene: &Scene<'_>, order: &OrderId) -> Vec<ActivityTaskScheduledEventAttributes> {
    let history = scene.entity(&order.customer()).history("").await;
    let scheduled = history.into_iter().filter_map(|event| match event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => Some(scheduled),
        _ => None,
    });
    scheduled.collect()
}

#[test]
fn an_ordered_step_is_never_given_up_and_its_worker_is_given_up_after_15_s_of_silence() {
    run(async {
        let in_doubt = InDoubt::at(bed().await, Doubtful::Crm);
        let order = in_doubt.submit().await;
        assert_eq!(in_doubt.end(&order).await, "completed");
        let [call] = &*scheduled(&in_doubt.scene, &order).await else { panic!("one call") };
        // In seconds. Zero means no time-out.
        let timeouts = [
            &call.schedule_to_close_timeout,
            &call.schedule_to_start_timeout,
            &call.heartbeat_timeout,
            // Its attempt_timeout, and two minutes in which it may wait until an earlier request can no longer take effect.
            &call.start_to_close_timeout,
        ];
        assert_eq!(timeouts.map(|timeout| timeout.map_or(0, |duration| duration.seconds)), [0, 0, 15, 4 + 120]);
        let retry = call.retry_policy.as_ref().unwrap();
        let pauses = [&retry.initial_interval, &retry.maximum_interval];
        let pauses = pauses.map(|pause| pause.map(|duration| (duration.seconds, duration.nanos)));
        assert_eq!((retry.maximum_attempts, pauses), (0, [Some((0, 500_000_000)), Some((2, 0))]));
    });
}

/// A text message that is valid for 3 s, to a gateway that is out of service for longer. It is submitted with `submit`. Each test has a
/// gateway of its own, since one that is known to be down is not called.
async fn is_never_sent_late(target: Doubtful, submit: impl AsyncFnOnce(&Scene<'_>, Value) -> OrderId) {
    let bed = bed().await;
    let (scene, number) = (Scene::on(&bed.bed), number());
    let customer = Scene::newcomer("late");
    let gateway = bed.sandbox(target);
    gateway.add_rule(Rule::always(target.write(&number), refuse(503, None)));
    let event = event(&format!("soon.{}", target.role()), &customer.id, &json!({"msisdn": number}));
    let expires_at = chrono::Utc::now().timestamp_millis() + EXPIRES_AFTER_MS;
    let order = submit(&scene, event).await;
    assert_eq!(scene.end_of(&order).await, "cancelled");
    assert_eq!(scene.order(&order).await.unwrap()["code"], "expired");
    let sent = gateway.received().into_iter().filter(|request| request.body.contains(&number));
    let late: Vec<i64> = sent.map(|request| received_at_ms(&request) - expires_at).collect();
    // It was accepted a moment after `expires_at` was computed.
    assert!(!late.is_empty() && late.iter().all(|ms| *ms < 1_500), "{late:?}");
    assert!(!gateway.log().iter().any(|entry| format!("{:?}", entry.effect).contains(&number)));
}

#[test]
fn a_text_message_whose_gateway_is_down_past_its_time_ends_as_expired_and_is_never_sent() {
    run(is_never_sent_late(Doubtful::KeysAndVerify, async |scene, event| {
        let taken = scene.bed.platform.submit(&scene.tenant, event).await;
        assert_eq!(taken.status.as_str(), "accepted", "{taken:?}");
        taken.order_id.unwrap()
    }));
}

#[test]
fn a_text_message_that_reached_an_entity_also_ends_as_expired() {
    run(is_never_sent_late(Doubtful::KeysOnly, async |scene, event| scene.submit(&event).await));
}

#[test]
fn a_step_that_expires_in_doubt_is_read_back_and_not_sent_again() {
    run(async {
        let bed = bed().await;
        let (scene, number) = (Scene::on(&bed.bed), number());
        let customer = Scene::newcomer("late");
        let gateway = bed.sandbox(Doubtful::VerifyOnly);
        // The answer is lost for longer than the message is valid.
        gateway.add_rule(Rule::once(Doubtful::VerifyOnly.write(&number), Action::LoseAnswer));
        let event = event("soon.verify-only", &customer.id, &json!({"msisdn": number}));
        let order = scene.submit(&event).await;
        assert_eq!(scene.end_of(&order).await, "completed");
        let sent = gateway.received().into_iter().filter(|request| request.body.contains(&number));
        assert_eq!(sent.count(), 1);
    });
}
