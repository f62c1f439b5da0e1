//! The sweep: looks at everything that waits in a namespace, asks customers to repeat tickets that are unknown, and reports what is new. What
//! is reported is decided in [`interlock_domain::sweep`]. It also compares what resources and customers say about leases.

mod activities;
mod alert;
mod at_targets;
mod gauges;
mod leases;
mod look;
mod page;
mod reassert;
mod terminated;
mod webhook;

pub use activities::SweepActivities;
pub use leases::{CUSTOMERS_COMPARED_MAX, LEASES_COMPARED_MAX, RESOURCES_COMPARED_MAX};
pub use look::{CUSTOMERS_MAX, Looked, ORDERS_MAX, RESOURCES_MAX, RINGS_ASKED_MAX};
pub use terminated::{TERMINATED_MAX, TERMINATED_SEEN_FOR};

use interlock_connection::Installation;
use interlock_domain::sweep::SweepRules;
use interlock_observability::metrics::Metrics;

use webhook::Webhook;

/// Sweeps one namespace.
#[derive(Clone)]
pub struct Sweeper {
    installation: Installation,
    metrics: Metrics,
    namespace: String,
    /// Where alerts are posted, if anywhere.
    webhook: Option<Webhook>,
}

impl Sweeper {
    /// Sweeps this namespace.
    pub fn new(installation: Installation, metrics: Metrics, namespace: String) -> Self {
        let webhook = installation.settings.alerts.webhook.clone().map(Webhook::new);
        Self { installation, metrics, namespace, webhook }
    }

    /// The installation that it is part of.
    pub fn installation(&self) -> Installation {
        self.installation.clone()
    }

    fn rules(&self) -> SweepRules {
        let settings = &self.installation.settings.sweep;
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        SweepRules { patience_ms: ms(settings.patience), parked_ms: ms(settings.parked_after) }
    }
}
