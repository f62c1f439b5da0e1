//! Why a call to an entity failed.

use interlock_domain::error_code::ErrorCode;
use thiserror::Error;
use tonic::Status;

use crate::call_status::is_busy;

/// Why a call to an entity failed.
#[derive(Debug, Error)]
pub enum EntityCallError {
    /// Temporal refused or did not answer.
    #[error("Temporal did not accept the call to '{workflow_id}': {status}")]
    Refused {
        /// The entity.
        workflow_id: String,
        /// What Temporal said.
        status: Box<Status>,
    },
    /// The argument could not be written, or the answer not be read.
    #[error("the payload of a call to '{workflow_id}' cannot be converted: {detail}")]
    Payload {
        /// The entity.
        workflow_id: String,
        /// Why.
        detail: String,
    },
    /// The entity took the claim and did not answer it.
    #[error("'{workflow_id}' did not answer the claim")]
    NotAnswered {
        /// The entity.
        workflow_id: String,
    },
    /// Nobody answered in time: no worker serves the entity's queue, or all are busy.
    #[error("'{workflow_id}' did not answer in time")]
    NoAnswer {
        /// The entity.
        workflow_id: String,
    },
    /// An operator paused the entity's workflow in Temporal: the server asks it nothing then.
    #[error("'{workflow_id}' is paused. {paused}")]
    Paused {
        /// The entity.
        workflow_id: String,
        /// By whom, and why.
        paused: String,
    },
}

impl EntityCallError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { .. } => ErrorCode::TemporalRefused,
            Self::Payload { .. } => ErrorCode::PayloadUnreadable,
            Self::NotAnswered { .. } => ErrorCode::ClaimNotAnswered,
            Self::NoAnswer { .. } => ErrorCode::NoWorker,
            Self::Paused { .. } => ErrorCode::QueryRefused,
        }
    }

    /// Whether the entity could only not take the call just then: its run was ending, or had all the signals it may have.
    pub fn will_pass(&self) -> bool {
        self.status().is_some_and(is_busy)
    }

    /// What Temporal said, where it said something.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { status, .. } => Some(status),
            Self::Payload { .. } | Self::NotAnswered { .. } | Self::NoAnswer { .. } | Self::Paused { .. } => None,
        }
    }

    /// Temporal refused a call to an entity, or did not answer.
    pub(crate) fn refused(workflow_id: &str, status: Status) -> Self {
        Self::Refused { workflow_id: workflow_id.to_owned(), status: Box::new(status) }
    }

    /// What goes to an entity, or comes from it, cannot be converted.
    pub(crate) fn payload(workflow_id: &str, detail: &(impl ToString + ?Sized)) -> Self {
        Self::Payload { workflow_id: workflow_id.to_owned(), detail: detail.to_string() }
    }

    /// An entity did not answer in time.
    pub(crate) fn no_answer(workflow_id: &str) -> Self {
        Self::NoAnswer { workflow_id: workflow_id.to_owned() }
    }
}
