//! What subscribers are told: each outcome, in the order of its customer, however long the receiver is away.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use interlock_adapters::sandbox::{Action, Pattern, Rule};
use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_domain::ids::{OrderId, Timestamp};
use interlock_domain::routing::TenantSettings;
use interlock_domain::subscription::SubscriptionSettings;
use interlock_domain::target_entity::TargetActionKind;
use interlock_operations::actions::ActionWords;
use interlock_operations::subscriptions::Subscriptions;
use interlock_operations::targets::Targets;
use interlock_worker_pools::Workload;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::events::{Customer, assigned, event, quota_exceeded, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::{event_types, json_payload};
use crate::testbed::{Testbed, Wanted, run, run_large};
use crate::waiting::until;

/// The tenant with subscriptions.
const TENANT: &str = "told";

/// A receiver of events, which answers with a status that can be changed.
struct Receiver {
    server: MockServer,
    status: Arc<AtomicU16>,
    /// What it has taken.
    taken: Arc<Mutex<Vec<Value>>>,
}

struct Answers {
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let status = self.status.load(Ordering::Relaxed);
        if (200..300).contains(&status) && request.method == http::Method::POST {
            let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
            self.taken.lock().unwrap().push(body);
        }
        ResponseTemplate::new(status)
    }
}

impl Receiver {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let (status, taken) = (Arc::new(AtomicU16::new(204)), Arc::default());
        let answers = Answers { status: Arc::clone(&status), taken: Arc::clone(&taken) };
        Mock::given(any()).respond_with(answers).mount(&server).await;
        Self { server, status, taken }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn settings(&self) -> TargetSettings {
        TargetSettings::new(AdapterKind::Webhook, format!("{}/hook", self.server.uri()).parse().unwrap())
    }

    /// What it has taken of these orders, as order and type, each event once.
    fn taken_of(&self, orders: &[&OrderId]) -> Vec<(String, String)> {
        let mut seen = BTreeSet::new();
        let all = self.taken.lock().unwrap();
        let of = all.iter().filter(|event| seen.insert(event["id"].clone().to_string())).filter_map(|event| {
            let order = event["data"]["order_id"].as_str()?.to_owned();
            let event_type = event["type"].as_str()?.strip_prefix("interlock.")?.to_owned();
            orders.iter().any(|wanted| wanted.as_str() == order).then_some((order, event_type))
        });
        of.collect()
    }
}

/// A tenant that tells this target of what these settings say.
fn subscribed(target: &str, more: &Value) -> TenantSettings {
    let mut settings = json!({"target": target});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings: SubscriptionSettings = serde_json::from_value(settings).unwrap();
    TenantSettings { subscriptions: [("crm".parse().unwrap(), settings)].into(), ..TenantSettings::default() }
}

async fn bed(name: &str, receiver: &Receiver, more: &Value, change: impl FnOnce(&mut Wanted)) -> Testbed {
    let mut wanted = Wanted {
        tenants: vec![(TENANT, subscribed("crm-hook", more))],
        targets: vec![("crm-hook", receiver.settings())],
        ..Wanted::default()
    };
    change(&mut wanted);
    Testbed::start(name, wanted).await
}

fn scene(bed: &Testbed) -> Scene<'_> {
    Scene { tenant: TENANT.parse().unwrap(), ..Scene::on(bed) }
}

async fn shown_target(bed: &Testbed) -> Option<Value> {
    let shown = Targets::new(bed.platform.installation.clone()).show(&"crm-hook".parse().unwrap()).await.ok()?;
    Some(json!(shown))
}

fn told(order: &OrderId, events: &[&str]) -> Vec<(String, String)> {
    events.iter().map(|event| (order.to_string(), (*event).to_owned())).collect()
}

/// Waits until the receiver has taken exactly these events of these orders, in this order.
async fn is_told(receiver: &Receiver, orders: &[&OrderId], expected: &[(String, String)]) {
    until("the receiver to be told", || async {
        let taken = receiver.taken_of(orders);
        assert!(taken.len() <= expected.len(), "{taken:#?}");
        (taken == expected).then_some(())
    })
    .await;
}

