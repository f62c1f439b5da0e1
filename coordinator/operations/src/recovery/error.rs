//! Why recovery failed, entirely or partly.

use interlock_client::{EntityCallError, ServerError};
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use thiserror::Error;

use super::recorded::UnreadableHistory;

/// Why recovery failed.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// There is no such entity, or all of its histories are deleted.
    #[error("{0} was never seen, or its histories were deleted")]
    NeverSeen(String),
    /// A run was named that does not exist, or did not end abnormally.
    #[error("the run {run} of {customer} {why}")]
    NotDead {
        /// The customer.
        customer: String,
        /// The run.
        run: String,
        /// Its actual state.
        why: &'static str,
    },
    /// A history cannot be used.
    #[error("the history of the run {run} cannot be read: {fault}")]
    Unreadable {
        /// The run.
        run: String,
        /// Why.
        fault: UnreadableHistory,
    },
    /// A history is encrypted under a key that this process does not have.
    #[error("the history of the run {run} cannot be decrypted: {reason}")]
    Encrypted {
        /// The run.
        run: String,
        /// Why, with the code of the codec.
        reason: String,
    },
    /// No worker executes the present run, which would get the events.
    #[error("{}", detail.trim_end_matches('.'))]
    Misplaced {
        /// What is wrong with it, and what to do.
        detail: String,
    },
    /// The present run is not in its place, but somebody's workers execute it.
    #[error(
        "{} But workers have executed it: another installation may serve that queue, and the run is not ended. If it is to be ended \
         nevertheless, terminate it with Temporal's own tools, and run this command without --misplaced",
        detail
    )]
    Executed {
        /// What is wrong with it, and what to do.
        detail: String,
    },
    /// Temporal did not answer.
    #[error("Temporal did not respond: {0}")]
    Temporal(ServerError),
    /// An event could not be submitted. Those before it were.
    #[error("{submitted} of {all} events were submitted, but the next one was not accepted: {fault}")]
    NotTaken {
        /// How many were.
        submitted: usize,
        /// How many there are.
        all: usize,
        /// Why.
        fault: EntityCallError,
    },
    /// The entity does not process what was submitted, and more would not be accepted.
    #[error("{submitted} of {all} events were submitted, but the entity does not process them")]
    NotTakenIn {
        /// How many were.
        submitted: usize,
        /// How many there are.
        all: usize,
    },
    /// Histories cannot be replayed here.
    #[error(transparent)]
    Replayer(#[from] interlock_replay::ReplayerEnded),
    /// The settings of the connection are invalid.
    #[error("{0}")]
    Connection(String),
}

impl RecoveryError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NeverSeen(_) => ErrorCode::NeverSeen,
            Self::NotDead { .. } => ErrorCode::RunNotDead,
            Self::Unreadable { .. } => ErrorCode::HistoryUnreadable,
            Self::Encrypted { .. } => ErrorCode::CodecKeyUnknown,
            Self::Misplaced { .. } | Self::Executed { .. } => ErrorCode::RunMisplaced,
            Self::Temporal(_) | Self::Connection(_) => ErrorCode::TemporalUnavailable,
            Self::Replayer(_) => ErrorCode::RuntimeUnavailable,
            Self::NotTaken { .. } | Self::NotTakenIn { .. } => ErrorCode::RecoveryUnfinished,
        }
    }
}

impl From<RecoveryError> for Fault {
    fn from(error: RecoveryError) -> Self {
        let message = format!("{error}.");
        match error {
            RecoveryError::NotDead { .. } => Self::wrong_use(error.code(), message),
            _ => Self::failed(error.code(), message),
        }
    }
}
