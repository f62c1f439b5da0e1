//! A testbed whose worker process reaches the server through a proxy that loses completions of workflow tasks.

use std::time::{Duration, UNIX_EPOCH};

use interlock_adapters::TargetSettings;
use interlock_connection::{CallRetries, ConnectionFlags, Installation};
use interlock_domain::limits::EntityLimits;
use interlock_settings::SweepSettings;
use interlock_worker_pools::Workload;
use temporalio_common::protos::temporal::api::enums::v1::{EventType, TimeoutType};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use crate::lossy_proxy::{Fate, Loss, LossyProxy, Moment};
use crate::scraped::{lease_differences, metrics_at};
use crate::temporal_calls::RawEntity;
use crate::testbed::{Testbed, Wanted};
use crate::waiting::until_within;

/// The workflow task time-out of entities that are started through the proxy. After it, the server retries a lost task.
pub const TASK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a completion is rejected: a little longer than the task's time-out.
pub const REFUSED_FOR: Duration = Duration::from_millis(3_200);
/// The time limit of connecting through the proxy.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// The time between two sweeps.
const SWEPT_EVERY: Duration = Duration::from_secs(4);
/// A difference between a resource and a customer that lasts longer is counted. This is much longer than a lost task takes.
const DIFFERENCE_AFTER: Duration = Duration::from_secs(15);
/// The time limit of a circle of the sweep, which looks at one page of resources and one of customers at a time.
const CIRCLE_LIMIT: Duration = Duration::from_mins(2);

/// A kind of resource that waits 2 s before its first grant and has no authority: its first grant depends on a timer.
const EVENTS: &str = r#"
[resources.slow]
fresh_wait = "2s"
orphan_settle = "2s"

[events."slow.assigned"]
claims = [{ mode = "assign", resource = "slow/{msisdn}" }]
steps = [{ role = "hss", operation = "assign_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["slow/{msisdn}"], attempt_timeout = "4s" }]
[events."slow.assigned".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }

[events."slow.unassigned"]
claims = [{ mode = "release", resource = "slow/{msisdn}" }]
steps = [{ role = "hss", operation = "release_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["slow/{msisdn}"], attempt_timeout = "4s" }]
[events."slow.unassigned".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }

[events."pair.locked"]
distinct = ["one", "two"]
claims = [{ mode = "lock", resource = "msisdn/{one}" }, { mode = "lock", resource = "msisdn/{two}" }]
steps = [{ role = "hss", operation = "set_enabled", with = { imsi = "{imsi}", enabled = true }, resources = ["msisdn/{one}", "msisdn/{two}"] }]
[events."pair.locked".data]
required = ["imsi", "one", "two"]
properties.imsi = { type = "string", format = "imsi" }
properties.one = { type = "string", format = "msisdn" }
properties.two = { type = "string", format = "msisdn" }
"#;

/// The differences between a lossy testbed and a usual one.
#[derive(Default)]
pub struct Lossy {
    /// The limits of entities.
    pub limits: EntityLimits,
    /// More event types.
    pub events: &'static str,
    /// More targets.
    pub targets: Vec<(&'static str, TargetSettings)>,
    /// How targets are protected.
    pub protect: Option<fn(&str, &mut TargetSettings)>,
}

/// A testbed whose worker process and tests reach the server through a proxy.
pub struct LossyBed {
    /// Everything except the proxy.
    pub bed: Testbed,
    /// The proxy.
    pub proxy: LossyProxy,
    /// The URL of the worker process's metrics.
    metrics_url: String,
}

impl LossyBed {
    /// Starts one with the usual settings.
    pub async fn start(name: &str) -> Self {
        Self::start_with(name, Lossy::default()).await
    }

    /// Starts one.
    pub async fn start_with(name: &str, lossy: Lossy) -> Self {
        let sweep = SweepSettings { interval: SWEPT_EVERY, patience: DIFFERENCE_AFTER, ..SweepSettings::default() };
        let wanted = Wanted {
            worker_processes: Some(Vec::new()),
            more_events: format!("{EVENTS}{}", lossy.events),
            limits: lossy.limits,
            targets: lossy.targets,
            protect: lossy.protect,
            sweep: Some(sweep),
            ..Wanted::default()
        };
        let mut bed = Testbed::start(name, wanted).await;
        let proxy = LossyProxy::before(&bed.platform.temporal_address(), TASK_TIMEOUT).await;
        let flags = ConnectionFlags {
            namespace: Some(bed.namespace().to_owned()),
            ..ConnectionFlags::to_server(proxy.address())
        };
        let (settings, catalog) = (&bed.platform.installation.settings, &bed.platform.installation.catalog);
        let (settings, catalog) = ((**settings).clone(), (**catalog).clone());
        let through = Installation::connect(&flags, settings, catalog, CallRetries::Brief, CONNECT_LIMIT).await;
        bed.platform.installation = through.unwrap_or_else(|fault| panic!("{fault}"));
        bed.platform.workers_connect_to(proxy.address());
        let worker = bed.platform.start_worker_process(Workload::All).await.unwrap_or_else(|fault| panic!("{fault}"));
        let metrics_url = format!("{}/metrics", worker.health_url().expect("it says where its metrics are"));
        Self { bed, proxy, metrics_url }
    }

    /// The metrics of the worker process.
    pub async fn metrics(&self) -> String {
        until_within(CIRCLE_LIMIT, "the worker process's metrics", || metrics_at(&self.metrics_url)).await
    }

    /// Stops all of it, after the sweep has compared all resources and customers.
    ///
    /// # Panics
    /// If the sweep found that they contradict each other for longer than messages take.
    pub async fn stop(self) {
        let now = UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let text = until_within(CIRCLE_LIMIT, "a whole circle of the sweep", || async {
            let text = metrics_at(&self.metrics_url).await?;
            let circle = text.lines().find(|line| line.starts_with("interlock_sweep_circle_time_seconds"))?;
            let over_at: f64 = circle.rsplit(' ').next()?.parse().ok()?;
            (over_at > now).then_some(text)
        })
        .await;
        assert_eq!(lease_differences(&text, "found", &[]), 0, "resources and customers contradict each other\n{text}");
        Box::pin(self.bed.stop()).await;
    }
}

/// Loses the completion of the task after which an entity's message with these parts was accepted.
pub fn lost_after(of: String, contains: &[&str]) -> Loss {
    let contains = contains.iter().map(|&part| part.to_owned()).collect();
    Loss { of, when: Moment::After { to: None, contains }, fate: Fate::Lost { for_at_least: REFUSED_FOR } }
}

/// How many workflow tasks of one of an entity's runs timed out at the server. Without a run, those of the current one.
pub async fn tasks_given_up(entity: &RawEntity, run_id: &str) -> usize {
    let history = entity.history(run_id).await;
    let given_up = history.iter().filter(|event| event.event_type() == EventType::WorkflowTaskTimedOut);
    let given_up = given_up.filter(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskTimedOutEventAttributes(out)) => out.timeout_type() == TimeoutType::StartToClose,
        _ => false,
    });
    given_up.count()
}
