//! What a target would be asked, for each kind of adapter; and that a target is then asked just that.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use interlock_adapters::rehearsal::Registered;
use interlock_adapters::sandbox::{self, Received, Sandbox, SandboxOptions, Seed};
use interlock_adapters::{Adapter, AdapterKind, Authentication, Call, PyhssAdapter, Secret, TargetSettings, rehearsal};
use interlock_domain::customer::FORESEEN_EPOCH;
use interlock_domain::ids::{Epoch, TargetId};
use interlock_domain::outcome::Outcome;
use interlock_domain::views::RequestView;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

const IMSI: &str = "001010000000001";
const OTHER_IMSI: &str = "001010000000002";
const NUMBER: &str = "12065550100";
const ICCID: &str = "8944100000000000001";

/// The file of a declarative target.
const ADAPTER_FILE: &str = r#"
describes = "a CRM"
[auth]
kind = "header"
name = "x-api-key"
value = { env = "INTERLOCK_NO_SUCH_VARIABLE" }
[operations.add_number.lookup]
method = "GET"
path = "people"
query = { id = "{{ order.customer_id }}" }
bind = { row = "/0/id" }
responses = [{ status = 200, body = { pointer = "/0/id", present = true }, class = "found" }, { status = 200, class = "absent" }, { class = "unavailable" }]
[operations.add_number.if_found]
method = "PATCH"
path = "people/{{ found.row }}"
headers = { X-Epoch = "{{ epoch }}" }
body = { phone = "{{ data.msisdn }}", epoch = "{{ epoch }}" }
responses = [{ status = 200, class = "done" }, { class = "ambiguous" }]
[operations.add_number.if_absent]
method = "POST"
path = "people"
form = { phone = "{{ data.msisdn }}" }
responses = [{ status = 201, class = "done" }, { class = "ambiguous" }]
"#;

fn call(operation: &str, data: &Value) -> Call {
    Call {
        tenant: "default".parse().unwrap(),
        order: "A1~6f9619ff-8b86-5011-b42d-00cf4fc964ff".parse().unwrap(),
        target: "hss".parse().unwrap(),
        operation: operation.to_owned(),
        data: data.as_object().cloned().unwrap(),
        idempotency_key: Uuid::new_v5(&Uuid::NAMESPACE_URL, operation.as_bytes()),
        epoch: Some(FORESEEN_EPOCH),
        epochs: BTreeMap::from([("msisdn/12065550100".parse().unwrap(), FORESEEN_EPOCH)]),
        attempt: 1,
        callback_url: None,
        timeout: Duration::from_secs(5),
    }
}

fn target(name: &str) -> TargetId {
    name.parse().unwrap()
}

async fn of_one(settings: &TargetSettings, of: &Call) -> Vec<RequestView> {
    rehearsal::requests(&target("hss"), settings, &[], std::slice::from_ref(of)).await.remove(0).unwrap()
}

/// A request with row ids written as their columns.
#[derive(Debug, PartialEq)]
struct Asked {
    method: String,
    path: String,
    body: Value,
}

fn forecast(request: &RequestView) -> Asked {
    let url: Url = request.url.parse().unwrap();
    let path = url.path().replace("%7B", "{").replace("%7D", "}");
    Asked { method: request.method.clone(), path, body: request.body.clone().unwrap_or_default() }
}

/// The same of a request that a target got. Row ids are small numbers at the end of the path, and in fields that are named so.
fn received(request: &Received) -> Asked {
    let segments = request.path.split('/').collect::<Vec<_>>();
    let path = match segments.as_slice() {
        ["", table, id] if !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("/{table}/{{{table}_id}}")
        }
        _ => request.path.clone(),
    };
    let mut body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        for (name, value) in fields.iter_mut().filter(|(name, value)| name.ends_with("_id") && value.is_i64()) {
            *value = format!("{{{name}}}").into();
        }
    }
    Asked { method: request.method.clone(), path, body }
}

/// A worker also reads whole tables at times, whatever the order: it remembers in which rows numbers are.
fn is_of_the_order(asked: &Asked) -> bool {
    !asked.path.ends_with("/list")
}

async fn hss(seeds: &[Seed]) -> Sandbox {
    let hss = sandbox::hss(SandboxOptions::default()).await.unwrap();
    hss.seed(seeds).unwrap();
    hss
}

fn sim(imsi: &str) -> Seed {
    Seed { imsi: imsi.to_owned(), iccid: Some(ICCID.to_owned()), sim_only: true, msisdn: None }
}

fn subscriber(imsi: &str, msisdn: Option<&str>) -> Seed {
    Seed { imsi: imsi.to_owned(), msisdn: msisdn.map(str::to_owned), ..Seed::default() }
}

