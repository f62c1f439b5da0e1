//! Every Interlock container, in all files that describe one: its arguments, its environment, its settings.

use std::collections::{BTreeMap, BTreeSet};

use interlock_settings::{Settings, SettingsSources, VARIABLES};
use serde_json::Value;

use super::command_lines::fault;
use super::manifests::{all_pods, deploy, repository, strings, text};
use super::{compose, dockerfile};

/// Temporal's own variables, which its SDK reads, and the two of worker versioning.
const TEMPORAL: [&str; 12] = [
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_API_KEY",
    "TEMPORAL_TLS",
    "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_CLIENT_KEY_PATH",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    "TEMPORAL_TLS_SERVER_NAME",
    "TEMPORAL_PROFILE",
    "TEMPORAL_CONFIG_FILE",
    "TEMPORAL_DEPLOYMENT_NAME",
    "TEMPORAL_WORKER_BUILD_ID",
];
/// OpenTelemetry's.
const OPEN_TELEMETRY: [&str; 4] =
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"];

/// An Interlock container.
pub(super) struct Container {
    /// Where it is described.
    pub(super) of: String,
    /// Its arguments, without the program's name.
    pub(super) arguments: Vec<String>,
    /// Its variables, with the values that are given there.
    pub(super) environment: BTreeMap<String, Option<String>>,
}

/// All containers.
pub(super) fn containers() -> Vec<Container> {
    let of_pods = all_pods().into_iter().map(|pod| Container {
        arguments: strings(&pod.container()["args"]),
        environment: environment(&pod.container()["env"]),
        of: pod.of,
    });
    of_pods.chain(compose::containers()).chain([dockerfile::container()]).collect()
}

/// The variables of a Kubernetes container.
pub(super) fn environment(env: &Value) -> BTreeMap<String, Option<String>> {
    let pair = |entry: &Value| {
        (entry["name"].as_str().unwrap().to_owned(), entry.get("value").map(|value| value.as_str().unwrap().to_owned()))
    };
    env.as_array().into_iter().flatten().map(pair).collect()
}

/// Whether it is a variable of one of the tables of workers. The page on settings, which is generated, lists the keys.
fn is_of_workers(name: &str) -> bool {
    let page = text(&repository().join("coordinator/docs/settings.md"));
    let workloads = ["ENTITY", "RESOURCE", "PROVISIONING", "JOBS"];
    let mut keys = workloads.iter().filter_map(|workload| name.strip_prefix(&format!("INTERLOCK_WORKERS_{workload}_")));
    keys.any(|key| page.contains(&format!("\n| `{}` | ", key.to_lowercase())))
}

fn is_known(name: &str) -> bool {
    is_of_workers(name)
        || VARIABLES.iter().any(|variable| variable.name == name)
        || TEMPORAL.contains(&name)
        || OPEN_TELEMETRY.contains(&name)
}

#[test]
fn every_container_has_arguments_that_the_program_takes() {
    let all = containers();
    assert!(all.len() > 12, "{}", all.len());
    for container in all {
        let fault = fault(&container.arguments);
        assert_eq!(fault, None, "{}: interlock {}", container.of, container.arguments.join(" "));
    }
}

#[test]
fn every_variable_of_a_container_is_declared_somewhere() {
    for container in containers() {
        for name in container.environment.keys() {
            assert!(is_known(name), "{}: nobody reads {name}", container.of);
        }
    }
    let patches = super::kustomizations::patched_variables();
    assert!(patches.len() > 3, "{patches:?}");
    for name in patches.iter().chain(&super::kustomizations::generated_variables()) {
        assert!(is_known(name), "a kustomization sets {name}, which no process reads");
    }
}

#[test]
fn the_variables_of_each_container_are_settings_that_load() {
    for container in containers() {
        let literal = |(name, value): (String, Option<String>)| Some((name, value?));
        let environment = container.environment.into_iter().filter_map(literal);
        let sources = SettingsSources {
            environment: environment.filter(|(name, _)| name != "INTERLOCK_CONFIG").collect(),
            config_file: Some(deploy("kubernetes/base/interlock.toml")),
            ..SettingsSources::default()
        };
        Settings::load(&sources).unwrap_or_else(|fault| panic!("{}: {fault}", container.of));
    }
}

#[test]
fn every_workload_of_the_command_is_deployed_everywhere() {
    let workloads = |containers: Vec<Container>| -> BTreeSet<String> {
        let after = |container: &Container| {
            let at = container.arguments.iter().position(|argument| argument == "--workload")?;
            container.arguments.get(at + 1).cloned()
        };
        containers.iter().filter_map(after).collect()
    };
    let expected: BTreeSet<String> = ["entity", "resource", "provisioning", "jobs"].map(str::to_owned).into();
    assert_eq!(workloads(compose::containers()), expected);
    let (in_pods, _): (Vec<_>, Vec<_>) = containers().into_iter().partition(|it| it.of.starts_with("Deployment"));
    assert_eq!(workloads(in_pods), expected);
}
