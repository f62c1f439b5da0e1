//! The gateway's calls, made within the process with the caller's token.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use interlock_domain::error_code::ErrorCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;
use tower::ServiceExt;

/// The longest answer that a page reads, in bytes: a thousand orders take about half a megabyte.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a call gave no answer: the gateway's problem, as everybody gets it.
#[derive(Debug, Clone, PartialEq, Eq, Error, Deserialize)]
#[error("{detail}")]
pub(crate) struct ApiProblem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The stable code.
    pub(crate) code: String,
    /// What happened.
    pub(crate) detail: String,
    /// What to do next.
    #[serde(default)]
    pub(crate) next: String,
}

impl ApiProblem {
    /// The status of the page that shows it.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// An answer that is not what was expected.
    pub(crate) fn unreadable(reason: impl std::fmt::Display) -> Self {
        Self {
            status: 500,
            code: ErrorCode::PayloadUnreadable.as_str().to_owned(),
            detail: format!("The gateway's answer cannot be read: {reason}."),
            next: String::new(),
        }
    }
}

/// The calls.
pub(crate) struct Api(Router);

impl Api {
    pub(crate) fn new(router: Router) -> Self {
        Self(router)
    }

    /// Reads.
    ///
    /// # Errors
    /// [`ApiProblem`].
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        token: Option<&SecretString>,
        path: &str,
    ) -> Result<T, ApiProblem> {
        self.call(Method::GET, token, path, Body::empty()).await
    }

    /// Acts.
    ///
    /// # Errors
    /// [`ApiProblem`].
    pub(crate) async fn post(
        &self,
        token: Option<&SecretString>,
        path: &str,
        body: &Value,
    ) -> Result<Value, ApiProblem> {
        self.call(Method::POST, token, path, Body::from(body.to_string())).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        token: Option<&SecretString>,
        path: &str,
        body: Body,
    ) -> Result<T, ApiProblem> {
        let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        let request = request.body(body).map_err(ApiProblem::unreadable)?;
        let answer = match self.0.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(ApiProblem::unreadable)?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(ApiProblem::unreadable);
        }
        Err(serde_json::from_slice(&body).unwrap_or_else(ApiProblem::unreadable))
    }
}

/// A part of a path, with everything encoded that has a meaning there.
pub(crate) fn part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use axum::routing::get;
    use serde_json::json;

    use super::*;

    fn api() -> Api {
        let known = |headers: HeaderMap| async move {
            match headers.get("authorization").and_then(|value| value.to_str().ok()) {
                Some("Bearer secret") => (StatusCode::OK, axum::Json(json!({"customer_id": "A1"}))),
                _ => (
                    StatusCode::UNAUTHORIZED,
                    axum::Json(json!({"status": 401, "code": "token_unknown", "detail": "No.", "next": "Sign in."})),
                ),
            }
        };
        Api::new(Router::new().route("/v1/x", get(known)))
    }

    #[tokio::test]
    async fn a_call_has_the_callers_token_and_no_other() {
        let secret = SecretString::from("secret");
        assert_eq!(api().get::<Value>(Some(&secret), "/v1/x").await.unwrap(), json!({"customer_id": "A1"}));
        let problem = api().get::<Value>(None, "/v1/x").await.unwrap_err();
        assert_eq!((problem.status(), problem.code.as_str()), (StatusCode::UNAUTHORIZED, "token_unknown"));
    }

    #[test]
    fn a_part_of_a_path_cannot_leave_its_place() {
        assert_eq!(part("../a b?c#d%"), "%2E%2E%2Fa%20b%3Fc%23d%25");
    }
}
