//! Interlock on one machine: a Temporal server of its own, the workers, the gateway and the sandbox targets. `dev`,
//! `demo` and the end-to-end tests share it.

mod options;
mod platform;
mod sandboxes;
mod server;
mod worker_processes;

pub use options::{LocalOptions, WorkerHosting};
pub use platform::{LocalPlatform, cli_search};
pub use sandboxes::Sandboxes;
pub use server::{LocalServer, RunningServer};
pub use worker_processes::{GatewayProcess, WorkerProcess};
