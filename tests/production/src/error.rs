//! What can go wrong with the production-like server.

use std::path::PathBuf;
use std::time::Duration;

use interlock_embedded_server::TemporalServerError;
use thiserror::Error;

/// Why there is no production-like server.
#[derive(Debug, Error)]
pub enum ProductionServerError {
    /// A program is missing on this machine.
    #[error("{program} is missing. {install}")]
    Missing {
        /// The program, as its users call it.
        program: &'static str,
        /// How to install it: one sentence.
        install: &'static str,
    },
    /// A program could not be run, or it failed.
    #[error("{what} failed: {reason}.")]
    Command {
        /// What was to be done.
        what: String,
        /// Its exit status and the end of what it printed.
        reason: String,
    },
    /// A file or directory cannot be read or written.
    #[error("{path} cannot be used: {source}.", path = path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A process could not be started or stopped.
    #[error(transparent)]
    Process(#[from] TemporalServerError),
    /// A process exited while it started.
    #[error("{name} exited during startup ({status}). The end of its log:\n{log_tail}")]
    EndedEarly {
        /// The role, or PostgreSQL.
        name: String,
        /// Its exit status.
        status: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// It did not answer in time.
    #[error("{name} was not ready within {} s: {last_answer}. The end of its log:\n{log_tail}", limit.as_secs())]
    NotReady {
        /// The role, or PostgreSQL.
        name: String,
        /// How long was waited.
        limit: Duration,
        /// What the last attempt said.
        last_answer: String,
        /// The last lines of its log.
        log_tail: String,
    },
}
