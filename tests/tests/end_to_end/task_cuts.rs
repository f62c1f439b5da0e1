//! The SDK's core cuts a history into workflow tasks, and may cut it otherwise when it replays it
//! (`coordinator/worker-pools/src/query_guard/cuts.rs`). An entity takes the same commands from it each time.

use interlock_domain::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId, TicketId, Timestamp};
use interlock_domain::message::{GiveBack, Ticket, ToResource};
use interlock_domain::order::{ClaimMode, OrderKey, ResourcePolicy};
use interlock_worker_pools::Workload;
use interlock_workflows::names;
use serde_json::json;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use uuid::Uuid;

use crate::events::event;
use crate::lossy_bed::LossyBed;
use crate::lossy_proxy::Stopped;
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, event_types, failed_tasks, json_payload};
use crate::testbed::run;
use crate::waiting::until;

/// So often it is tried to have a task wait for a worker that died.
const TRIES: usize = 5;

/// A claim of a customer that sends no event, older than any order of the test.
fn ticket(scene: &Scene<'_>, customer: &str, resource: &ResourceId, occurred_at: i64) -> Ticket {
    let order: OrderId = format!("{customer}~{}", Uuid::new_v4()).parse().unwrap();
    Ticket {
        id: TicketId::derive(&order, resource, Incarnation(1)),
        key: OrderKey {
            occurred_at: Timestamp(occurred_at),
            sequence: String::new(),
            accepted_at: Timestamp(occurred_at),
            arrival: 0,
            order: order.clone(),
        },
        order,
        mode: ClaimMode::Assign,
        claimant: CustomerRef { tenant: scene.tenant.clone(), customer: customer.parse().unwrap() },
        incarnation: Incarnation(1),
        target_identity: None,
        swap: false,
        answer_by: None,
        policy: ResourcePolicy::default(),
    }
}

/// Signals something that nobody can read, and waits for the task that counts it.
async fn signal_nonsense(entity: &RawEntity) {
    let before = entity.history("").await.len();
    entity.signal(names::FROM_CUSTOMER, vec![json_payload("nonsense")]).await;
    until("the task of a signal", || async {
        let history = entity.history("").await;
        let types = event_types(&history[before..]);
        let signal = types.iter().position(|kind| *kind == EventType::WorkflowExecutionSignaled)?;
        types[signal..].contains(&EventType::WorkflowTaskCompleted).then_some(())
    })
    .await;
}

/// What waits for a resource whose worker died.
struct Waiting {
    entity: RawEntity,
    holder: CustomerRef,
    epoch: Epoch,
    resource: ResourceId,
    by_signal: Ticket,
    by_update: Ticket,
}

/// Two tasks of a resource that leave no command, with a result in the second one.
async fn two_silent_tasks(lossy: &LossyBed) -> Waiting {
    let scene = Scene::on(&lossy.bed);
    let (holder, number) = (scene.customer("A"), number());
    let resource: ResourceId = format!("slow/{number}").parse().unwrap();
    let installation = &lossy.bed.platform.installation;
    let entity = RawEntity::new(&lossy.bed.platform, installation.routing.resource(&scene.tenant, &resource));

    // Its first grant rests on a timer, so that the resource tells it by an activity, which takes as long as the gate is closed.
    let to = scene.entity(&holder.id.parse().unwrap()).workflow_id().to_owned();
    let gate = lossy.proxy.stop(Stopped::Signals { to, contains: vec!["lease_granted".to_owned()] });
    let assigned = event("slow.assigned", &holder.id, &json!({ "imsi": holder.imsi, "msisdn": number }));
    let order = scene.submit(&assigned).await;
    gate.until_reached().await;
    signal_nonsense(&entity).await;
    gate.open();
    scene.completed(&[order]).await;
    until("the resource to rest", || entity.length_at_rest()).await;
    let history = entity.history("").await;
    let types: Vec<EventType> = event_types(&history).into_iter().rev().take(5).collect();
    let last = [
        EventType::WorkflowTaskCompleted,
        EventType::WorkflowTaskStarted,
        EventType::WorkflowTaskScheduled,
        EventType::ActivityTaskCompleted,
        EventType::ActivityTaskStarted,
    ];
    assert_eq!(types, last, "the last task had a result and left no command");
    let (by_signal, by_update) = (ticket(&scene, "B", &resource, 1_000), ticket(&scene, "C", &resource, 2_000));
    let epoch = Epoch(entity.query(names::STATE).await.unwrap()["holder"]["epoch"].as_u64().unwrap());
    let holder = CustomerRef { tenant: scene.tenant, customer: holder.id.parse().unwrap() };
    Waiting { entity, holder, epoch, resource, by_signal, by_update }
}

