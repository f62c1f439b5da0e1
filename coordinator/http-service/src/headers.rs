//! Reads the headers of a call.

use axum::http::header;
use axum::http::{HeaderMap, StatusCode};
use interlock_adapters::content::{self, Coding};
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
/// 415 `unsupported_content_type`.
pub fn check_media_type(headers: &HeaderMap, is_taken: impl Fn(&str) -> bool) -> Result<(), Problem> {
    if let Some(media_type) = media_type(headers).filter(|media_type| !is_taken(media_type)) {
        let detail = format!("This call does not support the media type '{media_type}'.");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedContentType, detail));
    }
    Ok(())
}

/// The content codings of a request that calls support.
const REQUEST_CODINGS: &[Coding] = &[Coding::Gzip, Coding::Deflate];

/// Checks that a body has no content coding.
///
/// # Errors
/// 415 `unsupported_content_encoding`.
pub fn check_plain(headers: &HeaderMap) -> Result<(), Problem> {
    if content::codings(headers, &[]).is_ok() {
        return Ok(());
    }
    let detail = "This call does not support 'Content-Encoding'.";
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedContentEncoding, detail);
    Err(problem.with_next("Send the body without 'Content-Encoding'."))
}

/// The content codings of a body.
///
/// # Errors
/// 415 `unsupported_content_encoding`.
pub fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Problem> {
    content::codings(headers, REQUEST_CODINGS).map_err(|error| {
        let detail = format!("This call does not support the body: {error}.");
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedContentEncoding, detail)
    })
}
