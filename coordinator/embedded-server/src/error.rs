//! The errors of the embedded Temporal server, and what to do about them.

use std::path::PathBuf;
use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use thiserror::Error;

/// Where to get the Temporal CLI by hand.
const GET_IT: &str = "Install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH, or set \
                      INTERLOCK_TEMPORAL_CLI to its path.";

/// Why there is no Temporal server.
#[derive(Debug, Error)]
pub enum TemporalServerError {
    /// The file named in `INTERLOCK_TEMPORAL_CLI` is not a Temporal CLI that runs.
    #[error("The Temporal CLI that INTERLOCK_TEMPORAL_CLI names, {path}, cannot be used: \
             {reason}.", path = path.display())]
    ExplicitCliUnusable {
        /// The named file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// None was found, and every way to install one failed or was forbidden.
    #[error("No Temporal CLI was found on this machine, and none could be installed: {}.", attempts.join("; "))]
    CliNotFound {
        /// What was tried, and why it did not work, in order.
        attempts: Vec<String>,
        /// Whether `INTERLOCK_OFFLINE` forbade the installation.
        offline: bool,
    },
    /// The cache directory cannot be found or written.
    #[error("The cache directory {path} cannot be used: {source}.", path = path.display())]
    Cache {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no directory for the installation.
    #[error("No cache directory for Interlock is known: this user has no home directory.")]
    NoCacheDirectory,
    /// The process cannot be started or watched.
    #[error("The Temporal server {path} cannot be run: {source}.", path = path.display())]
    Spawn {
        /// The binary.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The process ended before the server answered.
    #[error("The Temporal server exited during startup ({status}). The end of its log:\n{log_tail}")]
    EndedEarly {
        /// Its exit status.
        status: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// The server did not answer in time.
    #[error(
        "The Temporal server was not ready within {} s: {last_answer}. The end of its log:\n{log_tail}",
        limit.as_secs()
    )]
    NotReady {
        /// How long the process waited.
        limit: Duration,
        /// The last call's response.
        last_answer: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A signal could not be sent to the server, or waiting for its end failed.
    #[error("The Temporal server (process {pid}) could not be stopped: {reason}.")]
    Stop {
        /// Its process id.
        pid: u32,
        /// Why.
        reason: String,
    },
}

impl From<TemporalServerError> for Fault {
    fn from(error: TemporalServerError) -> Self {
        let message = error.to_string();
        match error {
            TemporalServerError::ExplicitCliUnusable { .. } => Self::wrong_use(ErrorCode::TemporalCliUnusable, message),
            TemporalServerError::CliNotFound { offline: true, .. } => {
                Self::failed(ErrorCode::TemporalCliNotFound, message)
                    .with_next(format!("{GET_IT} Or unset INTERLOCK_OFFLINE to let Interlock install it."))
            }
            TemporalServerError::CliNotFound { .. } => {
                Self::failed(ErrorCode::TemporalCliNotFound, message).with_next(GET_IT)
            }
            TemporalServerError::Cache { .. } => Self::failed(ErrorCode::CacheUnusable, message),
            TemporalServerError::NoCacheDirectory => Self::failed(ErrorCode::NoCacheDirectory, message),
            TemporalServerError::Spawn { .. } => Self::failed(ErrorCode::TemporalServerNotStarted, message),
            TemporalServerError::EndedEarly { .. } => Self::failed(ErrorCode::TemporalServerEndedEarly, message),
            TemporalServerError::NotReady { .. } => Self::failed(ErrorCode::TemporalServerNotReady, message),
            TemporalServerError::Stop { .. } => Self::failed(ErrorCode::TemporalServerNotStopped, message),
        }
    }
}
