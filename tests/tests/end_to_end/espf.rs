//! Events of PortaOne's ESPF and NSPS: each is taken once, and becomes what the billing system's present state and the ledger call for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, Mac};
use interlock_adapters::mapping::{Mapping, shipped};
use interlock_adapters::sandbox::{Effect, Seed};
use interlock_adapters::{AdapterKind, Authentication, TargetSettings};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::ids::OrderId;
use interlock_domain::routing::TenantSettings;
use interlock_settings::{GatewayRole, GatewayToken, Settings, SettingsSources};
use interlock_worker_pools::Workload;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::applied_log::{holders, of_account};
use crate::events::Customer;
use crate::scene::{Scene, imsi, number};
use crate::testbed::{Testbed, Wanted, run, run_large};
use crate::waiting::until;

/// The tenant that takes events.
const TENANT: &str = "porta";
/// The catalog that comes with the page.
const CATALOG: &str = include_str!("../../../coordinator/docs/portaone/catalog.toml");
/// Where PortaOne's events begin in it.
const BEGIN: &str = "\n# ---- Events of PortaOne ----\n";

/// The events of PortaOne in the catalog.
pub fn portaone_events() -> String {
    CATALOG.split_once(BEGIN).unwrap().1.to_owned()
}

/// What the billing system has now.
#[derive(Default)]
struct Records {
    /// The account of each number. A number of nobody is there, too.
    dids: BTreeMap<String, Option<u64>>,
    accounts: BTreeMap<u64, Value>,
    /// What is answered instead of the records, for one question each.
    nonsense: Vec<Value>,
}

/// A stand-in for the API of the billing system.
struct Billing {
    server: MockServer,
    status: Arc<AtomicU16>,
    records: Arc<Mutex<Records>>,
}

struct Answers {
    status: Arc<AtomicU16>,
    records: Arc<Mutex<Records>>,
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let status = self.status.load(Ordering::Relaxed);
        if status != 200 || request.method == http::Method::GET {
            return ResponseTemplate::new(status);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut records = self.records.lock().unwrap();
        if !records.nonsense.is_empty() {
            return ResponseTemplate::new(200).set_body_json(records.nonsense.remove(0));
        }
        let answer = if request.url.path().ends_with("/DID/get_number_info") {
            let number = body["params"]["number"].as_str().unwrap();
            records.dids.get(number).map(|account| json!({"number_info": {"number": number, "i_account": account}}))
        } else {
            let account: u64 = body["params"]["i_account"].as_str().unwrap().parse().unwrap();
            records.accounts.get(&account).map(|account| json!({ "account_info": account }))
        };
        ResponseTemplate::new(200).set_body_json(answer.unwrap_or_else(|| json!({})))
    }
}

impl Billing {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let (status, records) = (Arc::new(AtomicU16::new(200)), Arc::default());
        let answers = Answers { status: Arc::clone(&status), records: Arc::clone(&records) };
        Mock::given(any()).respond_with(answers).mount(&server).await;
        Self { server, status, records }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn set_did(&self, number: &str, account: Option<&Customer>) {
        let account = account.map(|account| account.id.parse().unwrap());
        self.records.lock().unwrap().dids.insert(number.to_owned(), account);
    }

