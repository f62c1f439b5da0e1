//! Targets as they are: what public bug reports and real servers show, and what an adapter makes of it. The page for users is
//! `coordinator/docs/targets-in-the-wild.md`.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod declarative;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use declarative::{described, file};
use flate2::Compression;
use flate2::write::GzEncoder;
use interlock_adapters::{Adapter, AdapterKind, JsonHttpAdapter, TargetSettings, Verification};
use interlock_domain::outcome::Outcome;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{any, body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn json_settings(base_url: &str) -> TargetSettings {
    let mut settings = TargetSettings::new(AdapterKind::Json, base_url.parse().unwrap());
    settings.timeout = Duration::from_millis(800);
    settings
}

fn json_adapter(settings: &TargetSettings) -> JsonHttpAdapter {
    JsonHttpAdapter::new(&"crm".parse().unwrap(), settings).unwrap()
}

/// The outcome of this response to an operation at the JSON adapter.
async fn outcome_of(answer: ResponseTemplate) -> Outcome {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    json_adapter(&json_settings(&server.uri())).call(&declarative::call("add_number", json!({}))).await
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unavailable { cause: Some(cause), .. } => format!("unavailable {cause}"),
        other => declarative::words(other),
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn page(status: u16, title: &str) -> ResponseTemplate {
    let text = format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>…</body></html>");
    ResponseTemplate::new(status).set_body_raw(text, "text/html; charset=utf-8")
}

/// Serves each connection by this function, which is told how many connections there were before.
async fn serving<Serving>(serve: impl Fn(TcpStream, usize) -> Serving + Send + 'static) -> String
where
    Serving: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connections = 0;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, connections));
            connections += 1;
        }
    });
    format!("http://{address}")
}

/// Reads one request. `None` if the connection ended. All requests of these tests fit into one packet.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut buffer = [0; 8192];
    let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[tokio::test]
