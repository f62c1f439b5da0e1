//! All parts of Interlock, started and stopped together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use interlock_adapters::AdapterRegistry;
use interlock_adapters::sandbox::Sandbox;
use interlock_connection::{CallRetries, Installation};
use interlock_domain::catalog::Catalog;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event_result::EventResult;
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use interlock_domain::routing::NAMESPACE_DEFAULT;
use interlock_embedded_server::{CliSearch, EmbeddedServer, TemporalServerError, find_or_install};
use interlock_fault::Fault;
use interlock_http_service::HttpService;
use interlock_observability::metrics::Metrics;
use interlock_operations::bootstrap::{BootstrapOptions, bootstrap};
use interlock_operations::ingest::Ingest;
use interlock_operations::inspection::{Inspection, InspectionError};
use interlock_settings::Settings;
use interlock_worker_pools::{PoolStatus, PoolTuning, WorkerPool, WorkerPoolOptions, Workload};
use serde_json::{Value, json};
use url::Url;

use super::options::{LocalOptions, WorkerHosting};
use super::sandboxes::Sandboxes;
use super::server::LocalServer;
use super::worker_processes::{GatewayProcess, WorkerFiles, WorkerPlace, WorkerProcess};

/// How long connecting may take once the server has reported that it is ready.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// Interlock on this machine. [`LocalPlatform::stop`] drains and stops it; dropping it kills it at once.
pub struct LocalPlatform {
    /// The Temporal server. An embedded one can be killed and restarted.
    pub server: LocalServer,
    /// The sandbox targets.
    pub sandboxes: Sandboxes,
    /// The worker processes, if workers run in processes; they can be killed.
    pub worker_processes: Vec<WorkerProcess>,
    /// For clients of Temporal: the connection, the routing, the catalog.
    pub installation: Installation,
    gateway: HttpService,
    workers: Option<WorkerPool>,
    worker_files: Option<WorkerFiles>,
    /// The address at which worker processes connect to Temporal; none: the server itself.
    workers_connect_to: Option<String>,
    metrics: Metrics,
    options: LocalOptions,
    adapters: AdapterRegistry,
}

/// The address of the server's own UI, if it runs.
fn ui_of(server: &LocalServer) -> Result<Option<Url>, Fault> {
    let read = |url: String| {
        url.parse().map_err(|error| {
            Fault::failed(
                ErrorCode::SettingInvalid,
                format!("The address of the Temporal UI, {url}, is invalid: {error}."),
            )
        })
    };
    server.ui_url().map(read).transpose()
}

impl LocalPlatform {
    /// Starts everything, and returns when it is ready: the server answers, the workers run, the gateway listens. `say`
    /// gets a sentence before each step that takes long.
    ///
    /// # Errors
    /// [`Fault`] of the part that could not be started. The parts that were started before it are stopped.
    pub async fn start(mut options: LocalOptions, say: &(dyn Fn(&str) + Send + Sync)) -> Result<Self, Fault> {
        interlock_adapters::install_crypto_provider();
        let catalog = parse_catalog(&options.catalog)?;
        let sandboxes = if options.sandboxes {
            Sandboxes::start(&mut options.settings, options.hss_latency).await?
        } else {
            Sandboxes::default()
        };
        let adapters = options.settings.adapters()?;
        let server = server(&options, say).await?;
        prepare(&server, &options, &catalog).await?;
        if options.settings.console.temporal_ui.is_none() {
            options.settings.console.temporal_ui = ui_of(&server)?;
        }
        // One connection for the gateway, whose callers wait, and one for the workers, so that neither blocks the other.
        let installation = connect(&server, &options, &catalog, CallRetries::Brief).await?;
        let metrics = Metrics::start()?;
        let gateway = interlock_gateway::start(&installation, &metrics, options.gateway).await?;
        let mut platform = Self {
            server,
            sandboxes,
            worker_processes: Vec::new(),
            installation,
            gateway,
            workers: None,
            worker_files: None,
            workers_connect_to: None,
            metrics,
            options,
            adapters,
        };
        platform.start_workers().await?;
        Ok(platform)
    }

    /// Starts the workers of the options, if none run: at the start, and again after
    /// [`LocalPlatform::stop_workers`].
    ///
    /// # Errors
    /// [`Fault`] `worker_failed` and others.
    pub async fn start_workers(&mut self) -> Result<(), Fault> {
        match self.options.workers.clone() {
            WorkerHosting::InProcess if self.workers.is_none() => {
                let catalog = (*self.installation.catalog).clone();
                let installation = connect(&self.server, &self.options, &catalog, CallRetries::Sdk).await?;
                let pool = WorkerPoolOptions {
                    leases: self.options.leases,
                    tuning: PoolTuning::new(&self.options.settings.workers, None),
                    ..WorkerPoolOptions::everything(self.adapters.clone())
                };
                self.workers = Some(WorkerPool::start(&installation, &self.metrics, pool).await?);
            }
            WorkerHosting::Processes { workloads, .. } => {
                for workload in workloads {
                    self.start_worker_process(workload).await?;
                }
            }
            WorkerHosting::InProcess | WorkerHosting::Nobody => {}
        }
        Ok(())
    }

