//! `interlock customer recover` restores the work that a terminated customer entity had not finished.
//!
//! `INTERLOCK_WRITE_HISTORIES=1` writes the histories again that the unit tests of `coordinator/operations/src/recovery` use.

use std::path::Path;

use interlock_adapters::sandbox::{Action, Pattern, Rule};
use interlock_domain::ids::OrderId;
use interlock_domain::limits::EntityLimits;
use interlock_worker_pools::Workload;
use prost::Message;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::history::v1::History;

use crate::applied_log::{of_account, registrations};
use crate::command::{Said, done, interlock};
use crate::events::{Customer, assigned, happened, service_updated, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, json_payload};
use crate::testbed::{Testbed, Wanted, run, shared};
use crate::waiting::until;

async fn recover(scene: &Scene<'_>, customer: &Customer, more: &[&str]) -> (Said, Value) {
    let said = interlock(scene, &[&["customer", "recover", &customer.id, "--output", "json"], more].concat()).await;
    let report = serde_json::from_str(&said.stdout).unwrap_or(Value::Null);
    (said, report)
}

/// The orders in a report, in its order, each with its earlier state.
fn named(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = report["events"].as_array().unwrap();
    events.iter().map(|event| (text(&event["order_id"]), text(&event["state"]))).collect()
}

fn all_in(state: &str, orders: &[OrderId]) -> Vec<(String, String)> {
    orders.iter().map(|order| (order.to_string(), state.to_owned())).collect()
}

/// Saves the histories of an entity's runs for the unit tests, the first one first, as Protocol Buffers, each after its length.
/// Information about the recording machine is removed.
async fn keep_histories(entity: &RawEntity, name: &str) {
    if std::env::var_os("INTERLOCK_WRITE_HISTORIES").is_none() {
        return;
    }
    let mut written = Vec::new();
    for events in entity.runs().await.into_iter().rev() {
        let mut history = serde_json::to_value(History { events }).unwrap();
        leave_out(&mut history);
        let history: History = serde_json::from_value(history).unwrap();
        history.encode_length_delimited(&mut written).unwrap();
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../coordinator/operations/src/recovery/histories");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), written).unwrap();
}

fn leave_out(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match name.as_str() {
                    "identity" => *inner = Value::from(""),
                    "worker_version" | "sdk_metadata" | "search_attributes" | "priority" | "task_queue" => {
                        *inner = Value::Null;
                    }
                    _ => leave_out(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out),
        _ => {}
    }
}

#[test]
fn events_that_no_worker_had_received_are_recovered_and_end_once_each() {
    run(async {
        let wanted = Wanted { worker_processes: Some(Vec::new()), ..Wanted::default() };
        let mut bed = Testbed::start("recovered-unserved", wanted).await;
        let (tenant, customer, number, orders) = {
            let scene = Scene::on(&bed);
            let (customer, number) = (scene.customer("A"), number());
            let events = [
                assigned(&customer, &number),
                service_updated(&customer, &json!({"ue_ambr_ul": 1})),
                service_updated(&customer, &json!({"ue_ambr_ul": 2})),
            ];
            let orders = scene.submit_all(&events).await;
            // A duplicate, and an invalid event.
            scene.submit(&events[1]).await;
            let entity = scene.entity(&customer.id.parse().unwrap());
            entity.signal("submit", vec![json_payload("no event")]).await;
            entity.terminate().await;
            keep_histories(&entity, "unserved.binpb").await;

            let (said, report) = recover(&scene, &customer, &["--dry-run"]).await;
            assert_eq!((said.code, named(&report)), (0, all_in("acknowledged", &orders)));
            assert_eq!((&report["submitted"], &report["unreadable"][0]["code"]), (&0.into(), &"not_json".into()));
            let (said, _) = recover(&scene, &customer, &[]).await;
            assert!(said.code == 2 && said.stderr.contains("confirmation_needed"), "{}", said.stderr);
            let (_, again) = recover(&scene, &customer, &["--dry-run"]).await;
            assert_eq!(report, again, "a dry run must change nothing");

            let (said, report) = recover(&scene, &customer, &["--yes"]).await;
            assert_eq!((said.code, &report["submitted"]), (0, &3.into()));
            (scene.tenant.clone(), customer, number, orders)
        };
        bed.platform.start_worker_process(Workload::All).await.unwrap();
        {
            let scene = Scene { bed: &bed, tenant };
            scene.completed(&orders).await;
            let at_the_crm =
                [format!("add {number}"), "service {\"ue_ambr_ul\":1}".into(), "service {\"ue_ambr_ul\":2}".into()];
            assert_eq!(of_account(&bed.crm.log(), &customer.id), at_the_crm);
            assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi)]);

            let (said, report) = recover(&scene, &customer, &["--yes"]).await;
            assert_eq!((said.code, &report["submitted"], &report["told_again"]), (0, &0.into(), &3.into()));
            assert_eq!(scene.customer_state(&customer).await["counts"]["duplicates"], 0);
        }
        bed.stop().await;
    });
}

