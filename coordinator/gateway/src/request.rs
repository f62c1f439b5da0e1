//! Reads the path and the body of calls. An error in them is a [`Problem`] too, not a text of the web
//! framework.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use interlock_domain::error_code::ErrorCode;
use interlock_http_service::{Problem, ReadBody, UnreadBody, check_media_type, check_plain, codings};
use interlock_operations::strict_json::{self, JsonError, JsonLimits};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::{BODY_BYTES_MAX, JSON_VALUES_MAX};

/// The limits for a body that is not a batch.
const JSON_LIMITS: JsonLimits = JsonLimits { elements_max: usize::MAX, values_max: JSON_VALUES_MAX };

/// The named parts of the path, percent-decoded, as in axum's [`Path`].
pub(super) struct PathParts<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for PathParts<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    /// 400 `bad_id` if a decoded part is not UTF-8.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(read)) => Ok(Self(read)),
            Err(rejection) => Err(Problem::bad_id("path of a call", &rejection.body_text().trim_end_matches('.'))),
        }
    }
}

/// The body of an action, read from JSON. The caller must have checked that the action is allowed.
///
/// # Errors
/// 415 if the media type is not JSON or the body has a content coding, those of [`read`], 400 `bad_action` if it is not a valid action.
pub(super) async fn action<T: DeserializeOwned>(headers: &HeaderMap, body: UnreadBody) -> Result<T, Problem> {
    check_media_type(headers, |media_type| media_type == "application/json")?;
    check_plain(headers)?;
    let body = read(headers, body, ErrorCode::BodyTooLarge).await?;
    parse_action(&body)
}

/// Whether an action is only to be forecast: the parameter `preview`.
///
/// # Errors
/// 400 `bad_query` if it is neither `true` nor `false`.
pub(super) fn is_preview(query: Option<&str>) -> Result<bool, Problem> {
    let given = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut is_preview = false;
    for (_, value) in given.filter(|(name, _)| name == "preview") {
        is_preview = value.parse().map_err(|_| {
            let detail = format!("The parameter 'preview' is '{value}'; it can be true or false.");
            Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadQuery, detail)
        })?;
    }
    Ok(is_preview)
}

/// Parses an action.
///
/// # Errors
/// 400 `repeated_key` or `bad_action`.
pub(super) fn parse_action<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let bad = |code, reason: &dyn std::fmt::Display| {
        Problem::new(StatusCode::BAD_REQUEST, code, format!("The body is not a valid action: {reason}."))
    };
    let value = strict_json::read(body, JSON_LIMITS).map_err(|error| match error {
        JsonError::DuplicateKey(_) => bad(ErrorCode::RepeatedKey, &error),
        _ => bad(ErrorCode::BadAction, &error),
    })?;
    serde_json::from_value(value).map_err(|error| bad(ErrorCode::BadAction, &error))
}

/// Reads a body, and undoes its content coding.
///
/// # Errors
/// 415 `unsupported_content_encoding`, 400 `body_not_decoded`, 413 with this code if it is too long, 408 `body_too_slow`, 503 `service_overloaded` if too many bodies are in flight, 400
/// `body_unreadable` if the connection broke.
pub(super) async fn read(headers: &HeaderMap, body: UnreadBody, too_large: ErrorCode) -> Result<ReadBody, Problem> {
    let codings = codings(headers)?;
    body.read_decoded(&codings, BODY_BYTES_MAX).await.map_err(|error| Problem::of_body(&error, too_large))
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;

    use axum::http::header::CONTENT_ENCODING;

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
        let refused = |value: &'static str| {
            codings(&HeaderMap::from_iter([(CONTENT_ENCODING, value.parse().unwrap())]))
                .err()
                .map(|problem| problem.code)
        };
        for supported in ["identity", "gzip", "deflate", "x-gzip", "GZIP"] {
            assert_eq!(refused(supported), None, "{supported}");
        }
        for other in ["br", "compress", "gzip, br"] {
            assert_eq!(refused(other), Some(ErrorCode::UnsupportedContentEncoding), "{other}");
        }
    }

    #[test]
    fn an_action_is_done_unless_its_preview_is_asked_for() {
        let read = |query: &str| is_preview(Some(query)).map_err(|problem| problem.code);
        assert_eq!([None, Some("preview=false"), Some("x=1")].map(|query| is_preview(query).unwrap()), [false; 3]);
        assert_eq!(read("preview=true"), Ok(true));
        for unclear in ["preview", "preview=", "preview=1", "preview=True", "preview=false&preview=yes"] {
            assert_eq!(read(unclear), Err(ErrorCode::BadQuery), "{unclear}");
        }
    }

    #[test]
    fn an_action_has_each_key_once() {
        let parse = |text: &str| parse_action::<serde_json::Value>(text.as_bytes()).map_err(|problem| problem.code);
        assert!(parse(r#"{"reason":"a"}"#).is_ok());
        assert_eq!(parse(r#"{"data":{"imsi":"1","imsi":"2"}}"#), Err(ErrorCode::RepeatedKey));
        assert_eq!(parse("{"), Err(ErrorCode::BadAction));
    }
}
