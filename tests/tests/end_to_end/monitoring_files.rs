//! The alerts, dashboards and runbook in `deploy/`: they can be parsed, name only what exists, and belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use interlock_observability::metrics::bucket_bounds;
use regex::Regex;
use serde_json::Value;

use crate::outside_tools::find;
use crate::scraped::names;
use crate::seen_from_outside::seen;
use crate::testbed::run;

/// PromQL's own words: functions, aggregations, keywords.
const WORDS: [&str; 24] = [
    "sum",
    "max",
    "min",
    "rate",
    "increase",
    "histogram_quantile",
    "absent",
    "time",
    "by",
    "on",
    "and",
    "or",
    "unless",
    "group_left",
    "group_right",
    "ignoring",
    "without",
    "bool",
    "avg",
    "count",
    "clamp_min",
    "last_over_time",
    "max_over_time",
    "offset",
];
/// Metrics of the SDK that count rare things, which may not happen in such a short time. The names are those in its sources
/// (temporalio-sdk-core 0.10.1, `telemetry/metrics.rs`).
const DID_NOT_HAPPEN: [&str; 5] = [
    "temporal_local_activity_execution_failed_total",
    "temporal_sticky_cache_miss_total",
    "temporal_sticky_cache_total_forced_eviction_total",
    "temporal_workflow_task_execution_failed_total",
    "temporal_workflow_task_queue_poll_empty_total",
];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn text(path: &str) -> String {
    let path = deploy().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules() -> Vec<Value> {
    let groups = yaml("prometheus/alerts.yml")["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn dashboards() -> BTreeMap<String, Value> {
    let directory = deploy().join("grafana/dashboards");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let board = serde_json::from_str(&std::fs::read_to_string(&path).unwrap());
        (name.clone(), board.unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    files.map(read).collect()
}

/// Every query, with its place.
fn queries() -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_rules = rules().into_iter().map(|rule| {
        let name = if rule["alert"].is_string() { &rule["alert"] } else { &rule["record"] };
        (text(name), text(&rule["expr"]))
    });
    let of_boards = dashboards().into_iter().flat_map(|(file, board)| {
        let panels = board["panels"].as_array().unwrap().clone();
        let query = move |panel: Value| {
            let at = format!("{file}: {}", panel["title"].as_str().unwrap());
            let targets = panel["targets"].as_array().unwrap().clone();
            targets.into_iter().map(move |target| (at.clone(), target["expr"].as_str().unwrap().to_owned()))
        };
        panels.into_iter().flat_map(query).collect::<Vec<_>>()
    });
    of_rules.chain(of_boards).collect()
}

/// The names of metrics in a query: all words except PromQL's own, labels, texts and durations.
fn metrics_of(query: &str) -> BTreeSet<String> {
    let without = |pattern: &str, text: &str| Regex::new(pattern).unwrap().replace_all(text, " ").into_owned();
    let bare = without(r"\{[^}]*\}", query);
    let bare = without(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", &bare);
    let bare = without(r"\[[^\]]*\]", &bare);
    let bare = without(r"\boffset\s+\w+", &bare);
    let word = Regex::new("[a-zA-Z_:][a-zA-Z0-9_:]*").unwrap();
    let words = word.find_iter(&bare).map(|found| found.as_str().to_owned());
    words.filter(|word| !WORDS.contains(&word.as_str())).collect()
}

#[test]
fn every_metric_that_alerts_and_dashboards_name_exists() {
    run(async {
        let mut known = names(&seen().await.metrics);
        known.extend(rules().iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)));
        known.extend(DID_NOT_HAPPEN.map(str::to_owned));
        // Prometheus' own: whether a scrape was answered.
        known.insert("up".to_owned());
        let mut unknown = Vec::new();
        for (at, query) in queries() {
            assert_eq!(query.matches('(').count(), query.matches(')').count(), "{at}: {query}");
            let metrics = metrics_of(&query);
            assert!(!metrics.is_empty(), "{at} names no metric: {query}");
            unknown
                .extend(metrics.into_iter().filter(|name| !known.contains(name)).map(|name| format!("{at}: {name}")));
        }
        assert!(unknown.is_empty(), "{unknown:#?}\n{known:#?}");
    });
}

/// The tests that Prometheus' own `promtool test rules` runs.
#[test]
fn every_alert_has_a_case_in_which_it_fires_from_metrics_that_alerts_name() {
    let named: BTreeSet<String> = rules().iter().flat_map(|rule| metrics_of(rule["expr"].as_str().unwrap())).collect();
    let mut come = BTreeSet::new();
    let cases = yaml("prometheus/alerts.test.yml")["tests"].as_array().unwrap().clone();
    for case in &cases {
        for series in case["input_series"].as_array().unwrap() {
            let series = series["series"].as_str().unwrap();
            let metric = series.split('{').next().unwrap();
            assert!(named.contains(metric), "{}: no alert is about {metric}", case["name"]);
        }
        for expected in case["alert_rule_test"].as_array().unwrap() {
            if expected["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()) {
                come.insert(expected["alertname"].as_str().unwrap().to_owned());
            }
        }
    }
    let alerts = rules().iter().filter_map(|rule| rule["alert"].as_str().map(str::to_owned)).collect();
    assert_eq!(come, alerts);
}

/// The minutes of a duration in PromQL: `30s`, `10m`, `1h`, `1d`.
fn minutes(duration: &str) -> f64 {
    let (number, unit) = duration.split_at(duration.len() - 1);
    let per = match unit {
        "s" => 1.0 / 60.0,
        "m" => 1.0,
        "h" => 60.0,
        "d" => 24.0 * 60.0,
        other => panic!("what is {other}?"),
    };
    number.parse::<f64>().unwrap() * per
}

/// A failed workflow task is retried after up to ten minutes, the longest pause of the server. A shorter window, or a condition that
/// must hold for long, would end the alert in between.
#[test]
fn an_alert_on_the_first_failure_does_not_end_between_two_attempts() {
    let counted = Regex::new(r"(rate|increase)\((\w+)(\{[^}]*\})?\[(\w+)\]\)+ > 0( |$)").unwrap();
    let mut all = 0;
    for rule in rules().iter().filter(|rule| rule["alert"].is_string()) {
        let query = rule["expr"].as_str().unwrap();
        for found in counted.captures_iter(query) {
            all += 1;
            let window = minutes(&found[4]);
            assert!(window >= 30.0, "{}: {query}", rule["alert"]);
            let lasts = rule["for"].as_str().map_or(0.0, minutes);
            assert!(lasts <= 1.0, "{}: for {lasts} minutes", rule["alert"]);
            // Interlock's own counters begin at 0 (`scraped.rs`); the SDK's appear with the first failure.
            let of_sdk = found[2].starts_with("temporal_");
            let from_appearance = query.contains(&format!("unless {} offset {}", &found[2], &found[4]));
            assert!(!of_sdk || from_appearance, "{}: the first of each process is not seen", rule["alert"]);
        }
    }
    assert_eq!(all, 4, "the expressions were not parsed");
}

/// Between two bounds a quantile is only interpolated: with the bounds 0.1 and 0.5, an alert at 0.2 fires from 0.1 on.
#[test]
fn a_threshold_of_a_quantile_is_a_bound_of_its_histograms_buckets() {
    let compared = Regex::new(r"histogram_quantile\(.*\((\w+)_bucket(?:\{[^}]*\})?\[\w+\]\)+ > ([\d.]+)$").unwrap();
    let mut all = 0;
    for rule in rules().iter().filter(|rule| rule["alert"].is_string()) {
        let query = rule["expr"].as_str().unwrap();
        if !query.contains("histogram_quantile") {
            continue;
        }
        let found = compared.captures(query).unwrap_or_else(|| panic!("{}: {query}", rule["alert"]));
        let threshold: f64 = found[2].parse().unwrap();
        let bounds = bucket_bounds(&found[1]).unwrap_or_else(|| panic!("{}: the bounds are the SDK's", rule["alert"]));
        let is_bound = bounds.iter().any(|bound| (bound - threshold).abs() < f64::EPSILON);
        assert!(is_bound, "{}: {threshold} is not among {bounds:?}", rule["alert"]);
        all += 1;
    }
    assert_eq!(all, 4, "the expressions were not parsed");
}

#[test]
fn every_panel_has_a_text_for_nothing_yet() {
    for (file, board) in dashboards() {
        for panel in board["panels"].as_array().unwrap() {
            let text = panel["fieldConfig"]["defaults"]["noValue"].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{file}: {} would say \"No data\"", panel["title"]);
        }
    }
}

