//! Rust client for Interlock's entities: submits events, and reads their results.
//!
//! Each customer, resource, target and tenant is an *entity*: a Temporal workflow that runs for as long as it is needed. An
//! [`EntityClient`] knows the address of each entity (namespace, workflow id, task queue; see [`Routing`]) and calls it through a
//! connection of Temporal's own client. A producer of events needs only one of its calls, signal-with-start.
//!
//! # Submitting an event
//!
//! The customer's entity receives the event with the signal `submit`. The same call starts the entity if it does not run. When the call
//! returns `Ok`, Temporal has stored the event, whether a worker runs or not. The [request id](request_id::of_submission) is derived
//! from the event, and the entity recognises duplicates: sending an event again changes nothing.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use interlock_client::{EntityClient, names, request_id};
//! use interlock_domain::ids::{CustomerId, OrderId, TenantId};
//! use interlock_domain::routing::{Routing, RoutingSettings};
//! use serde_json::json;
//! use temporalio_client::envconfig::LoadClientConfigProfileOptions;
//! use temporalio_client::{Client, ClientOptions};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Address, namespace, TLS and API key: from TEMPORAL_* and temporal.toml, as in the Temporal CLI.
//! let (connection, client) = ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())?;
//! let temporal = Client::connect(connection, client).await?;
//! // As in the interlock.toml of the workers: queue prefix, shards, tenants.
//! let routing = Routing::new(RoutingSettings::default())?;
//! let entities = EntityClient::new(temporal, Arc::new(routing));
//!
//! let (tenant, customer): (TenantId, CustomerId) = ("acme".parse()?, "A2".parse()?);
//! let event = json!({
//!     "specversion": "1.0",
//!     "id": "4711",
//!     "source": "https://crm.example",
//!     "type": "number.assigned",
//!     "subject": "A2",
//!     "time": "2026-01-31T12:00:00Z",
//!     "data": { "msisdn": "491710000001", "imsi": "262011234567890" },
//! });
//! let order = OrderId::derive(&tenant, &customer, "https://crm.example", "4711", None);
//! let entity = entities.customer(&tenant, &customer);
//! entities.signal_with_start(&entity, names::SUBMIT, &event, &request_id::of_submission(&order)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! An invalid event is accepted, too, and ends as a rejected order. Interlock's gateway checks an event against the catalog before it
//! accepts it, and starts an event whose type has no ordering as a standalone activity; a producer that uses this crate does neither.
//!
//! # Errors and repetition
//!
//! Each call fails with an [`EntityCallError`], whose [`code`](EntityCallError::code) is stable. A failed call may have been accepted
//! anyway; repeat it with the same id. While an entity is busy (its run is ending, or has its maximum of signals), the client itself
//! retries a call a few times. [`EntityCallError::will_pass`] tells whether a later retry makes sense.
//!
//! A client sends each entity at most four signals at a time and a hundred a second; further signals wait. Use one client, or its
//! clones, in a process.
//!
//! # Other calls to Temporal
//!
//! Interlock's own processes make all their calls to the Temporal server through this crate: lists ([`visibility`]), descriptions
//! ([`runs`]) and histories ([`histories`]) of workflows, standalone orders ([`standalone_activities`]), and the administration of
//! [`namespaces`], [`schedules`] and [`task_queues`]. These calls fail with a [`ServerError`]. The connection retries them.
//!
//! [`Routing`]: interlock_domain::routing::Routing
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ask;
mod call_status;
mod entity_call_error;
mod entity_calls;
mod entity_client;
mod entity_handle;
mod entity_run;
mod failure_text;
pub mod histories;
mod job_calls;
mod list_error;
mod memo_workflow;
pub mod namespaces;
mod paused;
mod payloads;
pub mod request_id;
mod run_info;
pub mod runs;
pub mod schedules;
#[cfg(test)]
mod scripted_server;
mod search_attribute_gate;
mod sending_lanes;
pub mod server;
mod server_error;
pub mod standalone_activities;
mod target_client;
pub mod task_queues;
mod tenant_gate;
mod unpause;
pub mod visibility;

pub use ask::IN_A_TASK;
pub use call_status::StatusMeaning;
pub use entity_call_error::{EntityCallError, NotSubmitted};
pub use entity_client::EntityClient;
pub use entity_handle::EntityHandle;
pub use entity_run::{CallUnderWay, EntityRun};
pub use failure_text::failure_text;
pub use interlock_workflows::names;
pub use list_error::{ListError, VISIBILITY_SILENT};
pub use memo_workflow::MemoWorkflow;
pub use paused::Paused;
pub use run_info::RunInfo;
pub use search_attribute_gate::{Registration, SearchAttributeGate};
pub use server_error::ServerError;
pub use target_client::TargetClient;
pub use tenant_gate::TenantNews;
