//! How calls continue the trace of their event.
//!
//! If traces are exported, a span of this process continues the trace. If not, the incoming trace context is passed on unchanged, so
//! that a trace does not end at Interlock.

use std::future::Future;

use interlock_domain::trace_parent::TraceParent;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

tokio::task_local! {
    /// The trace context of the current work.
    static CAME_WITH: Option<TraceParent>;
}

/// Runs the work within a span. The span continues the trace of `parent` or, without one, the trace of the surrounding span; otherwise
/// it starts a new trace.
pub async fn within<T>(span: Span, parent: Option<TraceParent>, work: impl Future<Output = T>) -> T {
    if let Some(parent) = parent {
        go_on(&span, parent);
    }
    CAME_WITH.scope(parent.or_else(came_with), work).instrument(span).await
}

/// The trace context for a message or request that is sent now.
pub fn outgoing() -> Option<TraceParent> {
    of_span(&Span::current()).or_else(came_with)
}

/// Links a span to another trace.
pub fn link(span: &Span, other: TraceParent) {
    span.add_link(span_context(other));
}

/// The trace context of a span. `None` if traces are not exported.
pub(crate) fn of_span(span: &Span) -> Option<TraceParent> {
    let context = span.context();
    let context = context.span().span_context().clone();
    let trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
    let span_id = u64::from_be_bytes(context.span_id().to_bytes());
    TraceParent::new(trace_id, span_id, context.trace_flags().to_u8())
}

fn came_with() -> Option<TraceParent> {
    CAME_WITH.try_with(|parent| *parent).ok().flatten()
}

fn go_on(span: &Span, parent: TraceParent) {
    let context = opentelemetry::Context::new().with_remote_span_context(span_context(parent));
    // This fails if traces are not exported: then there is nothing to continue.
    drop(span.set_parent(context));
}

fn span_context(of: TraceParent) -> SpanContext {
    SpanContext::new(
        TraceId::from(of.trace_id()),
        SpanId::from(of.span_id()),
        TraceFlags::new(of.flags()),
        true,
        TraceState::default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_incoming_trace_context_is_passed_on_if_traces_are_not_exported() {
        let parent: TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
        assert_eq!(outgoing(), None);
        let inner = async { within(Span::none(), None, async { outgoing() }).await };
        assert_eq!(within(Span::none(), Some(parent), inner).await, Some(parent));
        assert_eq!(outgoing(), None);
    }
}