#[tokio::test]
async fn pyhss_is_asked_just_what_was_forecast_for_every_operation() {
    let number = json!({"imsi": IMSI, "msisdn": NUMBER});
    let cases: Vec<(Vec<Seed>, &str, Value)> = vec![
        (vec![sim(IMSI)], "create_subscriber", json!({"imsi": IMSI, "iccid": ICCID, "profile": "default"})),
        (vec![subscriber(IMSI, None)], "assign_number", number.clone()),
        (vec![subscriber(IMSI, Some(NUMBER))], "release_number", number),
        (vec![subscriber(IMSI, None)], "remove_subscriber", json!({"imsi": IMSI})),
        (vec![subscriber(IMSI, None)], "set_enabled", json!({"imsi": IMSI, "enabled": false})),
        (Vec::new(), "set_enabled", json!({"imsi": IMSI, "enabled": true})),
        (vec![subscriber(IMSI, None)], "update_service", json!({"imsi": IMSI, "settings": {"roaming_enabled": false}})),
        (
            vec![subscriber(IMSI, Some(NUMBER)), sim(OTHER_IMSI)],
            "swap_sim",
            json!({"old_imsi": IMSI, "new_imsi": OTHER_IMSI, "msisdn": NUMBER}),
        ),
    ];
    for (seeds, operation, data) in cases {
        let hss = hss(&seeds).await;
        let settings = TargetSettings::new(AdapterKind::Pyhss, hss.base_url().parse().unwrap());
        let call = call(operation, &data);
        let adapter = PyhssAdapter::new(&target("hss"), &settings).unwrap();
        if seeds.is_empty() {
            // A subscriber that was disabled before.
            hss.seed(&[subscriber(IMSI, None)]).unwrap();
            let disabled = json!({"imsi": IMSI, "enabled": false});
            adapter.call(&self::call("set_enabled", &disabled)).await;
        }
        let before = hss.received().len();
        let forecast: Vec<Asked> =
            of_one(&settings, &call).await.iter().map(forecast).filter(is_of_the_order).collect();
        let made = adapter.call(&call).await;
        assert_eq!(made, Outcome::Done, "{operation}");
        let received: Vec<Asked> = hss.received()[before..].iter().map(received).filter(is_of_the_order).collect();
        assert_eq!(forecast, received, "{operation}");
    }
}

#[tokio::test]
async fn the_calls_of_one_order_are_rehearsed_one_after_the_other() {
    let settings = TargetSettings::new(AdapterKind::Pyhss, "http://127.0.0.1:9".parse().unwrap());
    let calls = [
        call("create_subscriber", &json!({"imsi": IMSI, "iccid": ICCID, "profile": "default"})),
        call("assign_number", &json!({"imsi": IMSI, "msisdn": NUMBER})),
    ];
    let both = rehearsal::requests(&target("hss"), &settings, &[], &calls).await;
    let writes = |requests: &Result<Vec<RequestView>, String>| {
        requests.as_ref().unwrap().iter().filter(|request| !request.reads).count()
    };
    assert_eq!((writes(&both[0]), writes(&both[1])), (1, 2), "{both:#?}");
}

#[tokio::test]
async fn secrets_are_hidden_and_not_read_and_epochs_that_are_not_known_have_a_name() {
    let secret = || serde_json::from_value::<Secret>(json!({"env": "INTERLOCK_NO_SUCH_VARIABLE"})).unwrap();
    let with = |auth: Authentication, kind| {
        let mut settings = TargetSettings::new(kind, "http://127.0.0.1:9/api".parse().unwrap());
        settings.auth = auth;
        settings
    };
    let key = with(Authentication::ProvisioningKey { key: secret() }, AdapterKind::Pyhss);
    let requests = of_one(&key, &call("set_enabled", &json!({"imsi": IMSI, "enabled": true}))).await;
    assert!(requests.iter().all(|request| request.headers["provisioning-key"] == "[hidden]"), "{requests:#?}");
    let bearer = with(Authentication::Bearer { token: secret() }, AdapterKind::Json);
    let requests = of_one(&bearer, &call("open_account", &json!({"imsi": IMSI}))).await;
    let [request] = requests.as_slice() else { panic!("{requests:#?}") };
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "http://127.0.0.1:9/api/open_account"));
    assert_eq!((request.headers["authorization"].as_str(), request.reads), ("[hidden]", false));
    assert_eq!(request.headers["x-interlock-epoch"], "{epoch}");
    let body = request.body.as_ref().unwrap();
    assert_eq!((&body["epoch"], &body["data"]), (&json!("{epoch}"), &json!({"imsi": IMSI})));
    let known = Call { epoch: Some(Epoch(7)), ..call("open_account", &json!({"imsi": IMSI})) };
    assert_eq!(of_one(&bearer, &known).await[0].body.as_ref().unwrap()["epoch"], json!(7));
}

