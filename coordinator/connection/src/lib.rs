//! The connection to Temporal, and what every process of one installation shares through it.
//!
//! [`connect`] connects as Temporal's own tools do (flags, `TEMPORAL_*`, profiles). An [`Installation`] adds the settings,
//! the catalog, the routing as recorded in the namespaces ([`record`]), and the [`codec`] for what Temporal stores. All
//! clients and workers are made from one. This crate performs no operations: it only knows settings and the calls to entities.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod codec;
mod connection;
pub mod deployment;
mod installation;
pub mod record;
mod waiting;

pub use connection::{
    ASKING_LIMIT, ATTEMPT_LIMIT, ConnectionFlags, HEADING, STARTUP_LIMIT, connect, connect_fault, connect_with,
};
pub use installation::{CallRetries, Connecting, Installation};
pub use waiting::Waiting;
