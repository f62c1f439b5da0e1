//! What calls are read from: the path and the body. What is wrong with them is a [`Problem`] too, not a text of the web
//! framework's own.

use axum::extract::{FromRequestParts, Path};
use axum::http::header::CONTENT_ENCODING;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use interlock_adapters::front_door::media_type;
use interlock_domain::error_code::ErrorCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::{BODY_BYTES_MAX, JSON_VALUES_MAX};
use crate::http_service::{ReadBody, UnreadBody};
use crate::ingest::{JsonError, JsonLimits, read_json};

/// How much of a body is read where it is not a batch.
const JSON_LIMITS: JsonLimits = JsonLimits { elements_max: usize::MAX, values_max: JSON_VALUES_MAX };

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

/// The body of an action, read from JSON. Whoever calls this has seen that the caller may act.
///
/// # Errors
/// 415 where it is not JSON by its media type, those of [`read`], 400 `bad_action` where it is no action.
pub(super) async fn action<T: DeserializeOwned>(headers: &HeaderMap, body: UnreadBody) -> Result<T, Problem> {
    check_media_type(headers, |media_type| media_type == "application/json")?;
    let body = read(body, ErrorCode::BodyTooLarge).await?;
    parse_action(&body)
}

/// An action of its text.
///
/// # Errors
/// 400 `repeated_key` or `bad_action`.
pub(super) fn parse_action<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let bad = |code, reason: &dyn std::fmt::Display| {
        Problem::new(StatusCode::BAD_REQUEST, code, format!("The body is not a valid action: {reason}."))
    };
    let value = read_json(body, JSON_LIMITS).map_err(|error| match error {
        JsonError::DuplicateKey(_) => bad(ErrorCode::RepeatedKey, &error),
        _ => bad(ErrorCode::BadAction, &error),
    })?;
    serde_json::from_value(value).map_err(|error| bad(ErrorCode::BadAction, &error))
}

/// Whether the media type of a body is one that the call takes. A body without one is taken: a web page cannot send a body that
/// has none without saying from which origin it is.
///
/// # Errors
/// 415 `unsupported_content_type` or `unsupported_content_encoding`.
pub(crate) fn check_media_type(headers: &HeaderMap, is_taken: impl Fn(&str) -> bool) -> Result<(), Problem> {
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

/// Reads a body.
///
/// # Errors
/// 413 with this code where it is too long, 408 `body_too_slow`, 503 `service_overloaded` where too many bodies are under way, 400
/// `body_unreadable` where it broke off.
pub(super) async fn read(body: UnreadBody, too_large: ErrorCode) -> Result<ReadBody, Problem> {
    body.read(BODY_BYTES_MAX).await.map_err(|error| Problem::of_body(&error, too_large))
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    fn code(name: axum::http::HeaderName, value: &'static str) -> Option<ErrorCode> {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        check_media_type(&headers, |media_type| media_type == "application/json").err().map(|problem| problem.code)
    }

    #[test]
    fn a_body_is_json_and_nothing_that_a_form_can_send() {
        assert_eq!(code(CONTENT_TYPE, "application/json; charset=utf-8"), None);
        for form in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
        {
            assert_eq!(code(CONTENT_TYPE, form), Some(ErrorCode::UnsupportedContentType), "{form}");
        }
        assert!(check_media_type(&HeaderMap::new(), |_| false).is_ok());
        assert_eq!(code(CONTENT_ENCODING, "identity"), None);
        assert_eq!(code(CONTENT_ENCODING, "gzip"), Some(ErrorCode::UnsupportedContentEncoding));
    }

    #[test]
    fn an_action_has_each_key_once() {
        let parse = |text: &str| parse_action::<serde_json::Value>(text.as_bytes()).map_err(|problem| problem.code);
        assert!(parse(r#"{"reason":"a"}"#).is_ok());
        assert_eq!(parse(r#"{"data":{"imsi":"1","imsi":"2"}}"#), Err(ErrorCode::RepeatedKey));
        assert_eq!(parse("{"), Err(ErrorCode::BadAction));
    }
}
