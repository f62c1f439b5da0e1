//! An installation with processes as people run them, a worker and a gateway, and everything that can be seen of them from outside:
//! their logs, their metrics, and the traces that they send to a collector.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use interlock_adapters::sandbox::{Action, Pattern, Rule};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::events::{Customer, assigned, changed, event, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted};
use crate::waiting::until;

/// The trace of the watched event's producer.
pub const PRODUCERS_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// What can be seen of some orders.
pub struct Seen {
    /// The stderr of worker and gateway, the worker's as JSON and the gateway's as text.
    pub logs: [String; 2],
    /// The namespace.
    pub namespace: String,
    /// The metrics of worker and gateway.
    pub metrics: [String; 2],
    /// The spans that the collector received.
    pub spans: Vec<Span>,
    /// The `traceparent`s of the calls to the HSS for the watched order.
    pub at_hss: Vec<String>,
    /// The order of the event that came with a trace.
    pub watched: String,
    /// Everything that the orders named: numbers, and the names of subscriptions.
    pub numbers: Vec<String>,
}

/// The orders are sent once, for all tests that check what can be seen of them.
pub async fn seen() -> &'static Seen {
    static SEEN: OnceCell<Seen> = OnceCell::const_new();
    SEEN.get_or_init(|| Box::pin(look())).await
}