#[test]
fn both_customers_of_a_hand_over_are_told_in_order_and_the_events_are_signed() {
    run(async {
        let receiver = Receiver::start().await;
        let everything = json!({"types": [
            "interlock.order.acknowledged", "interlock.order.completed", "interlock.lease.granted",
            "interlock.lease.released",
        ]});
        let key = BASE64_STANDARD.encode([7; 32]);
        let bed = bed("told", &receiver, &everything, |wanted| {
            wanted.targets[0].1.signing_keys = vec![format!("whsec_{key}").into()];
        })
        .await;
        let scene = scene(&bed);
        let (a1, a2, number) = (scene.customer("A"), scene.customer("A"), number());
        let first = scene.submit(&assigned(&a1, &number)).await;
        is_told(&receiver, &[&first], &told(&first, &["order.acknowledged", "lease.granted", "order.completed"])).await;
        let second = scene.submit(&assigned(&a2, &number)).await;
        is_told(&receiver, &[&second], &told(&second, &["order.acknowledged"])).await;
        let release = scene.submit(&unassigned(&a1, &number)).await;
        scene.completed(std::slice::from_ref(&second)).await;
        is_told(&receiver, &[&second], &told(&second, &["order.acknowledged", "lease.granted", "order.completed"]))
            .await;
        is_told(&receiver, &[&release], &told(&release, &["order.acknowledged", "order.completed"])).await;

        let requests = receiver.server.received_requests().await.unwrap();
        for request in requests.iter().filter(|request| request.method == http::Method::POST) {
            let header = |name: &str| request.headers[name].to_str().unwrap();
            assert_eq!((request.url.path(), header("content-type")), ("/hook", "application/cloudevents+json"));
            let event: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(header("webhook-id"), event["id"].as_str().unwrap());
            assert_eq!(header("webhook-signature"), signed(&format!("whsec_{key}"), request));
            assert_eq!(event["source"], "/interlock/told");
        }
        let all = receiver.taken.lock().unwrap().clone();
        let released = all.iter().find(|event| event["type"] == "interlock.lease.released").unwrap();
        assert_eq!((&released["subject"], &released["data"]["how"]), (&json!(a1.id), &json!("released")));
        assert_eq!(released["data"]["proof"]["operation"], "release_number");
        let completed = all.iter().find(|event| event["data"]["order_id"] == json!(second)).unwrap();
        assert_eq!(completed["data"]["type"], "number.assigned");
        let ended = all.iter().rfind(|event| event["data"]["order_id"] == json!(second)).unwrap();
        let step = &ended["data"]["steps"][0];
        assert_eq!((&step["outcome"], &step["operation"]), (&json!("done"), &json!("assign_number")));
        assert!(step["idempotency_key"].is_string());
        bed.stop().await;
    });
}

#[test]
fn a_receiver_that_is_away_is_parked_delays_no_order_and_misses_nothing() {
    run(async {
        let receiver = Receiver::start().await;
        receiver.answers(503);
        let bed = bed("told-late", &receiver, &json!({"types": ["interlock.order.completed"]}), |wanted| {
            wanted.protect = Some(|target, settings| {
                if target == "crm-hook" {
                    settings.outage.failures = 2;
                    settings.outage.open_for = Duration::from_millis(500);
                    settings.outage.probe_first = Duration::from_millis(500);
                    settings.outage.probe_cap = Duration::from_secs(1);
                }
            });
        })
        .await;
        let scene = scene(&bed);
        let customers: Vec<_> = (0..3).map(|_| scene.customer("A")).collect();
        let mut orders = Vec::new();
        for customer in &customers {
            for _ in 0..3 {
                orders.push(scene.submit(&assigned(customer, &number())).await);
            }
        }
        scene.completed(&orders).await;
        until("the receiver to be parked", || async { (shown_target(&bed).await?["state"] == "open").then_some(()) })
            .await;
        assert_eq!(scene.customer_state(&customers[0]).await["outgoing"]["crm"]["waiting"], 3);
        let entity = scene.entity(&customers[0].id.parse().unwrap());
        let length = || until("no open task", || entity.length_without_task());
        let before = length().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(length().await, before, "waiting is free");
        assert_eq!(receiver.taken.lock().unwrap().len(), 0);
        receiver.answers(204);
        for (number, of_customer) in orders.chunks(3).enumerate() {
            let expected: Vec<_> = of_customer.iter().flat_map(|order| told(order, &["order.completed"])).collect();
            is_told(&receiver, &of_customer.iter().collect::<Vec<_>>(), &expected).await;
            let of_customer = || scene.customer_state(&customers[number]);
            until("nothing to wait", || async { of_customer().await["outgoing"].is_null().then_some(()) }).await;
        }
        bed.stop().await;
    });
}

