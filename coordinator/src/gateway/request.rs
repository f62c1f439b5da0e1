//! What calls are read from: the path and the body. What is wrong with them is a [`Problem`] too, not a text of the web
//! framework's own.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use interlock_domain::error_code::ErrorCode;
use serde::de::DeserializeOwned;

use super::BODY_BYTES_MAX;
use super::problem::Problem;

/// The named parts of the path, percent-decoded, as axum's [`Path`] gives them.
pub(super) struct PathParts<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for PathParts<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    /// 400 `bad_id` where a part is no UTF-8 once it is decoded.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(read)) => Ok(Self(read)),
            Err(rejection) => Err(Problem::bad_id("path of a call", &rejection.body_text().trim_end_matches('.'))),
        }
    }
}

/// The body of an action, read from JSON.
///
/// # Errors
/// 413 `body_too_large`, 400 `body_unreadable` where it broke off, 400 `bad_action` where it is no action.
pub(super) fn action<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|error| unreadable(&error, ErrorCode::BodyTooLarge))?;
    serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("The body is no action: {error}.");
        Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadAction, detail)
    })
}

/// Why a body was not read: it is too long, which has this code, or it broke off.
pub(super) fn unreadable(error: &BytesRejection, too_large: ErrorCode) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("The body is longer than {BODY_BYTES_MAX} bytes.");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, too_large, detail);
    }
    let detail = format!("The body cannot be read: {error}.");
    Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BodyUnreadable, detail)
}
