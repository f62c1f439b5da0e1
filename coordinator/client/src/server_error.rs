//! Why a call to the Temporal server failed.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};

/// Why a call to the Temporal server failed. Calls to an entity fail with [`EntityCallError`](crate::EntityCallError).
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server rejected the call, or is unavailable.
    #[error(transparent)]
    Refused(Box<Status>),
    /// The server did not answer within the time limit of the call.
    #[error("Temporal did not answer in time")]
    NoAnswer,
    /// The argument could not be encoded, or the answer could not be decoded.
    #[error(transparent)]
    Payload(Box<dyn Error + Send + Sync>),
}

impl ServerError {
    /// The server's answer, if there was one.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused(status) => Some(status),
            Self::NoAnswer | Self::Payload(_) => None,
        }
    }

    /// The server's message without its code. If the server did not answer, the reason.
    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Refused(status) => Cow::Borrowed(status.message()),
            Self::NoAnswer | Self::Payload(_) => Cow::Owned(self.to_string()),
        }
    }

    /// Whether what the call is about does not exist.
    pub fn is_not_found(&self) -> bool {
        self.has_code(Code::NotFound)
    }

    /// Whether this client may not make the call, or the server does not offer it. Temporal Cloud does not offer all calls.
    pub fn is_denied(&self) -> bool {
        [Code::PermissionDenied, Code::Unauthenticated, Code::Unimplemented].into_iter().any(|code| self.has_code(code))
    }

    /// Whether the server may answer the same call later: it is away, overloaded, or did not answer.
    pub fn is_temporary(&self) -> bool {
        const TEMPORARY: [Code; 6] = [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::ResourceExhausted,
            Code::Aborted,
            Code::Cancelled,
            Code::Unknown,
        ];
        matches!(self, Self::NoAnswer) || TEMPORARY.into_iter().any(|code| self.has_code(code))
    }

    /// Whether what the call would create exists.
    pub(crate) fn is_taken(&self) -> bool {
        self.has_code(Code::AlreadyExists)
    }

    pub(crate) fn has_code(&self, code: Code) -> bool {
        self.status().is_some_and(|status| status.code() == code)
    }

    /// An argument or an answer that cannot be converted.
    pub(crate) fn payload(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Payload(error.into())
    }
}

impl From<Status> for ServerError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

/// The answer of a call to the server, if it comes within this time.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, ServerError>>,
) -> Result<T, ServerError> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(ServerError::NoAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_refusal_is_that_of_the_status_and_the_message_is_without_its_code() {
        let status = Status::unavailable("away");
        let error = ServerError::from(status.clone());
        assert_eq!((error.to_string(), error.message()), (status.to_string(), "away".into()));
        assert_eq!(ServerError::NoAnswer.message(), "Temporal did not answer in time");
        assert_eq!(ServerError::payload("no JSON").message(), "no JSON");
    }

    #[test]
    fn a_call_that_is_denied_is_distinguished_from_one_that_failed() {
        for status in [Status::permission_denied("no"), Status::unauthenticated("who"), Status::unimplemented("none")] {
            assert!(ServerError::from(status).is_denied());
        }
        for error in [Status::unavailable("away").into(), Status::not_found("none").into(), ServerError::NoAnswer] {
            assert!(!error.is_denied(), "{error}");
        }
    }

    #[test]
    fn a_server_that_may_answer_later_is_distinguished_from_one_that_refuses() {
        for error in
            [Status::unavailable("away").into(), Status::deadline_exceeded("slow").into(), ServerError::NoAnswer]
        {
            assert!(error.is_temporary(), "{error}");
        }
        for status in [Status::permission_denied("no"), Status::invalid_argument("what"), Status::not_found("none")] {
            assert!(!ServerError::from(status).is_temporary());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_has_no_answer() {
        let slow = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(())
        };
        assert!(matches!(within(Duration::from_secs(1), slow).await, Err(ServerError::NoAnswer)));
        assert!(matches!(within(Duration::from_secs(1), async { Ok(1) }).await, Ok(1)));
    }
}