#[test]
fn rejected_held_and_unordered_events_are_told_too() {
    run(async {
        let receiver = Receiver::start().await;
        let bed = bed("told-all", &receiver, &json!({}), |_| {}).await;
        let scene = scene(&bed);
        // The first event of a customer that never planned anything.
        let newcomer = Scene::newcomer("A");
        let mut misdirected = assigned(&newcomer, &number());
        misdirected["subject"] = json!("someone-else");
        let start = json!({"tenant_id": TENANT, "entity_id": newcomer.id}).to_string();
        let entity = scene.entity(&newcomer.id.parse().unwrap());
        entity
            .signal_with_start(vec![json_payload(start)], "submit", vec![json_payload(misdirected.to_string())])
            .await;
        until("the rejection to be told", || async {
            let taken = receiver.taken.lock().unwrap();
            let rejected = taken.iter().find(|event| event["subject"] == json!(newcomer.id))?;
            assert_eq!(rejected["type"], "interlock.order.rejected");
            assert_eq!(rejected["data"]["code"], "wrong_subject");
            Some(())
        })
        .await;

        let customer = scene.customer("A");
        let refuses = Pattern { operation: Some("add_number".to_owned()), ..Pattern::default() };
        let refusal = Action::Refuse { status: 422, body: json!({"code": "no_such_account"}), retry_after_s: None };
        bed.crm.add_rule(Rule::once(refuses, refusal));
        let held = scene.submit(&assigned(&customer, &number())).await;
        is_told(&receiver, &[&held], &told(&held, &["order.acknowledged", "order.held"])).await;

        // By HTTP, an unordered event would stand alone.
        let quota = quota_exceeded(&customer, &number());
        let url = format!("{}/v1/tenants/{TENANT}/events", bed.platform.gateway_url());
        let client = Client::builder().no_proxy().build().unwrap();
        let accepted: Value = client.post(url).json(&quota).send().await.unwrap().json().await.unwrap();
        let order: OrderId = accepted["results"][0]["order_id"].as_str().unwrap().parse().unwrap();
        is_told(&receiver, &[&order], &told(&order, &["order.acknowledged", "order.completed"])).await;
        bed.stop().await;
    });
}

#[test]
fn a_receiver_that_wants_no_more_is_paused_until_a_person_resumes_it() {
    run(async {
        let receiver = Receiver::start().await;
        receiver.answers(410);
        let bed = bed("told-gone", &receiver, &json!({"types": ["interlock.order.completed"]}), |_| {}).await;
        let scene = scene(&bed);
        let order = scene.submit(&assigned(&scene.customer("A"), &number())).await;
        let shown = until("the receiver to be paused", || async {
            shown_target(&bed).await.filter(|shown| shown["state"] == "paused")
        })
        .await;
        assert!(shown.to_string().contains("410"), "{shown}");
        scene.completed(&[order]).await;
        // Resumed, it says it again.
        let words = ActionWords {
            action_id: "resume".to_owned(),
            actor: "ann".to_owned(),
            reason: "try".to_owned(),
            ticket: None,
            confirmed_by: None,
        };
        let targets = Targets::new(bed.platform.installation.clone());
        let hook = "crm-hook".parse().unwrap();
        targets.act(&hook, TargetActionKind::Resume, words).await.unwrap();
        let pauses =
            |shown: &Value| shown["history"].as_array().unwrap().iter().filter(|of| of["what"] == "paused").count();
        until("the receiver to be paused again", || async {
            shown_target(&bed).await.filter(|shown| shown["state"] == "paused" && pauses(shown) == 2)
        })
        .await;
        bed.stop().await;
    });
}

#[test]
fn workers_that_are_killed_lose_no_outcome() {
    run_large(async {
        let receiver = Receiver::start().await;
        let mut bed = bed("told-killed", &receiver, &json!({}), |wanted| {
            wanted.worker_processes = Some(vec![Workload::All, Workload::All]);
        })
        .await;
        let mut orders = Vec::new();
        for _ in 0..3 {
            {
                let scene = scene(&bed);
                let customer = scene.customer("A");
                for _ in 0..4 {
                    orders.push(scene.submit(&assigned(&customer, &number())).await);
                }
            }
            bed.platform.worker_processes.remove(0).kill().await.unwrap();
            bed.platform.start_worker_process(Workload::All).await.unwrap();
        }
        let scene = scene(&bed);
        scene.completed(&orders).await;
        for order in &orders {
            is_told(&receiver, &[order], &told(order, &["order.acknowledged", "order.completed"])).await;
        }
        bed.stop().await;
    });
}

