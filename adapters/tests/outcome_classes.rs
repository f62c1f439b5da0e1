//! The outcome of each kind of answer, and of a missing answer, for both adapters.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use interlock_adapters::{
    Adapter, AdapterKind, Authentication, Call, JsonHttpAdapter, OnAmbiguous, PyhssAdapter, TargetSettings,
    Verification,
};
use interlock_domain::ids::{Epoch, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use uuid::Uuid;
use wiremock::matchers::{any, header, method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

const IMSI: &str = "001010000000001";

fn settings(kind: AdapterKind, base_url: &str) -> TargetSettings {
    let mut settings = TargetSettings::new(kind, base_url.parse().unwrap());
    settings.timeout = Duration::from_millis(300);
    settings
}

fn json_adapter(base_url: &str) -> JsonHttpAdapter {
    JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings(AdapterKind::Json, base_url)).unwrap()
}

fn pyhss_adapter(base_url: &str) -> PyhssAdapter {
    PyhssAdapter::new(&"hss".parse().unwrap(), &settings(AdapterKind::Pyhss, base_url)).unwrap()
}

fn call(operation: &str, data: Value) -> Call {
    let Value::Object(data) = data else { panic!("the data of a call is an object") };
    Call {
        tenant: "default".parse().unwrap(),
        order: "A1~6f9619ff-8b86-5011-b42d-00cf4fc964ff".parse().unwrap(),
        target: "crm".parse().unwrap(),
        operation: operation.to_owned(),
        data,
        idempotency_key: Uuid::new_v4(),
        epoch: Some(Epoch(7)),
        epochs: BTreeMap::from([("msisdn/1".parse().unwrap(), Epoch(7))]),
        attempt: 1,
        callback_url: None,
        timeout: Duration::from_secs(5),
    }
}

fn add_number() -> Call {
    call("add_number", json!({"imsi": IMSI, "msisdn": "12065551234"}))
}

fn disable() -> Call {
    call("set_enabled", json!({"imsi": IMSI, "enabled": false}))
}

/// The outcome of an answer at the JSON adapter.
async fn json_outcome(answer: ResponseTemplate) -> Outcome {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    json_adapter(&server.uri()).call(&add_number()).await
}

/// The outcome of an answer to a write at the PyHSS adapter, if the row is unchanged.
async fn pyhss_outcome(answer: ResponseTemplate) -> Outcome {
    let server = MockServer::start().await;
    let row = json!({"subscriber_id": 5, "auc_id": 1, "imsi": IMSI, "msisdn": IMSI, "enabled": true});
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_json(row)).mount(&server).await;
    Mock::given(method("PATCH")).respond_with(answer).mount(&server).await;
    pyhss_adapter(&server.uri()).call(&disable()).await
}

fn failed(reason: &str) -> Value {
    json!({"result": "Failed", "reason": reason})
}

fn described(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Permanent { code, .. } => format!("permanent {code}"),
        Outcome::InUse { holder } => format!("in_use {}", holder.as_deref().unwrap_or("?")),
        Outcome::Throttled { retry_after_ms, .. } => format!("throttled {retry_after_ms:?}"),
        Outcome::Unavailable { cause: Some(cause), .. } => format!("unavailable {cause}"),
        other => other.class().to_owned(),
    }
}

