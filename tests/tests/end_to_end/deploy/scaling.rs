//! Scaling and shutdown: every autoscaler has a workload of its own, and every pod gets the time that it needs to end.

use std::time::Duration;

use interlock_domain::catalog::{ATTEMPT_TIMEOUT_MS, REFERENCE_TEXT};
use interlock_domain::routing::{QueueKind, QueuePrefix, ShardCount};
use serde_json::Value;

use super::kustomizations::{deleted, is_meant};
use super::manifests::{Manifest, base, objects, strings};
use super::settings_file::load;

/// The time that a worker may need to end in good order: its drain; if it calls targets, a call that it sent at the end of the drain;
/// then its HTTP service.
pub(super) fn drain_of_a_worker(settings: &str, arguments: &[String]) -> Duration {
    let sets_another = |line: &str| !line.trim_start().starts_with('#') && line.contains("attempt_timeout =");
    assert!(!REFERENCE_TEXT.lines().any(sets_another), "the catalog's longest attempt is not the default");
    let calls_targets =
        ["all", "provisioning", "jobs"].iter().any(|workload| arguments.contains(&(*workload).to_owned()));
    let sent = if calls_targets { Duration::from_millis(ATTEMPT_TIMEOUT_MS) } else { Duration::ZERO };
    load(settings).workers.drain + sent + interlock_http_service::DRAIN
}

fn drain_of_a_gateway() -> Duration {
    load("kubernetes/base/interlock.toml").gateway.drain
}

#[test]
fn a_pod_has_more_time_to_end_than_it_takes() {
    for deployment in base().into_iter().filter(|it| it.kind == "Deployment") {
        let pod = deployment.pod().unwrap();
        let seconds = |value: &Value| Duration::from_secs(value.as_u64().unwrap_or_default());
        let grace = seconds(&pod.spec["terminationGracePeriodSeconds"]);
        let before = seconds(&pod.container()["lifecycle"]["preStop"]["sleep"]["seconds"]);
        let arguments = strings(&pod.container()["args"]);
        let of_worker = || drain_of_a_worker("kubernetes/base/interlock.toml", &arguments);
        let drain = if arguments[0] == "worker" { of_worker() } else { drain_of_a_gateway() };
        assert!(grace > before + drain, "{}: {grace:?} for {before:?} and {drain:?}", deployment.name);
    }
}

/// The Deployments that the autoscalers among these objects scale.
fn scaled(objects: &[Manifest]) -> Vec<String> {
    let target = |it: &Manifest| it.at("/spec/scaleTargetRef/name").as_str().map(str::to_owned);
    objects
        .iter()
        .filter(|it| matches!(&*it.kind, "HorizontalPodAutoscaler" | "ScaledObject"))
        .filter_map(target)
        .collect()
}

/// The objects of the base that a component keeps, and its own.
fn with_component(folder: &str) -> Vec<Manifest> {
    let deleted = deleted(folder);
    let is_left = |it: &Manifest| !deleted.iter().any(|(kind, name)| *kind == it.kind && is_meant(&it.name, name));
    base().into_iter().filter(is_left).chain(objects(folder)).collect()
}

#[test]
fn every_autoscaler_has_a_workload_and_no_workload_has_two_autoscalers() {
    let deployments: Vec<Manifest> = base().into_iter().filter(|it| it.kind == "Deployment").collect();
    for objects in [base(), with_component("components/keda"), with_component("components/worker-controller")] {
        let mut scaled = scaled(&objects);
        for name in &scaled {
            let deployment = deployments.iter().find(|it| it.name == *name);
            let deployment = deployment.unwrap_or_else(|| panic!("nothing is called {name}"));
            assert!(deployment.at("/spec/replicas").is_null(), "{name}: the autoscaler says how many");
        }
        scaled.sort();
        let all = scaled.len();
        scaled.dedup();
        assert_eq!(scaled.len(), all, "two autoscalers for one workload");
    }
}

#[test]
fn the_queues_that_keda_watches_are_those_that_the_workers_serve() {
    let scaled_objects: Vec<Manifest> =
        objects("components/keda").into_iter().filter(|it| it.kind == "ScaledObject").collect();
    assert_eq!(scaled_objects.len(), 2);
    for it in scaled_objects {
        let name = it.at("/spec/scaleTargetRef/name").as_str().unwrap();
        let deployment = base().into_iter().find(|other| other.kind == "Deployment" && other.name == name).unwrap();
        let arguments = strings(&deployment.pod().unwrap().container()["args"]);
        let kind = if arguments.contains(&"entity".to_owned()) { QueueKind::Entity } else { QueueKind::Resource };
        assert!(arguments.contains(&kind.as_str().to_owned()), "{name}: {arguments:?}");
        let served = |shard| QueuePrefix::default().queue(kind, shard);
        let served: Vec<String> = ShardCount::default().shards().map(served).collect();
        let triggers = it.at("/spec/triggers").as_array().unwrap().iter();
        let of_temporal: Vec<&Value> = triggers.filter(|trigger| trigger["type"] == "temporal").collect();
        let watched: Vec<&str> =
            of_temporal.iter().map(|trigger| trigger["metadata"]["taskQueue"].as_str().unwrap()).collect();
        assert_eq!(watched, served, "{name}");
        for trigger in of_temporal {
            assert_eq!(trigger["metadata"]["queueTypes"], "workflow", "{name}");
        }
    }
}

#[test]
fn each_version_of_a_worker_deployment_scales_as_the_base_does() {
    let templates: Vec<Manifest> =
        objects("components/worker-controller").into_iter().filter(|it| it.kind == "WorkerResourceTemplate").collect();
    let of_workers: Vec<Manifest> = base()
        .into_iter()
        .filter(|it| it.kind == "HorizontalPodAutoscaler" && it.name.starts_with("interlock-worker-"))
        .collect();
    assert_eq!(templates.len(), of_workers.len());
    for (template, of_base) in templates.iter().zip(of_workers) {
        assert_eq!(template.at("/spec/workerDeploymentRef/name"), of_base.at("/spec/scaleTargetRef/name"));
        let (mut expected, made) = (of_base.at("/spec").clone(), template.at("/spec/template/spec").clone());
        expected["scaleTargetRef"] = serde_json::json!({});
        assert_eq!(made, expected, "{}", template.name);
    }
}
