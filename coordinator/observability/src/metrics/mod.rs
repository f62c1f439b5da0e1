//! Metrics: the Temporal SDK's own and Interlock's, in one registry, read at one `/metrics`.

mod counted_once;
pub mod counts;
mod metric_name;
mod numbered_meter;
pub mod rejections;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use interlock_fault::{Fault, with_causes};
use temporalio_common::telemetry::metrics::{
    CoreMeter, MetricAttributes, MetricKeyValue, MetricParameters, NewAttributes,
};
use temporalio_common::telemetry::{
    HistogramBucketOverrides, PrometheusExporterOptions, TelemetryOptions, start_prometheus_metric_exporter,
};
use temporalio_sdk::Runtime;
use temporalio_sdk::runtime::RuntimeOptions;
use tokio::task::AbortHandle;

pub use metric_name::{MetricKind, MetricName};
pub use watch::Watch;

use counted_once::CountedOnce;
use numbered_meter::NumberedMeter;

/// How long the exporter may take to write all metrics.
const SCRAPE_LIMIT: Duration = Duration::from_secs(5);

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
    /// For gauges that are set all at once: the labels with which each was set before.
    set: Mutex<BTreeMap<&'static str, BTreeSet<Labels>>>,
    /// What was counted of the runs of entities.
    counted_once: CountedOnce,
}

