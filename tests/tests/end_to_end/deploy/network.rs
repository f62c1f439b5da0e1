//! Ports, probes, selectors: every reference leads to something that exists.

use serde_json::Value;

use super::manifests::{Manifest, Pod, base, deploy, documents, labels, pods, strings};

/// The calls that every Interlock service answers (`coordinator/observability/src/health.rs`).
const CALLS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The port that the process in a pod listens on, according to its arguments.
fn listens(pod: &Pod) -> Option<u64> {
    let arguments = strings(&pod.container()["args"]);
    let at = arguments.iter().position(|argument| argument == "--listen")?;
    let (address, port) = arguments[at + 1].rsplit_once(':').unwrap();
    assert_eq!(address, "0.0.0.0", "{}: nobody reaches it there", pod.of);
    port.parse().ok()
}

fn of_kind(kind: &str) -> Vec<Manifest> {
    base().into_iter().filter(|it| it.kind == kind).collect()
}

#[test]
fn every_probe_asks_something_that_answers() {
    let of_deployments: Vec<Pod> = pods().into_iter().filter(|pod| pod.of.starts_with("Deployment")).collect();
    assert_eq!(of_deployments.len(), 5);
    for pod in of_deployments {
        let container = pod.container();
        for (probe, wanted) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
            assert_eq!(container[probe]["httpGet"]["path"], wanted, "{}: {probe}", pod.of);
        }
        for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
            let Some(get) = container[probe].get("httpGet") else { continue };
            assert!(CALLS.contains(&get["path"].as_str().unwrap()), "{}: {probe}", pod.of);
            let port = pod.port(&get["port"]).unwrap_or_else(|| panic!("{}: {probe} has no such port", pod.of));
            assert_eq!(Some(port), listens(&pod), "{}: {probe}", pod.of);
        }
    }
}

#[test]
fn a_selector_picks_the_pods_that_it_means() {
    for deployment in of_kind("Deployment") {
        let pod = deployment.pod().unwrap();
        assert!(pod.is_picked_by(deployment.at("/spec/selector")), "{}", deployment.name);
        let others = pods().into_iter().filter(|other| other.of != pod.of);
        for other in others {
            assert!(!other.is_picked_by(deployment.at("/spec/selector")), "{} picks {}", deployment.name, other.of);
        }
        for spread in pod.spec["topologySpreadConstraints"].as_array().unwrap() {
            assert!(pod.is_picked_by(&spread["labelSelector"]), "{}: {spread}", deployment.name);
        }
    }
    for policy in of_kind("NetworkPolicy") {
        assert!(pods().iter().any(|pod| pod.is_picked_by(policy.at("/spec/podSelector"))), "{}", policy.name);
    }
    for budget in of_kind("PodDisruptionBudget") {
        let picked = pods().iter().filter(|pod| pod.is_picked_by(budget.at("/spec/selector"))).count();
        assert_eq!(picked, 1, "{}", budget.name);
    }
    assert_eq!(of_kind("PodDisruptionBudget").len(), of_kind("Deployment").len());
}

#[test]
fn every_service_leads_to_a_port_of_its_pods() {
    for service in of_kind("Service") {
        let selector = serde_json::json!({ "matchLabels": service.at("/spec/selector") });
        let picked: Vec<Pod> = pods().into_iter().filter(|pod| pod.is_picked_by(&selector)).collect();
        assert_eq!(picked.len(), 1, "{}", service.name);
        for port in service.at("/spec/ports").as_array().unwrap() {
            assert_eq!(picked[0].port(&port["targetPort"]), listens(&picked[0]), "{}: {port}", service.name);
        }
    }
}

#[test]
fn prometheus_finds_the_metrics_of_every_workload() {
    let monitor = &documents(&deploy("kubernetes/components/service-monitor/service-monitor.yaml"))[0];
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert!(CALLS.contains(&endpoint["path"].as_str().unwrap()));
    let wanted = labels(&monitor["spec"]["selector"]["matchLabels"]);
    let base_labels = labels(&documents(&deploy("kubernetes/base/kustomization.yaml"))[0]["labels"][0]["pairs"]);
    let services = of_kind("Service");
    assert_eq!(services.len(), of_kind("Deployment").len());
    for service in services {
        let mut own = labels(service.at("/metadata/labels"));
        own.extend(base_labels.clone());
        assert!(wanted.iter().all(|(key, value)| own.get(key) == Some(value)), "{}", service.name);
        for label in strings(&monitor["spec"]["targetLabels"]) {
            assert!(own.contains_key(&label), "{}: {label}", service.name);
        }
        let job = own.get(monitor["spec"]["jobLabel"].as_str().unwrap());
        assert_eq!(job.map(String::as_str), Some("interlock"), "{}: the alerts' job", service.name);
        let ports = service.at("/spec/ports").as_array().unwrap();
        assert!(ports.iter().any(|port| port["name"] == endpoint["port"]), "{}", service.name);
    }
}

#[test]
fn network_policies_let_in_what_listens() {
    let ingress = of_kind("NetworkPolicy").into_iter().filter_map(|it| it.at("/spec/ingress").as_array().cloned());
    let open: Vec<u64> = ingress.flatten().flat_map(|rule| ports(&rule)).collect();
    for pod in pods().iter().filter(|pod| pod.of.starts_with("Deployment")) {
        assert!(open.contains(&listens(pod).unwrap()), "{}", pod.of);
    }
    let egress = of_kind("NetworkPolicy").into_iter().filter_map(|it| it.at("/spec/egress").as_array().cloned());
    let out: Vec<u64> = egress.flatten().flat_map(|rule| ports(&rule)).collect();
    let generated = &documents(&deploy("kubernetes/base/kustomization.yaml"))[0]["configMapGenerator"][1]["literals"];
    let address = strings(generated).into_iter().find(|literal| literal.starts_with("TEMPORAL_ADDRESS=")).unwrap();
    assert!(out.contains(&address.rsplit_once(':').unwrap().1.parse().unwrap()), "{out:?}");
    for target in super::settings_file::load("kubernetes/base/interlock.toml").targets.values() {
        let port = target.base_url.as_ref().unwrap().port_or_known_default().unwrap();
        assert!(out.contains(&u64::from(port)), "{port} is closed");
    }
}

fn ports(rule: &Value) -> Vec<u64> {
    rule["ports"].as_array().into_iter().flatten().filter_map(|port| port["port"].as_u64()).collect()
}
