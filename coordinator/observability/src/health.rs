//! `/healthz`, `/readyz` and `/metrics`, the same for every service.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::metrics::Metrics;

/// Describes the service and its state: a JSON object.
pub type About = Arc<dyn Fn() -> Value + Send + Sync>;

/// Answers whether the service can work now; otherwise why not, in a sentence.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Takes the request's headers and all metrics (Prometheus' text format), and returns the lines that the caller may see.
pub type ShownMetrics = Arc<dyn Fn(&HeaderMap, String) -> String + Send + Sync>;

/// The data of the calls.
#[derive(Clone)]
struct Health {
    about: About,
    readiness: Readiness,
    metrics: Metrics,
    shown: ShownMetrics,
}

/// The three calls, for every caller. `/healthz` answers 200 as long as the process can answer at all.
pub fn router(about: About, readiness: Readiness, metrics: Metrics) -> Router {
    router_for(about, readiness, metrics, Arc::new(|_, text| text))
}

/// As [`router`], but not every caller sees all metrics.
pub fn router_for(about: About, readiness: Readiness, metrics: Metrics, shown: ShownMetrics) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(all_metrics))
        .with_state(Health { about, readiness, metrics, shown })
}

async fn healthy(State(health): State<Health>) -> Json<Value> {
    Json((health.about)())
}

async fn ready(State(health): State<Health>) -> Response {
    match (health.readiness)().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn all_metrics(State(health): State<Health>, headers: HeaderMap) -> Response {
    match health.metrics.text().await {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], (health.shown)(&headers, text)).into_response()
        }
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault.to_string()).into_response(),
    }
}
