//! Metrics: the Temporal SDK's own and Interlock's, in one registry, read at one `/metrics`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use temporalio_common::telemetry::metrics::{CoreMeter, MetricKeyValue, MetricParameters, NewAttributes};
use temporalio_common::telemetry::{PrometheusExporterOptions, TelemetryOptions, start_prometheus_metric_exporter};
use temporalio_sdk::Runtime;
use temporalio_sdk::runtime::RuntimeOptions;
use tokio::task::AbortHandle;

use crate::fault::{Fault, with_causes};

/// How long the exporter may take to write all metrics.
const SCRAPE_LIMIT: Duration = Duration::from_secs(5);

/// Interlock's own metrics. The exporter adds `_total` to counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricName {
    /// Events that came in, by `outcome`: accepted, rejected, unknown.
    EventsIngested,
    /// Requests that the gateway refused because their caller sent too many.
    RequestsThrottled,
    /// 1 for the `state` that a `target` is in, 0 for all others.
    TargetState,
    /// The limit of a `target`'s queue on the server, in requests per second over all namespaces; -1 where there is none.
    TargetLimit,
    /// What the last sweep of a `namespace` by this process found, and is not over, by `cause`.
    SweepFindings,
    /// Alerts that were raised, by `cause`.
    AlertsRaised,
    /// Alerts that were cleared, by `cause`: over all processes those raised less these are what there is now.
    AlertsCleared,
    /// Sweeps of this process, by `outcome`: complete, partial (the next one goes on), failed.
    SweepsRun,
}

impl MetricName {
    /// The name, without `_total`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsIngested => "interlock_events_ingested",
            Self::RequestsThrottled => "interlock_requests_throttled",
            Self::TargetState => "interlock_target_state",
            Self::TargetLimit => "interlock_target_limit",
            Self::SweepFindings => "interlock_sweep_findings",
            Self::AlertsRaised => "interlock_alerts_raised",
            Self::AlertsCleared => "interlock_alerts_cleared",
            Self::SweepsRun => "interlock_sweeps_run",
        }
    }
}

/// The registry of a process. It ends with the last clone.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    meter: Arc<dyn CoreMeter>,
    /// Where the SDK's exporter serves the registry: on loopback, for this process alone.
    exporter: SocketAddr,
    serving: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Metrics {
    /// Starts a registry, inside a Tokio runtime.
    ///
    /// # Errors
    /// [`Fault`] `metrics_unavailable` where no loopback port can be had.
    pub fn start() -> Result<Self, Fault> {
        let options = PrometheusExporterOptions::builder()
            .socket_addr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .counters_total_suffix(true)
            .unit_suffix(true)
            .use_seconds_for_durations(true)
            .build();
        let started = start_prometheus_metric_exporter(options).map_err(|error| {
            Fault::failed(ErrorCode::MetricsUnavailable, format!("The metrics cannot be served: {error}."))
        })?;
        let inner = Inner { meter: started.meter, exporter: started.bound_addr, serving: started.abort_handle };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// An SDK runtime on the current Tokio runtime, whose workers write to this registry.
    ///
    /// # Errors
    /// [`Fault`] `runtime_unavailable`.
    pub fn runtime(&self) -> Result<Runtime, Fault> {
        let telemetry = TelemetryOptions::builder().metrics(Arc::clone(&self.inner.meter)).build();
        let unavailable = |reason: String| {
            Fault::failed(ErrorCode::RuntimeUnavailable, format!("The Temporal SDK cannot start: {reason}."))
        };
        let options = RuntimeOptions::builder().telemetry_options(telemetry).build().map_err(unavailable)?;
        Runtime::from_current_tokio(options).map_err(|error| unavailable(with_causes(&error)))
    }

    /// Adds to a counter. Labels are bounded sets of words, never an entity's id.
    pub fn count(&self, name: MetricName, labels: &[(&'static str, &'static str)]) {
        let counter = self.inner.meter.counter(MetricParameters::from(name.as_str()));
        let labels = labels.iter().map(|(key, value)| MetricKeyValue::new(*key, *value));
        let attributes = self.inner.meter.new_attributes(NewAttributes::from(labels.collect::<Vec<_>>()));
        counter.add(1, &attributes);
    }

    /// Sets a gauge. Labels are bounded sets of words, such as the configured targets, never an entity's id.
    pub fn gauge(&self, name: MetricName, value: f64, labels: &[(&'static str, &str)]) {
        let gauge = self.inner.meter.gauge_f64(MetricParameters::from(name.as_str()));
        let labels = labels.iter().map(|(key, value)| MetricKeyValue::new(*key, (*value).to_owned()));
        let attributes = self.inner.meter.new_attributes(NewAttributes::from(labels.collect::<Vec<_>>()));
        gauge.record(value, &attributes);
    }

    /// All metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// [`Fault`] `metrics_unavailable`.
    pub async fn text(&self) -> Result<String, Fault> {
        let unavailable = |error: reqwest::Error| {
            Fault::failed(
                ErrorCode::MetricsUnavailable,
                format!("The metrics cannot be read: {}.", with_causes(&error)),
            )
        };
        interlock_adapters::install_crypto_provider();
        let client = reqwest::Client::builder().no_proxy().timeout(SCRAPE_LIMIT).build().map_err(unavailable)?;
        let url = format!("http://{}/metrics", self.inner.exporter);
        client.get(url).send().await.map_err(unavailable)?.text().await.map_err(unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_counted_is_read_in_prometheus_form() {
        let metrics = Metrics::start().unwrap();
        metrics.count(MetricName::EventsIngested, &[("outcome", "accepted")]);
        metrics.count(MetricName::EventsIngested, &[("outcome", "accepted")]);
        let text = metrics.text().await.unwrap();
        assert!(text.contains("interlock_events_ingested_total{outcome=\"accepted\"} 2"), "{text}");
    }
}