    fn set_account(&self, account: &Customer, more: &Value) {
        let id: u64 = account.id.parse().unwrap();
        let mut record = json!({
            "i_account": id,
            "blocked": "N",
            "bill_status": "O",
            "i_product": 1,
            "sim_info": {"imsi": account.imsi, "iccid": format!("8901{}", account.imsi), "status": "used"},
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.records.lock().unwrap().accounts.insert(id, record);
    }

    fn settings(&self) -> TargetSettings {
        let address = format!("{}/rest", self.server.uri()).parse().unwrap();
        let mut settings = TargetSettings::new(AdapterKind::Declarative, address);
        settings.file = Some("portaone-api.toml".into());
        settings.auth = serde_json::from_value(json!({"kind": "bearer", "token": "to the API"})).unwrap();
        settings
    }
}

/// How the events are sent in these tests.
const USER: (&str, &str) = ("espf", "a password");

fn settings(settings: &mut Settings) {
    let espf = json!({
        "target": "portaone-in",
        "users": [{"username": USER.0, "password": USER.1}],
        "signature": {"keys": ["a shared key"], "header": "X-Signature", "prefix": "sha256=", "covers_date": true},
    });
    settings.espf.insert(TENANT.parse().unwrap(), serde_json::from_value(espf).unwrap());
    let token = |name: &str, role, tenant: &str| GatewayToken {
        token: format!("token-to-{name}").into(),
        name: Some(name.to_owned()),
        role,
        tenants: vec![tenant.parse().unwrap()],
        realms: Vec::new(),
        targets: Vec::new(),
    };
    settings.gateway.tokens = vec![
        token("submit", GatewayRole::Submit, TENANT),
        token("operate", GatewayRole::Operate, TENANT),
        token("elsewhere", GatewayRole::Submit, "other"),
    ];
}

/// A testbed whose tenant takes events of PortaOne, and the billing system that they come from.
struct Porta {
    bed: Testbed,
    billing: Billing,
    http: Client,
    /// The last id of an event.
    last: AtomicU16,
}

impl Porta {
    async fn start(name: &str) -> Self {
        Self::start_with(name, |_, _| {}).await
    }

    async fn start_with(name: &str, change: impl FnOnce(&Billing, &mut Wanted)) -> Self {
        let billing = Billing::start().await;
        let roles = [("intake".parse().unwrap(), "portaone-in".parse().unwrap())].into();
        let mut wanted = Wanted {
            tenants: vec![(TENANT, TenantSettings { targets: roles, ..TenantSettings::default() })],
            targets: vec![
                ("portaone", billing.settings()),
                ("portaone-in", TargetSettings::intake("portaone-espf.toml", Some("portaone".parse().unwrap()))),
            ],
            more_events: portaone_events(),
            settings: Some(Box::new(settings)),
            ..Wanted::default()
        };
        change(&billing, &mut wanted);
        let bed = Testbed::start(name, wanted).await;
        Self { bed, billing, http: Client::builder().no_proxy().build().unwrap(), last: AtomicU16::new(0) }
    }

    fn scene(&self) -> Scene<'_> {
        Scene { tenant: TENANT.parse().unwrap(), ..Scene::on(&self.bed) }
    }

    /// An account with a SIM in use, which the HSS knows.
    fn account(&self) -> Customer {
        let imsi = imsi();
        let account = Customer { id: imsi[5..].trim_start_matches('0').to_owned(), imsi };
        self.bed.hss.seed(&[Seed { imsi: account.imsi.clone(), ..Seed::default() }]).unwrap();
        self.billing.set_account(&account, &json!({}));
        account
    }

    fn body(&self, event_type: &str, variables: &Value) -> Value {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let mut variables = variables.clone();
        variables["i_event"] = json!(id);
        json!({"event_type": event_type, "variables": variables})
    }

    fn url(&self, tenant: &str) -> String {
        format!("{}/v1/tenants/{tenant}/espf", self.bed.platform.gateway_url())
    }

    async fn post(&self, body: &Value) -> Response {
        self.http.post(self.url(TENANT)).basic_auth(USER.0, Some(USER.1)).json(body).send().await.unwrap()
    }

    /// Sends a body, and returns the result.
    async fn result(&self, body: &Value) -> Value {
        let answer = self.post(body).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{body}: {:?}", answer.text().await);
        let answer: Value = answer.json().await.unwrap();
        answer["results"][0].clone()
    }

    /// Sends an event that is accepted, and returns its order.
    async fn sends(&self, event_type: &str, variables: &Value) -> OrderId {
        self.order_of(&self.body(event_type, variables)).await
    }

    async fn order_of(&self, body: &Value) -> OrderId {
        let result = self.result(body).await;
        assert_eq!(result["status"], "accepted", "{body}: {result}");
        result["order_id"].as_str().unwrap().parse().unwrap()
    }

    /// Sends an event, and waits until it is processed.
    async fn done(&self, event_type: &str, variables: &Value) {
        let order = self.sends(event_type, variables).await;
        self.scene().completed(&[order]).await;
    }

    async fn did_updated(&self, number: &str) {
        self.done("DID/Updated", &json!({ "number": number })).await;
    }

    /// Waits until an order is held, and returns why.
    async fn held(&self, order: &OrderId) -> Value {
        until("the order to be held", || async {
            let shown = self.scene().order(order).await?;
            (shown["state"] == "held").then(|| shown["waiting_for"].clone())
        })
        .await
    }

    async fn acts(&self, order: &OrderId, action: &Value) {
        let mut body = json!({"action_id": order.as_str(), "reason": "corrected"});
        body.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
        let path = format!("{}/v1/tenants/{TENANT}/orders/{order}/actions", self.bed.platform.gateway_url());
        let answer = self.http.post(path).bearer_auth("token-to-operate").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.text().await);
    }

