//! Why a call to an entity failed.

use interlock_domain::error_code::ErrorCode;
use thiserror::Error;
use tonic::{Code, Status};

use crate::call_status::{is_busy, was_never_sent};
use crate::server_error::ServerError;

/// Why an event was not submitted.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct NotSubmitted {
    /// The last failure.
    pub error: EntityCallError,
    /// Whether the event may have been accepted anyway, by this or an earlier attempt.
    pub maybe_accepted: bool,
}

/// Why a call to an entity failed.
#[derive(Debug, Error)]
pub enum EntityCallError {
    /// Temporal refused or did not answer.
    #[error("Temporal did not accept the call to '{workflow_id}': {status}")]
    Refused {
        /// The entity.
        workflow_id: String,
        /// Temporal's answer.
        status: Box<Status>,
    },
    /// The argument could not be encoded, or the answer could not be decoded.
    #[error("the payload of a call to '{workflow_id}' cannot be converted: {detail}")]
    Payload {
        /// The entity.
        workflow_id: String,
        /// The cause.
        detail: String,
    },
    /// The entity accepted the claim but did not answer it.
    #[error("'{workflow_id}' did not answer the claim")]
    NotAnswered {
        /// The entity.
        workflow_id: String,
    },
    /// The server gave an update up: the worker's task was lost and its repetition did not have the update, or the run ended meanwhile.
    /// What the update asks for may have happened.
    #[error("Temporal gave up an update of '{workflow_id}': {detail}")]
    GivenUp {
        /// The entity.
        workflow_id: String,
        /// The server's words.
        detail: String,
    },
    /// No answer came in time: no worker serves the entity's queue, or all are busy.
    #[error("'{workflow_id}' did not answer in time")]
    NoAnswer {
        /// The entity.
        workflow_id: String,
    },
    /// An operator paused the entity's workflow in Temporal. The server then sends no queries to it.
    #[error("'{workflow_id}' is paused. {paused}")]
    Paused {
        /// The entity.
        workflow_id: String,
        /// The operator and the reason.
        paused: String,
    },
}

impl EntityCallError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { .. } | Self::GivenUp { .. } => ErrorCode::TemporalRefused,
            Self::Payload { .. } => ErrorCode::PayloadUnreadable,
            Self::NotAnswered { .. } => ErrorCode::ClaimNotAnswered,
            Self::NoAnswer { .. } => ErrorCode::NoWorker,
            Self::Paused { .. } => ErrorCode::QueryRefused,
        }
    }

    /// Whether the failure is temporary: the entity's run was ending, or had its maximum of signals, or the server gave the update up.
    pub fn will_pass(&self) -> bool {
        matches!(self, Self::GivenUp { .. }) || self.status().is_some_and(is_busy)
    }

    /// Whether the server may have accepted the call anyway. It did not if there was no connection, or if it refused the call.
    pub fn may_have_been_accepted(&self) -> bool {
        match self.status() {
            Some(status) => match status.code() {
                Code::InvalidArgument
                | Code::NotFound
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::FailedPrecondition
                | Code::ResourceExhausted => false,
                _ => !was_never_sent(status),
            },
            None => !matches!(self, Self::Payload { .. }),
        }
    }

    /// Temporal's answer, if there was one.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { status, .. } => Some(status),
            Self::Payload { .. }
            | Self::NotAnswered { .. }
            | Self::GivenUp { .. }
            | Self::NoAnswer { .. }
            | Self::Paused { .. } => None,
        }
    }

    /// Temporal rejected a call to an entity, or did not answer.
    pub(crate) fn refused(workflow_id: &str, status: Status) -> Self {
        Self::Refused { workflow_id: workflow_id.to_owned(), status: Box::new(status) }
    }

    /// A call about an entity that is not sent to the entity itself failed.
    pub(crate) fn of_server(workflow_id: &str, error: ServerError) -> Self {
        match error {
            ServerError::Refused(status) => Self::Refused { workflow_id: workflow_id.to_owned(), status },
            ServerError::NoAnswer => Self::no_answer(workflow_id),
            ServerError::Payload(fault) => Self::payload(workflow_id, &fault),
        }
    }

    /// A message to or from an entity cannot be converted.
    pub(crate) fn payload(workflow_id: &str, detail: &(impl ToString + ?Sized)) -> Self {
        Self::Payload { workflow_id: workflow_id.to_owned(), detail: detail.to_string() }
    }

    /// An entity did not answer in time.
    pub(crate) fn no_answer(workflow_id: &str) -> Self {
        Self::NoAnswer { workflow_id: workflow_id.to_owned() }
    }
}
