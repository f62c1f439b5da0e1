//! The Temporal server of a local platform: an embedded one, or one that runs already.

use interlock_connection::ConnectionFlags;
use interlock_domain::routing::NAMESPACE_DEFAULT;
use interlock_embedded_server::{EmbeddedServer, TemporalServerError};
use uuid::Uuid;

/// A Temporal server that runs already. The platform prepares the namespace there, and leaves the server running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningServer {
    /// Its address, `HOST:PORT`.
    pub address: String,
    /// The namespace for everything whose tenant has no namespace of its own. It is created where it does not exist.
    pub namespace: String,
}

impl RunningServer {
    /// For tests and benchmarks: the server that `INTERLOCK_TEST_TEMPORAL_ADDRESS` names, with a new namespace whose name begins with
    /// `interlock-test-` and `name`. `None` if the variable is not set. It is not `TEMPORAL_ADDRESS`, which in many shells names a
    /// production cluster.
    pub fn for_tests(name: &str) -> Option<Self> {
        let address = std::env::var("INTERLOCK_TEST_TEMPORAL_ADDRESS").ok().filter(|address| !address.is_empty())?;
        Some(Self { address, namespace: format!("interlock-test-{name}-{}", Uuid::new_v4().simple()) })
    }
}

/// The Temporal server of a local platform.
#[derive(Debug)]
pub enum LocalServer {
    /// A child process of this one.
    Embedded(Box<EmbeddedServer>),
    /// One that runs already.
    Running(RunningServer),
}

impl LocalServer {
    /// The address of its front end, `HOST:PORT`.
    pub fn address(&self) -> String {
        match self {
            Self::Embedded(server) => server.address(),
            Self::Running(server) => server.address.clone(),
        }
    }

    /// The namespace for everything whose tenant has no namespace of its own.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Embedded(_) => NAMESPACE_DEFAULT,
            Self::Running(server) => &server.namespace,
        }
    }

    /// How to connect to it.
    pub fn connection_flags(&self) -> ConnectionFlags {
        ConnectionFlags { namespace: Some(self.namespace().to_owned()), ..ConnectionFlags::to_server(self.address()) }
    }

    /// The embedded server, which can be killed and restarted. `None` if the server is another's.
    pub fn embedded(&mut self) -> Option<&mut EmbeddedServer> {
        match self {
            Self::Embedded(server) => Some(server),
            Self::Running(_) => None,
        }
    }

    /// The address of its web UI, where the server is embedded and that runs.
    pub fn ui_url(&self) -> Option<String> {
        match self {
            Self::Embedded(server) => server.ui_url(),
            Self::Running(_) => None,
        }
    }

    /// Stops an embedded server, and leaves any other alone.
    pub(super) async fn stop(self) -> Result<(), TemporalServerError> {
        match self {
            Self::Embedded(server) => server.stop().await,
            Self::Running(_) => Ok(()),
        }
    }

    /// Waits until an embedded server ends by itself, and returns how. Of any other, the connection tells.
    pub(super) async fn ended(&mut self) -> String {
        match self {
            Self::Embedded(server) => server.ended().await,
            Self::Running(_) => std::future::pending().await,
        }
    }
}
