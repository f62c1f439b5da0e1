//! The observations of entities and activities, as metrics.

use std::sync::Arc;
use std::time::Duration;

use interlock_domain::observation::{BreakerState, Observation, Observer};
use interlock_domain::routing::Routing;

use super::rejections::{self, RejectedAt};
use super::{MetricName, Metrics};

/// Converts observations to metrics.
pub struct Watch {
    metrics: Metrics,
    routing: Arc<Routing>,
}

impl Watch {
    /// Counts in this registry; the routing knows the tenants' plans.
    pub fn new(metrics: Metrics, routing: Arc<Routing>) -> Self {
        Self { metrics, routing }
    }
}

impl Observer for Watch {
    fn observe_run(&self, run_id: &str, number: u32, observation: &Observation) {
        if self.metrics.inner.counted_once.is_new(run_id, number, observation) {
            self.observe(observation);
        }
    }

    fn observe(&self, observation: &Observation) {
        let metrics = &self.metrics;
        match observation {
            Observation::OrderEnded { tenant, state, rejected } => {
                let plan = self.routing.tenant(tenant).plan.as_str();
                metrics.count(MetricName::OrdersEnded, &[("state", state.as_str()), ("tenant_plan", plan)]);
                if let Some(code) = rejected {
                    rejections::count(metrics, code, RejectedAt::Entity);
                }
            }
            Observation::LeaseGranted { kind, waited_ms } => {
                let labels = [("resource_kind", kind.as_str())];
                metrics.took(MetricName::LeaseGrantLatency, Duration::from_millis(*waited_ms), &labels);
            }
            Observation::HandedOver { kind, took_ms } => {
                let labels = [("resource_kind", kind.as_str())];
                metrics.took(MetricName::HandOverLatency, Duration::from_millis(*took_ms), &labels);
            }
            Observation::RunEnded { entity, history_events } => {
                metrics.measured(MetricName::HistoryLength, u64::from(*history_events), &[("entity", entity)]);
            }
            Observation::StepAttempted { target, outcome, took_ms } => {
                let target = ("target", target.as_str());
                metrics.count(MetricName::StepsAttempted, &[target, ("outcome", outcome)]);
                metrics.took(MetricName::StepAttemptLatency, Duration::from_millis(*took_ms), &[target]);
            }
            Observation::OutgoingEventDropped { tenant } => {
                let plan = self.routing.tenant(tenant).plan.as_str();
                metrics.count(MetricName::OutgoingEventsDropped, &[("tenant_plan", plan)]);
            }
            Observation::BreakerChanged { target, state } => {
                for known in BreakerState::ALL {
                    let value = if known == *state { 1.0 } else { 0.0 };
                    let labels = [("target", target.as_str()), ("state", known.as_str())];
                    metrics.gauge(MetricName::BreakerState, value, &labels);
                }
            }
        }
    }
}
