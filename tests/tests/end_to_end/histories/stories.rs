//! The recorded stories: each path that an entity can take, once.

use std::time::Duration;

use interlock_adapters::sandbox::{Action, Knobs, Pattern, Rule};
use interlock_domain::ids::OrderId;
use interlock_domain::limits::EntityLimits;
use interlock_settings::SweepSettings;
use interlock_workflows::names;
use serde_json::json;
use temporalio_client::NamespacedClient as _;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tonic::IntoRequest;

use super::recorder::Recorder;
use crate::calls_under_way::{ONE_STEP, begin};
use crate::command::done;
use crate::embedded::buttons::{freed, taken};
use crate::embedded::resets::{Point, reset};
use crate::events::{assigned, changed, event, happened, moved, quota_exceeded, service_updated, unassigned};
use crate::outage::{comes_back, goes_down, until_it_is, watched};
use crate::permanent::event_types;
use crate::scene::{Scene, number, write_that_begins_to_assign, write_that_releases};
use crate::temporal_buttons::Reapply;
use crate::temporal_calls::{RawEntity, json_payload};
use crate::testbed::{Testbed, Wanted};
use crate::waiting::until;

/// Plays all of them, and saves the histories.
pub async fn tell(recorder: &Recorder) {
    let sweep = SweepSettings { interval: Duration::from_secs(2), ..SweepSettings::default() };
    let wanted = Wanted { more_events: event_types(), sweep: Some(sweep), ..Wanted::default() };
    let bed = Testbed::start("record", wanted).await;
    {
        let scene = Scene::on(&bed);
        handed_over(recorder, &scene).await;
        recalled(recorder, &scene).await;
        swapped(recorder, &scene).await;
        moved_by_one_event(recorder, &scene).await;
        held(recorder, &scene).await;
        aborted(recorder, &scene).await;
        released_first(recorder, &scene).await;
        forced(recorder, &scene).await;
        unordered_and_rejected(recorder, &scene).await;
        terminated_customer(recorder, &scene).await;
        terminated_number(recorder, &scene).await;
        tenant_with_a_list(recorder, &scene).await;
        keep_one_that_is_over(recorder, &bed, names::SWEEP, "swept.sweep").await;
    }
    bed.stop().await;
    Box::pin(short_runs(recorder)).await;
}

