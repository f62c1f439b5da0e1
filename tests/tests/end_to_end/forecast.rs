//! `interlock plan`: what an event would do, and what it then does.

use std::collections::BTreeMap;

use interlock_adapters::sandbox::{Action, Received, Rule, Sandbox, Seed};
use interlock_domain::views::{PlanView, PlannedStepView};
use interlock_operations::inspection::Inspection;
use interlock_operations::inspection::forecast::SeesAll;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::command::{call, done, interlock};
use crate::events::{assigned, changed, event, moved, quota_exceeded, service_updated, terminated, unassigned};
use crate::scene::{Scene, imsi, number, write_that_assigns};
use crate::testbed::{Testbed, Wanted, run, shared};

async fn plan(scene: &Scene<'_>, event: &Value) -> PlanView {
    let inspection = Inspection::new(scene.bed.platform.installation.clone());
    Box::pin(inspection.plan(&scene.tenant, event.clone(), &SeesAll)).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A write, with what no forecast knows taken out: epochs, and the ids of rows.
type Write = (String, String, Value);

fn forecast_writes<'a>(steps: impl IntoIterator<Item = &'a PlannedStepView>, target: &str) -> Vec<Write> {
    let steps = steps.into_iter().filter(|step| step.target.as_str() == target);
    let requests = steps.flat_map(|step| {
        assert_eq!(step.requests_unknown, None, "{step:#?}");
        &step.requests
    });
    let write = |request: &interlock_domain::views::RequestView| {
        let url: reqwest::Url = request.url.parse().unwrap();
        let path = url.path().replace("%7B", "{").replace("%7D", "}");
        (request.method.clone(), path, without_ids(request.body.clone().unwrap_or_default()))
    };
    requests.filter(|request| !request.reads).map(write).collect()
}

fn received_writes(received: &[Received]) -> Vec<Write> {
    let write = |request: &Received| {
        let path = match request.path.split('/').collect::<Vec<_>>().as_slice() {
            ["", table, id] if !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit()) => {
                format!("/{table}/{{{table}_id}}")
            }
            _ => request.path.clone(),
        };
        (request.method.clone(), path, without_ids(serde_json::from_str(&request.body).unwrap_or_default()))
    };
    received.iter().filter(|request| request.method != "GET").map(write).collect()
}

fn without_ids(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "epoch" | "epochs") && !name.ends_with("_id"));
    }
    body
}

/// What a target was asked, except whether it is up.
pub fn asked(sandbox: &Sandbox) -> Vec<Received> {
    let is_about_it = |request: &Received| !matches!(request.path.as_str(), "/oam/ping" | "/health");
    sandbox.received().into_iter().filter(is_about_it).collect()
}