    /// What the CRM was told of an account, as soon as there are so many changes.
    async fn crm(&self, account: &Customer, count: usize) -> Vec<String> {
        until(format!("{count} changes of {}", account.id), || async {
            let log = of_account(&self.bed.crm.log(), &account.id);
            assert!(log.len() <= count, "{log:?}");
            (log.len() == count).then_some(log)
        })
        .await
    }
}

#[test]
fn the_catalog_of_the_page_is_the_reference_catalog_and_the_events_of_portaone() {
    let (reference, events) = CATALOG.split_once(BEGIN).unwrap();
    assert_eq!(reference, REFERENCE_TEXT, "copy the reference catalog to coordinator/docs/portaone/catalog.toml");
    let catalog = interlock_domain::catalog::Catalog::parse(CATALOG).unwrap_or_else(|faults| panic!("{faults:?}"));
    let known: BTreeSet<&str> = catalog.event_types().collect();
    let mapping = Mapping::parse(shipped("portaone-espf.toml").unwrap()).unwrap();
    let made = mapping.catalog_types();
    assert!(made.is_subset(&known), "{:?}", made.difference(&known));
    assert!(made.iter().filter(|name| name.starts_with("portaone.")).all(|name| events.contains(*name)));
    // So are the settings beside it: they load, and name whom it takes.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../coordinator/docs/portaone/interlock.toml");
    let sources = SettingsSources { config_file: Some(file), ..SettingsSources::default() };
    let settings = Settings::load(&sources).unwrap_or_else(|fault| panic!("{fault}"));
    let (blue, role) = ("blue".parse().unwrap(), "intake".parse().unwrap());
    assert_eq!(settings.tenants[&blue].targets[&role], settings.espf[&blue].target);
    assert!(catalog.roles().iter().all(|role| {
        let target = settings.tenants[&blue].targets.get(role).cloned();
        settings.targets.contains_key(&target.unwrap_or_else(|| role.into()))
    }));
}

#[test]
fn an_event_is_one_order_however_its_ids_are_written_and_however_often_it_comes() {
    run(async {
        let porta = Porta::start("espf-ids").await;
        let (account, number) = (porta.account(), number());
        porta.billing.set_did(&number, Some(&account));
        let of = |id: Value, env: Value| json!({"event_type": "DID/Updated", "variables": {"i_event": id, "i_env": env, "number": number}});
        let first = porta.result(&of(json!(7001), json!(3))).await;
        let order: OrderId = first["order_id"].as_str().unwrap().parse().unwrap();
        assert_eq!((&first["customer_id"], &first["event_id"]), (&json!(format!("did.{number}")), &json!("7001")));
        porta.scene().completed(std::slice::from_ref(&order)).await;
        assert_eq!(porta.scene().holder(&number).await.as_deref(), Some(account.id.as_str()));
        for body in [
            of(json!("7001"), json!("3")),
            of(json!(7001), json!("3")),
            json!({"event_id": "0b8a6a5c-1111", "data": of(json!("7001"), json!(3)), "pb_data": {}}),
        ] {
            assert_eq!(porta.result(&body).await, first, "{body}");
        }
        let elsewhere = porta.result(&of(json!(7001), json!(4))).await;
        assert_ne!(elsewhere["order_id"], first["order_id"], "another environment numbers its own events");
        let order: OrderId = elsewhere["order_id"].as_str().unwrap().parse().unwrap();
        porta.scene().completed(&[order]).await;
        assert_eq!(holders(&porta.bed.hss.log(), &number), [account.imsi.as_str()]);

        let of = |event_type: &str| json!({"event_type": event_type, "variables": {"i_event": format!("s-{}", event_type.len()), "i_account": account.id}});
        let old = porta.result(&of("Account/Status/Suspend")).await;
        let mut new = of("Account/Status/Suspended");
        new["variables"]["i_event"] = of("Account/Status/Suspend")["variables"]["i_event"].clone();
        assert_eq!(porta.result(&new).await, old, "two spellings of one state");
        porta.bed.stop().await;
    });
}

