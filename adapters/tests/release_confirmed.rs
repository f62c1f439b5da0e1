//! Confirmation of a release, at targets that a file describes and at those that use plain JSON: no party may have the resource
//! afterwards.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod declarative;

use declarative::{call, described, json, settings, word, words};
use interlock_adapters::declarative::check;
use interlock_adapters::{Adapter, AdapterKind, JsonHttpAdapter};
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const FILE: &str = r#"
describes = "A network"
[capabilities]
verify = true
[[responses]]
status = 503
class = "unavailable"
[[responses]]
class = "ambiguous"
[operations.release_number]
releases = true
[operations.release_number.request]
method = "POST"
path = "release"
responses = [{ status = 200, class = "done" }, { status = 409, class = "already_done" }]
[operations.release_number.verify]
method = "GET"
path = "released"
responses = [{ status = 200, class = "applied" }]
[find_holder.msisdn]
method = "GET"
path = "holders/msisdn/{{ resource.id }}"
responses = [
  { status = 200, body = { pointer = "/holder", equals = "several" }, class = "unclear", detail = "several have it" },
  { status = 200, body = { pointer = "/holder", matches = "." }, class = "party", holder = "{{ body.holder }}" },
  { status = 200, class = "nobody" },
]
"#;

/// A target with this answer to a release, and with this holder of the number afterwards.
async fn target(released: u16, holder: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let answers = [
        ("POST", "/release", ResponseTemplate::new(released)),
        ("POST", "/release_number", json(released, json!({"status": "already_done", "code": "already_done"}))),
        ("GET", "/released", ResponseTemplate::new(200)),
        ("GET", "/operations/00000000-0000-0000-0000-000000001234", json(200, json!({"applied": true}))),
        ("GET", "/holders/msisdn/1", holder),
    ];
    for (verb, at, answer) in answers {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&server).await;
    }
    server
}

/// The outcome of a release, the result of reading it back, and the reported holder.
async fn judged(adapter: &dyn Adapter) -> (String, &'static str) {
    let release = call("release_number", json!({"imsi": "I1", "msisdn": "1"}));
    (words(&adapter.call(&release).await), word(&adapter.verify(&release).await))
}

fn held_by(holder: impl Into<Option<&'static str>>) -> ResponseTemplate {
    let holder: Option<&str> = holder.into();
    json(200, json!({"holder": holder}))
}

fn cases(released_before: &'static str) -> [(ResponseTemplate, &'static str, &'static str); 3] {
    [
        (held_by(None), released_before, "applied"),
        (held_by("I2"), "in_use I2", "in_use"),
        // It may be released, since sending it again does no harm.
        (ResponseTemplate::new(503), "ambiguous", "unclear"),
    ]
}

#[tokio::test]
async fn a_release_by_an_adapter_file_is_done_only_if_no_party_has_the_resource_afterwards() {
    for (status, answer) in [(200, "done"), (409, "already_done")] {
        for (holder, expected, read_back) in cases(answer) {
            let server = target(status, holder).await;
            let adapter = described(FILE, &server.uri()).unwrap();
            assert_eq!(judged(&adapter).await, (expected.to_owned(), read_back));
        }
    }
    let server = target(200, held_by("several")).await;
    let adapter = described(FILE, &server.uri()).unwrap();
    assert_eq!(judged(&adapter).await, ("permanent holder_unclear".to_owned(), "unclear"));
    // Without the setting, the answer counts, whatever the target has registered.
    let server = target(200, held_by("I2")).await;
    let adapter = described(&FILE.replace("releases = true", ""), &server.uri()).unwrap();
    assert_eq!(judged(&adapter).await, ("done".to_owned(), "applied"));
}

#[tokio::test]
async fn after_a_refused_release_no_holder_is_asked_for() {
    let server = target(503, held_by("I2")).await;
    let adapter = described(FILE, &server.uri()).unwrap();
    assert_eq!(judged(&adapter).await.0, "unavailable");
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.iter().filter(|request| request.method.as_str() == "POST").count(), 1);
    assert_eq!(requests.len(), 3, "the release, and a read-back that asks who has it");
}

#[tokio::test]
async fn a_release_in_plain_json_is_done_only_if_no_party_has_the_resource_afterwards() {
    for (holder, expected, read_back) in cases("already_done") {
        let server = target(200, holder).await;
        let mut settings = settings(&server.uri());
        settings.adapter = AdapterKind::Json;
        let trusting = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
        assert_eq!(judged(&trusting).await, ("already_done".to_owned(), "applied"));
        settings.releases = ["release_number".to_owned()].into();
        let adapter = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
        assert_eq!(judged(&adapter).await, (expected.to_owned(), read_back));
    }
}

#[test]
fn a_file_without_find_holder_cannot_declare_a_release() {
    assert_eq!(check(FILE).len(), 0, "{:?}", check(FILE));
    let faults = check(FILE.split("[find_holder").next().unwrap());
    assert_eq!(faults.iter().map(|fault| fault.code.as_str()).collect::<Vec<_>>(), ["not_together"]);
}
