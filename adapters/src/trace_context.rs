//! How calls go on in the trace of the event that they are made for.
//!
//! A span of this process continues a trace where traces are exported. Where they are not, what came in is handed on as it
//! came, so that a trace does not end at Interlock.

use std::future::Future;

use interlock_domain::trace_parent::TraceParent;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

tokio::task_local! {
    /// What came in with the work under way.
    static CAME_WITH: Option<TraceParent>;
}

/// Does the work within a span that goes on where `parent` says; in a trace of its own, or in that of the span around it,
/// where there is none.
pub async fn within<T>(span: Span, parent: Option<TraceParent>, work: impl Future<Output = T>) -> T {
    if let Some(parent) = parent {
        go_on(&span, parent);
    }
    CAME_WITH.scope(parent.or_else(came_with), work).instrument(span).await
}

/// What a message or request that is sent now says of the trace that it belongs to.
pub fn outgoing() -> Option<TraceParent> {
    of_span(&Span::current()).or_else(came_with)
}

/// Says that a span has to do with another trace, too.
pub fn link(span: &Span, other: TraceParent) {
    span.add_link(span_context(other));
}

/// What a span says of itself to those who come after it; none where traces are not exported.
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
    // It fails where traces are not exported: nothing is to go on then.
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
    async fn what_came_in_is_handed_on_where_no_traces_are_exported() {
        let parent: TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
        assert_eq!(outgoing(), None);
        let inner = async { within(Span::none(), None, async { outgoing() }).await };
        assert_eq!(within(Span::none(), Some(parent), inner).await, Some(parent));
        assert_eq!(outgoing(), None);
    }
}
