//! The gateway from the view of producers, on a real Temporal server.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use interlock_adapters::sandbox::{Effect, Seed};
use interlock_coordinator::local::{LocalOptions, LocalPlatform, WorkerHosting, WorkerProcess};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_settings::{GatewayRole, GatewayToken};
use interlock_worker_pools::Workload;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// The time limit of everything.
const LIMIT: Duration = Duration::from_mins(1);

fn options() -> LocalOptions {
    let mut options = LocalOptions::from_environment().unwrap();
    options.catalog = REFERENCE_TEXT.replace("fresh_wait = \"5s\"", "fresh_wait = \"50ms\"");
    options
}

async fn platform(options: LocalOptions) -> LocalPlatform {
    let starting = Box::pin(LocalPlatform::start(options, &|sentence| eprintln!("{sentence}")));
    let platform = starting.await.unwrap();
    let seed = |imsi: &str| Seed { imsi: imsi.to_owned(), ..Seed::default() };
    platform.sandbox("hss").seed(&[seed("001010000000001"), seed("001010000000002")]).unwrap();
    platform
}

fn event(id: &str, event_type: &str, subject: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "test", "type": event_type, "subject": subject, "data": data})
}

fn assigned(id: &str, customer: &str) -> Value {
    event(id, "number.assigned", customer, &json!({"imsi": "001010000000001", "msisdn": "12065551234"}))
}

fn events_url(platform: &LocalPlatform) -> String {
    format!("{}/v1/tenants/default/events", platform.gateway_url())
}

async fn post(platform: &LocalPlatform, body: &Value) -> Response {
    reqwest::Client::new().post(events_url(platform)).json(body).send().await.unwrap()
}

/// Like [`post`], but retries while the answer is 429.
async fn post_unthrottled(platform: &LocalPlatform, body: &Value) -> Response {
    let limit = Instant::now() + LIMIT;
    loop {
        let answer = post(platform, body).await;
        if answer.status() != StatusCode::TOO_MANY_REQUESTS {
            return answer;
        }
        assert!(Instant::now() < limit, "there are always too many");
    }
}

