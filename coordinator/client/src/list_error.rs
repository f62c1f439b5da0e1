//! Why Temporal's visibility store did not answer.

use interlock_domain::error_code::ErrorCode;
use thiserror::Error;
use tonic::{Code, Status};

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

    /// The meaning of the visibility store's answer for a caller that asked for a list. `resumed`: the query had a page token.
    pub fn of_status(namespace: &str, resumed: bool, status: &Status) -> Self {
        let message = status.message();
        match status.code() {
            Code::InvalidArgument if message.contains("Interlock") => Self::NotRegistered(namespace.to_owned()),
            Code::InvalidArgument if resumed && message.contains("token") => Self::BadToken,
            Code::ResourceExhausted => Self::Busy(message.to_owned()),
            Code::Unavailable | Code::DeadlineExceeded => Self::Away(message.to_owned()),
            _ => Self::Refused(message.to_owned()),
        }
    }

    /// It did not answer in time.
    pub fn not_answered() -> Self {
        Self::Away("its visibility store does not respond".to_owned())
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
    }
}