#[test]
fn a_tenant_makes_tests_and_removes_subscriptions_itself() {
    run(async {
        let receiver = Receiver::start().await;
        let bed = Testbed::start(
            "told-own",
            Wanted {
                settings: Some(Box::new(|settings| {
                    settings.subscriptions.keys = vec!["a key of thirty-two bytes or more".into()];
                    settings.subscriptions.allowed_networks = vec!["127.0.0.1/32".parse().unwrap()];
                })),
                ..Wanted::default()
            },
        )
        .await;
        let scene = scene(&bed);
        let all = format!("{}/v1/tenants/{TENANT}/subscriptions", bed.platform.gateway_url());
        let client = Client::builder().no_proxy().build().unwrap();
        let customer = scene.customer("A");
        let before = scene.done(&assigned(&customer, &number())).await;

        refuses_inner_addresses(&client, &all).await;
        let wanted =
            json!({"callback": format!("{}/own", receiver.server.uri()), "types": ["interlock.order.completed"]});
        let made = client.post(&all).json(&wanted).send().await.unwrap();
        assert_eq!(made.status().as_u16(), 201);
        let path = made.headers()["location"].to_str().unwrap().to_owned();
        let made: Value = made.json().await.unwrap();
        assert_eq!(path, format!("/v1/tenants/{TENANT}/subscriptions/{}", made["id"].as_str().unwrap()));
        let key = made["signing_key"].as_str().unwrap();
        assert!(key.starts_with("whsec_"));
        let one = format!("{}{path}", bed.platform.gateway_url());
        let shown: Value = client.get(&one).send().await.unwrap().json().await.unwrap();
        assert_eq!((&shown["made_by"], &shown["callback"]), (&json!("tenant"), &wanted["callback"]));
        let listed: Value = client.get(&all).send().await.unwrap().json().await.unwrap();
        assert_eq!(listed["subscriptions"], json!([shown]));

        // Processes learn of it within seconds.
        let told_of = until("an order that is told", || async {
            let order = scene.done(&assigned(&customer, &number())).await;
            let wait = Duration::from_secs(2);
            tokio::time::sleep(wait).await;
            (!receiver.taken_of(&[&order]).is_empty()).then_some(order)
        })
        .await;
        is_told(&receiver, &[&told_of], &told(&told_of, &["order.completed"])).await;
        assert!(receiver.taken_of(&[&before]).is_empty());
        let requests = receiver.server.received_requests().await.unwrap();
        let request = requests.iter().find(|request| request.method == http::Method::POST).unwrap();
        assert_eq!(request.url.path(), "/own");
        assert_eq!(signed(key, request), request.headers["webhook-signature"].to_str().unwrap());

        ends_by_itself_or_by_hand(&receiver, &scene, &customer, (&client, &all, &one), &wanted).await;
        bed.stop().await;
    });
}

async fn refuses_inner_addresses(client: &Client, all: &str) {
    for (callback, code) in [
        ("http://169.254.169.254/latest/meta-data", "callback_forbidden"),
        ("http://[::1]/hook", "callback_forbidden"),
        ("ftp://127.0.0.1/hook", "subscription_invalid"),
        ("not a URL", "subscription_invalid"),
    ] {
        let refused = client.post(all).json(&json!({"callback": callback})).send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 400, "{callback}");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], code, "{callback}");
    }
}

async fn ends_by_itself_or_by_hand(
    receiver: &Receiver,
    scene: &Scene<'_>,
    customer: &Customer,
    (client, all, one): (&Client, &str, &str),
    wanted: &Value,
) {
    // It says that it wants no more.
    receiver.answers(410);
    scene.done(&assigned(customer, &number())).await;
    until("the subscription to end", || async {
        let listed: Value = client.get(all).send().await.unwrap().json().await.unwrap();
        (listed["subscriptions"] == json!([])).then_some(())
    })
    .await;
    assert_eq!(client.get(one).send().await.unwrap().status().as_u16(), 404);
    assert_eq!(client.delete(one).send().await.unwrap().status().as_u16(), 404);
    let again: Value = client.post(all).json(wanted).send().await.unwrap().json().await.unwrap();
    let again = format!("{all}/{}", again["id"].as_str().unwrap());
    assert_eq!(client.delete(&again).send().await.unwrap().status().as_u16(), 204);
}

