//! What a run happens on: a Temporal server, the processes of Interlock behind a proxy, and the targets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use interlock_adapters::sandbox::{self, DatabaseKind, Sandbox, SandboxError, SandboxOptions};
use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_coordinator::local::{GatewayProcess, LocalOptions, LocalPlatform, RunningServer, WorkerHosting};
use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::ids::TargetId;
use interlock_domain::routing::{ShardCount, TenantSettings};
use interlock_embedded_server::EmbeddedServerOptions;
use interlock_fault::Fault;
use interlock_production_server::{Binaries, ProductionServer, ProductionServerOptions};
use interlock_settings::{LogFormat, LogSettings, Settings, SweepSettings};
use interlock_worker_pools::Workload;
use tempfile::TempDir;
use uuid::Uuid;

use crate::controls::Control;
use crate::error::BatteryError;
use crate::load::population::{TENANTS, Tenant};
use crate::options::{BatteryOptions, ServerKind};
use crate::proxy::losses::RandomLosses;
use crate::proxy::under_way::TasksUnderWay;
use crate::proxy::{Interceptor, Proxy};
use crate::tally::Tally;

/// The pools of workers. Two processes of each run.
pub const WORKLOADS: [Workload; 4] = [Workload::Entity, Workload::Resource, Workload::Provisioning, Workload::Jobs];
/// Processes of each pool.
pub const PROCESSES: usize = 2;
/// How long a request may take effect after it was sent, at the sandbox targets. The faults delay none for longer.
pub const MAX_APPLY_DELAY: Duration = Duration::from_secs(2);

/// The four targets.
pub struct Targets {
    /// PyHSS on SQLite, of the first tenant.
    pub hss_east: Sandbox,
    /// PyHSS on PostgreSQL, of the second.
    pub hss_west: Sandbox,
    /// The CRM of both.
    pub crm: Sandbox,
    /// The gateway for text messages of both.
    pub sms: Sandbox,
}

impl Targets {
    async fn start() -> Result<Self, SandboxError> {
        let postgres = SandboxOptions { database: DatabaseKind::Postgresql, ..SandboxOptions::default() };
        Ok(Self {
            hss_east: sandbox::hss(SandboxOptions::default()).await?,
            hss_west: sandbox::hss(postgres).await?,
            crm: sandbox::crm(SandboxOptions::default()).await?,
            sms: sandbox::sms(SandboxOptions::default()).await?,
        })
    }

