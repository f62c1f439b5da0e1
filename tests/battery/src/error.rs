//! Why a run could not be made. What a run finds is in its report.

use interlock_fault::Fault;
use interlock_production_server::ProductionServerError;
use thiserror::Error;

/// Why a run could not be made.
#[derive(Debug, Error)]
pub enum BatteryError {
    /// A part of Interlock, or the embedded server.
    #[error("{0}")]
    Fault(Box<Fault>),
    /// The production-like server.
    #[error("{0}")]
    Server(#[from] ProductionServerError),
    /// A file, a port or a signal.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// Temporal did not answer when the run was judged.
    #[error("{what}: {reason}")]
    Unjudged {
        /// What was asked.
        what: &'static str,
        /// The answer.
        reason: String,
    },
    /// An option that cannot be.
    #[error("{0}")]
    Option(String),
}

impl From<Fault> for BatteryError {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl BatteryError {
    /// Adds what was tried to an error of the operating system.
    pub fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
