//! Errors as RFC 9457 `application/problem+json`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event_result::EventResult;
use serde::Serialize;
use std::time::Duration;

use super::body::BodyError;

/// An error as RFC 9457 problem JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// The HTTP status code.
    pub status: u16,
    /// The name of the status.
    pub title: &'static str,
    /// A stable `snake_case` code.
    #[schema(value_type = String)]
    pub code: ErrorCode,
    /// One sentence: what happened.
    pub detail: String,
    /// What to do next.
    pub next: String,
    /// Seconds to wait before a retry, if a retry can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// What is wrong with each event, if events were rejected.
    #[serde(skip_serializing_if = "<[EventResult]>::is_empty")]
    #[schema(value_type = Vec<EventResult>)]
    pub results: Box<[EventResult]>,
}

impl Problem {
    /// A problem with this status. What to do next comes from the catalogue of errors.
    pub fn new(status: StatusCode, code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or_default(),
            code,
            detail: detail.into(),
            next: code.next().to_owned(),
            retry_after_s: None,
            results: Box::default(),
        }
    }

    /// The same, with more specific advice than the catalogue gives in general.
    #[must_use]
    pub fn with_next(self, next: impl Into<String>) -> Self {
        Self { next: next.into(), ..self }
    }

    /// The same, with a time after which to retry, rounded up to seconds.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after_s: Some(wait.as_millis().div_ceil(1_000).max(1).try_into().unwrap_or(u64::MAX)), ..self }
    }

    /// The problem of a body that could not be read. `too_large` is the code for one that is too long.
    pub fn of_body(error: &BodyError, too_large: ErrorCode) -> Self {
        let detail = format!("The body cannot be read: {error}.");
        match error {
            BodyError::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, too_large, detail),
            BodyError::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::BodyTooSlow, detail),
            BodyError::Overloaded => {
                let overloaded = Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::ServiceOverloaded, detail);
                overloaded.retry_after(Duration::from_secs(1))
            }
            BodyError::NotDecoded(_) => Self::new(StatusCode::BAD_REQUEST, ErrorCode::BodyNotDecoded, detail),
            BodyError::Broken(_) => Self::new(StatusCode::BAD_REQUEST, ErrorCode::BodyUnreadable, detail),
        }
    }

    /// The problem of an invalid path or query.
    pub fn bad_id(what: &str, error: &dyn std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadId, format!("This is not a valid {what}: {error}."))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A problem contains only texts and numbers, which JSON can always represent.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_status_code_and_when_to_come_back() {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyEvents, "No.");
        let response = problem.retry_after(Duration::from_millis(1_200)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
