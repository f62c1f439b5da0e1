//! The entities other than customers and resources. Everything that they do is a command, which the server accepts together with the
//! record of the task. One task of each is lost, and other inputs arrive before it is retried.

use std::io::Write as _;
use std::time::Duration;

use interlock_adapters::TargetSettings;
use interlock_domain::import::PART_LINES_MAX;
use interlock_operations::import::ListFile;
use interlock_workflows::names;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::command::interlock_at;
use crate::lossy_bed::{Lossy, LossyBed, REFUSED_FOR, tasks_given_up};
use crate::lossy_proxy::{Fate, Loss, Moment, Way};
use crate::outage::{EVENTS, comes_back, goes_down, standing, tuned, until_it_is, watched};
use crate::scene::{Scene, number};
use crate::temporal_calls::RawEntity;
use crate::testbed::run;
use crate::waiting::until;

/// The number of orders for a target: more than the consecutive failures after which it counts as down.
const ORDERS: usize = 8;
/// Requests the loss of the task in which an entity starts this effect or sends this answer.
fn lose(lossy: &LossyBed, entity: &RawEntity, contains: &[&str]) -> usize {
    let contains = contains.iter().map(|&part| part.to_owned()).collect();
    let (of, when) = (entity.workflow_id().to_owned(), Moment::Saying { to: None, contains });
    lossy.proxy.lose(Loss { of, when, fate: Fate::Lost { for_at_least: REFUSED_FOR } })
}

/// A person acts on an entity and gets an answer.
async fn acts(entity: &RawEntity, action: &str) -> Value {
    let action_id = Uuid::new_v4().to_string();
    let argument = json!({"action_id": action_id, "action": action, "actor": "ann", "reason": "a test"});
    until(format!("{action} to be answered"), || async {
        entity.try_to_update(names::ACT, &argument, &action_id).await.ok()
    })
    .await
}

async fn was_given_up(entity: &RawEntity, run_id: &str) {
    until(format!("the server to give up a task of {}", entity.workflow_id()), || async {
        (tasks_given_up(entity, run_id).await > 0).then_some(())
    })
    .await;
}

fn entity_of(lossy: &LossyBed, target: &str) -> RawEntity {
    let routing = &lossy.bed.platform.installation.routing;
    RawEntity::new(&lossy.bed.platform, routing.target(&target.parse().unwrap()))
}

/// The entity's knowledge of a target's queue, if it is called without a limit.
async fn is_called_again(lossy: &LossyBed, target: &str) {
    let view = until_it_is(&lossy.bed, target, "closed").await;
    assert_eq!(view["limit"], Value::Null, "{view:#}");
}

/// The target is down, and the command to stop its queue is lost. A person pauses it, and it comes back.
async fn a_target_that_is_paused_while_the_task_is_lost_that_stops_it(lossy: &LossyBed) {
    let (scene, hss) = (Scene::on(&lossy.bed), &lossy.bed.hss);
    until_it_is(&lossy.bed, "hss", "closed").await;
    let entity = entity_of(lossy, "hss");
    let lost = lose(lossy, &entity, &["\"standing\"", "\"open\""]);
    goes_down(hss);
    let customers: Vec<_> = (0..ORDERS).map(|place| scene.customer(&format!("W{place}"))).collect();
    let mut orders = Vec::new();
    for customer in &customers {
        orders.push(scene.submit(&tuned("line.tuned", customer, 1)).await);
    }
    assert_eq!(lossy.proxy.until_lost(lost).await, Way::Recorded);
    acts(&entity, "pause").await;
    comes_back(hss);
    was_given_up(&entity, "").await;
    let paused = until_it_is(&lossy.bed, "hss", "paused").await;
    assert_eq!(paused["limit"], 0.0, "{paused:#}");
    // The task that resumes calls is lost. A person paused the target before, and resumes it afterwards.
    let lost = lose(lossy, &entity, &["\"standing\"", "\"ramp"]);
    acts(&entity, "resume").await;
    assert_eq!(lossy.proxy.until_lost(lost).await, Way::Recorded);
    acts(&entity, "pause").await;
    until_it_is(&lossy.bed, "hss", "paused").await;
    acts(&entity, "resume").await;
    is_called_again(lossy, "hss").await;
    scene.completed(&orders).await;
}

/// A person pauses the target, and the task that receives the action is lost with its answer. Another person resumes it.
async fn a_target_that_is_resumed_while_the_task_is_lost_that_pauses_it(lossy: &LossyBed) {
    let scene = Scene::on(&lossy.bed);
    until_it_is(&lossy.bed, "crm", "closed").await;
    let entity = entity_of(lossy, "crm");
    let lost = lose(lossy, &entity, &["\"standing\"", "\"paused\""]);
    let ((), resumed) = tokio::join!(
        async {
            acts(&entity, "pause").await;
        },
        async {
            assert_eq!(lossy.proxy.until_lost(lost).await, Way::Recorded);
            acts(&entity, "resume").await
        }
    );
    assert!(resumed["refused"].is_null(), "{resumed:#}");
    was_given_up(&entity, "").await;
    is_called_again(lossy, "crm").await;
    let order = scene.submit(&tuned("account.tuned", &scene.customer("A"), 1)).await;
    scene.completed(&[order]).await;
    assert_eq!(standing(&lossy.bed, "crm").await.unwrap()["state"], "closed");
}

