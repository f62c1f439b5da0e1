//! The declarative adapter: the requests that it sends, and the meaning of the answers.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod declarative;

use std::time::Duration;

use declarative::{call, described, file, json, outcome, settings, word, words};
use interlock_adapters::{Adapter, Authentication, DeclarativeAdapter, Fence, OnAmbiguous, TargetSettings};
use interlock_domain::ids::TenantId;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::matchers::{any, body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// One operation `put`, with these lines in its request and these rows.
fn operation(request: &str, rows: &str) -> String {
    format!(
        "describes = \"x\"\n[operations.put.request]\nmethod = \"POST\"\npath = \"put\"\n{request}\n\
         responses = [{rows}\n{{ status = 200, class = \"done\" }}, {{ class = \"ambiguous\" }}]\n"
    )
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// The request that `put` with these lines sends for this data.
async fn sent(request: &str, data: Value) -> wiremock::Request {
    let server = answering(ResponseTemplate::new(200)).await;
    let adapter = described(&operation(request, ""), &server.uri()).unwrap();
    assert_eq!(outcome(&adapter, "put", data).await, "done");
    server.received_requests().await.unwrap().remove(0)
}

#[tokio::test]
async fn a_template_knows_the_call() {
    let request = sent(
        r#"headers = { Idempotency-Key = "{{ idempotency_key }}", X-Epoch = "{{ epoch }}", X-Note = "{{ data.note | optional }}" }
query = { tenant = "{{ tenant }}", f = ["a", "{{ attempt }}"], gone = "{{ data.note | optional }}" }
body = { order = "{{ order.id }}", customer = "{{ order.customer_id }}", all = "{{ data }}", fixed = [1, true, 0.5], note = "{{ data.note | optional }}", none = "{{ none }}", text = "+{{ data.number }}", epochs = "{{ epochs }}" }"#,
        json!({"number": "120", "deep": {"list": [1, null]}}),
    )
    .await;
    assert_eq!(request.headers["idempotency-key"], "00000000-0000-0000-0000-000000001234");
    assert_eq!(request.headers["x-epoch"], "7");
    assert!(!request.headers.contains_key("x-note"));
    assert_eq!(request.url.query(), Some("f=a&f=1&tenant=default"));
    assert_eq!(
        request.body_json::<Value>().unwrap(),
        json!({
            "order": "A1~6f9619ff-8b86-5011-b42d-00cf4fc964ff", "customer": "A1", "fixed": [1, true, 0.5],
            "all": {"number": "120", "deep": {"list": [1, null]}}, "none": null, "text": "+120", "epochs": {"msisdn/1": 7},
        })
    );
}

#[tokio::test]
async fn a_form_is_sent_as_one() {
    let request = sent("form = { a = \"{{ data.a }}\", b = \"x y\" }", json!({"a": "&="})).await;
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(String::from_utf8(request.body).unwrap(), "a=%26%3D&b=x+y");
}

#[tokio::test]
async fn the_data_of_an_order_cannot_change_the_path() {
    let server = answering(ResponseTemplate::new(200)).await;
    let text = operation("", "").replace("path = \"put\"", "path = \"api/{{ data.id }}/x\"");
    let adapter = described(&text, &format!("{}/base/", server.uri())).unwrap();
    for (id, expected) in
        [("a/../b?c#d", "done"), ("", "permanent request_not_rendered"), ("..", "permanent request_not_rendered")]
    {
        assert_eq!(outcome(&adapter, "put", json!({"id": id})).await, expected, "{id}");
    }
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url.path(), "/base/api/a%2F..%2Fb%3Fc%23d/x");
}

#[tokio::test]
async fn a_request_that_lacks_a_value_is_not_sent() {
    let server = answering(ResponseTemplate::new(200)).await;
    for request in [
        "body = { a = \"{{ data.missing }}\" }",
        "body = { a = \"+{{ data.missing }}\" }",
        "body = { a = \"+{{ data.empty }}\" }",
        "headers = { X-A = \"{{ data.lines }}\" }",
        "body = { a = \"{% for i in data.list %}{% for j in data.list %}x{% endfor %}{% endfor %}\" }",
    ] {
        let adapter = described(&operation(request, ""), &server.uri()).unwrap();
        let put = call("put", json!({"empty": null, "lines": "a\nb: c", "list": vec![0; 1_000]}));
        let Outcome::Permanent { code, detail } = adapter.call(&put).await else { panic!("{request}") };
        assert_eq!(code, "request_not_rendered");
        assert!(!detail.contains("b: c"), "{detail}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_first_matching_row_decides_the_meaning_of_an_answer() {
    let rows = r#"
{ status = "4xx", header = { name = "X-Reason", matches = "^dup" }, class = "already_done" },
{ body = { pointer = "/errors/*/code", equals = "TAKEN" }, class = "in_use", holder = "{{ body.by }}" },
{ status = 400, body = { pointer = "/id", equals = "{{ data.id }}" }, class = "already_done" },
{ text = "(?i)maintenance", class = "unavailable" },
{ status = 429, class = "throttled", retry_after = [{ body = "/wait", unit = "ms" }, { header = "Retry-After" }, { fixed = "9s" }] },
{ status = 400, class = "permanent", code = "{{ body.code }}", detail = "{{ body.text }}" },
{ status = 503, class = "transient" },"#;
    for (answer, expected) in [
        (ResponseTemplate::new(200), "done"),
        (ResponseTemplate::new(404).insert_header("x-reason", "duplicate"), "already_done"),
        (json(200, json!({"errors": [{"code": "A"}, {"code": "TAKEN"}], "by": "A9"})), "in_use A9"),
        (json(400, json!({"id": 5})), "already_done"),
        (ResponseTemplate::new(400).set_body_string("<b>Maintenance</b>"), "unavailable"),
        (json(429, json!({"wait": 1500})), "throttled Some(1500)"),
        (ResponseTemplate::new(429).insert_header("retry-after", "7"), "throttled Some(7000)"),
        (ResponseTemplate::new(429), "throttled Some(9000)"),
        (json(400, json!({"code": "NO_SUCH.Thing", "id": 6})), "permanent no_such_thing"),
        (json(400, json!([])), "permanent http_400"),
        (ResponseTemplate::new(503), "transient"),
        (ResponseTemplate::new(302).insert_header("location", "/elsewhere"), "ambiguous"),
        (ResponseTemplate::new(500), "ambiguous"),
    ] {
        let name = format!("{answer:?}");
        let server = answering(answer).await;
        let adapter = described(&operation("", rows), &server.uri()).unwrap();
        assert_eq!(outcome(&adapter, "put", json!({"id": "5"})).await, expected, "{name}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_detail_is_kept_up_to_a_limit() {
    let rows = r#"{ status = 400, class = "permanent", code = "no", detail = "{{ body.text }}" },"#;
    let server = answering(json(400, json!({"text": "x".repeat(5_000)}))).await;
    let adapter = described(&operation("", rows), &server.uri()).unwrap();
    let Outcome::Permanent { detail, .. } = adapter.call(&call("put", json!({}))).await else { panic!("permanent") };
    assert_eq!(detail.len(), 300);
}

#[tokio::test]
async fn a_missing_answer_is_ambiguous_and_a_refused_connection_is_not() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(5))).await;
    let adapter = described(&operation("timeout = \"200ms\"", ""), &server.uri()).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "ambiguous");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let adapter = described(&operation("", ""), &nowhere).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "unavailable");
    assert!(adapter.health().await.is_err());
}

