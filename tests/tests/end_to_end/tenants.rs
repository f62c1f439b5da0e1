//! On-boarding and off-boarding of tenants.

use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_domain::routing::TenantSettings;
use interlock_domain::tenant::TenantActionKind;
use interlock_operations::actions::ActionWords;
use interlock_operations::tenants::Tenants;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::workflowservice::v1::DeleteWorkflowExecutionRequest;
use tonic::IntoRequest;

use crate::command::{call, done, interlock};
use crate::events::{assigned, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run, shared, unique};
use crate::waiting::until;

async fn shown(scene: &Scene<'_>) -> Value {
    let text = done(scene, &["tenant", "show", scene.tenant.as_str(), "--output", "json"]).await;
    serde_json::from_str(&text).unwrap()
}

/// Waits until the tenant is in this state, and returns its view.
async fn until_in(scene: &Scene<'_>, state: &str) -> Value {
    until(format!("the tenant to be {state}"), || async {
        let view = shown(scene).await;
        (view["state"] == state).then_some(view)
    })
    .await
}

/// Why an order was rejected.
async fn code_of(scene: &Scene<'_>, customer: &crate::events::Customer, order: &str) -> Option<String> {
    let state = scene.customer_state(customer).await;
    let journal = state["journal"].as_array()?;
    let entry = journal.iter().find(|entry| entry["order_id"] == order)?;
    entry["code"].as_str().map(str::to_owned)
}

#[test]
fn on_boarding_prepares_and_checks_all_that_a_tenant_needs() {
    run(async {
        let scene = Scene::on(shared().await);
        assert_eq!(shown(&scene).await["managed"], false, "it must work with its settings alone");
        let name = scene.tenant.as_str();
        let text = done(&scene, &["tenant", "onboard", name, "--reason", "new", "--output", "json"]).await;
        let view: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(view["state"], "active");
        let steps: Vec<_> =
            view["steps"].as_array().unwrap().iter().map(|step| (&step["step"], &step["state"])).collect();
        let names = ["namespace", "search_attributes", "schedules", "queues", "targets"];
        assert_eq!(
            steps,
            names.map(|name| (json!(name), json!("done"))).iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
        );
        let listed = done(&scene, &["tenant", "list", "--output", "json"]).await;
        assert!(listed.contains(name), "{listed}");
        let customer = scene.customer("A");
        scene.done(&assigned(&customer, &number())).await;
    });
}

#[test]
fn a_worker_with_other_settings_of_the_tenant_does_not_prepare_it() {
    run(async {
        let scene = Scene::on(shared().await);
        let name = scene.tenant.as_str();
        let config = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(config.path(), format!("[tenants.{name}]\nplan = \"enterprise\"\n")).unwrap();
        let file = config.path().to_str().unwrap();
        let onboard = ["tenant", "onboard", name, "--reason", "new", "--output", "json"];
        let said = interlock(&scene, &[&onboard[..], &["--config", file]].concat()).await;
        let view: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((said.code, view["state"].as_str()), (1, Some("onboarding")), "{view}");
        let step = &view["steps"][0];
        assert_eq!((&step["state"], &step["code"]), (&json!("failed"), &json!("tenant_settings_differ")));
        let detail = step["detail"].as_str().unwrap();
        assert!(detail.contains("plan: 'free' on the worker, 'enterprise'"), "{detail}");
        done(&scene, &onboard).await;
    });
}

#[test]
fn a_namespace_without_recorded_settings_is_reported() {
    run(async {
        let namespace = unique("blue");
        let blue = TenantSettings { namespace: Some(namespace.clone()), ..TenantSettings::default() };
        let wanted = Wanted { tenants: vec![("blue", blue)], ..Wanted::default() };
        let bed = Testbed::start("tenant-unrecorded", wanted).await;
        let mut client = bed.platform.installation.client_for(&namespace).unwrap();
        let record = WorkflowExecution { workflow_id: "interlock/installation".to_owned(), run_id: String::new() };
        let deletion = DeleteWorkflowExecutionRequest { namespace, workflow_execution: Some(record) };
        client.delete_workflow_execution(deletion.into_request()).await.unwrap();
        let tenants = Tenants::new(bed.platform.installation.clone());
        let tenant = "blue".parse().unwrap();
        let words = ActionWords {
            action_id: "1".to_owned(),
            actor: "ann".to_owned(),
            reason: "new".to_owned(),
            ticket: None,
            confirmed_by: None,
        };
        let onboard = || async { tenants.act(&tenant, TenantActionKind::Onboard, words.clone()).await.ok() };
        until("the tenant to be on-boarded", onboard).await;
        until("it to be told", || async {
            let view = json!(tenants.show(&tenant).await.ok()?);
            assert_eq!(view["state"], "onboarding", "{view}");
            (view["steps"][0]["code"] == "not_bootstrapped").then_some(())
        })
        .await;
        bed.stop().await;
    });
}

