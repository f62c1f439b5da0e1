//! Attacks: a customer that acts on another customer's resources, and a tenant that acts on another tenant's.

use interlock_adapters::sandbox::{self, SandboxOptions, Seed};
use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_domain::ids::OrderId;
use interlock_domain::routing::TenantSettings;
use interlock_settings::{GatewayRole, GatewayToken, Settings, TargetRight};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::events::{Customer, assigned, event, terminated, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run, shared};
use crate::waiting::until_or_give_up;

/// The realm of the numbers that the tenants share.
const REALM: &str = "numbers";

/// The state of a SIM at the HSS: its subscription, and its numbers.
pub fn at_the_hss(bed: &Testbed, imsi: &str) -> Value {
    let tables = bed.hss.state()["tables"].clone();
    let of_sim = |table: &str| -> Vec<Value> {
        let rows = tables[table].as_array().into_iter().flatten();
        rows.filter(|row| row["imsi"] == imsi).cloned().collect()
    };
    json!({"subscriber": of_sim("subscriber"), "ims_subscriber": of_sim("ims_subscriber")})
}

/// A customer whose subscription and number Interlock itself created, and its identity.
pub async fn victim(scene: &Scene<'_>) -> (Customer, String) {
    let (victim, number) = (Scene::newcomer("victim"), number());
    let iccid = format!("8901{}", victim.imsi);
    let seed = Seed { imsi: victim.imsi.clone(), iccid: Some(iccid.clone()), sim_only: true, msisdn: None };
    scene.bed.hss.seed(&[seed]).unwrap();
    let data = json!({"imsi": victim.imsi, "iccid": iccid, "msisdn": number, "profile": "default"});
    scene.done(&event("subscriber.activated", &victim.id, &data)).await;
    (victim, number)
}

/// Waits until an order has ended or waits for a person. Returns its state.
async fn settled(scene: &Scene<'_>, event: &Value) -> Value {
    let order = scene.submit(event).await;
    let ends = ["completed", "partial", "failed", "cancelled", "rejected", "superseded", "held"];
    let settled = until_or_give_up(|| async {
        let shown = scene.order(&order).await?;
        ends.contains(&shown["state"].as_str()?).then_some(shown)
    });
    match settled.await {
        Some(shown) => shown,
        None => panic!("neither over nor held: {event:#}\n{:#}", scene.order(&order).await.unwrap_or_default()),
    }
}

#[test]
fn another_customers_resources_are_neither_removed_nor_released_nor_changed() {
    run(async {
        let scene = Scene::on(shared().await);
        let (victim, of_victim) = victim(&scene).await;
        let before = at_the_hss(scene.bed, &victim.imsi);
        assert!(before.to_string().contains(&of_victim), "{before:#}");

        // An unknown customer, and one that has a number of its own; both name the victim's SIM.
        let (unknown, other, own) = (Scene::newcomer("unknown"), scene.customer("other"), number());
        scene.done(&assigned(&other, &own)).await;
        let names = |customer: &Customer| Customer { id: customer.id.clone(), imsi: victim.imsi.clone() };
        let about = |kind: &str, customer: &Customer, more: Value| {
            let mut data = json!({"imsi": victim.imsi});
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event(kind, &customer.id, &data)
        };
        for customer in [&unknown, &other] {
            let attacks = [
                unassigned(&names(customer), &of_victim),
                unassigned(customer, &of_victim),
                terminated(&names(customer)),
                // A held order makes later ones wait.
                about("customer.suspended", customer, json!({"reason": "fraud"})),
                about("customer.resumed", customer, json!({"reason": "no fraud"})),
                about("service.updated", customer, json!({"settings": {"ue_ambr_dl": 1}})),
            ];
            for attack in attacks {
                let shown = settled(&scene, &attack).await;
                assert_eq!(at_the_hss(scene.bed, &victim.imsi), before, "{attack:#}\n{shown:#}");
                let releases = ["number.unassigned", "customer.terminated"];
                if !releases.contains(&attack["type"].as_str().unwrap()) {
                    assert_eq!((&shown["state"], &shown["code"]), (&json!("held"), &Value::Null), "{shown:#}");
                    assert!(shown.to_string().contains("right_unproven"), "{shown:#}");
                }
            }
        }
        assert_eq!(scene.holder(&of_victim).await.as_deref(), Some(victim.id.as_str()));
        assert_eq!(scene.registrations(&of_victim), [format!("{}+", victim.imsi)]);
        // A customer with a number of its own that names another SIM loses what it has, and no other customer loses anything.
        let left = at_the_hss(scene.bed, &other.imsi);
        let holds = scene.holder(&own).await;
        assert_eq!(
            holds.is_some(),
            left.to_string().contains(&own),
            "the ledger and the HSS agree: {holds:?} {left:#}"
        );
        scene.judge(&[&of_victim, &own]);
    });
}

