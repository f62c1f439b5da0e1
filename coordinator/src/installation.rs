//! What every part of one installation shares: the settings, the catalog, the routing and the connection to Temporal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use interlock_activities::EntityClient;
use interlock_domain::catalog::Catalog;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::routing::{NAMESPACE_DEFAULT, Routing, ShardCount};
use temporalio_client::grpc::OperatorService;
use temporalio_client::{Client, ClientOptions, Connection, RetryOptions};
use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use tonic::IntoRequest;

use crate::connection::{ConnectionFlags, STARTUP_LIMIT, connect, connect_with};
use crate::fault::{Fault, with_causes};
use crate::settings::Settings;
use crate::temporal_server::SEARCH_ATTRIBUTES;

/// How long a call on behalf of a waiting person or producer is tried again by the client itself.
const IMPATIENCE: Duration = Duration::from_millis(1_500);

/// How long calls to Temporal are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As the SDK does it: for workers, who have nobody waiting.
    Sdk,
    /// Briefly: somebody waits for an answer, and can ask again.
    Brief,
}

/// One installation of Interlock, seen from a process that is connected to its Temporal cluster.
#[derive(Clone)]
pub struct Installation {
    /// The settings.
    pub settings: Arc<Settings>,
    /// What events become.
    pub catalog: Arc<Catalog>,
    /// Where everything is.
    pub routing: Arc<Routing>,
    /// The connection, for the namespace of the connection's settings.
    pub client: Client,
    /// How entities are reached.
    pub entities: EntityClient,
    /// How one more connection is made.
    connecting: Arc<(ConnectionFlags, Patience)>,
}

impl Installation {
    /// Connects, waiting up to `limit` for Temporal. `shards` is the number of shards where none is set.
    ///
    /// # Errors
    /// Those of [`connect`] and [`Settings::routing`].
    pub async fn connect(
        flags: &ConnectionFlags,
        settings: Settings,
        catalog: Catalog,
        shards: ShardCount,
        patience: Patience,
        limit: Duration,
    ) -> Result<Self, Fault> {
        let routing = Arc::new(settings.routing(&catalog, shards)?);
        let client = patient(flags, patience, limit).await?;
        let search_attributes = has_search_attributes(&client, &namespaces(&routing)).await;
        let entities = EntityClient::new(client.clone(), Arc::clone(&routing), search_attributes);
        let connecting = Arc::new((flags.clone(), patience));
        Ok(Self { settings: Arc::new(settings), catalog: Arc::new(catalog), routing, client, entities, connecting })
    }

    /// The namespaces of all tenants, sorted.
    pub fn namespaces(&self) -> BTreeSet<String> {
        namespaces(&self.routing)
    }

    /// A client for one namespace, on the same connection.
    ///
    /// # Errors
    /// [`Fault`] `temporal_configuration_invalid`.
    pub fn client_for(&self, namespace: &str) -> Result<Client, Fault> {
        self.client_on(self.client.connection(), namespace)
    }

    /// One more connection, to the same server and in the same way.
    ///
    /// # Errors
    /// Those of [`connect`].
    pub async fn another_connection(&self) -> Result<Connection, Fault> {
        let (flags, patience) = &*self.connecting;
        Ok(patient(flags, *patience, STARTUP_LIMIT).await?.connection().clone())
    }

    /// A client for one namespace, on this connection.
    ///
    /// # Errors
    /// [`Fault`] `temporal_configuration_invalid`.
    pub fn client_on(&self, connection: &Connection, namespace: &str) -> Result<Client, Fault> {
        Client::new(connection.clone(), ClientOptions::new(namespace).build()).map_err(|error| {
            Fault::failed(
                ErrorCode::TemporalConfigurationInvalid,
                format!("There is no client for the namespace '{namespace}': {}.", with_causes(&error)),
            )
            .with_next("Check [tenants.NAME] namespace.")
        })
    }
}

async fn patient(flags: &ConnectionFlags, patience: Patience, limit: Duration) -> Result<Client, Fault> {
    match patience {
        Patience::Sdk => connect(flags, limit).await,
        Patience::Brief => connect_with(flags, limit, brief_retries()).await,
    }
}

fn namespaces(routing: &Routing) -> BTreeSet<String> {
    let named = routing.settings().tenants.values().map(|tenant| tenant.namespace.clone());
    named.chain([NAMESPACE_DEFAULT.to_owned()]).collect()
}

fn brief_retries() -> RetryOptions {
    let mut retries = RetryOptions::default();
    retries.max_elapsed_time = Some(IMPATIENCE);
    retries
}

/// Whether the search attributes are registered in every namespace: a start that sets unknown ones is refused. Where
/// this cannot be asked, they are left out; nothing but finding entities in lists depends on them.
async fn has_search_attributes(client: &Client, namespaces: &BTreeSet<String>) -> bool {
    for namespace in namespaces {
        let request = ListSearchAttributesRequest { namespace: namespace.clone() };
        match client.clone().list_search_attributes(request.into_request()).await {
            Ok(answer) => {
                let known = answer.into_inner().custom_attributes;
                if !SEARCH_ATTRIBUTES.iter().all(|attribute| known.contains_key(*attribute)) {
                    tracing::warn!(namespace, "Interlock's search attributes are not registered; they are left out");
                    return false;
                }
            }
            Err(status) => {
                tracing::warn!(namespace, %status, "search attributes cannot be listed; they are left out");
                return false;
            }
        }
    }
    true
}
