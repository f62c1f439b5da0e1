//! `/healthz`, `/readyz` and `/metrics`, the same for every service.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use std::sync::Arc;

use crate::metrics::Metrics;

/// Answers whether the service can do its work now; else why not, in a sentence.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the calls need.
#[derive(Clone)]
struct Health {
    readiness: Readiness,
    metrics: Metrics,
}

/// The three calls.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(all_metrics))
        .with_state(Health { readiness, metrics })
}

async fn ready(State(health): State<Health>) -> Response {
    match (health.readiness)().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn all_metrics(State(health): State<Health>) -> Response {
    match health.metrics.text().await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault.to_string()).into_response(),
    }
}