/// A running `interlock`. Dropping it kills it.
struct Process {
    child: Child,
    stderr: PathBuf,
    address: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Process {
    /// Starts a service, and returns when it prints the address it listens on.
    async fn start(bed: &Testbed, directory: &Path, format: &str, collector: &str, arguments: &[&str]) -> Self {
        let file = |kind: &str| directory.join(format!("{}.{kind}", arguments[0]));
        let (stdout, stderr) = (file("out"), file("err"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock-under-test"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["TEMPORAL_", "INTERLOCK_", "OTEL_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command.args(arguments).args(bed.connection()).args(["--listen", "127.0.0.1:0"]);
        command.args(["--output", "jsonl", "--log-level", "debug", "--log-format", format]);
        command.arg("--config").arg(directory.join("interlock.toml"));
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector).env("OTEL_BSP_SCHEDULE_DELAY", "100");
        command.env("OTEL_SERVICE_NAME", format!("interlock-{}", arguments[0]));
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let child = command.spawn().unwrap();
        let said = until(format!("{} to listen", arguments[0]), || async {
            let said = std::fs::read_to_string(&stdout).unwrap();
            serde_json::from_str::<Value>(said.lines().next()?).ok()
        })
        .await;
        let address = said.get("listen").or(said.get("gateway")).and_then(Value::as_str).unwrap().to_owned();
        Self { child, stderr, address }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.address);
        http().get(url).send().await.unwrap().text().await.unwrap()
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn look() -> Seen {
    let bed = Testbed::start("seen", Wanted { no_workers: true, ..Wanted::default() }).await;
    let collector = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/traces"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&collector)
        .await;
    let directory = tempfile::tempdir().unwrap();
    write_settings(&bed, &directory);
    let endpoint = collector.uri();
    let start = |format, arguments| Process::start(&bed, directory.path(), format, &endpoint, arguments);
    let worker = start("json", &["worker", "--workload", "all"][..]).await;
    let gateway = start("text", &["gateway"][..]).await;
    let scene = Scene::on(&bed);
    let (watched, numbers, at_hss) = orders(&scene, &gateway).await;
    let spans = until("the spans of the watched order", || async {
        let spans = received(&collector).await;
        spans.iter().any(|span| span.name == "crm add_number" && trace_of(span) == PRODUCERS_TRACE).then_some(spans)
    })
    .await;
    until("a sweep that tells of the held order", || async {
        let text = worker.metrics().await;
        let told =
            |line: &str| line.starts_with("interlock_orders_open{") && line.contains("held") && line.ends_with(" 1");
        text.lines().any(told).then_some(())
    })
    .await;
    let metrics = [worker.metrics().await, gateway.metrics().await];
    let logs = [worker.log(), gateway.log()];
    let namespace = bed.namespace().to_owned();
    drop((worker, gateway));
    bed.stop().await;
    Seen { logs, namespace, metrics, spans, at_hss, watched, numbers }
}

/// The settings of the testbed as a file for processes.
fn write_settings(bed: &Testbed, directory: &TempDir) {
    let catalog = directory.path().join("catalog.toml");
    std::fs::write(&catalog, &bed.catalog).unwrap();
    let target = |name: &str, adapter: &str, url: &str| {
        format!("[targets.{name}]\nadapter = \"{adapter}\"\nbase_url = \"{url}\"\nmax_apply_delay = \"2s\"\n")
    };
    let settings = [
        format!("queue_shards = 1\ncatalog = \"{}\"\n[sweep]\ninterval = \"10s\"\n", catalog.display()),
        target("hss", "pyhss", &bed.hss.base_url()),
        target("crm", "json", &bed.crm.base_url()),
        target("notify", "json", &bed.sms.base_url()),
    ];
    std::fs::write(directory.path().join("interlock.toml"), settings.concat()).unwrap();
}

/// Orders that succeed, that wait for each other, that fail, and that are rejected. The first one has a trace.
async fn orders(scene: &Scene<'_>, gateway: &Process) -> (String, Vec<String>, Vec<String>) {
    let (a, b, unknown) = (scene.customer("A"), scene.customer("B"), Scene::newcomer("C"));
    let (one, two, three) = (number(), number(), number());
    let watched = post(scene, gateway, &assigned(&a, &one), true).await;
    scene.completed(&[watched.parse().unwrap()]).await;
    // The number's entity, which belongs to no single order, is queried, too.
    let writes = scene.bed.hss.received().into_iter().filter(|request| request.method != "GET");
    let at_hss = writes.filter_map(|request| request.traceparent).collect();

    // The CRM echoes the request in an error.
    let of_a = Pattern { body_contains: Some(two.clone()), ..Pattern::default() };
    let body = serde_json::json!({ "error": format!("cannot take {two} (+{two}) of {}", b.imsi) });
    scene.bed.crm.add_rule(Rule::once(of_a, Action::Refuse { status: 500, body, retry_after_s: None }));
    let waiting = post(scene, gateway, &assigned(&b, &one), false).await;
    scene.is_waiting_for(&b, &one).await;
    let given = post(scene, gateway, &unassigned(&a, &one), false).await;
    // If B released the number before it has it, that would supersede the waiting order.
    for order in [&waiting, &given] {
        scene.end_of(&order.parse().unwrap()).await;
    }
    let given_up = post(scene, gateway, &changed(&b, &one, &two), false).await;
    scene.end_of(&given_up.parse().unwrap()).await;
    // The HSS does not know this subscription: the order waits for a person.
    let held = post(scene, gateway, &assigned(&unknown, &three), false).await;
    until("the order to be held", || async {
        let state = scene.order(&held.parse().unwrap()).await?["state"].clone();
        (state == "held").then_some(())
    })
    .await;
    let wrong = event("number.assigned", &a.id, &serde_json::json!({ "imsi": a.imsi, "msisdn": format!("x{three}") }));
    post(scene, gateway, &wrong, false).await;
    let url = format!("{}/v1/tenants/{}/resources/msisdn/{one}", gateway.address, scene.tenant);
    http().get(url).send().await.unwrap();
    let imsis = [a, b, unknown].map(|customer: Customer| customer.imsi);
    (watched, [one, two, three].into_iter().chain(imsis).collect(), at_hss)
}

/// Posts an event. Returns the order that it makes.
async fn post(scene: &Scene<'_>, gateway: &Process, event: &Value, traced: bool) -> String {
    let url = format!("{}/v1/tenants/{}/events", gateway.address, scene.tenant);
    let mut request = http().post(url).header("content-type", "application/cloudevents+json").body(event.to_string());
    if traced {
        request = request.header("traceparent", format!("00-{PRODUCERS_TRACE}-b7ad6b7169203331-01"));
    }
    let answer = request.send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["results"][0]["order_id"].as_str().unwrap_or_default().to_owned()
}

async fn received(collector: &MockServer) -> Vec<Span> {
    let requests = collector.received_requests().await.unwrap();
    let exported = requests.iter().map(|request| ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap());
    let spans = exported.flat_map(|exported| exported.resource_spans).flat_map(|of_resource| of_resource.scope_spans);
    spans.flat_map(|of_scope| of_scope.spans).collect()
}

/// The trace of a span, in hex digits.
pub fn trace_of(span: &Span) -> String {
    hex(&span.trace_id)
}

/// Bytes in hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let number = bytes.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{number:0width$x}", width = 2 * bytes.len())
}
