//! The sweep: each finding is reported once when it begins and once when it ends, and orders that were forgotten are known again. The
//! sweep changes no order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use interlock_adapters::sandbox::{Action, Knobs, Pattern, Rule, Seed};
use interlock_domain::ids::{OrderId, ResourceId};
use interlock_settings::SweepSettings;
use interlock_workflows::names;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::command::done;
use crate::events::{Customer, assigned, changed, event, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, completed_histories};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::{until, until_within};

/// How long alerts are retried until they are given up, with a margin: twice a sweep's time for it, since a sweep may begin before all
/// orders are overdue.
const POSTED_LIMIT: Duration = Duration::from_mins(4);

/// An order that is due within a second.
const DUE_SOON: &str = r#"
[events."account.tuned"]
due_within = "1s"
steps = [{ role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", settings = "{settings}" } }]
[events."account.tuned".data]
required = ["settings"]
properties.settings = { type = "object" }
"#;

/// A kind without an authority: the next life of its entity waits for the holder's message.
pub const VOUCHERS: &str = r#"
[resources.voucher]
orphan_settle = "20s"
fresh_wait = "0s"
[events."voucher.taken"]
claims = [{ mode = "assign", resource = "voucher/{code}" }]
steps = [{ role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", settings = "{settings}" }, resources = ["voucher/{code}"] }]
[events."voucher.taken".data]
required = ["code", "settings"]
properties.code = { type = "string" }
properties.settings = { type = "object" }
[events."voucher.returned"]
claims = [{ mode = "release", resource = "voucher/{code}" }]
steps = [{ role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", settings = "{settings}" }, resources = ["voucher/{code}"] }]
[events."voucher.returned".data]
required = ["code", "settings"]
properties.code = { type = "string" }
properties.settings = { type = "object" }
"#;

/// One event makes a customer release a voucher when it gets another; one makes a customer get two.
const EXCHANGES: &str = r#"
[events."voucher.exchanged"]
distinct = ["old", "new"]
claims = [
  { mode = "assign", resource = "voucher/{new}" },
  { mode = "release", resource = "voucher/{old}", release_when = "granted" },
]
steps = [
  { role = "crm", operation = "remove_number", with = { customer_id = "{@customer_id}", msisdn = "{old}" }, resources = ["voucher/{old}"] },
  { role = "crm", operation = "add_number", with = { customer_id = "{@customer_id}", msisdn = "{new}" }, resources = ["voucher/{new}"], after = ["crm.remove_number"] },
]
[events."voucher.exchanged".data]
required = ["old", "new"]
properties.old = { type = "string" }
properties.new = { type = "string" }
[events."voucher.joined"]
distinct = ["old", "new"]
claims = [{ mode = "assign", resource = "voucher/{new}" }, { mode = "assign", resource = "voucher/{old}" }]
steps = [{ role = "crm", operation = "add_number", with = { customer_id = "{@customer_id}", msisdn = "{old}" }, resources = ["voucher/{old}", "voucher/{new}"] }]
[events."voucher.joined".data]
required = ["old", "new"]
properties.old = { type = "string" }
properties.new = { type = "string" }
"#;

/// A receiver of alerts: an HTTP server that answers 204 to every request.
pub struct Listener {
    /// The URL for alerts.
    pub url: String,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    /// A receiver that accepts connections and never answers.
    async fn start_hanging() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.push(stream);
            }
        });
        Self { url, taken: Arc::default() }
    }

    /// A receiver that remembers all alerts.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let of_server = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take_one(stream, Arc::clone(&of_server)));
            }
        });
        Self { url, taken }
    }

    /// The alerts of this type and code, in order of arrival.
    fn alerts(&self, change: &str, code: &str) -> Vec<Value> {
        let is_wanted =
            |event: &&Value| event["type"] == format!("interlock.alert.{change}") && event["data"]["code"] == code;
        self.taken.lock().unwrap().iter().filter(is_wanted).cloned().collect()
    }

    /// Waits for the first alert of this type and code.
    pub async fn alert(&self, change: &str, code: &str) -> Value {
        until(format!("{code} to be {change}"), || async { self.alerts(change, code).into_iter().next() }).await
    }
}

async fn take_one(mut stream: TcpStream, taken: Arc<Mutex<Vec<Value>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(event) = serde_json::from_str(body) {
            assert!(head.to_ascii_lowercase().contains("content-type: application/cloudevents+json"), "{head}");
            taken.lock().unwrap().push(event);
            let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            return;
        }
        if read == 0 {
            return;
        }
    }
}