async fn a_2xx_that_is_not_what_the_operation_promises_is_in_doubt_and_says_what_came() {
    for (answer, expected) in [
        (page(200, "Sign in"), "a web page with the title 'Sign in'"),
        (ResponseTemplate::new(200).set_body_json(json!({"error": "no such account"})), "'error'"),
        (ResponseTemplate::new(200).set_body_json(json!({"success": false})), "'success'"),
        (
            ResponseTemplate::new(207)
                .set_body_json(json!({"items": [{"id": 1, "status": 201}, {"id": 2, "status": 422}]})),
            "'status'",
        ),
        (ResponseTemplate::new(200).set_body_string("OK"), "'OK'"),
        (ResponseTemplate::new(200), "an empty body"),
        (ResponseTemplate::new(201).set_body_json(json!(["a"])), "not a JSON object"),
    ] {
        let name = format!("{answer:?}");
        match outcome_of(answer).await {
            Outcome::Ambiguous { detail } => assert!(detail.contains(expected), "{name}: {detail}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_settings_say_what_a_success_is() {
    let server = MockServer::start().await;
    let answers = [
        ("ok", ResponseTemplate::new(200).set_body_json(json!({"result": {"code": 0}}))),
        ("not_ok", ResponseTemplate::new(200).set_body_json(json!({"result": {"code": 17}}))),
        ("empty", ResponseTemplate::new(200)),
    ];
    for (name, answer) in answers {
        Mock::given(path(format!("/{name}"))).respond_with(answer).mount(&server).await;
    }
    let outcome = async |settings: &TargetSettings, operation: &str| {
        words(&json_adapter(settings).call(&declarative::call(operation, json!({}))).await)
    };
    let mut settings = json_settings(&server.uri());
    settings.empty_success = true;
    assert_eq!(outcome(&settings, "empty").await, "done");
    settings.success = Some(json!({"body": {"pointer": "/result/code", "equals": 0}}));
    assert_eq!(outcome(&settings, "ok").await, "done");
    assert_eq!(outcome(&settings, "not_ok").await, "ambiguous");
    assert_eq!(outcome(&settings, "empty").await, "ambiguous", "the condition decides alone");
    settings.success = Some(json!({"body": {"pointer": "result", "equals": 0}}));
    let error = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).err().unwrap();
    assert_eq!(error.code(), "target_success_invalid");
}

#[tokio::test]
async fn bodies_are_read_as_real_servers_send_them() {
    let done = r#"{"status":"already_done"}"#;
    let with = |coding: &str, bytes: Vec<u8>| {
        ResponseTemplate::new(200).insert_header("content-encoding", coding).set_body_raw(bytes, "application/json")
    };
    let latin1 = b"{\"status\":\"already_done\",\"who\":\"J\xfcrgen\"}".to_vec();
    for answer in [
        ResponseTemplate::new(200).set_body_raw(format!("\u{feff}{done}"), "application/json"),
        with("gzip", gzip(done)),
        with("GZIP", gzip(done)),
        with("x-gzip", gzip(done)),
        with("zstd", zstd::encode_all(done.as_bytes(), 0).unwrap()),
        ResponseTemplate::new(200).set_body_raw(done, "text/plain; charset=utf-8"),
        ResponseTemplate::new(200).set_body_raw(latin1, "application/json;charset=ISO-8859-1"),
    ] {
        let name = format!("{answer:?}");
        assert_eq!(words(&outcome_of(answer).await), "already_done", "{name}");
    }
    let unreadable = with("compress", vec![1, 2, 3]);
    let Outcome::Ambiguous { detail } = outcome_of(unreadable).await else { panic!("it may have taken effect") };
    assert!(detail.contains("'compress'"), "{detail}");
}

#[tokio::test]
async fn headers_that_a_strict_reader_rejects_do_no_harm() {
    for head in [
        "content-type : application/json\r\n",
        "x-folded: a\r\n  b\r\n",
        "x bad name: 1\r\n",
        "x-bytes: \u{fc}\r\n",
        "no colon at all\r\n",
    ] {
        let url = serving(move |mut stream, _| async move {
            request(&mut stream).await;
            let answer = format!("HTTP/1.1 200 OK\r\n{head}content-length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let outcome = json_adapter(&json_settings(&url)).call(&declarative::call("add_number", json!({}))).await;
        assert_eq!(words(&outcome), "done", "{head:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_pause_is_what_the_target_means_and_at_most_the_settings_one() {
    let throttled = |value: &str| ResponseTemplate::new(429).insert_header("retry-after", value);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let waits = async |value: &str| match outcome_of(throttled(value)).await {
        Outcome::Throttled { retry_after_ms, .. } => retry_after_ms,
        other => panic!("{other:?}"),
    };
    assert_eq!(waits("2.5").await, Some(2_500));
    assert_eq!(waits("86400").await, Some(300_000));
    assert_eq!(waits("soon").await, None);
    for at in [format!("{}", now + 60), format!("{}000", now + 60)] {
        let ms = waits(&at).await.unwrap();
        assert!((55_000..=60_000).contains(&ms), "{at}: {ms}");
    }
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(throttled("3600")).mount(&server).await;
    let mut settings = json_settings(&server.uri());
    settings.retry_after_max = Duration::from_hours(2);
    let outcome = json_adapter(&settings).call(&declarative::call("add_number", json!({}))).await;
    assert_eq!(words(&outcome), "throttled Some(3600000)");
}

#[tokio::test]
async fn a_write_after_a_reset_uses_a_new_connection() {
    // Each connection serves one request, and is reset at the second one.
    let url = serving(|mut stream, _| async move {
        let Some(first) = request(&mut stream).await else { return };
        let body = if first.starts_with("GET") { r#"{"applied":false}"# } else { "{}" };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        let second = request(&mut stream).await;
        if second.is_some() {
            stream.set_zero_linger().unwrap();
        }
    })
    .await;
    let adapter = json_adapter(&json_settings(&url));
    let call = declarative::call("add_number", json!({}));
    assert_eq!(adapter.verify(&call).await, Verification::NotApplied);
    assert_eq!(words(&adapter.call(&call).await), "ambiguous", "the second request of the connection");
    for _ in 0..3 {
        assert_eq!(adapter.verify(&call).await, Verification::NotApplied);
        assert_eq!(words(&adapter.call(&call).await), "done", "a read-back and a write never share one connection now");
    }
}

#[tokio::test]
async fn what_is_the_targets_trouble_as_a_whole_has_one_named_cause_and_holds_no_order() {
    for (answer, expected) in [
        (page(403, "Access denied"), "unavailable answered_by_web_page"),
        (page(404, "404 Not Found"), "unavailable answered_by_web_page"),
        (page(413, "413 Request Entity Too Large"), "unavailable answered_by_web_page"),
        (ResponseTemplate::new(302).insert_header("location", "https://sso.example/"), "unavailable redirected"),
        (ResponseTemplate::new(401), "unavailable credentials_rejected"),
        (ResponseTemplate::new(404).set_body_json(json!({"code": "no_such_number"})), "permanent no_such_number"),
    ] {
        let name = format!("{answer:?}");
        assert_eq!(words(&outcome_of(answer).await), expected, "{name}");
    }
}

#[tokio::test]
async fn a_row_that_knows_only_the_status_of_a_web_page_settles_nothing() {
    let text = "describes = \"x\"\n\
        [operations.put.request]\nmethod = \"POST\"\npath = \"put\"\n\
        responses = [{ status = 200, class = \"done\" }, { status = \"4xx\", class = \"permanent\", code = \"no\" }, \
        { class = \"ambiguous\" }]\n\
        [operations.old.request]\nmethod = \"POST\"\npath = \"put\"\n\
        responses = [{ status = 200, text = \"Saved\", class = \"done\" }, { class = \"ambiguous\" }]\n\
        [find_holder.msisdn]\nmethod = \"GET\"\npath = \"n/{{ resource.id }}\"\n\
        responses = [{ status = 404, class = \"nobody\" }, { class = \"unclear\" }]\n";
    let at = async |answer: ResponseTemplate| {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        (described(text, &server.uri()).unwrap(), server)
    };
    let put = declarative::call("put", json!({}));
    let (adapter, _server) = at(page(200, "Sign in")).await;
    let Outcome::Ambiguous { detail } = adapter.call(&put).await else { panic!("in doubt") };
    assert!(detail.contains("Sign in"), "{detail}");
    let (adapter, _server) = at(page(403, "Proxy")).await;
    assert_eq!(words(&adapter.call(&put).await), "unavailable answered_by_web_page");
    let (adapter, _server) = at(page(404, "Not Found")).await;
    let holder = adapter.find_holder(&"default".parse().unwrap(), &"msisdn/1".parse().unwrap()).await;
    assert_eq!(words(&holder.unwrap_err()), "unavailable answered_by_web_page", "nobody has it, says a proxy");
    let (adapter, _server) = at(page(200, "Saved")).await;
    assert_eq!(words(&adapter.call(&declarative::call("old", json!({}))).await), "done", "a row that knows the page");
}

#[tokio::test]
async fn which_statuses_ask_for_a_new_token_is_data_and_expires_in_may_be_text() {
    let secret = file("open sesame");
    let server = MockServer::start().await;
    let tokens = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&tokens);
    Mock::given(path("/token"))
        .respond_with(move |_: &wiremock::Request| {
            let number = made.fetch_add(1, Ordering::Relaxed) + 1;
            let body = json!({"access_token": format!("token-{number}"), "expires_in": "3600"});
            ResponseTemplate::new(200).set_body_json(body)
        })
        .mount(&server)
        .await;
    Mock::given(path("/put"))
        .and(header("authorization", "Bearer token-2"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    Mock::given(path("/put")).respond_with(ResponseTemplate::new(403)).mount(&server).await;
    let text = |renew_on: &str| {
        format!(
            "describes = \"x\"\n[auth]\nkind = \"oauth2\"\ntoken_url = \"token\"\nclient_id = \"i\"\n{renew_on}\n\
             client_secret = {{ file = {:?} }}\n[operations.put.request]\nmethod = \"POST\"\npath = \"put\"\n\
             responses = [{{ status = 200, class = \"done\" }}, {{ status = 403, class = \"permanent\", code = \"forbidden\" }}, \
             {{ class = \"ambiguous\" }}]\n",
            secret.path()
        )
    };
    let put = declarative::call("put", json!({}));
    let usual = described(&text(""), &server.uri()).unwrap();
    assert_eq!(words(&usual.call(&put).await), "permanent forbidden");
    assert_eq!(tokens.load(Ordering::Relaxed), 1);
    tokens.store(0, Ordering::Relaxed);
    let renewing = described(&text("renew_on = [401, 403]"), &server.uri()).unwrap();
    assert_eq!(words(&renewing.call(&put).await), "done");
    assert_eq!(words(&renewing.call(&put).await), "done");
    assert_eq!(tokens.load(Ordering::Relaxed), 2, "an hour as text is an hour");
    let faults = interlock_adapters::declarative::check(&text("renew_on = [99]"));
    assert_eq!(faults[0].code.as_str(), "bad_status");
}

#[tokio::test]
async fn a_session_begins_with_a_log_in_by_json() {
    // free5GC's console: POST /api/login, then the header `Token`.
    let secret = file("free5gc");
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/login"))
        .and(body_json(json!({"username": "admin", "password": "free5gc"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"user": {"access_token": "eyJ"}, "ttl": 600})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/api/subscriber"))
        .and(header("token", "eyJ"))
        .respond_with(ResponseTemplate::new(201))
        .expect(2)
        .mount(&server)
        .await;
    let text = |auth: &str| {
        format!(
            "describes = \"x\"\n[auth]\nkind = \"session\"\n{auth}\n[operations.put.request]\nmethod = \"POST\"\n\
             path = \"api/subscriber\"\nresponses = [{{ status = 201, class = \"done\" }}, {{ class = \"ambiguous\" }}]\n"
        )
    };
    let login = format!(
        "login_url = \"api/login\"\nbody = {{ username = \"admin\", password = {{ file = {:?} }} }}\n\
         token = \"/user/access_token\"\nheader = \"Token\"\nexpires_in = \"/ttl\"",
        secret.path()
    );
    let adapter = described(&text(&login), &server.uri()).unwrap();
    for _ in 0..2 {
        assert_eq!(words(&adapter.call(&declarative::call("put", json!({}))).await), "done");
    }
    let wrong = described(&text(&login.replace("/user/access_token", "/token")), &server.uri());
    server.reset().await;
    let refused = ResponseTemplate::new(401).set_body_json(json!({"cause": "free5gc is wrong"}));
    Mock::given(path("/api/login")).respond_with(refused).mount(&server).await;
    Mock::given(path("/api/subscriber")).respond_with(ResponseTemplate::new(201)).expect(0).mount(&server).await;
    let Outcome::Unavailable { detail, .. } = wrong.unwrap().call(&declarative::call("put", json!({}))).await else {
        panic!("nothing was sent")
    };
    assert!(detail.contains("log-in") && detail.contains("401") && !detail.contains("free5gc"), "{detail}");
    for (missing, code) in
        [("login_url = \"api/login\"\n", "missing_key"), ("token = \"/user/access_token\"\n", "missing_key")]
    {
        let faults = interlock_adapters::declarative::check(&text(&login.replace(missing, "")));
        assert_eq!(faults[0].code.as_str(), code, "{missing}");
    }
}

#[tokio::test]
async fn a_failed_read_back_says_why() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(500).set_body_json(json!({"detail": "the archive is being moved"}));
    Mock::given(any()).respond_with(busy).mount(&server).await;
    let adapter = json_adapter(&json_settings(&server.uri()));
    let Verification::Unclear { detail } = adapter.verify(&declarative::call("add_number", json!({}))).await else {
        panic!("unclear")
    };
    assert!(detail.contains("the archive is being moved"), "{detail}");
}