/// The signature of a request, as Standard Webhooks describes it.
fn signed(key: &str, request: &Request) -> String {
    let header = |name: &str| request.headers[name].to_str().unwrap();
    let key = BASE64_STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = format!(
        "{}.{}.{}",
        header("webhook-id"),
        header("webhook-timestamp"),
        String::from_utf8(request.body.clone()).unwrap()
    );
    format!("v1,{}", BASE64_STANDARD.encode(hmac_sha256(&key, signed.as_bytes())))
}

/// HMAC-SHA256 (RFC 2104), written here so that the test does not use what it tests.
fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// The history events of one more order with one step, for a customer that has had one. Without queries: one during a workflow task would
/// cost an event.
async fn events_of_an_order(scene: &Scene<'_>) -> usize {
    let customer = scene.customer("A");
    let touched = || event("line.touched", &customer.id, &json!({"imsi": customer.imsi}));
    let entity = scene.entity(&customer.id.parse().unwrap());
    let settled = || {
        until("the customer to rest", || async {
            let length = entity.length_at_rest().await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            (entity.length_at_rest().await? == length).then_some(length)
        })
    };
    scene.submit(&touched()).await;
    let before = settled().await;
    scene.submit(&touched()).await;
    settled().await;
    let types = event_types(&entity.history("").await);
    let added = types.iter().skip(usize::try_from(before).unwrap());
    added.filter(|added| **added != EventType::UpsertWorkflowSearchAttributes).count()
}

#[test]
fn an_order_costs_six_events_more_for_each_time_that_it_is_told_and_none_without_a_subscription() {
    run(async {
        let receiver = Receiver::start().await;
        let bed = bed("told-costs", &receiver, &json!({"types": ["interlock.order.completed"]}), |_| {}).await;
        let told = events_of_an_order(&scene(&bed)).await;
        let untold = events_of_an_order(&Scene::on(&bed)).await;
        assert_eq!((told, untold), (17, 11));
        bed.stop().await;
    });
}

#[test]
fn a_person_has_a_receiver_told_again() {
    run(async {
        let receiver = Receiver::start().await;
        let bed = bed("told-again", &receiver, &json!({"types": ["interlock.order.completed"]}), |_| {}).await;
        let scene = scene(&bed);
        let customers: Vec<_> = (0..2).map(|_| scene.customer("A")).collect();
        let mut orders = Vec::new();
        for customer in &customers {
            orders.push(scene.done(&assigned(customer, &number())).await);
        }
        let of = |order: &OrderId| {
            let all = receiver.taken.lock().unwrap();
            let ids =
                all.iter().filter(|event| event["data"]["order_id"] == json!(order)).map(|event| event["id"].clone());
            ids.collect::<Vec<_>>()
        };
        until("both to be told", || async { orders.iter().all(|order| of(order).len() == 1).then_some(()) }).await;
        let subscriptions = Subscriptions::new(bed.platform.installation.clone());
        let (id, since) = ("crm".parse().unwrap(), Timestamp(0));
        let one = customers[0].id.parse().unwrap();
        assert_eq!(subscriptions.replay(&scene.tenant, &id, since, Some(&one)).await.unwrap(), 1);
        until("the first to be told again", || async { (of(&orders[0]).len() == 2).then_some(()) }).await;
        let told = of(&orders[0]);
        assert_eq!((&told[0], of(&orders[1]).len()), (&told[1], 1));
        // Visibility lags a little.
        until("both to be asked", || async {
            (subscriptions.replay(&scene.tenant, &id, since, None).await.unwrap() == 2).then_some(())
        })
        .await;
        until("the second to be told again", || async { (of(&orders[1]).len() >= 2).then_some(()) }).await;
        for (customer, id) in [(Some("nobody".parse().unwrap()), "crm"), (None, "other")] {
            let refused = subscriptions.replay(&scene.tenant, &id.parse().unwrap(), since, customer.as_ref()).await;
            assert_eq!(refused.unwrap_err().code(), "never_seen");
        }
        bed.stop().await;
    });
}