#[tokio::test]
async fn a_release_at_a_json_target_is_confirmed() {
    let mut settings = TargetSettings::new(AdapterKind::Json, "http://127.0.0.1:9/".parse().unwrap());
    settings.releases.insert("remove_number".to_owned());
    settings.success = Some(json!({"body": [{"pointer": "/result", "equals": "OK"}]}));
    let requests = of_one(&settings, &call("remove_number", &json!({"msisdn": NUMBER}))).await;
    let asked: Vec<(&str, bool)> = requests.iter().map(|request| (request.url.as_str(), request.reads)).collect();
    let expected =
        [("http://127.0.0.1:9/remove_number", false), ("http://127.0.0.1:9/holders/msisdn/12065550100", true)];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn both_branches_after_a_look_up_of_a_declarative_target_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.toml");
    std::fs::write(&file, ADAPTER_FILE).unwrap();
    let mut settings = TargetSettings::new(AdapterKind::Declarative, "http://127.0.0.1:9/v2".parse().unwrap());
    settings.file = Some(file);
    let requests = of_one(&settings, &call("add_number", &json!({"msisdn": NUMBER}))).await;
    let shown: Vec<_> = requests
        .iter()
        .map(|request| (request.method.as_str(), request.url.as_str(), request.reads, request.only_if.as_deref()))
        .collect();
    let expected = [
        ("GET", "http://127.0.0.1:9/v2/people?id=A1", true, None),
        ("PATCH", "http://127.0.0.1:9/v2/people/%7Brow%7D", false, Some("the look-up finds it")),
        ("POST", "http://127.0.0.1:9/v2/people", false, Some("the look-up finds nothing")),
    ];
    assert_eq!(shown, expected);
    assert!(requests.iter().all(|request| request.headers["x-api-key"] == "[hidden]"), "{requests:#?}");
    assert_eq!(requests[1].headers["x-epoch"], "{epoch}");
    assert_eq!(requests[1].body, Some(json!({"phone": NUMBER, "epoch": "{epoch}"})));
    assert_eq!(requests[2].body, Some(json!(format!("phone={NUMBER}"))));
}

#[tokio::test]
async fn what_is_not_known_is_said_and_nothing_is_made_up() {
    let hss = TargetSettings::new(AdapterKind::Pyhss, "http://127.0.0.1:9".parse().unwrap());
    let why = |settings: TargetSettings, of: Call| async move {
        rehearsal::requests(&target("hss"), &settings, &[], &[of]).await.remove(0).unwrap_err()
    };
    assert_eq!(why(TargetSettings::external(), call("x", &json!({}))).await, "another program serves this target");
    let unknown = why(hss.clone(), call("fly", &json!({}))).await;
    assert!(unknown.contains("does not have the operation 'fly'"), "{unknown}");
    let missing = why(hss, call("assign_number", &json!({"imsi": IMSI}))).await;
    assert!(missing.contains("msisdn"), "{missing}");
}

#[tokio::test]
async fn a_second_number_joins_the_row_of_the_first_one() {
    let settings = TargetSettings::new(AdapterKind::Pyhss, "http://127.0.0.1:9".parse().unwrap());
    let has = Registered { imsi: IMSI.to_owned(), msisdn: "12065550199".to_owned() };
    let assign = call("assign_number", &json!({"imsi": IMSI, "msisdn": NUMBER}));
    let requests = rehearsal::requests(&target("hss"), &settings, &[has], &[assign]).await.remove(0).unwrap();
    let writes: Vec<Asked> = requests.iter().filter(|request| !request.reads).map(forecast).collect();
    let body = json!({"msisdn_list": format!("12065550199,{NUMBER}")});
    let expected = Asked { method: "PATCH".to_owned(), path: "/ims_subscriber/{ims_subscriber_id}".to_owned(), body };
    assert_eq!(writes, [expected]);
}

#[tokio::test]
async fn credentials_in_the_url_of_a_target_are_hidden_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.toml");
    std::fs::write(&file, ADAPTER_FILE).unwrap();
    let kinds = [
        (AdapterKind::Pyhss, "set_enabled"),
        (AdapterKind::Json, "set_enabled"),
        (AdapterKind::Declarative, "add_number"),
    ];
    for (kind, operation) in kinds {
        let url = "http://interlock:hush@127.0.0.1:9/api?key=hush".parse().unwrap();
        let settings = TargetSettings { file: Some(file.clone()), ..TargetSettings::new(kind, url) };
        let requests =
            of_one(&settings, &call(operation, &json!({"imsi": IMSI, "enabled": true, "msisdn": NUMBER}))).await;
        assert!(!json!(requests).to_string().contains("hush"), "{requests:#?}");
        for request in &requests {
            assert!(
                request.url.starts_with("http://127.0.0.1:9/api") && request.url.contains("key=%5Bhidden%5D"),
                "{request:#?}"
            );
            assert_eq!(request.headers["authorization"], "[hidden]");
        }
    }
}