    /// Changes the settings of workers that are started from now on.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.options.settings);
    }

    /// Makes worker processes that are started from now on connect to this address, `HOST:PORT`: a proxy in front of the
    /// server.
    pub fn workers_connect_to(&mut self, address: String) {
        self.workers_connect_to = Some(address);
    }

    /// Starts another worker process, and returns when it is ready.
    ///
    /// # Errors
    /// [`Fault`] `worker_process_failed`; `leases_off_in_processes` if leases are off, which works only in this process.
    pub async fn start_worker_process(&mut self, workload: Workload) -> Result<&mut WorkerProcess, Fault> {
        self.start_worker_process_with(workload, &[]).await
    }

    /// The same, with these variables in its environment.
    ///
    /// # Errors
    /// As [`LocalPlatform::start_worker_process`].
    pub async fn start_worker_process_with(
        &mut self,
        workload: Workload,
        environment: &[(&str, &str)],
    ) -> Result<&mut WorkerProcess, Fault> {
        let namespace = self.server.namespace().to_owned();
        let (binary, address) = self.process_parts()?;
        let files = self.written_files()?;
        let place = WorkerPlace { address: &address, namespace: &namespace };
        let process = WorkerProcess::start(&binary, workload, place, files, environment).await?;
        self.worker_processes.push(process);
        let last = self.worker_processes.len() - 1;
        Ok(&mut self.worker_processes[last])
    }

    /// Starts a gateway process besides the gateway of this process, and returns when it listens. It is the caller's to stop.
    ///
    /// # Errors
    /// As [`LocalPlatform::start_worker_process`].
    pub async fn start_gateway_process(&mut self) -> Result<GatewayProcess, Fault> {
        self.start_gateway_process_with(&[]).await
    }

    /// The same, with these variables in its environment.
    ///
    /// # Errors
    /// As [`LocalPlatform::start_worker_process`].
    pub async fn start_gateway_process_with(&mut self, environment: &[(&str, &str)]) -> Result<GatewayProcess, Fault> {
        let namespace = self.server.namespace().to_owned();
        let (binary, address) = self.process_parts()?;
        let files = self.written_files()?;
        let place = WorkerPlace { address: &address, namespace: &namespace };
        GatewayProcess::start(&binary, place, files, environment).await
    }

    /// The binary for processes, and the address at which they find Temporal.
    fn process_parts(&self) -> Result<(PathBuf, String), Fault> {
        let WorkerHosting::Processes { binary, .. } = &self.options.workers else {
            return Err(Fault::wrong_use(
                ErrorCode::NoWorkerBinary,
                "The platform does not know which binary its worker processes run.",
            ));
        };
        if !self.options.leases {
            return Err(Fault::wrong_use(
                ErrorCode::LeasesOffInProcesses,
                "Leases can be turned off only for workers in this process.",
            ));
        }
        let address = self.workers_connect_to.clone().unwrap_or_else(|| self.server.address());
        Ok((binary.clone(), address))
    }

    /// The settings and the catalog as files, written again for each process: the running ones have already read theirs.
    fn written_files(&mut self) -> Result<&mut WorkerFiles, Fault> {
        let files = match self.worker_files.take() {
            Some(files) => files,
            None => WorkerFiles::new()?,
        };
        let files = self.worker_files.insert(files);
        files.write(&self.options)?;
        Ok(files)
    }

    /// Drains and stops the workers, in this process and in others.
    ///
    /// # Errors
    /// [`Fault`] `worker_process_failed` if one ended with an error.
    pub async fn stop_workers(&mut self) -> Result<(), Fault> {
        if let Some(workers) = self.workers.take() {
            workers.stop().await;
        }
        for process in self.worker_processes.drain(..) {
            process.stop().await?;
        }
        Ok(())
    }

    /// Drains and stops everything, and returns when all of it has ended.
    ///
    /// # Errors
    /// [`Fault`] of the first part that ended with an error; the others are still stopped.
    pub async fn stop(mut self) -> Result<(), Fault> {
        let workers = self.stop_workers().await;
        self.gateway.stop().await;
        self.sandboxes.stop().await;
        let server = self.server.stop().await.map_err(Fault::from);
        workers.and(server)
    }

    /// Waits until a part ends by itself, which it should not, and returns which.
    pub async fn failed(&mut self) -> Fault {
        let workers = async {
            match &mut self.workers {
                Some(workers) => workers.failed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            fault = workers => fault,
            status = self.server.ended() => Fault::failed(
                ErrorCode::TemporalServerEnded,
                format!("The Temporal server exited: {status}.")),
        }
    }

    /// The status of the workers in this process, if there are any.
    pub fn status(&self) -> Option<Arc<PoolStatus>> {
        self.workers.as_ref().map(WorkerPool::status)
    }

    /// The address of Temporal, `HOST:PORT`.
    pub fn temporal_address(&self) -> String {
        self.server.address()
    }

    /// The metrics of this process, in Prometheus' text format.
    ///
    /// # Errors
    /// [`Fault`] `metrics_unavailable`.
    pub async fn metrics_text(&self) -> Result<String, Fault> {
        self.metrics.text().await
    }

    /// The address of the gateway, `http://HOST:PORT`.
    pub fn gateway_url(&self) -> String {
        self.gateway.url()
    }

    /// The address of each target, if its settings have one.
    pub fn target_urls(&self) -> BTreeMap<String, String> {
        let targets = self.options.settings.targets.iter();
        let located = targets.filter_map(|(target, settings)| Some((target, settings.base_url.as_ref()?)));
        located.map(|(target, url)| (target.to_string(), url.as_str().trim_end_matches('/').to_owned())).collect()
    }

    /// The sandbox that replaces a target.
    ///
    /// # Panics
    /// If there is none: it was not started, or the settings configure the target.
    pub fn sandbox(&self, target: &str) -> &Sandbox {
        self.sandboxes.get(target).unwrap_or_else(|| panic!("no sandbox target replaces '{target}'"))
    }

    /// Accepts an event, as the gateway does.
    pub async fn submit(&self, tenant: &TenantId, event: Value) -> EventResult {
        Ingest::new(self.installation.clone()).one(tenant, event).await
    }

    /// The inspection of this installation.
    pub fn inspection(&self) -> Inspection {
        Inspection::new(self.installation.clone())
    }

    /// The state of a customer, as it is shown.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn customer(&self, tenant: &TenantId, customer: &CustomerId) -> Result<Value, InspectionError> {
        self.inspection().customer(tenant, customer).await.map(|view| json!(view))
    }

    /// The state of a resource, as it is shown.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn resource(&self, tenant: &TenantId, resource: &ResourceId) -> Result<Value, InspectionError> {
        self.inspection().resource(tenant, resource).await.map(|view| json!(view))
    }

    /// One order, as it is shown.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn order(&self, tenant: &TenantId, order: &OrderId) -> Result<Value, InspectionError> {
        self.inspection().order(tenant, order).await.map(|view| json!(view))
    }
}

