use std::collections::HashMap;

use interlock_settings::{CodecSettings, KeySource};
use serde_json::{Value, json};

use super::*;

const KEYS: [(&str, &str); 2] =
    [("1", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="), ("2", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=")];

/// A ring with this one of the keys `1` and `2`.
fn ring(id: &str) -> KeyRing {
    let keys = KEYS.into_iter().filter(|(known, _)| *known == id);
    let settings = CodecSettings {
        current_key: Some(id.parse().unwrap()),
        keys: keys.map(|(id, key)| (id.parse().unwrap(), KeySource::Inline(key.into()))).collect(),
        encrypt: true,
        ..CodecSettings::default()
    };
    KeyRing::from_settings(&settings).unwrap()
}

fn payload(text: &str) -> Payload {
    let metadata = HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]);
    Payload { metadata, data: text.as_bytes().to_vec(), ..Payload::default() }
}

async fn server(tokens: &[&str]) -> HttpService {
    let token = |token: &&str| CodecToken { token: (*token).into(), name: None };
    let settings = CodecServerSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        cors_origins: vec!["https://temporal.example".to_owned()],
        tokens: tokens.iter().map(token).collect(),
    };
    start(Arc::new(ring("1")), &settings, &HttpSettings::default(), LoopbackOrigin::default()).await.unwrap()
}

fn request(method: reqwest::Method, url: String) -> reqwest::RequestBuilder {
    interlock_adapters::install_crypto_provider();
    reqwest::Client::builder().no_proxy().build().unwrap().request(method, url)
}

fn post(url: String, body: &Value) -> reqwest::RequestBuilder {
    request(Method::POST, url).json(body).header("X-Namespace", "default")
}

fn encrypted() -> Value {
    let payload = ring("1").encrypt(payload("{\"msisdn\":\"1206\"}")).unwrap();
    json!({"payloads": [serde_json::to_value(WrittenPayload::of(&payload)).unwrap()]})
}

async fn code(answer: reqwest::Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone())
}

#[tokio::test]
async fn payloads_are_decrypted_and_encrypted_as_temporals_protocol_says() {
    let server = server(&[]).await;
    for path in ["/decode", "/default/decode"] {
        let answer = post(server.url() + path, &encrypted()).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        // As in the protocol's documentation: all bytes in base64.
        let plain =
            json!({"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "eyJtc2lzZG4iOiIxMjA2In0="}]});
        assert_eq!(body, plain);
        let again: Value = post(server.url() + "/encode", &plain).send().await.unwrap().json().await.unwrap();
        assert_eq!(again["payloads"][0]["metadata"]["encoding"], "YmluYXJ5L2VuY3J5cHRlZA==");
        let back: Value = post(server.url() + "/decode", &again).send().await.unwrap().json().await.unwrap();
        assert_eq!(back, plain);
    }
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_told_by_its_code() {
    let server = server(&[]).await;
    let of_other = ring("2").encrypt(payload("1")).unwrap();
    let body = json!({"payloads": [serde_json::to_value(WrittenPayload::of(&of_other)).unwrap()]});
    let answer = post(server.url() + "/decode", &body).send().await.unwrap();
    assert_eq!(code(answer).await, (400, json!("codec_key_unknown")));
    let mut damaged = encrypted();
    damaged["payloads"][0]["data"] = "AAAA".into();
    let answer = post(server.url() + "/decode", &damaged).send().await.unwrap();
    assert_eq!(code(answer).await, (400, json!("codec_payload_unreadable")));
    let answer = post(server.url() + "/decode", &json!([1])).send().await.unwrap();
    assert_eq!(code(answer).await, (400, json!("codec_request_unreadable")));
    let twice = r#"{"payloads":[{"data":"AA==","data":"AB=="}]}"#;
    let typed = |media_type: &str| {
        request(Method::POST, server.url() + "/decode").header("content-type", media_type).body(twice)
    };
    assert_eq!(code(typed("application/json").send().await.unwrap()).await, (400, json!("codec_request_unreadable")));
    assert_eq!(code(typed("text/plain").send().await.unwrap()).await, (415, json!("unsupported_content_type")));
}

#[tokio::test]
async fn with_tokens_only_their_bearers_may_call() {
    let server = server(&["alpha"]).await;
    let call = || post(server.url() + "/decode", &encrypted());
    assert_eq!(code(call().send().await.unwrap()).await, (401, json!("token_missing")));
    assert_eq!(code(call().bearer_auth("beta").send().await.unwrap()).await, (401, json!("token_unknown")));
    assert_eq!(call().bearer_auth("alpha").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_token_may_be_in_a_file_and_is_missed_where_there_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proxy");
    let settings = json!({"listen": "127.0.0.1:0", "tokens": [{"token": {"file": file}}]});
    let settings: CodecServerSettings = serde_json::from_value(settings).unwrap();
    let http = HttpSettings::default();
    let started = || start(Arc::new(ring("1")), &settings, &http, LoopbackOrigin::default());
    assert_eq!(started().await.err().unwrap().code, ErrorCode::CodecTokenMissing);
    std::fs::write(&file, "alpha\n").unwrap();
    let server = started().await.unwrap();
    let call = || post(server.url() + "/decode", &encrypted());
    assert_eq!(call().bearer_auth("alpha").send().await.unwrap().status(), 200);
    assert_eq!(code(call().bearer_auth("of a user").send().await.unwrap()).await, (401, json!("token_unknown")));
}

#[tokio::test]
async fn only_web_pages_of_the_allowed_origin_may_call() {
    let server = server(&[]).await;
    let from = |origin: &str| post(server.url() + "/decode", &encrypted()).header("Origin", origin);
    let allowed = from("https://temporal.example").send().await.unwrap();
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://temporal.example");
    let other = from("https://evil.example").send().await.unwrap();
    assert!(other.headers().get("access-control-allow-origin").is_none());
    assert_eq!(code(other).await, (403, json!("origin_forbidden")));

    // A browser's preflight request: never with a token.
    let of_bearers = self::server(&["alpha"]).await;
    let asked = request(Method::OPTIONS, of_bearers.url() + "/decode")
        .header("Origin", "https://temporal.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type,x-namespace,authorization")
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status(), 200);
    let allowed = asked.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.contains("x-namespace") && allowed.contains("authorization"), "{allowed}");
}

#[tokio::test]
async fn without_tokens_it_serves_loopback_only_and_without_keys_nobody() {
    let open = CodecServerSettings { listen: "0.0.0.0:0".parse().unwrap(), ..CodecServerSettings::default() };
    let (ring, http) = (Arc::new(ring("1")), HttpSettings::default());
    let code = |started: Result<HttpService, Fault>| started.err().unwrap().code;
    let refused = start(ring.clone(), &open, &http, LoopbackOrigin::default()).await;
    assert_eq!(code(refused), ErrorCode::CodecServerWithoutTokens);
    let without_keys = start(Arc::default(), &CodecServerSettings::default(), &http, LoopbackOrigin::default()).await;
    assert_eq!(code(without_keys), ErrorCode::CodecWithoutKeys);
    for wrong in ["*", "https://a.example/", "temporal.example"] {
        let settings = CodecServerSettings { cors_origins: vec![wrong.to_owned()], ..CodecServerSettings::default() };
        let started = start(ring.clone(), &settings, &http, LoopbackOrigin::default()).await;
        assert_eq!(code(started), ErrorCode::SettingInvalid, "{wrong}");
    }
}
