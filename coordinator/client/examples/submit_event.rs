//! Submits one event, like a producer in Rust.
//!
//! ```sh
//! interlock dev    # in another terminal: prints the address of Temporal
//! export TEMPORAL_ADDRESS=127.0.0.1:7233
//! cargo run -p interlock-client --example submit_event -- EVENT.json [TENANT]
//! ```
//!
//! Prints the id of the order; `interlock order show ORDER_ID` shows its state. It finds Temporal in the same way as Temporal's own
//! commands (`TEMPORAL_ADDRESS` and so on, `temporal.toml`), and assumes the default for all other settings.

use std::error::Error;
use std::sync::Arc;

use interlock_client::{EntityClient, names, request_id};
use interlock_domain::event::{EVENT_BYTES_MAX, Event};
use interlock_domain::ids::TenantId;
use interlock_domain::routing::{Routing, RoutingSettings};
use serde_json::Value;
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{Client, ClientOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("name a file with an event as JSON")?;
    let tenant = arguments.next().map_or(Ok(TenantId::default()), |name| name.parse())?;
    let value: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let event = Event::from_value(&value, EVENT_BYTES_MAX).map_err(|rejection| rejection.detail)?;

    let (connection, options) = ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())?;
    let temporal = Client::connect(connection, options).await?;
    let entities = EntityClient::new(temporal, Arc::new(Routing::new(RoutingSettings::default())?));

    let order = event.order_id(&tenant, event.half);
    let customer = entities.customer(&tenant, &event.subject);
    entities.signal_with_start(&customer, names::SUBMIT, &value, &request_id::of_submission(&order)).await?;
    println!("{order}");
    Ok(())
}