#[tokio::test]
async fn no_write_is_begun_after_the_attempts_time() {
    let server = answering(ResponseTemplate::new(200)).await;
    let adapter = described(&operation("", ""), &server.uri()).unwrap();
    let mut late = call("put", json!({}));
    late.timeout = Duration::ZERO;
    assert_eq!(words(&adapter.call(&late).await), "transient");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_operation_is_permanent() {
    let adapter = described(&operation("", ""), "http://127.0.0.1:1").unwrap();
    assert_eq!(outcome(&adapter, "take", json!({})).await, "permanent unknown_operation");
    assert_eq!(adapter.capabilities("take").on_ambiguous, OnAmbiguous::Hold);
    assert_eq!(word(&adapter.verify(&call("take", json!({}))).await), "unclear");
}

#[tokio::test]
async fn capabilities_are_those_of_the_file_unless_the_settings_say_else() {
    let text = operation("", "").replace(
        "[operations.put.request]",
        "[capabilities]\nfence = \"recorded\"\nmax_apply_delay = \"40s\"\n[operations.put.capabilities]\n\
         idempotency_keys = true\n[operations.put.request]",
    );
    let file = file(&text);
    let mut settings = settings("http://127.0.0.1:1");
    settings.file = Some(file.path().to_owned());
    let capabilities = |settings: &TargetSettings| {
        DeclarativeAdapter::new(&"crm".parse().unwrap(), settings).unwrap().capabilities("put")
    };
    let found = capabilities(&settings);
    assert_eq!((found.fence, found.verify, found.idempotency_keys), (Fence::Recorded, false, true));
    assert_eq!((found.on_ambiguous, found.max_apply_delay), (OnAmbiguous::Resend, Duration::from_secs(40)));
    settings.max_apply_delay = Some(Duration::from_secs(1));
    assert_eq!(capabilities(&settings).max_apply_delay, Duration::from_secs(1));
}

#[tokio::test]
async fn a_look_up_decides_what_is_sent() {
    let text = r#"describes = "x"
[[responses]]
class = "ambiguous"
[operations.put.lookup]
method = "GET"
path = "things"
bind = { id = "/0/id", version = "/0/version" }
responses = [
  { status = 200, body = { pointer = "/0/id", present = true }, class = "found" },
  { status = 200, class = "absent" },
]
[operations.put.if_found]
method = "PUT"
path = "things/{{ found.id }}"
headers = { If-Match = "{{ found.version | optional }}" }
responses = [{ status = 200, class = "done" }]
[operations.put.if_absent]
class = "permanent"
code = "unknown_thing"
detail = "there is none of {{ order.customer_id }}"
"#;
    for (answer, expected, writes) in [
        (json(200, json!([{"id": 5, "version": 3}])), "done", 1),
        (json(200, json!([])), "permanent unknown_thing", 0),
        // Nothing was sent yet, so nothing is in doubt.
        (ResponseTemplate::new(500), "unavailable", 0),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(answer).mount(&server).await;
        Mock::given(method("PUT"))
            .and(path("/things/5"))
            .and(header("if-match", "3"))
            .respond_with(ResponseTemplate::new(200))
            .expect(writes)
            .mount(&server)
            .await;
        let adapter = described(text, &server.uri()).unwrap();
        assert_eq!(outcome(&adapter, "put", json!({})).await, expected);
    }
}

#[tokio::test]
async fn a_holder_is_asked_by_kind() {
    let text = operation("", "")
        + r#"[find_holder.msisdn]
method = "GET"
path = "numbers/{{ resource.id }}"
responses = [
  { status = 200, class = "party", holder = "{{ body.imsi }}" },
  { status = 404, class = "nobody" },
  { class = "unavailable" },
]
"#;
    let server = MockServer::start().await;
    Mock::given(path("/numbers/1")).respond_with(json(200, json!({"imsi": "00101"}))).mount(&server).await;
    Mock::given(path("/numbers/2")).respond_with(json(200, json!({}))).mount(&server).await;
    Mock::given(path("/numbers/3")).respond_with(ResponseTemplate::new(500)).mount(&server).await;
    let adapter = described(&text, &server.uri()).unwrap();
    let ask = async |resource: &str| adapter.find_holder(&TenantId::default(), &resource.parse().unwrap()).await;
    assert_eq!(ask("msisdn/1").await, Ok(HolderAnswer::TargetIdentity { target_identity: "00101".to_owned() }));
    assert!(matches!(ask("msisdn/2").await, Ok(HolderAnswer::Unclear { .. })));
    assert!(matches!(ask("msisdn/3").await, Err(Outcome::Unavailable { .. })));
    assert_eq!(ask("msisdn/4").await, Ok(HolderAnswer::Nobody));
    assert!(matches!(ask("ip/10.0.0.1").await, Ok(HolderAnswer::Unclear { .. })));
}

/// `put` with this `[auth]`.
fn with_auth(auth: &str) -> String {
    operation("", "{ status = 401, class = \"unavailable\" },")
        .replace("[operations", &format!("[auth]\n{auth}\n[operations"))
}

#[tokio::test]
async fn secrets_come_from_environment_and_files() {
    let secret = file("open sesame\n");
    let place = secret.path().display();
    let server = answering(ResponseTemplate::new(200)).await;
    for (auth, name, value) in [
        (
            "kind = \"bearer\"\ntoken = { env = \"CARGO_PKG_NAME\" }".to_owned(),
            "authorization",
            "Bearer interlock-adapters",
        ),
        (
            format!("kind = \"header\"\nname = \"X-Api-Key\"\nvalue = {{ file = \"{place}\" }}"),
            "x-api-key",
            "open sesame",
        ),
        (
            format!("kind = \"basic\"\nusername = \"me\"\npassword = {{ file = \"{place}\" }}"),
            "authorization",
            "Basic bWU6b3BlbiBzZXNhbWU=",
        ),
    ] {
        let adapter = described(&with_auth(&auth), &server.uri()).unwrap();
        assert_eq!(outcome(&adapter, "put", json!({})).await, "done");
        assert_eq!(server.received_requests().await.unwrap().pop().unwrap().headers[name], value);
    }
    let missing = described(&with_auth("kind = \"bearer\"\ntoken = { env = \"INTERLOCK_NOT_SET\" }"), &server.uri());
    let error = missing.err().unwrap();
    assert_eq!(error.code(), "target_secret_missing");
    assert!(error.to_string().contains("INTERLOCK_NOT_SET"), "{error}");
}

#[tokio::test]
async fn a_secret_that_changed_is_read_again_after_a_401_once() {
    let secret = file("old");
    let auth = format!("kind = \"bearer\"\ntoken = {{ file = \"{}\" }}", secret.path().display());
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer new")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let adapter = described(&with_auth(&auth), &server.uri()).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "unavailable");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    std::fs::write(secret.path(), "new").unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "done");
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

/// A server with a token endpoint that issues `token-1`, `token-2`, … and accepts the tokens in `accepts`.
async fn token_server(expires_in: u64, accepted: &'static str) -> MockServer {
    let server = MockServer::start().await;
    let count = std::sync::atomic::AtomicUsize::new(1);
    let token = move |_: &wiremock::Request| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        json(200, json!({"access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": expires_in}))
    };
    Mock::given(path("/oauth/token"))
        .and(header("authorization", "Basic bWU6b3Blbitz"))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("scope=write"))
        .respond_with(token)
        .mount(&server)
        .await;
    Mock::given(path("/put"))
        .and(header("authorization", accepted))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    Mock::given(path("/put")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    server
}

async fn asked_for_tokens(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().iter().filter(|request| request.url.path() == "/oauth/token").count()
}

fn with_oauth2(secret: &std::path::Path) -> String {
    with_auth(&format!(
        "kind = \"oauth2\"\ntoken_url = \"oauth/token\"\nclient_id = \"me\"\nscope = \"write\"\nclient_secret = {{ file = \"{}\" }}",
        secret.display()
    ))
}

#[tokio::test]
async fn a_token_is_fetched_once_and_used_until_it_ends() {
    let secret = file("open s");
    let server = token_server(3_600, "Bearer token-1").await;
    let adapter = described(&with_oauth2(secret.path()), &server.uri()).unwrap();
    for _ in 0..3 {
        assert_eq!(outcome(&adapter, "put", json!({})).await, "done");
    }
    assert_eq!(asked_for_tokens(&server).await, 1);
    // A token that expires at once is fetched each time.
    let server = token_server(0, "Bearer token-2").await;
    let adapter = described(&with_oauth2(secret.path()), &server.uri()).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "done");
    assert_eq!(asked_for_tokens(&server).await, 2);
}

