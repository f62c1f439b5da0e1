//! What the tests run on: a Temporal server, workers, a gateway and sandbox targets of this process.

use std::future::Future;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use interlock_adapters::sandbox::{self, Sandbox, SandboxOptions};
use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_coordinator::local::{LocalOptions, LocalPlatform, WorkerHosting};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::limits::EntityLimits;
use interlock_domain::routing::{ShardCount, TenantSettings};
use interlock_embedded_server::EmbeddedServerOptions;
use interlock_settings::{LogFormat, LogSettings, Settings, SweepSettings};
use interlock_worker_pools::Workload;
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, RwLock};

use crate::scraped::lease_differences;
use crate::temporal_calls::RawEntity;

/// How long after it was sent a request may still land at a sandbox of these tests; of a real target it is more.
const MAX_APPLY_DELAY: Duration = Duration::from_secs(2);

/// More failures in a row than any test makes.
const NEVER_DOWN: u32 = 1_000_000;

/// The runtime of all tests: what they share must outlive each of them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a Tokio runtime")
});
static SHARED: OnceCell<Testbed> = OnceCell::const_new();

/// Who runs: many tests side by side, or one alone. First come, first served.
static RUNNING: RwLock<()> = RwLock::const_new(());

/// Runs a test to its end, beside others.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async {
        let _beside_others = RUNNING.read().await;
        let result = test.await;
        if let Some(shared) = SHARED.get() {
            shared.check_leases().await;
        }
        result
    })
}

/// Runs a test to its end while no other one runs: it takes the whole machine, and others would be too slow for their limits.
pub fn run_alone<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async {
        let _alone = RUNNING.write().await;
        test.await
    })
}

/// The testbed that tests share. Nobody kills anything of it, or changes what others depend on.
pub async fn shared() -> &'static Testbed {
    SHARED.get_or_init(|| Testbed::start("shared", Wanted::default())).await
}

/// A change of what is set.
pub type SettingsChange = Box<dyn FnOnce(&mut Settings) + Send>;

