//! Targets that accept a call and end it later.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod declarative;

use std::time::Duration;

use declarative::{call, described, words};
use interlock_adapters::sandbox::{self, Action, Pattern, Rule, SandboxOptions};
use interlock_adapters::{Adapter, AdapterKind, DeclarativeAdapter, JsonHttpAdapter, TargetSettings, Verification};
use interlock_domain::attempt::JobAnswer;
use interlock_domain::outcome::Outcome;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn add() -> interlock_adapters::Call {
    call("add_number", json!({"customer_id": "A1", "imsi": "001010000000001", "msisdn": "12065551234"}))
}

fn as_job(ms: u64, fails: bool) -> Action {
    Action::AsJob { ms, fails, calls_back: false, ask_after_s: None }
}

fn json_adapter(base_url: &str) -> JsonHttpAdapter {
    let settings = TargetSettings::new(AdapterKind::Json, base_url.parse().unwrap());
    JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap()
}

/// An answer about a job in a few words.
fn told(answer: &JobAnswer) -> String {
    match answer {
        JobAnswer::Running { poll_after_ms, .. } => format!("running {poll_after_ms:?}"),
        JobAnswer::Ended(outcome) => words(outcome),
        JobAnswer::Unknown { .. } => "unknown".to_owned(),
        JobAnswer::NotTold(outcome) => format!("not told: {}", outcome.class()),
    }
}