#[test]
fn a_tenant_whose_open_orders_cannot_be_counted_does_not_leave_on_an_embedded_server() {
    run(async {
        // The server answers no query to its visibility store.
        let away = vec![("frontend.namespaceRPS.visibility", "0")];
        let bed = Testbed::start("tenant-unseen", Wanted { dynamic_config: away, ..Wanted::default() }).await;
        {
            let scene = Scene::on(&bed);
            done(&scene, &["tenant", "offboard", scene.tenant.as_str(), "--reason", "it leaves"]).await;
            let view = until("it to be told", || async {
                let view = shown(&scene).await;
                (!view["drain_fault"].is_null()).then_some(view)
            })
            .await;
            assert_eq!((&view["state"], &view["refuses_events"]), (&json!("leaving"), &json!(false)), "{view}");
        }
        bed.stop().await;
    });
}

#[test]
fn a_target_that_does_not_answer_is_reported_and_asked_again() {
    run(async {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = TargetSettings::new(AdapterKind::Json, format!("http://{closed}").parse().unwrap());
        let bed = Testbed::start("tenant-target", Wanted { targets: vec![("crm", nobody)], ..Wanted::default() }).await;
        {
            let scene = Scene::on(&bed);
            let onboard = ["tenant", "onboard", scene.tenant.as_str(), "--reason", "new", "--output", "json"];
            let said = interlock(&scene, &onboard).await;
            let view: Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!((said.code, view["state"].as_str()), (1, Some("onboarding")));
            let targets = &view["steps"][4];
            assert_eq!((&targets["state"], &targets["code"]), (&json!("failed"), &json!("target_unanswered")));
            until("another attempt", || async {
                (shown(&scene).await["steps"][4]["attempts"].as_u64()? > 1).then_some(())
            })
            .await;
        }
        bed.stop().await;
    });
}

#[test]
fn off_boarding_lets_open_orders_end_and_then_refuses_events_until_it_is_on_boarded_again() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a, b, number) = (scene.customer("A"), scene.customer("B"), number());
        scene.done(&assigned(&a, &number)).await;
        let waits = scene.submit(&assigned(&b, &number)).await;
        scene.is_waiting_for(&b, &number).await;
        let offboard = json!({"action_id": "1", "action": "offboard", "reason": "it leaves", "actor": "ann"});
        let (status, taken) = call(&scene, Method::POST, "actions", Some(&offboard)).await;
        assert_eq!((status, &taken["state"]), (StatusCode::OK, &json!("leaving")), "{taken}");
        until("the open order to be seen", || async {
            (shown(&scene).await["customers_with_open_orders"].as_u64()? == 1).then_some(())
        })
        .await;

        // Events that end open orders are still accepted.
        let released = scene.submit(&unassigned(&a, &number)).await;
        scene.completed(&[released, waits]).await;
        let left = until_in(&scene, "left").await;
        assert_eq!((&left["refuses_events"], &left["customers_with_open_orders"]), (&json!(true), &json!(0)));

        let late = assigned(&a, &self::number());
        until("the gateway to refuse", || async {
            let (status, problem) = call(&scene, Method::POST, "events", Some(&late)).await;
            (status == StatusCode::FORBIDDEN && problem["code"] == "tenant_closed").then_some(())
        })
        .await;
        // A producer that calls Temporal directly.
        let refused = until("an admission to refuse", || async {
            let order = scene.submit(&unassigned(&b, &self::number())).await;
            (scene.end_of(&order).await == "rejected").then_some(order)
        })
        .await;
        assert_eq!(code_of(&scene, &b, refused.as_str()).await.as_deref(), Some("tenant_closed"));

        done(&scene, &["tenant", "onboard", scene.tenant.as_str(), "--reason", "it is back"]).await;
        let back = until("the gateway to take events again", || async {
            let event = assigned(&a, &self::number());
            let (status, taken) = call(&scene, Method::POST, "events", Some(&event)).await;
            (status == StatusCode::ACCEPTED).then(|| taken["results"][0]["order_id"].as_str().unwrap().to_owned())
        })
        .await;
        scene.end_of(&back.parse().unwrap()).await;
    });
}
