//! The requests that a sandbox target received, in order, including rejected ones.

use serde::{Deserialize, Serialize};

use super::model::Request;

/// One received request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The time of receipt, RFC 3339 with milliseconds, UTC.
    pub at: String,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The operation: the path for a JSON target, `put_ims_subscriber` and so on for the HSS.
    pub operation: String,
    /// The body as it was sent.
    pub body: String,
    /// The header `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The header `X-Interlock-Callback`: where to report the end of a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// The header `traceparent`: the trace that the request belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Received {
    pub(super) fn of(request: &Request, path: String, operation: String) -> Self {
        Self {
            at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            method: request.method.to_string(),
            path,
            operation,
            body: request.text.clone(),
            idempotency_key: request.header("idempotency-key").map(str::to_owned),
            callback_url: request.header("x-interlock-callback").map(str::to_owned),
            traceparent: request.header("traceparent").map(str::to_owned),
        }
    }
}