async fn ended(adapter: &dyn Adapter, job: &str) -> String {
    for _ in 0..400 {
        let answer = told(&adapter.poll(&add(), job).await);
        if !answer.starts_with("running") {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the job does not end");
}

#[tokio::test]
async fn a_sandbox_target_works_on_jobs_and_is_asked_about_them() {
    let crm = sandbox::crm(SandboxOptions::default()).await.unwrap();
    let adapter = json_adapter(&crm.base_url());
    let adds = || Pattern { operation: Some("add_number".to_owned()), ..Pattern::default() };
    crm.add_rule(Rule::always(adds(), as_job(300, false)));
    let Outcome::Accepted { job, .. } = adapter.call(&add()).await else { panic!("accepted") };
    assert_eq!(told(&adapter.poll(&add(), &job).await), "running None");
    assert_eq!(adapter.verify(&add()).await, Verification::Accepted { job: job.clone() }, "it may still take effect");
    let again = adapter.call(&add()).await;
    assert!(matches!(&again, Outcome::Accepted { job: other, .. } if *other == job), "the same key is the same job");
    assert!(crm.log().is_empty());
    assert_eq!(ended(&adapter, &job).await, "done");
    assert_eq!(crm.log().len(), 1);
    assert_eq!(adapter.verify(&add()).await, Verification::Applied);
    assert_eq!(told(&adapter.poll(&add(), "nonsense").await), "unknown");
    crm.shutdown().await;

    let crm = sandbox::crm(SandboxOptions::default()).await.unwrap();
    let adapter = json_adapter(&crm.base_url());
    crm.add_rule(Rule::always(adds(), as_job(0, true)));
    let Outcome::Accepted { job, .. } = adapter.call(&add()).await else { panic!("accepted") };
    assert_eq!(ended(&adapter, &job).await, "permanent job_failed");
    assert!(crm.log().is_empty());
    crm.shutdown().await;
    assert_eq!(told(&adapter.poll(&add(), &job).await), "not told: unavailable", "the job may still run");
}

/// What a target got: the header, and the field of the body that the file fills.
async fn told_where(server: &MockServer) -> (Option<String>, Option<String>) {
    let request = server.received_requests().await.unwrap().pop().unwrap();
    let header = request.headers.get("x-interlock-callback").map(|value| value.to_str().unwrap().to_owned());
    let body: Value = request.body_json().unwrap();
    (header, body["report_to"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn a_target_is_told_where_to_report_only_if_its_settings_say_so() {
    let url = "https://interlock.example/v1/callbacks/a.b".to_owned();
    let with_url = interlock_adapters::Call { callback_url: Some(url.clone()), ..add() };
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(202).set_body_json(json!({"job": "1"})))
        .mount(&server)
        .await;
    let file = "describes = \"x\"\n[operations.add_number.request]\nmethod = \"POST\"\npath = \"add\"\n\
                body = { report_to = \"{{ callback_url | optional }}\" }\n\
                responses = [{ status = 202, class = \"done\" }, { class = \"ambiguous\" }]\n";
    for callbacks in [true, false] {
        let mut settings = TargetSettings::new(AdapterKind::Json, server.uri().parse().unwrap());
        settings.callbacks = callbacks;
        let json = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crm.toml");
        std::fs::write(&path, file).unwrap();
        let mut settings = declarative::settings(&server.uri());
        (settings.callbacks, settings.file) = (callbacks, Some(path));
        let described = DeclarativeAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
        let expected = callbacks.then(|| url.clone());
        json.call(&with_url).await;
        assert_eq!(told_where(&server).await, (expected.clone(), None));
        described.call(&with_url).await;
        assert_eq!(told_where(&server).await, (None, expected));
        json.call(&add()).await;
        assert_eq!(told_where(&server).await, (None, None), "no call backs are configured");
    }
}

#[tokio::test]
async fn an_answer_that_repeats_the_url_of_call_backs_is_quoted_without_it() {
    let url = "https://interlock.example/v1/callbacks/a.b".to_owned();
    let server = MockServer::start().await;
    let answer = json!({"code": "odd", "detail": format!("cannot report to {url}")});
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(400).set_body_json(answer)).mount(&server).await;
    let mut settings = TargetSettings::new(AdapterKind::Json, server.uri().parse().unwrap());
    settings.callbacks = true;
    let adapter = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
    let outcome = adapter.call(&interlock_adapters::Call { callback_url: Some(url.clone()), ..add() }).await;
    assert_eq!(words(&outcome), "permanent odd");
    assert!(
        !format!("{outcome:?}").contains(&url) && format!("{outcome:?}").contains("cannot report to"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_target_whose_file_sends_no_url_for_call_backs_is_promised_none() {
    let mut settings = declarative::settings("http://127.0.0.1:1");
    (settings.callbacks, settings.file) = (true, Some("tmf640.toml".into()));
    let error = DeclarativeAdapter::new(&"crm".parse().unwrap(), &settings).map(drop).unwrap_err();
    assert_eq!(error.code().as_str(), "setting_invalid", "{error}");
}

#[tokio::test]
async fn a_sandbox_target_reports_the_end_of_a_job_and_says_when_to_ask() {
    let reports = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/callbacks/t"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&reports)
        .await;
    let crm = sandbox::crm(SandboxOptions::default()).await.unwrap();
    let adds = || Pattern { operation: Some("add_number".to_owned()), ..Pattern::default() };
    let action = Action::AsJob { ms: 200, fails: false, calls_back: true, ask_after_s: Some(40) };
    crm.add_rule(Rule::always(adds(), action));
    let mut settings = TargetSettings::new(AdapterKind::Json, crm.base_url().parse().unwrap());
    settings.callbacks = true;
    let adapter = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
    let url = format!("{}/v1/callbacks/t", reports.uri());
    let call = interlock_adapters::Call { callback_url: Some(url), ..add() };
    let Outcome::Accepted { job, poll_after_ms, .. } = adapter.call(&call).await else { panic!("accepted") };
    assert_eq!(poll_after_ms, Some(40_000));
    assert_eq!(told(&adapter.poll(&call, &job).await), "running Some(40000)");
    assert_eq!(ended(&adapter, &job).await, "done");
    let reported = async {
        while reports.received_requests().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reported).await.expect("a report");
    let report: Value = reports.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(report["job"], job.as_str());
    crm.shutdown().await;
}

#[tokio::test]
async fn a_job_without_a_usable_name_leaves_the_call_in_doubt() {
    for body in [json!({}), json!({"job": ""}), json!({"job": 7}), json!({"job": "x".repeat(501)})] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(202).set_body_json(&body)).mount(&server).await;
        assert_eq!(words(&json_adapter(&server.uri()).call(&add()).await), "ambiguous", "{body}");
    }
}

fn tmf640(base_url: &str) -> DeclarativeAdapter {
    let mut settings = declarative::settings(base_url);
    settings.file = Some("tmf640.toml".into());
    DeclarativeAdapter::new(&"crm".parse().unwrap(), &settings).unwrap()
}

#[tokio::test]
async fn a_tmf640_monitor_is_asked_until_it_ends() {
    let monitor = |state: &str, status: u16| json!({"id": "m-17", "state": state, "response": {"statusCode": status.to_string(), "body": {"code": "60", "message": "no such SIM"}}});
    let server = MockServer::start().await;
    let location = format!("{}/monitor/m-17", server.uri());
    Mock::given(method("POST"))
        .and(path("/service"))
        .respond_with(ResponseTemplate::new(202).insert_header("location", location.as_str()))
        .expect(1)
        .mount(&server)
        .await;
    let adapter = tmf640(&server.uri());
    let accepted = adapter.call(&add()).await;
    let Outcome::Accepted { job, poll_after_ms, .. } = accepted else { panic!("{accepted:?}") };
    assert_eq!((job.as_str(), poll_after_ms), ("m-17", Some(5_000)));
    let sent: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(sent["id"], "A1-12065551234");
    for (answer, expected) in [
        (ResponseTemplate::new(200).set_body_json(monitor("InProgress", 0)), "running Some(5000)"),
        (
            ResponseTemplate::new(200).set_body_json(monitor("InProgress", 0)).insert_header("retry-after", "30"),
            "running Some(30000)",
        ),
        (ResponseTemplate::new(200).set_body_json(monitor("Completed", 201)), "done"),
        (ResponseTemplate::new(200).set_body_json(monitor("InError", 503)), "transient"),
        (ResponseTemplate::new(200).set_body_json(monitor("InError", 422)), "permanent 60"),
        (ResponseTemplate::new(404).set_body_json(json!({"code": "60"})), "unknown"),
        (ResponseTemplate::new(503), "not told: unavailable"),
        (ResponseTemplate::new(500), "not told: unavailable"),
        (ResponseTemplate::new(404).set_body_raw("<html>nginx</html>", "text/html"), "not told: unavailable"),
    ] {
        let server = MockServer::start().await;
        let name = format!("{answer:?}");
        Mock::given(path("/monitor/m-17")).respond_with(answer).mount(&server).await;
        assert_eq!(told(&tmf640(&server.uri()).poll(&add(), "m-17").await), expected, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_accepts_jobs_says_how_to_ask_about_them() {
    let with = |row: &str, poll: &str| {
        format!(
            "describes = \"x\"\n[operations.put.request]\nmethod = \"POST\"\npath = \"put\"\n\
             responses = [{row}, {{ class = \"ambiguous\" }}]\n{poll}"
        )
    };
    let poll = "[operations.put.poll]\nmethod = \"GET\"\npath = \"jobs/{{ job }}\"\nevery = \"2s\"\n\
                responses = [{ status = 200, class = \"running\" }, { class = \"unknown\" }]\n";
    let accepted = "{ status = 202, class = \"accepted\", job = \"{{ body.id }}\" }";
    assert!(described(&with(accepted, poll), "http://x").is_ok());
    for (row, poll, code) in [
        (accepted, "", "missing_key"),
        ("{ status = 202, class = \"accepted\" }", poll, "missing_key"),
        ("{ status = 200, class = \"done\", job = \"1\" }", "", "not_together"),
        ("{ status = 200, class = \"done\" }", poll, "not_together"),
    ] {
        let faults = interlock_adapters::declarative::check(&with(row, poll));
        assert_eq!(faults.first().map(|fault| fault.code.as_str()), Some(code), "{row} {poll}: {faults:?}");
    }
}
