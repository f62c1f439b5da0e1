//! Reads the headers of a call.

use axum::http::header::{self, CONTENT_ENCODING};
use axum::http::{HeaderMap, StatusCode};
use interlock_adapters::front_door::media_type;
use interlock_domain::error_code::ErrorCode;

use super::problem::Problem;

/// The bearer token of a call, if it has one.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Checks that the call accepts the media type of a body. A body without a media type is accepted: a web page cannot send such a body
/// without an `Origin` header.
///
/// # Errors
/// 415 `unsupported_content_type` or `unsupported_content_encoding`.
pub fn check_media_type(headers: &HeaderMap, is_taken: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let unsupported = |code, detail| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail));
    if let Some(media_type) = media_type(headers).filter(|media_type| !is_taken(media_type)) {
        let detail = format!("This call does not support the media type '{media_type}'.");
        return unsupported(ErrorCode::UnsupportedContentType, detail);
    }
    let encoding =
        headers.get(CONTENT_ENCODING).filter(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoding.is_some() {
        let detail = "This call does not support 'Content-Encoding'.".to_owned();
        return unsupported(ErrorCode::UnsupportedContentEncoding, detail);
    }
    Ok(())
}