async fn handed_over(recorder: &Recorder, scene: &Scene<'_>) {
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&assigned(&a1, &number)).await;
    let second = scene.submit(&assigned(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    let first = scene.submit(&unassigned(&a1, &number)).await;
    scene.completed(&[first, second]).await;
    recorder.keep_customer("handed-over.giving", scene, &a1).await;
    recorder.keep_customer("handed-over.receiving", scene, &a2).await;
    recorder.keep_number("handed-over.number", scene, &number).await;
}

/// A2 has the number, and waits for its turn at the HSS; A1's older event asks for it back.
async fn recalled(recorder: &Recorder, scene: &Scene<'_>) {
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    let slow = Pattern { body_contains: Some("4711".to_owned()), ..Pattern::default() };
    scene.bed.hss.add_rule(Rule::always(slow, Action::Delay { ms: 3_000 }));
    let turn = scene.submit(&service_updated(&a2, &json!({"ue_ambr_ul": 4711}))).await;
    let younger = scene.submit(&assigned(&a2, &number)).await;
    until("A2 to have the lease", || async { (scene.holder(&number).await? == a2.id).then_some(()) }).await;
    let older = scene.submit(&happened(assigned(&a1, &number), 10_000, chrono::Utc::now())).await;
    until("A1 to have the lease", || async { (scene.holder(&number).await? == a1.id).then_some(()) }).await;
    scene.completed(&[older, turn]).await;
    scene.done(&unassigned(&a1, &number)).await;
    scene.completed(&[younger]).await;
    recorder.keep_customer("recalled.yielding", scene, &a2).await;
    recorder.keep_customer("recalled.older", scene, &a1).await;
    recorder.keep_number("recalled.number", scene, &number).await;
}

async fn swapped(recorder: &Recorder, scene: &Scene<'_>) {
    let (a, b, one, two) = (scene.customer("A"), scene.customer("B"), number(), number());
    scene.done(&assigned(&a, &one)).await;
    scene.done(&assigned(&b, &two)).await;
    scene.bed.hss.add_rule(Rule::always(write_that_releases(&b), Action::Delay { ms: 1_500 }));
    let (there, back) = (changed(&a, &one, &two), changed(&b, &two, &one));
    let orders: [OrderId; 2] = tokio::join!(scene.submit(&there), scene.submit(&back)).into();
    scene.completed(&orders).await;
    recorder.keep_customer("swapped.one", scene, &a).await;
    recorder.keep_customer("swapped.other", scene, &b).await;
    recorder.keep_number("swapped.number", scene, &one).await;
}

async fn moved_by_one_event(recorder: &Recorder, scene: &Scene<'_>) {
    let (from, to, number) = (scene.customer("F"), scene.customer("T"), number());
    scene.done(&assigned(&from, &number)).await;
    scene.done(&moved(&from, &to, &number)).await;
    until("the number at the other", || async { (scene.registrations(&number).len() == 3).then_some(()) }).await;
    recorder.keep_customer("moved.giving", scene, &from).await;
    recorder.keep_customer("moved.receiving", scene, &to).await;
}

/// A target that permanently refuses the requests that match this pattern.
fn refuse(pattern: Pattern) -> Rule {
    let body = json!({"code": "not_like_this", "detail": "the target does not take it", "error": "not like this"});
    Rule::always(pattern, Action::Refuse { status: 400, body, retry_after_s: None })
}

async fn until_state(scene: &Scene<'_>, order: &OrderId, state: &str) {
    until(format!("{order} to be {state}"), || async { (scene.order(order).await?["state"] == state).then_some(()) })
        .await;
}

async fn held(recorder: &Recorder, scene: &Scene<'_>) {
    let (customer, number) = (scene.customer("A"), number());
    scene.bed.hss.add_rule(refuse(write_that_begins_to_assign(&number)));
    let order = scene.submit(&assigned(&customer, &number)).await;
    until_state(scene, &order, "held").await;
    scene.bed.hss.set_knobs(Knobs::default());
    done(scene, &["order", "retry", order.as_str(), "--reason", "mended"]).await;
    scene.completed(&[order]).await;
    recorder.keep_customer("held.customer", scene, &customer).await;
}

async fn aborted(recorder: &Recorder, scene: &Scene<'_>) {
    let (customer, number) = (scene.customer("A"), number());
    let adds = Pattern { operation: Some("add_number".to_owned()), ..Pattern::default() };
    scene.bed.crm.add_rule(refuse(adds));
    let order =
        scene.submit(&event("line.abort", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))).await;
    assert_eq!(scene.end_of(&order).await, "failed");
    scene.bed.crm.set_knobs(Knobs::default());
    recorder.keep_customer("aborted.customer", scene, &customer).await;
    recorder.keep_number("aborted.number", scene, &number).await;
}

async fn released_first(recorder: &Recorder, scene: &Scene<'_>) {
    let (a, b, old, new) = (scene.customer("A"), scene.customer("B"), number(), number());
    scene.done(&assigned(&a, &old)).await;
    scene.done(&assigned(&b, &new)).await;
    let order = scene.submit(&changed(&a, &old, &new)).await;
    scene.is_waiting_for(&a, &new).await;
    done(scene, &["order", "release-first", order.as_str(), "--reason", "the old one is wanted"]).await;
    scene.done(&unassigned(&b, &new)).await;
    scene.completed(&[order]).await;
    recorder.keep_customer("released-first.customer", scene, &a).await;
}