async fn bed(name: &str, listener: &Listener) -> Testbed {
    let wanted = Wanted {
        more_events: format!("{DUE_SOON}{VOUCHERS}{EXCHANGES}"),
        sweep: Some(SweepSettings {
            interval: Duration::from_secs(1),
            patience: Duration::from_secs(2),
            parked_after: Duration::from_secs(1),
        }),
        alerts_to: Some(listener.url.clone()),
        // Some of these tests terminate entities, and sweeps look before others have noticed.
        leases_may_differ: true,
        ..Wanted::default()
    };
    Testbed::start(name, wanted).await
}

#[test]
fn a_finding_is_reported_once_when_it_begins_and_once_when_it_ends() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("swept", &listener).await;
        {
            let scene = Scene::on(&bed);
            let (late, holder, waiter, number) =
                (Scene::newcomer("late"), scene.customer("holder"), scene.customer("waiter"), number());
            // An overdue order.
            let refuse = Action::Refuse { status: 503, body: Value::Null, retry_after_s: None };
            let pattern = Pattern { body_contains: Some(late.id.clone()), ..Pattern::default() };
            bed.crm.add_rule(Rule::always(pattern, refuse));
            let tuned = event("account.tuned", &late.id, &json!({"settings": {"value": 1}}));
            let overdue = scene.submit(&tuned).await;
            // A holder that does not run.
            scene.done(&assigned(&holder, &number)).await;
            let waits = scene.submit(&assigned(&waiter, &number)).await;
            scene.is_waiting_for(&waiter, &number).await;
            scene.entity(&holder.id.parse().unwrap()).terminate().await;

            let alert = listener.alert("raised", "order_overdue").await;
            assert_eq!(
                (&alert["data"]["order_id"], &alert["data"]["tenant_id"]),
                (&json!(overdue), &json!(scene.tenant))
            );
            let alert = listener.alert("raised", "holder_not_running").await;
            assert_eq!(alert["data"]["resource"], format!("msisdn/{number}"));

            bed.crm.set_knobs(Knobs::default());
            scene.completed(&[overdue]).await;
            scene.done(&unassigned(&holder, &number)).await;
            scene.completed(&[waits]).await;
            listener.alert("cleared", "order_overdue").await;
            listener.alert("cleared", "holder_not_running").await;
            for code in ["order_overdue", "holder_not_running"] {
                assert_eq!(listener.alerts("raised", code).len(), 1, "{code} was told more than once");
            }
        }
        bed.stop().await;
    });
}

#[test]
fn customers_waiting_at_a_resource_whose_entity_was_terminated_are_served_after_the_next_sweep() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("swept-terminated", &listener).await;
        {
            let scene = Scene::on(&bed);
            let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
            scene.done(&assigned(&a1, &number)).await;
            let waits = scene.submit(&assigned(&a2, &number)).await;
            scene.is_waiting_for(&a2, &number).await;
            // Operators should not do this, but some will.
            scene.number_entity(&number).terminate().await;

            // Depending on when the sweep sees it: no customer is known there yet, or only the holder, which was asked at once.
            let codes = ["resource_not_running", "ticket_forgotten"];
            let (code, alert) = until("it to be told that A2 is not known there", || async {
                codes.into_iter().find_map(|code| Some((code, listener.alerts("raised", code).into_iter().next()?)))
            })
            .await;
            assert_eq!(alert["data"]["resource"], format!("msisdn/{number}"));
            scene.is_waiting_for(&a2, &number).await;
            scene.done(&unassigned(&a1, &number)).await;
            scene.completed(&[waits]).await;
            scene.judge(&[&number]);
            let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
            assert_eq!(scene.registrations(&number), expected);
            listener.alert("cleared", code).await;
        }
        bed.stop().await;
    });
}

