//! The names of Interlock's metrics, and what each is. Dashboards and alerts name them as they are exported
//! ([`MetricName::exported`]); a test holds them to it.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows; exported with `_total`.
    Counter,
    /// It says how something is now.
    Gauge,
    /// A histogram of durations, in seconds.
    Duration,
    /// A histogram of numbers.
    Histogram,
}

/// Interlock's own metrics. Their labels are bounded sets of words, never an entity's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricName {
    /// Events that came in over HTTP, by `outcome`: accepted, rejected, unknown.
    EventsIngested,
    /// Events that were rejected, by `code` and by where: `at` is gateway or entity. Counted once, where it was decided.
    EventsRejected,
    /// Requests that the gateway refused because their caller sent too many.
    RequestsThrottled,
    /// Orders that ended, by `state` and `tenant_plan`.
    OrdersEnded,
    /// Open orders that the last complete circle of sweeps saw, by `namespace` and `state`.
    OrdersOpen,
    /// Open orders that wait, likewise, by `namespace` and `cause`: what they wait for.
    OrdersWaiting,
    /// For how long the oldest of those that wait at a `target` has waited, in seconds, by `namespace`, `target` and `cause`.
    OldestWait,
    /// From an event's acceptance until its customer was granted a lease for it, by `resource_kind`.
    LeaseGrantLatency,
    /// From a release's confirmation until the next customer was granted the lease, by `resource_kind`.
    HandOverLatency,
    /// Attempts of steps that ended, by `target` and `outcome`.
    StepsAttempted,
    /// How long they took, their waits included, by `target`.
    StepAttemptLatency,
    /// 1 for the `state` that this process's breaker of a `target` is in, 0 for all others.
    BreakerState,
    /// 1 for the `state` that a `target` is in, 0 for all others.
    TargetState,
    /// The limit of a `target`'s queue on the server, in requests per second over all namespaces; -1 where there is none,
    /// NaN where it is not known what the server was told.
    TargetLimit,
    /// 1 where the server cannot be told the limit of a `target`'s queue, 0 where it can.
    TargetLimitFault,
    /// How long the histories of runs had become when they continued as new, in events, by `entity`.
    HistoryLength,
    /// What the last sweep of a `namespace` by this process found, and is not over, by `cause`.
    SweepFindings,
    /// What that sweep found besides, and cannot be remembered, by `namespace` and `cause`: no alert is raised for it.
    SweepFindingsLeftOut,
    /// Alerts that were raised, by `cause`.
    AlertsRaised,
    /// Alerts that were cleared, by `cause`: over all processes those raised less these are what there is now.
    AlertsCleared,
    /// Alerts that the webhook did not take, by `cause`: raised or cleared, they are in the log.
    AlertsUndelivered,
    /// Sweeps of this process, by `outcome`: complete, partial (the next one goes on), failed.
    SweepsRun,
    /// When this process last told of a sweep of a `namespace`, in seconds since 1970. What several processes say of
    /// sweeps, the one with the highest says as it is now.
    SweepTime,
    /// When this process last told what a whole circle of sweeps of a `namespace` counted, in seconds since 1970: likewise for
    /// [`OrdersOpen`](Self::OrdersOpen), [`OrdersWaiting`](Self::OrdersWaiting) and [`OldestWait`](Self::OldestWait).
    SweepCircleTime,
    /// Differences between what a resource and what customers say of its lease, by `resource_kind`, `difference` and `outcome`:
    /// found (it lasted for longer than messages take), settled (both say the same again). 0 where nothing is wrong.
    LeaseDifferences,
}

const SECONDS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0, 86400.0];
const EVENTS: &[f64] = &[50.0, 100.0, 200.0, 400.0, 600.0, 1000.0, 1500.0, 2000.0, 4000.0, 10000.0, 50000.0];