/// Where to search for the Temporal CLI, and whether it may be installed, according to these settings.
///
/// # Errors
/// [`TemporalServerError::NoCacheDirectory`].
pub fn cli_search(settings: &Settings) -> Result<CliSearch, TemporalServerError> {
    CliSearch::new(settings.temporal_cli.clone(), settings.cache_dir.clone(), settings.offline)
}

/// The named server, or an embedded one with all namespaces of the settings.
async fn server(options: &LocalOptions, say: &(dyn Fn(&str) + Send + Sync)) -> Result<LocalServer, Fault> {
    if let Some(running) = &options.running_server {
        return Ok(LocalServer::Running(running.clone()));
    }
    let cli = find_or_install(&cli_search(&options.settings)?, say).await?;
    let namespaces = options.settings.namespaces(NAMESPACE_DEFAULT).into_iter();
    let mut server_options = options.server.clone();
    server_options.namespaces.extend(namespaces.filter(|namespace| namespace != NAMESPACE_DEFAULT));
    server_options.namespaces.sort();
    server_options.namespaces.dedup();
    say("Starting a Temporal server.");
    Ok(LocalServer::Embedded(Box::new(EmbeddedServer::start(&cli, server_options).await?)))
}

async fn connect(
    server: &LocalServer,
    options: &LocalOptions,
    catalog: &Catalog,
    retries: CallRetries,
) -> Result<Installation, Fault> {
    let flags = server.connection_flags();
    let settings = options.settings.clone();
    Installation::connect(&flags, settings, catalog.clone(), retries, CONNECT_LIMIT).await
}

/// Bootstraps the server like any other.
async fn prepare(server: &LocalServer, options: &LocalOptions, catalog: &Catalog) -> Result<(), Fault> {
    let flags = server.connection_flags();
    let of_bootstrap =
        BootstrapOptions { usual_shards: options.shards, wait: Duration::ZERO, ..BootstrapOptions::default() };
    let report = bootstrap(&flags, &options.settings, catalog, &of_bootstrap).await?;
    match report.first_not_done() {
        None => Ok(()),
        Some(what) => {
            Err(Fault::failed(ErrorCode::BootstrapIncomplete, format!("The server could not be prepared: {what}.")))
        }
    }
}

fn parse_catalog(text: &str) -> Result<Catalog, Fault> {
    Catalog::parse(text).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        Fault::wrong_use(
            ErrorCode::CatalogFaulty,
            format!("The catalog has {} error(s), the first: {first}", faults.len()),
        )
    })
}
