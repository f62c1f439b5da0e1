//! What is wrong, as the gateway says it.

use axum::http::StatusCode;

use crate::http_service::Problem;
use crate::ingest::FormatError;
use crate::inspection::InspectionError;

impl From<FormatError> for Problem {
    fn from(error: FormatError) -> Self {
        let status = match &error {
            FormatError::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            FormatError::BatchTooLarge(_) | FormatError::TooManyValues(_) => StatusCode::PAYLOAD_TOO_LARGE,
            FormatError::NotJson(_)
            | FormatError::NotEvents
            | FormatError::Header(_)
            | FormatError::DuplicateKey(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.code(), format!("No event could be read: {error}."))
    }
}

impl From<InspectionError> for Problem {
    fn from(error: InspectionError) -> Self {
        let status = match error {
            InspectionError::NeverSeen(_) => StatusCode::NOT_FOUND,
            InspectionError::NoWorker(_)
            | InspectionError::Away(_)
            | InspectionError::Busy(_)
            | InspectionError::NotRegistered(_) => StatusCode::SERVICE_UNAVAILABLE,
            InspectionError::BadCursor | InspectionError::NotOpen(_) => StatusCode::BAD_REQUEST,
            InspectionError::Refused { .. } | InspectionError::Paused { .. } => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.code(), format!("{error}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_that_no_worker_serves_is_unavailable() {
        let error = InspectionError::NoWorker("It".to_owned());
        assert_eq!(Problem::from(error).status, 503);
    }
}