/// A holder was terminated before its target knew of it. A person takes the number from it.
async fn forced(recorder: &Recorder, scene: &Scene<'_>) {
    let (ghost, next, number) = (scene.customer("A"), scene.customer("B"), number());
    scene.bed.hss.add_rule(refuse(write_that_begins_to_assign(&number)));
    let order = scene.submit(&assigned(&ghost, &number)).await;
    until_state(scene, &order, "held").await;
    scene.bed.hss.set_knobs(Knobs::default());
    let waiting = scene.submit(&assigned(&next, &number)).await;
    scene.is_waiting_for(&next, &number).await;
    scene.entity(&ghost.id.parse().unwrap()).terminate().await;
    let resource = format!("msisdn/{number}");
    done(scene, &["resource", "release", &resource, "--force", "--reason", "ghost"]).await;
    scene.completed(&[waiting]).await;
    recorder.keep_number("forced.number", scene, &number).await;
}

async fn unordered_and_rejected(recorder: &Recorder, scene: &Scene<'_>) {
    let customer = scene.customer("U");
    let order = scene.submit(&quota_exceeded(&customer, &number())).await;
    scene.completed(&[order]).await;
    recorder.keep_customer("unordered.customer", scene, &customer).await;

    let customer = scene.customer("R");
    let order = scene.submit(&event("no.such.type", &customer.id, &json!({}))).await;
    assert_eq!(scene.end_of(&order).await, "rejected");
    recorder.keep_customer("rejected.customer", scene, &customer).await;
}

