//! Labels what a worker measures with the worker's number. Without it, several workers of one process for one queue would set the same
//! gauges: each would replace what the others reported.

use std::sync::Arc;

use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, Gauge, GaugeF64, Histogram, HistogramDuration, HistogramF64, MetricAttributes, MetricKeyValue,
    MetricParameters, NewAttributes, UpDownCounter,
};

/// The label: the number of a worker among those of its process for one queue, from 0.
pub(super) const LABEL: &str = "worker";

/// A meter whose measurements all have the label.
#[derive(Debug)]
pub(super) struct NumberedMeter {
    meter: Arc<dyn CoreMeter>,
    number: String,
}

impl NumberedMeter {
    /// Measures for the worker of this number.
    pub(super) fn new(meter: Arc<dyn CoreMeter>, number: usize) -> Self {
        Self { meter, number: number.to_string() }
    }
}

impl CoreMeter for NumberedMeter {
    fn new_attributes(&self, mut attributes: NewAttributes) -> MetricAttributes {
        attributes.extend([MetricKeyValue::new(LABEL, self.number.clone())]);
        self.meter.new_attributes(attributes)
    }

    fn extend_attributes(&self, existing: MetricAttributes, attributes: NewAttributes) -> MetricAttributes {
        self.meter.extend_attributes(existing, attributes)
    }

    fn counter(&self, parameters: MetricParameters) -> Counter {
        self.meter.counter(parameters)
    }

    fn histogram(&self, parameters: MetricParameters) -> Histogram {
        self.meter.histogram(parameters)
    }

    fn histogram_f64(&self, parameters: MetricParameters) -> HistogramF64 {
        self.meter.histogram_f64(parameters)
    }

    fn histogram_duration(&self, parameters: MetricParameters) -> HistogramDuration {
        self.meter.histogram_duration(parameters)
    }

    fn gauge(&self, parameters: MetricParameters) -> Gauge {
        self.meter.gauge(parameters)
    }

    fn gauge_f64(&self, parameters: MetricParameters) -> GaugeF64 {
        self.meter.gauge_f64(parameters)
    }

    fn up_down_counter(&self, parameters: MetricParameters) -> UpDownCounter {
        self.meter.up_down_counter(parameters)
    }
}