/// The labels of one value, in the order in which they are declared.
pub type Labels = Vec<(&'static str, String)>;

impl Drop for Inner {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Metrics {
    /// Starts a registry, inside a Tokio runtime.
    ///
    /// # Errors
    /// [`Fault`] `metrics_unavailable` if no loopback port is free.
    pub fn start() -> Result<Self, Fault> {
        let options = PrometheusExporterOptions::builder()
            .socket_addr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .counters_total_suffix(true)
            .unit_suffix(true)
            .use_seconds_for_durations(true)
            .histogram_bucket_overrides(HistogramBucketOverrides { overrides: buckets() })
            .build();
        let started = start_prometheus_metric_exporter(options).map_err(|error| {
            Fault::failed(ErrorCode::MetricsUnavailable, format!("The metrics cannot be served: {error}."))
        })?;
        let (meter, exporter, serving) = (started.meter, started.bound_addr, started.abort_handle);
        let inner = Inner { meter, exporter, serving, set: Mutex::default(), counted_once: CountedOnce::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// An SDK runtime on the current Tokio runtime, whose workers write to this registry with their number as a label. Workers of
    /// one queue need runtimes of different numbers.
    ///
    /// # Errors
    /// [`Fault`] `runtime_unavailable`.
    pub fn runtime(&self, number: usize) -> Result<Runtime, Fault> {
        let meter: Arc<dyn CoreMeter> = Arc::new(NumberedMeter::new(self.meter(), number));
        let telemetry = TelemetryOptions::builder().metrics(meter).build();
        let unavailable = |reason: String| {
            Fault::failed(ErrorCode::RuntimeUnavailable, format!("The Temporal SDK cannot start: {reason}."))
        };
        let options = RuntimeOptions::builder().telemetry_options(telemetry).build().map_err(unavailable)?;
        Runtime::from_current_tokio(options).map_err(|error| unavailable(with_causes(&error)))
    }

    /// Adds to a counter. Labels are bounded sets of words, never an entity's id.
    pub fn count(&self, name: MetricName, labels: &[(&'static str, &str)]) {
        debug_assert_eq!(name.kind(), MetricKind::Counter);
        self.inner.meter.counter(MetricParameters::from(name.as_str())).add(1, &self.attributes(labels));
    }

    /// Shows a counter as 0 before anything was counted. Prometheus sees no increase in a counter that first appears with a value
    /// above 0, so every counter whose first event must raise an alert starts like this.
    pub fn begin(&self, name: MetricName, labels: &[(&'static str, &str)]) {
        debug_assert_eq!(name.kind(), MetricKind::Counter);
        self.inner.meter.counter(MetricParameters::from(name.as_str())).add(0, &self.attributes(labels));
    }

    /// Sets a gauge. Labels are bounded sets of words, such as the configured targets, never an entity's id.
    pub fn gauge(&self, name: MetricName, value: f64, labels: &[(&'static str, &str)]) {
        debug_assert_eq!(name.kind(), MetricKind::Gauge);
        let gauge = self.inner.meter.gauge_f64(MetricParameters::from(name.as_str()));
        gauge.record(value, &self.attributes(labels));
    }

    /// Sets a gauge for all labels at once, within those that have `within`: labels that were set before and are not now become 0.
    pub fn gauges(&self, name: MetricName, within: &(&'static str, String), values: &BTreeMap<Labels, f64>) {
        let mut set = self.inner.set.lock().unwrap_or_else(PoisonError::into_inner);
        let known = set.entry(name.as_str()).or_default();
        known.extend(values.keys().cloned());
        for labels in known.iter().filter(|labels| labels.contains(within)) {
            let value = values.get(labels).copied().unwrap_or(0.0);
            let labels: Vec<(&'static str, &str)> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
            self.gauge(name, value, &labels);
        }
    }

    /// Adds a duration to a histogram of durations.
    pub fn took(&self, name: MetricName, duration: Duration, labels: &[(&'static str, &str)]) {
        debug_assert_eq!(name.kind(), MetricKind::Duration);
        let histogram = self.inner.meter.histogram_duration(MetricParameters::from(name.as_str()));
        histogram.record(duration, &self.attributes(labels));
    }

    /// Adds a number to a histogram of numbers.
    pub fn measured(&self, name: MetricName, value: u64, labels: &[(&'static str, &str)]) {
        debug_assert_eq!(name.kind(), MetricKind::Histogram);
        let histogram = self.inner.meter.histogram(MetricParameters::from(name.as_str()));
        histogram.record(value, &self.attributes(labels));
    }

    fn meter(&self) -> Arc<dyn CoreMeter> {
        Arc::clone(&self.inner.meter)
    }

    fn attributes(&self, labels: &[(&'static str, &str)]) -> MetricAttributes {
        let labels = labels.iter().map(|(key, value)| MetricKeyValue::new(*key, (*value).to_owned()));
        self.inner.meter.new_attributes(NewAttributes::from(labels.collect::<Vec<_>>()))
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

/// The SDK's histograms of waits for a worker. Its own buckets begin with 0.1 s and 0.5 s: everything in between looks like nearly half a
/// second, and an alert at 0.2 s fires from 0.1 s on.
const WAITS_FOR_A_WORKER: [&str; 2] = ["workflow_task_schedule_to_start_latency", "activity_schedule_to_start_latency"];
/// The upper bounds of their buckets, in seconds.
const WAIT_SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0, 3600.0];

/// The upper bounds of the buckets of Interlock's histograms, where waits may last for hours, and of some of the SDK's.
fn buckets() -> HashMap<String, Vec<f64>> {
    let buckets = |name: &MetricName| Some((name.as_str().to_owned(), name.buckets()?.to_vec()));
    let of_sdk = WAITS_FOR_A_WORKER.map(|name| (name.to_owned(), WAIT_SECONDS.to_vec()));
    MetricName::ALL.iter().filter_map(buckets).chain(of_sdk).collect()
}

/// The upper bounds of the buckets of a histogram, by the name under which Prometheus finds its buckets, without `_bucket`; none if the
/// bounds are the SDK's own.
pub fn bucket_bounds(histogram: &str) -> Option<Vec<f64>> {
    buckets().into_iter().find(|(name, _)| histogram.contains(name)).map(|(_, bounds)| bounds)
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

    #[tokio::test]
    async fn a_gauge_that_is_set_as_a_whole_falls_to_0_where_nothing_is_left() {
        let metrics = Metrics::start().unwrap();
        let within = ("namespace", "default".to_owned());
        let state = |state: &str| vec![within.clone(), ("state", state.to_owned())];
        let first = BTreeMap::from([(state("held"), 3.0), (state("pending"), 1.0)]);
        metrics.gauges(MetricName::OrdersOpen, &within, &first);
        metrics.gauges(MetricName::OrdersOpen, &within, &BTreeMap::from([(state("held"), 2.0)]));
        let text = metrics.text().await.unwrap();
        assert!(text.contains("interlock_orders_open{namespace=\"default\",state=\"held\"} 2"), "{text}");
        assert!(text.contains("interlock_orders_open{namespace=\"default\",state=\"pending\"} 0"), "{text}");
    }

    /// As the SDK does it: attributes of the whole worker first, then more of them.
    fn set_cache_size(meter: &dyn CoreMeter, entities: u64) {
        let of_worker = meter.new_attributes([MetricKeyValue::new("namespace", "default")].into());
        let of_queue = meter.extend_attributes(of_worker, [MetricKeyValue::new("task_queue", "q")].into());
        meter.gauge("temporal_sticky_cache_size".into()).record(entities, &of_queue);
    }

    #[tokio::test]
    async fn two_workers_of_one_queue_do_not_replace_what_the_other_measures() {
        let metrics = Metrics::start().unwrap();
        for (number, entities) in [(0, 2_001), (1, 1_999)] {
            set_cache_size(&NumberedMeter::new(metrics.meter(), number), entities);
        }
        let text = metrics.text().await.unwrap();
        let sizes = text.lines().filter(|line| line.starts_with("temporal_sticky_cache_size{"));
        let sum: u64 = sizes.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        assert_eq!(sum, 4_000, "{text}");
        assert!(text.contains("worker=\"1\""), "{text}");
    }

    #[tokio::test]
    async fn a_wait_for_a_worker_is_measured_finely_enough_for_its_alert() {
        let metrics = Metrics::start().unwrap();
        for name in WAITS_FOR_A_WORKER {
            let parameters = MetricParameters::builder().name(format!("temporal_{name}")).unit("duration").build();
            let histogram = metrics.meter().histogram_duration(parameters);
            histogram.record(Duration::from_millis(150), &metrics.attributes(&[]));
        }
        let text = metrics.text().await.unwrap();
        for name in WAITS_FOR_A_WORKER {
            let count = |le: &str| format!("temporal_{name}_seconds_bucket{{le=\"{le}\"}}");
            assert!(text.contains(&format!("{} 0", count("0.1"))), "{text}");
            assert!(text.contains(&format!("{} 1", count("0.2"))), "{text}");
        }
    }

    #[tokio::test]
    async fn each_metric_is_exported_under_the_names_that_it_says() {
        let metrics = Metrics::start().unwrap();
        for name in MetricName::ALL {
            match name.kind() {
                MetricKind::Counter => metrics.count(name, &[]),
                MetricKind::Gauge => metrics.gauge(name, 1.0, &[]),
                MetricKind::Duration => metrics.took(name, Duration::from_mins(1), &[]),
                MetricKind::Histogram => metrics.measured(name, 60, &[]),
            }
        }
        let text = metrics.text().await.unwrap();
        for name in MetricName::ALL.iter().flat_map(|name| name.exported()) {
            assert!(text.lines().any(|line| line.split(['{', ' ']).next() == Some(&name)), "{name}\n{text}");
        }
        assert!(text.contains("interlock_lease_grant_latency_seconds_bucket{le=\"86400\"} 1"), "{text}");
    }
}
