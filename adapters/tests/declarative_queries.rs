//! Queries of the declarative adapter: what a target is asked by a mapping.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod declarative;

use std::time::Duration;

use declarative::{described, words};
use interlock_adapters::Adapter;
use serde_json::{Map, Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const FILE: &str = r#"describes = "x"
[[responses]]
class = "unavailable"
[queries.did]
describes = "who has a number"
method = "POST"
path = "did"
headers = { X-Tenant = "{{ tenant }}" }
body = { number = "{{ data.number }}" }
bind = { account = "/info/account", name = "/info/name" }
responses = [
  { status = 200, body = { pointer = "/info", present = true }, class = "found" },
  { status = 404, class = "absent" },
  { status = 422, class = "permanent", code = "{{ body.code }}" },
]
"#;

async fn asked(query: &str, arguments: Value, answer: ResponseTemplate) -> Result<Value, String> {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let adapter = described(FILE, &server.uri()).unwrap();
    let Value::Object(arguments) = arguments else { panic!("{arguments}") };
    let asked = adapter.query(&"blue".parse().unwrap(), query, &arguments, Duration::from_secs(5)).await;
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.headers["x-tenant"], "blue");
        assert_eq!(request.body_json::<Value>().unwrap(), json!({"number": "120"}));
    }
    asked.map(Value::Object).map_err(|outcome| words(&outcome))
}

#[tokio::test]
async fn a_query_answers_each_part_and_null_for_what_is_not_there() {
    let number = || json!({"number": "120"});
    let found = ResponseTemplate::new(200).set_body_json(json!({"info": {"account": 7, "more": true}}));
    assert_eq!(asked("did", number(), found).await, Ok(json!({"account": 7, "name": null})));
    let absent = ResponseTemplate::new(404).set_body_json(json!({"info": {"account": 7}}));
    assert_eq!(asked("did", number(), absent).await, Ok(json!({"account": null, "name": null})), "it is not there");
}

#[tokio::test]
async fn a_question_that_was_not_answered_has_an_outcome_class() {
    let number = || json!({"number": "120"});
    assert_eq!(asked("did", number(), ResponseTemplate::new(500)).await, Err("unavailable".to_owned()));
    let refused = ResponseTemplate::new(422).set_body_json(json!({"code": "NO_NUMBER"}));
    assert_eq!(asked("did", number(), refused).await, Err("permanent no_number".to_owned()));
    let page = ResponseTemplate::new(404).set_body_raw("<html>", "text/html");
    assert_eq!(asked("did", number(), page).await, Err("unavailable".to_owned()), "a web page settles nothing");
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(2));
    assert_eq!(asked("did", number(), late).await, Err("unavailable".to_owned()));
    let other = ResponseTemplate::new(200);
    assert_eq!(asked("other", number(), other.clone()).await, Err("permanent unknown_query".to_owned()));
    assert_eq!(asked("did", json!({}), other).await, Err("permanent request_not_rendered".to_owned()));
}

#[tokio::test]
async fn other_adapters_have_no_queries() {
    let settings = declarative::settings("http://127.0.0.1:1");
    let settings = interlock_adapters::TargetSettings { adapter: interlock_adapters::AdapterKind::Json, ..settings };
    let adapter = interlock_adapters::JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
    let asked = adapter.query(&"blue".parse().unwrap(), "did", &Map::new(), Duration::from_secs(1)).await;
    assert_eq!(words(&asked.unwrap_err()), "permanent unknown_query");
}

#[test]
fn a_file_may_have_queries_alone_and_each_has_a_bind_and_a_default_row() {
    assert_eq!(interlock_adapters::declarative::queries(FILE).unwrap(), ["did"]);
    let faults = |text: &str| {
        interlock_adapters::declarative::check(text)
            .iter()
            .map(|fault| fault.code.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(faults(FILE), [""; 0]);
    let unbound = FILE.replace("bind = { account = \"/info/account\", name = \"/info/name\" }\n", "");
    assert_eq!(faults(&unbound), ["missing_key"]);
    assert_eq!(faults(&FILE.replace("[[responses]]\nclass = \"unavailable\"\n", "")), ["no_default_row"]);
    assert_eq!(faults(&FILE.replace("data.number", "order.id")), ["unknown_variable"]);
    assert_eq!(faults(&FILE.replace("\"found\"", "\"done\"")), ["unknown_value"]);
}