#[test]
fn a_number_goes_where_the_billing_system_has_it_now() {
    run(async {
        let porta = Porta::start("espf-did").await;
        let scene = porta.scene();
        let (a1, a2, a3, number) = (porta.account(), porta.account(), porta.account(), number());
        porta.billing.set_did(&number, None);
        porta.done("DID/Created", &json!({ "number": number })).await;
        assert_eq!(scene.holder(&number).await, None);
        porta.billing.set_did(&number, Some(&a1));
        porta.did_updated(&number).await;
        assert_eq!(scene.holder(&number).await.as_deref(), Some(a1.id.as_str()));
        porta.did_updated(&number).await;
        // Two hand-overs in quick succession.
        porta.billing.set_did(&number, Some(&a2));
        let first = porta.sends("DID/Updated", &json!({ "number": number })).await;
        until("the first to be looked up", || async {
            let asked = porta.billing.server.received_requests().await?;
            let is_for_a2 = |body: Value| body["params"]["i_account"] == json!(a2.id);
            asked.iter().any(|of| of.body_json().is_ok_and(is_for_a2)).then_some(())
        })
        .await;
        porta.billing.set_did(&number, Some(&a3));
        let second = porta.sends("DID/Updated", &json!({ "number": number })).await;
        scene.completed(&[first, second]).await;
        assert_eq!(scene.holder(&number).await.as_deref(), Some(a3.id.as_str()));
        assert_eq!(holders(&porta.bed.hss.log(), &number), [a1.imsi.as_str(), a2.imsi.as_str(), a3.imsi.as_str()]);
        // Released, and then deleted.
        porta.billing.set_did(&number, None);
        porta.did_updated(&number).await;
        assert_eq!(scene.holder(&number).await, None);
        porta.billing.set_did(&number, Some(&a1));
        porta.did_updated(&number).await;
        porta.billing.records.lock().unwrap().dids.remove(&number);
        porta.done("DID/Deleted", &json!({ "number": number })).await;
        assert_eq!(scene.holder(&number).await, None);
        scene.judge(&[&number]);
        porta.bed.stop().await;
    });
}

/// The life of one account, and the types of events that were sent in it.
struct Life<'a> {
    porta: &'a Porta,
    account: Customer,
    msisdn: String,
    second_number: String,
    sent: RefCell<BTreeSet<String>>,
    /// What the CRM was told so far.
    crm: RefCell<Vec<String>>,
}

impl<'a> Life<'a> {
    fn on(porta: &'a Porta) -> Self {
        let imsi = imsi();
        let account = Customer { id: imsi[5..].trim_start_matches('0').to_owned(), imsi: imsi.clone() };
        let iccid = Some(format!("8901{imsi}"));
        porta.bed.hss.seed(&[Seed { imsi, iccid, sim_only: true, msisdn: None }]).unwrap();
        let (msisdn, second_number) = (number(), number());
        Self { porta, account, msisdn, second_number, sent: RefCell::default(), crm: RefCell::default() }
    }

    /// The account at the billing system, with its usual record but for these parts.
    fn is(&self, more: &Value) {
        let mut record = json!({"msisdn": self.msisdn});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.porta.billing.set_account(&self.account, &record);
    }

