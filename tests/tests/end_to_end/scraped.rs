//! What a scrape returns, and that dashboards and alerts name nothing else.

use std::collections::BTreeSet;

use interlock_observability::metrics::MetricName;

use crate::events::{assigned, unassigned};
use crate::scene::{Scene, number};
use crate::seen_from_outside::seen;
use crate::testbed::{Testbed, Wanted, run};

/// How often a number is handed there and back.
const ROUNDS: u32 = 4;

/// The value of a metric with these labels, in any order.
pub fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let is_it = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') && labels.iter().all(|it| rest.contains(it)))
    };
    text.lines().find(is_it)?.rsplit(' ').next()?.parse().ok()
}

#[test]
fn the_work_of_entities_and_steps_is_counted() {
    run(async {
        let seen = seen().await;
        let ([worker, gateway], namespace) = (&seen.metrics, &seen.namespace);
        let at_least = |text: &str, name: &str, labels: &[&str], least: f64| {
            let value = value(text, name, labels);
            assert!(value.is_some_and(|value| value >= least), "{name} {labels:?}: {value:?}\n{text}");
        };
        at_least(worker, "interlock_orders_ended_total", &["state=\"completed\"", "tenant_plan=\"free\""], 3.0);
        at_least(worker, "interlock_lease_grant_latency_seconds_count", &["resource_kind=\"msisdn\""], 3.0);
        at_least(worker, "interlock_steps_attempted_total", &["target=\"hss\"", "outcome=\"done\""], 3.0);
        at_least(worker, "interlock_step_attempt_latency_seconds_count", &["target=\"crm\""], 3.0);
        at_least(worker, "interlock_breaker_state", &["target=\"hss\"", "state=\"closed\""], 1.0);
        // A1 gave the number to B once. This is counted once, although the entities were queried and replayed since.
        let handed_over = value(worker, "interlock_hand_over_latency_seconds_count", &["resource_kind=\"msisdn\""]);
        assert_eq!(handed_over, Some(1.0), "{worker}");
        // What the sweep saw: the one order that is held, since the HSS does not know its subscription.
        at_least(worker, "interlock_orders_open", &["state=\"held\""], 1.0);
        at_least(worker, "interlock_orders_waiting", &["cause=\"person\""], 1.0);
        at_least(worker, "interlock_oldest_wait_seconds", &["target=\"hss\"", "cause=\"person\""], 0.001);
        for time in ["interlock_sweep_time_seconds", "interlock_sweep_circle_time_seconds"] {
            at_least(worker, time, &[&format!("namespace=\"{namespace}\"")], 1_500_000_000.0);
        }
        at_least(gateway, "interlock_events_ingested_total", &["outcome=\"rejected\""], 1.0);
        at_least(gateway, "interlock_events_rejected_total", &["at=\"gateway\"", "code=\"invalid_data\""], 1.0);
    });
}

#[test]
fn counters_whose_first_increase_raises_an_alert_start_at_0() {
    run(async {
        let [worker, gateway] = &seen().await.metrics;
        for (text, at) in [(worker, "at=\"entity\""), (gateway, "at=\"gateway\"")] {
            let full = value(text, "interlock_events_rejected_total", &["code=\"backlog_full\"", at]);
            assert_eq!(full.map(|count| count.to_string()).as_deref(), Some("0"), "{text}");
        }
        for (name, labels) in [
            ("interlock_lease_differences_total", ["outcome=\"found\"", "difference=\"held_twice\""].as_slice()),
            ("interlock_alerts_raised_total", &["cause=\"resource_held_twice\""]),
            ("interlock_steps_attempted_total", &["target=\"hss\"", "outcome=\"throttled\""]),
            ("interlock_orders_ended_total", &["state=\"partial\"", "tenant_plan=\"enterprise\""]),
        ] {
            let count = value(worker, name, labels).map(|count| count.to_string());
            assert_eq!(count.as_deref(), Some("0"), "{name}: {worker}");
        }
        let unknown = value(gateway, "interlock_events_ingested_total", &["outcome=\"unknown\""]);
        assert_eq!(unknown.map(|count| count.to_string()).as_deref(), Some("0"), "{gateway}");
    });
}