/// An address without a listener.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A server that reads a request, then does with the connection what `rest` does.
async fn rude(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_json_targets_answers_have_their_classes() {
    let with = |status: u16, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let cases = [
        (with(200, json!({})), "done"),
        (ResponseTemplate::new(204), "done"),
        (with(200, json!({"status": "already_done"})), "already_done"),
        (with(202, json!({})), "ambiguous"),
        (with(409, json!({"code": "already_done"})), "already_done"),
        (with(409, json!({"code": "in_use", "holder": "A1"})), "in_use A1"),
        (with(409, json!({"code": "in_progress"})), "ambiguous"),
        (with(409, json!({"code": "stale_epoch"})), "permanent stale_epoch"),
        (with(400, json!({"code": "unknown_number", "detail": "no"})), "permanent unknown_number"),
        (with(422, json!({"code": "Not A Code"})), "permanent http_422"),
        (ResponseTemplate::new(403), "permanent http_403"),
        (ResponseTemplate::new(401), "unavailable credentials_rejected"),
        (ResponseTemplate::new(408), "transient"),
        (ResponseTemplate::new(425), "transient"),
        (ResponseTemplate::new(429).insert_header("retry-after", "7"), "throttled Some(7000)"),
        (ResponseTemplate::new(429), "throttled None"),
        (ResponseTemplate::new(503).insert_header("retry-after", "7"), "unavailable"),
        (ResponseTemplate::new(500), "ambiguous"),
        (ResponseTemplate::new(502), "ambiguous"),
        (ResponseTemplate::new(504), "ambiguous"),
        (ResponseTemplate::new(501), "permanent http_501"),
        (ResponseTemplate::new(303), "ambiguous"),
    ];
    for (answer, expected) in cases {
        let name = format!("{answer:?}");
        assert_eq!(described(&json_outcome(answer).await), expected, "{name}");
    }
}

#[tokio::test]
async fn a_pyhss_write_has_its_class() {
    let with = |status: u16, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let row = |id: i64| json!({"subscriber_id": id, "imsi": IMSI, "enabled": false});
    let cases = [
        (with(200, row(5)), "done"),
        // A wrong row or none, and the row is unchanged: nothing was done.
        (with(200, row(6)), "transient"),
        (with(200, Value::Null), "transient"),
        (with(400, failed("A database operational error occurred: database is locked")), "transient"),
        (
            with(400, failed("A database integrity error occurred: UNIQUE constraint failed")),
            "permanent refused_by_target",
        ),
        (with(400, failed("A database integrity error occurred: NOT NULL constraint")), "permanent refused_by_target"),
        (with(500, failed("An internal server error occurred: no attribute")), "permanent refused_by_target"),
        (with(401, json!({"Result": "Unauthorized - Provisioning-Key Invalid"})), "unavailable credentials_rejected"),
        (ResponseTemplate::new(404), "unavailable"),
        (ResponseTemplate::new(429).insert_header("retry-after", "2"), "throttled Some(2000)"),
        (ResponseTemplate::new(503), "unavailable"),
        (ResponseTemplate::new(502), "ambiguous"),
        (ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"), "unavailable redirected"),
    ];
    for (answer, expected) in cases {
        let name = format!("{answer:?}");
        assert_eq!(described(&pyhss_outcome(answer).await), expected, "{name}");
    }
}

#[tokio::test]
async fn a_failed_look_up_changes_nothing_and_is_retried() {
    let reason = failed("A database operational error occurred: database is locked");
    for (answer, expected) in [
        (ResponseTemplate::new(400).set_body_json(reason.clone()), "transient"),
        // The look-ups of ims_subscriber wrap their errors in this way.
        (ResponseTemplate::new(400).set_body_json(json!([reason, 400])), "transient"),
        (ResponseTemplate::new(500), "transient"),
        (ResponseTemplate::new(404), "unavailable"),
        (ResponseTemplate::new(200).set_body_string("<html>"), "unavailable"),
        (ResponseTemplate::new(200).set_delay(Duration::from_secs(5)).set_body_json(Value::Null), "unavailable"),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(answer).mount(&server).await;
        Mock::given(method("PATCH")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
        assert_eq!(described(&pyhss_adapter(&server.uri()).call(&disable()).await), expected);
    }
}

#[tokio::test]
async fn a_refused_connection_is_unavailable_since_nothing_was_sent() {
    let nowhere = nowhere().await;
    assert_eq!(described(&json_adapter(&nowhere).call(&add_number()).await), "unavailable");
    assert_eq!(described(&pyhss_adapter(&nowhere).call(&disable()).await), "unavailable");
    assert!(json_adapter(&nowhere).health().await.is_err());
}

#[tokio::test]
async fn a_time_out_a_cut_connection_and_half_an_answer_are_ambiguous() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    assert_eq!(described(&json_outcome(slow.clone()).await), "ambiguous");
    assert_eq!(described(&pyhss_outcome(slow).await), "ambiguous");
    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"] {
        assert_eq!(described(&json_adapter(&rude(answer).await).call(&add_number()).await), "ambiguous");
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let elsewhere = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).expect(0).mount(&elsewhere).await;
    for status in [301, 302, 307, 308] {
        let redirect = ResponseTemplate::new(status).insert_header("location", elsewhere.uri());
        assert_eq!(described(&json_outcome(redirect).await), "unavailable redirected", "{status}");
    }
}

#[tokio::test]
async fn no_write_is_begun_after_the_attempts_time() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    let mut late = add_number();
    late.timeout = Duration::ZERO;
    assert_eq!(described(&json_adapter(&server.uri()).call(&late).await), "transient");
    let mut late = disable();
    late.timeout = Duration::ZERO;
    assert_eq!(described(&pyhss_adapter(&server.uri()).call(&late).await), "transient");
}