#[tokio::test]
async fn a_refused_token_is_fetched_again_once() {
    let secret = file("open s");
    let server = token_server(3_600, "Bearer token-2").await;
    let adapter = described(&with_oauth2(secret.path()), &server.uri()).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "done");
    assert_eq!(asked_for_tokens(&server).await, 2);
    let server = token_server(3_600, "Bearer never").await;
    let adapter = described(&with_oauth2(secret.path()), &server.uri()).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "unavailable");
    assert_eq!(asked_for_tokens(&server).await, 2);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_no_secret_is_shown() {
    let secret = file("open s");
    let server = MockServer::start().await;
    let refusal = json(401, json!({"error": "invalid_client", "error_description": "open s is wrong"}));
    Mock::given(path("/oauth/token")).respond_with(refusal).mount(&server).await;
    Mock::given(path("/put")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    let adapter = described(&with_oauth2(secret.path()), &server.uri()).unwrap();
    let Outcome::Unavailable { detail, .. } = adapter.call(&call("put", json!({}))).await else {
        panic!("unavailable")
    };
    assert!(detail.contains("invalid_client") && !detail.contains("open s"), "{detail}");
}

#[tokio::test]
async fn the_settings_of_a_target_replace_the_auth_of_its_file() {
    let server = answering(ResponseTemplate::new(200)).await;
    let file = file(&with_auth("kind = \"bearer\"\ntoken = { env = \"INTERLOCK_NOT_SET\" }"));
    let mut settings = settings(&server.uri());
    settings.file = Some(file.path().to_owned());
    settings.auth = Authentication::Bearer { token: "given".into() };
    let adapter = DeclarativeAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "done");
    assert_eq!(server.received_requests().await.unwrap()[0].headers["authorization"], "Bearer given");
}