/// An event type whose orders are late at once.
const DUE_SOON: &str = r#"
[events."number.urgent"]
due_within = "1s"
claims = [{ mode = "assign", resource = "msisdn/{msisdn}", party = "{imsi}" }]
steps = [{ role = "hss", operation = "assign_number", resources = ["msisdn/{msisdn}"], with = { imsi = "{imsi}", msisdn = "{msisdn}" } }]
[events."number.urgent".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string" }
properties.msisdn = { type = "string" }
"#;

/// The states that the receivers of each format are told of.
const TOLD_STATES: [&str; 3] = ["acknowledged", "overdue", "completed"];

/// A testbed with one subscription for each other format, all with this receiver, each below a path of its own.
async fn bed_of_formats(receiver: &Receiver, types: &[String]) -> Testbed {
    let formats = [("binary", "cloudevents_binary"), ("tmf", "tmf641"), ("espf", "espf")];
    let target = |name: &str, format: &str| {
        let mut settings: TargetSettings = receiver.settings();
        settings.base_url = Some(format!("{}/{name}", receiver.server.uri()).parse().unwrap());
        settings.format = serde_json::from_value(json!(format)).unwrap();
        settings.espf_group = (format == "espf").then(|| "HSS".to_owned());
        settings
    };
    let subscription = |name: &str| {
        let settings = serde_json::from_value(json!({"target": name, "types": types})).unwrap();
        (name.parse().unwrap(), settings)
    };
    let subscriptions = formats.iter().map(|(name, _)| subscription(name)).collect();
    Testbed::start(
        "told-formats",
        Wanted {
            tenants: vec![(TENANT, TenantSettings { subscriptions, ..TenantSettings::default() })],
            targets: formats.iter().map(|(name, format)| (*name, target(name, format))).collect(),
            more_events: DUE_SOON.to_owned(),
            ..Wanted::default()
        },
    )
    .await
}

#[test]
fn each_receiver_is_told_in_its_format_and_also_that_an_order_is_late() {
    run(async {
        let receiver = Receiver::start().await;
        let types = TOLD_STATES.map(|state| format!("interlock.order.{state}"));
        let bed = bed_of_formats(&receiver, &types).await;
        let scene = scene(&bed);
        let (customer, number) = (scene.customer("A"), number());
        bed.hss.add_rule(Rule::always(Pattern::default(), Action::Delay { ms: 1_500 }));
        let late = event("number.urgent", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}));
        let order = scene.done(&late).await;
        let all = until("three receivers to be told of three events", || async {
            let requests = receiver.server.received_requests().await?;
            let posts: Vec<Request> =
                requests.into_iter().filter(|request| request.method == http::Method::POST).collect();
            (posts.len() >= 9).then_some(posts)
        })
        .await;
        let of = |prefix: &str| all.iter().filter(|request| request.url.path().starts_with(prefix)).collect::<Vec<_>>();
        let header = |request: &&Request, name: &str| request.headers[name].to_str().unwrap().to_owned();
        let binary: Vec<_> = of("/binary").iter().map(|request| header(request, "ce-type")).collect();
        assert_eq!(binary, types);
        let json_of = |request: &&Request| serde_json::from_slice::<Value>(&request.body).unwrap();
        let tmf: Vec<Value> = of("/tmf").iter().map(json_of).collect();
        let shown: Vec<_> = tmf
            .iter()
            .map(|event| {
                let order = &event["event"]["serviceOrder"];
                (event["eventType"].as_str().unwrap(), order["state"].as_str().unwrap(), order["id"].as_str().unwrap())
            })
            .collect();
        let id = order.as_str();
        let expected = [
            ("ServiceOrderStateChangeEvent", "acknowledged", id),
            ("ServiceOrderJeopardyEvent", "inProgress", id),
            ("ServiceOrderStateChangeEvent", "completed", id),
        ];
        assert_eq!(shown, expected);
        let espf: Vec<(String, String)> = of("/espf")
            .iter()
            .map(|request| {
                let form = String::from_utf8(request.body.clone()).unwrap();
                let status = form.split('&').find_map(|field| field.strip_prefix("status=")).unwrap().to_owned();
                (request.url.path().to_owned(), status)
            })
            .collect();
        let path = format!("/espf/account/i/{}/status", customer.id);
        let expected = ["IN_PROGRESS", "RETRY", "OK"].map(|status| (path.clone(), status.to_owned()));
        assert_eq!(espf, expected);
        bed.stop().await;
    });
}