#[test]
fn a_holder_without_open_orders_is_known_again_when_its_resource_was_terminated_although_no_target_knows_of_it() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("swept-holder", &listener).await;
        {
            let scene = Scene::on(&bed);
            let (a1, a2) = (Scene::newcomer("A1"), Scene::newcomer("A2"));
            let code: ResourceId = format!("voucher/{}", number()).parse().unwrap();
            let holds = |customer: &Customer, what: &str| {
                event(what, &customer.id, &json!({"code": code.id(), "settings": {"voucher": what}}))
            };
            scene.done(&holds(&a1, "voucher.taken")).await;
            let routing = &bed.platform.installation.routing;
            RawEntity::new(&bed.platform, routing.resource(&scene.tenant, &code)).terminate().await;

            // No customer claims it meanwhile, and A1 has nothing open.
            until("the voucher to be A1's again", || async {
                let state = bed.platform.resource(&scene.tenant, &code).await.ok()?;
                let is_told = state["history"].as_array()?.iter().any(|entry| entry["what"] == "reasserted");
                (is_told && state["holder"]["customer_id"] == *a1.id).then_some(())
            })
            .await;
            let waits = scene.submit(&holds(&a2, "voucher.taken")).await;
            until("A2 to wait for the voucher", || async {
                (scene.order(&waits).await?["state"] == "pending").then_some(())
            })
            .await;
            scene.done(&holds(&a1, "voucher.returned")).await;
            scene.completed(&[waits]).await;
        }
        bed.stop().await;
    });
}

#[test]
fn the_sweep_reports_orders_that_wait_for_each_other_and_targets_that_are_not_called() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("swept-ring", &listener).await;
        {
            let scene = Scene::on(&bed);
            let ring = ring_of_two(&scene).await;
            let alert = listener.alert("raised", "ring_of_waits").await;
            assert_eq!(alert["data"]["tenant_id"], json!(scene.tenant));
            let told = alert["data"]["detail"].as_str().unwrap();
            assert!(ring.iter().all(|order| told.contains(order.as_str())), "{told}");
            // It changes no order, since a ring is a matter for a person.
            let why = done(&scene, &["order", "why", ring[1].as_str()]).await;
            assert!(why.contains("This is a cycle"), "{why}");

            done(&scene, &["target", "pause", "crm", "--reason", "new release"]).await;
            let alert = listener.alert("raised", "target_parked").await;
            assert_eq!((&alert["data"]["target"], &alert["data"]["order_id"]), (&json!("crm"), &Value::Null));
            done(&scene, &["target", "resume", "crm", "--reason", "it is done"]).await;
            listener.alert("cleared", "target_parked").await;

            done(&scene, &["order", "cancel", ring[0].as_str(), "--reason", "nobody gives way"]).await;
            listener.alert("cleared", "ring_of_waits").await;
            for code in ["ring_of_waits", "target_parked"] {
                assert_eq!(listener.alerts("raised", code).len(), 1, "{code} was told more than once");
            }
        }
        bed.stop().await;
    });
}

#[test]
fn a_ring_is_broken_by_letting_the_release_of_one_order_go_first() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("swept-release-first", &listener).await;
        {
            let scene = Scene::on(&bed);
            // A shall get B's voucher in place of its own; B shall get both, and releases none.
            let (a, b) = (Scene::newcomer("A"), Scene::newcomer("B"));
            let (of_a, of_b) = (number(), number());
            let one = |what: &str, customer: &Customer, code: &str| {
                event(what, &customer.id, &json!({"code": code, "settings": {"voucher": what}}))
            };
            scene.done(&one("voucher.taken", &a, &of_a)).await;
            scene.done(&one("voucher.taken", &b, &of_b)).await;
            let two = |what: &str, customer: &Customer| event(what, &customer.id, &json!({"old": of_a, "new": of_b}));
            let exchanges = scene.submit(&two("voucher.exchanged", &a)).await;
            let wants_both = scene.submit(&two("voucher.joined", &b)).await;
            let alert = listener.alert("raised", "ring_of_waits").await;
            let told = alert["data"]["detail"].as_str().unwrap();
            assert!(told.contains(exchanges.as_str()) && told.contains(wants_both.as_str()), "{told}");

            done(&scene, &["order", "release-first", exchanges.as_str(), "--reason", "the ring"]).await;
            scene.completed(&[wants_both]).await;
            listener.alert("cleared", "ring_of_waits").await;
            // A still waits, but not for a customer that waits for A.
            assert_eq!(scene.order(&exchanges).await.unwrap()["waiting_for"]["waits_for"], "lease");
            scene.done(&one("voucher.returned", &b, &of_b)).await;
            scene.completed(&[exchanges]).await;
        }
        bed.stop().await;
    });
}

/// So many alerts that a sweep cannot wait for a hanging webhook with each of them.
const MANY: u32 = 40;

