//! Calls to the entities of Interlock, from Rust.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod call_status;
mod entity_call_error;
mod entity_calls;
mod entity_client;
mod entity_handle;
mod failure_text;
pub mod request_id;
mod search_attribute_gate;
mod sending_lanes;
mod target_client;
mod tenant_gate;

pub use entity_call_error::EntityCallError;
pub use entity_client::EntityClient;
pub use entity_handle::EntityHandle;
pub use failure_text::failure_text;
pub use search_attribute_gate::{Registration, SearchAttributeGate};
pub use target_client::TargetClient;