/// Compares what was forecast with what is then done.
async fn comes_true(scene: &Scene<'_>, event: &Value) {
    let targets: [(&str, &Sandbox); 3] = [("hss", &scene.bed.hss), ("crm", &scene.bed.crm), ("notify", &scene.bed.sms)];
    let before: Vec<usize> = targets.iter().map(|(_, sandbox)| asked(sandbox).len()).collect();
    let forecast = plan(scene, event).await;
    let kind = &forecast.event_type;
    assert_eq!(forecast.verdict.as_str(), "accepted", "{forecast:#?}");
    for ((_, sandbox), before) in targets.iter().zip(&before) {
        assert_eq!(asked(sandbox).len(), *before, "{kind}: a forecast asks no target");
    }
    let orders: Vec<&PlanView> = std::iter::successors(Some(&forecast), |view| view.passed_on.as_deref()).collect();
    scene.submit(event).await;
    for order in &orders {
        let state = scene.end_of(&order.order_id).await;
        let end = order.end.as_ref().unwrap();
        assert_eq!(end.state.as_str(), state, "{kind}: {order:#?}");
        let view = scene.order(&order.order_id).await.unwrap();
        let states: BTreeMap<String, String> =
            end.claims.iter().map(|(resource, state)| (resource.to_string(), state.as_str().to_owned())).collect();
        let claims = view["claims"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let ended: BTreeMap<String, String> =
            claims.map(|claim| (text(&claim["resource"]), text(&claim["state"]))).collect();
        assert_eq!(states, ended, "{kind}");
        let called: Vec<&str> = order.steps.iter().filter(|step| step.called).map(|step| step.name.as_str()).collect();
        let steps = view["steps"].as_array().unwrap().iter();
        let mut made: Vec<&str> =
            steps.filter(|step| step["state"] == "done").map(|step| step["name"].as_str().unwrap()).collect();
        let mut sorted = called.clone();
        sorted.sort_unstable();
        made.sort_unstable();
        assert_eq!(sorted, made, "{kind}");
    }
    for ((target, sandbox), before) in targets.iter().zip(before) {
        let steps = orders.iter().flat_map(|order| &order.steps);
        let received = asked(sandbox);
        assert_eq!(forecast_writes(steps, target), received_writes(&received[before..]), "{kind} at {target}");
    }
}

#[test]
fn every_event_of_the_catalog_does_what_was_forecast() {
    run(async {
        let bed = Testbed::start("forecast", Wanted::default()).await;
        let scene = Scene::on(&bed);
        let customer = Scene::newcomer("A");
        let other = scene.customer("B");
        let (old_imsi, new_imsi) = (customer.imsi.clone(), imsi());
        let (iccid, old, new, more) = (format!("8901{old_imsi}"), number(), number(), number());
        let sims = [(&old_imsi, Some(iccid.clone())), (&new_imsi, None)];
        let seeds = sims.map(|(imsi, iccid)| Seed { imsi: imsi.clone(), iccid, sim_only: true, msisdn: None });
        bed.hss.seed(&seeds).unwrap();
        let of = |event_type: &str, data| event(event_type, &customer.id, &data);
        let moved_on = crate::events::Customer { imsi: new_imsi.clone(), ..customer.clone() };
        let life = [
            of("subscriber.activated", json!({"imsi": old_imsi, "iccid": iccid, "msisdn": old, "profile": "default"})),
            service_updated(&customer, &json!({"ue_ambr_dl": 5_000})),
            of("customer.suspended", json!({"imsi": old_imsi, "reason": "fraud"})),
            of("customer.resumed", json!({"imsi": old_imsi, "reason": "cleared"})),
            changed(&customer, &old, &new),
            of("sim.swapped", json!({"old_imsi": old_imsi, "new_imsi": new_imsi, "msisdn": new})),
            assigned(&moved_on, &more),
            quota_exceeded(&moved_on, &more),
            moved(&moved_on, &other, &more),
            unassigned(&other, &more),
            terminated(&moved_on),
        ];
        for event in &life {
            comes_true(&scene, event).await;
        }
        scene.judge(&[&old, &new, &more]);
        bed.stop().await;
    });
}

#[test]
fn a_plan_says_who_is_ahead_and_starts_nothing() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, a3, number) = (scene.customer("A1"), scene.customer("A2"), scene.customer("A3"), number());
        scene.done(&assigned(&a1, &number)).await;
        scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let event = assigned(&a3, &number);
        let forecast = plan(&scene, &event).await;
        let [claim] = forecast.claims.as_slice() else { panic!("{forecast:#?}") };
        let holder = claim.holder.as_ref().unwrap();
        assert_eq!(holder.customer_id.as_ref().unwrap().as_str(), a1.id);
        let ahead: Vec<&str> = claim.ahead.iter().map(|ahead| ahead.customer_id.as_ref().unwrap().as_str()).collect();
        assert_eq!((claim.outlook.as_str(), ahead), ("queued", vec![a2.id.as_str()]));
        let waits = json!(forecast.waits_for);
        assert_eq!((&waits["waits_for"], &waits["resource"]), (&json!("lease"), &json!(format!("msisdn/{number}"))));
        assert!(forecast.steps.iter().all(|step| step.called && !step.at_once), "{forecast:#?}");
        assert_eq!(forecast.end.as_ref().unwrap().state.as_str(), "completed");
        let queue = scene.number_state(&number).await.unwrap();
        assert_eq!(queue["queue"].as_array().unwrap().len(), 1, "{queue:#}");
        let never = call(&scene, Method::GET, &format!("customers/{}", a3.id), None).await;
        assert_eq!((never.0, &never.1["code"]), (StatusCode::NOT_FOUND, &json!("never_seen")));

        // The same by HTTP, and on the command line.
        let (status, by_http) = call(&scene, Method::POST, "plan", Some(&event)).await;
        assert_eq!(status, StatusCode::OK, "{by_http:#}");
        let same = |view: &Value| (view["order_id"].clone(), view["claims"].clone(), view["end"].clone());
        assert_eq!(same(&by_http), same(&json!(forecast)));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), event.to_string()).unwrap();
        let said = done(&scene, &["plan", file.path().to_str().unwrap()]).await;
        for part in [
            format!("assign msisdn/{number}: waits; held by {}", a1.id),
            format!("behind {}", a2.id),
            format!("would wait for the lease of msisdn/{number}"),
            "hss.assign_number at hss, later".to_owned(),
            "crm.add_number at crm, after hss.assign_number".to_owned(),
            "if every call succeeds and every lease comes: completed".to_owned(),
            "nothing was sent".to_owned(),
        ] {
            assert!(said.contains(&part), "'{part}' is not in:\n{said}");
        }
    });
}

