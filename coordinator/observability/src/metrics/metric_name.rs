//! The names of Interlock's metrics, and their meanings. Dashboards and alerts use the exported names
//! ([`MetricName::exported`]); a test checks that they do.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows; exported with `_total`.
    Counter,
    /// The present value of something.
    Gauge,
    /// A histogram of durations, in seconds.
    Duration,
    /// A histogram of numbers.
    Histogram,
}

/// Interlock's own metrics. Their labels are bounded sets of words, never an entity's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricName {
    /// Events that were received over HTTP or from a broker, by `outcome`: accepted, rejected, unknown. From a broker, an event whose
    /// outcome is unknown is sent again, and each time counts.
    EventsIngested,
    /// Events that were rejected, by `code` and `at` (gateway or entity): where it was decided. Each is counted once.
    EventsRejected,
    /// Requests that the gateway refused because their caller sent too many.
    RequestsThrottled,
    /// Orders that ended, by `state` and `tenant_plan`.
    OrdersEnded,
    /// Open orders that the last complete circle of sweeps saw, by `namespace` and `state`.
    OrdersOpen,
    /// Open orders that wait, likewise, by `namespace` and `cause`: what they wait for.
    OrdersWaiting,
    /// How long the oldest order has waited at a `target`, in seconds, by `namespace`, `target` and `cause`.
    OldestWait,
    /// From an event's acceptance until its customer was granted a lease for it, by `resource_kind`.
    LeaseGrantLatency,
    /// From a release's confirmation until the next customer was granted the lease, by `resource_kind`.
    HandOverLatency,
    /// Events for subscribers that were dropped because too many waited for their receivers, by `tenant_plan`.
    OutgoingEventsDropped,
    /// Attempts of steps, and of deliveries to subscribers, that ended, by `target` and `outcome`.
    StepsAttempted,
    /// How long they took, their waits included, by `target`.
    StepAttemptLatency,
    /// 1 for the `state` that this process's breaker of a `target` is in, 0 for all others.
    BreakerState,
    /// 1 for the `state` that a `target` is in, 0 for all others.
    TargetState,
    /// The limit of a `target`'s queue on the server, in requests per second over all namespaces; -1 for no limit,
    /// NaN if it is unknown what the server was told.
    TargetLimit,
    /// 1 if the server could not be told the limit of a `target`'s queue, otherwise 0.
    TargetLimitFault,
    /// The length of histories when their runs continued as new, in events, by `entity`.
    HistoryLength,
    /// The findings of the last sweep of a `namespace` by this process that are not over, by `cause`.
    SweepFindings,
    /// The further findings of that sweep that cannot be remembered, by `namespace` and `cause`: they raise no alert.
    SweepFindingsLeftOut,
    /// Alerts that were raised, by `cause`.
    AlertsRaised,
    /// Alerts that were cleared, by `cause`: over all processes, raised minus cleared is the present number.
    AlertsCleared,
    /// Alerts that the webhook did not accept, by `cause`: both raised and cleared ones are in the log.
    AlertsUndelivered,
    /// Sweeps of this process, by `outcome`: complete, partial (the next one continues), failed.
    SweepsRun,
    /// When this process last reported a sweep of a `namespace`, in seconds since 1970. If several processes report
    /// sweeps, the one with the highest time is current.
    SweepTime,
    /// When this process last reported the counts of a whole circle of sweeps of a `namespace`, in seconds since 1970: likewise for
    /// [`OrdersOpen`](Self::OrdersOpen), [`OrdersWaiting`](Self::OrdersWaiting) and [`OldestWait`](Self::OldestWait).
    SweepCircleTime,
    /// Differences between what a resource and its customers say about a lease, by `resource_kind`, `difference` and `outcome`:
    /// found (it lasted for longer than messages take), settled (they agree again). 0 if nothing is wrong.
    LeaseDifferences,
    /// Messages of a broker that were written as dead letters, by `code`: why.
    BrokerDeadLetters,
    /// Messages of a broker that this process has, and has not acknowledged.
    BrokerMessagesInFlight,
    /// Messages that the broker has for this process and has not delivered, as far as it is known.
    BrokerLag,
    /// Calls to a broker that failed and are made again, by `call`: connect, fetch, acknowledge, dead_letter.
    BrokerRetries,
}

const SECONDS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0, 86400.0];
const EVENTS: &[f64] = &[50.0, 100.0, 200.0, 400.0, 600.0, 1000.0, 1500.0, 2000.0, 4000.0, 10000.0, 50000.0];

impl MetricName {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::EventsIngested,
        Self::EventsRejected,
        Self::RequestsThrottled,
        Self::OrdersEnded,
        Self::OrdersOpen,
        Self::OrdersWaiting,
        Self::OldestWait,
        Self::LeaseGrantLatency,
        Self::HandOverLatency,
        Self::OutgoingEventsDropped,
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
        Self::BrokerDeadLetters,
        Self::BrokerMessagesInFlight,
        Self::BrokerLag,
        Self::BrokerRetries,
    ];

    /// The name, without the exporter's additions.
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
            Self::OutgoingEventsDropped => "interlock_outgoing_events_dropped",
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
            Self::BrokerDeadLetters => "interlock_broker_dead_letters",
            Self::BrokerMessagesInFlight => "interlock_broker_messages_in_flight",
            Self::BrokerLag => "interlock_broker_lag",
            Self::BrokerRetries => "interlock_broker_retries",
        }
    }

    /// Its type.
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
            | Self::SweepCircleTime
            | Self::BrokerMessagesInFlight
            | Self::BrokerLag => MetricKind::Gauge,
            Self::EventsIngested
            | Self::EventsRejected
            | Self::RequestsThrottled
            | Self::OrdersEnded
            | Self::OutgoingEventsDropped
            | Self::StepsAttempted
            | Self::AlertsRaised
            | Self::AlertsCleared
            | Self::AlertsUndelivered
            | Self::SweepsRun
            | Self::LeaseDifferences
            | Self::BrokerDeadLetters
            | Self::BrokerRetries => MetricKind::Counter,
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

    /// The upper bounds of its buckets, if it is a histogram.
    pub(super) fn buckets(self) -> Option<&'static [f64]> {
        match self.kind() {
            MetricKind::Duration => Some(SECONDS),
            MetricKind::Histogram => Some(EVENTS),
            MetricKind::Counter | MetricKind::Gauge => None,
        }
    }
}