    /// Sends an event, and waits until it is processed and the CRM was told these things besides.
    async fn sends(&self, event_type: &str, more: &Value, told: &[String]) {
        let mut variables = json!({"i_account": self.account.id});
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.sent.borrow_mut().insert(event_type.to_owned());
        self.porta.done(event_type, &variables).await;
        self.crm.borrow_mut().extend(told.iter().cloned());
        let expected = self.crm.borrow().clone();
        assert_eq!(self.porta.crm(&self.account, expected.len()).await, expected, "{event_type}");
    }

    /// A new account, at first without a SIM in use.
    async fn begins(&self) {
        self.is(&json!({"sim_info": null}));
        self.sends("Account/New", &json!({}), &[]).await;
        self.sends("Subscriber/Created", &json!({}), &[]).await;
        assert_eq!(self.porta.scene().holder(&self.msisdn).await, None);
        self.is(&json!({}));
        let used = json!({"curr_status": "used", "prev_status": "available", "event_time": "2026-11-01 12:00:00"});
        self.sends("SIM/Created", &used, &["open".to_owned()]).await;
        for again in ["SIM/Updated", "Account/SIMCardAssignment", "Account/ID/Changed"] {
            self.sends(again, &json!({}), &[]).await;
        }
    }

    /// Blocked and suspended, in all spellings.
    async fn is_suspended(&self) {
        for (off, on, as_it_is) in [
            ("Account/Blocked", "Account/Unblocked", json!({"blocked": "Y"})),
            ("Account/Status/Suspend", "Account/Status/Unsuspend", json!({"bill_status": "S"})),
            ("Account/Status/Suspended", "Account/Status/SuspensionRemoved", json!({"bill_status": "S"})),
        ] {
            self.is(&as_it_is);
            self.sends(off, &json!({}), &["status suspended".to_owned()]).await;
            self.is(&json!({}));
            self.sends(on, &json!({}), &["status active".to_owned()]).await;
        }
    }

    async fn gets_products(&self) {
        for (event_type, product, speed) in [
            ("Account/Product/Changed", 2, 50_000),
            ("Account/CustomField/Changed", 1, 10_000),
            ("Account/ServiceAttribute/Changed", 3, 150_000),
            ("Account/ProductAddon/Inserted", 2, 50_000),
            ("Account/ProductAddon/Changed", 3, 150_000),
            ("Account/ProductAddon/Deleted", 1, 10_000),
            ("Subscriber/Updated", 2, 50_000),
        ] {
            self.is(&json!({ "i_product": product }));
            let told = format!("service {{\"ue_ambr_dl\":{speed}}}");
            self.sends(event_type, &json!({}), &[told]).await;
        }
    }

    async fn uses_up_quotas(&self) {
        for of in ["", "Msg/", "Netaccess/"] {
            for what in ["Exceeded", "Expired"] {
                self.sends(&format!("Account/Service/{of}Quota{what}"), &json!({}), &[]).await;
            }
        }
        let texts = || self.porta.bed.sms.log().iter().filter(|of| matches!(of.effect, Effect::SmsSent { .. })).count();
        until("six text messages", || async { (texts() == 6).then_some(()) }).await;
    }

    async fn has_a_second_number_for_a_while(&self) {
        let number = json!({"number": self.second_number});
        let did = |account| self.porta.billing.set_did(&self.second_number, account);
        did(None);
        self.sends("DID/Created", &number, &[]).await;
        did(Some(&self.account));
        self.sends("DID/Updated", &number, &[format!("add {}", self.second_number)]).await;
        did(None);
        self.sends("DID/Deleted", &number, &[format!("remove {}", self.second_number)]).await;
    }