/// A customer's entity is terminated, which operators should not do. Its next life gives the number back.
async fn terminated_customer(recorder: &Recorder, scene: &Scene<'_>) {
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&assigned(&a1, &number)).await;
    let waits = scene.submit(&assigned(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    let entity = scene.entity(&a1.id.parse().unwrap());
    until("A1 to be at rest", || entity.length_at_rest()).await;
    entity.terminate().await;
    recorder.keep("terminated.customer", entity.history("").await);
    scene.done(&unassigned(&a1, &number)).await;
    scene.completed(&[waits]).await;
    recorder.keep_customer("reborn.customer", scene, &a1).await;
}

/// A number's entity is terminated. Its customers repeat what they have and want.
async fn terminated_number(recorder: &Recorder, scene: &Scene<'_>) {
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&assigned(&a1, &number)).await;
    let waits = scene.submit(&assigned(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    scene.number_entity(&number).terminate().await;
    for customer in [&a1, &a2] {
        scene.entity(&customer.id.parse().unwrap()).signal(names::REASSERT, vec![json_payload("{}")]).await;
    }
    until("A1 to have it in the new ledger", || async { (scene.holder(&number).await? == a1.id).then_some(()) }).await;
    scene.done(&unassigned(&a1, &number)).await;
    scene.completed(&[waits]).await;
    recorder.keep_number("reborn.number", scene, &number).await;
    recorder.keep_customer("reasserted.customer", scene, &a2).await;
}

/// A tenant is on-boarded and off-boarded, and imports a list of holders.
async fn tenant_with_a_list(recorder: &Recorder, scene: &Scene<'_>) {
    let name = scene.tenant.as_str();
    done(scene, &["tenant", "onboard", name, "--reason", "new"]).await;
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "kind,id,customer\nmsisdn,447700900001,bulk-1\nmsisdn,447700900002,bulk-2\n").unwrap();
    done(scene, &["resource", "import", list.path().to_str().unwrap()]).await;
    done(scene, &["tenant", "offboard", name, "--reason", "gone"]).await;
    let route = scene.bed.platform.installation.routing.tenant_entity(&scene.tenant);
    let tenant = RawEntity::new(&scene.bed.platform, route);
    until("the tenant to have left", || async {
        let shown = done(scene, &["tenant", "show", name, "--output", "json"]).await;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        (shown["state"] == "left").then_some(())
    })
    .await;
    recorder.keep_entity("on-boarded.tenant", &tenant).await;
    keep_one_that_is_over(recorder, scene.bed, names::RESOURCE_IMPORT, "imported.list").await;
    keep_one_that_is_over(recorder, scene.bed, names::RESOURCE_IMPORT_PART, "imported.part").await;
}

/// A completed workflow of this type.
async fn keep_one_that_is_over(recorder: &Recorder, bed: &Testbed, workflow_type: &str, name: &str) {
    let client = bed.platform.installation.client_for(bed.namespace()).unwrap();
    let workflow_id = until(format!("a {workflow_type} that is over"), || async {
        let query = format!("WorkflowType = '{workflow_type}' AND ExecutionStatus = 'Completed'");
        let request = ListWorkflowExecutionsRequest {
            namespace: client.namespace(),
            query,
            ..ListWorkflowExecutionsRequest::default()
        };
        let found = client.clone().list_workflow_executions(request.into_request()).await.ok()?.into_inner();
        Some(found.executions.into_iter().next()?.execution?.workflow_id)
    })
    .await;
    let mut route = bed.platform.installation.routing.target(&"hss".parse().unwrap());
    route.workflow_id = workflow_id;
    recorder.keep(name, RawEntity::new(&bed.platform, route).history("").await);
}

/// Runs that end soon: with nothing in flight, with a call in flight, and while a target is down.
async fn short_runs(recorder: &Recorder) {
    let limits =
        EntityLimits { continue_as_new_events: 30, continue_as_new_events_forced: 50, ..EntityLimits::default() };
    let wanted = Wanted {
        limits,
        more_events: ONE_STEP.to_owned(),
        request_timeout: Some(Duration::from_secs(6)),
        protect: Some(watched),
        ..Wanted::default()
    };
    let bed = Testbed::start("record-short", wanted).await;
    {
        let scene = Scene::on(&bed);
        let (one, other, number) = (scene.customer("A"), scene.customer("B"), number());
        for customer in [&one, &other, &one] {
            scene.done(&assigned(customer, &number)).await;
            scene.done(&unassigned(customer, &number)).await;
        }
        recorder.keep_customer("continued.customer", &scene, &one).await;
        recorder.keep_number("continued.number", &scene, &number).await;

        let customer = Scene::newcomer("C");
        let order = begin(&scene, &customer, Action::LoseAnswer).await;
        scene.completed(&[order]).await;
        recorder.keep_customer("continued-in-doubt.customer", &scene, &customer).await;

        until_it_is(&bed, "hss", "closed").await;
        goes_down(&bed.hss);
        let waiting = scene.submit(&service_updated(&one, &json!({"ue_ambr_ul": 1}))).await;
        until_it_is(&bed, "hss", "open").await;
        comes_back(&bed.hss);
        scene.completed(&[waiting]).await;
        until_it_is(&bed, "hss", "closed").await;
        let route = bed.platform.installation.routing.target(&"hss".parse().unwrap());
        recorder.keep_entity("target-down.target", &RawEntity::new(&bed.platform, route)).await;
    }
    bed.stop().await;
}

/// Workflows of a customer and of its number that an operator resets, and the results, recorded before the next release. They are not
/// reset to their first tasks: a run detects that by its own id, which a replay from a file does not know.
pub async fn tell_of_resets(recorder: &Recorder) {
    let scene = Scene::on(crate::embedded::buttons::bed().await);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    let first = scene.done(&taken(&a1, &number)).await;
    let entity = scene.entity(&a1.id.parse().unwrap());
    reset(&entity, Point::AfterLastCall, Reapply::All).await;
    scene.completed(&[first]).await;
    let waits = scene.submit(&taken(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    recorder.keep_entity("reset.customer", &entity).await;
    scene.done(&freed(&a1, &number)).await;
    scene.completed(&[waits]).await;
    let of_number = scene.number_entity(&number);
    reset(&of_number, Point::BeforeLastSignal, Reapply::All).await;
    scene.done(&freed(&a2, &number)).await;
    recorder.keep_entity("reset.number", &of_number).await;
}
