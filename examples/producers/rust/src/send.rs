//! Sends one event to the entity of its customer, again and again while it is not known whether it was accepted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use interlock_client::{EntityCallError, EntityClient, names};
use interlock_domain::event::Event;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::routing::Routing;
use serde_json::Value;
use temporalio_client::errors::ClientConnectError;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use thiserror::Error;
use tonic::Code;
use uuid::Uuid;

const ATTEMPT_MAX: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why an event was not accepted, as far as is known.
#[derive(Debug, Error)]
pub enum SendError {
    /// It may have been accepted.
    #[error("not known whether it was accepted: {0}")]
    OutcomeUnknown(String),
    /// It was not accepted.
    #[error("Temporal refused it: {0}")]
    Refused(EntityCallError),
}

/// Sends the events of one tenant.
pub struct Producer {
    /// The tenant.
    pub tenant: TenantId,
    connection: ConnectionOptions,
    client: ClientOptions,
    routing: Arc<Routing>,
    entities: Option<EntityClient>,
    retry_for: Duration,
}

impl Producer {
    /// It connects at the first event.
    pub fn new(
        connection: ConnectionOptions,
        client: ClientOptions,
        routing: Routing,
        tenant: TenantId,
        retry_for: Duration,
    ) -> Self {
        Self { tenant, connection, client, routing: Arc::new(routing), entities: None, retry_for }
    }

    /// Sends one event. If it is not known whether it was accepted, it is sent again: Interlock recognises it by its source and id.
    pub async fn send(&mut self, event: &Event, value: &Value) -> Result<(), SendError> {
        let (deadline, mut pause) = (Instant::now() + self.retry_for, PAUSE_MIN);
        // The server drops the second attempt, if the first one came through.
        let request_id = Uuid::new_v4().to_string();
        loop {
            let limit = deadline.saturating_duration_since(Instant::now()).clamp(PAUSE_MIN, ATTEMPT_MAX);
            let unknown = match tokio::time::timeout(limit, self.signal_with_start(event, value, &request_id)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Attempt::Failed(error))) if !will_pass(&error) => return Err(SendError::Refused(error)),
                Ok(Err(fault)) => fault.to_string(),
                Err(late) => late.to_string(),
            };
            let jitter = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            if Instant::now() + jitter >= deadline {
                return Err(SendError::OutcomeUnknown(unknown));
            }
            tokio::time::sleep(jitter).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Starts the customer's entity if it does not run, and signals the event to it. Durable when it returns.
    async fn signal_with_start(&mut self, event: &Event, value: &Value, request_id: &str) -> Result<(), Attempt> {
        let entities = self.entities().await?;
        let customer = entities.customer(&self.tenant, &event.subject);
        Ok(entities.signal_with_start(&customer, names::SUBMIT, value, request_id).await?)
    }

    async fn entities(&mut self) -> Result<EntityClient, Attempt> {
        if let Some(entities) = &self.entities {
            return Ok(entities.clone());
        }
        let connection = Connection::connect(self.connection.clone()).await?;
        let client = Client::new(connection, self.client.clone()).map_err(ClientConnectError::from)?;
        let entities = EntityClient::new(client, Arc::clone(&self.routing));
        self.entities = Some(entities.clone());
        Ok(entities)
    }
}

/// Why an attempt failed.
#[derive(Debug, Error)]
enum Attempt {
    #[error("{0}")]
    NotConnected(#[from] ClientConnectError),
    #[error("{0}")]
    Failed(#[from] EntityCallError),
}

fn will_pass(error: &EntityCallError) -> bool {
    let codes = [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted];
    error.will_pass() || error.status().is_some_and(|status| codes.contains(&status.code()))
}

/// The orders that an event makes: one, or two if a number moves from one customer to another.
pub fn order_ids(tenant: &TenantId, event: &Event) -> Vec<OrderId> {
    let mut orders = vec![event.order_id(tenant, None)];
    let receiving = event.data.get("to").and_then(|to| to["customer_id"].as_str()?.parse().ok());
    if let (true, Some(receiving)) = (event.event_type == "number.moved", receiving) {
        orders.push(OrderId::derive(tenant, &receiving, &event.source, &event.id, Some("to")));
    }
    orders
}
