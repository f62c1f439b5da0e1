//! The environment of the tests: a Temporal server, workers, a gateway and sandbox targets in this process.

use std::future::Future;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use interlock_adapters::sandbox::{self, Sandbox, SandboxOptions};
use interlock_adapters::secret::InFile;
use interlock_adapters::{AdapterKind, Secret, TargetSettings};
use interlock_coordinator::local::{LocalOptions, LocalPlatform, RunningServer, WorkerHosting};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::limits::EntityLimits;
use interlock_domain::routing::{ShardCount, TenantSettings};
use interlock_embedded_server::EmbeddedServerOptions;
use interlock_settings::{CallbackSettings, LogFormat, LogSettings, Settings, SweepSettings};
use interlock_worker_pools::Workload;
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, Semaphore};

use crate::scraped::lease_differences;
use crate::temporal_calls::RawEntity;

/// How long a request may take effect after it was sent, at a sandbox of these tests. Real targets have a longer time.
const MAX_APPLY_DELAY: Duration = Duration::from_secs(2);

/// More consecutive failures than any test causes.
const NEVER_DOWN: u32 = 1_000_000;

/// The runtime of all tests. What they share must outlive each of them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a Tokio runtime")
});
static SHARED: OnceCell<Testbed> = OnceCell::const_new();

/// How many usual tests run at the same time. Cargo has more threads (`.cargo/config.toml`), on which further tests wait.
const AT_A_TIME: usize = 4;
/// The places for usual tests. First come, first served.
static PLACES: Semaphore = Semaphore::const_new(AT_A_TIME);
/// The place for the large test that runs beside them. Two would be too slow for their limits.
static LARGE: Semaphore = Semaphore::const_new(1);

/// Runs a test together with others.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async {
        let _place = PLACES.acquire().await.expect("never closed");
        let result = test.await;
        if let Some(shared) = SHARED.get() {
            shared.check_leases().await;
        }
        result
    })
}

/// Runs a test that needs most of the machine: no other large one runs beside it.
pub fn run_large<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async {
        let _place = LARGE.acquire().await.expect("never closed");
        test.await
    })
}

/// The testbed that tests share. Tests must not kill anything in it, or change what others depend on.
pub async fn shared() -> &'static Testbed {
    SHARED.get_or_init(|| Testbed::start("shared", Wanted::default())).await
}

/// A change of the settings.
pub type SettingsChange = Box<dyn FnOnce(&mut Settings) + Send>;

