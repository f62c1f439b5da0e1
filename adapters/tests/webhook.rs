//! The receivers of subscriptions: what they get in each format, and what their answers mean.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use interlock_adapters::{
    Adapter, AdapterKind, AdapterRegistry, AddressRule, EspfAccount, TargetSettings, WebhookAdapter,
};
use interlock_domain::ids::{CustomerRef, TargetId};
use interlock_domain::outcome::Outcome;
use interlock_domain::outgoing::OutgoingEvent;
use interlock_domain::subscription::OutgoingFormat;
use serde_json::{Value, json};
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn sender() -> CustomerRef {
    CustomerRef { tenant: "acme".parse().unwrap(), customer: "A1 ü".parse().unwrap() }
}

fn event(event_type: &str, about: &Value) -> OutgoingEvent {
    let id = "6f1b7c1e-3c54-4a7e-8b1e-000000000001";
    let event = json!({"id": id, "type": event_type, "at": 1_700_000_000_000_i64, "about": about});
    serde_json::from_value(event).unwrap()
}

fn held() -> OutgoingEvent {
    let step = json!({"name": "hss.assign_number", "target": "hss", "operation": "assign_number", "state": "held",
        "attempts": 2, "outcome": "unknown_subscriber", "idempotency_key": "6f1b7c1e-3c54-4a7e-8b1e-000000000002"});
    let report = json!({"order_id": "A1%20%C3%BC~6f1b7c1e-3c54-4a7e-8b1e-000000000003", "event_id": "e1",
        "event_type": "number.assigned", "code": "unknown_subscriber", "detail": "no such SIM",
        "due_at": 1_700_000_060_000_i64, "steps": [step],
        "claims": [{"resource": "msisdn/12065551234", "mode": "assign", "state": "held", "epoch": 7}]});
    event("interlock.order.held", &json!({"order": report}))
}

fn granted() -> OutgoingEvent {
    let order = "A1%20%C3%BC~6f1b7c1e-3c54-4a7e-8b1e-000000000003";
    let change = json!({"resource": "msisdn/12065551234", "epoch": 7, "order_id": order});
    event("interlock.lease.granted", &json!({"lease": change}))
}

fn target() -> TargetId {
    "hook".parse().unwrap()
}

fn settings(url: &str, format: OutgoingFormat) -> TargetSettings {
    let mut settings = TargetSettings::new(AdapterKind::Webhook, url.parse().unwrap());
    settings.format = format;
    settings.espf_group = (format == OutgoingFormat::Espf).then(|| "HSS".to_owned());
    settings
}

fn adapter(settings: &TargetSettings) -> Arc<dyn Adapter> {
    AdapterRegistry::from_settings([(&target(), settings)]).unwrap().get(&target()).unwrap()
}

async fn receiver(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(status)).mount(&server).await;
    server
}

/// Delivers an event in this format, and returns the request.
async fn delivered(format: OutgoingFormat, event: &OutgoingEvent, change: fn(&mut TargetSettings)) -> Option<Request> {
    let server = receiver(204).await;
    let mut settings = settings(&format!("{}/hooks?key=1", server.uri()), format);
    change(&mut settings);
    let outcome = adapter(&settings).deliver(&sender(), event).await;
    assert!(outcome.is_effective(), "{outcome:?}");
    server.received_requests().await.unwrap().pop()
}

fn unchanged(_settings: &mut TargetSettings) {}

#[tokio::test]
async fn a_cloud_event_is_structured_json() {
    let request = delivered(OutgoingFormat::CloudEvents, &held(), unchanged).await.unwrap();
    assert_eq!((request.url.path(), request.url.query()), ("/hooks", Some("key=1")));
    assert_eq!(request.headers["content-type"], "application/cloudevents+json");
    assert!(!request.headers.contains_key("webhook-signature"), "without a key nothing is signed");
    let event: Value = request.body_json().unwrap();
    for (attribute, value) in [
        ("specversion", "1.0"),
        ("id", "6f1b7c1e-3c54-4a7e-8b1e-000000000001"),
        ("source", "/interlock/acme"),
        ("type", "interlock.order.held"),
        ("subject", "A1 ü"),
        ("time", "2023-11-14T22:13:20.000Z"),
    ] {
        assert_eq!(event[attribute], value, "{attribute}");
    }
    let data = &event["data"];
    assert_eq!(
        (&data["state"], &data["code"], &data["type"]),
        (&json!("held"), &json!("unknown_subscriber"), &json!("number.assigned"))
    );
    assert_eq!(data["due_at"], "2023-11-14T22:14:20.000Z");
    assert_eq!(data["steps"][0]["idempotency_key"], "6f1b7c1e-3c54-4a7e-8b1e-000000000002");
    assert_eq!(data["claims"][0]["resource"], "msisdn/12065551234");
}

#[tokio::test]
async fn in_binary_mode_the_attributes_are_headers() {
    let request = delivered(OutgoingFormat::CloudEventsBinary, &granted(), unchanged).await.unwrap();
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["ce-type"], "interlock.lease.granted");
    assert_eq!(request.headers["ce-subject"], "A1%20%C3%BC");
    let data: Value = request.body_json().unwrap();
    assert_eq!((&data["customer_id"], &data["epoch"]), (&json!("A1 ü"), &json!(7)));
}

