//! Counts start at 0 with the process that counts: Prometheus sees no increase in a counter that appears with its first event already
//! in it, and a panel shows "0" and not "no data" until then. Rejected events have a module of their own.

use interlock_domain::attempt::ATTEMPT_CLASSES;
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::TargetId;
use interlock_domain::order::OrderState;
use interlock_domain::routing::TenantPlan;
use interlock_domain::sweep::{Cause, DifferenceKind};

use super::{MetricName, Metrics};

/// What became of a difference between a resource and its customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceOutcome {
    /// It lasted for longer than messages take.
    Found,
    /// Both sides agree again.
    Settled,
}

impl DifferenceOutcome {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Found, Self::Settled];

    /// The value of the label `outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Settled => "settled",
        }
    }
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepOutcome {
    /// All customers were seen.
    Complete,
    /// The next sweep continues.
    Partial,
    /// The customers could not be listed.
    Failed,
}

impl SweepOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Complete, Self::Partial, Self::Failed];

    /// The value of the label `outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// Of a process in which orders end.
pub fn begin_orders(metrics: &Metrics) {
    for state in OrderState::ALL.into_iter().filter(|state| state.is_terminal()) {
        for plan in TenantPlan::ALL {
            metrics.begin(MetricName::OrdersEnded, &[("state", state.as_str()), ("tenant_plan", plan.as_str())]);
        }
    }
    for plan in TenantPlan::ALL {
        metrics.begin(MetricName::OutgoingEventsDropped, &[("tenant_plan", plan.as_str())]);
    }
}

/// Of a process that calls this target.
pub fn begin_target(metrics: &Metrics, target: &TargetId) {
    for class in ATTEMPT_CLASSES {
        metrics.begin(MetricName::StepsAttempted, &[("target", target.as_str()), ("outcome", class)]);
    }
}

/// Of a process that sweeps: any of several may be the one that counts the first finding.
pub fn begin_sweeps(metrics: &Metrics, catalog: &Catalog) {
    for outcome in SweepOutcome::ALL {
        metrics.begin(MetricName::SweepsRun, &[("outcome", outcome.as_str())]);
    }
    for cause in Cause::ALL {
        for name in [MetricName::AlertsRaised, MetricName::AlertsCleared, MetricName::AlertsUndelivered] {
            metrics.begin(name, &[("cause", cause.code().as_str())]);
        }
    }
    for kind in catalog.kinds() {
        for difference in DifferenceKind::ALL {
            for outcome in DifferenceOutcome::ALL {
                let labels = [
                    ("resource_kind", kind.as_str()),
                    ("difference", difference.as_str()),
                    ("outcome", outcome.as_str()),
                ];
                metrics.begin(MetricName::LeaseDifferences, &labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whatever_can_be_counted_is_shown_as_0_before_it_was() {
        let metrics = Metrics::start().unwrap();
        begin_orders(&metrics);
        begin_target(&metrics, &"hss".parse().unwrap());
        begin_sweeps(&metrics, &Catalog::reference());
        let text = metrics.text().await.unwrap();
        let zeros = |name: &str| text.lines().filter(|line| line.starts_with(name) && line.ends_with("} 0")).count();
        assert_eq!(zeros("interlock_orders_ended_total{"), 6 * 3, "{text}");
        assert_eq!(zeros("interlock_steps_attempted_total{"), ATTEMPT_CLASSES.len(), "{text}");
        assert_eq!(zeros("interlock_sweeps_run_total{"), 3, "{text}");
        for name in ["raised", "cleared", "undelivered"] {
            assert_eq!(zeros(&format!("interlock_alerts_{name}_total{{")), Cause::ALL.len(), "{text}");
        }
        let kinds = Catalog::reference().kinds().count();
        assert_eq!(zeros("interlock_lease_differences_total{"), kinds * DifferenceKind::ALL.len() * 2, "{text}");
    }
}