/// The differences between a testbed and the shared one.
#[derive(Default)]
pub struct Wanted {
    /// Plans lose their claims.
    pub without_leases: bool,
    /// The limits of entities.
    pub limits: EntityLimits,
    /// The server stores its data in this file.
    pub db_file: Option<PathBuf>,
    /// Workers are separate processes, one for each of these. Empty: one pool in this process.
    pub worker_processes: Option<Vec<Workload>>,
    /// The number of queue shards. `None`: one.
    pub shards: Option<u64>,
    /// Settings of single tenants.
    pub tenants: Vec<(&'static str, TenantSettings)>,
    /// There are no workers.
    pub no_workers: bool,
    /// The realm that tenants share for numbers. `None`: each has its own.
    pub realm_of_numbers: Option<&'static str>,
    /// Additional event types, after those of the testbed's catalog.
    pub more_events: String,
    /// Additional targets, or other settings for the existing ones.
    pub targets: Vec<(&'static str, TargetSettings)>,
    /// The time limit of a request to a target. `None`: the default.
    pub request_timeout: Option<Duration>,
    /// How targets are protected, and when they count as down. `None`: never, since tests that share a target would wait for each
    /// other's failures.
    pub protect: Option<fn(&str, &mut TargetSettings)>,
    /// The interval of the sweep. `None`: the default, with which no test sees a second sweep.
    pub sweep: Option<SweepSettings>,
    /// The number of workers of customer and resource entities for each queue. `None`: one.
    pub workers_per_queue: Option<usize>,
    /// The number of entities that the workers of this process cache. `None`: the default.
    pub cached_entities_max: Option<usize>,
    /// Targets can report the end of a job at the gateway.
    pub callbacks: bool,
    /// The URL for alerts.
    pub alerts_to: Option<String>,
    /// Other changes of the settings.
    pub settings: Option<SettingsChange>,
    /// The variables that give the same settings to another process, such as a command.
    pub environment: Vec<(&'static str, String)>,
    /// Resources and customers may contradict each other: the test breaks something on purpose.
    pub leases_may_differ: bool,
    /// Settings of the server that differ from those of an embedded one, as key and JSON value. The server is an embedded one then.
    pub dynamic_config: Vec<(&'static str, &'static str)>,
    /// The server, if the test starts one itself.
    pub running_server: Option<RunningServer>,
    /// The server is an embedded one in every case: the test kills it, or reads its file. A file or settings of the server imply it.
    pub embedded_server: bool,
}

/// Interlock on this machine, and its targets.
pub struct Testbed {
    /// Everything except the targets.
    pub platform: LocalPlatform,
    /// The sandbox for the HSS.
    pub hss: Sandbox,
    /// The sandbox for the CRM.
    pub crm: Sandbox,
    /// The sandbox for the SMS gateway.
    pub sms: Sandbox,
    /// The text of the catalog.
    pub catalog: String,
    /// The variables for other processes.
    pub environment: Vec<(&'static str, String)>,
    /// Whether resources and customers may contradict each other.
    leases_may_differ: bool,
}

impl Testbed {
    /// Starts one. `name` is the name of its server's log, in cargo's directory for temporary files.
    pub async fn start(name: &str, mut wanted: Wanted) -> Self {
        let running_server = server_for(name, &mut wanted);
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
        take_callbacks_if(wanted.callbacks, name, &mut options);
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
        options.running_server = running_server;
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

    /// The options that have a command connect to this testbed's server and namespace.
    pub fn connection(&self) -> Vec<String> {
        let (address, namespace) = (self.platform.temporal_address(), self.platform.server.namespace().to_owned());
        vec!["--address".to_owned(), address, "--namespace".to_owned(), namespace]
    }

    /// The namespace for everything whose tenant has no namespace of its own.
    pub fn namespace(&self) -> &str {
        self.platform.server.namespace()
    }

    /// How many differences between resources and customers the sweeps of this process counted with this outcome: `found` or `settled`.
    pub async fn lease_differences(&self, outcome: &str) -> u64 {
        let text = self.platform.metrics_text().await.unwrap_or_else(|fault| panic!("{fault}"));
        lease_differences(&text, outcome, &[])
    }

    /// Checks that no sweep of this process saw a resource and a customer contradict each other for longer than messages take.
    async fn check_leases(&self) {
        let text = self.platform.metrics_text().await.unwrap_or_else(|fault| panic!("{fault}"));
        // A lease of a terminated resource is unknown until a process looks.
        let all: &[&str] = &[];
        let kinds = if RawEntity::was_one_terminated() {
            &["holder_unaware", "epoch_differs", "other_holder", "held_twice"]
        } else {
            all
        };
        let found = lease_differences(&text, "found", kinds);
        assert_eq!(found, 0, "resources and customers contradict each other\n{text}");
    }

    /// Stops all of it.
    ///
    /// # Panics
    /// If resources and customers contradicted each other, unless the test breaks something on purpose.
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

/// The key of the tokens of call backs.
pub const CALLBACK_KEY: &str = "a key of thirty-two bytes or more";

/// Has the gateway listen at an address that is known beforehand, and the JSON targets get URLs there, if that is wanted.
fn take_callbacks_if(wanted: bool, name: &str, options: &mut LocalOptions) {
    if !wanted {
        return;
    }
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    options.gateway = free;
    let url = format!("http://{free}").parse().unwrap();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("callback-key-{name}"));
    std::fs::write(&file, CALLBACK_KEY).unwrap();
    options.settings.callbacks = Some(CallbackSettings { url, keys: vec![Secret::File(InFile { file })] });
    for settings in options.settings.targets.values_mut() {
        settings.callbacks = settings.adapter == AdapterKind::Json;
    }
}

/// A name that no earlier run on the same server has used.
pub fn unique(name: &str) -> String {
    format!("{name}-{:08x}", fastrand::u32(..))
}

/// The server for a test that runs already: one of its own, or the one that the environment names. `None`: an embedded one.
///
/// # Panics
/// If the test needs an embedded one, and does not say so by its name.
fn server_for(name: &str, wanted: &mut Wanted) -> Option<RunningServer> {
    let needs_embedded = wanted.embedded_server || wanted.db_file.is_some() || !wanted.dynamic_config.is_empty();
    if needs_embedded {
        check_name();
    }
    let of_test = wanted.running_server.take();
    of_test.or_else(|| RunningServer::for_tests(name).filter(|_| !needs_embedded))
}

/// Checks that a test that needs an embedded server says so by its name, which is the name of its thread.
fn check_name() {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    // With one test thread, it is the main one.
    let says_so = name.contains("embedded") || name == "main";
    assert!(says_so, "'{name}' needs an embedded server, and must say so by its name");
}

fn server_options(name: &str, db_file: Option<PathBuf>) -> EmbeddedServerOptions {
    // Not in a directory that is removed with the server: the shared server is never dropped.
    let log_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("end-to-end-{name}.log"));
    // From an earlier run. If there was none, there is nothing to remove.
    drop(std::fs::remove_file(&log_file));
    EmbeddedServerOptions { db_file, log_file: Some(log_file), ..EmbeddedServerOptions::default() }
}

/// The reference catalog with shorter times, since there is one clock here and nothing takes long, so that tests need not wait for
/// margins; and with the one-step event types that the counts of history events use.
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
