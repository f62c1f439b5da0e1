//! A target on this machine that answers what it is told to answer, and the calls to it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use interlock_adapters::{Adapter, Authentication, Call, TargetSettings, Verification};
use interlock_domain::ids::{Epoch, OrderId, ResourceId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// The credentials that no outcome may repeat.
pub(crate) const SECRET: &str = "open-sesame-4711";
/// The time of one attempt. All answers come at once.
const ATTEMPT: Duration = Duration::from_secs(2);
/// The most time that an attempt may take: it may just have begun a request at the end of its time.
const TAKES_MAX: Duration = Duration::from_secs(5);
/// The most requests of one call: each row of a table may need one.
const REQUESTS_MAX: usize = 2_000;
/// The most bytes that a request may have.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes that an outcome may have: it is recorded, and shown.
const OUTCOME_BYTES_MAX: usize = 16 * 1024;

/// An answer of the target.
#[derive(Debug, Clone, Default)]
struct Scripted {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Default)]
struct Script {
    answers: VecDeque<Scripted>,
    requests: usize,
    largest: usize,
}

/// The target, and the clients' side of its connections: both run only while a call runs.
pub(crate) struct TargetStub {
    runtime: Runtime,
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl TargetStub {
    /// Listens on a free port of the loopback interface.
    pub(crate) fn new() -> Self {
        let script = Arc::<Mutex<Script>>::default();
        let started = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
            let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
            Ok((listener.local_addr()?, runtime, listener))
        });
        let (address, runtime, listener) = started.unwrap_or_else(|fault| panic!("no target can be started: {fault}"));
        let served = Arc::clone(&script);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _without_delay = stream.set_nodelay(true);
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self { runtime, address, script }
    }

    /// The settings of an adapter for it, which sends [`SECRET`].
    pub(crate) fn settings(&self, adapter: &str) -> TargetSettings {
        let settings = json!({
            "adapter": adapter, "base_url": format!("http://{}/api", self.address), "timeout": "1s",
            "releases": if adapter == "json" { json!(["release_number"]) } else { json!([]) },
        });
        let settings = serde_json::from_value::<TargetSettings>(settings);
        let settings = settings.unwrap_or_else(|fault| unreachable!("the settings are valid: {fault}"));
        TargetSettings { auth: Authentication::Bearer { token: SECRET.into() }, ..settings }
    }

    /// Calls the target: `call OPERATION DATA`, `verify OPERATION DATA`, `find_holder KIND/ID`, `list_holders KIND`, `registered_under
    /// KIND/ID` or `health`. `answers` are what it answers, a line each: the status, headers in angle brackets, and the body. After them
    /// it answers 500.
    pub(crate) fn calls<'a>(&self, adapter: &dyn Adapter, call: &str, answers: impl Iterator<Item = &'a str>) {
        let answers: VecDeque<Scripted> = answers.map(scripted).collect();
        let has_success = answers.iter().any(|answer| (200..300).contains(&answer.status));
        *locked(&self.script) = Script { answers, ..Script::default() };
        let begun = Instant::now();
        let is_done = self.runtime.block_on(perform(adapter, call));
        let took = begun.elapsed();
        assert!(!is_done || has_success, "done, although no answer said so");
        assert!(took <= TAKES_MAX, "the call took {took:?}");
        let Script { requests, largest, .. } = *locked(&self.script);
        assert!(requests <= REQUESTS_MAX, "{requests} requests");
        assert!(largest <= REQUEST_BYTES_MAX, "a request of {largest} bytes");
    }
}

/// Whether the outcome of the call is `done`.
async fn perform(adapter: &dyn Adapter, call: &str) -> bool {
    let mut words = call.splitn(3, ' ');
    let (word, name, data) = (words.next(), words.next().unwrap_or_default(), words.next());
    let tenant = TenantId::default();
    match word {
        Some("call") => {
            let outcome = adapter.call(&call_of(name, data)).await;
            let is_done = outcome == Outcome::Done;
            said_why(outcome);
            return is_done;
        }
        Some("verify") => {
            let verification = adapter.verify(&call_of(name, data)).await;
            said(&verification);
            return verification == Verification::Applied;
        }
        Some("find_holder") => {
            if let Ok(resource) = name.parse::<ResourceId>() {
                let answer = adapter.find_holder(&tenant, &resource).await.map_err(said_why);
                said(&answer.map(HolderAnswer::kept));
            }
        }
        Some("list_holders") => {
            if let Ok(kind) = name.parse() {
                let _page = adapter.list_holders(&kind, 0).await.map_err(said_why);
            }
        }
        Some("registered_under") => {
            if let Ok(identity) = name.parse() {
                let _resources =
                    adapter.registered_under(&call_of("release_number", None), &identity).await.map_err(said_why);
            }
        }
        _ => said(&adapter.health().await.map_err(said_why)),
    }
    false
}

