//! What a circle of sweeps counted, as metrics.

use std::collections::BTreeMap;

use interlock_domain::ids::Timestamp;
use interlock_domain::sweep::Tally;

use crate::metrics::{Labels, MetricName, Metrics};

/// Shows how much there is of what waits in a namespace.
pub(super) fn show(metrics: &Metrics, namespace: &str, tally: &Tally) {
    let within = ("namespace", namespace.to_owned());
    let label = |key: &'static str, value: &str| -> Labels { vec![within.clone(), (key, value.to_owned())] };
    let counts = |key: &'static str, counts: &BTreeMap<String, u64>| -> BTreeMap<Labels, f64> {
        counts.iter().map(|(value, count)| (label(key, value), as_number(*count))).collect()
    };
    metrics.gauges(MetricName::OrdersOpen, &within, &counts("state", &tally.by_state));
    metrics.gauges(MetricName::OrdersWaiting, &within, &counts("cause", &tally.by_cause));
    let now = Timestamp(chrono::Utc::now().timestamp_millis());
    let ages = tally.oldest.iter().map(|wait| {
        let mut labels = label("target", wait.target.as_str());
        labels.push(("cause", wait.cause.clone()));
        (labels, (seconds(now) - seconds(wait.since)).max(0.0))
    });
    metrics.gauges(MetricName::OldestWait, &within, &ages.collect());
}

/// A time in seconds since 1970.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit")]
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.0 as f64 / 1000.0
}

fn as_number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use interlock_domain::sweep::OldestWait;

    use super::*;

    #[tokio::test]
    async fn what_waits_is_shown_by_state_cause_and_target_and_is_gone_when_it_is_over() {
        let metrics = Metrics::start().unwrap();
        let since = Timestamp(chrono::Utc::now().timestamp_millis() - 90_000);
        let tally = Tally {
            by_state: [("held".to_owned(), 2)].into(),
            by_cause: [("person".to_owned(), 2)].into(),
            oldest: vec![OldestWait { target: "hss".parse().unwrap(), cause: "person".to_owned(), since }],
        };
        show(&metrics, "default", &tally);
        let text = metrics.text().await.unwrap();
        assert!(text.contains("interlock_orders_open{namespace=\"default\",state=\"held\"} 2"), "{text}");
        let oldest = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("interlock_oldest_wait_seconds{")).unwrap().to_owned();
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        assert!((90.0..120.0).contains(&oldest(&text)), "{text}");
        show(&metrics, "default", &Tally::default());
        let text = metrics.text().await.unwrap();
        assert!(oldest(&text).abs() < f64::EPSILON, "{text}");
        assert!(text.contains("interlock_orders_waiting{cause=\"person\",namespace=\"default\"} 0"), "{text}");
    }
}
