//! Why an audit failed.

use interlock_client::ServerError;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use thiserror::Error;

use crate::facts::HistoryUnreadable;
use crate::target_log::TargetLogError;

/// Why an audit could not be made. A broken promise is not an error: the verdict reports it.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The thread that replays does not run.
    #[error(transparent)]
    Replayer(#[from] interlock_replay::ReplayerEnded),
    /// This is not a history.
    #[error("{0} cannot be used: {1}")]
    History(String, HistoryUnreadable),
    /// A history is encrypted under a key that this process does not have.
    #[error("the history of {0} cannot be decrypted: {1}")]
    Encrypted(String, String),
    /// Temporal did not answer.
    #[error("Temporal did not respond: {0}")]
    Temporal(ServerError),
    /// The state file cannot be read or written, or is of another audit.
    #[error("the state file {0} cannot be used: {1}")]
    StateFile(String, String),
    /// A target's log cannot be used.
    #[error(transparent)]
    TargetLog(#[from] TargetLogError),
}

impl AuditError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Replayer(_) => ErrorCode::RuntimeUnavailable,
            Self::History(..) => ErrorCode::HistoryUnreadable,
            Self::Encrypted(..) => ErrorCode::CodecKeyUnknown,
            Self::Temporal(_) => ErrorCode::TemporalUnavailable,
            Self::StateFile(..) => ErrorCode::AuditStateUnusable,
            Self::TargetLog(_) => ErrorCode::TargetLogUnreadable,
        }
    }
}

impl From<AuditError> for Fault {
    fn from(error: AuditError) -> Self {
        let message = format!("{}.", interlock_fault::with_causes(&error));
        match &error {
            AuditError::StateFile(..) | AuditError::TargetLog(_) => Self::wrong_use(error.code(), message),
            _ => Self::failed(error.code(), message),
        }
    }
}