#[test]
fn what_is_replayed_is_not_counted_again() {
    run(async {
        // With a cache of one entity, each of the others is replayed whenever it gets a task.
        let bed = Testbed::start("replayed", Wanted { cached_entities_max: Some(1), ..Wanted::default() }).await;
        let scene = Scene::on(&bed);
        let (a, b, number) = (scene.customer("A"), scene.customer("B"), number());
        for _ in 0..ROUNDS {
            scene.done(&assigned(&a, &number)).await;
            let waiting = scene.submit(&assigned(&b, &number)).await;
            scene.is_waiting_for(&b, &number).await;
            let given = scene.submit(&unassigned(&a, &number)).await;
            scene.completed(&[given, waiting]).await;
            scene.done(&unassigned(&b, &number)).await;
        }
        let text = bed.platform.metrics_text().await.unwrap();
        let misses = text.lines().filter(|line| line.starts_with("temporal_sticky_cache_miss_total"));
        let misses: f64 = misses.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        assert!(misses > 10.0, "almost nothing was replayed: {misses}");
        let counted = |name: &str, label: &str| value(&text, name, &[label]).unwrap_or_default();
        let of_plan = ["state=\"completed\"", "tenant_plan=\"free\""];
        let completed = value(&text, "interlock_orders_ended_total", &of_plan).unwrap_or_default();
        let granted = counted("interlock_lease_grant_latency_seconds_count", "resource_kind=\"msisdn\"");
        let handed_over = counted("interlock_hand_over_latency_seconds_count", "resource_kind=\"msisdn\"");
        let counted = [completed, granted, handed_over].map(|count| count.to_string());
        assert_eq!(counted, [4 * ROUNDS, 2 * ROUNDS, ROUNDS].map(|count| count.to_string()), "{text}");
        bed.stop().await;
    });
}

/// How many differences between resources and customers were counted with this outcome, of these kinds. Without kinds, all.
pub fn lease_differences(text: &str, outcome: &str, kinds: &[&str]) -> u64 {
    let outcome = format!("outcome=\"{outcome}\"");
    let is_of = |line: &&str| {
        let is_kind = |kind: &&str| line.contains(&format!("difference=\"{kind}\""));
        line.starts_with("interlock_lease_differences_total{")
            && line.contains(&outcome)
            && (kinds.is_empty() || kinds.iter().any(is_kind))
    };
    text.lines().filter(is_of).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// The metrics that a process serves at this URL. `None` if it does not answer.
pub async fn metrics_at(url: &str) -> Option<String> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(url).send().await.ok()?.text().await.ok()
}

/// All names that can be scraped: Interlock's from the enum, all others from what processes really serve.
pub fn names(metrics: &[String]) -> BTreeSet<String> {
    let served = metrics.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with('#'));
    let served = served.filter_map(|line| line.split(['{', ' ']).next()).filter(|name| !name.is_empty());
    let ours = MetricName::ALL.iter().flat_map(|name| name.exported());
    served.map(str::to_owned).chain(ours).collect()
}

#[test]
fn no_metric_has_a_label_with_unbounded_values() {
    run(async {
        let seen = seen().await;
        let ours = seen.metrics.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("interlock_"));
        let allowed = [
            "at",
            "cause",
            "code",
            "difference",
            "entity",
            "le",
            "namespace",
            "outcome",
            "resource_kind",
            "state",
            "target",
            "tenant_plan",
        ];
        let label = regex::Regex::new("[{,]([a-z_]+)=\"").unwrap();
        for line in ours {
            for name in label.captures_iter(line).map(|found| found[1].to_owned()) {
                assert!(allowed.contains(&name.as_str()), "{line}");
            }
            assert!(!line.contains('~') && !seen.numbers.iter().any(|number| line.contains(number)), "{line}");
        }
    });
}