impl MetricName {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::EventsIngested,
        Self::EventsRejected,
        Self::RequestsThrottled,
        Self::OrdersEnded,
        Self::OrdersOpen,
        Self::OrdersWaiting,
        Self::OldestWait,
        Self::LeaseGrantLatency,
        Self::HandOverLatency,
        Self::StepsAttempted,
        Self::StepAttemptLatency,
        Self::BreakerState,
        Self::TargetState,
        Self::TargetLimit,
        Self::TargetLimitFault,
        Self::HistoryLength,
        Self::SweepFindings,
        Self::AlertsRaised,
        Self::AlertsCleared,
        Self::SweepsRun,
        Self::SweepTime,
        Self::SweepFindingsLeftOut,
        Self::AlertsUndelivered,
        Self::SweepCircleTime,
        Self::LeaseDifferences,
    ];

    /// The name, without what the exporter adds.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsIngested => "interlock_events_ingested",
            Self::EventsRejected => "interlock_events_rejected",
            Self::RequestsThrottled => "interlock_requests_throttled",
            Self::OrdersEnded => "interlock_orders_ended",
            Self::OrdersOpen => "interlock_orders_open",
            Self::OrdersWaiting => "interlock_orders_waiting",
            Self::OldestWait => "interlock_oldest_wait_seconds",
            Self::LeaseGrantLatency => "interlock_lease_grant_latency",
            Self::HandOverLatency => "interlock_hand_over_latency",
            Self::StepsAttempted => "interlock_steps_attempted",
            Self::StepAttemptLatency => "interlock_step_attempt_latency",
            Self::BreakerState => "interlock_breaker_state",
            Self::TargetState => "interlock_target_state",
            Self::TargetLimit => "interlock_target_limit",
            Self::TargetLimitFault => "interlock_target_limit_fault",
            Self::HistoryLength => "interlock_history_length",
            Self::SweepFindings => "interlock_sweep_findings",
            Self::AlertsRaised => "interlock_alerts_raised",
            Self::AlertsCleared => "interlock_alerts_cleared",
            Self::SweepsRun => "interlock_sweeps_run",
            Self::SweepTime => "interlock_sweep_time_seconds",
            Self::SweepFindingsLeftOut => "interlock_sweep_findings_left_out",
            Self::AlertsUndelivered => "interlock_alerts_undelivered",
            Self::SweepCircleTime => "interlock_sweep_circle_time_seconds",
            Self::LeaseDifferences => "interlock_lease_differences",
        }
    }

    /// What it is.
    pub fn kind(self) -> MetricKind {
        match self {
            Self::LeaseGrantLatency | Self::HandOverLatency | Self::StepAttemptLatency => MetricKind::Duration,
            Self::HistoryLength => MetricKind::Histogram,
            Self::OrdersOpen
            | Self::OrdersWaiting
            | Self::OldestWait
            | Self::BreakerState
            | Self::TargetState
            | Self::TargetLimit
            | Self::TargetLimitFault
            | Self::SweepFindings
            | Self::SweepFindingsLeftOut
            | Self::SweepTime
            | Self::SweepCircleTime => MetricKind::Gauge,
            Self::EventsIngested
            | Self::EventsRejected
            | Self::RequestsThrottled
            | Self::OrdersEnded
            | Self::StepsAttempted
            | Self::AlertsRaised
            | Self::AlertsCleared
            | Self::AlertsUndelivered
            | Self::SweepsRun
            | Self::LeaseDifferences => MetricKind::Counter,
        }
    }

    /// The names under which Prometheus finds it.
    pub fn exported(self) -> Vec<String> {
        let name = self.as_str();
        let histogram = |name: &str| ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).to_vec();
        match self.kind() {
            MetricKind::Counter => vec![format!("{name}_total")],
            MetricKind::Gauge => vec![name.to_owned()],
            MetricKind::Duration => histogram(&format!("{name}_seconds")),
            MetricKind::Histogram => histogram(name),
        }
    }

    /// The upper bounds of its buckets, where it is a histogram.
    pub(super) fn buckets(self) -> Option<&'static [f64]> {
        match self.kind() {
            MetricKind::Duration => Some(SECONDS),
            MetricKind::Histogram => Some(EVENTS),
            MetricKind::Counter | MetricKind::Gauge => None,
        }
    }
}