#[test]
fn a_plan_behind_an_order_that_runs_waits_for_its_turn() {
    run(async {
        let bed = Testbed::start("forecast-turn", Wanted::default()).await;
        let scene = Scene::on(&bed);
        let (customer, first) = (scene.customer("A"), number());
        let slow = Rule::always(write_that_assigns(&first), Action::Delay { ms: 3_000 });
        bed.hss.add_rule(slow);
        let running = scene.submit(&assigned(&customer, &first)).await;
        crate::waiting::until("the first order to call the HSS", || async {
            let order = scene.order(&running).await?;
            (order["steps"][0]["state"] == "running").then_some(())
        })
        .await;
        let forecast = plan(&scene, &unassigned(&customer, &first)).await;
        let waits = json!(forecast.waits_for);
        assert_eq!((&waits["waits_for"], &waits["behind"]), (&json!("turn"), &json!(running)));
        assert_eq!(forecast.end.as_ref().unwrap().state.as_str(), "completed");
        scene.completed(&[running]).await;
        bed.stop().await;
    });
}

#[test]
fn what_would_not_be_done_is_said() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        let event_of = assigned(&customer, &number);
        scene.done(&event_of).await;
        let known = plan(&scene, &event_of).await;
        assert_eq!(known.verdict.as_str(), "duplicate");
        assert!(known.detail.as_ref().unwrap().ends_with("Its order is completed."), "{known:#?}");
        let wrong = event("number.assigned", &customer.id, &json!({"imsi": customer.imsi}));
        let rejected = plan(&scene, &wrong).await;
        assert_eq!((rejected.verdict.as_str(), rejected.code.unwrap().as_str()), ("rejected", "invalid_data"));
        let old =
            crate::events::happened(assigned(&customer, "12065550199"), 31 * 24 * 60 * 60 * 1_000, chrono::Utc::now());
        let too_old = plan(&scene, &old).await;
        assert_eq!((too_old.verdict.as_str(), too_old.code.unwrap().as_str()), ("rejected", "too_old"));
        let alone = quota_exceeded(&customer, &number);
        assert!(plan(&scene, &alone).await.stands_alone);
        scene.submit(&alone).await;

        let (status, unread) = call(&scene, Method::POST, "plan", Some(&json!({"specversion": "0.3"}))).await;
        assert_eq!((status, &unread["code"]), (StatusCode::BAD_REQUEST, &json!("unsupported_specversion")));
        let (status, two) = call(&scene, Method::POST, "plan", Some(&json!([event_of, wrong]))).await;
        assert_eq!((status, &two["code"]), (StatusCode::BAD_REQUEST, &json!("not_an_event")));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), wrong.to_string()).unwrap();
        let said = interlock(&scene, &["plan", file.path().to_str().unwrap()]).await;
        assert_eq!(said.code, 1, "{}", said.stderr);
        assert!(said.stdout.contains("[invalid_data]"), "{}", said.stdout);
        let missing = interlock(&scene, &["plan", "/no/such/file"]).await;
        assert_eq!(missing.code, 2, "{}", missing.stderr);
    });
}