/// What a testbed differs in from the shared one.
#[derive(Default)]
pub struct Wanted {
    /// Plans lose their claims.
    pub without_leases: bool,
    /// The limits of entities.
    pub limits: EntityLimits,
    /// The server keeps what it knows in this file.
    pub db_file: Option<PathBuf>,
    /// Workers are processes of their own, one for each of these; none: one pool in this process.
    pub worker_processes: Option<Vec<Workload>>,
    /// The count of queue shards; none: one.
    pub shards: Option<u64>,
    /// What is set for single tenants.
    pub tenants: Vec<(&'static str, TenantSettings)>,
    /// There are no workers at all.
    pub no_workers: bool,
    /// The realm that tenants share as far as numbers go; none: each has its own.
    pub realm_of_numbers: Option<&'static str>,
    /// More event types, after those of the testbed's catalog.
    pub more_events: String,
    /// More targets, or other settings for those that are there.
    pub targets: Vec<(&'static str, TargetSettings)>,
    /// How long one request to a target may take; none: as by default.
    pub request_timeout: Option<Duration>,
    /// How targets are protected, and when they count as down; none: never, since tests that share a target would wait for
    /// each other's failures.
    pub protect: Option<fn(&str, &mut TargetSettings)>,
    /// How often it is looked at all that waits; none: as by default, which no test lives to see twice.
    pub sweep: Option<SweepSettings>,
    /// Workers of customer and resource entities for each queue; none: one.
    pub workers_per_queue: Option<usize>,
    /// How many entities the workers of this process keep in memory; none: as by default.
    pub cached_entities_max: Option<usize>,
    /// Where alerts are posted.
    pub alerts_to: Option<String>,
    /// What else is set.
    pub settings: Option<SettingsChange>,
    /// The variables by which a process outside, such as a command, is told the same.
    pub environment: Vec<(&'static str, String)>,
    /// Resources and customers may contradict each other: the test breaks something on purpose.
    pub leases_may_differ: bool,
    /// Settings of the server that differ from those of an embedded one, as key and JSON value.
    pub dynamic_config: Vec<(&'static str, &'static str)>,
}

/// Interlock on this machine, and its targets.
pub struct Testbed {
    /// All but the targets.
    pub platform: LocalPlatform,
    /// Stands in for the HSS.
    pub hss: Sandbox,
    /// Stands in for the CRM.
    pub crm: Sandbox,
    /// Stands in for the SMS gateway.
    pub sms: Sandbox,
    /// The text of the catalog.
    pub catalog: String,
    /// The variables of processes outside.
    pub environment: Vec<(&'static str, String)>,
    /// Whether resources and customers may contradict each other.
    leases_may_differ: bool,
}

impl Testbed {
    /// Starts one. `name` is that of its server's log, in cargo's directory for such things.
    pub async fn start(name: &str, wanted: Wanted) -> Self {
        let hss = sandbox::hss(SandboxOptions::default()).await.unwrap();
        let crm = sandbox::crm(SandboxOptions::default()).await.unwrap();
        let sms = sandbox::sms(SandboxOptions::default()).await.unwrap();
        let mut options = LocalOptions::from_environment().unwrap();
        for (target, sandbox) in [("hss", &hss), ("crm", &crm), ("notify", &sms)] {
            let adapter = if target == "hss" { AdapterKind::Pyhss } else { AdapterKind::Json };
            let mut settings = TargetSettings::new(adapter, sandbox.base_url().parse().unwrap());
            settings.max_apply_delay = Some(MAX_APPLY_DELAY);
            settings.timeout = wanted.request_timeout.unwrap_or(settings.timeout);
            options.settings.targets.insert(target.parse().unwrap(), settings);
        }
        for (target, mut settings) in wanted.targets {
            settings.max_apply_delay = settings.max_apply_delay.or(Some(MAX_APPLY_DELAY));
            settings.timeout = wanted.request_timeout.unwrap_or(settings.timeout);
            options.settings.targets.insert(target.parse().unwrap(), settings);
        }
        for (target, settings) in &mut options.settings.targets {
            settings.outage.failures = NEVER_DOWN;
            if let Some(protect) = wanted.protect {
                protect(target.as_str(), settings);
            }
        }
        options.shards = wanted.shards.map_or(ShardCount::ONE, |count| count.try_into().unwrap());
        let tenants = wanted.tenants.into_iter().map(|(tenant, of)| (tenant.parse().unwrap(), of));
        options.settings.tenants.extend(tenants);
        options.sandboxes = false;
        options.settings.limits = wanted.limits;
        options.settings.sweep = wanted.sweep.unwrap_or_default();
        options.settings.alerts.webhook = wanted.alerts_to.map(|url| url.parse().unwrap());
        options.settings.log = LogSettings { level: "info".to_owned(), format: LogFormat::Text };
        let workers_per_queue = wanted.workers_per_queue.and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
        for workload in [&mut options.settings.workers.entity, &mut options.settings.workers.resource] {
            workload.workers_per_queue = Some(workers_per_queue);
            workload.cached_entities = wanted.cached_entities_max.and_then(NonZeroUsize::new);
        }
        if let Some(change) = wanted.settings {
            change(&mut options.settings);
        }
        let catalog = catalog(wanted.realm_of_numbers) + &wanted.more_events;
        options.catalog.clone_from(&catalog);
        options.leases = !wanted.without_leases;
        options.server = server_options(name, wanted.db_file);
        let dynamic_config = wanted.dynamic_config.into_iter();
        options.server.dynamic_config = dynamic_config.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if let Some(workloads) = wanted.worker_processes {
            let binary = PathBuf::from(env!("CARGO_BIN_EXE_interlock-under-test"));
            options.workers = WorkerHosting::Processes { binary, workloads };
        }
        if wanted.no_workers {
            options.workers = WorkerHosting::Nobody;
        }
        let say = |sentence: &str| eprintln!("{name}: {sentence}");
        let platform = Box::pin(LocalPlatform::start(options, &say)).await.unwrap_or_else(|fault| panic!("{fault}"));
        let (environment, leases_may_differ) = (wanted.environment, wanted.leases_may_differ);
        Self { platform, hss, crm, sms, catalog, environment, leases_may_differ }
    }

    /// How many differences between resources and customers the sweeps of this process counted with this outcome: `found` or
    /// `settled`.
    pub async fn lease_differences(&self, outcome: &str) -> u64 {
        let text = self.platform.metrics_text().await.unwrap_or_else(|fault| panic!("{fault}"));
        lease_differences(&text, outcome, &[])
    }

    /// Checks that no sweep of this process saw a resource and a customer contradict each other for longer than messages take.
    async fn check_leases(&self) {
        let text = self.platform.metrics_text().await.unwrap_or_else(|fault| panic!("{fault}"));
        // Whose resource was terminated holds what nobody knows until somebody looks.
        let all: &[&str] = &[];
        let kinds = if RawEntity::was_one_terminated() {
            &["holder_unaware", "epoch_differs", "other_holder", "held_twice"]
        } else {
            all
        };
        let found = lease_differences(&text, "found", kinds);
        assert_eq!(found, 0, "resources and customers contradict each other\n{text}");
    }

    /// Ends all of it.
    ///
    /// # Panics
    /// Where resources and customers contradicted each other, unless the test breaks something on purpose.
    pub async fn stop(self) {
        if !self.leases_may_differ {
            self.check_leases().await;
        }
        self.platform.stop().await.unwrap_or_else(|fault| panic!("{fault}"));
        self.hss.shutdown().await;
        self.crm.shutdown().await;
        self.sms.shutdown().await;
    }
}

fn server_options(name: &str, db_file: Option<PathBuf>) -> EmbeddedServerOptions {
    // Not a directory of its own that goes with the server: the shared one is never dropped.
    let log_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("end-to-end-{name}.log"));
    // Of an earlier run; where there was none there is nothing to remove.
    drop(std::fs::remove_file(&log_file));
    EmbeddedServerOptions { db_file, log_file: Some(log_file), ..EmbeddedServerOptions::default() }
}

/// The reference catalog with shorter times, so that nobody waits for what is only a margin here, where there is one
/// clock and nothing takes long; and with the one-step event types by which history events are counted.
fn catalog(realm_of_numbers: Option<&str>) -> String {
    let shorter = [
        ("fresh_wait = \"5s\"", "fresh_wait = \"0s\""),
        ("orphan_settle = \"90s\"", "orphan_settle = \"2s\""),
        ("{ role = \"hss\", operation = \"", "{ attempt_timeout = \"4s\", role = \"hss\", operation = \""),
        ("{ role = \"crm\", operation = \"", "{ attempt_timeout = \"4s\", role = \"crm\", operation = \""),
    ];
    let mut text = REFERENCE_TEXT.to_owned();
    for (usual, short) in shorter {
        assert!(text.contains(usual), "the reference catalog has no '{usual}' any more");
        text = text.replace(usual, short);
    }
    if let Some(realm) = realm_of_numbers {
        let kind = "[resources.msisdn]\n";
        assert!(text.contains(kind), "the reference catalog has no numbers any more");
        text = text.replace(kind, &format!("{kind}realm = \"{realm}\"\n"));
    }
    // The authority of a kind is a look-up, not a step, and has no such key.
    text = text.replace("{ attempt_timeout = \"4s\", role = \"hss\", operation = \"find_holder\"", FIND_HOLDER);
    text + ONE_STEP_EVENTS
}

const FIND_HOLDER: &str = "{ role = \"hss\", operation = \"find_holder\"";

const ONE_STEP_EVENTS: &str = r#"
[events."line.touched"]
steps = [{ role = "hss", operation = "set_enabled", with = { imsi = "{imsi}", enabled = true } }]
[events."line.touched".data]
required = ["imsi"]
properties.imsi = { type = "string", format = "imsi" }

[events."line.updated"]
requires = []
steps = [
  { role = "hss", operation = "update_service", with = { imsi = "{imsi}", settings = "{settings}" }, attempt_timeout = "4s" },
  { role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", imsi = "{imsi}", settings = "{settings}" }, attempt_timeout = "4s" },
]
[events."line.updated".data]
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