/// An update that a worker which died was to take, and a signal after it, come to another worker together with the tasks
/// before, and a third worker replays that. Whether it came to that: the server may still have handed the update's task to
/// the worker that died.
async fn an_update_waits_for_a_worker_that_died(lossy: &mut LossyBed) -> bool {
    let Waiting { entity, holder, epoch, resource, by_signal, by_update } = two_silent_tasks(lossy).await;
    let entities = lossy.bed.platform.installation.entities.clone();
    let handle = entities.resource(&holder.tenant, &resource);
    let now = Timestamp(chrono::Utc::now().timestamp_millis());
    let claim = serde_json::to_vec(&entities.envelope(&handle, &by_signal).sent_at(now)).unwrap();
    let released = ToResource::GiveBack {
        from: holder,
        epoch,
        how: GiveBack::Released,
        tickets: Vec::new(),
        finished: Vec::new(),
        proof: None,
        registered_to: None,
    };
    let released = serde_json::to_vec(&entities.envelope(&handle, &released).sent_at(now)).unwrap();
    kill_worker(lossy).await;
    let claiming = tokio::spawn(async move { entities.claim(&handle, &by_update, &Uuid::new_v4().to_string()).await });
    until("a task for the update", || async { entity.described().await?.pending_workflow_task.map(|_| ()) }).await;
    entity.signal(names::CLAIM, vec![json_payload(claim)]).await;
    let types = event_types(&entity.history("").await);
    let last =
        [EventType::WorkflowTaskCompleted, EventType::WorkflowTaskScheduled, EventType::WorkflowExecutionSignaled];
    if !types.ends_with(&last) {
        start_worker(lossy).await;
        return false;
    }
    entity.signal(names::FROM_CUSTOMER, vec![json_payload(released)]).await;

    start_worker(lossy).await;
    until("the update to be recorded", || async {
        let types = event_types(&entity.history("").await);
        types.contains(&EventType::WorkflowExecutionUpdateCompleted).then_some(())
    })
    .await;
    let _answered_or_given_up = claiming.await.unwrap();
    until("the resource to rest", || entity.length_at_rest()).await;
    kill_worker(lossy).await;
    start_worker(lossy).await;
    entity.signal(names::FROM_CUSTOMER, vec![json_payload("nonsense")]).await;
    until("the resource to rest again", || async {
        let failed = failed_tasks(&entity.history("").await);
        assert!(failed.is_empty(), "{failed:#?}");
        entity.length_at_rest().await
    })
    .await;
    true
}

async fn kill_worker(lossy: &mut LossyBed) {
    lossy.bed.platform.worker_processes.remove(0).kill().await.unwrap();
}

async fn start_worker(lossy: &mut LossyBed) {
    lossy.bed.platform.start_worker_process(Workload::All).await.unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn a_resource_replays_a_task_that_took_an_update_of_a_dead_worker_together_with_a_result() {
    run(async {
        let mut lossy = LossyBed::start("task-cuts").await;
        let mut came_to_it = false;
        for _ in 0..TRIES {
            came_to_it = came_to_it || an_update_waits_for_a_worker_that_died(&mut lossy).await;
        }
        assert!(came_to_it, "the task of the update never waited for the worker that died");
        Box::pin(lossy.bed.stop()).await;
    });
}
