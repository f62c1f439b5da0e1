//! Why a call to an entity failed.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::routing::EntityRoute;
use thiserror::Error;
use tonic::Status;

use crate::call_status::is_busy;

/// Why a call to an entity failed.
#[derive(Debug, Error)]
pub enum EntityCallError {
    /// Temporal refused or did not answer.
    #[error("Temporal did not take the call to '{workflow_id}': {status}")]
    Refused {
        /// The entity.
        workflow_id: String,
        /// What Temporal said.
        status: Box<Status>,
    },
    /// The argument could not be written, or the answer not be read.
    #[error("the payload of a call to '{workflow_id}' could not be converted: {detail}")]
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
}

impl EntityCallError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { .. } => ErrorCode::TemporalRefused,
            Self::Payload { .. } => ErrorCode::PayloadUnreadable,
            Self::NotAnswered { .. } => ErrorCode::ClaimNotAnswered,
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
            Self::Payload { .. } | Self::NotAnswered { .. } => None,
        }
    }

    /// Temporal refused a call to the entity there, or did not answer.
    pub(crate) fn refused(route: &EntityRoute, status: Status) -> Self {
        Self::Refused { workflow_id: route.workflow_id.clone(), status: Box::new(status) }
    }

    /// What goes to the entity there, or comes from it, cannot be converted.
    pub(crate) fn payload(route: &EntityRoute, detail: impl ToString) -> Self {
        Self::Payload { workflow_id: route.workflow_id.clone(), detail: detail.to_string() }
    }
}
