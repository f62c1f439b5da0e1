//! Temporal's own buttons, pressed in the middle of a hand-over while a release is in doubt (traces 15 to 17 of
//! `tests/model/src/worlds/traces.rs`). The number is handed on only after the release is confirmed and no request of it can
//! arrive any more.

use interlock_adapters::sandbox::{Action, Rule};
use interlock_worker_pools::Workload;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::batch::v1::{
    BatchOperationCancellation, BatchOperationReset, BatchOperationResetActivities, BatchOperationUnpauseActivities,
    BatchOperationUpdateActivityOptions, batch_operation_reset_activities, batch_operation_unpause_activities,
    batch_operation_update_activity_options,
};
use temporalio_common::protos::temporal::api::common::v1::{ResetOptions, reset_options};
use temporalio_common::protos::temporal::api::enums::v1::{EventType, PendingActivityState};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use tokio::sync::OnceCell;

use crate::events::{Customer, assigned, event};
use crate::scene::{Scene, number, write_that_releases};
use crate::temporal_buttons::{Reapply, other_pause};
use crate::temporal_calls::{RawEntity, json_payload, payload};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// Like `number.assigned` and `number.unassigned`, with short attempts, since the next attempt waits as long as one takes.
const EVENTS: &str = r#"
[events."number.taken"]
claims = [{ mode = "assign", resource = "msisdn/{msisdn}", party = "{imsi}" }]
attempt_timeout = "2s"
steps = [{ role = "hss", operation = "assign_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["msisdn/{msisdn}"], compensation = "release_number" }]
[events."number.taken".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }

[events."number.freed"]
claims = [{ mode = "release", resource = "msisdn/{msisdn}", party = "{imsi}" }]
attempt_timeout = "3s"
steps = [{ role = "hss", operation = "release_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["msisdn/{msisdn}"] }]
[events."number.freed".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }
"#;

/// A testbed for tests that press buttons. Its server allows pausing workflows, and runs several batches at a time.
pub fn wanted() -> Wanted {
    let dynamic_config =
        vec![("frontend.WorkflowPauseEnabled", "true"), ("frontend.MaxConcurrentBatchOperationPerNamespace", "20")];
    Wanted { more_events: EVENTS.to_owned(), dynamic_config, ..Wanted::default() }
}

/// The testbed that most of them share.
pub async fn bed() -> &'static Testbed {
    static BED: OnceCell<Testbed> = OnceCell::const_new();
    BED.get_or_init(|| Testbed::start("buttons", wanted())).await
}

/// `customer` gets `number`.
pub fn taken(customer: &Customer, number: &str) -> Value {
    event("number.taken", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

/// `customer` releases `number`.
pub fn freed(customer: &Customer, number: &str) -> Value {
    event("number.freed", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

/// A1's release was cut and is still in flight, A2 waits, and somebody presses a button. Checks that the hand-over ends correctly.
async fn pressed(press: impl AsyncFnOnce(&RawEntity, &str)) {
    ends(bed().await, press, &["completed"]).await;
}

/// The same with a reset of A1's workflow. The number may first ask its target, after no request of A1 can arrive any more. If the cut
/// release took effect, the number is handed on, and A1 has nothing left to release.
async fn pressed_reset(press: impl AsyncFnOnce(&RawEntity, &str)) {
    ends(bed().await, press, &["completed", "partial"]).await;
}

async fn ends(bed: &Testbed, press: impl AsyncFnOnce(&RawEntity, &str), as_one_of: &[&str]) {
    let scene = Scene::on(bed);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&assigned(&a1, &number)).await;
    // It is applied long after a caller that does not wait for it would have continued.
    scene.bed.hss.add_rule(Rule::once(write_that_releases(&a1), Action::ApplyLate { ms: 1_800 }));
    let take = scene.submit(&assigned(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    let give = scene.submit(&freed(&a1, &number)).await;
    let entity = scene.entity(&a1.id.parse().unwrap());
    let activity = in_doubt(&entity).await;
    press(&entity, &activity).await;
    let end = scene.end_of(&give).await;
    assert!(as_one_of.contains(&end.as_str()), "{end}");
    if end == "partial" {
        let shown = until("the order", || scene.order(&give)).await;
        assert_eq!(shown["code"], "not_holder");
    }
    scene.completed(&[take]).await;
    handed_over(&scene, &a1, &a2, &number);
}

/// The release, once it waits for its second attempt.
pub async fn in_doubt(entity: &RawEntity) -> String {
    until("a release in doubt", || async {
        let pending = entity.pending_activities().await.into_iter().next()?;
        let waits = pending.attempt == 2 && pending.state() == PendingActivityState::Scheduled;
        waits.then_some(pending.activity_id)
    })
    .await
}

/// The number went from A1 to A2, and to nobody else.
pub fn handed_over(scene: &Scene<'_>, a1: &Customer, a2: &Customer, number: &str) {
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
fn a_release_in_doubt_that_is_completed_by_hand_is_not_taken_for_done_where_each_workload_has_a_process_of_its_own() {
    run(async {
        let worker_processes = Some(vec![Workload::Entity, Workload::Resource, Workload::Provisioning, Workload::Jobs]);
        let bed = Testbed::start("buttons-of-processes", Wanted { worker_processes, ..wanted() }).await;
        let complete = async |entity: &RawEntity, activity: &str| {
            entity.complete_activity(activity, json_payload(r#"{"class":"done"}"#)).await;
        };
        ends(&bed, complete, &["completed"]).await;
        bed.stop().await;
    });
}

#[test]
fn a_release_in_doubt_that_is_completed_with_nonsense_goes_on() {
    run(pressed(async |entity, activity| entity.complete_activity(activity, payload("binary/plain", *b"?")).await));
}

#[test]
fn a_release_in_doubt_that_is_failed_by_hand_while_it_waits_goes_on() {
    run(pressed(async |entity, activity| {
        // Its attempt is then in flight for as long as the previous one may send.
        entity.reset_activities(activity, false).await;
        entity.fail_activity(activity).await;
    }));
}

#[test]
fn a_release_in_doubt_whose_workflow_is_reset_behind_it_is_read_back_before_it_is_sent_again() {
    run(pressed_reset(async |entity, _| entity.reset_to(last_task(entity, true).await).await));
}

#[test]
fn a_release_in_doubt_whose_workflow_is_reset_before_it_is_read_back_before_it_is_sent_again() {
    run(pressed_reset(async |entity, _| entity.reset_to(last_task(entity, false).await).await));
}

#[test]
fn a_release_in_doubt_whose_activity_is_paused_and_goes_on_is_read_back_before_it_is_sent_again() {
    run(async {
        tokio::join!(
            pressed(async |entity, activity| {
                entity.pause_activity(activity).await;
                entity.unpause_activity(activity, false).await;
            }),
            pressed(async |entity, activity| {
                entity.pause_activity(activity).await;
                entity.unpause_activity(activity, true).await;
            }),
            pressed(async |entity, activity| {
                entity.pause_activity(activity).await;
                entity.batch(Operation::UnpauseActivitiesOperation(unpause_all())).await;
            }),
            pressed(async |entity, activity| entity.update_activity_options(activity).await),
        );
    });
}

#[test]
fn a_release_in_doubt_is_read_back_before_it_is_sent_again_whatever_a_batch_does_to_it() {
    run(async {
        tokio::join!(
            pressed(async |entity, _| {
                let activity = Some(batch_operation_reset_activities::Activity::MatchAll(true));
                let all = BatchOperationResetActivities { activity, reset_heartbeat: true, ..Default::default() };
                entity.batch(Operation::ResetActivitiesOperation(all)).await;
            }),
            pressed(async |entity, _| {
                let (options, field) = other_pause();
                let mut all = BatchOperationUpdateActivityOptions {
                    activity: Some(batch_operation_update_activity_options::Activity::MatchAll(true)),
                    activity_options: Some(options),
                    ..Default::default()
                };
                all.update_mask.get_or_insert_default().paths.push(field.to_owned());
                entity.batch(Operation::UpdateActivityOptionsOperation(all)).await;
            }),
            pressed_reset(async |entity, _| {
                let target = Some(reset_options::Target::LastWorkflowTask(()));
                let options = Some(ResetOptions { target, ..Default::default() });
                let reset = BatchOperationReset { options, ..Default::default() };
                entity.batch(Operation::ResetOperation(reset)).await;
            }),
            pressed(async |entity, _| {
                entity.batch(Operation::CancellationOperation(BatchOperationCancellation::default())).await;
            }),
            pressed(async |entity, _| entity.cancel().await),
        );
    });
}

/// Resumes all activities, as if they were made for the first time.
pub fn unpause_all() -> BatchOperationUnpauseActivities {
    BatchOperationUnpauseActivities {
        activity: Some(batch_operation_unpause_activities::Activity::MatchAll(true)),
        reset_attempts: true,
        reset_heartbeat: true,
        ..Default::default()
    }
}

#[test]
fn a_release_in_doubt_whose_workflow_is_reset_twice_is_read_back_before_it_is_sent_again() {
    run(async {
        tokio::join!(
            // The run that continues is reset again.
            pressed_reset(async |entity, _| {
                let first = entity.reset_run("", last_task(entity, false).await, Reapply::All).await;
                let again = until("a workflow task of the run after the reset", || async {
                    let history = entity.history(&first).await;
                    let reset = history.iter().position(|one| one.event_type() == EventType::WorkflowTaskFailed)?;
                    let done = |one: &&HistoryEvent| one.event_type() == EventType::WorkflowTaskCompleted;
                    Some(history[reset..].iter().find(done)?.event_id)
                })
                .await;
                entity.reset_run(&first, again, Reapply::Nothing).await;
            }),
            // The same run is reset again, to before the point of the first reset.
            pressed_reset(async |entity, _| {
                let run_id = entity.run_id().await;
                let last = last_task(entity, false).await;
                let history = entity.history(&run_id).await;
                let tasks = history.iter().filter(|one| one.event_type() == EventType::WorkflowTaskCompleted);
                let before = tasks.map(|one| one.event_id).rfind(|id| *id < last).unwrap();
                entity.reset_run(&run_id, last, Reapply::All).await;
                entity.reset_run(&run_id, before, Reapply::All).await;
            }),
        );
    });
}

/// The end of the last workflow task whose commands are kept, if the release must be among them; otherwise the end of the task that
/// scheduled it, which is then repeated.
async fn last_task(entity: &RawEntity, with_the_release: bool) -> i64 {
    let history = entity.history("").await;
    let scheduled = history.iter().rposition(|one| one.event_type() == EventType::ActivityTaskScheduled).unwrap();
    let of_task =
        |kind: EventType| history[..scheduled].iter().rev().find(move |one| one.event_type() == kind).unwrap();
    if !with_the_release {
        return of_task(EventType::WorkflowTaskCompleted).event_id;
    }
    // A signal without new content causes another task after it.
    entity.signal("reassert", vec![json_payload("{}")]).await;
    until("a task behind the release", || async {
        let history = entity.history("").await;
        let last = history.iter().rfind(|one| one.event_type() == EventType::WorkflowTaskCompleted)?.event_id;
        (last > history[scheduled].event_id).then_some(last)
    })
    .await
}
