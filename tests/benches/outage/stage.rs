//! The environment of a benchmark: Interlock on this machine, two sandbox targets, and customers with one-step orders at each.

use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use interlock_adapters::sandbox::{self, Sandbox, SandboxOptions, Seed};
use interlock_adapters::{AdapterKind, OutageSettings, TargetSettings};
use interlock_coordinator::local::{LocalOptions, LocalPlatform};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::event::Event;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::target_entity::Rate;
use interlock_operations::targets::Targets;
use interlock_workflows::names;
use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeWorkflowExecutionRequest;
use tonic::IntoRequest;
use uuid::Uuid;

use crate::Failure;

/// The most concurrent calls to Temporal.
pub const AT_A_TIME: usize = 16;
/// The pause between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(50);
/// The length of each stage of a ramp.
pub const RAMP_STAGE: Duration = Duration::from_secs(2);

/// Event types with one step at one target each.
const EVENTS: &str = r#"
[events."line.tuned"]
steps = [{ role = "hss", operation = "update_service", with = { imsi = "{imsi}", settings = "{settings}" } }]
[events."line.tuned".data]
required = ["imsi", "settings"]
properties.imsi = { type = "string", format = "imsi" }
properties.settings = { type = "object" }

[events."account.tuned"]
steps = [{ role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", imsi = "{imsi}", settings = "{settings}" } }]
[events."account.tuned".data]
required = ["imsi", "settings"]
properties.imsi = { type = "string", format = "imsi" }
properties.settings = { type = "object" }
"#;

/// A customer of a benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: String,
    /// Its subscription at the HSS.
    pub imsi: String,
}

impl Customer {
    /// The customer with this number.
    pub fn numbered(number: usize) -> Self {
        Self { id: format!("C{number}"), imsi: format!("00101{number:010}") }
    }

    /// An event with one step that sets a value.
    pub fn tuned(&self, event_type: &str, value: usize) -> Value {
        json!({
            "specversion": "1.0",
            "id": Uuid::new_v4().to_string(),
            "source": "/benchmark",
            "type": event_type,
            "subject": self.id,
            // Events without a time that reach an entity in one workflow task have the same time.
            "time": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "data": { "imsi": self.imsi, "settings": { "ue_ambr_dl": value } },
        })
    }
}

/// Interlock on this machine, and its targets.
pub struct Stage {
    platform: LocalPlatform,
    /// The sandbox for the HSS, the target that goes down.
    pub hss: Sandbox,
    /// The sandbox for the CRM, the other target.
    pub crm: Sandbox,
    tenant: TenantId,
}

impl Stage {
    /// Starts it. The HSS gets at most `rate` requests a second, in at most `calls` concurrent calls.
    pub async fn set_up(rate: u32, calls: usize) -> Result<Self, Failure> {
        let (hss, crm) =
            (sandbox::hss(SandboxOptions::default()).await?, sandbox::crm(SandboxOptions::default()).await?);
        let mut options = LocalOptions::from_environment()?;
        "error".clone_into(&mut options.settings.log.level);
        for (target, adapter, sandbox) in [("hss", AdapterKind::Pyhss, &hss), ("crm", AdapterKind::Json, &crm)] {
            let mut settings = TargetSettings::new(adapter, sandbox.base_url().parse()?);
            if target == "hss" {
                settings.rate_per_second = Some(Rate::per_second(rate));
                settings.concurrency = Some(calls);
            }
            settings.outage = OutageSettings { ramp_stage: RAMP_STAGE, ..OutageSettings::default() };
            options.settings.targets.insert(target.parse()?, settings);
        }
        options.catalog = format!("{REFERENCE_TEXT}{EVENTS}");
        let platform = Box::pin(LocalPlatform::start(options, &|sentence| eprintln!("{sentence}"))).await?;
        Ok(Self { platform, hss, crm, tenant: TenantId::default() })
    }

    /// Stops all of it.
    pub async fn take_down(self) -> Result<(), Failure> {
        self.platform.stop().await?;
        self.hss.shutdown().await;
        self.crm.shutdown().await;
        Ok(())
    }

    /// Creates these customers at the HSS.
    pub fn seed(&self, customers: &[Customer]) -> Result<(), Failure> {
        let seed = |customer: &Customer| Seed { imsi: customer.imsi.clone(), ..Seed::default() };
        self.hss.seed(&customers.iter().map(seed).collect::<Vec<_>>())?;
        Ok(())
    }

    /// Signals an event to its customer's entity. Returns the order that it makes.
    pub async fn submit(&self, event: &Value) -> Result<OrderId, Failure> {
        let installation = &self.platform.installation;
        let read = Event::from_value(event, usize::MAX).map_err(|rejection| rejection.detail)?;
        let entity = installation.entities.customer(&self.tenant, &read.subject);
        let request_id = Uuid::new_v4().to_string();
        installation.entities.signal_with_start(&entity, names::SUBMIT, event, &request_id).await?;
        Ok(installation.catalog.order_id(&self.tenant, &read))
    }

    /// The state of a target. `None` if it does not answer now.
    pub async fn standing(&self, target: &str) -> Option<Value> {
        let view = Targets::new(self.platform.installation.clone()).show(&target.parse().ok()?).await.ok()?;
        Some(json!(view))
    }

    /// The number of history events of these customers' entities. `None` if one of them has an open workflow task.
    pub async fn history_events(&self, customers: &[Customer]) -> Result<Option<i64>, Failure> {
        let lengths = stream::iter(customers.iter().map(|customer| self.history_length(customer)));
        let lengths: Vec<Option<i64>> = lengths.buffer_unordered(AT_A_TIME).try_collect().await?;
        Ok(lengths.into_iter().sum())
    }

    async fn history_length(&self, customer: &Customer) -> Result<Option<i64>, Failure> {
        let route = self.platform.installation.routing.customer(&self.tenant, &customer.id.parse()?);
        let request = DescribeWorkflowExecutionRequest {
            namespace: route.namespace,
            execution: Some(WorkflowExecution { workflow_id: route.workflow_id, run_id: String::new() }),
        };
        let mut client = self.platform.installation.client.clone();
        let described = client.describe_workflow_execution(request.into_request()).await?.into_inner();
        let length = described.workflow_execution_info.map(|info| info.history_length);
        Ok(length.filter(|_| described.pending_workflow_task.is_none()))
    }
}

/// Checks repeatedly until there is an answer.
///
/// # Errors
/// If there is none within the limit. `what` describes what was awaited.
pub async fn until<T, F, Looking>(limit: Duration, what: &str, mut look: F) -> Result<T, Failure>
where
    F: FnMut() -> Looking,
    Looking: Future<Output = Result<Option<T>, Failure>>,
{
    let looking = async {
        loop {
            if let Some(answer) = look().await? {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(limit, looking).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("not within {} s: {what}", limit.as_secs()).into()),
    }
}