#[test]
fn orders_that_were_open_in_the_last_of_several_runs_are_recovered_and_ended_ones_are_not() {
    run(async {
        let limits =
            EntityLimits { continue_as_new_events: 40, continue_as_new_events_forced: 90, ..EntityLimits::default() };
        let bed = Testbed::start("recovered-in-the-middle", Wanted { limits, ..Wanted::default() }).await;
        {
            let scene = Scene::on(&bed);
            let (customer, first, second) = (scene.customer("A"), number(), number());
            let service = |value: u32| service_updated(&customer, &json!({"ue_ambr_ul": value}));
            scene.done(&assigned(&customer, &first)).await;
            for value in 1..=4 {
                scene.done(&service(value)).await;
            }
            // The CRM refuses the fifth. Later orders wait behind it there, and are done at the HSS.
            let fifth = Pattern { body_contains: Some("\"ue_ambr_ul\":5".to_owned()), ..Pattern::default() };
            let no = Action::Refuse { status: 403, body: json!({"code": "no_contract"}), retry_after_s: None };
            bed.crm.add_rule(Rule::always(fifth, no));
            // With times, since events that are received at once have no order of their own.
            let now = chrono::Utc::now();
            let release = unassigned(&customer, &first);
            let events = [service(5), service(6), release, assigned(&customer, &second)];
            let before = [40, 30, 20, 10];
            let events: Vec<Value> =
                events.into_iter().zip(before).map(|(event, before_ms)| happened(event, before_ms, now)).collect();
            let open = scene.submit_all(&events).await;
            until("the HSS to be done", || async {
                let done = registrations(&bed.hss.log(), &second).len() == 1;
                (done && scene.order(&open[0]).await?["state"] == "held").then_some(())
            })
            .await;
            let entity = scene.entity(&customer.id.parse().unwrap());
            assert!(entity.runs().await.len() > 1, "the entity did not continue as new");
            entity.terminate().await;
            keep_histories(&entity, "in_the_middle.binpb").await;

            let mut knobs = bed.crm.knobs();
            knobs.rules.clear();
            bed.crm.set_knobs(knobs);
            let text = done(&scene, &["customer", "recover", &customer.id, "--dry-run"]).await;
            assert!(text.contains("was terminated: a test of what happens then"), "{text}");
            let (said, report) = recover(&scene, &customer, &["--yes"]).await;
            let states = ["held", "inProgress", "inProgress", "inProgress"];
            let expected: Vec<_> =
                open.iter().zip(states).map(|(order, state)| (order.to_string(), state.to_owned())).collect();
            assert_eq!((said.code, named(&report)), (0, expected));
            scene.completed(&open).await;
            let services = (1..=6).map(|value| format!("service {{\"ue_ambr_ul\":{value}}}"));
            let mut at_the_crm = vec![format!("add {first}")];
            at_the_crm.extend(services);
            at_the_crm.extend([format!("remove {first}"), format!("add {second}")]);
            assert_eq!(of_account(&bed.crm.log(), &customer.id), at_the_crm);
            let imsi = &customer.imsi;
            assert_eq!(scene.registrations(&first), [format!("{imsi}+"), format!("{imsi}-")]);
            assert_eq!(scene.registrations(&second), [format!("{imsi}+")]);
        }
        bed.stop().await;
    });
}

#[test]
fn nothing_is_recovered_of_a_running_customer() {
    run(async {
        let scene = Scene::on(shared().await);
        let customer = scene.customer("A");
        scene.done(&service_updated(&customer, &json!({"ue_ambr_ul": 1}))).await;
        let text = done(&scene, &["customer", "recover", &customer.id, "--yes"]).await;
        assert!(text.contains("nothing to recover"), "{text}");
        let nobody = Scene::newcomer("nobody");
        let said = interlock(&scene, &["customer", "recover", &nobody.id]).await;
        assert!(said.code == 1 && said.stderr.contains("never_seen"), "{}", said.stderr);
        let said = interlock(&scene, &["customer", "recover", &customer.id, "--run", "none-such"]).await;
        assert!(said.code == 2 && said.stderr.contains("run_not_dead"), "{}", said.stderr);
    });
}