    /// Another SIM, and then none.
    async fn ends(&mut self) {
        self.account.imsi = imsi();
        let seed = Seed { imsi: self.account.imsi.clone(), iccid: None, sim_only: true, msisdn: None };
        self.porta.bed.hss.seed(&[seed]).unwrap();
        self.is(&json!({}));
        let swapped = json!({"curr_status": "used", "prev_status": "available"});
        self.sends("SIM/Replaced", &swapped, &[format!("sim {}", self.account.imsi)]).await;
        self.is(&json!({"bill_status": "C", "sim_info": null}));
        let disposed = json!({"curr_status": "disposed", "prev_status": "used"});
        self.sends("SIM/Deleted", &disposed, &["close".to_owned()]).await;
        self.sends("Subscriber/Deleted", &json!({}), &[]).await;
    }
}

#[test]
fn every_event_of_the_table_takes_its_way() {
    run(async {
        let porta = Porta::start("espf-table").await;
        let mut life = Life::on(&porta);
        let first_sim = life.account.imsi.clone();
        life.begins().await;
        life.is_suspended().await;
        life.gets_products().await;
        life.uses_up_quotas().await;
        life.has_a_second_number_for_a_while().await;
        life.ends().await;
        let scene = porta.scene();
        assert_eq!(scene.holder(&life.msisdn).await, None);
        scene.judge(&[&life.msisdn, &life.second_number]);
        assert_eq!(holders(&porta.bed.hss.log(), &life.msisdn).first(), Some(&first_sim));
        // All others have no effect, and say so.
        let mapping = Mapping::parse(shipped("portaone-espf.toml").unwrap()).unwrap();
        let sent = life.sent.borrow().clone();
        let rest: Vec<&str> = mapping.producer_types().filter(|name| !sent.contains(*name)).collect();
        for event_type in &rest {
            let variables = json!({"i_customer": 1, "i_invoice": 2, "i_account": 3});
            let result = porta.result(&porta.body(event_type, &variables)).await;
            let expected = (&json!("ignored"), &json!("event_ignored"));
            assert_eq!((&result["status"], &result["code"]), expected, "{event_type}");
        }
        assert_eq!(rest.len(), 10, "{rest:?}");
        let unknown = porta.result(&porta.body("Account/Painted", &json!({"i_account": 3}))).await;
        assert_eq!((&unknown["status"], &unknown["code"]), (&json!("rejected"), &json!("event_type_not_mapped")));
        porta.bed.stop().await;
    });
}

#[test]
fn events_wait_while_the_billing_system_is_away_and_keep_their_order() {
    run(async {
        let porta = Porta::start("espf-away").await;
        let scene = porta.scene();
        let (a1, a2, number) = (porta.account(), porta.account(), number());
        porta.billing.answers(503);
        porta.billing.set_did(&number, Some(&a1));
        let mut orders = vec![porta.sends("DID/Updated", &json!({ "number": number })).await];
        porta.billing.set_did(&number, Some(&a2));
        orders.push(porta.sends("DID/Updated", &json!({ "number": number })).await);
        let why = until("the first to say why it waits", || async {
            let waiting = scene.order(&orders[0]).await?["waiting_for"].take();
            waiting["last_failure"].is_string().then_some(waiting)
        })
        .await;
        assert!(why["last_failure"].as_str().unwrap().contains("503"), "{why}");
        let behind = scene.order(&orders[1]).await.unwrap();
        assert_eq!(behind["waiting_for"]["waits_for"], "turn", "{behind}");
        porta.billing.answers(200);
        scene.completed(&orders).await;
        // Only the latest matters: the first found the number at A2 already.
        assert_eq!(holders(&porta.bed.hss.log(), &number), [a2.imsi.as_str()]);
        assert_eq!(scene.holder(&number).await.as_deref(), Some(a2.id.as_str()));
        porta.bed.stop().await;
    });
}

