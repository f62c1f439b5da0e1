//! The cost of orders, with workers in a process of their own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use interlock_adapters::sandbox::{self, Applied, Effect, Sandbox, SandboxOptions, Seed};
use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_coordinator::local::{LocalOptions, LocalPlatform, RunningServer, WorkerHosting, WorkerProcess};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::event::Event;
use interlock_domain::ids::TenantId;
use interlock_domain::routing::EntityRoute;
use interlock_worker_pools::Workload;
use interlock_workflows::names;
use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeWorkflowExecutionRequest;
use tonic::IntoRequest;
use uuid::Uuid;

use crate::Failure;
use crate::measure::Meter;

/// The most concurrent orders, or hand-overs.
const AT_A_TIME: usize = 8;
/// The time limit of one order.
const LIMIT: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(200);
/// The time between the events of a pair, so that the first one comes first.
const BETWEEN: Duration = Duration::from_millis(500);
/// How long nothing may change until everything counts as done: messages after the end of an order, too.
const QUIET: Duration = Duration::from_secs(3);

const EVENTS: &str = r#"
[events."line.tuned"]
steps = [{ role = "hss", operation = "update_service", with = { imsi = "{imsi}", settings = "{settings}" } }]
[events."line.tuned".data]
required = ["imsi", "settings"]
properties.imsi = { type = "string", format = "imsi" }
properties.settings = { type = "object" }

