//! Temporal's own buttons, pressed in the middle of a hand-over while a release is in doubt (traces 15 to 17): the number goes on
//! only once the release is confirmed and nothing of it can arrive any more.

use interlock_adapters::sandbox::{Action, Rule};
use serde_json::json;
use temporalio_common::protos::temporal::api::enums::v1::{EventType, PendingActivityState};
use tokio::sync::OnceCell;

use crate::events::{Customer, assigned, event};
use crate::scene::{Scene, number, write_that_releases};
use crate::temporal_calls::{RawEntity, json_payload, payload};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// Like `number.unassigned`, with attempts that are soon over: what comes after one waits as long.
const FREED: &str = r#"
[events."number.freed"]
claims = [{ mode = "release", resource = "msisdn/{msisdn}", party = "{imsi}" }]
attempt_timeout = "3s"
steps = [{ role = "hss", operation = "release_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["msisdn/{msisdn}"] }]
[events."number.freed".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }
"#;

async fn bed() -> &'static Testbed {
    static BED: OnceCell<Testbed> = OnceCell::const_new();
    let wanted = || Wanted { more_events: FREED.to_owned(), ..Wanted::default() };
    BED.get_or_init(|| Testbed::start("buttons", wanted())).await
}

/// A1's release was cut and is still on its way, A2 waits, and somebody presses a button. Its end is the right one.
async fn pressed(press: impl AsyncFnOnce(&RawEntity, &str)) {
    let scene = Scene::on(bed().await);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&assigned(&a1, &number)).await;
    // It is applied well after whoever does not wait for it has gone on.
    scene.bed.hss.add_rule(Rule::once(write_that_releases(&a1), Action::ApplyLate { ms: 1_800 }));
    let take = scene.submit(&assigned(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    let give = scene.submit(&event("number.freed", &a1.id, &json!({"imsi": a1.imsi, "msisdn": number}))).await;
    let entity = scene.entity(&a1.id.parse().unwrap());
    let activity = in_doubt(&entity).await;
    press(&entity, &activity).await;
    scene.completed(&[give, take]).await;
    handed_over(&scene, &a1, &a2, &number);
}

/// The release, once it waits for its second attempt.
async fn in_doubt(entity: &RawEntity) -> String {
    until("a release in doubt", || async {
        let pending = entity.pending_activities().await.into_iter().next()?;
        let waits = pending.attempt == 2 && pending.state() == PendingActivityState::Scheduled;
        waits.then_some(pending.activity_id)
    })
    .await
}

fn handed_over(scene: &Scene<'_>, a1: &Customer, a2: &Customer, number: &str) {
    scene.judge(&[number]);
    let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
    assert_eq!(scene.registrations(number), expected);
}

#[test]
fn a_release_in_doubt_whose_activity_is_reset_is_read_back_before_it_is_sent_again() {
    run(pressed(async |entity, activity| entity.reset_activities(activity, false).await));
}

#[test]
fn a_release_in_doubt_whose_activity_is_reset_with_its_heartbeats_is_read_back_before_it_is_sent_again() {
    run(pressed(async |entity, activity| entity.reset_activities(activity, true).await));
}

#[test]
fn a_release_in_doubt_that_is_completed_by_hand_is_not_taken_for_done() {
    run(pressed(async |entity, activity| {
        entity.complete_activity(activity, json_payload(r#"{"class":"done"}"#)).await;
    }));
}

#[test]
fn a_release_in_doubt_that_is_completed_with_nonsense_goes_on() {
    run(pressed(async |entity, activity| entity.complete_activity(activity, payload("binary/plain", *b"?")).await));
}

#[test]
fn a_release_in_doubt_that_is_failed_by_hand_while_it_waits_goes_on() {
    run(pressed(async |entity, activity| {
        // Its attempt is under way then for as long as the one before may send.
        entity.reset_activities(activity, false).await;
        entity.fail_activity(activity).await;
    }));
}

#[test]
fn a_release_in_doubt_whose_workflow_is_reset_behind_it_is_read_back_before_it_is_sent_again() {
    run(pressed(async |entity, _| entity.reset_to(last_task(entity, true).await).await));
}

#[test]
fn a_release_in_doubt_whose_workflow_is_reset_before_it_is_read_back_before_it_is_sent_again() {
    run(pressed(async |entity, _| entity.reset_to(last_task(entity, false).await).await));
}

/// The end of the last workflow task whose commands stay where the release is to be among them, and of the one that scheduled it,
/// which is done again, where it is not.
async fn last_task(entity: &RawEntity, with_the_release: bool) -> i64 {
    let history = entity.history("").await;
    let scheduled = history.iter().rposition(|one| one.event_type() == EventType::ActivityTaskScheduled).unwrap();
    let of_task =
        |kind: EventType| history[..scheduled].iter().rev().find(move |one| one.event_type() == kind).unwrap();
    if !with_the_release {
        return of_task(EventType::WorkflowTaskCompleted).event_id;
    }
    // Another task comes behind it by a signal that says nothing new.
    entity.signal("reassert", vec![json_payload("{}")]).await;
    until("a task behind the release", || async {
        let history = entity.history("").await;
        let last = history.iter().rfind(|one| one.event_type() == EventType::WorkflowTaskCompleted)?.event_id;
        (last > history[scheduled].event_id).then_some(last)
    })
    .await
}