#[test]
fn workers_that_are_killed_lose_and_double_no_event() {
    run_large(async {
        // Worker processes read their settings from a file, and no secret is written there.
        let file = tempfile::NamedTempFile::new().unwrap();
        let api = interlock_adapters::declarative::shipped("portaone-api.toml").unwrap();
        let secret = "kind = \"bearer\"\ntoken = { env = \"PORTABILLING_TOKEN\" }";
        assert!(api.contains(secret));
        std::fs::write(file.path(), api.replace(secret, "kind = \"none\"")).unwrap();
        let mut porta = Porta::start_with("espf-killed", |billing, wanted| {
            let mut of_billing = billing.settings();
            (of_billing.auth, of_billing.file) = (Authentication::None, Some(file.path().to_owned()));
            wanted.targets[0].1 = of_billing;
            wanted.worker_processes = Some(vec![Workload::All]);
        })
        .await;
        let (accounts, numbers) = ([porta.account(), porta.account(), porta.account()], [number(), number()]);
        let mut orders = Vec::new();
        for round in 0..4 {
            for (index, number) in numbers.iter().enumerate() {
                porta.billing.set_did(number, Some(&accounts[(round + index) % accounts.len()]));
                orders.push(porta.sends("DID/Updated", &json!({ "number": number })).await);
            }
            // At another moment of the translation each time.
            tokio::time::sleep(Duration::from_millis(150 * round as u64)).await;
            porta.bed.platform.worker_processes.remove(0).kill().await.unwrap();
            porta.bed.platform.start_worker_process(Workload::All).await.unwrap();
        }
        let scene = porta.scene();
        scene.completed(&orders).await;
        for (index, number) in numbers.iter().enumerate() {
            let last = &accounts[(3 + index) % accounts.len()];
            assert_eq!(scene.holder(number).await.as_deref(), Some(last.id.as_str()));
            let had = holders(&porta.bed.hss.log(), number);
            assert!(had.windows(2).all(|pair| pair[0] != pair[1]) && had.last() == Some(&last.imsi), "{had:?}");
        }
        scene.judge(&[&numbers[0], &numbers[1]]);
        porta.bed.stop().await;
    });
}

#[test]
fn what_cannot_be_translated_waits_for_a_person_who_retries_or_amends_it() {
    run(async {
        let porta = Porta::start("espf-held").await;
        let scene = porta.scene();
        let (account, number, other) = (porta.account(), number(), number());
        let wrong = Customer { imsi: "no-imsi".to_owned(), ..account.clone() };
        porta.billing.set_did(&number, Some(&account));
        porta.billing.set_account(&wrong, &json!({}));
        let order = porta.sends("DID/Updated", &json!({ "number": number })).await;
        let why = porta.held(&order).await;
        assert_eq!(why["code"], "invalid_data", "{why}");
        assert!(why["detail"].as_str().unwrap().contains("imsi"), "{why}");
        porta.billing.set_account(&account, &json!({}));
        porta.acts(&order, &json!({"action": "retry"})).await;
        scene.completed(std::slice::from_ref(&order)).await;
        assert_eq!(scene.holder(&number).await.as_deref(), Some(account.id.as_str()));

        // An error of the API.
        porta.billing.records.lock().unwrap().nonsense =
            vec![json!({"faultcode": "Server.DID.invalid_number", "faultstring": "No such number format"})];
        porta.billing.set_did(&other, Some(&account));
        let order = porta.sends("DID/Updated", &json!({"number": format!("{other}9999999999")})).await;
        let why = porta.held(&order).await;
        assert_eq!(
            (&why["code"], &why["detail"]),
            (&json!("server_did_invalid_number"), &json!("No such number format"))
        );
        let event = json!({"event_type": "DID/Updated", "source": "espf", "kept": {"number": other}});
        porta.acts(&order, &json!({"action": "amend", "data": {"event": event}})).await;
        scene.completed(&[order]).await;
        assert_eq!(scene.holder(&other).await.as_deref(), Some(account.id.as_str()));
        porta.bed.stop().await;
    });
}

