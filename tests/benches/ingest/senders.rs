//! Sends the events of one measurement, in one of the ways.

use std::time::Instant;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use interlock_coordinator::local::{GatewayProcess, LocalPlatform};
use interlock_domain::routing::EntityRoute;
use reqwest::StatusCode;
use serde_json::{Value, json};
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, Priority, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::SignalWithStartWorkflowExecutionRequest;
use tonic::IntoRequest;
use uuid::Uuid;

use crate::{Arguments, Failure};

/// The tenant.
const TENANT: &str = "default";

/// A way in which events reach Temporal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Signal-with-start with the SDK's client.
    Raw,
    /// The gateway, one by one.
    Single,
    /// The gateway, in batches.
    Batch,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Single, Self::Batch];
}

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Events that were accepted, a second.
    pub per_second: f64,
    /// CPU time of these processes for each event, in microseconds.
    pub cpu_us: Cpu,
}

/// CPU times in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// Of the gateway.
    pub gateway: f64,
    /// Of the Temporal server.
    pub server: f64,
    /// Of this process, which sends.
    pub sender: f64,
}

/// The processes whose CPU time is measured.
#[derive(Debug, Clone, Copy)]
struct Processes {
    gateway: u32,
    server: u32,
}

impl Processes {
    /// The CPU time that they have used.
    fn cpu_us(self) -> Result<Cpu, Failure> {
        let sender = cpu_us(std::process::id())?;
        Ok(Cpu { gateway: cpu_us(self.gateway)?, server: cpu_us(self.server)?, sender })
    }

    /// The CPU time that they have used since then for each of these events.
    fn cpu_us_since(self, began: Cpu, events: f64) -> Result<Cpu, Failure> {
        let now = self.cpu_us()?;
        let each = |now: f64, then: f64| (now - then) / events;
        Ok(Cpu {
            gateway: each(now.gateway, began.gateway),
            server: each(now.server, began.server),
            sender: each(now.sender, began.sender),
        })
    }
}

/// All that is needed to send events.
pub struct Senders {
    client: Client,
    routes: Box<dyn Fn(&str) -> EntityRoute>,
    http: reqwest::Client,
    url: String,
    processes: Processes,
    events: usize,
    customers: usize,
    at_a_time: usize,
    batch: usize,
}

impl Senders {
    /// To this platform's server, and through this gateway.
    pub fn new(platform: &mut LocalPlatform, gateway: &GatewayProcess, arguments: &Arguments) -> Result<Self, Failure> {
        let server =
            platform.server.embedded().and_then(|server| server.pid()).ok_or("the server is not an embedded one")?;
        let installation = platform.installation.clone();
        let client = installation.client_for(platform.server.namespace())?;
        let routes = move |customer: &str| {
            let (tenant, customer) = (TENANT.parse().expect("a tenant"), customer.parse().expect("a customer"));
            installation.routing.customer(&tenant, &customer)
        };
        Ok(Self {
            client,
            routes: Box::new(routes),
            http: reqwest::Client::builder().no_proxy().build()?,
            url: format!("{}/v1/tenants/{TENANT}/events", gateway.url()),
            processes: Processes { gateway: gateway.pid(), server },
            events: arguments.events,
            customers: arguments.customers,
            at_a_time: arguments.at_a_time,
            batch: arguments.batch,
        })
    }

    /// Sends all events of one measurement in this way. Its customers are new: the first event of each starts its entity.
    pub async fn measure(&self, way: Way, round: usize) -> Result<Measured, Failure> {
        let customer = |number: usize| format!("{way:?}-{round}-{}", number % self.customers);
        let events: Vec<Value> = (0..self.events).map(|number| event(&customer(number))).collect();
        let (began, cpu) = (Instant::now(), self.processes.cpu_us()?);
        match way {
            Way::Raw => self.each(events.iter().map(|event| self.signal_with_start(event))).await?,
            Way::Single => self.each(events.iter().map(|event| self.post(event.to_string(), 1))).await?,
            Way::Batch => {
                let bodies = events.chunks(self.batch);
                let posts = bodies.map(|batch| self.post(Value::from(batch.to_vec()).to_string(), batch.len()));
                let at_a_time = self.at_a_time.div_ceil(self.batch).max(2);
                stream::iter(posts).buffer_unordered(at_a_time).try_collect::<()>().await?;
            }
        }
        let (seconds, events) = (began.elapsed().as_secs_f64(), f64::from(u32::try_from(self.events)?));
        Ok(Measured { per_second: events / seconds, cpu_us: self.processes.cpu_us_since(cpu, events)? })
    }

    async fn each(
        &self,
        calls: impl Iterator<Item = impl Future<Output = Result<(), Failure>>>,
    ) -> Result<(), Failure> {
        stream::iter(calls).buffer_unordered(self.at_a_time).try_collect::<()>().await
    }

    async fn signal_with_start(&self, event: &Value) -> Result<(), Failure> {
        let customer = event["subject"].as_str().unwrap_or_default();
        let route = (self.routes)(customer);
        let request = SignalWithStartWorkflowExecutionRequest {
            namespace: route.namespace,
            workflow_id: route.workflow_id,
            workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
            task_queue: Some(TaskQueue { name: route.task_queue, ..TaskQueue::default() }),
            input: Some(payloads(&json!({"tenant_id": TENANT, "entity_id": customer}))),
            signal_name: "submit".to_owned(),
            signal_input: Some(payloads(event)),
            request_id: Uuid::new_v4().to_string(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
            priority: Some(Priority { fairness_key: TENANT.to_owned(), fairness_weight: 1.0, ..Priority::default() }),
            ..Default::default()
        };
        self.client.clone().signal_with_start_workflow_execution(request.into_request()).await?;
        Ok(())
    }

    async fn post(&self, body: String, count: usize) -> Result<(), Failure> {
        let request = self.http.post(&self.url).header("content-type", "application/json").body(body);
        let answer = request.send().await?;
        if answer.status() != StatusCode::ACCEPTED {
            return Err(format!("{}: {}", answer.status(), answer.text().await?).into());
        }
        let answer: Value = answer.json().await?;
        let results = answer["results"].as_array().into_iter().flatten();
        let accepted = results.filter(|result| result["status"] == "accepted").count();
        if accepted == count { Ok(()) } else { Err(format!("{accepted} of {count} accepted: {answer}").into()) }
    }
}

fn payloads(value: &Value) -> Payloads {
    let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
    Payloads { payloads: vec![Payload { metadata, data: value.to_string().into_bytes(), ..Payload::default() }] }
}

fn event(customer: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": Uuid::new_v4().to_string(),
        "source": "/benchmark",
        "type": "number.assigned",
        "subject": customer,
        "time": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "data": {"imsi": "001010000000001", "msisdn": "12065551234"},
    })
}

/// The CPU time that a process has used, in microseconds.
fn cpu_us(pid: u32) -> Result<f64, Failure> {
    /// The unit of the kernel's report: USER_HZ is 100 on every Linux platform that Rust supports.
    const TICK_US: f64 = 10_000.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may contain spaces. After it come the state and numbers: user time is the 12th, system
    // time the 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks * TICK_US)
}
