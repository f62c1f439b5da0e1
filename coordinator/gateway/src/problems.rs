//! Converts errors of operations to problems.

use axum::http::StatusCode;
use interlock_http_service::Problem;
use interlock_operations::ingest::FormatError;
use interlock_operations::inspection::InspectionError;

/// An error of an operation that the gateway answers with a problem.
pub(super) trait IntoProblem {
    /// The problem.
    fn into_problem(self) -> Problem;
}

/// The gateway's response to a failed operation.
pub(super) fn problem(error: impl IntoProblem) -> Problem {
    error.into_problem()
}

impl IntoProblem for FormatError {
    fn into_problem(self) -> Problem {
        let status = match &self {
            FormatError::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            FormatError::BatchTooLarge(_) | FormatError::TooManyValues(_) => StatusCode::PAYLOAD_TOO_LARGE,
            FormatError::NotJson(_)
            | FormatError::NotEvents
            | FormatError::Header(_)
            | FormatError::DuplicateKey(_) => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, self.code(), format!("No event could be read: {self}."))
    }
}

impl IntoProblem for InspectionError {
    fn into_problem(self) -> Problem {
        let status = match self {
            InspectionError::NeverSeen(_) | InspectionError::NoLongerKept(_) | InspectionError::SeenOrForgotten(_) => {
                StatusCode::NOT_FOUND
            }
            InspectionError::NoWorker(_)
            | InspectionError::Misplaced { .. }
            | InspectionError::Away(_)
            | InspectionError::Busy(_)
            | InspectionError::NotRegistered(_) => StatusCode::SERVICE_UNAVAILABLE,
            InspectionError::BadCursor | InspectionError::NotOpen(_) => StatusCode::BAD_REQUEST,
            InspectionError::Refused { .. } | InspectionError::Paused { .. } => StatusCode::BAD_GATEWAY,
        };
        Problem::new(status, self.code(), format!("{self}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_that_no_worker_serves_is_unavailable() {
        let error = InspectionError::NoWorker("It".to_owned());
        assert_eq!(problem(error).status, 503);
    }
}
