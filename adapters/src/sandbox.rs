//! Sandbox targets: stand-ins that behave like the real targets, for the demo, the tests and experiments.
//!
//! | target | what it is |
//! | --- | --- |
//! | [`hss`] | PyHSS's HTTP shape, its `200 null`s and uniqueness rules, in memory |
//! | [`crm`] | accounts with numbers, SIM, service and status; knows idempotency keys |
//! | [`sms`] | sends text messages nowhere; knows idempotency keys |
//!
//! They reject requests from web pages, requests for unknown host names, and bodies whose media type is not JSON. In addition to its
//! own calls, each has:
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
mod jobs;
mod judge;
mod keyed;
mod knobs;
mod model;
mod received;
mod seeds;
mod server;
mod sms;
mod stand_in;
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
pub(crate) use stand_in::{Rehearsed, StandIn};

use server::Server;
use target::Target;

/// The default limit of connections: some hundred calls of workers, and a few people.
const CONNECTIONS_MAX: usize = 1_024;

/// The settings of a sandbox target.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// The address to listen on. Default: a free port of 127.0.0.1.
    pub listen: SocketAddr,
    /// Host names, in addition to its addresses, `localhost` and, if other machines can reach it, names without a dot. It rejects
    /// requests for other hosts. A name that begins with a dot matches all names below it. Default: none.
    pub hosts: Vec<String>,
    /// The delay before each request is performed. Default: none.
    pub latency: Duration,
    /// The most connections at a time. A connection above this limit is answered 503 and closed. Default: 1,024.
    pub connections_max: usize,
    /// HSS only: the `Provisioning-Key` that writes must carry. Default: no key is needed.
    pub provisioning_key: Option<SecretString>,
    /// CRM and SMS only: how it handles idempotency keys. Default: it honours them.
    pub keys: Keys,
    /// HSS only: which database's behaviour it imitates. Default: SQLite's.
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
    /// It cannot listen on the address.
    #[error(
        "cannot bind to the listen address {listen} of the sandbox target ({source}); choose another address with \
         --listen"
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// The cause.
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

/// A running sandbox target. Dropping it stops listening; [`Sandbox::shutdown`] also waits until it has ended.
pub struct Sandbox {
    target: Arc<Target>,
    server: Server,
}

/// Starts a sandbox HSS.
///
/// # Errors
/// [`SandboxError`] if it cannot listen.
pub async fn hss(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
    let model = hss::Hss::new(options.provisioning_key.clone(), options.database);
    start(Target::new("hss", Box::new(model), options.latency), &options).await
}

/// Starts a sandbox CRM.
///
/// # Errors
/// [`SandboxError`] if it cannot listen.
pub async fn crm(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
    let model = keyed::Keyed::new(crm::Crm::default(), options.keys);
    start(Target::new("crm", Box::new(model), options.latency), &options).await
}

/// Starts a sandbox SMS gateway.
///
/// # Errors
/// [`SandboxError`] if it cannot listen.
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

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The same as a URL, `http://HOST:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The changes that it has applied so far, in order.
    pub fn log(&self) -> Vec<Applied> {
        self.target.log_after(0)
    }

    /// The requests that it has received so far, in order, including rejected ones; the last 100,000.
    pub fn received(&self) -> Vec<Received> {
        self.target.received()
    }

    /// The requests whose caller closed the connection before the answer, each as `GET /path`; the last 100,000.
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

    /// Its current failure knobs. The counts of rules go down.
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
    /// [`SeedError`] for the first seed that is invalid; those before it are in place. Always for targets other than the HSS.
    pub fn seed(&self, seeds: &[Seed]) -> Result<Seeded, SeedError> {
        self.target.seed(seeds)
    }

    /// Stops listening, lets open requests finish (5 s at most), and drops changes that were to be applied later.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}