async fn get(platform: &LocalPlatform, path: &str) -> (StatusCode, Value) {
    let answer = reqwest::get(format!("{}/v1/tenants/default/{path}", platform.gateway_url())).await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Waits until the order has reached `state`, and returns it.
async fn until_order(platform: &LocalPlatform, order: &str, state: &str) -> Value {
    let limit = Instant::now() + LIMIT;
    loop {
        let (status, view) = get(platform, &format!("orders/{order}")).await;
        if status == StatusCode::OK && view["state"] == state {
            return view;
        }
        assert!(Instant::now() < limit, "{status} {view}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_reaches_its_target_and_a_duplicate_changes_nothing() {
    let platform = platform(options()).await;
    let mut orders = Vec::new();
    for _ in 0..2 {
        let answer = post(&platform, &assigned("1", "A1")).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let body: Value = answer.json().await.unwrap();
        let result = &body["results"][0];
        assert_eq!((&result["status"], &result["workflow_id"]), (&json!("accepted"), &json!("default/customer/A1")));
        orders.push(result["order_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(orders[0], orders[1]);
    let view = until_order(&platform, &orders[0], "completed").await;
    assert_eq!(view["event_id"], "1");
    let (_, customer) = get(&platform, "customers/A1").await;
    assert_eq!(customer["leases"][0]["resource"], "msisdn/12065551234");
    let (_, resource) = get(&platform, "resources/msisdn/12065551234").await;
    assert_eq!(resource["holder"]["customer_id"], "A1");
    let log = platform.sandbox("hss").log();
    let assigns = log.iter().filter(|entry| matches!(entry.effect, Effect::NumberAssigned { .. })).count();
    assert_eq!(assigns, 1, "{log:?}");
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_accepted_in_batches_and_in_binary_mode_and_each_has_its_result() {
    let platform = platform(options()).await;
    let batch = json!([
        assigned("1", "A1"),
        event("2", "nobody.knows", "A1", &json!({})),
        event("3", "quota.exceeded", "A2", &json!({"msisdn": "12065550000", "kind": "data", "limit": 5})),
        7,
    ]);
    let body: Value = post(&platform, &batch).await.json().await.unwrap();
    let statuses: Vec<&str> =
        body["results"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["accepted", "rejected", "accepted", "rejected"], "{body}");
    assert_eq!(body["results"][1]["code"], "unknown_event_type");
    assert_eq!(body["results"][3]["code"], "not_an_event");
    // An order that needs no turn has no entity, but is shown anyway.
    assert_eq!(body["results"][2]["workflow_id"], Value::Null);
    let alone = until_order(&platform, body["results"][2]["order_id"].as_str().unwrap(), "completed").await;
    assert_eq!((&alone["type"], &alone["steps"][0]["outcome"]), (&json!("quota.exceeded"), &json!("done")));
    assert_eq!(platform.sandbox("notify").log().len(), 1);

    let binary = reqwest::Client::new().post(events_url(&platform)).header("content-type", "application/json");
    let binary = binary.header("ce-specversion", "1.0").header("ce-id", "9").header("ce-source", "test");
    let binary = binary.header("ce-type", "customer.suspended").header("ce-subject", "A2");
    let answer = binary.body("{\"imsi\":\"001010000000002\",\"reason\":\"fraud\"}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let body: Value = answer.json().await.unwrap();
    // The SIM is not known to be this customer's.
    let held = until_order(&platform, body["results"][0]["order_id"].as_str().unwrap(), "held").await;
    assert_eq!(held["waiting_for"]["code"], "right_unproven");
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unacceptable_event_is_a_problem_with_a_stable_code() {
    let mut options = options();
    options.workers = WorkerHosting::Nobody;
    options.settings.gateway.events_per_second_max = NonZeroU32::new(2).unwrap();
    let mut platform = platform(options).await;
    let problem = |answer: Response| async {
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let (status, retry_after) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["status"], status);
        (status, body["code"].as_str().unwrap().to_owned(), retry_after)
    };
    let expect = |status, code: &str, retry_after| (status, code.to_owned(), retry_after);
    let not_json = reqwest::Client::new().post(events_url(&platform)).body("{").send().await.unwrap();
    assert_eq!(problem(not_json).await, expect(400, "not_json", false));
    let no_event = post(&platform, &json!({"hello": "world"})).await;
    assert_eq!(problem(no_event).await, expect(400, "unsupported_specversion", false));
    let large = event("1", "number.assigned", "A1", &json!({"imsi": "x".repeat(17_000)}));
    assert_eq!(problem(post(&platform, &large).await).await, expect(413, "event_too_large", false));
    // At once: on a busy machine one event after another may take longer than the limit asks for.
    let bodies: Vec<Value> = (0..20).map(|id| assigned(&id.to_string(), "A1")).collect();
    let answers = join_all(bodies.iter().map(|body| post(&platform, body))).await;
    let refused = answers.into_iter().find(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(problem(refused.unwrap()).await, expect(429, "too_many_events", true));
    let never = reqwest::get(format!("{}/v1/tenants/default/customers/NN", platform.gateway_url())).await.unwrap();
    assert_eq!(problem(never).await, expect(404, "never_seen", false));
    assert_eq!(post_unthrottled(&platform, &assigned("accepted", "A1")).await.status(), StatusCode::ACCEPTED);
    let nobody = reqwest::get(format!("{}/v1/tenants/default/customers/A1", platform.gateway_url())).await.unwrap();
    assert_eq!(problem(nobody).await, expect(503, "no_worker", false));
    platform.server.embedded().unwrap().kill().await.unwrap();
    let away = post_unthrottled(&platform, &assigned("away", "A1")).await;
    assert_eq!(problem(away).await, expect(503, "temporal_unavailable", true));
    let ready = reqwest::get(format!("{}/readyz", platform.gateway_url())).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let healthy = reqwest::get(format!("{}/healthz", platform.gateway_url())).await.unwrap();
    assert_eq!(healthy.status(), StatusCode::OK);
    let about: Value = healthy.json().await.unwrap();
    assert_eq!((&about["service"], &about["state"]), (&json!("gateway"), &json!("running")));
    assert_eq!(about["catalog_digest"], platform.installation.catalog.digest());
    platform.stop().await.unwrap();
}

/// The status and code of a problem. If the answer is not a problem, its body.
async fn problem_of(answer: Response) -> (u16, String) {
    let is_problem = answer.headers().get("content-type").is_some_and(|value| value == "application/problem+json");
    let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    match problem["code"].as_str().filter(|_| is_problem && problem["status"] == status) {
        Some(code) => (status, code.to_owned()),
        None => (status, format!("no problem: {body}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_call_is_a_problem_with_a_stable_code() {
    let mut options = options();
    options.workers = WorkerHosting::Nobody;
    let platform = platform(options).await;
    let order = "A1~00000000-0000-0000-0000-000000000000";
    let large = " ".repeat(4 * 1024 * 1024 + 1);
    let expected = [
        ("GET", "/v1/nowhere".to_owned(), 404, "no_such_call"),
        ("DELETE", "/v1/tenants/default/orders".to_owned(), 405, "method_not_allowed"),
        ("DELETE", "/v1/targets/hss/actions".to_owned(), 405, "method_not_allowed"),
        ("DELETE", "/healthz".to_owned(), 405, "method_not_allowed"),
        ("GET", "/v1/tenants/%ff".to_owned(), 400, "bad_id"),
        ("GET", "/v1/tenants/default/customers/%ff".to_owned(), 400, "bad_id"),
        ("GET", "/v1/tenants/default/resources/msisdn/%ff".to_owned(), 400, "bad_id"),
        ("GET", "/v1/tenants/default/orders/%ff/why".to_owned(), 400, "bad_id"),
        ("GET", "/v1/targets/%ff".to_owned(), 400, "bad_id"),
        ("POST", "/v1/tenants/default/events".to_owned(), 413, "event_too_large"),
        ("POST", format!("/v1/tenants/default/orders/{order}/actions"), 413, "body_too_large"),
        ("POST", "/v1/tenants/default/resources/msisdn/1206/actions".to_owned(), 413, "body_too_large"),
        ("POST", "/v1/tenants/default/actions".to_owned(), 413, "body_too_large"),
        ("POST", "/v1/targets/hss/actions".to_owned(), 413, "body_too_large"),
    ];
    let mut told = Vec::new();
    for (method, path, ..) in &expected {
        let url = format!("{}{path}", platform.gateway_url());
        let call = reqwest::Client::new().request(method.parse().unwrap(), url);
        let call = if *method == "POST" { call.body(large.clone()) } else { call };
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status() == StatusCode::METHOD_NOT_ALLOWED, answer.headers().contains_key("allow"), "{path}");
        told.push((*method, path.clone(), problem_of(answer).await));
    }
    let expected = expected.map(|(method, path, status, code)| (method, path, (status, code.to_owned())));
    assert_eq!(told, expected);
    let url = format!("{}/v1/targets/hss/actions", platform.gateway_url());
    let fits = reqwest::Client::new().post(url).body(" ".repeat(4 * 1024 * 1024)).send().await.unwrap();
    assert_eq!(problem_of(fits).await, (400, "bad_action".to_owned()), "a body of the limit is read");
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_its_tenant_and_its_role_and_no_other() {
    let mut options = options();
    options.workers = WorkerHosting::Nobody;
    options.settings.gateway.tokens = vec![GatewayToken {
        token: "open sesame".to_owned().into(),
        name: None,
        role: GatewayRole::Submit,
        tenants: vec!["default".parse().unwrap()],
        realms: Vec::new(),
        targets: Vec::new(),
    }];
    let platform = platform(options).await;
    let status = |path: &'static str, token: Option<&'static str>| {
        let client = reqwest::Client::new();
        let url = format!("{}/v1/tenants/{path}", platform.gateway_url());
        let request =
            if path.ends_with("events") { client.post(url).json(&assigned("1", "A1")) } else { client.get(url) };
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(status("default/events", Some("open sesame")).await, 202);
    assert_eq!(status("default/events", None).await, 401);
    assert_eq!(status("default/events", Some("guess")).await, 401);
    assert_eq!(status("other/events", Some("open sesame")).await, 403);
    assert_eq!(status("default/customers/A1", Some("open sesame")).await, 403);
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_in_processes_of_their_own_do_the_work_and_leave_nothing_behind() {
    let mut options = options();
    let workloads = vec![Workload::Entity, Workload::Resource, Workload::Provisioning];
    options.workers = WorkerHosting::Processes { binary: env!("CARGO_BIN_EXE_interlock").into(), workloads };
    let platform = platform(options).await;
    let pids: Vec<u32> = platform.worker_processes.iter().map(WorkerProcess::pid).collect();
    assert_eq!(pids.len(), 3);
    let body: Value = post(&platform, &assigned("1", "A1")).await.json().await.unwrap();
    until_order(&platform, body["results"][0]["order_id"].as_str().unwrap(), "completed").await;
    platform.stop().await.unwrap();
    for pid in pids {
        let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), None).is_err();
        assert!(gone, "the worker {pid} is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_events_is_submitted_and_may_be_submitted_again() {
    let platform = platform(options()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let quota = |id| event(id, "quota.exceeded", "A1", &json!({"msisdn": "12065550000", "kind": "data", "limit": 5}));
    std::fs::write(file.path(), format!("{}\n{}\n{}\n", quota("1"), assigned("2", "A1"), quota("3"))).unwrap();
    let submit = |path: std::path::PathBuf| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_interlock"));
        command.arg("submit").arg(path).args(["--output", "jsonl", "--address", &platform.temporal_address()]);
        async move { command.output().await.unwrap() }
    };
    let (first, second) = (submit(file.path().to_owned()).await, submit(file.path().to_owned()).await);
    assert_eq!((first.status.code(), second.status.code()), (Some(0), Some(0)), "{first:?}");
    assert_eq!(first.stdout, second.stdout);
    let results: Vec<Value> =
        first.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(results.len(), 3);
    for result in results {
        until_order(&platform, result["order_id"].as_str().unwrap(), "completed").await;
    }
    assert_eq!(platform.sandbox("notify").log().len(), 2);
    std::fs::write(file.path(), "nonsense\n").unwrap();
    let rejected = submit(file.path().to_owned()).await;
    assert_eq!(rejected.status.code(), Some(1));
    assert!(String::from_utf8(rejected.stdout).unwrap().contains("rejected"));
    platform.stop().await.unwrap();
}