#[tokio::test]
async fn tmf641_has_a_state_change_and_a_jeopardy_event_and_no_leases() {
    let request = delivered(OutgoingFormat::Tmf641, &held(), unchanged).await.unwrap();
    let event: Value = request.body_json().unwrap();
    assert_eq!(event["eventType"], "ServiceOrderStateChangeEvent");
    let order = &event["event"]["serviceOrder"];
    assert_eq!((&order["state"], &order["externalId"]), (&json!("held"), &json!("e1")));
    assert_eq!(order["errorMessage"][0]["reason"], "no such SIM");
    assert_eq!(order["serviceOrderItem"][0]["state"], "held");
    let overdue =
        OutgoingEvent { event_type: serde_json::from_value(json!("interlock.order.overdue")).unwrap(), ..held() };
    let event: Value = delivered(OutgoingFormat::Tmf641, &overdue, unchanged).await.unwrap().body_json().unwrap();
    assert_eq!(
        (&event["eventType"], &event["event"]["serviceOrder"]["state"]),
        (&json!("ServiceOrderJeopardyEvent"), &json!("inProgress"))
    );
    assert!(delivered(OutgoingFormat::Tmf641, &granted(), unchanged).await.is_none());
}

#[tokio::test]
async fn espf_gets_a_form_at_the_path_of_the_account() {
    let request = delivered(OutgoingFormat::Espf, &held(), unchanged).await.unwrap();
    assert_eq!(request.url.path(), "/hooks/account/i/A1%20%C3%BC/status");
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    let form = String::from_utf8(request.body).unwrap();
    assert!(form.starts_with("status=RETRY&group=HSS&message=number.assigned"), "{form}");
    let by_id = delivered(OutgoingFormat::Espf, &held(), |settings| settings.espf_account = EspfAccount::Id).await;
    assert_eq!(by_id.unwrap().url.path(), "/hooks/account/A1%20%C3%BC/status");
    let error = WebhookAdapter::new(
        &target(),
        &TargetSettings { espf_group: None, ..settings("http://x/", OutgoingFormat::Espf) },
    );
    assert_eq!(error.err().unwrap().code(), "setting_invalid");
}

#[tokio::test]
async fn each_answer_means_taken_gone_or_again() {
    for (status, class) in [
        (200, "done"),
        (202, "done"),
        (204, "done"),
        (301, "unavailable"),
        (400, "transient"),
        (401, "unavailable"),
        (403, "unavailable"),
        (404, "unavailable"),
        (409, "transient"),
        (410, "permanent"),
        (422, "transient"),
        (429, "throttled"),
        (500, "unavailable"),
        (503, "unavailable"),
    ] {
        let server = receiver(status).await;
        let outcome = adapter(&settings(&server.uri(), OutgoingFormat::CloudEvents)).deliver(&sender(), &held()).await;
        assert_eq!(outcome.class(), class, "{status}: {outcome:?}");
        if status == 410 {
            assert!(
                matches!(&outcome, Outcome::Permanent { code, .. } if *code == "subscription_ended"),
                "{outcome:?}"
            );
        }
    }
    let nobody = adapter(&settings("http://127.0.0.1:1/", OutgoingFormat::CloudEvents));
    assert_eq!(nobody.deliver(&sender(), &held()).await.class(), "unavailable");
    let slow = MockServer::start().await;
    let late = ResponseTemplate::new(204).set_delay(Duration::from_secs(5));
    Mock::given(any()).respond_with(late).mount(&slow).await;
    let mut hasty = settings(&slow.uri(), OutgoingFormat::CloudEvents);
    hasty.timeout = Duration::from_millis(200);
    assert_eq!(adapter(&hasty).deliver(&sender(), &held()).await.class(), "unavailable", "it is sent again");
}

#[tokio::test]
async fn a_receiver_is_up_unless_it_says_otherwise() {
    for (status, is_up) in
        [(200, true), (404, true), (405, true), (501, true), (500, false), (503, false), (401, false)]
    {
        let server = MockServer::start().await;
        Mock::given(method("OPTIONS")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
        let up = adapter(&settings(&server.uri(), OutgoingFormat::CloudEvents)).health().await;
        assert_eq!(up.is_ok(), is_up, "{status}");
        let asked = server.received_requests().await.unwrap();
        assert_eq!((&asked[0].method, asked.len()), (&Method::OPTIONS, 1));
    }
}

#[tokio::test]
async fn a_receiver_of_a_tenant_has_no_inner_address_whatever_its_name_says() {
    let server = receiver(204).await;
    let port = server.address().port();
    let rule = AddressRule::default;
    let literal = settings(&server.uri(), OutgoingFormat::CloudEvents);
    let refused = WebhookAdapter::within(&target(), &literal, rule()).err().unwrap();
    assert_eq!(refused.code(), "callback_forbidden");
    let named = settings(&format!("http://localhost:{port}/"), OutgoingFormat::CloudEvents);
    let adapter = WebhookAdapter::within(&target(), &named, rule()).unwrap();
    assert_eq!(adapter.deliver(&sender(), &held()).await.class(), "unavailable");
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    let allowed = AddressRule::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let adapter = WebhookAdapter::within(&target(), &named, allowed).unwrap();
    assert_eq!(adapter.deliver(&sender(), &held()).await, Outcome::Done);
}