[events."line.assigned"]
claims = [{ mode = "assign", resource = "msisdn/{msisdn}", party = "{imsi}" }]
steps = [{ role = "hss", operation = "assign_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["msisdn/{msisdn}"], compensation = "release_number" }]
[events."line.assigned".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }

[events."line.unassigned"]
claims = [{ mode = "release", resource = "msisdn/{msisdn}", party = "{imsi}" }]
steps = [{ role = "hss", operation = "release_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["msisdn/{msisdn}"] }]
[events."line.unassigned".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }
"#;

/// A pair of customers with a number.
struct Pair {
    number: String,
    customers: [(String, String); 2],
}

impl Pair {
    fn numbered(index: usize) -> Self {
        let customer = |side: usize| (format!("C{side}-{index}"), format!("00101{side}{index:09}"));
        Self { number: format!("1206{index:07}"), customers: [customer(1), customer(2)] }
    }

    fn event(&self, event_type: &str, side: usize) -> Value {
        let (customer, imsi) = &self.customers[side];
        let data = match event_type {
            "line.tuned" => json!({ "imsi": imsi, "settings": { "ue_ambr_dl": fastrand::u32(1..) } }),
            _ => json!({ "imsi": imsi, "msisdn": self.number }),
        };
        json!({
            "specversion": "1.0",
            "id": Uuid::new_v4().to_string(),
            "source": "/benchmark",
            "type": event_type,
            "subject": customer,
            "time": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "data": data,
        })
    }
}

impl Pair {
    /// How many orders of this pair the HSS has applied: it counts the last effect of each.
    fn applied(&self, log: &[Applied]) -> usize {
        let is_ours = |entry: &&Applied| match &entry.effect {
            Effect::NumberAssigned { msisdn, .. } | Effect::PrimaryNumberCleared { msisdn, .. } => {
                *msisdn == self.number
            }
            Effect::ServiceUpdated { of, .. } => self.customers.iter().any(|(_, imsi)| imsi == of),
            _ => false,
        };
        log.iter().filter(is_ours).count()
    }
}

/// Interlock in front of the server.
struct Stage {
    platform: LocalPlatform,
    hss: Sandbox,
    tenant: TenantId,
    pairs: Vec<Pair>,
}

/// Measures orders of each kind, and hand-overs.
pub async fn measure(meter: &Meter, orders: usize) -> Result<(), Failure> {
    let stage = Box::pin(Stage::set_up(meter, orders)).await?;
    let measured = stage.measure_all(meter).await;
    stage.platform.stop().await?;
    stage.hss.shutdown().await;
    measured
}

impl Stage {
    async fn set_up(meter: &Meter, orders: usize) -> Result<Self, Failure> {
        let hss = sandbox::hss(SandboxOptions::default()).await?;
        let mut options = LocalOptions::from_environment()?;
        options.running_server =
            Some(RunningServer { address: meter.address(), namespace: "interlock-costs".to_owned() });
        "warn".clone_into(&mut options.settings.log.level);
        let settings = TargetSettings::new(AdapterKind::Pyhss, hss.base_url().parse()?);
        options.settings.targets.insert("hss".parse()?, settings);
        options.catalog = REFERENCE_TEXT.replace("fresh_wait = \"5s\"", "fresh_wait = \"0s\"") + EVENTS;
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_interlock-under-test"));
        options.workers = WorkerHosting::Processes { binary, workloads: vec![Workload::All] };
        let platform = Box::pin(LocalPlatform::start(options, &|sentence| eprintln!("{sentence}"))).await?;
        let pairs: Vec<Pair> = (0..orders).map(Pair::numbered).collect();
        let imsis = pairs.iter().flat_map(|pair| &pair.customers);
        hss.seed(&imsis.map(|(_, imsi)| Seed { imsi: imsi.clone(), ..Seed::default() }).collect::<Vec<_>>())?;
        Ok(Self { platform, hss, tenant: TenantId::default(), pairs })
    }

    async fn measure_all(&self, meter: &Meter) -> Result<(), Failure> {
        // Everybody exists before the measurements.
        self.each(|pair| vec![pair.event("line.tuned", 0), pair.event("line.tuned", 1)]).await?;
        self.each(|pair| vec![pair.event("line.assigned", 0)]).await?;
        self.each(|pair| vec![pair.event("line.unassigned", 0)]).await?;
        self.measure_one(meter, "an order with one step, no claim", |pair| vec![pair.event("line.tuned", 0)]).await?;
        self.measure_one(meter, "an uncontended assign", |pair| vec![pair.event("line.assigned", 0)]).await?;
        let hand_over = |pair: &Pair| vec![pair.event("line.assigned", 1), pair.event("line.unassigned", 0)];
        self.measure_one(meter, "a whole hand-over, the next holder's event first", hand_over).await?;
        self.measure_one(meter, "a release with nobody waiting", |pair| vec![pair.event("line.unassigned", 1)]).await
    }

    async fn measure_one(
        &self,
        meter: &Meter,
        what: &str,
        events: impl Fn(&Pair) -> Vec<Value>,
    ) -> Result<(), Failure> {
        let before = self.settled().await?;
        let workers: Vec<u32> = self.platform.worker_processes.iter().map(WorkerProcess::pid).collect();
        let begin = meter.begin(&workers).await?;
        self.each(events).await?;
        // Counted outside of the measurement: a look at all entities costs, too.
        let used = meter.end(begin).await?;
        let events = self.settled().await? - before;
        println!("{what}: {}", used.each(self.pairs.len(), events));
        Ok(())
    }

    /// Submits these events of each pair, one pair after the other, and waits until all orders are completed.
    async fn each(&self, events: impl Fn(&Pair) -> Vec<Value>) -> Result<(), Failure> {
        let all = self.pairs.iter().map(|pair| self.one(pair, events(pair)));
        stream::iter(all).buffer_unordered(AT_A_TIME).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    /// Submits events, one after the other, and waits until the HSS has applied all of them. The wait costs Temporal nothing.
    async fn one(&self, pair: &Pair, events: Vec<Value>) -> Result<(), Failure> {
        let entities = &self.platform.installation.entities;
        let all = pair.applied(&self.hss.log()) + events.len();
        for event in &events {
            let read = Event::from_value(event, usize::MAX).map_err(|rejection| rejection.detail)?;
            let entity = entities.customer(&self.tenant, &read.subject);
            entities.signal_with_start(&entity, names::SUBMIT, event, &Uuid::new_v4().to_string()).await?;
            tokio::time::sleep(BETWEEN).await;
        }
        let deadline = Instant::now() + LIMIT;
        while pair.applied(&self.hss.log()) < all {
            if Instant::now() > deadline {
                return Err(
                    format!("the orders of {} were not applied within {} s", pair.number, LIMIT.as_secs()).into()
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Waits until no entity has anything to do, and returns the number of their history events.
    async fn settled(&self) -> Result<i64, Failure> {
        let routing = &self.platform.installation.routing;
        let mut routes = Vec::new();
        for pair in &self.pairs {
            for (customer, _) in &pair.customers {
                routes.push(routing.customer(&self.tenant, &customer.parse()?));
            }
            routes.push(routing.resource(&self.tenant, &format!("msisdn/{}", pair.number).parse()?));
        }
        let mut last = None;
        let deadline = Instant::now() + LIMIT;
        loop {
            let lengths = stream::iter(routes.iter().map(|route| self.length_at_rest(route)));
            let lengths: Vec<Option<i64>> = lengths.buffer_unordered(AT_A_TIME).try_collect().await?;
            let sum: Option<i64> = lengths.into_iter().sum();
            if sum.is_some() && sum == last {
                return Ok(sum.unwrap_or_default());
            }
            if Instant::now() > deadline {
                return Err("the entities do not come to rest".into());
            }
            last = sum;
            tokio::time::sleep(QUIET).await;
        }
    }

    /// The number of history events of an entity: 0 if it was never started, `None` if it has something to do.
    async fn length_at_rest(&self, route: &EntityRoute) -> Result<Option<i64>, Failure> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            execution: Some(WorkflowExecution { workflow_id: route.workflow_id.clone(), run_id: String::new() }),
        };
        let mut client = self.platform.installation.client.clone();
        match client.describe_workflow_execution(request.into_request()).await {
            Ok(described) => {
                let described = described.into_inner();
                let length = described.workflow_execution_info.map(|info| info.history_length);
                Ok(length
                    .filter(|_| described.pending_workflow_task.is_none() && described.pending_activities.is_empty()))
            }
            Err(status) if status.code() == tonic::Code::NotFound => Ok(Some(0)),
            Err(status) => Err(status.into()),
        }
    }
}
