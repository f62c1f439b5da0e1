//! The gateway and untrusted clients: attacks from 127.0.0.1, on a real Temporal server.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use interlock_adapters::TargetSettings;
use interlock_coordinator::local::{LocalOptions, LocalPlatform, WorkerHosting};
use interlock_settings::{GatewaySettings, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// The time limit of everything.
const LIMIT: Duration = Duration::from_mins(1);

/// The call by which a target reports the end of a job, as the gateway documents it.
const CALLBACK: &str = "/v1/callbacks/{token}";

async fn platform(change: impl FnOnce(&mut GatewaySettings)) -> LocalPlatform {
    platform_with(|settings| change(&mut settings.gateway)).await
}

async fn platform_with(change: impl FnOnce(&mut Settings)) -> LocalPlatform {
    let mut options = LocalOptions::from_environment().unwrap();
    options.workers = WorkerHosting::Nobody;
    change(&mut options.settings);
    Box::pin(LocalPlatform::start(options, &|sentence| eprintln!("{sentence}"))).await.unwrap()
}

fn caller() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn assigned(id: &str) -> Value {
    let data = json!({"imsi": "001010000000001", "msisdn": "12065551234"});
    json!({"specversion": "1.0", "id": id, "source": "test", "type": "number.assigned", "subject": "A1", "data": data})
}

/// The status and code of a problem. If the answer is not a problem, its body.
async fn problem(request: RequestBuilder) -> (u16, String) {
    problem_of(request.send().await.unwrap()).await
}

async fn problem_of(answer: Response) -> (u16, String) {
    let is_problem = answer.headers().get("content-type").is_some_and(|value| value == "application/problem+json");
    let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
    let told: Value = serde_json::from_str(&body).unwrap_or_default();
    match told["code"].as_str().filter(|_| is_problem) {
        Some(code) => (status, code.to_owned()),
        None => (status, body),
    }
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Every call that the gateway documents, and those that it does not.
async fn calls(url: &str) -> Vec<(Method, String)> {
    let description: Value = caller().get(format!("{url}/openapi.json")).send().await.unwrap().json().await.unwrap();
    let mut calls = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = path.replace("{tenant}", "default").replace("{name}", "hss").replace("{kind}", "msisdn");
        let path = path.replace("{order_id}", "A1~00000000-0000-0000-0000-000000000000").replace("{id}", "1206");
        for method in methods.as_object().unwrap().keys() {
            calls.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    assert!(calls.len() >= 13, "{calls:?}");
    let beside = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/nowhere"];
    calls.extend(beside.map(|path| (Method::GET, path.to_owned())));
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_a_web_page_can_neither_act_nor_read() {
    let takes_espf = |settings: &mut Settings| {
        settings.targets.insert("espf".parse().unwrap(), TargetSettings::intake("portaone-espf.toml", None));
        settings.espf.insert("default".parse().unwrap(), serde_json::from_value(json!({"target": "espf"})).unwrap());
    };
    let platform = platform_with(takes_espf).await;
    let url = platform.gateway_url();
    let port = url.rsplit(':').next().unwrap();
    let mut refused = 0;
    for (method, path) in calls(&url).await {
        let call = || caller().request(method.clone(), format!("{url}{path}"));
        for host in
            ["evil.example".to_owned(), format!("evil.example:{port}"), format!("127.0.0.1.evil.example:{port}")]
        {
            assert_eq!(
                problem(call().header("host", &host)).await,
                is(403, "host_forbidden"),
                "{method} {path} {host}"
            );
        }
        for origin in ["http://evil.example", "null", "http://localhost:1"] {
            let body = assigned("from a page").to_string();
            let request = call().header("origin", origin).header("content-type", "text/plain").body(body);
            assert_eq!(problem(request).await, is(403, "origin_forbidden"), "{method} {path} {origin}");
        }
        if path == CALLBACK {
            // Its right is the token in the path, and no body is read: a target may send what it likes.
            for media_type in ["text/plain", "application/json"] {
                let request = call().header("content-type", media_type).header("content-encoding", "br").body("x");
                assert_eq!(problem(request).await, is(404, "callback_unknown"), "{media_type}");
            }
        } else if method == Method::POST {
            for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                let request = call().header("content-type", media_type).body(assigned("by a form").to_string());
                assert_eq!(problem(request).await, is(415, "unsupported_content_type"), "{path} {media_type}");
                refused += 1;
            }
            let encoded = |coding: &str| {
                call().header("content-type", "application/json").header("content-encoding", coding).body("x")
            };
            assert_eq!(problem(encoded("br")).await, is(415, "unsupported_content_encoding"), "{path}");
            // Only events may be compressed, and this is not.
            let takes_gzip = ["/events", "/espf", "/plan"].iter().any(|end| path.ends_with(end));
            let refused =
                if takes_gzip { is(400, "body_not_decoded") } else { is(415, "unsupported_content_encoding") };
            assert_eq!(problem(encoded("gzip")).await, refused, "{path}");
        }
    }
    assert!(refused >= 15, "every call that acts was tried");
    // A form gets no other answer where such events are not configured.
    let espf = |media_type| caller().post(format!("{url}/v1/tenants/other/espf")).header("content-type", media_type);
    assert_eq!(problem(espf("text/plain").body("{}")).await, is(415, "unsupported_content_type"));
    assert_eq!(problem(espf("application/json").body("{}")).await, is(404, "espf_not_configured"));
    // None of this was accepted: the customer is unknown.
    let never = caller().get(format!("{url}/v1/tenants/default/customers/A1"));
    assert_eq!(problem(never).await, is(404, "never_seen"));
    // Its own pages and programs on this machine are served.
    for (name, value) in [("host", format!("localhost:{port}")), ("origin", url.clone())] {
        let taken = caller().post(format!("{url}/v1/tenants/default/events")).header(name, value).json(&assigned("1"));
        assert_eq!(taken.send().await.unwrap().status().as_u16(), 202, "{name}");
    }
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_of_a_body_and_its_answer_is_proportional_to_its_size() {
    let few = NonZeroU32::new(3).unwrap();
    let platform = platform(|gateway| gateway.batch_events_max = few).await;
    let url = format!("{}/v1/tenants/default/events", platform.gateway_url());
    let post = |body: String| caller().post(&url).header("content-type", "application/json").body(body);
    let elements = |count: usize, element: &str| format!("[{}]", vec![element; count].join(","));
    for (body, code) in [
        (elements(2_000_000, "1"), "batch_too_large"),
        (elements(4, "1"), "batch_too_large"),
        (format!("[{}]", elements(2_000_000, "1")), "body_too_many_values"),
        (format!("{{\"data\":{}}}", elements(2_000_000, "1")), "body_too_many_values"),
    ] {
        let answer = post(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 413, "{code}");
        let told = answer.text().await.unwrap();
        assert!(told.contains(code) && told.len() < 1_000, "{told}");
    }
    let whole = json!([assigned("1"), assigned("2"), assigned("3")]);
    assert_eq!(post(whole.to_string()).send().await.unwrap().status().as_u16(), 202);
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_request_is_refused() {
    let platform = platform(|_| {}).await;
    let gateway = platform.gateway_url();
    let events = || caller().post(format!("{gateway}/v1/tenants/default/events"));
    let twice = r#"{"specversion":"1.0","id":"1","source":"t","type":"number.assigned","subject":"A1","subject":"A2","data":{}}"#;
    let nested = r#"{"specversion":"1.0","id":"1","source":"t","type":"number.assigned","subject":"A1","data":{"imsi":"1","imsi":"2"}}"#;
    for body in [twice.to_owned(), nested.to_owned(), format!("[{twice}]")] {
        let request = events().header("content-type", "application/json").body(body);
        assert_eq!(problem(request).await, is(400, "repeated_key"));
    }
    let action = r#"{"action_id":"1","action":"pause","action":"resume","reason":"r"}"#;
    let request = caller().post(format!("{gateway}/v1/targets/hss/actions")).header("content-type", "application/json");
    assert_eq!(problem(request.body(action)).await, is(400, "repeated_key"));

    let binary = || {
        let request = events().header("content-type", "application/json").header("ce-specversion", "1.0");
        request.header("ce-id", "9").header("ce-source", "test").header("ce-type", "customer.suspended")
    };
    let ambiguous = binary().header("ce-subject", "A1").header("ce-subject", "A2").body("{}");
    assert_eq!(problem(ambiguous).await, is(400, "repeated_header"));
    let repeated = binary().header("ce-subject", "A1").body(r#"{"imsi":"1","imsi":"2"}"#);
    assert_eq!(problem(repeated).await, is(400, "repeated_key"));
    let two = events().header("authorization", "Bearer a").header("authorization", "Bearer b").json(&assigned("1"));
    assert_eq!(problem(two).await, is(400, "repeated_header"));
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_lists_actions_and_batches_are_counted_for_each_tenant() {
    let two = NonZeroU32::new(2).unwrap();
    let platform = platform(|gateway| {
        gateway.events_per_second_max = two;
        gateway.reads_per_second_max = NonZeroU32::new(12).unwrap();
        gateway.actions_per_second_max = two;
        gateway.lists_per_tenant_max = two;
    })
    .await;
    let gateway = platform.gateway_url();
    let url = |tenant: &str, path: &str| format!("{gateway}/v1/tenants/{tenant}/{path}");
    let act = json!({"action_id": "1", "action": "retry", "reason": "r"});
    let order = "orders/A1~00000000-0000-0000-0000-000000000000";
    let batch: Vec<Value> = (0..500).map(|id| assigned(&id.to_string())).collect();
    let requests = |tenant: &str| {
        [
            ("events", caller().post(url(tenant, "events")).json(&batch), "too_many_events", "event rate limit"),
            ("questions", caller().get(url(tenant, "customers/A1")), "too_many_calls", "query rate limit"),
            ("lists", caller().get(url(tenant, "orders")), "too_many_calls", "lists"),
            (
                "actions",
                caller().post(url(tenant, &format!("{order}/actions"))).json(&act),
                "too_many_calls",
                "action rate limit",
            ),
        ]
    };
    for (index, (what, request, code, word)) in requests("noisy").into_iter().enumerate() {
        let began = Instant::now();
        loop {
            let at_once = (0..20).map(|_| request.try_clone().unwrap().send());
            let answers = join_all(at_once).await.into_iter().map(Result::unwrap);
            if let Some(answer) = answers.into_iter().find(|answer| answer.status().as_u16() == 429) {
                assert!(answer.headers().contains_key("retry-after"), "{what}");
                let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                // At 2 a second, 500 events take minutes.
                assert!(what != "events" || wait > 60, "{what}: {wait} s");
                let told: Value = answer.json().await.unwrap();
                assert_eq!(told["code"], code, "{what}");
                assert!(told["detail"].as_str().unwrap().contains(word), "{what}: {told}");
                break;
            }
            assert!(began.elapsed() < LIMIT, "{what} are never too many");
        }
        let (_, of_quiet, ..) = requests("quiet").into_iter().nth(index).unwrap();
        assert_ne!(of_quiet.send().await.unwrap().status().as_u16(), 429, "{what} of another tenant");
    }
    platform.stop().await.unwrap();
}

/// A gateway in a separate process, which is killed at the end.
struct Gateway {
    process: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A gateway that requires the token `open sesame` and has this many file descriptors.
fn gateway(platform: &LocalPlatform, descriptors: u32) -> Gateway {
    let directory = tempfile::tempdir().unwrap();
    let settings = "[[gateway.tokens]]\ntoken = \"open sesame\"\nrole = \"operate\"\ntenants = [\"default\"]\n\
                    [http]\nheader_timeout = \"1m\"\n";
    std::fs::write(directory.path().join("interlock.toml"), settings).unwrap();
    let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
    let mut process = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_interlock"), "gateway", "--listen", "127.0.0.1:0", "-o", "json"])
        .args(["--address", &platform.temporal_address()])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    let address = listening["gateway"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    Gateway { process, address, _directory: directory }
}

impl Gateway {
    /// Its peak memory, in MB.
    fn memory_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        most.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    fn sent(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        // The gateway may have closed this connection already.
        let _sent = stream.write_all(head.as_bytes());
        stream
    }
}

fn answer_on(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer also counts as an end.
    let _ended = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_large_is_read_before_a_token_is_checked() {
    let platform = platform(|_| {}).await;
    let gateway = gateway(&platform, 1_024);
    let before = gateway.memory_mb();
    let head = "POST /v1/tenants/default/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 4194304\r\n\r\n";
    // A part of every body is in flight before the first client sends the rest.
    let mut open: Vec<TcpStream> = (0..150).map(|_| gateway.sent(head)).collect();
    let part = vec![b' '; 256 * 1024];
    for _ in 0..16 {
        for stream in &mut open {
            // The connection may have its answer already, and be closed.
            let _sent = stream.write_all(&part);
        }
    }
    for stream in open {
        let answer = answer_on(stream);
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("token_missing"), "{answer}");
    }
    let grown = gateway.memory_mb() - before;
    assert!(grown < 100, "{grown} MB for bodies of strangers");
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_file_descriptors_health_and_others_are_answered() {
    let platform = platform(|_| {}).await;
    let gateway = gateway(&platform, 96);
    let half: Vec<TcpStream> = (0..300).map(|_| gateway.sent("GET /healthz HTTP/1.1\r\nHost: local")).collect();
    let healthy = answer_on(gateway.sent("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");
    // Connections with a request replace those without one, after the latter have waited for a moment.
    let began = Instant::now();
    loop {
        let listed = "GET /v1/tenants/default/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer open sesame\r\n\
                      Connection: close\r\n\r\n";
        let answer = answer_on(gateway.sent(listed));
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(answer.is_empty() || answer.contains("service_overloaded"), "{answer}");
        assert!(began.elapsed() < LIMIT, "{answer}");
    }
    drop(half);
    kill(Pid::from_raw(gateway.process.id().cast_signed()), Signal::SIGTERM).unwrap();
    let mut gateway = gateway;
    assert_eq!(gateway.process.wait().unwrap().code(), Some(0));
    platform.stop().await.unwrap();
}