#[tokio::test]
async fn a_json_call_carries_key_epoch_and_credentials() {
    let server = MockServer::start().await;
    let call = add_number();
    Mock::given(method("POST"))
        .and(path("/add_number"))
        .and(header("idempotency-key", call.idempotency_key.to_string()))
        .and(header("x-interlock-epoch", "7"))
        .and(header("authorization", "Basic aW50ZXJsb2NrOm9wZW4="))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .expect(1)
        .mount(&server)
        .await;
    let mut settings = settings(AdapterKind::Json, &server.uri());
    settings.auth = Authentication::Basic { username: "interlock".to_owned(), password: "open".into() };
    let adapter = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
    assert_eq!(adapter.call(&call).await, Outcome::Done);
    let body: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(body["tenant"], "default");
    assert_eq!(body["data"]["msisdn"], "12065551234");
    assert_eq!((&body["epoch"], &body["epochs"]["msisdn/1"]), (&json!(7), &json!(7)));
}

#[tokio::test]
async fn a_json_target_is_asked_what_it_carried_out() {
    for (answer, expected) in [
        (ResponseTemplate::new(200).set_body_json(json!({"applied": true})), "applied"),
        (ResponseTemplate::new(200).set_body_json(json!({"applied": false})), "not_applied"),
        (ResponseTemplate::new(404), "unclear"),
        (ResponseTemplate::new(503), "unclear"),
    ] {
        let server = MockServer::start().await;
        Mock::given(path_regex("^/operations/")).respond_with(answer).mount(&server).await;
        let verification = json_adapter(&server.uri()).verify(&add_number()).await;
        assert_eq!(serde_json::to_value(&verification).unwrap()["verification"], expected);
    }
    let unreachable = json_adapter(&nowhere().await).verify(&add_number()).await;
    assert!(matches!(unreachable, Verification::Unclear { .. }));
}

#[tokio::test]
async fn a_json_target_is_asked_who_has_a_resource() {
    let server = MockServer::start().await;
    let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    Mock::given(path("/holders/ip/10.0.0.1")).respond_with(answer(json!({"holder": "A1"}))).mount(&server).await;
    Mock::given(path("/holders/ip/10.0.0.2")).respond_with(answer(json!({"holder": null}))).mount(&server).await;
    let adapter = json_adapter(&server.uri());
    let ask = async |ip: &str| adapter.find_holder(&TenantId::default(), &format!("ip/{ip}").parse().unwrap()).await;
    assert_eq!(ask("10.0.0.1").await, Ok(HolderAnswer::TargetIdentity { target_identity: "A1".to_owned() }));
    assert_eq!(ask("10.0.0.2").await, Ok(HolderAnswer::Nobody));
    assert_eq!(described(&ask("10.0.0.3").await.unwrap_err()), "permanent http_404");
}

#[tokio::test]
async fn a_step_that_cannot_be_read_back_is_resent_or_held() {
    let mut settings = settings(AdapterKind::Json, "http://127.0.0.1:1");
    let policy = |settings: &TargetSettings| {
        JsonHttpAdapter::new(&"crm".parse().unwrap(), settings).unwrap().capabilities("add_number").on_ambiguous
    };
    assert_eq!(policy(&settings), OnAmbiguous::Verify);
    settings.verify = false;
    assert_eq!(policy(&settings), OnAmbiguous::Resend);
    settings.idempotency_keys = false;
    assert_eq!(policy(&settings), OnAmbiguous::Hold);
}
