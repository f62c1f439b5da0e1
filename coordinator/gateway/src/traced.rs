//! The span of a request, and its line in the log: without the actual path, which contains customers and numbers.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use interlock_adapters::trace_context;
use interlock_domain::trace_parent::TRACE_PARENT_ATTRIBUTE;

/// Handles a request within its span, which continues in the trace of the caller's `traceparent`.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let parent = request.headers().get(TRACE_PARENT_ATTRIBUTE).and_then(|value| value.to_str().ok()?.parse().ok());
    let span = tracing::error_span!(
        "request",
        otel.kind = "server",
        otel.name = format!("{} {route}", request.method()),
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        tenant = tenant(request.uri().path()),
    );
    trace_context::within(span.clone(), parent, answered(span, request, next)).await
}

async fn answered(span: tracing::Span, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    let took_ms = began.elapsed().as_millis();
    if status.is_server_error() {
        tracing::warn!(status = status.as_u16(), took_ms, "a request failed");
    } else {
        tracing::debug!(status = status.as_u16(), took_ms, "a request was answered");
    }
    response
}

/// The tenant of a path `/v1/tenants/{tenant}/…`, as it is written there.
fn tenant(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/tenants/")?.split('/').next()
}