/// The tasks are lost in which a tenant is prepared and closed. Meanwhile a person wants the opposite.
async fn a_tenant_that_is_on_boarded_and_off_boarded_while_tasks_are_lost(lossy: &LossyBed) {
    let scene = Scene::on(&lossy.bed);
    let name = scene.tenant.as_str();
    let routing = &lossy.bed.platform.installation.routing;
    let entity = RawEntity::new(&lossy.bed.platform, routing.tenant_entity(&scene.tenant));
    let lost = lose(lossy, &entity, &["\"search_attributes\"", name]);
    let onboard = ["tenant", "onboard", name, "--reason", "a test"];
    let address = lossy.proxy.address();
    let onboards = interlock_at(&scene, &address, &onboard);
    let opposed = async {
        assert_eq!(lossy.proxy.until_lost(lost).await, Way::Recorded);
        acts(&entity, "offboard").await
    };
    let (_, opposed) = tokio::join!(onboards, opposed);
    assert!(opposed["refused"].is_null(), "{opposed:#}");
    was_given_up(&entity, "").await;
    until_tenant(&entity, "left").await;

    // It accepts events again, although the task that decides this is lost and the other action arrived before the retry.
    let lost = lose(lossy, &entity, &[names::MEMO_REFUSES_EVENTS]);
    let (_, again) = tokio::join!(acts(&entity, "onboard"), async {
        assert_eq!(lossy.proxy.until_lost(lost).await, Way::Recorded);
        acts(&entity, "onboard").await
    });
    assert!(again["refused"].is_null(), "{again:#}");
    let view = until_tenant(&entity, "active").await;
    assert_eq!(view["refuses_events"], false, "{view:#}");
    let steps = view["steps"].as_array().unwrap();
    assert!(!steps.is_empty() && steps.iter().all(|step| step["state"] == "done"), "{view:#}");
    let customer = scene.customer("A");
    until("events to be taken again", || async {
        let order = scene.submit(&crate::events::assigned(&customer, &number())).await;
        (scene.end_of(&order).await == "completed").then_some(())
    })
    .await;
}

async fn until_tenant(entity: &RawEntity, state: &str) -> Value {
    until(format!("the tenant to be {state}"), || async {
        let view = entity.query("state").await.ok()?;
        (view["state"] == state).then_some(view)
    })
    .await
}

/// The tasks are lost in which an import starts a part, and in which it answers that it is complete. Meanwhile the same list is sent
/// again, and a customer claims a number of it.
async fn an_import_that_is_brought_twice_while_tasks_are_lost(lossy: &LossyBed) {
    let scene = Scene::on(&lossy.bed);
    let customer = scene.customer("A");
    let numbers: Vec<String> = (0..LINES).map(|_| number()).collect();
    let mut list = NamedTempFile::new().unwrap();
    writeln!(list, "kind,id,customer").unwrap();
    for number in &numbers {
        writeln!(list, "msisdn,{number},{}", customer.id).unwrap();
    }
    let path = list.path().to_str().unwrap().to_owned();
    let per_part = LINES_PER_PART.to_string();
    let arguments = ["resource", "import", &path, "--lines-per-part", &per_part, "-o", "jsonl"];
    let address = lossy.proxy.address();
    let import = || interlock_at(&scene, &address, &arguments);
    let digest = ListFile::open(list.path(), LINES_PER_PART.min(PART_LINES_MAX)).unwrap().digest().to_owned();
    let routing = &lossy.bed.platform.installation.routing;
    let entity = RawEntity::new(&lossy.bed.platform, routing.import(&scene.tenant, &digest));
    let begins = lose(lossy, &entity, &["ResourceImportPart"]);
    let between = async {
        assert_eq!(lossy.proxy.until_lost(begins).await, Way::Recorded);
        // The same list, sent again, may find the import complete, and start another run.
        let run = entity.run_id().await;
        let claims = scene.submit(&crate::events::assigned(&customer, &numbers[0])).await;
        (import().await, claims, run)
    };
    let (first, (second, claims, run)) = tokio::join!(import(), between);
    was_given_up(&entity, &run).await;
    for said in [&first, &second] {
        assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    }
    scene.completed(&[claims]).await;
    let last = import().await;
    let summary: Value = serde_json::from_str(last.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&summary["conflicts"], &summary["bad"]), (&json!(0), &json!(0)), "{}", last.stdout);
    for number in &numbers {
        assert_eq!(scene.holder(number).await.as_deref(), Some(customer.id.as_str()), "{number}");
        let told = scene.number_state(number).await.unwrap()["history"].clone();
        let is_import = |entry: &&Value| entry["what"] == "imported";
        let imports = told.as_array().unwrap().iter().filter(is_import).count();
        assert!(imports <= 1, "{number} was imported {imports} times: {told:#}");
    }
}

/// The number of lines of the list.
const LINES: usize = 12;
/// The number of lines of each of its parts.
const LINES_PER_PART: usize = 5;

fn protect(target: &str, settings: &mut TargetSettings) {
    watched(target, settings);
    settings.outage.ramp_stage = Duration::from_millis(300);
}

#[test]
fn targets_tenants_and_imports_end_well_whichever_task_is_lost() {
    run(async {
        let lossy = Lossy { events: EVENTS, protect: Some(protect), ..Lossy::default() };
        let lossy = LossyBed::start_with("lost-entities", lossy).await;
        tokio::join!(
            Box::pin(a_target_that_is_paused_while_the_task_is_lost_that_stops_it(&lossy)),
            Box::pin(a_target_that_is_resumed_while_the_task_is_lost_that_pauses_it(&lossy)),
        );
        tokio::join!(
            Box::pin(a_tenant_that_is_on_boarded_and_off_boarded_while_tasks_are_lost(&lossy)),
            Box::pin(an_import_that_is_brought_twice_while_tasks_are_lost(&lossy)),
        );
        Box::pin(lossy.stop()).await;
    });
}