#[test]
fn a_hanging_webhook_does_not_block_sweeps_and_each_alert_is_reported_once() {
    run(async {
        let listener = Listener::start_hanging().await;
        let bed = bed("swept-hanging", &listener).await;
        {
            let scene = Scene::on(&bed);
            let refuse = Action::Refuse { status: 503, body: Value::Null, retry_after_s: None };
            bed.crm.add_rule(Rule::always(Pattern::default(), refuse));
            for index in 0..MANY {
                let customer = Scene::newcomer(&format!("late{index}"));
                scene.submit(&event("account.tuned", &customer.id, &json!({"settings": {"value": 1}}))).await;
            }
            let counted = async |name: &str| {
                let text = bed.platform.metrics_text().await.unwrap();
                let is_it = |line: &&str| line.starts_with(name) && line.contains("order_overdue");
                let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
                text.lines().filter(is_it).filter_map(value).sum::<f64>()
            };
            until_within(POSTED_LIMIT, "every alert to be given up", || async {
                (counted("interlock_alerts_undelivered_total").await >= f64::from(MANY)).then_some(())
            })
            .await;
            // Reported findings are remembered, so later sweeps have nothing to report.
            let before = completed_histories(&bed.platform, names::SWEEP).await.len();
            until("more sweeps", || async {
                (completed_histories(&bed.platform, names::SWEEP).await.len() > before + 2).then_some(())
            })
            .await;
            for name in ["interlock_alerts_raised_total", "interlock_alerts_undelivered_total"] {
                assert!((counted(name).await - f64::from(MANY)).abs() < 0.5, "{name}: {}", counted(name).await);
            }
        }
        bed.stop().await;
    });
}

/// A shall get B's SIM and keep its number; B shall get A's number and keep its SIM. Neither releases anything, so no probe breaks this
/// ring.
async fn ring_of_two(scene: &Scene<'_>) -> [OrderId; 2] {
    let (a, b) = (Scene::newcomer("A"), Scene::newcomer("B"));
    let (of_a, of_b) = (number(), number());
    let iccid = |customer: &Customer| format!("8901{}", customer.imsi);
    let activated = |customer: &Customer, number: &str| {
        let data = json!({"imsi": customer.imsi, "iccid": iccid(customer), "msisdn": number, "profile": "default"});
        event("subscriber.activated", &customer.id, &data)
    };
    let seed = |customer: &Customer| Seed {
        imsi: customer.imsi.clone(),
        iccid: Some(iccid(customer)),
        sim_only: true,
        msisdn: None,
    };
    scene.bed.hss.seed(&[seed(&a), seed(&b)]).unwrap();
    scene.done(&activated(&a, &of_a)).await;
    scene.done(&activated(&b, &of_b)).await;
    let swap = json!({"old_imsi": a.imsi, "new_imsi": b.imsi, "msisdn": of_a});
    let swaps = scene.submit(&event("sim.swapped", &a.id, &swap)).await;
    [swaps, scene.submit(&activated(&b, &of_a)).await]
}

#[test]
fn two_customers_that_swap_their_numbers_are_not_a_ring_even_while_the_target_is_not_called() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("swept-swap", &listener).await;
        {
            let scene = Scene::on(&bed);
            let (a, b) = (scene.customer("A"), scene.customer("B"));
            let (one, two) = (number(), number());
            scene.done(&assigned(&a, &one)).await;
            scene.done(&assigned(&b, &two)).await;
            done(&scene, &["target", "pause", "hss", "--reason", "new release"]).await;
            let swaps = [scene.submit(&changed(&a, &one, &two)).await, scene.submit(&changed(&b, &two, &one)).await];
            // One of them lets its release go first, and that release waits for the target. Both chains say so, across customers.
            for order in &swaps {
                until(format!("{order} to lead to the target"), || async {
                    let why = done(&scene, &["order", "why", order.as_str()]).await;
                    (why.contains("waits for hss to answer") && !why.contains("This is a cycle")).then_some(())
                })
                .await;
            }
            // Sweeps have seen it by now and do not report a ring.
            let alert = listener.alert("raised", "target_parked").await;
            assert_eq!(alert["data"]["target"], "hss");
            assert_eq!(listener.alerts("raised", "ring_of_waits"), [Value::Null; 0]);

            done(&scene, &["target", "resume", "hss", "--reason", "it is done"]).await;
            scene.completed(&swaps).await;
            scene.judge(&[&one, &two]);
            assert_eq!(listener.alerts("raised", "ring_of_waits"), [Value::Null; 0]);
        }
        bed.stop().await;
    });
}
