//! Why Temporal's visibility store did not answer.

use interlock_domain::error_code::ErrorCode;
use thiserror::Error;
use tonic::{Code, Status};

use crate::call_status::is_of_unknown_attribute;
use crate::server_error::ServerError;

/// Why a list is missing if the store did not answer in time.
pub const VISIBILITY_SILENT: &str = "its visibility store does not respond";

/// Why the visibility store did not list or count entities.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListError {
    /// It cannot search entities by their state.
    #[error("Interlock's search attributes are not registered in the namespace '{0}'")]
    NotRegistered(String),
    /// The page token is invalid.
    #[error("the token of the page is none that Temporal gave")]
    BadToken,
    /// It accepts no more queries at the moment.
    #[error("Temporal limits the rate of such queries at the moment: {0}")]
    Busy(String),
    /// Temporal is unavailable.
    #[error("Temporal is unavailable: {0}")]
    Away(String),
    /// It rejected the query.
    #[error("Temporal refuses the question: {0}")]
    Refused(String),
}

impl ListError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotRegistered(_) => ErrorCode::SearchAttributesMissing,
            Self::BadToken => ErrorCode::BadCursor,
            Self::Busy(_) => ErrorCode::TemporalBusy,
            Self::Away(_) => ErrorCode::TemporalUnavailable,
            Self::Refused(_) => ErrorCode::QueryRefused,
        }
    }

    /// The meaning of a failed call for a caller that asked for a list. `resumed`: the query had a page token.
    pub(crate) fn of(namespace: &str, resumed: bool, error: &ServerError) -> Self {
        match error {
            ServerError::Refused(status) => Self::of_status(namespace, resumed, status),
            ServerError::NoAnswer => Self::Away(VISIBILITY_SILENT.to_owned()),
            ServerError::Payload(fault) => Self::Refused(fault.to_string()),
        }
    }

    fn of_status(namespace: &str, resumed: bool, status: &Status) -> Self {
        let message = status.message();
        match status.code() {
            _ if is_of_unknown_attribute(status) => Self::NotRegistered(namespace.to_owned()),
            Code::InvalidArgument if resumed && message.contains("token") => Self::BadToken,
            Code::ResourceExhausted => Self::Busy(message.to_owned()),
            Code::Unavailable | Code::DeadlineExceeded => Self::Away(message.to_owned()),
            _ => Self::Refused(message.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_the_server_are_told_apart() {
        let code = |status: Status, resumed| ListError::of_status("default", resumed, &status).code();
        let unknown = "invalid query: invalid search attribute: InterlockTenant";
        assert_eq!(code(Status::invalid_argument(unknown), false), "search_attributes_missing");
        assert_eq!(code(Status::invalid_argument("invalid page token"), true), "bad_cursor");
        assert_eq!(code(Status::invalid_argument("invalid page token"), false), "query_refused");
        assert_eq!(code(Status::resource_exhausted("namespace rate limit"), false), "temporal_busy");
        assert_eq!(code(Status::unavailable("away"), false), "temporal_unavailable");
        assert_eq!(ListError::of("default", false, &ServerError::NoAnswer).code(), "temporal_unavailable");
    }
}