/// As the activity records it.
fn said_why(outcome: Outcome) -> Outcome {
    let outcome = outcome.kept();
    said(&outcome);
    outcome
}

/// What is recorded of a call is short, and has nothing of the credentials.
fn said(result: &impl Serialize) {
    let json = serde_json::to_string(result).unwrap_or_else(|fault| panic!("a result cannot be written: {fault}"));
    assert!(json.len() <= OUTCOME_BYTES_MAX, "a result of {} bytes", json.len());
    assert!(!json.contains(SECRET), "the credentials are in a result: {json}");
}

/// A call with these arguments, or with those of most operations.
fn call_of(operation: &str, data: Option<&str>) -> Call {
    let data = data.and_then(|data| serde_json::from_str::<Map<String, Value>>(data).ok()).unwrap_or_else(usual_data);
    let tenant = TenantId::default();
    let customer = "A1".parse().unwrap_or_else(|fault| unreachable!("a constant that is an id: {fault}"));
    let order = OrderId::derive(&tenant, &customer, "/fuzz", "1", None);
    let resource =
        |name: &str| data.get(name).and_then(Value::as_str).and_then(|id| format!("{name}/{id}").parse().ok());
    let epochs: BTreeMap<ResourceId, Epoch> =
        resource("msisdn").into_iter().map(|resource| (resource, Epoch(7))).collect();
    Call {
        tenant,
        order,
        target: "crm".parse().unwrap_or_else(|fault| unreachable!("a constant that is an id: {fault}")),
        operation: operation.to_owned(),
        data,
        idempotency_key: Uuid::from_u128(7),
        epoch: epochs.values().next().copied(),
        epochs,
        attempt: 1,
        callback_url: Some("https://interlock.example/v1/callbacks/token".to_owned()),
        timeout: ATTEMPT,
    }
}

fn usual_data() -> Map<String, Value> {
    let data = json!({
        "customer_id": "A1", "imsi": "001010000000001", "iccid": "8901000000000000001", "msisdn": "12065550100",
        "old_msisdn": "12065550199", "new_msisdn": "12065550100", "old_imsi": "001010000000001",
        "new_imsi": "001010000000002", "profile": "default", "enabled": true, "status": "active", "reason": "fraud",
        "settings": {"nam": 0}, "text": "80 % used", "kind": "data", "limit": 80,
    });
    data.as_object().cloned().unwrap_or_default()
}

fn scripted(line: &str) -> Scripted {
    let (status, mut rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut answer = Scripted {
        status: status.parse().ok().filter(|status| (200..600).contains(status)).unwrap_or(500),
        ..Scripted::default()
    };
    while let Some((header, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        let Some((name, value)) = header.split_once(": ") else { break };
        if may_send(name, value) {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
        rest = after;
    }
    rest.clone_into(&mut answer.body);
    answer
}

/// Whether a header is one, and says nothing of how the answer is sent.
fn may_send(name: &str, value: &str) -> bool {
    let is_framing = ["connection", "content-encoding", "content-length", "transfer-encoding", "upgrade"];
    !is_framing.contains(&name.to_ascii_lowercase().as_str())
        && http::HeaderName::try_from(name).is_ok()
        && http::HeaderValue::try_from(value).is_ok()
}

fn locked(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers the requests of a connection.
async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut received = Vec::new();
    loop {
        let Some((method, length)) = request(&mut stream, &mut received).await else { return };
        let answer = {
            let mut script = locked(&script);
            script.requests += 1;
            script.largest = script.largest.max(length);
            script.answers.pop_front()
        };
        let answer = answer.unwrap_or(Scripted { status: 500, ..Scripted::default() });
        let mut head = format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        let body =
            if method == "HEAD" || answer.status == 204 || answer.status == 304 { "" } else { answer.body.as_str() };
        let sent = format!("{head}\r\n{body}");
        if stream.write_all(sent.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The method of the next request and its length, which is taken from `received`.
async fn request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<(String, usize)> {
    loop {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let declared = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let length = end + 4 + declared.unwrap_or(0);
            if received.len() >= length {
                received.drain(..length);
                return Some((head.split(' ').next().unwrap_or_default().to_owned(), length));
            }
        }
        if stream.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}
