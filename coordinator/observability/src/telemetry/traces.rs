//! Traces: the spans of this process, sent to a collector over OTLP (HTTP, protobuf) if the usual OTEL_* variables say so.

use std::env;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use interlock_fault::{Fault, with_causes};
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter::LevelFilter};

use super::masking::masked;

/// How long the last export may take when the process ends.
const LAST_EXPORT_LIMIT: Duration = Duration::from_secs(5);
/// Spans that only carry the fields of log records: their work belongs to no single event's trace.
const NOT_EXPORTED: [&str; 2] = ["send", "notify"];

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Whether the environment asks for traces: an endpoint is set, and no variable turns them off.
pub(super) fn are_wanted() -> bool {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let is = |name: &str, value: &str| set(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
    let has_endpoint =
        set("OTEL_EXPORTER_OTLP_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")).is_some();
    has_endpoint && !is("OTEL_SDK_DISABLED", "true") && !is("OTEL_TRACES_EXPORTER", "none")
}

/// The layer that converts Interlock's spans to OpenTelemetry's and sends them. Call it outside a Tokio runtime.
///
/// # Errors
/// [`Fault`] `setting_invalid` if the OTEL_* variables ask for something unsupported.
pub(super) fn layer<S>() -> Result<impl Layer<S> + Send + Sync, Fault>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let provider = provider()?;
    let tracer = provider.tracer("interlock");
    // Kept to send the remaining spans when the process ends; if there are two calls, the first one counts.
    let _is_first = PROVIDER.set(provider);
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
    let is_ours = filter_fn(|metadata: &Metadata<'_>| {
        let ours = metadata.target().starts_with("interlock_") && *metadata.level() <= Level::INFO;
        ours && !(metadata.is_span() && NOT_EXPORTED.contains(&metadata.name()))
    });
    Ok(layer.with_filter(is_ours.and(LevelFilter::INFO)))
}

fn provider() -> Result<SdkTracerProvider, Fault> {
    let invalid = |reason: String| {
        Fault::wrong_use(
            ErrorCode::SettingInvalid,
            format!("Traces cannot be exported as the OTEL_* variables say: {reason}."),
        )
        .with_next("Interlock exports OTLP over HTTP with protobuf: OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318.")
    };
    let protocol = env::var("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|_| env::var("OTEL_EXPORTER_OTLP_PROTOCOL"));
    if let Some(other) = protocol.ok().filter(|protocol| !matches!(protocol.as_str(), "" | "http/protobuf")) {
        return Err(invalid(format!("the protocol '{other}' is not supported")));
    }
    interlock_adapters::install_crypto_provider();
    let client = reqwest::blocking::Client::builder().build().map_err(|error| invalid(with_causes(&error)))?;
    let exporter = OtlpExporter::builder().with_http().with_http_client(client).build();
    let exporter = MaskedExporter(exporter.map_err(|error| invalid(with_causes(&error)))?);
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build())
}

/// The sender, as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say; `interlock` if they do not.
fn resource() -> Resource {
    let is_named = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|attributes| attributes.contains("service.name="));
    let builder = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_named { builder.build() } else { builder.with_service_name("interlock").build() }
}

/// Sends the remaining spans. Call it outside a Tokio runtime, when nothing more happens in this process.
pub(super) fn finish() {
    if let Some(Err(error)) = PROVIDER.get().map(|provider| provider.shutdown_with_timeout(LAST_EXPORT_LIMIT)) {
        tracing::warn!(%error, "the last spans of a trace were not exported");
    }
}

/// Masks the spans that it sends.
struct MaskedExporter<E>(E);

impl<E: fmt::Debug> fmt::Debug for MaskedExporter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: SpanExporter> SpanExporter for MaskedExporter<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(mask);
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn mask(span: &mut SpanData) {
    let text = |text: &str| masked(text).into_owned();
    span.name = text(&span.name).into();
    mask_all(&mut span.attributes);
    for event in &mut span.events.events {
        event.name = text(&event.name).into();
        mask_all(&mut event.attributes);
    }
    if let Status::Error { description } = &span.status {
        span.status = Status::error(text(description));
    }
}

fn mask_all(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        if let Value::String(text) = &attribute.value {
            attribute.value = Value::String(StringValue::from(masked(text.as_str()).into_owned()));
        }
    }
}