    /// All of them, by the name of the target.
    pub fn all(&self) -> [(&'static str, &Sandbox); 4] {
        [("hss-east", &self.hss_east), ("hss-west", &self.hss_west), ("crm", &self.crm), ("notify", &self.sms)]
    }

    /// The HSS of a tenant.
    pub fn hss(&self, tenant: usize) -> &Sandbox {
        if tenant == 0 { &self.hss_east } else { &self.hss_west }
    }
}

/// Everything that runs.
pub struct Stage {
    /// Server, worker processes, and the connection for operators.
    pub platform: LocalPlatform,
    /// The production-like server, if it is that.
    pub production: Option<ProductionServer>,
    /// The gateway processes.
    pub gateways: Vec<GatewayProcess>,
    /// The targets.
    pub targets: Targets,
    /// Which process has which tasks.
    pub under_way: Arc<TasksUnderWay>,
    /// Loses completions.
    pub losses: Arc<RandomLosses>,
    _proxy: Proxy,
    _data: TempDir,
}

impl Stage {
    /// Starts everything. `say` gets a sentence before each step that takes long.
    ///
    /// # Errors
    /// [`BatteryError`] of the part that cannot be started.
    pub async fn start(
        options: &BatteryOptions,
        tenants: &[Tenant],
        tally: &Tally,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, BatteryError> {
        let data = tempfile::Builder::new().prefix("interlock-battery-").tempdir();
        let data = data.map_err(BatteryError::io("a directory for temporary files"))?;
        let targets = Targets::start().await?;
        for (place, tenant) in tenants.iter().enumerate() {
            let seeded = targets.hss(place).seed(&tenant.seeds());
            seeded.map_err(|error| BatteryError::Option(error.to_string()))?;
        }
        let production = match options.server {
            ServerKind::Embedded => None,
            ServerKind::Production => {
                let binaries = Binaries::find_or_build(&|sentence| say(sentence)).await?;
                Some(ProductionServer::start(&binaries, ProductionServerOptions::default()).await?)
            }
        };
        let mut local = local_options(options, &targets, &data)?;
        local.running_server = production.as_ref().map(|server| RunningServer {
            address: server.address(),
            namespace: format!("battery-{}", Uuid::new_v4().simple()),
        });
        let mut platform = Box::pin(LocalPlatform::start(local, say)).await?;
        let under_way = Arc::new(TasksUnderWay::default());
        let losses = Arc::new(RandomLosses::new(options.seed, tally.clone()));
        let mut interceptors: Vec<Arc<dyn Interceptor>> = Vec::new();
        if let Some(control) = options.control {
            interceptors.extend(control.interceptor(&platform.installation, tally));
        }
        interceptors.extend([under_way.clone() as Arc<dyn Interceptor>, losses.clone()]);
        let proxy = Proxy::before(&platform.temporal_address(), interceptors).await;
        let proxy = proxy.map_err(BatteryError::io("a port for the proxy"))?;
        platform.workers_connect_to(proxy.address());
        for workload in WORKLOADS {
            for _ in 0..PROCESSES {
                platform.start_worker_process(workload).await?;
            }
        }
        let mut gateways = Vec::new();
        for _ in 0..PROCESSES {
            gateways.push(platform.start_gateway_process().await?);
        }
        Ok(Self { platform, production, gateways, targets, under_way, losses, _proxy: proxy, _data: data })
    }

    /// The addresses of the gateways.
    pub fn gateway_urls(&self) -> Vec<String> {
        self.gateways.iter().map(|gateway| gateway.url().to_owned()).collect()
    }

    /// Stops everything.
    ///
    /// # Errors
    /// [`BatteryError`] of the first part that does not stop.
    pub async fn stop(self) -> Result<(), BatteryError> {
        for gateway in self.gateways {
            gateway.stop().await?;
        }
        self.platform.stop().await?;
        for sandbox in [self.targets.hss_east, self.targets.hss_west, self.targets.crm, self.targets.sms] {
            sandbox.shutdown().await;
        }
        match self.production {
            Some(server) => Ok(server.stop().await?),
            None => Ok(()),
        }
    }
}

fn local_options(options: &BatteryOptions, targets: &Targets, data: &TempDir) -> Result<LocalOptions, BatteryError> {
    let mut local = LocalOptions::from_settings(Settings::default())?;
    let binary = std::env::current_exe().map_err(BatteryError::io("the path of this program"))?;
    local.workers = WorkerHosting::Processes { binary, workloads: Vec::new() };
    local.sandboxes = false;
    local.shards = ShardCount::ONE;
    local.catalog = catalog();
    local.server = EmbeddedServerOptions {
        db_file: Some(data.path().join("temporal.sqlite")),
        log_file: Some(data.path().join("temporal.log")),
        ..EmbeddedServerOptions::default()
    };
    let settings = &mut local.settings;
    settings.log = LogSettings { level: "info".to_owned(), format: LogFormat::Text };
    settings.sweep = SweepSettings {
        interval: Duration::from_secs(10),
        patience: Duration::from_secs(20),
        ..SweepSettings::default()
    };
    for (name, sandbox) in targets.all() {
        let adapter = if name.starts_with("hss") { AdapterKind::Pyhss } else { AdapterKind::Json };
        let url = sandbox.base_url().parse().map_err(|error| BatteryError::Option(format!("{name}: {error}")))?;
        let mut target = TargetSettings::new(adapter, url);
        target.max_apply_delay = Some(MAX_APPLY_DELAY);
        target.timeout = Duration::from_secs(3);
        target.outage.probe_first = Duration::from_secs(1);
        target.outage.probe_cap = Duration::from_secs(4);
        target.outage.ramp_stage = Duration::from_millis(500);
        settings.targets.insert(target_id(name), target);
    }
    for (tenant, hss) in TENANTS {
        let mut of_tenant = TenantSettings::default();
        let role = "hss".parse().map_err(|error| BatteryError::Option(format!("hss: {error}")))?;
        of_tenant.targets.insert(role, target_id(hss));
        let tenant = tenant.parse().map_err(|error| BatteryError::Option(format!("{tenant}: {error}")))?;
        settings.tenants.insert(tenant, of_tenant);
    }
    if options.control == Some(Control::Fence) {
        Control::without_fence(&mut local);
    }
    Ok(local)
}

/// A target's id.
///
/// # Panics
/// Never: the names are constants.
fn target_id(name: &str) -> TargetId {
    name.parse().expect("a valid name")
}

/// The reference catalog with times for one machine with one clock.
fn catalog() -> String {
    let shorter = [
        ("fresh_wait = \"5s\"", "fresh_wait = \"1s\""),
        ("orphan_settle = \"90s\"", "orphan_settle = \"10s\""),
        ("{ role = \"hss\", operation = \"", "{ attempt_timeout = \"5s\", role = \"hss\", operation = \""),
        ("{ role = \"crm\", operation = \"", "{ attempt_timeout = \"5s\", role = \"crm\", operation = \""),
        // The authority of a kind is a look-up, not a step, and has no such key.
        (
            "{ attempt_timeout = \"5s\", role = \"hss\", operation = \"find_holder\"",
            "{ role = \"hss\", operation = \"find_holder\"",
        ),
    ];
    shorter.iter().fold(REFERENCE_TEXT.to_owned(), |text, (usual, short)| text.replace(usual, short))
}

/// The directory for evidence, if nothing else is named.
pub fn evidence_directory(seed: u64) -> PathBuf {
    std::env::temp_dir().join(format!("interlock-battery-evidence-{seed}-{}", std::process::id()))
}

impl From<SandboxError> for BatteryError {
    fn from(error: SandboxError) -> Self {
        Self::Fault(Box::new(Fault::failed(error.code(), error.to_string())))
    }
}
