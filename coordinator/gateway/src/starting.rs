//! A gateway that is not connected to Temporal yet: it is alive, so that nobody restarts it, and not ready, so that nobody sends it
//! requests. It still answers those who do.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use interlock_connection::Waiting;
use interlock_domain::error_code::ErrorCode;
use interlock_http_service::Problem;
use interlock_observability::health::{self, About, Readiness};
use interlock_observability::metrics::Metrics;
use serde_json::json;
use tower::ServiceExt;

/// When to try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Passes each request on to the router that serves, once there is one.
pub(super) fn router(serving: Arc<OnceLock<Router>>, metrics: Metrics, waiting: &Waiting) -> Router {
    let starting = starting(metrics, waiting);
    Router::new().fallback(move |request: Request| {
        let router = serving.get().unwrap_or(&starting).clone();
        async move { Ok::<Response, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    })
}

fn starting(metrics: Metrics, waiting: &Waiting) -> Router {
    let (about, not_ready, away) = (waiting.clone(), waiting.clone(), waiting.clone());
    let about: About = Arc::new(move || {
        json!({
            "service": "gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "state": "starting",
            "waits_for": about.reason(),
        })
    });
    let readiness: Readiness = Arc::new(move || {
        let reason = format!("the gateway does not serve yet: {}", not_ready.reason());
        Box::pin(std::future::ready(Err(reason)))
    });
    let unavailable = move || {
        let detail = format!("The gateway does not serve yet: {}", away.reason());
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporalUnavailable, detail);
        std::future::ready(problem.retry_after(RETRY_AFTER))
    };
    health::router(about, readiness, metrics).fallback(unavailable)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn status(router: &Router, path: &str) -> u16 {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn until_it_serves_it_is_alive_and_not_ready_and_says_when_to_try_again() {
        let serving = Arc::new(OnceLock::new());
        let router = router(Arc::clone(&serving), Metrics::start().unwrap(), &Waiting::default());
        for (path, expected) in [("/healthz", 200), ("/readyz", 503), ("/metrics", 200), ("/v1/targets", 503)] {
            assert_eq!(status(&router, path).await, expected, "{path}");
        }
        let request = Request::builder().uri("/v1/targets").body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.headers()["retry-after"], "5");
        serving.get_or_init(|| Router::new().fallback(|| async { StatusCode::IM_A_TEAPOT }));
        assert_eq!(status(&router, "/v1/targets").await, 418);
    }
}
