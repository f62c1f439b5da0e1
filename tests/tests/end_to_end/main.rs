//! The promises of Interlock, on a real Temporal server, with real workers, and judged from what the targets applied.
//!
//! Most tests share one [`testbed`]: a server, workers, a gateway and sandbox targets in this process. Each has a tenant,
//! customers and numbers of its own there. Tests that kill or reconfigure something have a testbed of their own.
#![allow(clippy::unwrap_used)]

mod applied_log;
mod events;
mod scene;
mod temporal_calls;
mod testbed;
mod waiting;

mod asked_under_load;
mod catalog_events;
mod continue_as_new;
mod control;
mod entity_terminated;
mod gateway;
mod hand_over;
mod history_events;
mod hostile_events;
mod house;
mod order_of_events;
mod python;
mod server_killed;
mod unordered;
mod worker_killed;