/// Several workers of a process for one queue have gauges of their own (label `worker`): each query joins them.
#[test]
fn gauges_of_the_workers_of_one_queue_are_summed_before_anything_else() {
    const GAUGES: [&str; 4] = [
        "temporal_num_pollers",
        "temporal_sticky_cache_size",
        "temporal_worker_task_slots_available",
        "temporal_worker_task_slots_used",
    ];
    let mut all = 0;
    for (at, query) in queries() {
        for gauge in GAUGES.iter().filter(|gauge| query.contains(**gauge)) {
            let joined = Regex::new(&format!(r"sum by \([^)]*\) \({gauge}\)")).unwrap();
            assert!(joined.is_match(&query), "{at}: {query}");
            all += 1;
        }
    }
    assert_eq!(all, 5, "4 panels and an alert");
}

#[test]
fn the_prometheus_rule_has_the_alerts_and_no_others() {
    let path = "kubernetes/components/prometheus-rule/prometheus-rule.yaml";
    if std::env::var_os("INTERLOCK_WRITE_DOCS").is_some() {
        let rules = text("prometheus/alerts.yml");
        let groups = rules.split_once("\ngroups:\n").unwrap().1;
        let indented = groups.lines().map(|line| if line.is_empty() { line.to_owned() } else { format!("  {line}") });
        let head = text(path).split_once("\nspec:\n").unwrap().0.to_owned();
        let whole = format!("{head}\nspec:\n  groups:\n{}\n", indented.collect::<Vec<_>>().join("\n"));
        std::fs::write(deploy().join(path), whole).unwrap();
    }
    let rule = yaml(path);
    assert_eq!(
        (&rule["kind"], &rule["spec"]),
        (&"PrometheusRule".into(), &yaml("prometheus/alerts.yml")),
        "see {path}"
    );
    let monitor = yaml("kubernetes/components/service-monitor/service-monitor.yaml");
    let label = "/metadata/labels/release";
    assert!(rule.pointer(label).is_some_and(Value::is_string), "no Prometheus would take it");
    assert_eq!(rule.pointer(label), monitor.pointer(label), "one patch for both");
}

