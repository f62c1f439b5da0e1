//! What all processes of one installation share: the settings, the catalog, the routing and the connection to Temporal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use interlock_client::{EntityClient, ServerError, server};
use interlock_domain::catalog::Catalog;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::routing::{InstallationRecord, Routing};
use interlock_fault::{Fault, with_causes};
use interlock_settings::Settings;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, NamespacedClient, RetryOptions};
use temporalio_common::data_converters::DataConverter;

use crate::codec::{KeyRing, data_converter};
use crate::connection::{ConnectionFlags, STARTUP_LIMIT, connect_with};
use crate::record;

/// How long the client itself retries a call on behalf of a waiting person or producer.
const BRIEF_RETRIES_LIMIT: Duration = Duration::from_millis(1_500);

/// How long calls to Temporal are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallRetries {
    /// As the SDK does: for workers, where no caller waits.
    Sdk,
    /// Briefly: a caller waits for an answer, and can ask again.
    Brief,
}

/// One installation of Interlock, seen from a process that is connected to its Temporal cluster.
#[derive(Clone)]
pub struct Installation {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The catalog.
    pub catalog: Arc<Catalog>,
    /// Where everything is.
    pub routing: Arc<Routing>,
    /// The connection, for the namespace of the connection's settings.
    pub client: Client,
    /// How entities are reached.
    pub entities: EntityClient,
    /// How to make another connection.
    connecting: Connecting,
    /// One client for each namespace that was requested.
    clients: Arc<Mutex<BTreeMap<String, Client>>>,
}

impl Installation {
    /// Connects, waiting up to `limit` for Temporal, and reads the records in the namespaces. If they disagree with
    /// the settings, the process must not continue.
    ///
    /// # Errors
    /// Those of [`connect_with`], [`KeyRing::from_settings`] and [`Settings::routing`]; `not_bootstrapped`, `prefix_disagrees`,
    /// `shard_count_disagrees`, `namespaces_disagree`, `record_unreadable`.
    pub async fn connect(
        flags: &ConnectionFlags,
        settings: Settings,
        catalog: Catalog,
        retries: CallRetries,
        limit: Duration,
    ) -> Result<Self, Fault> {
        let connecting = Connecting::new(flags, retries, &settings)?;
        let client = connecting.client(limit).await?;
        let record = Box::pin(record::recorded(&client, &settings)).await?;
        let installation = Self::as_recorded(client, connecting, settings, catalog, &record)?;
        // They are asked for now, so that the first caller need not wait for it.
        let attributes = installation.entities.search_attributes();
        join_all(installation.namespaces().iter().map(|namespace| attributes.of(namespace))).await;
        Ok(installation)
    }

    /// The same on an existing connection, with a record that exists or is about to be written. Search attributes, which may be about to
    /// be registered, are not asked for.
    ///
    /// # Errors
    /// Those of [`Settings::routing`].
    pub fn as_recorded(
        client: Client,
        connecting: Connecting,
        settings: Settings,
        catalog: Catalog,
        record: &InstallationRecord,
    ) -> Result<Self, Fault> {
        let routing = Arc::new(settings.routing_as_recorded(&catalog, &client.namespace(), record)?);
        let entities = EntityClient::new(client.clone(), Arc::clone(&routing));
        let (settings, catalog) = (Arc::new(settings), Arc::new(catalog));
        Ok(Self { settings, catalog, routing, client, entities, connecting, clients: Arc::default() })
    }

    /// Checks that Temporal answers.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn check_server(&self) -> Result<(), ServerError> {
        server::check(&self.client).await
    }

    /// The namespaces of all tenants, sorted.
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.routing.namespaces()
    }

    /// A client for one namespace, on the same connection and with the same codec: the same one each time.
    ///
    /// # Errors
    /// [`Fault`] `temporal_configuration_invalid`.
    pub fn client_for(&self, namespace: &str) -> Result<Client, Fault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(namespace) {
            return Ok(client.clone());
        }
        let client = self.client_on(self.client.connection(), namespace)?;
        clients.insert(namespace.to_owned(), client.clone());
        Ok(client)
    }

    /// Another connection, to the same server and in the same way.
    ///
    /// # Errors
    /// Those of [`connect_with`].
    pub async fn another_connection(&self) -> Result<Connection, Fault> {
        Ok(self.connecting.client(STARTUP_LIMIT).await?.connection().clone())
    }

    /// How this process connects.
    ///
    /// # Errors
    /// Those of [`ConnectionFlags::options`].
    pub fn connection_options(&self) -> Result<ConnectionOptions, Fault> {
        self.connecting.flags.options().map(|(connection, _client)| connection)
    }

    /// A client for one namespace, on this connection, with the same codec.
    ///
    /// # Errors
    /// [`Fault`] `temporal_configuration_invalid`.
    pub fn client_on(&self, connection: &Connection, namespace: &str) -> Result<Client, Fault> {
        let converter = self.client.options().data_converter.clone();
        let options = ClientOptions::new(namespace).data_converter(converter).build();
        Client::new(connection.clone(), options).map_err(|error| {
            Fault::failed(
                ErrorCode::TemporalConfigurationInvalid,
                format!("No client exists for the namespace '{namespace}': {}.", with_causes(&error)),
            )
            .with_next("Check 'namespace' in [tenants.NAME].")
        })
    }
}

/// How a process connects: always in the same way.
#[derive(Clone)]
pub struct Connecting {
    flags: ConnectionFlags,
    retries: CallRetries,
    converter: DataConverter,
}

impl Connecting {
    /// With these flags, and the codec from the settings.
    ///
    /// # Errors
    /// Those of [`KeyRing::from_settings`].
    pub fn new(flags: &ConnectionFlags, retries: CallRetries, settings: &Settings) -> Result<Self, Fault> {
        let ring = KeyRing::from_settings(&settings.codec)?;
        if ring.encrypts() && settings.id_key.is_none() {
            tracing::warn!("payloads are encrypted, but resource ids are not hidden: INTERLOCK_ID_KEY is not set");
        }
        Ok(Self { flags: flags.clone(), retries, converter: data_converter(Arc::new(ring)) })
    }

    /// A client on a connection of its own, waiting up to `limit` for Temporal.
    ///
    /// # Errors
    /// Those of [`connect_with`].
    pub async fn client(&self, limit: Duration) -> Result<Client, Fault> {
        let retries = match self.retries {
            CallRetries::Sdk => RetryOptions::default(),
            CallRetries::Brief => brief_retries(),
        };
        connect_with(&self.flags, limit, retries, self.converter.clone()).await
    }
}

fn brief_retries() -> RetryOptions {
    let mut retries = RetryOptions::default();
    retries.max_elapsed_time = Some(BRIEF_RETRIES_LIMIT);
    retries
}