/// Tokens of two tenants, of an operator with a right over the realm, and of one with a right over a target.
fn tokens(settings: &mut Settings) {
    let token = |name: &str, role, tenants: &[&str]| GatewayToken {
        token: format!("token-of-{name}").into(),
        name: Some(name.to_owned()),
        role,
        tenants: tenants.iter().map(|tenant| tenant.parse().unwrap()).collect(),
        realms: Vec::new(),
        targets: Vec::new(),
    };
    settings.gateway.tokens = vec![
        token("reader-of-blue", GatewayRole::Read, &["blue"]),
        token("operator-of-blue", GatewayRole::Operate, &["blue"]),
        token("operator-of-green", GatewayRole::Operate, &["green"]),
        GatewayToken { realms: vec![REALM.parse().unwrap()], ..token("registrar", GatewayRole::Operate, &["green"]) },
        GatewayToken { targets: vec![TargetRight::All], ..token("caretaker", GatewayRole::Operate, &["green"]) },
    ];
}

/// A call with one of the tokens.
async fn call(bed: &Testbed, whose: &str, method: Method, path: &str, body: Option<Value>) -> (StatusCode, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.request(method, format!("{}{path}", bed.platform.gateway_url()));
    let request = request.bearer_auth(format!("token-of-{whose}"));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn code(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    answer["code"].as_str().unwrap_or_default().to_owned()
}

/// A forced release in another caller's name.
fn force(action_id: &str) -> Value {
    json!({"action_id": action_id, "action": "force_release", "reason": "mine now",
           "actor": "operator-of-green", "even_if_registered": true})
}

/// For every call, the holder is another tenant.
async fn sees_nothing_of_others(bed: &Testbed, waits: &OrderId, secrets: &[&str], number: &str) {
    let resource = format!("/v1/tenants/blue/resources/msisdn/{number}");
    for path in [
        resource.clone(),
        format!("/v1/tenants/blue/orders/{waits}"),
        format!("/v1/tenants/blue/orders/{waits}/why"),
        format!("/v1/tenants/blue/customers/{}", waits.customer()),
    ] {
        let (status, shown) = call(bed, "reader-of-blue", Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {shown}");
        for secret in secrets {
            assert!(!shown.contains(secret), "{path} names {secret}: {shown}");
        }
    }
    let (_, shown) = call(bed, "reader-of-blue", Method::GET, &resource, None).await;
    assert!(shown.contains("another tenant"), "{shown}");
}

/// This needs a right over the realm.
async fn forces_nothing_of_others(bed: &Testbed, number: &str) {
    let actions = format!("/v1/tenants/blue/resources/msisdn/{number}/actions");
    for (whose, expected) in [
        ("operator-of-blue", (StatusCode::CONFLICT, "foreign_holder")),
        ("reader-of-blue", (StatusCode::FORBIDDEN, "role_forbidden")),
    ] {
        let (status, refused) = call(bed, whose, Method::POST, &actions, Some(force("1"))).await;
        assert_eq!((status, code(&refused).as_str()), expected, "{refused}");
    }
}

/// Another tenant's target is hidden, by name, in lists and in the metrics.
async fn finds_no_target_of_others(bed: &Testbed) {
    let pause = || Some(json!({"action_id": "1", "action": "pause", "reason": "mine"}));
    for target in ["crm-of-blue", "no-such-target"] {
        for (method, path, body) in [(Method::GET, "", None), (Method::POST, "/actions", pause())] {
            let path = format!("/v1/targets/{target}{path}");
            let (status, refused) = call(bed, "operator-of-green", method, &path, body).await;
            assert_eq!((status, code(&refused).as_str()), (StatusCode::FORBIDDEN, "target_forbidden"));
            assert!(!refused.replace(target, "").contains("blue"), "{refused}");
        }
    }
    for path in ["/v1/targets", "/metrics"] {
        let (status, shown) = call(bed, "operator-of-green", Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!shown.contains("crm-of-blue"), "{path}: {shown}");
        let (_, shown) = call(bed, "caretaker", Method::GET, path, None).await;
        assert!(shown.contains("crm-of-blue"), "{path}: {shown}");
    }
}

#[test]
fn a_tenant_neither_sees_nor_forces_what_another_one_has() {
    run(async {
        let calls = |target: &str| TenantSettings {
            targets: [("crm".parse().unwrap(), target.parse().unwrap())].into(),
            ..TenantSettings::default()
        };
        let crm = sandbox::crm(SandboxOptions::default()).await.unwrap();
        let of_blue = TargetSettings::new(AdapterKind::Json, crm.base_url().parse().unwrap());
        let wanted = Wanted {
            realm_of_numbers: Some(REALM),
            tenants: vec![("blue", calls("crm-of-blue")), ("green", calls("crm"))],
            targets: vec![("crm-of-blue", of_blue)],
            settings: Some(Box::new(tokens)),
            ..Wanted::default()
        };
        let bed = Testbed::start("trespass", wanted).await;
        let green = Scene { bed: &bed, tenant: "green".parse().unwrap() };
        let blue = Scene { bed: &bed, tenant: "blue".parse().unwrap() };
        let (holder, waiter, number) = (green.customer("secret"), Scene::newcomer("waiter"), number());
        green.done(&assigned(&holder, &number)).await;
        let waits = blue.submit(&assigned(&waiter, &number)).await;
        blue.is_waiting_for(&waiter, &number).await;

        sees_nothing_of_others(&bed, &waits, &[holder.id.as_str(), holder.imsi.as_str(), "green"], &number).await;
        forces_nothing_of_others(&bed, &number).await;
        assert_eq!(green.holder(&number).await.as_deref(), Some(holder.id.as_str()));
        finds_no_target_of_others(&bed).await;

        // With a right over the realm it is taken, and the customer that loses it can read by whom.
        let taken = format!("/v1/tenants/green/resources/msisdn/{number}/actions");
        let (status, answer) = call(&bed, "registrar", Method::POST, &taken, Some(force("1"))).await;
        assert_eq!(status, StatusCode::OK, "the id that another caller gave is free: {answer}");
        let path = format!("/v1/tenants/green/customers/{}", holder.id);
        let (_, shown) = call(&bed, "operator-of-green", Method::GET, &path, None).await;
        assert!(shown.contains("registrar on behalf of operator-of-green"), "{shown}");
        bed.stop().await;
        crm.shutdown().await;
    });
}

#[test]
fn an_action_id_belongs_to_its_caller_and_to_one_action() {
    run(async {
        let wanted = Wanted {
            tenants: vec![("green", TenantSettings::default())],
            settings: Some(Box::new(tokens)),
            ..Wanted::default()
        };
        let bed = Testbed::start("action-ids", wanted).await;
        let act = |whose: &'static str, action: &'static str, reason: &'static str| {
            let body = json!({"action_id": "1", "action": action, "reason": reason});
            call(&bed, whose, Method::POST, "/v1/targets/crm/actions", Some(body))
        };
        for _again in 0..2 {
            let (status, answer) = act("caretaker", "pause", "night").await;
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
        for (action, reason) in [("resume", "night"), ("pause", "day")] {
            let (status, answer) = act("caretaker", action, reason).await;
            assert_eq!((status, code(&answer).as_str()), (StatusCode::CONFLICT, "action_id_reused"));
        }
        let (_, view) = call(&bed, "caretaker", Method::GET, "/v1/targets/crm", None).await;
        assert_eq!(view.matches("\"what\":\"paused\"").count(), 1, "the same action again changes nothing: {view}");
        bed.stop().await;
    });
}
