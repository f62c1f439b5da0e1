//! A Temporal server as in production, for tests and benchmarks: the server's own Go module, its four roles as four processes, PostgreSQL
//! for the store and for visibility, and the dynamic configuration of `deploy/temporal`.
//!
//! [`Binaries::find_or_build`] finds PostgreSQL and builds the server once, into Interlock's cache; [`ProductionServer::start`] runs both in a
//! directory and does not return before the server answers. Single roles, and PostgreSQL, can be killed and started again.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod binaries;
mod error;
mod postgres;
mod readiness;
mod role;
mod server;
mod usage;

pub use binaries::{Binaries, SERVER_VERSION};
pub use error::ProductionServerError;
pub use role::Role;
pub use server::{ProductionServer, ProductionServerOptions};
pub use usage::{Usage, cpu_of};