#[tokio::test]
async fn parameters_have_defaults_and_values_of_the_target() {
    let text = operation("headers = { X-A = \"{{ parameters.a }}\", X-B = \"{{ parameters.b }}\" }", "")
        .replace("[operations", "[parameters]\na = \"1\"\nb = { required = true }\n[operations");
    let server = answering(ResponseTemplate::new(200)).await;
    let file = file(&text);
    let mut settings = settings(&server.uri());
    settings.file = Some(file.path().to_owned());
    let build = |settings: &TargetSettings| DeclarativeAdapter::new(&"crm".parse().unwrap(), settings);
    assert_eq!(build(&settings).err().unwrap().code(), "target_parameter_invalid");
    settings.parameters.insert("b".to_owned(), "2".to_owned());
    assert_eq!(outcome(&build(&settings).unwrap(), "put", json!({})).await, "done");
    let request = server.received_requests().await.unwrap().remove(0);
    assert_eq!((&request.headers["x-a"], &request.headers["x-b"]), (&"1".parse().unwrap(), &"2".parse().unwrap()));
    settings.parameters.insert("c".to_owned(), "3".to_owned());
    assert!(build(&settings).err().unwrap().to_string().contains("'c'"));
}

#[tokio::test]
async fn a_missing_or_invalid_file_is_reported_at_the_start() {
    let mut settings = settings("http://127.0.0.1:1");
    let build = |settings: &TargetSettings| DeclarativeAdapter::new(&"crm".parse().unwrap(), settings).err().unwrap();
    assert_eq!(build(&settings).code(), "target_adapter_file_missing");
    settings.file = Some("no-such-file.toml".into());
    assert_eq!(build(&settings).code(), "target_adapter_file_missing");
    let error = described("describes = 5\n", "http://127.0.0.1:1").err().unwrap();
    assert_eq!(error.code(), "target_adapter_file_faulty");
    assert!(error.to_string().contains("2 error(s)"), "{error}");
}

#[tokio::test]
async fn a_template_that_makes_more_of_an_event_than_a_request_may_have_is_not_sent() {
    let server = MockServer::start().await;
    let sends = |body: &str| {
        format!(
            "describes = \"x\"\n[operations.a]\nrequest = {{ method = \"POST\", path = \"x\", body = {body}, responses = [{{ status = 200, \
             class = \"done\" }}, {{ class = \"ambiguous\" }}] }}\n"
        )
    };
    let list: Vec<u32> = (0..1_000).collect();
    let data = serde_json::json!({"list": list, "text": "x".repeat(10_000)});
    for body in [
        "'{% for x in data.list %}{{ data.text }}{% endfor %}'",
        "'{{ data.text * 1000 }}'",
        "{ a = ['{{ [data.text] * 1000 }}'] }",
    ] {
        let adapter = described(&sends(body), &server.uri()).unwrap();
        assert_eq!(outcome(&adapter, "a", data.clone()).await, "permanent request_not_rendered", "{body}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}