#[test]
fn a_body_of_nsps_may_have_a_megabyte_of_which_the_rule_keeps_what_it_needs() {
    run(async {
        let porta = Porta::start("espf-nsps").await;
        let (account, number) = (porta.account(), number());
        porta.billing.set_account(&account, &json!({"msisdn": number}));
        porta.billing.set_did(&number, Some(&account));
        porta.did_updated(&number).await;
        let features: Vec<Value> =
            (0..900).map(|of| json!({"name": format!("f{of}"), "value": "x".repeat(1_000)})).collect();
        let body = json!({
            "event_id": "5f0c7c1e-0000-4000-8000-000000000001",
            "data": porta.body("Account/Blocked", &json!({"i_account": account.id})),
            "pb_data": {
                "account_info": {"i_account": account.id, "blocked": true, "bill_status": "open", "service_features": features},
                "sim_info": {"imsi": account.imsi, "status": "used"},
            },
            "handler_id": "h",
            "status": "queued",
            "created_at": "2026-11-01T12:00:00Z",
        });
        assert!(body.to_string().len() > 900_000);
        let asked = porta.billing.server.received_requests().await.unwrap().len();
        let order = porta.order_of(&body).await;
        porta.scene().completed(&[order]).await;
        assert_eq!(porta.crm(&account, 2).await[1], "status suspended");
        assert_eq!(porta.billing.server.received_requests().await.unwrap().len(), asked, "the event said it all");
        porta.bed.stop().await;
    });
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"], body["code"], "{body}");
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn signed(date: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a shared key").unwrap();
    mac.update(format!("{date}\n{body}").as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[test]
fn only_known_senders_are_heard() {
    run(async {
        let porta = Porta::start("espf-senders").await;
        let body = porta.body("Invoice/Created", &json!({"i_invoice": 1}));
        let post = |tenant: &str| porta.http.post(porta.url(tenant)).json(&body);
        let accepted = StatusCode::ACCEPTED;
        assert_eq!(post(TENANT).basic_auth("anyone", Some("token-to-submit")).send().await.unwrap().status(), accepted);
        assert_eq!(post(TENANT).bearer_auth("token-to-submit").send().await.unwrap().status(), accepted);
        let answered = async |request: reqwest::RequestBuilder| code(request.send().await.unwrap()).await;
        let is = |status: u16, code: &str| (status, code.to_owned());
        assert_eq!(answered(post(TENANT)).await, is(401, "token_missing"));
        assert_eq!(answered(post(TENANT).basic_auth(USER.0, Some("wrong"))).await, is(401, "credentials_unknown"));
        assert_eq!(answered(post("nobody").basic_auth(USER.0, Some(USER.1))).await, is(401, "credentials_unknown"));
        assert_eq!(answered(post(TENANT).bearer_auth("wrong")).await, is(401, "token_unknown"));
        assert_eq!(answered(post(TENANT).bearer_auth("token-to-operate")).await, is(403, "role_forbidden"));
        assert_eq!(answered(post(TENANT).bearer_auth("token-to-elsewhere")).await, is(403, "tenant_forbidden"));
        assert_eq!(answered(post("other").bearer_auth("token-to-elsewhere")).await, is(404, "espf_not_configured"));

        let text = body.to_string();
        let with = |date: &str, signature: String| {
            let request = porta.http.post(porta.url(TENANT)).header("content-type", "application/json");
            request.header("date", date).header("x-signature", signature).body(text.clone())
        };
        let now = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert_eq!(with(&now, signed(&now, &text)).send().await.unwrap().status(), accepted);
        assert_eq!(answered(with(&now, signed(&now, "{}"))).await, is(401, "signature_invalid"));
        let old = "Sun, 01 Mar 2026 12:00:00 GMT";
        assert_eq!(answered(with(old, signed(old, &text))).await, is(401, "signature_expired"));
        assert_eq!(answered(with(&now, signed(old, &text))).await, is(401, "signature_invalid"));

        let invalid = async |body: &str| {
            let request = porta.http.post(porta.url(TENANT)).header("content-type", "application/json; charset=UTF-8");
            code(request.basic_auth(USER.0, Some(USER.1)).body(body.to_owned()).send().await.unwrap()).await
        };
        assert_eq!(invalid("{").await, is(400, "not_json"));
        assert_eq!(invalid("{}").await, is(400, "espf_body_invalid"));
        assert_eq!(
            invalid(r#"{"event_type":"DID/Updated","variables":{"number":"1"}}"#).await,
            is(400, "espf_body_invalid")
        );
        porta.bed.stop().await;
    });
}