#[test]
fn promtool_accepts_the_alerts_and_each_case_of_theirs() {
    let Some(promtool) = find("promtool", "apt-get install prometheus") else { return };
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
        let mut command = std::process::Command::new(&promtool);
        let said = command.args(arguments).current_dir(deploy().join("prometheus")).output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && text.contains("SUCCESS"), "promtool {}: {text}", arguments.join(" "));
    }
}

#[test]
fn the_label_namespace_stays_interlocks_own() {
    let monitor = yaml("kubernetes/components/service-monitor/service-monitor.yaml");
    for endpoint in monitor["spec"]["endpoints"].as_array().unwrap() {
        assert_eq!(endpoint["honorLabels"], true, "without this it becomes exported_namespace: {endpoint}");
    }
    let prometheus = yaml("prometheus/prometheus.yml");
    let jobs = prometheus["scrape_configs"].as_array().unwrap();
    let ours = jobs.iter().find(|job| job["job_name"] == "interlock").unwrap();
    assert_eq!(ours["honor_labels"], true);
}

#[test]
fn a_query_is_read_for_the_metrics_that_it_names() {
    let query = "histogram_quantile(0.99, sum by (le, a_label) (rate(x_bucket{other=\"y\"}[5m]))) > 2 and on (b) up offset 5m == 0";
    assert_eq!(metrics_of(query), ["up", "x_bucket"].map(str::to_owned).into());
}

#[test]
fn every_alert_has_its_section_in_the_runbook_and_the_runbook_has_no_others() {
    let runbook = text("docs/runbook.md");
    let sections: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ").map(str::to_owned)).collect();
    let mut alerts = BTreeSet::new();
    for rule in rules().into_iter().filter(|rule| rule["alert"].is_string()) {
        let name = rule["alert"].as_str().unwrap().to_owned();
        let anchor = format!("deploy/docs/runbook.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], anchor, "{name}");
        assert!(rule["annotations"]["summary"].as_str().is_some_and(|summary| summary.len() > 20), "{name}");
        assert!(["info", "warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        assert!(alerts.insert(name), "two alerts have the same name");
    }
    assert_eq!(alerts, sections);
    for section in runbook.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap();
        for part in ["**Means**", "**Look at**", "**Do**"] {
            let is_table = name == "InterlockSweepFindings" && part == "**Do**";
            assert!(section.contains(part) || is_table, "{name} has no {part}");
        }
    }
}

#[test]
fn prometheus_and_grafana_find_their_files() {
    let prometheus = yaml("prometheus/prometheus.yml");
    for file in prometheus["rule_files"].as_array().unwrap() {
        assert!(deploy().join("prometheus").join(file.as_str().unwrap()).is_file(), "{file}");
    }
    let jobs: Vec<&Value> = prometheus["scrape_configs"].as_array().unwrap().iter().collect();
    assert!(jobs.iter().any(|job| job["job_name"] == "interlock"), "alerts name the job 'interlock'");
    let provider = yaml("grafana/provisioning/dashboards/interlock.yaml");
    assert_eq!(provider["providers"][0]["options"]["path"], "/etc/grafana/dashboards");
    let source = yaml("grafana/provisioning/datasources/prometheus.yaml");
    assert_eq!(source["datasources"][0]["type"], "prometheus");
    let boards = dashboards();
    let ids: BTreeSet<&str> = boards.values().map(|board| board["uid"].as_str().unwrap()).collect();
    assert_eq!((boards.len(), ids.len()), (3, 3), "each dashboard has an id of its own");
    for (file, board) in &boards {
        for panel in board["panels"].as_array().unwrap() {
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{file}: {}", panel["title"]);
        }
    }
}
