//! A first start on a wrong task queue, or under a misspelt workflow type: everything is accepted, and nothing runs. Whoever asks is told so,
//! and one command makes the entity work.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::command::{call, done, interlock};
use crate::events::{assigned, service_updated};
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, json_payload};
use crate::testbed::{run, shared};
use crate::waiting::until;

/// The entity, as a producer starts it that has the type or the queue wrong. `None`: it is right.
fn started_wrongly(mut entity: RawEntity, workflow_type: Option<&'static str>, task_queue: Option<&str>) -> RawEntity {
    entity.route.workflow_type = workflow_type.unwrap_or(entity.route.workflow_type);
    if let Some(task_queue) = task_queue {
        task_queue.clone_into(&mut entity.route.task_queue);
    }
    entity
}

/// The findings of a sweep about runs that no worker executes, for this customer.
async fn findings(scene: &Scene<'_>, customer: &str) -> Vec<Value> {
    let said = interlock(scene, &["sweep", "--dry-run", "--output", "json"]).await;
    let swept: Value = serde_json::from_str(&said.stdout).unwrap();
    let findings = swept["findings"].as_array().unwrap().iter();
    findings.filter(|found| found["code"] == "run_misplaced" && found["customer_id"] == customer).cloned().collect()
}

/// A customer that was started so is found by whoever asks, and one command makes it work.
async fn is_found_and_made_to_work(scene: &Scene<'_>, workflow_type: Option<&'static str>, task_queue: Option<&str>) {
    let (customer, number, second) = (scene.customer("A"), number(), number());
    let entity = scene.entity(&customer.id.parse().unwrap());
    let wrong = started_wrongly(scene.entity(&customer.id.parse().unwrap()), workflow_type, task_queue);
    let first = json_payload(assigned(&customer, &number).to_string());
    // Whoever errs here may err there, too.
    wrong.signal_with_start(vec![json_payload("\"A\"")], "submit", vec![first]).await;
    // The next producer does it right.
    let service = scene.submit(&service_updated(&customer, &json!({"ue_ambr_ul": 1}))).await;
    let last = scene.submit(&assigned(&customer, &second)).await;

    let remedy = format!("interlock customer recover {} --misplaced --yes --tenant {}", customer.id, scene.tenant);
    for asked in [["order", "why", last.as_str()], ["order", "show", last.as_str()], ["customer", "show", &customer.id]]
    {
        let said = interlock(scene, &asked).await;
        assert_eq!(said.code, 1, "{asked:?}");
        assert!(said.stderr.contains("[run_misplaced]") && said.stderr.contains(&remedy), "{}", said.stderr);
    }
    let (status, problem) = call(scene, Method::GET, &format!("orders/{last}/why"), None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"run_misplaced".into()), "{problem}");
    let found = until("the sweep to find it", || async { findings(scene, &customer.id).await.pop() }).await;
    assert!(found["detail"].as_str().unwrap().contains(&remedy), "{found}");

    // The events would reach the same run again.
    let said = interlock(scene, &["customer", "recover", &customer.id, "--yes"]).await;
    assert!(said.code == 1 && said.stderr.contains(&remedy), "{}", said.stderr);
    let said = interlock(scene, &["customer", "recover", &customer.id, "--misplaced"]).await;
    assert!(said.code == 2 && said.stderr.contains("confirmation_needed"), "{}", said.stderr);
    assert!(entity.described().await.unwrap().workflow_execution_info.unwrap().close_time.is_none());
    let report = done(scene, &["customer", "recover", &customer.id, "--misplaced", "--yes", "--output", "json"]).await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["submitted"], 3, "{report:#}");

    scene.completed(&[service, last]).await;
    let imsi = &customer.imsi;
    for number in [&number, &second] {
        assert_eq!(scene.registrations(number), [format!("{imsi}+")]);
    }
    until("the sweep to find nothing", || async { findings(scene, &customer.id).await.is_empty().then_some(()) }).await;
    let said = done(scene, &["customer", "recover", &customer.id, "--misplaced", "--yes", "--output", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["submitted"], 0, "it is in its place");
}

#[test]
fn a_customer_on_a_queue_that_nobody_serves_is_found_and_one_command_makes_it_work() {
    run(async { is_found_and_made_to_work(&Scene::on(shared().await), None, Some("orders")).await });
}

#[test]
fn a_customer_of_a_misspelt_type_is_found_and_one_command_makes_it_work() {
    run(async { is_found_and_made_to_work(&Scene::on(shared().await), Some("CustomerEntty"), None).await });
}

#[test]
fn a_customer_of_another_type_on_another_queue_is_found_and_one_command_makes_it_work() {
    run(async { is_found_and_made_to_work(&Scene::on(shared().await), Some("customerEntity"), Some("orders")).await });
}

// Workers execute the next two, as what they are not.

#[test]
fn a_customer_that_runs_as_a_resource_on_the_resources_queue_is_found_and_one_command_makes_it_work() {
    run(async {
        let scene = Scene::on(shared().await);
        let resource_queue = scene.number_entity("1").route.task_queue;
        is_found_and_made_to_work(&scene, Some("ResourceEntity"), Some(resource_queue.as_str())).await;
    });
}

#[test]
fn a_customer_that_runs_as_a_resource_on_its_own_queue_is_found_and_one_command_makes_it_work() {
    run(async { is_found_and_made_to_work(&Scene::on(shared().await), Some("ResourceEntity"), None).await });
}

#[test]
fn a_number_that_was_started_where_no_worker_executes_it_is_named_by_why() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        let wrong = started_wrongly(scene.number_entity(&number), None, Some("orders"));
        wrong.signal_with_start(Vec::new(), "no_such_signal", Vec::new()).await;
        let order = scene.submit(&assigned(&customer, &number)).await;
        let why = || async {
            let said = interlock(&scene, &["order", "why", order.as_str(), "--output", "json"]).await;
            let why: Value = serde_json::from_str(&said.stdout).ok()?;
            let link = why["chain"].as_array()?.iter().find(|link| link["code"] == "run_misplaced")?;
            Some(link["detail"].as_str()?.to_owned())
        };
        let detail = until("the chain to name the run", why).await;
        assert!(detail.contains("temporal workflow terminate") && detail.contains("'orders'"), "{detail}");
        wrong.terminate().await;
        scene.entity(&customer.id.parse().unwrap()).signal("reassert", vec![json_payload("{}")]).await;
        scene.completed(&[order]).await;
    });
}
