//! Sandbox targets: stand-ins that behave as the real ones do, for the demo, the tests and for trying things out.
//!
//! | target | what it is |
//! | --- | --- |
//! | [`hss`] | PyHSS's HTTP shape, its `200 null`s and uniqueness rules, in memory |
//! | [`crm`] | accounts with numbers, SIM, service and status; knows idempotency keys |
//! | [`sms`] | sends text messages nowhere; knows idempotency keys |
//!
//! None takes calls of web pages, of hosts whose name it does not have, or with bodies that are not JSON by their media type. Each
//! has, beside its own calls:
//!
//! | call | does |
//! | --- | --- |
//! | `GET /__sandbox/log[?after=SEQ]` | what was applied, in order, as a list of [`Applied`]; never what was refused |
//! | `GET /__sandbox/requests` | what it was asked, in order, as a list of [`Received`], the refused ones too; the last 100,000 |
//! | `GET`, `PUT`, `POST`, `DELETE /__sandbox/knobs` | reads, replaces, adds to and clears the failure [`Knobs`] |
//! | `GET /__sandbox/state` | the tables |
//! | `POST /__sandbox/subscribers` | HSS only: seeds SIMs and subscribers, one [`Seed`] or a list of any length |

mod applied;
mod control;
mod crm;
mod hss;
mod judge;
mod keyed;
mod knobs;
mod model;
mod received;
mod seeds;
mod server;
mod sms;
mod target;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use secrecy::SecretString;
use thiserror::Error;
use tokio::net::TcpListener;

pub use applied::{Applied, Effect};
pub use hss::DatabaseKind;
pub use judge::{HandOverFault, hand_over_faults};
pub use keyed::Keys;
pub use knobs::{Action, Knobs, Pattern, Rule, Times};
pub use received::Received;
pub use seeds::{Seed, SeedError, Seeded};

use server::Server;
use target::Target;

/// Connections at a time, unless it is said otherwise: some hundred calls of workers, and people who look.
const CONNECTIONS_MAX: usize = 1_024;

/// How a sandbox target is run.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where it listens. Default: a free port of 127.0.0.1.
    pub listen: SocketAddr,
    /// Host names that it has beside its addresses, `localhost` and, where others can reach it, names without a dot; a request
    /// for another host is refused. One that begins with a dot stands for all names below it. Default: none.
    pub hosts: Vec<String>,
    /// How long each request waits before it is carried out. Default: not at all.
    pub latency: Duration,
    /// The most connections at a time. A connection above this limit is answered 503 and closed. Default: 1,024.
    pub connections_max: usize,
    /// HSS only: the `Provisioning-Key` that writes must carry. Default: none asked for.
    pub provisioning_key: Option<SecretString>,
    /// CRM and SMS only: what it does with idempotency keys. Default: it honours them.
    pub keys: Keys,
    /// HSS only: which database's manners it has. Default: SQLite's.
    pub database: DatabaseKind,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            latency: Duration::ZERO,
            connections_max: CONNECTIONS_MAX,
            provisioning_key: None,
            keys: Keys::default(),
            database: DatabaseKind::default(),
        }
    }
}

/// Why a sandbox target could not be started.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The address cannot be listened on.
    #[error(
        "cannot bind to the listen address {listen} of the sandbox target ({source}); choose another address with \
         --listen"
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl SandboxError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Listen { .. } => ErrorCode::SandboxListenFailed,
        }
    }
}

/// A sandbox target that runs. Dropping it stops listening; [`Sandbox::shutdown`] also waits until it has ended.
pub struct Sandbox {
    target: Arc<Target>,
    server: Server,
}

/// Starts a sandbox HSS.
///
/// # Errors
/// [`SandboxError`] where it cannot listen.
pub async fn hss(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
    let model = hss::Hss::new(options.provisioning_key.clone(), options.database);
    start(Target::new("hss", Box::new(model), options.latency), &options).await
}

/// Starts a sandbox CRM.
///
/// # Errors
/// [`SandboxError`] where it cannot listen.
pub async fn crm(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
    let model = keyed::Keyed::new(crm::Crm::default(), options.keys);
    start(Target::new("crm", Box::new(model), options.latency), &options).await
}

/// Starts a sandbox SMS gateway.
///
/// # Errors
/// [`SandboxError`] where it cannot listen.
pub async fn sms(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
    let model = keyed::Keyed::new(sms::Sms::default(), options.keys);
    start(Target::new("sms", Box::new(model), options.latency), &options).await
}

async fn start(target: Target, options: &SandboxOptions) -> Result<Sandbox, SandboxError> {
    let (target, listen) = (Arc::new(target), options.listen);
    let listener = TcpListener::bind(listen).await.map_err(|source| SandboxError::Listen { listen, source })?;
    let server = Server::start(listener, Arc::clone(&target), &options.hosts, options.connections_max)
        .map_err(|source| SandboxError::Listen { listen, source })?;
    Ok(Sandbox { target, server })
}

impl Sandbox {
    /// Its name: `hss`, `crm` or `sms`.
    pub fn name(&self) -> &'static str {
        self.target.name()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The same as a URL, `http://HOST:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// What it applied so far, in order.
    pub fn log(&self) -> Vec<Applied> {
        self.target.log_after(0)
    }

    /// What it was asked so far, in order, whatever became of it; the last 100,000.
    pub fn received(&self) -> Vec<Received> {
        self.target.received()
    }

    /// The requests whose caller cut the connection before there was an answer, each as `GET /path`; the last 100,000.
    pub fn abandoned(&self) -> Vec<String> {
        self.target.abandoned()
    }

    /// Replaces its failure knobs.
    pub fn set_knobs(&self, knobs: Knobs) {
        self.target.set_knobs(knobs);
    }

    /// Adds a rule to its failure knobs.
    pub fn add_rule(&self, rule: Rule) {
        self.target.add_rules(vec![rule]);
    }

    /// Its failure knobs as they are now; rules count down.
    pub fn knobs(&self) -> Knobs {
        self.target.knobs()
    }

    /// Its tables, as at `/__sandbox/state`.
    pub fn state(&self) -> serde_json::Value {
        self.target.state()
    }

    /// Seeds SIMs and subscribers, as at `/__sandbox/subscribers`.
    ///
    /// # Errors
    /// [`SeedError`] for the first that cannot be; those before it are in place. Always where it is no HSS.
    pub fn seed(&self, seeds: &[Seed]) -> Result<Seeded, SeedError> {
        self.target.seed(seeds)
    }

    /// Stops listening, lets open requests end (5 s at most), and drops what was to be applied later.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}
