//! Options for running Interlock on this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use interlock_domain::catalog::REFERENCE_TEXT;
use interlock_domain::routing::ShardCount;
use interlock_embedded_server::EmbeddedServerOptions;
use interlock_fault::Fault;
use interlock_settings::{Settings, catalog_file};
use interlock_worker_pools::Workload;

use super::server::RunningServer;

/// The longest time for which its workers drain.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Where the workers run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerHosting {
    /// In this process: one pool for all workloads.
    InProcess,
    /// In separate processes, one for each of these workloads: they can be killed.
    Processes {
        /// The binary `interlock`.
        binary: PathBuf,
        /// The workload of each.
        workloads: Vec<Workload>,
    },
    /// Nowhere yet.
    Nobody,
}

/// What to run, and how. [`LocalOptions::from_settings`] returns the defaults.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The settings: limits, tenants, targets, where to find the Temporal CLI.
    pub settings: Settings,
    /// The text of the catalog.
    pub catalog: String,
    /// The embedded Temporal server: its file, its ports, its UI.
    pub server: EmbeddedServerOptions,
    /// A server that runs already, to be used instead of an embedded one.
    pub running_server: Option<RunningServer>,
    /// The count of queue shards for the bootstrap of a new server, if the settings give none.
    pub shards: ShardCount,
    /// The address of the gateway; port 0 picks a free one.
    pub gateway: SocketAddr,
    /// Whether sandbox targets replace those of the targets `hss`, `crm` and `notify` that the settings do not
    /// configure.
    pub sandboxes: bool,
    /// How long the sandbox HSS waits before it applies each call.
    pub hss_latency: Duration,
    /// Where the workers run.
    pub workers: WorkerHosting,
    /// Whether plans keep their claims; turning this off shows the harm that leases prevent. Only with workers in this process.
    pub leases: bool,
}

impl LocalOptions {
    /// Everything in this process, on free ports, in memory, with sandbox targets and without a UI.
    ///
    /// # Errors
    /// [`Fault`] `catalog_unreadable`.
    pub fn from_settings(mut settings: Settings) -> Result<Self, Fault> {
        // A person waits for the end, and one thread for workflows is enough on one machine.
        settings.workers.drain = settings.workers.drain.min(DRAIN_MAX);
        for workload in [&mut settings.workers.entity, &mut settings.workers.resource] {
            workload.workers_per_queue.get_or_insert(NonZeroUsize::MIN);
        }
        let catalog = match &settings.catalog {
            Some(file) => catalog_file::text(file)?,
            None => REFERENCE_TEXT.to_owned(),
        };
        Ok(Self {
            settings,
            catalog,
            server: EmbeddedServerOptions::default(),
            running_server: None,
            shards: ShardCount::ONE,
            gateway: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            sandboxes: true,
            hss_latency: Duration::ZERO,
            workers: WorkerHosting::InProcess,
            leases: true,
        })
    }

    /// The same with the settings of this process's environment.
    ///
    /// # Errors
    /// As [`Settings::load`] and [`LocalOptions::from_settings`].
    pub fn from_environment() -> Result<Self, Fault> {
        Self::from_settings(Settings::from_environment()?)
    }
}
