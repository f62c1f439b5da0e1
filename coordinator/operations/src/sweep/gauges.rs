//! The findings of a sweep and the counts of a circle of sweeps, as metrics.

use std::collections::BTreeMap;

use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::ids::Timestamp;
use interlock_domain::order::OrderState;
use interlock_domain::sweep::{Cause, News, Tally};
use interlock_observability::metrics::{Labels, MetricName, Metrics};

/// What customers say that their orders wait for. (Other causes come from those who ask why.)
const CAUSES: [WaitKind; 6] =
    [WaitKind::Admission, WaitKind::Lease, WaitKind::Turn, WaitKind::Target, WaitKind::Settling, WaitKind::Person];

/// Shows the numbers of a sweep of a namespace, and its time. A sweep that ends a circle shows what the circle counted; the time of a
/// sweep that could not list the customers is not updated, because its numbers are incomplete.
pub(super) fn show(metrics: &Metrics, namespace: &str, news: &News) {
    let of_namespace = [("namespace", namespace)];
    let now = seconds(Timestamp(chrono::Utc::now().timestamp_millis()));
    // No cause is in both.
    let mut standing: BTreeMap<Cause, u64> =
        news.standing.iter().chain(&news.leases.standing).map(|(cause, count)| (*cause, *count)).collect();
    standing.insert(Cause::RunMisplaced, news.misplaced.standing);
    for cause in Cause::ALL {
        let labels = [("cause", cause.code().as_str()), of_namespace[0]];
        let count = |of: Option<&u64>| as_number(of.copied().unwrap_or(0));
        metrics.gauge(MetricName::SweepFindings, count(standing.get(&cause)), &labels);
        metrics.gauge(MetricName::SweepFindingsLeftOut, count(news.left_out.get(&cause)), &labels);
    }
    if let Some(tally) = &news.tally {
        show_tally(metrics, namespace, tally);
        metrics.gauge(MetricName::SweepCircleTime, now, &of_namespace);
    }
    if !news.customers_unseen {
        metrics.gauge(MetricName::SweepTime, now, &of_namespace);
    }
}

/// Shows the counts of what waits in a namespace.
fn show_tally(metrics: &Metrics, namespace: &str, tally: &Tally) {
    let within = ("namespace", namespace.to_owned());
    let label = |key: &'static str, value: &str| -> Labels { vec![within.clone(), (key, value.to_owned())] };
    // What can be counted is shown as 0 before there is one.
    let counts = |key: &'static str, words: Vec<&'static str>, counts: &BTreeMap<String, u64>| {
        let none = words.into_iter().map(|word| (label(key, word), 0.0));
        let some = counts.iter().map(|(value, count)| (label(key, value), as_number(*count)));
        none.chain(some).collect::<BTreeMap<Labels, f64>>()
    };
    let open = OrderState::ALL.into_iter().filter(|state| !state.is_terminal()).map(OrderState::as_str).collect();
    let causes = CAUSES.map(WaitKind::as_str).into();
    metrics.gauges(MetricName::OrdersOpen, &within, &counts("state", open, &tally.by_state));
    metrics.gauges(MetricName::OrdersWaiting, &within, &counts("cause", causes, &tally.by_cause));
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
fn seconds(time: Timestamp) -> f64 {
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
        show_tally(&metrics, "default", &tally);
        let text = metrics.text().await.unwrap();
        assert!(text.contains("interlock_orders_open{namespace=\"default\",state=\"held\"} 2"), "{text}");
        assert!(text.contains("interlock_orders_open{namespace=\"default\",state=\"pending\"} 0"), "none yet: {text}");
        assert!(text.contains("interlock_orders_waiting{cause=\"lease\",namespace=\"default\"} 0"), "none yet: {text}");
        let oldest = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("interlock_oldest_wait_seconds{")).unwrap().to_owned();
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        assert!((90.0..120.0).contains(&oldest(&text)), "{text}");
        show_tally(&metrics, "default", &Tally::default());
        let text = metrics.text().await.unwrap();
        assert!(oldest(&text).abs() < f64::EPSILON, "{text}");
        assert!(text.contains("interlock_orders_waiting{cause=\"person\",namespace=\"default\"} 0"), "{text}");
    }

    #[tokio::test]
    async fn only_a_sweep_that_ends_a_circle_says_that_its_counts_are_of_now_and_a_blind_one_says_nothing() {
        let metrics = Metrics::start().unwrap();
        let shown = async |news: News| {
            show(&metrics, "default", &news);
            let text = metrics.text().await.unwrap();
            let is_there = |name: &str| text.lines().any(|line| line.starts_with(name));
            (is_there("interlock_sweep_time_seconds{"), is_there("interlock_sweep_circle_time_seconds{"))
        };
        let left_out = [(Cause::OrderOverdue, 7)].into();
        let blind = News { customers_unseen: true, left_out, ..News::default() };
        assert_eq!(shown(blind).await, (false, false));
        assert_eq!(shown(News::default()).await, (true, false), "it goes on in the next sweep");
        let whole = News { tally: Some(Tally::default()), ..News::default() };
        assert_eq!(shown(whole).await, (true, true));
    }
}
